"""`pvcharge simulate` without a trace, and what its picture of a day shows."""

import json
import xml.etree.ElementTree as ET
from datetime import timedelta
from pathlib import Path

import pytest

from cli.runner import Run
from pvcharge.cli.picture import draw
from pvcharge.model import NO_CHARGE, Decision, Mode, Reason, Setpoint
from pvcharge.sim.invented import A_DAY_IN_JUNE, ZONE, invented
from pvcharge.simulation import Chart

MINUTE = timedelta(minutes=1)


def test_without_a_trace_a_day_is_invented(pvcharge: Run) -> None:
    """The same for the same seed, another one for another; more days and later ones can be had."""
    runs = []
    for arguments in (["3"], ["3"], ["4"], ["3", "--skip-days", "1"], ["3", "--days", "0.5"]):
        result = pvcharge("simulate", "--json", "--source", "quarter", "--seed", *arguments)
        assert (result.code, result.err) == (0, "")
        runs.append(json.loads(result.out))
    first, again, other, next_day, half = ({**run, "steps_per_s": 0} for run in runs)
    assert first == again
    assert first["days"] == 1
    assert 5 < first["charged_kwh"] < first["pv_kwh"]
    assert len({run["pv_kwh"] for run in (first, other, next_day, half)}) == 4


def test_a_year_at_most_is_invented(pvcharge: Run) -> None:
    """No number of days leads beyond the calendar, or to a run without end."""
    for arguments in (("--days", "367"), ("--skip-days", "1e300"), ("--days", "1e9")):
        result = pvcharge("simulate", *arguments)
        assert (result.code, result.out) == (2, "")
        assert "without --trace there are 366 days" in result.err


def test_the_invented_house_lives_by_its_own_clock() -> None:
    """It is dark at its midnight; the sun is up at its noon."""
    profile = invented(1)
    assert profile.pv_w(A_DAY_IN_JUNE) == 0
    assert profile.pv_w(A_DAY_IN_JUNE + timedelta(hours=12)) > 100
    assert profile.load_w(A_DAY_IN_JUNE) > 0


@pytest.fixture
def chart() -> Chart:
    """Return two hours of sun with a charge in the second."""
    chart = Chart()
    for minute in range(120):
        charger_w = 4140.0 if minute >= 60 else 0.0
        chart.at.append(A_DAY_IN_JUNE + timedelta(hours=10) + minute * MINUTE)
        chart.pv_w.append(4000.0)
        chart.load_w.append(300.0)
        chart.charger_w.append(charger_w)
        chart.grid_w.append(300.0 + charger_w - 4000.0)
    return chart


def decisions(*course: tuple[int, Setpoint, Reason]) -> list[Decision]:
    """Return decisions from some minutes after ten on."""
    ten = A_DAY_IN_JUNE + timedelta(hours=10)
    return [
        Decision(ten + minute * MINUTE, setpoint, reason, Mode.SURPLUS) for minute, setpoint, reason in course
    ]


def test_a_day_shows_setpoints_and_reasons(chart: Chart, tmp_path: Path) -> None:
    """Each reason that counted for a minute has a named colour, others have none; no title is needed."""
    drawn = tmp_path / "day.svg"
    course = decisions(
        (0, NO_CHARGE, Reason.TOO_LITTLE),
        (58, NO_CHARGE, Reason.NOT_WORTH_IT),
        (60, Setpoint(3, 6), Reason.FOLLOWING),
        (90, Setpoint(3, 6), Reason.BY_HAND),
    )
    draw({"pvcharge": chart}, drawn, "no title", ZONE, course)
    content = drawn.read_text()
    assert ET.fromstring(content).tag.endswith("svg")  # noqa: S314 - drawn a moment ago
    for text in (
        "too little surplus",
        "will it last?",
        "follows the surplus",
        "3 phases",
        "set to, A",
        "10:00",
    ):
        assert text in content
    for text in ("no title", "limit on changes", "no fresh reading", "13:00"):
        assert text not in content


def test_a_day_without_decisions_has_two_panels(chart: Chart, tmp_path: Path) -> None:
    """As for what was recorded, or courses side by side; these have a title and headings."""
    drawn = tmp_path / "day.svg"
    draw({"one": chart, "other": chart}, drawn, "both courses", ZONE)
    content = drawn.read_text()
    for text in ("both courses", "one", "other", "grid, kW", "charged 4.1, bought 0.4, sold 3.7 kWh"):
        assert text in content
    for text in ("set to, A", "why"):
        assert text not in content
