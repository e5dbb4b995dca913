"""What is learned can be told, and recalled by the next run."""

import json
from collections.abc import Callable
from datetime import datetime, timedelta
from math import inf, nan
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from control.any_history import control_settings, histories, live
from control.kept_documents import (
    DAY_S,
    MIDNIGHT,
    QUARTER_S,
    documents,
    hear_quarters,
    learned,
    roof_w,
)
from pvcharge.control import Controller, ControlSettings
from pvcharge.model import ChargerState, ChargerStatus, Mode, PowerFlow
from support.bench import make_bench

Change = Callable[[dict[str, Any]], object]
LARGEST_KB = 40


def recalled(document: dict[str, Any]) -> Controller:
    """Return a controller that starts with what was learned before."""
    controller = Controller(ControlSettings(mode=Mode.OFF))
    controller.recall(document)
    return controller


def test_nothing_is_learned_at_first() -> None:
    """The document of a controller that has heard nothing is a document nevertheless."""
    assert Controller(ControlSettings()).learned() == {"v": 1, "at": None, "sources": []}


def test_what_is_learned_can_be_read_by_a_person() -> None:
    """After three days of quarter-hour means, each six minutes late."""
    (source,) = learned()["sources"]
    assert (source["name"], source["usual_pause_s"], source["usual_age_s"]) == ("cloud", 900.0, 360.0)
    clear_day = source["forecast"]["clear_day"]
    assert clear_day["believed"]
    assert clear_day["seen_days"] == 3.4
    assert clear_day["by_hour_w"][11] == pytest.approx(roof_w(11.5 * 3600), abs=400)
    assert source["forecast"]["usual_rest_w"] == pytest.approx(430, abs=30)
    assert datetime.fromisoformat(learned()["at"]) == MIDNIGHT + timedelta(days=3.4) - timedelta(minutes=6)


def test_another_run_goes_on_where_the_last_one_has_ended() -> None:
    """On its first morning it foresees the sun; without, the last reading is all it knows."""
    first = 4 * 96 + 9 * 4
    now_s = (first + 2) * QUARTER_S + 360
    surpluses_w = []
    for document in (Controller(ControlSettings()).learned(), learned()):
        controller = recalled(document)
        hear_quarters(controller, first, 2)
        surpluses_w.append(controller.decide(MIDNIGHT + timedelta(seconds=now_s)).surplus_w or 0.0)
    then_w = roof_w(now_s + QUARTER_S / 2) - 430
    measured_w, expected_w = surpluses_w
    assert abs(expected_w - then_w) < abs(measured_w - then_w) / 2


@given(control_settings, histories)
def test_what_is_told_can_be_recalled(settings: dict[str, Any], history: list[tuple[int, Any]]) -> None:
    """Whatever has been heard: the document is accepted, says the same again, and is small."""
    document = live(settings, history).controller.learned()
    text = json.dumps(document, allow_nan=False, sort_keys=True)
    assert len(text) < LARGEST_KB * 1024
    assert recalled(json.loads(text)).learned() == document


def test_the_document_is_small() -> None:
    """Of as many sources as can be, of which everything is known."""
    ratios = [[-1.0123456789012345, 1.0123456789012345]] * 15
    source = {**FULL["sources"][0], "gain": {**GAIN, "ratios": ratios}}
    document = {**FULL, "sources": [{**source, "name": f"{number:100}"} for number in range(8)]}
    told = recalled(document).learned()
    assert len(told["sources"]) == 8
    assert len(json.dumps(told)) < LARGEST_KB * 1024


@given(documents)
def test_what_is_recalled_is_told_again(document: dict[str, Any]) -> None:
    """Before the source is heard, and of any document, once it has the usual form."""
    told = recalled(document).learned()
    assert recalled(told).learned() == told


def test_nothing_is_lost_of_what_was_truly_learned() -> None:
    """Neither when it is recalled before a source is heard, nor when the source has been."""
    assert recalled(learned()).learned() == learned()
    controller = Controller(ControlSettings(mode=Mode.OFF))
    hear_quarters(controller, 0, round(3.4 * 96))
    controller.recall(learned())
    assert controller.learned() == learned()


def test_what_is_recalled_takes_the_place_of_what_is_learned() -> None:
    """An empty document leaves nothing."""
    controller = recalled(learned())
    controller.recall({"v": 1, "at": None, "sources": []})
    assert controller.learned()["sources"] == []


def test_a_source_is_known_by_its_name_alone() -> None:
    """Another one that is heard first changes nothing in it; no more are kept than can be followed."""
    controller = recalled(learned())
    hear_quarters(controller, 400, 3, source="meter")
    names = {source["name"]: source for source in controller.learned()["sources"]}
    assert names["cloud"] == learned()["sources"][0]
    assert names["meter"]["forecast"]["clear_day"]["believed"] is False
    for number in range(20):
        hear_quarters(controller, 404 + number, 2, source=f"meter {number}")
    assert len(controller.learned()["sources"]) == 8


def after(days: float) -> dict[str, Any]:
    """Return what is known of the source when it is heard again after so many days."""
    controller = recalled(learned())
    hear_quarters(controller, round((3.4 + days) * 96), 1)
    (source,) = controller.learned()["sources"]
    assert isinstance(source, dict)
    return source


def weight(source: dict[str, Any]) -> float:
    """Return how many readings the clear day stands for."""
    return float(source["forecast"]["clear_day"]["shape"]["squares"][0][0])


def test_the_clear_day_of_another_season_is_not_believed() -> None:
    """It fades over weeks, as if readings had come meanwhile, and is gone after sixty days."""
    assert weight(after(0.1)) == pytest.approx(weight(after(0)), rel=0.05)
    assert weight(after(10)) == pytest.approx(weight(after(0)) / 2.718, rel=0.05)
    assert after(10)["forecast"]["clear_day"]["believed"]
    assert after(61)["forecast"]["clear_day"]["believed"] is False
    assert after(61)["usual_pause_s"] == 900.0


def test_a_document_of_the_future_is_not_believed() -> None:
    """A clock that was wrong must not teach; half a day of doubt is a source that tells the same again."""
    assert after(-0.5)["forecast"]["clear_day"]["believed"]
    source = after(-2)
    assert (source["usual_pause_s"], source["forecast"]["clear_day"]["believed"]) == (None, False)


def test_the_ages_of_late_readings_and_the_gain_are_kept() -> None:
    """A meter that answers the charger's steps a minute late, and too little."""
    bench = make_bench(mode="off")
    powers_w = [0.0] * 13
    for minute in range(24 * 60):
        power_w = 4140.0 * (minute // 15 % 2)
        powers_w = [*powers_w[1:], *[power_w] * 12][-13:]
        for second in range(minute * 60, minute * 60 + 60, 20):
            bench.status(second, power_w=power_w, state=ChargerState.CHARGING)
            if second % 60 == 40:
                bench.grid(second, 300.0 + 17.0 * (minute % 5) + 0.4 * powers_w[0])
            bench.decide(second)
    (source,) = bench.controller.learned()["sources"]
    assert source["gain"]["gain"] == pytest.approx(0.4, abs=0.05)
    assert len(source["gain"]["ratios"]) == 15
    again = recalled(bench.controller.learned())
    noon = bench.at(24 * 3600 + 60)
    again.observe(ChargerStatus(noon, ChargerState.READY, 0.0))
    again.observe(PowerFlow(noon, noon, grid_w=300.0))
    assert again.doubts == bench.controller.doubts == {"": "scaled"}
    for second in range(0, 900, 20):
        tomorrow = noon + timedelta(seconds=DAY_S + second)
        again.observe(ChargerStatus(tomorrow, ChargerState.READY, 0.0))
        again.observe(PowerFlow(tomorrow, tomorrow, grid_w=310.0 + second % 7))
    assert again.doubts == {}


def _source(document: dict[str, Any]) -> dict[str, Any]:
    (source,) = document["sources"]
    assert isinstance(source, dict)
    return source


def _clear_day(document: dict[str, Any]) -> dict[str, Any]:
    clear_day = _source(document)["forecast"]["clear_day"]
    assert isinstance(clear_day, dict)
    return clear_day


def _habit(document: dict[str, Any]) -> dict[str, Any]:
    habit = _source(document)["forecast"]["habits"][0]
    assert isinstance(habit, dict)
    return habit


AGES = {f"{age:g}": 1 / 27 for age in (0, 5, 10, 15, *range(20, 241, 10))}
KEPT_AGES = {
    "mean_s": 60.0,
    "spread_s": 30.0,
    "share_by_age_s": AGES,
    "log_odds_late": 7.0,
    "log_odds_seen": 7.0,
    "house_scatter_w": 50.0,
}
GAIN = {"gain": 1.0, "ratios": [[1.0]], "stepped_at": "2026-06-15T12:00:00+00:00"}


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (lambda it: it.update(v=2), "v: 2 is not known"),
        (lambda it: it.update(v=True), "v: True is not known"),
        (lambda it: it.pop("v"), "v: None is not known"),
        (lambda it: it.pop("sources"), "sources: Field required"),
        (lambda it: it.update(more=1), "more: Extra inputs"),
        (lambda it: it["sources"].append(_source(it)), "sources have the same name"),
        (lambda it: it["sources"].extend([_source(it)] * 8), "sources: Tuple should have at most 8"),
        (lambda it: _source(it).update(name=5), "sources.0.name: "),
        (lambda it: _source(it).update(heard_at="2026-06-15T12:00:00"), "sources.0.heard_at: "),
        (lambda it: _source(it).update(heard_at="0001-01-01T00:00:00+00:00"), "sources.0.heard_at: "),
        (lambda it: _source(it).update(heard_at="2026-06-01T00:00:00+00:00"), "since is after heard_at"),
        (lambda it: _source(it).update(usual_pause_s=nan), "sources.0.usual_pause_s: "),
        (lambda it: _source(it).update(usual_pause_s=0), "sources.0.usual_pause_s: "),
        (lambda it: _source(it).update(usual_pause_s="900"), "sources.0.usual_pause_s: "),
        (lambda it: _source(it).update(usual_age_s=1701), "sources.0.usual_age_s: "),
        (lambda it: _source(it).update(usual_age_s=-1), "sources.0.usual_age_s: "),
        (lambda it: _source(it).update(gain=GAIN | {"ratios": [[1.0], [1.0, 1.0]]}), "different kinds"),
        (lambda it: _source(it).update(gain=GAIN | {"ratios": [[inf]]}), "gain.ratios.0.0: "),
        (lambda it: _source(it).update(gain=GAIN | {"ratios": [[1.0]] * 16}), "gain.ratios: "),
        (
            lambda it: _source(it).update(gain=GAIN | {"stepped_at": "2027-06-15T12:00:00+00:00"}),
            "stepped_at is after heard_at",
        ),
        (lambda it: _source(it).update(ages=KEPT_AGES | {"share_by_age_s": {"0": 1.0}}), "ages 0 to 240"),
        (lambda it: _source(it).update(ages=KEPT_AGES | {"share_by_age_s": AGES | {"0": 0.5}}), "than 1"),
        (lambda it: _source(it).update(ages=KEPT_AGES | {"share_by_age_s": AGES | {"0": 0.0}}), "_s.0: "),
        (lambda it: _source(it).update(ages=KEPT_AGES | {"log_odds_late": 13}), "log_odds_late: "),
        (lambda it: _source(it).update(ages=KEPT_AGES | {"house_scatter_w": 0}), "house_scatter_w: "),
        (lambda it: _clear_day(it).update(greatest_w=1e300), "clear_day.greatest_w: "),
        (lambda it: _clear_day(it).update(hours_utc=[24]), "clear_day.hours_utc.0: "),
        (lambda it: _clear_day(it)["shape"]["products"].pop(), "squares are no triangle"),
        (lambda it: _clear_day(it)["shape"]["products"].__setitem__(0, 1e15), "that of any roof"),
        (lambda it: _clear_day(it)["shape"]["squares"][4].__setitem__(4, -1.0), "squares.4.4 is negative"),
        (lambda it: _clear_day(it)["shape"]["squares"][1].__setitem__(0, 1e9), "squares.1.0 is more"),
        (lambda it: _clear_day(it).update(shape=_habit(it)["evidence"]), "shape.products are not 5"),
        (lambda it: _habit(it).update(evidence=_clear_day(it)["shape"]), "evidence.products are not 3"),
        (lambda it: _habit(it)["evidence"]["products"].__setitem__(0, 1e12), "a habit stronger than 3"),
        (lambda it: _habit(it).update(lead_readings=3), "habits.0.lead_readings: "),
        (lambda it: it.update(at=object()), "is no JSON"),
    ],
)
def test_what_cannot_be_true_is_refused(change: Change, told: str) -> None:
    """The message names the key; nothing of what was known is lost."""
    controller, document = recalled(learned()), learned()
    change(document)
    with pytest.raises(ValueError, match="what was learned") as refused:
        controller.recall(document)
    assert told in str(refused.value)
    assert controller.learned() == learned()


@pytest.mark.parametrize("document", [None, [], "v", 1])
def test_what_is_no_document_is_refused(document: Any) -> None:
    """Nor must it break anything."""
    with pytest.raises(ValueError, match="what was learned"):
        Controller(ControlSettings()).recall(document)


def places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Return where in a document something can be changed."""
    inner: list[tuple[Any, Any]] = []
    if isinstance(value, dict):
        inner = list(value.items())
    elif isinstance(value, list):
        inner = list(enumerate(value))
    return [path, *(place for key, it in inner for place in places(it, (*path, key)))]


FULL = {**learned(), "sources": [{**learned()["sources"][0], "ages": KEPT_AGES, "gain": GAIN}]}
HOSTILE: st.SearchStrategy[Any] = st.one_of(
    st.sampled_from([nan, inf, -inf, 1e300, -1e300, 5e-324, 10**400, True, None, "", "nan", [], {}, [[]]]),
    st.floats(),
    st.integers(),
)


@given(st.sampled_from(places(FULL)[1:]), HOSTILE)
def test_hostile_values_are_refused_or_do_no_harm(place: tuple[Any, ...], value: object) -> None:
    """At any place of the document: it is refused in whole, or what follows from it is told again."""
    document = json.loads(json.dumps(FULL))
    inner = document
    for key in place[:-1]:
        inner = inner[key]
    inner[place[-1]] = value
    controller = recalled(learned())
    refused = ""
    try:
        controller.recall(document)
    except ValueError as error:
        refused = str(error)
    if refused:
        assert refused.startswith("what was learned")
        assert len(refused) < 1000
        assert controller.learned() == learned()
    json.dumps(controller.learned(), allow_nan=False)
    hear_quarters(controller, round(3.4 * 96), 8)
    json.dumps(controller.learned(), allow_nan=False)
