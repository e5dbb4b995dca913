"""The rules that ours is measured by do what their names say, and never leave the limits."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pvcharge.control import ControlSettings
from pvcharge.model import NO_CHARGE, ChargerState, ChargerStatus, PowerFlow, Setpoint
from pvcharge.yardsticks import Literal, Rule, Thresholds

NOON = datetime(2026, 6, 15, 12, tzinfo=UTC)


def tell(rule: Rule, second: float, grid_w: float, charger_w: float = 0.0) -> Setpoint:
    """Let a rule hear charger and meter, and return what it decides."""
    now = NOON + timedelta(seconds=second)
    rule.observe(ChargerStatus(now, ChargerState.CHARGING, charger_w))
    rule.observe(PowerFlow(now, now, grid_w=grid_w))
    return rule.decide(now).setpoint


@pytest.mark.parametrize(
    ("grid_w", "charger_w", "wanted"),
    [
        (-1379.0, 0.0, NO_CHARGE),
        (-1380.0, 0.0, Setpoint(1, 6)),
        (-3900.0, 0.0, Setpoint(1, 16)),
        (-4200.0, 0.0, Setpoint(3, 6)),
        (700.0, 4900.0, Setpoint(3, 6)),
        (-20_000.0, 0.0, Setpoint(3, 16)),
    ],
)
def test_the_literal_rule_takes_the_highest_level_below(
    grid_w: float, charger_w: float, wanted: Setpoint
) -> None:
    """At once, with what the charger drew last."""
    assert tell(Literal(ControlSettings()), 0, grid_w, charger_w) == wanted


def test_thresholds_wait_for_their_timers() -> None:
    """On after a minute, more phases after another, off after three."""
    rule = Thresholds(ControlSettings())
    course = [tell(rule, second, -5000.0) for second in range(0, 61, 30)]
    assert course == [NO_CHARGE, NO_CHARGE, Setpoint(1, 6)]
    course = [tell(rule, second, -3620.0, 1380.0) for second in range(90, 151, 30)]
    assert course == [Setpoint(1, 16), Setpoint(1, 16), Setpoint(3, 7)]
    course = [tell(rule, second, 4500.0, 4830.0) for second in range(180, 361, 30)]
    assert course == [Setpoint(3, 6)] * 6 + [Setpoint(1, 6)]
    course = [tell(rule, second, 1000.0, 1380.0) for second in range(390, 541, 30)]
    assert course == [Setpoint(1, 6)] * 5 + [NO_CHARGE]


@given(st.lists(st.tuples(st.integers(1, 400), st.floats(-2e4, 2e4), st.floats(0, 1.2e4)), max_size=60))
def test_no_rule_leaves_the_limits(told: list[tuple[int, float, float]]) -> None:
    """Nor uses phases that the charger may not use."""
    settings = ControlSettings(phases=(3,), min_current_a=8, max_current_a=13)
    for rule in (Literal(settings), Thresholds(settings)):
        second = 0
        for later, grid_w, charger_w in told:
            second += later
            setpoint = tell(rule, second, grid_w, charger_w)
            assert setpoint == NO_CHARGE or (setpoint.phases == 3 and 8 <= setpoint.current_a <= 13)
