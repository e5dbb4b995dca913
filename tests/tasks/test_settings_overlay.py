"""Changes of settings beside the configuration file: what can be changed, what fits, what is said if not."""

import json
from dataclasses import asdict
from typing import Any, get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pvcharge.control import ControlSettings, Objective
from pvcharge.tasks.charger_task import EdgeSettings, OnSilence
from pvcharge.tasks.settings_overlay import EDITABLE, Kind, Overlay, SettingsInvalidError

PRICES = {"control.import_price", "control.feed_in_price", "control.car_energy_price"}
RISE = "prices must rise: feed_in_price <= car_energy_price <= import_price"
EQUAL = 'feed_in_price equals import_price: with "cost" no time is better than another'


def overlay(**configured: Any) -> Overlay:
    """Return one over such a file."""
    return Overlay(ControlSettings(**configured), OnSilence.STOP)


def errors_of(below: Overlay, changes: dict[str, Any]) -> dict[str, str]:
    """Return what is wrong with changes, by key."""
    try:
        below.apply(changes)
    except SettingsInvalidError as invalid:
        return invalid.errors or {"": "nothing named"}
    return {}


_numbers = st.one_of(st.integers(-2, 100_000), st.floats(-2, 10), st.floats())
_words = st.sampled_from(["balance", "cost", "no_import", "stop", "minimum", "local", "car_first", "", "0.3"])
_values = st.one_of(_numbers, _words, st.booleans(), st.lists(st.integers(), max_size=1))
_keys = st.sampled_from([*EDITABLE, "control.mode", "control.max_current_a", "edge.lease_s", "", "x"])
_any_changes = st.dictionaries(_keys, _values, max_size=8)
_price_changes = st.fixed_dictionaries(
    {},
    optional={
        **{key: st.sampled_from([-1.0, 0.0, 0.08, 0.1, 0.3, 0.5, 5.0, 6.0]) for key in sorted(PRICES)},
        "control.objective": st.sampled_from(list(Objective)).map(lambda it: it.value),
    },
)


@given(changes=st.one_of(_any_changes, _price_changes))
def test_what_fits_is_in_force_and_nothing_else(changes: dict[str, Any]) -> None:
    """Any changes are taken as a whole or refused by keys that have to do with it; the result is valid."""
    below = overlay(min_on_s=7)
    wrong = errors_of(below, changes)
    if wrong:
        assert all(key in changes or key in EDITABLE for key in wrong)
        assert all(message and "input" not in message.lower() for message in wrong.values())
        return
    result = below.apply(changes)
    assert ControlSettings.model_validate_json(result.control.model_dump_json()) == result.control
    values, before = result.values(), below.configured.values()
    assert values == before | {key: values[key] for key in changes}
    assert all(values[key] == value for key, value in changes.items())
    untouched = {"mode", "min_current_a", "max_current_a", "phases", "voltage_v"}
    assert result.control.model_dump(include=untouched) == ControlSettings().model_dump(include=untouched)


@given(changes=st.one_of(_any_changes, _price_changes))
def test_as_many_as_possible_are_kept(changes: dict[str, Any]) -> None:
    """What is left fits, the reason for each of the others is told, and none of them can be had besides."""
    below = overlay()
    fitting, dropped = below.fitting(changes)
    below.apply(fitting)
    unchanged = changes.keys() - fitting.keys() - dropped.keys()
    before = below.configured.values()
    assert all(before[key] == changes[key] for key in unchanged)
    for key in dropped:
        assert errors_of(below, {**fitting, key: changes[key]})
    assert all(dropped.values())


@given(changes=_price_changes)
def test_two_prices_are_not_dropped_where_one_would_do(changes: dict[str, Any]) -> None:
    """Of those that do not fit together as few as possible go."""
    below = overlay()
    _, dropped = below.fitting(changes)
    together = [key for key in dropped if dropped[key] in (RISE, EQUAL)]
    if len(together) == 2:
        left = {key: value for key, value in changes.items() if key not in dropped}
        for key in together:
            assert errors_of(below, {**left, key: changes[key]})


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"control.import_price": 9}, {"control.import_price": "must be at most 5"}),
        ({"control.import_price": True}, {"control.import_price": "must be a plain number"}),
        ({"control.import_price": "0.3"}, {"control.import_price": "must be a plain number"}),
        ({"control.min_on_s": "long"}, {"control.min_on_s": "must be a plain number of seconds"}),
        ({"control.max_starts_per_hour": 2.5}, {"control.max_starts_per_hour": "must be a whole number"}),
        ({"control.max_starts_per_hour": 0}, {"control.max_starts_per_hour": "must be at least 1"}),
        ({"control.boost_ends_on_unplug": 1}, {"control.boost_ends_on_unplug": "must be true or false"}),
        ({"control.objective": "fame"}, {"control.objective": "must be balance, no_import or cost"}),
        ({"control.objective": "\ud800"}, {"control.objective": "must be balance, no_import or cost"}),
        ({"control.min_on_s": 10**400}, {"control.min_on_s": "must be at most 86400"}),
        ({"edge.on_silence": "local"}, {"edge.on_silence": "must be stop, minimum, keep or boost"}),
        ({"control.max_current_a": 32}, {"control.max_current_a": "cannot be changed here"}),
        ({"nonsense": 1}, {"nonsense": "cannot be changed here"}),
        ({"control.feed_in_price": 0.5}, dict.fromkeys(PRICES, RISE)),
        (
            {"control.feed_in_price": 0.3, "control.objective": "cost"},
            dict.fromkeys(("control.objective", "control.feed_in_price", "control.import_price"), EQUAL),
        ),
        (
            {"control.min_on_s": -1, "edge.on_silence": 3, "x": None},
            {
                "control.min_on_s": "must be at least 0",
                "edge.on_silence": "must be stop, minimum, keep or boost",
                "x": "cannot be changed here",
            },
        ),
    ],
)
def test_what_is_wrong_is_said_in_plain_words(changes: dict[str, Any], said: dict[str, str]) -> None:
    """By key; a rule about several names all of them."""
    assert errors_of(overlay(), changes) == said


def test_what_is_as_configured_is_no_change() -> None:
    """So that the file goes on to rule it."""
    changes = {"control.import_price": 0.3, "control.min_on_s": 60, "edge.on_silence": "stop"}
    assert overlay().normal(changes) == {"control.min_on_s": 60.0}


def test_entries_are_told_from_the_models() -> None:
    """Kinds, bounds, choices and defaults are those of the fields."""
    below = Overlay(ControlSettings(objective=Objective.COST, car_energy_price=0.2), OnSilence.MINIMUM)
    entries = {entry.key: entry for entry in below.entries({"control.max_starts_per_hour": 3})}
    assert list(entries) == list(EDITABLE)
    assert asdict(entries["control.objective"]) == {
        "key": "control.objective",
        "group": "objective",
        "kind": "choice",
        "value": "cost",
        "configured": "cost",
        "default": "balance",
        "unit": None,
        "min": None,
        "max": None,
        "choices": ["balance", "no_import", "cost"],
        "after_restart": False,
    }
    starts = entries["control.max_starts_per_hour"]
    assert (starts.kind, starts.value, starts.configured, starts.min, starts.max) == ("number", 3, 6, 1, 60)
    price = entries["control.car_energy_price"]
    assert (price.kind, price.value, price.default, price.min, price.max) == ("number", 0.2, None, -1, 5)
    assert (price.unit, entries["control.start_cost_wh"].unit) == ("/kWh", "Wh")
    assert (entries["control.min_on_s"].unit, entries["control.battery_min_soc_pct"].unit) == ("s", "%")
    silence = entries["edge.on_silence"]
    assert (silence.value, silence.choices) == ("minimum", ["stop", "minimum", "keep", "boost"])
    assert [entry.key for entry in entries.values() if entry.after_restart] == ["edge.on_silence"]
    assert entries["control.boost_ends_on_unplug"].kind == "flag"
    assert {entry.kind for entry in entries.values()} == set(get_args(Kind))


def test_every_setting_is_one_of_a_table_or_none_for_the_user() -> None:
    """A setting that is new has to be put somewhere; what is left to the file is named here."""
    fields = {f"control.{name}" for name in ControlSettings.model_fields}
    fields |= {f"edge.{name}" for name in EdgeSettings.model_fields}
    of_the_file = {"control.mode", "control.phases", "control.voltage_v", "edge.lease_s"}
    of_the_file |= {"control.min_current_a", "control.max_current_a"}
    assert set(EDITABLE) | of_the_file == fields
    assert not set(EDITABLE) & of_the_file


def test_entries_are_json() -> None:
    """They go to the page as they are."""
    assert json.loads(json.dumps([asdict(entry) for entry in overlay().entries({})]))
