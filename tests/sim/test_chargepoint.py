"""The fast charger and car: delays, ramp, counts, and a car that gets full."""

from datetime import UTC, datetime

import pytest

from pvcharge.model import ChargerState, Setpoint
from pvcharge.sim.chargepoint import ChargePoint

NOW = datetime(2026, 6, 1, tzinfo=UTC)


def plugged(energy_wanted_wh: float | None = None) -> ChargePoint:
    """A charger with a car."""
    point = ChargePoint()
    point.plug_in(energy_wanted_wh)
    return point


def powers_w(point: ChargePoint, seconds: float, dt_s: float = 5) -> list[float]:
    """The power in each step of the seconds to come."""
    return [point.step(dt_s) for _ in range(int(seconds / dt_s))]


def test_a_start_takes_20_s() -> None:
    """Four steps of nothing, then the power that was asked for."""
    point = plugged()
    point.command(1, 6)
    assert powers_w(point, 30) == [0, 0, 0, 0, 1380, 1380]


def test_a_phase_switch_pauses_35_s() -> None:
    """Seven steps of nothing between one phase and three."""
    point = plugged()
    point.command(1, 10)
    powers_w(point, 60)
    point.command(3, 6)
    assert powers_w(point, 45) == [0] * 7 + [4140, 4140]


def test_power_rises_by_2000_w_per_second_and_falls_at_once() -> None:
    """The ramp is seen in steps of a second."""
    point = plugged()
    point.command(3, 16)
    assert powers_w(point, 27, dt_s=1)[20:] == [2000, 4000, 6000, 8000, 10_000, 11_040, 11_040]
    point.command(3, 6)
    assert point.step(1) == 4140
    point.command(0, 0)
    assert point.step(1) == 0


def test_a_start_on_other_phases_counts_as_both() -> None:
    """The pause of a phase switch also holds when the car was off in between."""
    point = plugged()
    for phases, current_a in ((1, 6), (0, 0), (3, 6)):
        point.command(phases, current_a)
        drawn_w = powers_w(point, 60)
    assert drawn_w == [0] * 7 + [4140] * 5
    assert (point.starts, point.switches, point.writes) == (2, 1, 3)


def test_what_is_already_so_is_not_written() -> None:
    """The same setpoint again neither counts nor disturbs."""
    point = plugged()
    for _ in range(10):
        point.command(1, 6)
        point.step(5)
    assert (point.writes, point.starts, point.power_w) == (1, 1, 1380)


def test_a_day_adds_up_as_by_hand() -> None:
    """Energy, starts, switches and writes of a day of commands, in steps of 5 s."""
    commands = {
        8 * 3600: (1, 6),  # 7180 s of 1380 W after the start delay
        10 * 3600: (1, 10),  # 7200 s of 2300 W
        12 * 3600: (3, 8),  # 7165 s of 5520 W after the pause
        14 * 3600: (0, 0),
        14 * 3600 + 600: (3, 16),  # 5 s of 10 kW on the ramp, 2975 s of 11040 W
        15 * 3600: (1, 16),  # 3565 s of 3680 W after the pause
        16 * 3600: (0, 0),
    }
    point, current = plugged(), (0, 0)
    for second in range(0, 86_400, 5):
        current = commands.get(second, current)
        point.command(*current)
        point.step(5)
    assert point.session_wh * 3600 == pytest.approx(112_032_400)
    assert point.total_wh == point.session_wh
    assert (point.starts, point.switches, point.writes) == (2, 2, 7)


def test_a_full_car_draws_nothing_more() -> None:
    """It takes exactly what it wanted (5 s of 3600 W of 3680 W), is complete, and does not start again."""
    point = plugged(energy_wanted_wh=5)
    point.command(1, 16)
    assert powers_w(point, 40) == pytest.approx([0, 0, 0, 0, 3600, 0, 0, 0])
    assert point.session_wh == pytest.approx(5)
    assert point.state is ChargerState.COMPLETE
    point.command(0, 0)
    point.command(1, 16)
    assert sum(powers_w(point, 60)) == 0
    assert point.starts == 1


def test_status_tells_the_truth() -> None:
    """State, phases and current follow the car; limits and setpoint follow the box."""
    point = ChargePoint()
    assert point.status(NOW).state is ChargerState.DISCONNECTED
    point.plug_in()
    waiting = point.status(NOW)
    assert (waiting.state, waiting.phases, waiting.current_a) == (ChargerState.READY, 0, 0)
    point.command(3, 8)
    powers_w(point, 60)
    status = point.status(NOW)
    assert (status.at, status.state, status.power_w) == (NOW, ChargerState.CHARGING, 5520)
    assert (status.phases, status.current_a, status.setpoint) == (3, 8, Setpoint(3, 8))
    assert (status.min_current_a, status.max_current_a) == (6, 16)
    assert status.session_wh == pytest.approx(40 * 5520 / 3600)


def test_a_car_that_is_plugged_in_begins_with_the_standing_setpoint() -> None:
    """Commands without a car are kept; a new car starts with its own delay and counts from 0."""
    point = ChargePoint()
    point.command(1, 6)
    assert sum(powers_w(point, 60)) == 0
    assert (point.starts, point.writes) == (0, 1)
    point.plug_in()
    assert powers_w(point, 30) == [0, 0, 0, 0, 1380, 1380]
    point.unplug()
    assert (point.power_w, point.state) == (0, ChargerState.DISCONNECTED)
    assert point.step(5) == 0
    point.plug_in()
    assert point.session_wh == 0
    assert point.total_wh == pytest.approx(10 * 1380 / 3600)
    assert point.starts == 2


@pytest.mark.parametrize(("phases", "current_a"), [(1, 5), (3, 17), (2, 10), (0, 6), (1, 0)])
def test_illegal_setpoints_are_refused(phases: int, current_a: int) -> None:
    """Nothing outside 0 or 1 and 3 phases at 6..16 A is taken, nor counted."""
    point = plugged()
    with pytest.raises(ValueError, match=r"not|no such"):
        point.command(phases, current_a)
    assert point.writes == 0


def test_cars_come_one_at_a_time_and_hungry() -> None:
    """A second car, or one that wants nothing, is a fault of the caller."""
    with pytest.raises(ValueError, match="already"):
        plugged().plug_in()
    with pytest.raises(ValueError, match="more than 0 Wh"):
        plugged(energy_wanted_wh=0)
