"""The alert rules: they name metrics that there are, fire when something is wrong, and are silent else."""

import json
import re
import subprocess
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from prometheus_client import generate_latest

from pvcharge.model import ChargerState
from pvcharge.web.catalogue import CATALOGUE, Type
from support.docs import DOCS
from support.services import require
from web.scraping import Rig, Samples, decision, flow, health, status

RULES = DOCS / "prometheus" / "alerts.yml"
WELL = 15  # minutes, then something is wrong
END = 50

Sicken = Callable[[Rig, datetime], None]


@pytest.fixture
def promtool() -> str:
    """Return Prometheus' own tool for rules."""
    return require("promtool", "prometheus")


def run(promtool: str, *arguments: str, text: str = "") -> str:
    """Run it, and return what it says; it must be content."""
    done = subprocess.run(  # noqa: S603 - the tool of this machine
        [promtool, *arguments], input=text, capture_output=True, text=True, check=False
    )
    said = done.stdout + done.stderr
    assert done.returncode == 0, said
    return said


@pytest.mark.parametrize("file", [RULES, RULES.with_name("README.md")], ids=lambda file: file.name)
def test_files_name_metrics_that_there_are(file: Path) -> None:
    """A metric that was renamed would leave an alert that never fires, or a query that finds nothing."""
    named = set(re.findall(r"\b(?:pvcharge|process)_\w+", file.read_text(encoding="utf-8")))
    own = {f"{entry.name}_bucket" if entry.type is Type.HISTOGRAM else entry.name for entry in CATALOGUE}
    assert named - own <= {"process_start_time_seconds"}
    assert len(named) > 8


def test_rules_are_valid(promtool: str) -> None:
    """YAML, expressions and templates are such as Prometheus takes them."""
    assert "SUCCESS: 11 rules found" in run(promtool, "check", "rules", str(RULES))


def test_names_are_as_prometheus_advises(promtool: str) -> None:
    """Units, suffixes and types; its linter has nothing to say."""
    rig = Rig()
    live(rig, rig.clock.now(), decides=True)
    assert run(promtool, "check", "metrics", text=generate_latest(rig.metrics.registry).decode()) == ""


def live(rig: Rig, now: datetime, *, decides: bool) -> None:
    """Let a minute pass in which all is well, with or without a control loop."""
    rig.take(flow(now), status(now, session_wh=1.0, total_wh=1.0))
    if decides:
        rig.take(decision(now))
    rig.take(health("roof", {"requests_left": 1000, "requests_limit": 2000}), health("box"))
    rig.take(health("mqtt", {"edge_clock_ahead_s": 0.2}), health("history", {"waiting": 1, "dropped": 0}))
    rig.take(health("influxdb", {"lag_s": 10.0, "dropped": 0}))
    for _ in range(60):
        rig.metrics.lag.observe(0.001)


def fail(device: str) -> Sicken:
    """Return how a device goes down."""
    return lambda rig, _now: rig.take(health(device, ok=False))


def say(device: str, **facts: float) -> Sicken:
    """Return how a device says something of itself."""
    return lambda rig, _now: rig.take(health(device, facts))


def hold_up(rig: Rig, _now: datetime) -> None:
    """Let the event loop stand still now and then."""
    for _ in range(10):
        rig.metrics.lag.observe(0.8)


def nothing(_rig: Rig, _now: datetime) -> None:
    """Let all be well."""


def scrape(
    minutes: range, sicken: Sicken, *, decides: bool = True, answers: bool = True, starts: bool = False
) -> list[Samples]:
    """Return what Prometheus has after each minute, where something is wrong from a certain one on.

    Args:
        minutes: that pass.
        sicken: what goes wrong each minute.
        decides: whether decisions are still made.
        answers: whether the server still answers.
        starts: whether the daemon is started anew every ten minutes.
    """
    rig = Rig()
    found = []
    for minute in minutes:
        sick = minute >= WELL
        rig.pass_time(60)
        now = rig.clock.now()
        live(rig, now, decides=decides or not sick)
        if sick:
            sicken(rig, now)
        samples = rig.samples() if answers or not sick else {}
        if starts and sick:
            samples["process_start_time_seconds", frozenset()] += minute // 10
        found.append({**samples, ("up", frozenset()): float(bool(samples))})
    return found


def series(scrapes: list[Samples]) -> list[dict[str, str]]:
    """Return the scrapes as promtool wants them, with the labels that Prometheus adds."""
    keys = {key: None for samples in scrapes for key in samples}
    added = {("job", "pvcharge"), ("instance", "house")}
    return [
        {
            "series": name
            + "{"
            + ",".join(f"{label}={json.dumps(text)}" for label, text in labels | added)
            + "}",
            "values": " ".join(str(samples.get((name, labels), "_")) for samples in scrapes),
        }
        for name, labels in keys
    ]


def check(promtool: str, folder: Path, scrapes: list[Samples], firing: dict[int, list[str]]) -> None:
    """Have promtool check which alerts fire at which minutes."""
    expression = 'count by (alertname) (ALERTS{alertstate="firing"})'
    test = {
        "interval": "1m",
        "input_series": series(scrapes),
        "promql_expr_test": [
            {
                "expr": expression,
                "eval_time": f"{minute}m",
                "exp_samples": [{"labels": f'{{alertname="{name}"}}', "value": 1} for name in names],
            }
            for minute, names in firing.items()
        ],
    }
    file = folder / "test.yml"  # JSON is YAML
    document = {"rule_files": [str(RULES)], "evaluation_interval": "1m", "tests": [test]}
    file.write_text(json.dumps(document), encoding="utf-8")
    run(promtool, "test", "rules", str(file))


@pytest.mark.parametrize(
    ("name", "after_min", "sick"),
    [
        ("PvchargeDown", 5, {"answers": False}),
        ("PvchargeRestarting", 25, {"starts": True}),
        ("PvchargeNotDeciding", 5, {"decides": False}),
        ("PvchargeDeviceDown", 5, {"sicken": fail("box")}),
        ("PvchargeDeviceDown", 5, {"sicken": fail("box writes")}),
        (
            "PvchargeChargerFault",
            2,
            {"sicken": lambda rig, now: rig.take(status(now, state=ChargerState.ERROR))},
        ),
        (
            "PvchargeReadingsOld",
            5,
            {"sicken": lambda rig, now: rig.take(decision(now, reading_age_s=70_000.0))},
        ),
        ("PvchargeRequestsLow", 15, {"sicken": say("roof", requests_left=150, requests_limit=2000)}),
        ("PvchargeHistoryBehind", 10, {"sicken": say("influxdb", lag_s=4000.0, dropped=0)}),
        ("PvchargeHistoryLost", 0, {"sicken": say("history", dropped=7)}),
        ("PvchargeLoopLag", 10, {"sicken": hold_up}),
        ("PvchargeClocksDiffer", 10, {"sicken": say("mqtt", edge_clock_ahead_s=-30.0)}),
        ("PvchargeClocksDiffer", 10, {"sicken": say("mqtt", cloud_clock_ahead_s=30.0)}),
    ],
)
def test_an_alert_fires(
    promtool: str, tmp_path: Path, name: str, after_min: int, sick: dict[str, Any]
) -> None:
    """After its time, not before, and no other one with it."""
    scrapes = scrape(range(END), **({"sicken": nothing} | sick))
    silent: dict[int, list[str]] = {minute: [] for minute in (1, WELL - 1, WELL - 1 + after_min)}
    check(promtool, tmp_path, scrapes, {**silent, WELL + after_min + 6: [name]})


def test_no_alert_fires_while_all_is_well(promtool: str, tmp_path: Path) -> None:
    """Nobody listens to alarms that cry wolf."""
    check(promtool, tmp_path, scrape(range(END), nothing), {minute: [] for minute in (0, 1, 5, 30, END - 1)})
