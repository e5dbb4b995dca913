"""The safety rules of the design as properties of the controller, for any history of events."""

from datetime import timedelta
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from control.any_history import (
    NOON,
    Audit,
    Watched,
    control_settings,
    histories,
    live,
    setpoints,
)
from pvcharge.control import Controller, ControlSettings
from pvcharge.model import NO_CHARGE, ChargerState, ChargerStatus, Reason, Setpoint


@given(control_settings, histories)
@settings(max_examples=300)
def test_rule_1_never_outside_the_limits(settings: dict[str, Any], history: list[tuple[int, Any]]) -> None:
    """No decision leaves the configured limits or those that the charger reports."""
    made = ControlSettings.model_validate(settings)
    world = Watched(made, Controller(made))
    for pause_s, (kind, details) in [(0, ("status", {})), *history]:
        world.now += timedelta(seconds=pause_s)
        world.tell(kind, details)
        chosen = world.decide().setpoint
        if chosen.charges:
            reported_a = world.status.max_current_a
            assert chosen.phases in made.phases
            assert made.min_current_a <= chosen.current_a <= made.max_current_a
            assert reported_a is None or chosen.current_a <= reported_a
            assert chosen.current_a >= (world.status.min_current_a or 0)


@given(control_settings, st.lists(st.tuples(st.integers(1, 600), st.floats(-9000, 9000)), max_size=12))
def test_rule_3_stale_is_never_followed(settings: dict[str, Any], readings: list[tuple[int, float]]) -> None:
    """An hour and a half after the last reading nothing is decided on it."""
    world = live(
        settings | {"mode": "surplus"},
        [
            (pause_s, ("flow", {"age_s": 0, "span_s": 0, "grid_w": grid_w, "battery_w": None}))
            for pause_s, grid_w in readings
        ],
    )
    world.now += timedelta(seconds=5400)
    world.tell("status", {})
    decision = world.decide()
    assert decision.reason in (Reason.STALE_STOP, Reason.STALE_MINIMUM)
    if settings["on_stale"] == "stop":
        assert decision.setpoint == NO_CHARGE


@given(control_settings, setpoints, st.booleans())
def test_rule_5_a_start_changes_nothing(
    settings: dict[str, Any],
    found: Setpoint,
    draws: bool,  # noqa: FBT001 - drawn by hypothesis
) -> None:
    """Without readings the state found is kept, as far as the limits allow it."""
    made = ControlSettings.model_validate(settings | {"mode": "surplus"})
    controller = Controller(made)
    state = ChargerState.CHARGING if draws and found.charges else ChargerState.READY
    controller.observe(ChargerStatus(at=NOON, state=state, power_w=0.0, setpoint=found))
    decision = controller.decide(NOON)
    assert decision.setpoint.charges == found.charges
    if found.phases in made.phases and made.min_current_a <= found.current_a <= made.max_current_a:
        assert decision.setpoint == found


@given(control_settings, histories, setpoints)
def test_rule_6_the_hand_wins(
    settings: dict[str, Any], history: list[tuple[int, Any]], by_hand: Setpoint
) -> None:
    """Whatever came before, a change by hand is left alone for the configured time."""
    world = live(settings, history)
    world.now += timedelta(seconds=10)
    world.tell("status", {"state": ChargerState.READY, "max_current_a": None, "min_current_a": None})
    world.tell("hand", {"setpoint": by_hand})
    for _ in range(3):
        decision = world.decide()
        assert decision.reason is Reason.BY_HAND
        assert decision.setpoint.charges == by_hand.charges
        world.now += timedelta(seconds=1000)
        world.tell("flow", {"age_s": 0, "span_s": 0, "grid_w": -9000.0, "battery_w": None})


@given(control_settings, histories)
@settings(max_examples=300)
def test_rule_7_limits_on_switching_hold_in_every_mode(
    settings: dict[str, Any], history: list[tuple[int, Any]]
) -> None:
    """Starts, stops and phase switches that nobody commanded keep their limits."""
    world = live(settings, history)
    audit = Audit(world.settings, set(world.commands), world.decisions[0].setpoint.phases)
    for decision in world.decisions[1:]:
        audit.check(decision)


@given(control_settings, histories)
def test_same_inputs_same_decisions(settings: dict[str, Any], history: list[tuple[int, Any]]) -> None:
    """The controller is pure: a history replayed gives every decision again."""
    assert live(settings, history).decisions == live(settings, history).decisions


@given(control_settings, histories)
def test_asking_again_changes_nothing(settings: dict[str, Any], history: list[tuple[int, Any]]) -> None:
    """A decision asked for twice is the same setpoint twice."""
    world = live(settings, history)
    first = world.controller.decide(world.now)
    again = world.controller.decide(world.now)
    assert again.setpoint == first.setpoint
    assert again == world.controller.decide(world.now)


@given(control_settings, histories)
def test_secrets_of_time_do_not_leak(settings: dict[str, Any], history: list[tuple[int, Any]]) -> None:
    """Shifting a whole history in time shifts its decisions and nothing else."""
    shift = timedelta(days=37, seconds=5)
    made = ControlSettings.model_validate(settings)
    shifted = Watched(made, Controller(made), now=NOON + shift)
    shifted.tell("status", {})
    shifted.decide()
    for pause_s, (kind, details) in history:
        for seconds, event in ((pause_s / 2, ("status", {})), (pause_s / 2, (kind, details))):
            shifted.now += timedelta(seconds=seconds)
            shifted.tell(*event)
            shifted.decide()
    plain = live(settings, history).decisions
    assert [(d.setpoint, d.reason) for d in shifted.decisions] == [(d.setpoint, d.reason) for d in plain]
