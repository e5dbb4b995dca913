"""A charger that tells its power later than the meter sees it: no phantom surplus, no hunting."""

from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pvcharge.control import Controller, ControlSettings
from pvcharge.control.align import ANSWER_S, ChargerPowerLog
from pvcharge.model import NO_CHARGE, ChargerState, ChargerStatus, PowerFlow, Setpoint

NOON = datetime(2026, 6, 15, 12, tzinfo=UTC)
RAMP_W_PER_S = 900.0


class LateCharger:
    """A house in steps of a second, with a car that ramps and a charger that tells of it late."""

    def __init__(self, late_s: int, every_s: int, *, with_pv: bool) -> None:
        self.surplus_w = 4500.0
        self.setpoints: list[Setpoint] = []
        self._late_s, self._every_s, self._with_pv = late_s, every_s, with_pv
        self._controller = Controller(ControlSettings())
        self._powers_w = [0.0]

    def runs(self, seconds: int) -> None:
        """Let time pass."""
        for _ in range(seconds):
            self._step()

    def _step(self) -> None:
        second = len(self._powers_w)
        now = NOON + timedelta(seconds=second)
        setpoint = self.setpoints[-1] if self.setpoints else NO_CHARGE
        last_w, target_w = self._powers_w[-1], setpoint.power_w(230)
        power_w = min(max(target_w, last_w - RAMP_W_PER_S), last_w + RAMP_W_PER_S)
        self._powers_w.append(power_w)
        told_w = self._powers_w[max(0, second - self._late_s)]
        state = ChargerState.CHARGING if told_w else ChargerState.READY
        self._controller.observe(ChargerStatus(now, state, told_w, setpoint=setpoint))
        if second % self._every_s == 0:
            pv_w = self.surplus_w + 300.0 if self._with_pv else None
            grid_w = power_w - self.surplus_w + second % 3
            self._controller.observe(PowerFlow(now, now, pv_w=pv_w, grid_w=grid_w))
        self.setpoints.append(self._controller.decide(now).setpoint)


@pytest.mark.parametrize("with_pv", [True, False])
@pytest.mark.parametrize("every_s", [1, 2, 5])
@pytest.mark.parametrize("late_s", [0, 1, 2, 3])
def test_a_step_of_the_sun_is_followed_by_one_step_of_the_charger(
    late_s: int, every_s: int, *, with_pv: bool
) -> None:
    """Up and down again; then it rests at the level that fits."""
    house = LateCharger(late_s, every_s, with_pv=with_pv)
    house.runs(120)
    for surplus_w, amps in ((7400.0, 11), (4500.0, 7), (9800.0, 14), (6300.0, 9)):
        house.surplus_w, count = surplus_w, len(house.setpoints)
        house.runs(90)
        assert house.setpoints[-1] == Setpoint(3, amps)
        changes = sum(one != other for one, other in pairwise(house.setpoints[count - 1 :]))
        assert changes == 1


def test_a_car_that_takes_less_than_offered_is_believed_after_a_while() -> None:
    """What it was told says nothing any more when it had the time to answer."""
    log = ChargerPowerLog()
    log.add(0.0, 0.0)
    log.tell(0.0, 11_000.0)
    for second in range(1, 200):
        log.add(float(second), 3600.0)
        lowest_w, highest_w = log.range_w(float(second))
        assert highest_w == (11_000.0 if second <= ANSWER_S else 3600.0)
        assert lowest_w == (0.0 if second <= 4 else 3600.0)


@given(
    st.lists(st.tuples(st.floats(0.1, 100), st.floats(0, 2e4)), min_size=1, max_size=30),
    st.floats(-50, 4000),
    st.one_of(st.none(), st.tuples(st.floats(0, 3000), st.floats(0, 2e4))),
)
def test_the_range_holds_what_is_known_of_the_instant(
    told: list[tuple[float, float]], at_s: float, setpoint: tuple[float, float] | None
) -> None:
    """Whatever the charger tells, the power at the stamp itself is possible."""
    log, now_s = ChargerPowerLog(), 0.0
    for later_s, power_w in told:
        now_s += later_s
        log.add(now_s, power_w)
    if setpoint is not None:
        log.tell(*setpoint)
    lowest_w, highest_w = log.range_w(at_s)
    known_w = log.mean_w(at_s, at_s)
    assert lowest_w <= highest_w
    assert known_w is None or lowest_w <= known_w <= highest_w
