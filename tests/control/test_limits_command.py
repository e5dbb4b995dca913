"""The user's own limits of the current, and boosts that end with the car: within what is configured."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pvcharge.control import Controller, ControlSettings
from pvcharge.model import NO_CHARGE, ChargerState, LimitsCommand, Mode, Reason, Setpoint
from support.bench import Bench, make_bench

commands = st.builds(LimitsCommand, *[st.one_of(st.none(), st.integers(-5, 99))] * 2)


@given(st.lists(commands, max_size=5), st.sampled_from(Mode), st.floats(-5000, 20_000))
def test_limits_only_ever_narrow(given_limits: list[LimitsCommand], mode: Mode, surplus_w: float) -> None:
    """Whatever is commanded, no current lies outside the configured limits, nor outside the user's."""
    bench = make_bench(min_current_a=8, max_current_a=13, min_on_s=0, min_off_s=0)
    bench.controller.set_mode(mode)
    for command in given_limits:
        bench.controller.set_limits(command)
    limits = bench.controller.limits
    assert limits.min_current_a is not None
    assert limits.max_current_a is not None
    assert 8 <= limits.min_current_a <= limits.max_current_a <= 13
    for decision in bench.live(range(0, 300, 30), surplus_w):
        if decision.setpoint.charges:
            assert limits.min_current_a <= decision.setpoint.current_a <= limits.max_current_a


@pytest.mark.parametrize(
    ("commands", "in_force"),
    [
        ([], (6, 16)),
        ([LimitsCommand(max_current_a=10)], (6, 10)),
        ([LimitsCommand(min_current_a=8)], (8, 16)),
        ([LimitsCommand(8, 10), LimitsCommand()], (8, 10)),
        ([LimitsCommand(8, 10), LimitsCommand(max_current_a=7)], (7, 7)),
        ([LimitsCommand(8, 10), LimitsCommand(min_current_a=12)], (12, 12)),
        ([LimitsCommand(max_current_a=8), LimitsCommand(max_current_a=32)], (6, 16)),
    ],
)
def test_the_last_word_counts(commands: list[LimitsCommand], in_force: tuple[int, int]) -> None:
    """None leaves a limit as it is, and a limit that meets the other one moves it along."""
    controller = Controller(ControlSettings())
    for command in commands:
        controller.set_limits(command)
    assert controller.limits == LimitsCommand(*in_force)


def test_a_boost_keeps_the_limits() -> None:
    """Full power is what the user allows, from the very next decision on."""
    bench = make_bench()
    bench.controller.set_mode(Mode.BOOST)
    bench.status(0)
    assert bench.decide(0).setpoint == Setpoint(3, 16)
    bench.controller.set_limits(LimitsCommand(max_current_a=10))
    assert bench.decide(1).setpoint == Setpoint(3, 10)


def test_a_charger_that_allows_less_than_the_minimum_does_not_charge() -> None:
    """A minimum of the user's is as hard as a configured one."""
    bench = make_bench()
    bench.controller.set_mode(Mode.BOOST)
    bench.controller.set_limits(LimitsCommand(min_current_a=10))
    bench.status(0, max_current_a=8)
    decision = bench.decide(0)
    assert (decision.setpoint, decision.reason) == (NO_CHARGE, Reason.CHARGER_LIMIT)


def boosting(**settings: Any) -> Bench:
    """Return a bench in its second minute of boost."""
    bench = make_bench(mode="min_surplus", **settings)
    bench.status(0)
    bench.controller.set_mode(Mode.BOOST)
    assert bench.decide(0).mode is Mode.BOOST
    return bench


@pytest.mark.parametrize(("ends", "mode"), [(True, Mode.MIN_SURPLUS), (False, Mode.BOOST)])
def test_a_boost_ends_on_unplug_if_so_configured(ends: bool, mode: Mode) -> None:  # noqa: FBT001 - a setting
    """The next car gets the mode that was there before the boost, or the boost goes on for it."""
    bench = boosting(boost_ends_on_unplug=ends)
    bench.status(10, state=ChargerState.DISCONNECTED)
    assert bench.decide(10).mode is mode
    bench.status(20, state=ChargerState.READY)
    assert bench.decide(20).mode is mode


def test_a_boost_before_the_car_comes_is_for_that_car() -> None:
    """Only an unplug that was seen ends a boost, not a charger without a car."""
    bench = make_bench(boost_ends_on_unplug=True)
    bench.status(0, state=ChargerState.DISCONNECTED)
    bench.controller.set_mode(Mode.BOOST)
    for second, state in enumerate(
        [ChargerState.DISCONNECTED, ChargerState.UNKNOWN, ChargerState.DISCONNECTED, ChargerState.READY], 1
    ):
        bench.status(second, state=state)
    assert bench.decide(5).setpoint == Setpoint(3, 16)
    bench.status(6, state=ChargerState.DISCONNECTED)
    assert bench.decide(6).mode is Mode.SURPLUS


@pytest.mark.parametrize("between", [ChargerState.UNKNOWN, ChargerState.ERROR])
def test_an_unplug_during_a_fault_counts(between: ChargerState) -> None:
    """What the charger did not see at that moment, it sees afterwards."""
    bench = boosting(boost_ends_on_unplug=True)
    bench.status(10, state=between)
    assert bench.decide(10).mode is Mode.BOOST
    bench.status(20, state=ChargerState.DISCONNECTED)
    assert bench.decide(20).mode is Mode.MIN_SURPLUS
