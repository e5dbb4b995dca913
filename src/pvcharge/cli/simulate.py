"""`pvcharge simulate`: recorded or invented days in virtual time, as a table, as JSON, and as a picture."""

import argparse
import json
import sys
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta, tzinfo
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from pvcharge import config
from pvcharge.cli import picture
from pvcharge.cli.main import UsageError
from pvcharge.cli.options import not_negative, positive
from pvcharge.control import ControlSettings
from pvcharge.sim.feed import Source
from pvcharge.sim.house import Profile
from pvcharge.sim.invented import A_DAY_IN_JUNE, ZONE, invented
from pvcharge.sim.trace import Trace, TraceError
from pvcharge.simulation import STEP_S, Outcome, Simulation
from pvcharge.yardsticks import Literal, Rule, Thresholds

OURS = "pvcharge"
DAY = timedelta(days=1)
MOST_INVENTED_DAYS = 366

ROWS = {
    "grid_exchange_kwh": ("grid exchange while plugged in", "kWh"),
    "import_kwh": ("  bought", "kWh"),
    "export_kwh": ("  sold", "kWh"),
    "charged_kwh": ("charged", "kWh"),
    "solar_share_pct": ("  of it solar", "%"),
    "pv_kwh": ("produced", "kWh"),
    "starts": ("starts", ""),
    "phase_switches": ("phase switches", ""),
    "writes": ("changes of the charger's setting", ""),
}


@dataclass(frozen=True, slots=True)
class _Days:
    """What is simulated, its name, and whose clock the people there go by."""

    name: str
    profile: Profile
    start: datetime
    days: float
    zone: tzinfo


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of `simulate`."""
    parser.add_argument(
        "--trace",
        type=Path,
        metavar="CSV",
        help="columns timestamp, pv_w, load_w; or .csv.gz (default: an invented house in June)",
    )
    parser.add_argument(
        "--source",
        choices=[source.value for source in Source],
        default=Source.MODBUS.value,
        help="how the inverter is read: live in the house (the default), live from the cloud, or as "
        "quarter-hour means",
    )
    parser.add_argument(
        "--days", type=positive, metavar="N", help="days to run (default: all; one, if they are invented)"
    )
    parser.add_argument(
        "--skip-days", type=not_negative, default=0.0, metavar="N", help="days to leave out first"
    )
    parser.add_argument(
        "--seed",
        type=int,
        default=1,
        help="of the source's delays, and of the invented house (default: 1)",
    )
    parser.add_argument("-c", "--config", type=Path, metavar="FILE", help="take [control] from this file")
    parser.add_argument(
        "--compare",
        action="store_true",
        help="show beside it what simpler rules make of the same days, in energy and money",
    )
    parser.add_argument("--json", action="store_true", help="print one JSON object instead of a table")
    parser.add_argument("--plot", type=Path, metavar="FILE", help="draw the days into a .png or .svg")


def run(args: argparse.Namespace) -> int:
    """Simulate; exit code 2 for a trace or picture that cannot be."""
    settings = config.load(args.config).control if args.config else ControlSettings()
    if args.plot:
        picture.check(args.plot)
    days = _days(args)
    rules = _rules(settings, compare=args.compare)
    courses = {name: _simulation(args, days, settings, rule) for name, rule in rules.items()}
    steps = courses[OURS].steps
    if steps == 0:
        raise UsageError(f"nothing to simulate: less than one step of {STEP_S:g} s")
    began_s = time.perf_counter()
    outcomes = {name: run_with_progress(simulation) for name, simulation in courses.items()}
    steps_per_s = len(courses) * steps / (time.perf_counter() - began_s)
    if args.json:
        figures = _figures(outcomes, settings)
        print(json.dumps({**figures, "source": args.source, "steps_per_s": round(steps_per_s)}))
    elif args.compare:
        _print_comparison(outcomes, args.source, settings)
    else:
        _print(outcomes[OURS], args.source, steps_per_s)
    if args.plot:
        title = f"{days.name}, read as {args.source}"
        charts = {name: it.chart for name, it in courses.items()}
        decisions = () if args.compare else courses[OURS].decisions
        picture.draw(charts, args.plot, title, days.zone, decisions)
        print(f"picture: {args.plot}", file=sys.stderr)
    return 0


def cost(import_kwh: float, export_kwh: float, settings: ControlSettings) -> float:
    """Return what was paid less what was earned."""
    return import_kwh * settings.import_price - export_kwh * settings.feed_in_price


def _rules(settings: ControlSettings, *, compare: bool) -> dict[str, Rule | None]:
    """Return who decides, by name; None is the controller."""
    if not compare:
        return {OURS: None}
    return {OURS: None, "literal rule": Literal(settings), "thresholds and timers": Thresholds(settings)}


def _simulation(
    args: argparse.Namespace, days: _Days, settings: ControlSettings, rule: Rule | None
) -> Simulation:
    source = Source(args.source)
    return Simulation(days.profile, days.start, days.days, source, settings, seed=args.seed, rule=rule)


def _figures(outcomes: Mapping[str, Outcome], settings: ControlSettings) -> dict[str, Any]:
    """Return what --json prints: our own figures and, beside them, those of the others by name."""
    documents = {name: _rounded(outcome, settings) for name, outcome in outcomes.items()}
    own: dict[str, Any] = documents.pop(OURS)
    return {**own, "others": documents} if documents else own


def _rounded(outcome: Outcome, settings: ControlSettings) -> dict[str, float]:
    return {key: round(value, 3) for key, value in (asdict(outcome) | _money(outcome, settings)).items()}


def _money(outcome: Outcome, settings: ControlSettings) -> dict[str, float]:
    """Return what the house cost, and what remains of it if the car's energy is worth something."""
    of_house = cost(outcome.house_import_kwh, outcome.house_export_kwh, settings)
    return {"cost": of_house, "net_cost": of_house - outcome.charged_kwh * settings.replacement_price}


def _print_comparison(outcomes: Mapping[str, Outcome], source: str, settings: ControlSettings) -> None:
    days = outcomes[OURS].days
    table = Table("", *outcomes, title=f"{days:g} days, read as {source}", box=None)
    for column in table.columns[1:]:
        column.justify = "right"
    for key, (label, unit) in ROWS.items():
        values = [getattr(it, key) for it in outcomes.values()]
        table.add_row(label, *(f"{it:.1f} {unit}" if isinstance(it, float) else str(it) for it in values))
    worth = settings.replacement_price
    for key, label in {
        "cost": "cost of the house",
        "net_cost": f"  less {worth:g} for a kWh charged",
    }.items():
        table.add_row(label, *(f"{_money(it, settings)[key]:.2f}" for it in outcomes.values()))
    Console(highlight=False).print(table)
    paid, earned = settings.import_price, settings.feed_in_price
    print(f"Prices: {paid:g} for a kWh bought, {earned:g} for one sold; [control] has all three.")


def _days(args: argparse.Namespace) -> _Days:
    """Return the days to simulate."""
    if args.trace is None:
        return _invented_days(args.seed, args.skip_days, args.days or 1.0)
    try:
        trace = Trace.load(args.trace)
        rest_days = trace.days - args.skip_days
        if rest_days <= 0:
            raise UsageError(f"--skip-days {args.skip_days:g}: {args.trace} has {trace.days:g} days only")
        trace = trace.crop(args.skip_days, min(args.days or rest_days, rest_days))
    except TraceError as error:
        raise UsageError(str(error)) from error
    return _Days(args.trace.name, trace, trace.start, trace.days, UTC)


def _invented_days(seed: int, skip_days: float, days: float) -> _Days:
    if skip_days + days > MOST_INVENTED_DAYS:
        raise UsageError(f"without --trace there are {MOST_INVENTED_DAYS} days; run fewer, or skip fewer")
    start = A_DAY_IN_JUNE.astimezone(UTC) + skip_days * DAY
    return _Days(f"invented house {seed}", invented(seed), start, days, ZONE)


def run_with_progress(simulation: Simulation) -> Outcome:
    """Run a simulation; on a terminal, show how far it is."""
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    console = Console(stderr=True)
    with Progress(*columns, console=console, transient=True, disable=not sys.stderr.isatty()) as bar:
        task = bar.add_task(f"steps of {STEP_S:.0f} s", total=simulation.steps)
        return simulation.run(lambda done: bar.update(task, completed=done))


def _print(outcome: Outcome, source: str, steps_per_s: float) -> None:
    table = Table("", "total", "per day", title=f"{outcome.days:g} days, read as {source}", box=None)
    for column in table.columns[1:]:
        column.justify = "right"
    for key, (label, unit) in ROWS.items():
        value = getattr(outcome, key)
        total = f"{value:.1f} {unit}" if isinstance(value, float) else str(value)
        table.add_row(label, total, "" if unit == "%" else f"{value / outcome.days:.1f}")
    console = Console()
    console.print(table)
    console.print(f"{steps_per_s:,.0f} steps per second", style="dim")
