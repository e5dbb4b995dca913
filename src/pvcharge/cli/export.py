"""`pvcharge export`: what is remembered, as CSV or JSON for other programs."""

import argparse
import csv
import json
import os
import sys
import tempfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from gzip import GzipFile
from io import TextIOWrapper
from pathlib import Path
from typing import Any, BinaryIO, TextIO, cast

from rich.console import Console

from pvcharge.cli.main import UsageError
from pvcharge.cli.past import Past, add_range, add_store, opened, time_range
from pvcharge.cli.plain import Columns
from pvcharge.history.reading import EnergyRow, Reader
from pvcharge.history.rows import Event
from pvcharge.history.sums import by_month
from pvcharge.model import ChargerStatus, Decision, PowerFlow, Session
from pvcharge.recorded import NothingRecordedError, recorded_house

LATE = timedelta(hours=6)  # a reading of this time may be in the store so long after it
CHUNK = timedelta(days=30)  # of energies in memory
ANY_ZONE = timedelta(days=2)  # more than a day in any of them is away from that in UTC
BEGINNING = datetime.min.replace(tzinfo=UTC) + ANY_ZONE
WHOLE = 0.995  # of the time, which is 100 % to a person
TELL_EVERY = 10_000  # rows

Row = Sequence[object]  # values as they go into JSON


@dataclass(frozen=True, slots=True)
class Table:
    """What is exported: the names of its columns, and its rows."""

    names: Sequence[str]
    rows: Iterable[Row]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of `export`."""
    parser.add_argument(
        "what",
        choices=("sessions", "readings", "statuses", "decisions", "energy", "trace"),
        help="sessions: a row for each car, by when it came; readings, statuses, decisions: all that the "
        "controller saw and decided; energy: sums; trace: production and household by minutes for `simulate` "
        "and `demo --trace`, without any name of site or devices, but with its real dates",
    )
    parser.add_argument("--format", choices=("csv", "json"), default="csv", help="(default: csv)")
    parser.add_argument(
        "--by",
        choices=("five-minutes", "day", "month"),
        help="sums of energy by this time, as far as it begins in the range (default: day)",
    )
    add_range(parser, "all that is kept")
    parser.add_argument(
        "-o", "--output", type=Path, metavar="FILE", help="write into this file; .gz is compressed"
    )
    parser.add_argument("--force", action="store_true", help="replace the file if there is one")
    add_store(parser)


def run(args: argparse.Namespace) -> int:
    """Export; exit code 2 where there is no store, or the file is there already."""
    if args.by and args.what != "energy":
        raise UsageError(f"export {args.what}: --by goes with energy")
    if args.what == "trace" and args.format != "csv":
        raise UsageError("export trace: a trace is CSV")
    write = _write_csv if args.format == "csv" else _write_json
    with opened(args) as past, _destination(args.output, replaces=args.force) as file:
        start, end = time_range(args, past.zone, datetime.now(UTC))
        table = _table(args, past, start or BEGINNING, end)
        write(file, table if args.output is None else _counted(table))
    return 0


# --- what ---


def _table(args: argparse.Namespace, past: Past, start: datetime, end: datetime) -> Table:
    match args.what:
        case "sessions":
            return _events(past, Session, lambda it: it.started_at, start, end)
        case "readings":
            return _events(past, PowerFlow, lambda it: it.start, start, end)
        case "statuses":
            return _events(past, ChargerStatus, lambda it: it.at, start, end)
        case "decisions":
            return _events(past, Decision, lambda it: it.at, start, end)
        case "energy":
            return _energy(past, args.by or "day", start, end)
    return _trace(past.reader, start, end)


def _events(
    past: Past, kind: type[Event], at: Callable[[Any], datetime], start: datetime, end: datetime
) -> Table:
    columns = Columns(kind)
    first_seq = 0 if kind is Session else past.reader.seq_at(start)

    def rows() -> Iterator[Row]:
        for _, event in past.reader.events(first_seq, kinds=[kind]):
            if start <= at(event) < end:
                yield columns.row(event, past.zone)
            elif at(event) >= end + LATE:
                return

    return Table(columns.names, rows())


def _energy(past: Past, by: str, start: datetime, end: datetime) -> Table:
    """Return the energies of what begins in a range, months as the sums of their days."""
    columns = Columns(EnergyRow)
    if by == "five-minutes":
        found = _five_minutes(past.reader, start, end)
    else:
        found = iter(past.reader.days(_first_day(start, past.zone), _first_day(end, past.zone)))
    if by == "month":
        months = by_month(found)
        return Table(columns.names, ([f"{it.start:%Y-%m}", *columns.row(it, past.zone)[1:]] for it in months))
    return Table(columns.names, (columns.row(row, past.zone) for row in found))


def _five_minutes(reader: Reader, start: datetime, end: datetime) -> Iterator[EnergyRow]:
    """Yield them some days at a time, since there may be two years of them."""
    days = reader.days(date.min, date.max)
    if not days:
        return
    first, last = (datetime.combine(row.start, time(), UTC) for row in (days[0], days[-1]))
    start, end = max(start, first - ANY_ZONE), min(end, last + ANY_ZONE)
    while start < end:
        until = min(start + CHUNK, end)
        yield from reader.five_minutes(start, until)
        start = until


def _first_day(at: datetime, zone: tzinfo) -> date:
    """Return the first local day that does not begin before a time."""
    day = at.astimezone(zone).date()
    begins = datetime.combine(day, time(), zone).astimezone(UTC)
    return day if begins >= at else day + timedelta(days=1)


def _trace(reader: Reader, start: datetime, end: datetime) -> Table:
    """Return production and household by minutes, with nothing that tells whose they are.

    Raises:
        UsageError: there is nothing of which a trace could be made.
    """
    try:
        house = recorded_house(reader, start, end)
    except NothingRecordedError as error:
        raise UsageError(f"export trace: {error}") from error
    trace = house.trace
    rows = (
        [f"{trace.start + number * trace.step:%Y-%m-%dT%H:%M:%SZ}", round(pv_w, 1), round(load_w, 1)]
        for number, (pv_w, load_w) in enumerate(zip(trace.pv_means_w, trace.load_means_w or (), strict=True))
    )
    held = f", {100 * (1 - house.covered):.0f} % of it without readings: there the last value is held"
    print(f"a trace of {trace.days:.2f} days{held if house.covered < WHOLE else ''}", file=sys.stderr)
    return Table(("timestamp", "pv_w", "load_w"), rows)


# --- how ---


def _cell(value: object) -> object:
    """Return a value as it goes into CSV, where None is an empty cell."""
    return json.dumps(value) if isinstance(value, bool | dict) else value


def _write_csv(file: TextIO, table: Table) -> None:
    writer = csv.writer(file, lineterminator="\n")
    writer.writerow(table.names)
    writer.writerows(map(_cell, row) for row in table.rows)


def _write_json(file: TextIO, table: Table) -> None:
    """Write one array, an object a line."""
    separator = "["
    for row in table.rows:
        file.write(f"{separator}\n{json.dumps(dict(zip(table.names, row, strict=True)))}")
        separator = ","
    file.write("[]\n" if separator == "[" else "\n]\n")


def _counted(table: Table) -> Table:
    """Return a table that counts its rows on a terminal while they are written."""

    def rows() -> Iterator[Row]:
        with Console(stderr=True).status("0 rows") as status:
            for number, row in enumerate(table.rows, 1):
                yield row
                if number % TELL_EVERY == 0:
                    status.update(f"{number:,} rows")

    return Table(table.names, rows() if sys.stderr.isatty() else table.rows)


@contextmanager
def _destination(path: Path | None, *, replaces: bool) -> Iterator[TextIO]:
    """Open where to write: a file appears when it is whole, readable by its owner only.

    Raises:
        UsageError: it is there already, or cannot be written.
    """
    if path is None:
        yield sys.stdout
        return
    _refuse_existing(path, replaces=replaces)
    temporary: Path | None = None
    try:
        handle, name = tempfile.mkstemp(dir=path.absolute().parent, prefix=f".{path.name}.")  # mode 0600
        temporary = Path(name)
        with (
            os.fdopen(handle, "wb") as raw,
            _packed(raw, path) as packed,
            TextIOWrapper(packed, encoding="utf-8", newline="") as file,
        ):
            yield file
        with temporary.open("rb") as written:
            os.fsync(written.fileno())
        _refuse_existing(path, replaces=replaces)
        temporary.replace(path)
    except OSError as error:
        raise UsageError(f"-o {path}: cannot be written: {error.strerror}") from error
    finally:
        if temporary is not None:
            temporary.unlink(missing_ok=True)


def _packed(raw: BinaryIO, path: Path) -> BinaryIO:
    """Compress if the file is called so; without a name and a time, so that it tells nothing but itself."""
    return cast("BinaryIO", GzipFile("", "wb", fileobj=raw, mtime=0)) if path.suffix == ".gz" else raw


def _refuse_existing(path: Path, *, replaces: bool) -> None:
    if path.exists() and not path.is_file():
        raise UsageError(f"-o {path}: is no ordinary file")
    if path.exists() and not replaces:
        raise UsageError(f"-o {path}: is there already; --force replaces it")
