"""The table of values: complete, consistent, and never 0 for what is not known."""

import re
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from pvcharge.model import (
    NO_CHARGE,
    ChargerState,
    ChargerStatus,
    Decision,
    DeviceHealth,
    Distrust,
    EnergyTotals,
    LimitsCommand,
    Mode,
    PowerFlow,
    Reason,
    Setpoint,
)
from pvcharge.values import VALUES, Kind, Scalar, Snapshot, SnapshotKeeper, read, values_for

NOON = datetime(2026, 6, 15, 12, tzinfo=UTC)
TABLE = values_for(["roof", "cloud"], "box")

# Home Assistant refuses a device class with a unit or a state class that is not its own.
UNITS = {"power": "W", "energy": "kWh", "current": "A", "battery": "%", "duration": "s"}
NO_UNIT = {None, "enum", "timestamp", "connectivity"}
STATE_CLASSES: dict[str | None, set[str | None]] = {
    "energy": {"total_increasing", None},
    "enum": {None},
    "timestamp": {None},
}
SUFFIX_UNITS = {"w": "W", "kwh": "kWh", "a": "A", "pct": "%", "s": "s"}


class Clock:
    """A clock that the test moves."""

    def __init__(self) -> None:
        self.time = NOON

    def now(self) -> datetime:
        """Return the time as set."""
        return self.time

    async def sleep(self, seconds: float) -> None:
        """Let the time pass at once."""
        self.time += timedelta(seconds=seconds)


@pytest.fixture
def clock() -> Clock:
    """Return a clock that shows noon."""
    return Clock()


@pytest.fixture
def keeper(clock: Clock) -> SnapshotKeeper:
    """Return a keeper in Vienna that has seen nothing."""
    return SnapshotKeeper(clock, LimitsCommand(6, 16), ZoneInfo("Europe/Vienna"))


def shown(keeper: SnapshotKeeper) -> dict[str, Scalar]:
    """Return all values as they are now."""
    return read(TABLE, keeper.snapshot())


def flow(at: datetime = NOON, span_s: float = 0.0, **powers: Any) -> PowerFlow:
    """Return a reading that ends at this time."""
    return PowerFlow(at - timedelta(seconds=span_s), at, **({"pv_w": 4000.0, "grid_w": -1234.5678} | powers))


def status(at: datetime = NOON, **changes: Any) -> ChargerStatus:
    """Return the status of a car that charges."""
    values: dict[str, Any] = {"state": ChargerState.CHARGING, "power_w": 6900.0, "phases": 3}
    return ChargerStatus(at, **(values | changes))


def decision(at: datetime = NOON, **changes: Any) -> Decision:
    """Return a decision for 3 x 10 A."""
    values: dict[str, Any] = {
        "setpoint": Setpoint(3, 10),
        "reason": Reason.FOLLOWING,
        "mode": Mode.SURPLUS,
        "surplus_w": 7000.0,
    }
    return Decision(at, **(values | changes))


def test_nothing_known_is_null(keeper: SnapshotKeeper) -> None:
    """Before the first event only the limits are known; nothing else pretends to be 0 or off."""
    values = shown(keeper)
    limits = {key: values.pop(key) for key in ("min_current_a", "max_current_a")}
    assert limits == {"min_current_a": 6, "max_current_a": 16}
    assert set(values.values()) == {None}


def test_everything_known_is_shown(keeper: SnapshotKeeper) -> None:
    """Each value comes from where it belongs, in its unit."""
    keeper.take(flow(load_w=9000.0, battery_w=0.0, battery_soc_pct=55.5, source="roof"))
    keeper.take(status(current_a=9.94, session_wh=1500.0, total_wh=1_234_567.0))
    until = NOON + timedelta(hours=1)
    keeper.take(
        decision(mode=Mode.BOOST, reason=Reason.BOOST, boost_until=until, reading_age_s=4.0, source="roof")
    )
    keeper.take(LimitsCommand(8, 10))
    keeper.take(EnergyTotals(NOON, 5000.5, 1000.0, 2000.0, 300.0, 200.0, 4000.0))
    facts: dict[str, float | str] = {"requests_left": 1500, "api": "v2"}
    keeper.take(DeviceHealth("roof", NOON, ok=True, since=NOON))
    keeper.take(DeviceHealth("cloud", NOON, ok=False, since=NOON, error="down", facts=facts))
    keeper.take(DeviceHealth("box", NOON, ok=True, since=NOON, facts={"edge_clock_ahead_s": -0.3}))
    assert shown(keeper) == {
        "pv_w": 4000.0,
        "grid_w": -1234.568,
        "load_w": 9000.0,
        "battery_w": 0.0,
        "battery_soc_pct": 55.5,
        "production_limited": False,
        "surplus_w": 7000.0,
        "charger_power_w": 6900.0,
        "charger_current_a": 9.94,
        "charger_phases": 3,
        "charger_state": "charging",
        "setpoint_a": 10,
        "setpoint_phases": 3,
        "min_current_a": 8,
        "max_current_a": 10,
        "mode": "boost",
        "reason": "boost",
        "reason_text": "Boost: full power until 15:00:00.",
        "source": "roof",
        "source_text": "roof drives.",
        "distrust": None,
        "boost_until": "2026-06-15T13:00:00+00:00",
        "session_kwh": 1.5,
        "charger_total_kwh": 1234.567,
        "pv_total_kwh": 5.0,
        "import_total_kwh": 1.0,
        "export_total_kwh": 2.0,
        "battery_in_total_kwh": 0.3,
        "battery_out_total_kwh": 0.2,
        "reading_age_s": 4.0,
        "requests_left": 1500,
        "edge_clock_ahead_s": -0.3,
        "inverter_1_ok": True,
        "inverter_2_ok": False,
        "charger_ok": True,
    }


@pytest.mark.parametrize(
    ("told", "load_w"),
    [
        ({"pv_w": 5000.0, "grid_w": -3000.0}, 2000.0),
        ({"pv_w": 5000.0, "grid_w": -1000.0, "battery_w": 2500.0}, 1500.0),
        ({"pv_w": 0.0, "grid_w": -30.0}, 0.0),
        ({"grid_w": 700.0}, None),
        ({"pv_w": 700.0}, None),
        ({"pv_w": 5000.0, "grid_w": -3000.0, "load_w": 2100.0}, 2100.0),
    ],
)
def test_what_the_house_draws_is_told_or_left_by_the_balance(
    clock: Clock, told: dict[str, Any], load_w: float | None
) -> None:
    """Nobody but the meter at the grid is needed to know it, beside the production."""
    keeper = SnapshotKeeper(clock, LimitsCommand(6, 16))
    keeper.take(PowerFlow(NOON, NOON, source="roof", **told))
    assert read(TABLE, keeper.snapshot())["load_w"] == load_w


def test_zero_is_zero(keeper: SnapshotKeeper) -> None:
    """What is known to be nothing is 0 and not null."""
    keeper.take(flow(pv_w=0.0))
    keeper.take(status(state=ChargerState.READY, power_w=0.0, phases=0, session_wh=0.0))
    keeper.take(decision(setpoint=NO_CHARGE, surplus_w=0.0))
    values = shown(keeper)
    keys = ("pv_w", "charger_power_w", "charger_phases", "session_kwh", "setpoint_a", "surplus_w")
    assert [values[key] for key in keys] == [0] * len(keys)


@pytest.mark.parametrize("reason", [Reason.NO_STATUS, Reason.BY_HAND])
def test_what_nobody_wants_is_no_setpoint(keeper: SnapshotKeeper, reason: Reason) -> None:
    """While the charger is left alone, pvcharge wants nothing of it."""
    keeper.take(decision(reason=reason))
    assert (shown(keeper)["setpoint_a"], shown(keeper)["setpoint_phases"]) == (None, None)


def test_an_unknown_state_is_null(keeper: SnapshotKeeper) -> None:
    """The word unknown is Home Assistant's own word for nothing, and no option of ours."""
    keeper.take(status(state=ChargerState.UNKNOWN))
    assert shown(keeper)["charger_state"] is None
    assert shown(keeper)["charger_power_w"] == 6900.0


@pytest.mark.parametrize(
    ("pause_s", "span_s", "good_s"), [(5.0, 0.0, 60.0), (60.0, 0.0, 180.0), (900.0, 900.0, 2700.0)]
)
def test_readings_age_out(
    clock: Clock, keeper: SnapshotKeeper, pause_s: float, span_s: float, good_s: float
) -> None:
    """A reading is shown for three pauses of its own source, then it is null, and so is the surplus."""
    keeper.take(flow(NOON - timedelta(seconds=pause_s), span_s))
    keeper.take(flow(NOON, span_s))
    for second, expected in ((good_s - 1, 4000.0), (good_s, None)):
        clock.time = NOON + timedelta(seconds=second)
        keeper.take(decision(clock.time))
        assert shown(keeper)["pv_w"] == expected
        assert (shown(keeper)["surplus_w"] is None) == (expected is None)


def test_late_readings_are_shown(clock: Clock, keeper: SnapshotKeeper) -> None:
    """A cloud's means come minutes late; what counts is how long nothing newer has come."""
    keeper.take(flow(NOON - timedelta(minutes=37), 900.0))
    keeper.take(flow(NOON - timedelta(minutes=22), 900.0))
    clock.time += timedelta(minutes=16)
    assert shown(keeper)["pv_w"] == 4000.0


def test_older_news_is_no_news(keeper: SnapshotKeeper) -> None:
    """What comes late never replaces what is newer."""
    keeper.take(flow(pv_w=1.0))
    keeper.take(flow(NOON - timedelta(seconds=5), pv_w=2.0))
    keeper.take(status(power_w=1.0))
    keeper.take(status(NOON - timedelta(seconds=5), power_w=2.0))
    assert (shown(keeper)["pv_w"], shown(keeper)["charger_power_w"]) == (1.0, 1.0)


def test_a_silent_charger_ages_out(clock: Clock, keeper: SnapshotKeeper) -> None:
    """A status of minutes ago is not shown as live, nor is a decision that nobody renews."""
    keeper.take(status())
    keeper.take(decision())
    clock.time += timedelta(seconds=59)
    assert (shown(keeper)["charger_state"], shown(keeper)["mode"]) == ("charging", "surplus")
    clock.time += timedelta(seconds=1)
    assert (shown(keeper)["charger_state"], shown(keeper)["mode"]) == ("charging", None)
    clock.time += timedelta(seconds=120)
    assert shown(keeper)["charger_state"] is None


def test_keys_are_unique_and_end_in_their_unit() -> None:
    """A key says its unit by its end, and no two values share one."""
    keys = [value.key for value in TABLE]
    assert len(set(keys)) == len(keys)
    for value in TABLE:
        assert re.fullmatch(r"[a-z][a-z0-9]*(_[a-z0-9]+)*", value.key)
        assert SUFFIX_UNITS.get(value.key.rpartition("_")[2]) == value.unit, value.key


@pytest.mark.parametrize("value", TABLE, ids=lambda value: value.key)
def test_classes_fit_units(value: Any) -> None:
    """Kind, unit, device class and state class go together as Home Assistant demands it."""
    if value.device_class in NO_UNIT:
        assert value.unit is None
    else:
        assert value.unit == UNITS[value.device_class]
    if value.kind is Kind.NUMBER:
        assert value.precision is not None
        assert value.state_class in STATE_CLASSES.get(value.device_class, {"measurement"})
    else:
        assert (value.state_class, value.precision, value.unit) == (None, None, None)
    assert (value.kind is Kind.ENUM) == bool(value.options) == (value.device_class == "enum")


def test_counters_are_fit_for_the_energy_dashboard() -> None:
    """Lifetime counters are; energies that start anew are none."""
    counters = [value.key for value in VALUES if value.state_class == "total_increasing"]
    house = ["pv_total_kwh", "import_total_kwh", "export_total_kwh"]
    assert counters == ["charger_total_kwh", *house, "battery_in_total_kwh", "battery_out_total_kwh"]


def test_enums_hold_every_word() -> None:
    """Whatever state, mode or reason there is, its word is among the options."""
    options = {value.key: set(value.options) for value in VALUES if value.options}
    assert options["reason"] == set(Reason)
    assert options["mode"] == set(Mode)
    assert options["distrust"] == set(Distrust)
    assert options["charger_state"] == set(ChargerState) - {ChargerState.UNKNOWN}


def test_sentences_are_short_enough() -> None:
    """Home Assistant refuses a state of more than 255 characters."""
    for reason in Reason:
        snapshot = Snapshot(NOON, decision=decision(reason=reason, waits_until=NOON))
        assert 0 < len(str(read(VALUES, snapshot)["reason_text"])) < 255
    for distrust in (None, *Distrust):
        long = decision(source="s" * 100, distrust=distrust)
        snapshot = Snapshot(NOON, decision=long, trusted="t" * 100)
        assert 0 < len(str(read(VALUES, snapshot)["source_text"])) < 255
