"""`pvcharge replay`: what the controller saw, once more: to the same end, or with other settings."""

import argparse
import json
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field, fields
from datetime import UTC, datetime, timedelta, tzinfo
from pathlib import Path
from typing import Any, Protocol

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

from pvcharge import __version__
from pvcharge.cli import picture, what_if
from pvcharge.cli.main import UsageError
from pvcharge.cli.past import Past, add_range, add_store, local, opened, time_range
from pvcharge.cli.plain import Columns
from pvcharge.model import Decision
from pvcharge.replay import Pair, Part, ReplayError, replay
from pvcharge.words import explain, level

DAY = timedelta(days=1)
LEVEL_WIDTH = len("16 A on 3 phases")
LESS = "its controller had seen more than the replay."


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of `replay`."""
    add_range(parser, "24 hours before --to")
    parser.add_argument(
        "--all", action="store_true", help="show every decision, not only those that change something"
    )
    parser.add_argument("--json", action="store_true", help="print one JSON object instead of lines")
    parser.add_argument(
        "--set",
        action="append",
        default=[],
        metavar="KEY=VALUE",
        help="what would have happened: simulate the recorded days with another setting, such as "
        "control.objective=cost, beside the recorded ones; may be repeated",
    )
    parser.add_argument("--plot", type=Path, metavar="FILE", help="with --set: draw them into a .png or .svg")
    add_store(parser)


def run(args: argparse.Namespace) -> int:
    """Replay; exit code 1 if any decision is another one today, 2 if it cannot be replayed."""
    changes = what_if.parsed(args.set)
    if args.plot:
        if not changes:
            raise UsageError("--plot goes with --set")
        picture.check(args.plot)
    if changes and args.all:
        raise UsageError("--all does not go with --set, which simulates")
    with opened(args) as past:
        start, end = time_range(args, past.zone, datetime.now(UTC))
        start = end - DAY if start is None else start
        try:
            if changes:
                return what_if.compare(args, past, start, end, changes)
            return _replay(args, past, start, end)
        except ReplayError as error:
            raise UsageError(f"replay: {error}") from error


@dataclass(slots=True)
class _Count:
    """What a replay has come to."""

    decisions: int = 0
    differences: int = 0
    differing: list[Part] = field(default_factory=list)  # parts with differences
    parts: list[Part] = field(default_factory=list)
    _shown: object = None

    def take(self, pair: Pair) -> bool:
        """Count a pair, and return whether it shows something new."""
        self.decisions += 1
        if not self.parts or self.parts[-1] is not pair.part:
            self.parts.append(pair.part)
        if not pair.same:
            self.differences += 1
            if not self.differing or self.differing[-1] is not pair.part:
                self.differing.append(pair.part)
        then, now = pair.recorded, pair.replayed
        shows = len(self.parts), pair.same, then.setpoint, then.reason, now.setpoint, now.reason
        before, self._shown = self._shown, shows
        return shows != before


class _Printer(Protocol):
    """Shows pairs, and at the end what they come to."""

    def show(self, pair: Pair) -> None: ...

    def finish(self, count: _Count) -> None: ...


def _replay(args: argparse.Namespace, past: Past, start: datetime, end: datetime) -> int:
    printer: _Printer = _Json(past, start, end) if args.json else _Lines(past, start, end)
    count = _Count()
    for pair in _with_progress(past, start, end):
        if count.take(pair) or args.all:
            printer.show(pair)
    printer.finish(count)
    return 1 if count.differences else 0


def _with_progress(past: Past, start: datetime, end: datetime) -> Iterator[Pair]:
    """Replay, and on a terminal show how far it is, as long as there is nothing else to be seen there."""
    columns = (TextColumn("replaying"), BarColumn(), TimeRemainingColumn())
    shown = sys.stderr.isatty()
    bar = Progress(
        *columns, console=Console(stderr=True), transient=True, disable=not shown, redirect_stdout=False
    )
    task = bar.add_task("", total=1.0)
    with bar:
        for pair in replay(past.reader, start, end, lambda share: bar.update(task, completed=share)):
            if shown and sys.stdout.isatty():
                bar.stop()
                shown = False
            yield pair


class _Lines:
    """Shows pairs as lines for people."""

    def __init__(self, past: Past, start: datetime, end: datetime) -> None:
        self._zone = past.zone
        self._start = start
        self._part: Part | None = None
        self._range = f"from {local(start, past.zone)} to {local(end, past.zone)}"

    def show(self, pair: Pair) -> None:
        """Print a line, and where it is another one today, a second."""
        zone, run = self._zone, pair.part.run
        if pair.part is not self._part and run.started_at >= self._start:
            print(f"{local(run.started_at, zone)}  pvcharge {run.version} starts")
        self._part = pair.part
        print(f"{local(pair.recorded.at, zone)}  {_told(pair.recorded, zone)}")
        if not pair.same:
            told, told_now = _told(pair.recorded, zone), _told(pair.replayed, zone)
            print(f"{'now instead:':>19}  {told_now if told != told_now else _unlike(pair)}")

    def finish(self, count: _Count) -> None:
        """Print what it comes to."""
        if not count.decisions:
            print(f"No decision is recorded {self._range}.")
            return
        print(f"{count.decisions:,} decisions {self._range}, {_verdict(count)}")
        for part in count.parts:
            began = local(part.run.started_at, self._zone)
            if not part.beginning_kept:
                print(f"Of the run that began at {began}, the beginning is no longer kept: {LESS}")
            if part.lost:
                print(f"Of the run that began at {began}, {part.lost} events never got to the disk: {LESS}")


def _verdict(count: _Count) -> str:
    if not count.differences:
        return "all the same today."
    told = f"{count.differences:,} of them not the same today."
    versions = sorted({part.run.version for part in count.differing if part.whole})
    if not versions:
        return told
    return (
        f"{told} The controller of this pvcharge {__version__} decides differently than that of "
        f"{', '.join(versions)}, which recorded them."
    )


def _told(decision: Decision, zone: tzinfo) -> str:
    return f"{level(decision.setpoint):<{LEVEL_WIDTH}}  {explain(decision, zone)}"


def _unlike(pair: Pair) -> str:
    """Return what differs of decisions that read the same."""
    names = [field.name for field in fields(Decision)]
    values = ((name, getattr(pair.recorded, name), getattr(pair.replayed, name)) for name in names)
    return ", ".join(f"{name} {now} and not {then}" for name, then, now in values if then != now)


class _Json:
    """Shows pairs as one JSON object, whose list grows as they come."""

    def __init__(self, past: Past, start: datetime, end: datetime) -> None:
        self._zone = past.zone
        self._columns = Columns(Decision)
        self._separator = ""
        head = {"from": start.astimezone(past.zone).isoformat(), "to": end.astimezone(past.zone).isoformat()}
        print(f'{json.dumps({**head, "pvcharge": __version__})[:-1]}, "decisions": [', end="")

    def show(self, pair: Pair) -> None:
        """Print an element of the list."""
        element = self._object(pair.recorded) | {"same": pair.same}
        if not pair.same:
            element["replayed"] = self._object(pair.replayed)
        print(f"{self._separator}\n{json.dumps(element)}", end="")
        self._separator = ","

    def finish(self, count: _Count) -> None:
        """Print the rest."""
        runs = [
            {
                "started_at": part.run.started_at.astimezone(self._zone).isoformat(),
                "pvcharge": part.run.version,
                "beginning_kept": part.beginning_kept,
                "lost": part.lost,
            }
            for part in count.parts
        ]
        tail = {"decided": count.decisions, "differ": count.differences, "runs": runs}
        print(f"\n], {json.dumps(tail)[1:]}")

    def _object(self, decision: Decision) -> dict[str, Any]:
        row = dict(zip(self._columns.names, self._columns.row(decision, self._zone), strict=True))
        return row | {"text": explain(decision, self._zone)}
