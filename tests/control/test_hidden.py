"""Surplus that an inverter holds back because it may not feed in: found by drawing more, without wear."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pvcharge.control import Controller, ControlSettings
from pvcharge.control.hidden import LONGEST_WAIT_S, MOST_W, HiddenSurplus
from pvcharge.model import NO_CHARGE, ChargerState, ChargerStatus, Decision, PowerFlow, Reason

NOON = datetime(2026, 6, 15, 12, tzinfo=UTC)
STEP_S = 5
BASE_W = 400.0
START_S = 20  # from a setpoint until the car draws


class CurtailedHouse:
    """A house that may not feed in more than a limit; its inverter holds back what nobody takes."""

    def __init__(self, sun_w: Callable[[int], float], limit_w: float) -> None:
        self.sun_w = sun_w
        self.limit_w = limit_w
        self.controller = Controller(ControlSettings())
        self.decisions: list[Decision] = []
        self.imported_wh = 0.0
        self.charged_wh = 0.0

    def runs(self, minutes: float) -> "CurtailedHouse":
        """Let time pass."""
        setpoint, draws_at_s = NO_CHARGE, 0
        for now_s in range(0, round(minutes * 60), STEP_S):
            power_w = setpoint.power_w(230) if now_s >= draws_at_s else 0.0
            pv_w = min(self.sun_w(now_s), BASE_W + power_w + self.limit_w)
            grid_w = BASE_W + power_w - pv_w
            now = NOON + timedelta(seconds=now_s)
            state = ChargerState.CHARGING if power_w else ChargerState.READY
            self.controller.observe(ChargerStatus(now, state, power_w, setpoint=setpoint))
            limited = pv_w < self.sun_w(now_s) - 1
            self.controller.observe(
                PowerFlow(now, now, pv_w=pv_w, grid_w=grid_w + now_s % 3, limited=limited)
            )
            self.decisions.append(self.controller.decide(now))
            if self.decisions[-1].setpoint.phases != setpoint.phases:
                draws_at_s = now_s + START_S
            setpoint = self.decisions[-1].setpoint
            self.imported_wh += max(0.0, grid_w) * STEP_S / 3600
            self.charged_wh += power_w * STEP_S / 3600
        return self

    @property
    def changes(self) -> int:
        """How often the number of phases changed."""
        phases = [decision.setpoint.phases for decision in self.decisions]
        return sum(one != other for one, other in pairwise(phases))


@pytest.mark.parametrize("limit_w", [0.0, 300.0, 1000.0, 3000.0])
@pytest.mark.parametrize("sun_w", [2500.0, 6000.0, 9500.0])
def test_all_of_a_steady_sun_is_found(limit_w: float, sun_w: float) -> None:
    """After half an hour the car draws what the roof could give, but for a rung and the attempts."""
    house = CurtailedHouse(lambda _: sun_w, limit_w).runs(30)
    start_wh, import_wh = house.charged_wh, house.imported_wh
    house.runs(60)
    assert house.charged_wh - start_wh >= sun_w - BASE_W - 700
    assert house.imported_wh - import_wh <= 60
    assert house.changes <= 4


def test_nothing_is_tried_where_nothing_is_held_back() -> None:
    """With too little sun the car is not started for an attempt."""
    house = CurtailedHouse(lambda _: 600.0, 5000.0).runs(120)
    assert {decision.setpoint for decision in house.decisions} == {NO_CHARGE}


def test_attempts_in_weak_sun_become_rare() -> None:
    """An inverter that holds back a little, but never enough for the car, costs few starts."""
    house = CurtailedHouse(lambda _: BASE_W + 450.0, 0.0).runs(240)
    starts = house.changes / 2
    assert 1 <= starts <= 12
    assert house.decisions[-1].reason in (Reason.TOO_LITTLE, Reason.NOT_WORTH_IT, Reason.FOLLOWING)


def test_a_cloud_ends_an_attempt_at_once() -> None:
    """What the roof cannot give is not drawn from the grid for long."""
    house = CurtailedHouse(lambda now_s: 9000.0 if now_s < 1800 else 2500.0, 0.0).runs(60)
    late = [it.setpoint.power_w(230) for it in house.decisions[int(1800 / STEP_S) + 60 :]]
    assert max(late) <= 2500.0 - BASE_W + 460


@given(
    st.lists(
        st.tuples(st.integers(0, 4000), st.booleans(), st.floats(0, 11_000), st.floats(-2e4, 2e4)),
        max_size=50,
    )
)
def test_estimates_stay_within_bounds(
    course: list[tuple[int, bool, float, float]],
) -> None:
    """Never less than measured, never too much more; as measured while nothing is held back."""
    hidden, at_s = HiddenSurplus(), 0.0
    most_w = 0.0
    for later_s, limited, power_w, measured_w in course:
        at_s += later_s
        hidden.decided(at_s, power_w)
        most_w = max(most_w, power_w)
        hidden.observe(at_s, limited=limited)
        estimate_w = hidden.estimate_w(measured_w)
        assert measured_w <= estimate_w <= max(measured_w, most_w) + MOST_W
        assert limited or estimate_w == measured_w


def test_an_attempt_waits_longer_after_each_failure() -> None:
    """Up to half an hour."""
    hidden, at_s, waits_s = HiddenSurplus(), 0.0, []
    for _ in range(8):
        hidden.observe(at_s, limited=True)
        began_s = at_s
        while hidden.estimate_w(0.0) <= 0:
            at_s += 5
            hidden.observe(at_s, limited=True)
        waits_s.append(at_s - began_s)
        hidden.decided(at_s, 1380.0)
        hidden.observe(at_s + 5, limited=True)
        hidden.observe(at_s + 30, limited=False)
        at_s += 35
        hidden.decided(at_s, 0.0)
        hidden.observe(at_s, limited=False)
    assert waits_s == sorted(waits_s)
    assert LONGEST_WAIT_S - 60 <= waits_s[-1] <= LONGEST_WAIT_S + 60
