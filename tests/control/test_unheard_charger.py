"""A charger that was not heard for a while: what it has yet to be told is not taken for somebody's doing."""

import pytest

from pvcharge.model import NO_CHARGE, ChargerState, Setpoint
from support.bench import Bench, make_bench

QUARTER_S = 900
LATE_S = 420  # from the end of a quarter to its reading
SILENT_S = 90.0


def make_charging() -> tuple[Bench, int]:
    """Return a bench that charges by quarters of an hour with surplus, and the second that it is then."""
    bench = make_bench()
    second = 0
    while second < 4 * QUARTER_S:
        second += 10
        bench.status(second)
        if second % QUARTER_S == LATE_S // 10 * 10:
            bench.grid(second - LATE_S, bench.power_w - 4000.0 - second / 1000, QUARTER_S)
        bench.obey(bench.decide(second))
    assert bench.setpoint is not None
    assert bench.setpoint.charges
    return bench, second


def decide_to_stop(bench: Bench, second: int) -> float:
    """Have a reading without surplus come in while the charger is silent; return when."""
    at = second + SILENT_S
    for quarter in range(2):
        assert bench.setpoint is not None
        bench.grid(second - 5 + quarter, bench.power_w + 3000.0, QUARTER_S)
    while bench.decide(at).setpoint.charges:
        at += 10
        assert at < second + 170, "the charger counts as unheard before the stop is decided"
    return at


def test_a_stop_that_is_yet_to_be_written_stays_decided() -> None:
    """The charger comes back as it was, since the stop has not reached it; that is no start by anybody."""
    bench, second = make_charging()
    at = decide_to_stop(bench, second)
    bench.status(at + 1)
    assert bench.decide(at + 1).setpoint == NO_CHARGE


@pytest.mark.parametrize("found", [Setpoint(3, 16), Setpoint(3, 6)])
def test_what_somebody_else_has_set_meanwhile_is_taken_over(found: Setpoint) -> None:
    """A charger that comes back otherwise than it was, and than was decided, has been set by others."""
    bench, second = make_charging()
    bench.setpoint, bench.power_w, bench.state = NO_CHARGE, 0.0, ChargerState.READY
    bench.status(second + 10)
    bench.obey(bench.decide(second + 10))
    at = decide_to_stop(bench, second) + SILENT_S
    bench.status(at, setpoint=found, power_w=found.power_w(230.0), state=ChargerState.CHARGING)
    assert bench.decide(at).setpoint.charges  # it is not stopped before its least time
