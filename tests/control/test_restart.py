"""A restart is no way around the limits on switching, nor around the driver's own hand."""

import json
from datetime import timedelta
from typing import Any

import pytest

from pvcharge.control import Controller, ControlSettings
from pvcharge.control.hand import SAME_S
from pvcharge.control.limits import SwitchLimits
from pvcharge.model import NO_CHARGE, ChargerState, Mode, Reason, Setpoint
from support.bench import NOON, Bench, make_bench

PLENTY_W, NONE_W = 6000.0, 0.0
FREE = {"min_on_s": 0, "min_off_s": 0}


def restarted(bench: Bench, **found: Any) -> Bench:
    """Return the same charger with a new controller that has heard nothing, but recalls what was kept."""
    controller = Controller(bench.controller._settings)  # noqa: SLF001 - the daemon has them from its file
    controller.recall(json.loads(json.dumps(bench.controller.learned())))
    return Bench(
        controller, bench.power_w, bench.state, found.get("setpoint", bench.setpoint), dict(bench.extras)
    )


def charging(**settings: Any) -> Bench:
    """Return a bench whose car has charged for half a minute."""
    bench = make_bench(**settings)
    assert bench.live(range(0, 30, 5), PLENTY_W)[-1].setpoint.charges
    return bench


def test_starts_before_it_count() -> None:
    """Of two that are allowed, one is left; then none until an hour after the first."""
    bench = charging(max_starts_per_hour=2, **FREE)
    bench.controller.set_mode(Mode.OFF)
    bench.live(range(30, 40, 5), PLENTY_W)
    bench = restarted(bench)
    bench.status(50)
    bench.controller.set_mode(Mode.SURPLUS)
    assert bench.live(range(50, 80, 5), PLENTY_W)[-1].setpoint.charges
    bench.controller.set_mode(Mode.OFF)
    bench.live(range(80, 90, 5), PLENTY_W)
    bench = restarted(bench)
    bench.controller.set_mode(Mode.SURPLUS)  # as is restored, and no command of now
    decisions = bench.live(range(100, 3700, 5), PLENTY_W)
    blocked = [it for it in decisions if not it.setpoint.charges]
    assert {it.reason for it in blocked} == {Reason.SWITCH_LIMIT}
    assert 3600 <= (decisions[len(blocked)].at - bench.at(0)).total_seconds() <= 3610


def test_the_least_time_off_begins_with_the_stop_that_is_found() -> None:
    """The daemon stops the charge when it ends: what comes after that waits for its time."""
    bench = charging(min_on_s=0, min_off_s=120)
    bench = restarted(bench, setpoint=NO_CHARGE)
    decisions = bench.live(range(60, 200, 5), PLENTY_W)
    waiting = [it for it in decisions if not it.setpoint.charges]
    assert {it.reason for it in waiting} == {Reason.MIN_OFF_TIME}
    assert decisions[len(waiting)].at == bench.at(180)


def test_the_least_time_on_goes_on() -> None:
    """From the start that an earlier run has decided."""
    bench = charging(min_on_s=120, min_off_s=0)
    bench = restarted(bench)
    decisions = bench.live(range(40, 200, 5), -PLENTY_W)
    stopped = next(it for it in decisions if not it.setpoint.charges)
    assert stopped.at == bench.at(120)


def test_a_charge_that_begins_with_the_goodbye_has_its_least_time() -> None:
    """Where silence means the minimum, the daemon starts a charge when it ends, with another car maybe."""
    bench = charging(min_on_s=120, min_off_s=0)
    bench.status(200, state=ChargerState.DISCONNECTED, setpoint=NO_CHARGE, power_w=0.0)
    assert bench.decide(200).reason is Reason.NO_CAR
    bench.status(210, state=ChargerState.READY)
    bench.decide(210)
    bench = restarted(bench, setpoint=Setpoint(1, 6))
    decisions = bench.live(range(300, 500, 5), -PLENTY_W)
    stopped = next(it for it in decisions if not it.setpoint.charges)
    assert stopped.at == bench.at(420)


def test_a_command_of_now_passes() -> None:
    """Only what was commanded before the restart does not."""
    bench = restarted(charging(min_on_s=0, min_off_s=600), setpoint=NO_CHARGE)
    bench.status(60)
    bench.controller.set_mode(Mode.BOOST)
    assert bench.decide(60).setpoint == Setpoint(3, 16)


def test_a_change_by_hand_is_respected_on() -> None:
    """For what is left of its time."""
    bench = charging(respect_hand_s=600, **FREE)
    bench.status(100, setpoint=NO_CHARGE, changed_by_hand_at=bench.at(100))
    assert bench.decide(100).reason is Reason.BY_HAND
    bench = restarted(bench)
    bench.controller.set_mode(Mode.SURPLUS)
    decisions = bench.live(range(110, 800, 5), PLENTY_W)
    held = [it for it in decisions if it.reason is Reason.BY_HAND]
    assert decisions[: len(held)] == held
    assert not any(it.setpoint.charges for it in held)
    assert decisions[len(held)].at == bench.at(700)


@pytest.mark.parametrize(
    ("differs_s", "is_respected"), [(0.0, False), (SAME_S, False), (-SAME_S, False), (SAME_S + 1, True)]
)
def test_a_change_that_a_command_came_after_is_not(
    differs_s: float,
    is_respected: bool,  # noqa: FBT001 - what is expected
) -> None:
    """The far end of a network tells its time anew, a bit differently."""
    bench = charging(**FREE)
    bench.status(100, setpoint=NO_CHARGE, changed_by_hand_at=bench.at(100))
    bench.controller.set_mode(Mode.SURPLUS)
    bench = restarted(bench)
    bench.status(120, changed_by_hand_at=bench.at(100 + differs_s))
    assert (bench.decide(120).reason is Reason.BY_HAND) is is_respected
    bench.status(200, setpoint=NO_CHARGE, changed_by_hand_at=bench.at(200))
    assert bench.decide(200).reason is Reason.BY_HAND


def test_a_clock_that_was_years_ahead_blocks_nothing() -> None:
    """Once it is right, what was switched by it is forgotten."""
    bench = charging(max_starts_per_hour=1, min_on_s=0, min_off_s=0)
    document = bench.controller.learned()
    ahead = (bench.at(0) + timedelta(days=800)).isoformat()
    kept = document["lately"]["switches"]
    kept |= {
        "starts": [ahead],
        "phase_switches": [ahead],
        "started_at": ahead,
        "stopped_at": ahead,
        "phases": 0,
    }
    fresh = make_bench(max_starts_per_hour=1, min_on_s=0, min_off_s=600)
    fresh.controller.recall(document)
    assert fresh.live(range(0, 30, 5), PLENTY_W)[-1].setpoint.charges
    assert fresh.controller.learned()["lately"]["switches"]["starts"] == [fresh.at(0).isoformat()]


def test_what_was_switched_a_moment_ago_counts() -> None:
    """A start at which the power was cut, and the charger found at the very time."""
    now_s = NOON.timestamp()
    settings = ControlSettings(
        max_starts_per_hour=1, max_phase_switches_per_hour=1, min_on_s=60, min_off_s=60
    )
    before, limits = SwitchLimits(settings), SwitchLimits(settings)
    for present, new in ((0, 1), (1, 3), (3, 0)):
        before.record(now_s, present, new)
    kept = before.kept()
    assert kept is not None
    limits.recall(kept)
    limits.found(now_s, 0)
    assert limits.kept() == kept
    assert limits.scarcity(now_s) == 1.0
    assert limits.blocked(now_s, 0, 1) == (Reason.MIN_OFF_TIME, now_s + 60)
    assert limits.blocked(now_s, 1, 0) == (Reason.MIN_ON_TIME, now_s + 60)


def test_what_was_never_switched_is_not_kept() -> None:
    """Neither where nothing was heard."""
    assert "lately" not in Controller(ControlSettings()).learned()
    heard = make_bench()
    heard.status(0)
    assert heard.controller.learned()["lately"]["switches"]["starts"] == []


def test_a_mode_that_is_resumed_passes_no_limit() -> None:
    """It is in force at once, but nobody has commanded it now."""
    bench = charging(min_on_s=600, min_off_s=0)
    bench.controller.resume(Mode.MIN_SURPLUS)
    assert bench.decide(30).mode is Mode.MIN_SURPLUS
    bench.controller.resume(Mode.SURPLUS)
    decisions = bench.live(range(35, 700, 5), -PLENTY_W)
    assert next(it.at for it in decisions if not it.setpoint.charges) == bench.at(600)


def test_a_boost_goes_on_when_another_mode_is_resumed() -> None:
    """That one is what it ends in."""
    bench = charging(**FREE)
    bench.controller.set_mode(Mode.BOOST, bench.at(100))
    bench.controller.resume(Mode.MIN_SURPLUS)
    assert bench.decide(99).mode is Mode.BOOST
    assert bench.decide(100).mode is Mode.MIN_SURPLUS
