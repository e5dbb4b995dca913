"""Other settings while the controller runs: it goes on with all that it knows."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from control.any_history import Audit, Watched, changeable, control_settings, events, histories, live
from pvcharge.control import Controller, ControlSettings
from pvcharge.control.limits import MOST_AN_HOUR, SwitchLimits
from pvcharge.model import NO_CHARGE, ChargerState, LimitsCommand, Mode, Reason, Setpoint
from support.bench import make_bench

changes = st.fixed_dictionaries(
    {},
    optional={
        **changeable,
        "voltage_v": st.just(230.0),
        "respect_hand_s": st.integers(0, 9000),
        "boost_ends_on_unplug": st.booleans(),
    },
)
configured = st.lists(
    st.tuples(st.integers(0, 900), st.one_of(events, st.tuples(st.just("configure"), changes))), max_size=60
)


class Reconfigured(Controller):
    """One whose settings are changed and changed back before all that it is told and asked."""

    def __init__(self, made: ControlSettings, others: list[dict[str, Any]]) -> None:
        super().__init__(made)
        self.made = made
        self.others = [ControlSettings.model_validate(dict(made) | it) for it in others]

    def _there_and_back(self) -> None:
        for other in self.others:
            self.configure(other)
        self.configure(self.made)

    def observe(self, seen: Any) -> None:
        """Do so, and observe."""
        self._there_and_back()
        super().observe(seen)

    def decide(self, now: Any) -> Any:
        """Do so, and decide."""
        self._there_and_back()
        return super().decide(now)


@given(control_settings, histories, st.lists(changes, max_size=2))
def test_changed_and_changed_back_is_not_changed(
    settings: dict[str, Any], history: list[tuple[int, Any]], others: list[dict[str, Any]]
) -> None:
    """Equal settings, or others for a moment, change no decision ever, nor what is learned."""
    plain = live(settings, history)
    made = ControlSettings.model_validate(settings)
    world = live(settings, history, controller=Reconfigured(made, others))
    assert world.decisions == plain.decisions
    assert world.controller.learned() == plain.controller.learned()


@given(control_settings, configured)
@settings(max_examples=200)
def test_rule_7_holds_by_the_settings_in_force(
    settings: dict[str, Any], history: list[tuple[int, Any]]
) -> None:
    """What was switched before a change of the limits counts after it."""
    world = live(settings, history)
    audit = Audit(world.settings, set(world.commands), world.decisions[0].setpoint.phases)
    for decision, in_force in zip(world.decisions[1:], world.in_force[1:], strict=True):
        audit.settings = in_force
        audit.check(decision)


@given(control_settings, histories, control_settings)
def test_rule_1_holds_by_the_settings_in_force(
    settings: dict[str, Any], history: list[tuple[int, Any]], other: dict[str, Any]
) -> None:
    """From the very next decision on nothing is set beyond the new limits, heard or not."""
    world = live(settings, history)
    mode = world.decide().mode
    world.tell("configure", other)
    made = world.settings
    for later in (world, _unheard(world)):
        decision = later.decide()
        assert decision.mode is mode
        if decision.setpoint.charges:
            assert decision.setpoint.phases in made.phases
            assert made.min_current_a <= decision.setpoint.current_a <= made.max_current_a


def _unheard(world: Watched) -> Watched:
    world.now = world.now.replace(year=world.now.year + 1)
    return world


@pytest.mark.parametrize(
    ("command", "now_a", "in_force"),
    [
        (LimitsCommand(), (7, 20), (7, 20)),
        (LimitsCommand(8, 10), (6, 32), (8, 10)),
        (LimitsCommand(8, 10), (9, 32), (9, 10)),
        (LimitsCommand(8, 10), (12, 32), (12, 12)),
        (LimitsCommand(8, 10), (6, 7), (7, 7)),
        (LimitsCommand(min_current_a=8), (6, 20), (8, 20)),
        (LimitsCommand(max_current_a=10), (7, 20), (7, 10)),
    ],
)
def test_narrowed_limits_stay_within_the_configured_ones(
    command: LimitsCommand, now_a: tuple[int, int], in_force: tuple[int, int]
) -> None:
    """What the user has not narrowed follows the settings."""
    controller = Controller(ControlSettings())
    controller.set_limits(command)
    controller.configure(ControlSettings(min_current_a=now_a[0], max_current_a=now_a[1]))
    assert controller.limits == LimitsCommand(*in_force)


def test_mode_and_boost_go_on() -> None:
    """The mode of the settings is that of a start."""
    bench = make_bench(mode="min_surplus")
    bench.status(0)
    bench.controller.set_mode(Mode.BOOST, until=bench.at(600))
    bench.decide(0)
    bench.controller.configure(ControlSettings(mode=Mode.OFF, max_current_a=10))
    decision = bench.decide(10)
    assert (decision.setpoint, decision.boost_until) == (Setpoint(3, 10), bench.at(600))
    bench.status(600)
    assert bench.decide(600).mode is Mode.MIN_SURPLUS


def test_the_objective_counts_at_once() -> None:
    """2.6 kW of surplus: the nearest rung is above it, the one that imports nothing below."""
    bench = make_bench()
    assert bench.live(range(0, 600, 5), 2600.0)[-1].setpoint == Setpoint(1, 11)
    bench.controller.configure(ControlSettings.model_validate({"objective": "no_import"}))
    assert bench.decide(600).setpoint == Setpoint(1, 11)
    assert bench.live(range(605, 900, 5), 2450.0)[-1].setpoint == Setpoint(1, 10)


def test_phases_that_are_not_allowed_any_more_are_left() -> None:
    """At the next decision; the minimum time on does not hold it."""
    bench = make_bench(min_on_s=3600)
    assert bench.live(range(0, 600, 5), 9000.0)[-1].setpoint.phases == 3
    bench.controller.configure(ControlSettings(phases=(1,), min_on_s=3600))
    assert bench.decide(600).setpoint == Setpoint(1, 16)
    bench.controller.configure(ControlSettings(phases=(3,), min_on_s=3600, max_phase_switches_per_hour=0))
    decision = bench.decide(601)
    assert (decision.setpoint, decision.reason) == (NO_CHARGE, Reason.SWITCH_LIMIT)


def test_what_the_charger_reports_still_counts() -> None:
    """Wider settings do not widen the cable."""
    bench = make_bench(mode="off")
    bench.controller.set_mode(Mode.BOOST)
    bench.status(0, max_current_a=13, state=ChargerState.READY)
    bench.decide(0)
    bench.controller.configure(ControlSettings(max_current_a=32))
    assert bench.decide(1).setpoint == Setpoint(3, 13)


def test_regret_is_kept_at_other_prices() -> None:
    """What has been regretted so far is too little at one price and enough at another."""
    bench = make_bench(start_cost_wh=4000)
    assert not bench.live(range(0, 300, 5), 2300.0)[-1].setpoint.charges
    bench.controller.configure(ControlSettings(start_cost_wh=2))
    assert bench.decide(300).setpoint == Setpoint(1, 10)


def test_regret_begins_anew_with_other_phases() -> None:
    """It was reckoned without the new state."""
    bench = make_bench(start_cost_wh=4000, phases=(1,))
    assert not bench.live(range(0, 300, 5), 2300.0)[-1].setpoint.charges
    bench.controller.configure(ControlSettings(start_cost_wh=2))
    assert not bench.decide(300).setpoint.charges
    assert bench.live(range(305, 900, 5), 2300.0)[-1].setpoint == Setpoint(1, 10)


def test_switches_are_remembered_however_few_are_allowed() -> None:
    """Six starts within the hour stay six when only one was allowed for a moment."""
    limits = SwitchLimits(ControlSettings(max_starts_per_hour=6, min_off_s=0))
    for minute in range(6):
        limits.record(minute * 60.0, 0, 1)
        limits.record(minute * 60.0 + 30, 1, 0)
    limits.configure(ControlSettings(max_starts_per_hour=1, min_off_s=0))
    assert limits.blocked(400.0, 0, 1) == (Reason.SWITCH_LIMIT, 300.0 + 3600)
    limits.configure(ControlSettings(max_starts_per_hour=6, min_off_s=0))
    assert limits.blocked(400.0, 0, 1) == (Reason.SWITCH_LIMIT, 3600.0)
    limits.configure(ControlSettings(max_starts_per_hour=MOST_AN_HOUR, min_off_s=0))
    assert limits.blocked(400.0, 0, 1) is None


def test_the_car_stays_known_until_the_voltage_is_another() -> None:
    """It draws 220 W for each A: 6 A pay from half of that on, and from half of 6 x 240 W when told so."""
    bench = make_bench(phases=(1,))
    bench.controller.set_mode(Mode.BOOST)
    for second in range(0, 60, 5):
        bench.status(second, current_a=16.0)
        bench.setpoint = bench.decide(second).setpoint
        bench.power_w, bench.state = 16 * 220.0, ChargerState.CHARGING
    assert bench.decide(60).needed_w == 660.0
    bench.controller.configure(ControlSettings(phases=(1,), min_on_s=7))
    assert bench.decide(60).needed_w == 660.0
    bench.controller.configure(ControlSettings(phases=(1,), min_on_s=7, voltage_v=240.0))
    assert bench.decide(60).needed_w == 720.0
