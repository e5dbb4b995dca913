"""Forgetting leaves nothing of what was learned, and all else as it is."""

from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given

from control.any_history import control_settings, histories, live
from control.kept_documents import MIDNIGHT, QUARTER_S, hear_quarters
from control.test_car import House, three_phase
from pvcharge.control import Controller, ControlSettings
from pvcharge.model import Mode, Reason
from support.bench import make_bench

NOTHING: dict[str, Any] = {"v": 1, "at": None, "sources": []}


@given(control_settings, histories)
def test_nothing_is_left(settings: dict[str, Any], history: list[tuple[int, Any]]) -> None:
    """Whatever was learned; mode, limits of the current, what was switched and the last surplus stay."""
    world = live(settings, history)
    controller = world.controller
    before = world.decide()
    controller.forget()
    assert {**controller.learned(), "lately": None} == {**NOTHING, "lately": None}
    after = world.decide()
    assert (after.mode, after.boost_until) == (before.mode, before.boost_until)
    assert controller.doubts == {}


def test_a_quarter_hour_source_is_not_late_by_being_forgotten() -> None:
    """Its rhythm is learned anew, but until then nothing else is better known."""
    controller = Controller(ControlSettings(mode=Mode.SURPLUS))
    hear_quarters(controller, 0, 4 * 9)
    now = MIDNIGHT + timedelta(seconds=4 * 9 * QUARTER_S + 400)
    before = controller.decide(now)
    controller.forget()
    assert controller.decide(now) == before
    hear_quarters(controller, 4 * 9, 3)
    (source,) = controller.learned()["sources"]
    assert (source["usual_pause_s"], source["usual_age_s"]) == (900.0, 360.0)


def test_the_car_is_forgotten() -> None:
    """Its W for each A are the nominal ones again, until they have been measured."""
    house = House()
    house.charges(three_phase, 6 * 230.0, 5)
    assert house.decision.needed_w == pytest.approx(6 * 222.0 / 2)
    house.controller.forget()
    assert house.controller.decide(house.decision.at).needed_w == pytest.approx(6 * 230.0 / 2)


def test_limits_on_switching_are_not_forgotten() -> None:
    """A charge that has just begun must still not be ended."""
    bench = make_bench(min_on_s=3600, start_cost_wh=1)
    bench.live(range(0, 600, 10), 5000.0)
    bench.controller.forget()
    decision = bench.live(range(600, 1800, 10), -3000.0)[-1]
    assert (decision.reason, decision.setpoint.charges) == (Reason.MIN_ON_TIME, True)
