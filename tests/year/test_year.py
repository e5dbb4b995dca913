"""Weeks of a year through the real tasks, with users, cars and faults: no rule is broken.

`python bench/year.py` runs whole years; here faults come more often, since days are few.
"""

from datetime import UTC, datetime

import pytest

from pvcharge.drivers.wattpilot.hand import HandWatch
from pvcharge.drivers.wattpilot.reading import Reading
from pvcharge.sim.invented import ZONE
from year import users
from year.campaign import Outcome, simulate
from year.house import Source

INTENSITY = 4.0


def run(
    seed: int, month: int, day: int, days: int, source: Source = "quarter", *, history: bool = False
) -> Outcome:
    """Run some days."""
    start = datetime(2026, month, day, tzinfo=ZONE).astimezone(UTC)
    return simulate(seed, start=start, days=days, source=source, history=history, intensity=INTENSITY)


def explain(outcome: Outcome) -> str:
    """Return what was broken, with the last events before the first."""
    lines = [outcome.line(), *map(str, outcome.violations)]
    return "\n".join(lines + list(outcome.violations[0].last if outcome.violations else ()))


@pytest.mark.parametrize(
    ("seed", "month", "day", "days"),
    [
        pytest.param(1, 1, 12, 3, id="winter"),
        pytest.param(2, 3, 28, 2, id="summer time begins"),
        pytest.param(3, 5, 18, 3, id="spring"),
        pytest.param(4, 7, 20, 3, id="summer"),
        pytest.param(5, 10, 24, 2, id="summer time ends"),
        pytest.param(6, 11, 5, 3, id="autumn"),
    ],
)
def test_weeks_break_no_rule(seed: int, month: int, day: int, days: int) -> None:
    """Quarter-hour means from the cloud: no violation, and cars get energy."""
    outcome = run(seed, month, day, days)
    assert not outcome.violations, explain(outcome)
    assert outcome.charged_kwh > 0
    assert len(outcome.tasks) == days


def test_days_by_the_inverter_in_the_house_break_no_rule() -> None:
    """Readings by Modbus, with the cloud behind it."""
    outcome = run(7, 6, 8, 1, "modbus")
    assert not outcome.violations, explain(outcome)


def test_days_with_a_history_break_no_rule() -> None:
    """The daemon keeps its history, too."""
    outcome = run(8, 4, 20, 2, history=True)
    assert not outcome.violations, explain(outcome)


def test_the_same_seed_gives_the_same_days() -> None:
    """What a seed has shown, it shows again."""
    first, second = (run(9, 6, 1, 1) for _ in range(2))
    assert first.journal == second.journal
    assert first.faults == second.faults


def test_a_driver_that_sees_no_hand_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    """The observer is none that sees nothing: where hands are not watched for, the rule is broken."""
    see = HandWatch.see

    def overlook(watch: HandWatch, reading: Reading, now: datetime) -> None:
        see(watch, reading, now)
        watch.changed_at = None

    monkeypatch.setattr(HandWatch, "see", overlook)
    monkeypatch.setattr(users, "HANDS", 1.0)
    outcome = run(10, 6, 1, 2)
    assert {violation.rule for violation in outcome.violations} == {"hand"}
