"""Limits of time, current and power at the very value: what still counts, and what no longer does."""

from datetime import UTC, datetime, timedelta

import pytest

from control.test_freshness import feed
from pvcharge.control import Controller, ControlSettings
from pvcharge.control.freshness import CHARGER_MOVED_W, FIRST_READING_S, LONGEST_CADENCE_S, Age, Freshness
from pvcharge.model import NO_CHARGE, ChargerState, ChargerStatus, PowerFlow, Reason, Setpoint
from support.bench import make_bench

START = datetime(2026, 6, 15, 12, tzinfo=UTC)
HELD = Setpoint(3, 10)


@pytest.mark.parametrize(("pause_s", "is_a_rhythm"), [(LONGEST_CADENCE_S, True), (1801, False)])
def test_the_longest_rhythm(pause_s: float, is_a_rhythm: bool) -> None:  # noqa: FBT001 - a case
    """Readings of each half hour have a rhythm; what comes less often is taken for outages."""
    fresh = Freshness()
    feed(fresh, pause_s, 0, 5)
    assert (fresh.usual_pause_s == pause_s) is is_a_rhythm


@pytest.mark.parametrize(("cadence_s", "count", "frozen"), [(900, 5, False), (900, 6, True), (5, 60, False)])
def test_how_long_equal_values_are_believed(
    cadence_s: float,
    count: int,
    frozen: bool,  # noqa: FBT001 - a case
) -> None:
    """Four pauses of a slow source, and no less than ten minutes of a quick one."""
    fresh = Freshness()
    feed(fresh, cadence_s, 0, 1, count, grid_w=0.0)
    assert fresh.frozen is frozen


@pytest.mark.parametrize(("moved_w", "frozen"), [(CHARGER_MOVED_W, False), (CHARGER_MOVED_W + 1, True)])
def test_how_much_a_meter_may_miss(moved_w: float, frozen: bool) -> None:  # noqa: FBT001 - a case
    """Up to half a kilowatt of the charger, not more."""
    fresh = Freshness()
    for second, charger_w in ((0, 0.0), (60, moved_w)):
        at = START + timedelta(seconds=second)
        fresh.observe(PowerFlow(start=at, end=at, grid_w=7.0), at.timestamp(), charger_w)
    assert fresh.frozen is frozen


@pytest.mark.parametrize(
    ("age_s", "age"), [(35.0, Age.FRESH), (35.1, Age.LATE), (80.0, Age.LATE), (80.1, Age.STALE)]
)
def test_how_old_a_reading_may_get(age_s: float, age: Age) -> None:
    """One each 10 s, 5 s old on arrival: late is beyond 5 + 15 + 15 s, stale beyond 5 + 30 + 45 s."""
    fresh = Freshness()
    last_s = feed(fresh, 10, 0, 5) - 5
    assert fresh.state(last_s + age_s) is age


@pytest.mark.parametrize(("waited_s", "age"), [(FIRST_READING_S, Age.LATE), (FIRST_READING_S + 1, Age.STALE)])
def test_how_long_the_first_reading_is_waited_for(waited_s: float, age: Age) -> None:
    """A whole quarter of an hour, from when it was first asked for."""
    fresh, began_s = Freshness(), START.timestamp()
    fresh.state(began_s)
    assert fresh.state(began_s + waited_s) is age


@pytest.mark.parametrize(("silent_s", "heard"), [(180, True), (181, False)])
def test_how_long_a_status_counts(silent_s: int, heard: bool) -> None:  # noqa: FBT001 - a case
    """Three minutes; then nothing that is decided binds anybody."""
    bench = make_bench()
    bench.status(0)
    assert (bench.decide(silent_s).reason is not Reason.NO_STATUS) is heard


@pytest.mark.parametrize(("held_s", "by_hand"), [(3599, True), (3600, False)])
def test_how_long_the_hand_is_respected(held_s: int, by_hand: bool) -> None:  # noqa: FBT001 - a case
    """For the time that is configured, which is over when it is over."""
    bench = make_bench(respect_hand_s=3600)
    bench.status(0)
    bench.status(1, setpoint=HELD, changed_by_hand_at=bench.at(1))
    bench.status(1 + held_s)
    assert (bench.decide(1 + held_s).reason is Reason.BY_HAND) is by_hand


@pytest.mark.parametrize(("silent_s", "goes_on_at_a"), [(1, 10), (45, 10), (46, 12)])
def test_what_a_charger_shows_otherwise_than_decided(silent_s: int, goes_on_at_a: int) -> None:
    """Somebody else has set it if it was not heard meanwhile; else it has yet to obey."""
    bench = make_bench()
    bench.status(0, setpoint=HELD, state=ChargerState.CHARGING, power_w=6900.0)
    bench.status(silent_s, setpoint=Setpoint(3, 12))
    assert bench.decide(silent_s).setpoint == Setpoint(3, goes_on_at_a)


@pytest.mark.parametrize(
    ("state", "phases", "current_a", "taken_over"),
    [
        (ChargerState.CHARGING, 1, 10.0, Setpoint(1, 10)),
        (ChargerState.CHARGING, 2, 10.0, Setpoint(3, 10)),
        (ChargerState.CHARGING, 3, 10.0, Setpoint(3, 10)),
        (ChargerState.CHARGING, 3, 1.0, Setpoint(3, 6)),
        (ChargerState.CHARGING, 3, 0.9, NO_CHARGE),
        (ChargerState.CHARGING, 0, 10.0, NO_CHARGE),
        (ChargerState.READY, 3, 10.0, NO_CHARGE),
    ],
)
def test_a_charger_that_does_not_tell_its_setpoint(
    state: ChargerState, phases: int, current_a: float, taken_over: Setpoint
) -> None:
    """What it is set to is what the car draws, within the limits; a car that draws nothing is not charged."""
    controller = Controller(ControlSettings())
    controller.observe(
        ChargerStatus(at=START, state=state, power_w=2300.0, phases=phases, current_a=current_a)
    )
    assert controller.decide(START).setpoint == taken_over


def test_as_much_as_is_needed_is_not_too_little() -> None:
    """A surplus of just what a start needs is no reason against it, only not one for it yet."""
    bench = make_bench()
    bench.status(0)
    needed_w = bench.decide(0).needed_w
    assert needed_w is not None
    bench.grid(1, -needed_w)
    assert bench.decide(1).reason is Reason.NOT_WORTH_IT


def test_a_lower_limit_that_was_as_configured_still_is() -> None:
    """Only what the user has narrowed stays; the rest goes along with the configuration."""
    controller = Controller(ControlSettings(min_current_a=8))
    controller.configure(ControlSettings(min_current_a=6))
    assert controller.limits.min_current_a == 6
