"""Whatever an earlier run is said to have learned, true or not: the safety rules hold."""

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from control.any_history import Audit, control_settings, histories, live
from control.kept_documents import documents
from pvcharge.model import NO_CHARGE, Reason

SILENT_S = 5400  # after which every source of which so much is recalled is stale


@given(control_settings, histories, documents)
@settings(max_examples=200)
def test_rules_1_and_7_hold(
    settings: dict[str, Any], history: list[tuple[int, Any]], recalled: dict[str, Any]
) -> None:
    """No setpoint outside the limits, and no change of state beyond those on switching."""
    world = live(settings, history, recalled)
    audit = Audit(world.settings, set(world.commands), world.decisions[0].setpoint.phases)
    for decision in world.decisions[1:]:
        audit.check(decision)
        chosen = decision.setpoint
        if chosen.charges:
            assert chosen.phases in world.settings.phases
            assert world.settings.min_current_a <= chosen.current_a <= world.settings.max_current_a


@given(
    control_settings,
    documents,
    st.lists(st.tuples(st.integers(1, 600), st.floats(-9000, 9000)), max_size=12),
)
def test_rule_3_stale_is_never_followed(
    settings: dict[str, Any], recalled: dict[str, Any], readings: list[tuple[int, float]]
) -> None:
    """However patient the run before has grown, a source is stale after an hour and a half."""
    flow = {"age_s": 0, "span_s": 0, "battery_w": None}
    told = [(pause_s, ("flow", flow | {"grid_w": grid_w})) for pause_s, grid_w in readings]
    world = live(settings | {"mode": "surplus"}, [*told, (SILENT_S * 2, ("status", {}))], recalled)
    for decision in world.decisions[-2:]:
        assert decision.reason in (Reason.STALE_STOP, Reason.STALE_MINIMUM)
        if settings["on_stale"] == "stop":
            assert decision.setpoint == NO_CHARGE


@given(control_settings, histories, documents)
def test_same_inputs_same_decisions(
    settings: dict[str, Any], history: list[tuple[int, Any]], recalled: dict[str, Any]
) -> None:
    """What was recalled is one of the inputs, and only what is in it counts."""
    once, again = (live(settings, history, recalled) for _ in range(2))
    assert once.decisions == again.decisions
    assert once.controller.learned() == again.controller.learned()
