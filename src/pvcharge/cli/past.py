"""What `replay` and `export` share: finding the store, and saying of what time."""

import argparse
import os
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from pathlib import Path

from pvcharge import config
from pvcharge.cli.main import UsageError
from pvcharge.cli.options import DEFAULT_CONFIG
from pvcharge.history.archive import FILE
from pvcharge.history.reading import Reader
from pvcharge.history.schema import NewerFileError

WORDS = {"yesterday": -1, "today": 0}


@dataclass(frozen=True, slots=True)
class Past:
    """An open store, and the time zone of whoever asks."""

    reader: Reader
    zone: tzinfo


def add_store(parser: argparse.ArgumentParser) -> None:
    """Add `--config` and `--store`."""
    parser.add_argument(
        "-c",
        "--config",
        type=Path,
        metavar="FILE",
        help="configuration file, which tells store and time zone "
        f"(default: $PVCHARGE_CONFIG or {DEFAULT_CONFIG})",
    )
    parser.add_argument(
        "--store",
        type=Path,
        metavar="FILE",
        help=f"a store, such as a copy of {FILE}; times are UTC, unless -c is given too",
    )


def add_range(parser: argparse.ArgumentParser, default: str) -> None:
    """Add `--from` and `--to`.

    Args:
        parser: of the command.
        default: the range without them, in words.
    """
    parser.add_argument(
        "--from",
        dest="start",
        metavar="T",
        help="from this time on: today, yesterday, a date, or a time such as 2026-06-15T12:00, local "
        f"unless it has a zone of its own (default: {default})",
    )
    parser.add_argument(
        "--to", dest="end", metavar="T", help="until this time, or the end of this day (default: now)"
    )


@contextmanager
def opened(args: argparse.Namespace) -> Iterator[Past]:
    """Open the store that the command line names.

    Raises:
        UsageError: there is none, or it cannot be read.
        ConfigError: the configuration cannot be used.
    """
    zone: tzinfo = UTC
    path: Path | None = args.store
    if path is None or args.config is not None:
        settings = config.load(args.config or Path(os.environ.get("PVCHARGE_CONFIG", DEFAULT_CONFIG)))
        zone, path = settings.site.zone, path or settings.state_dir / FILE
    _look_for(path)
    try:
        reader = Reader.open(path)
    except (sqlite3.Error, NewerFileError) as error:
        raise UsageError(f"{path}: {error}; is it a store of this version of pvcharge?") from error
    try:
        yield Past(reader, zone)
    except sqlite3.Error as error:
        raise UsageError(f"{path}: {error}") from error
    finally:
        reader.close()


def time_range(args: argparse.Namespace, zone: tzinfo, now: datetime) -> tuple[datetime | None, datetime]:
    """Return the range that the command line names; without a beginning it has none.

    Raises:
        UsageError: a time cannot be understood, or the end is not after the beginning.
    """
    start = None if args.start is None else _moment(args.start, "--from", zone, now, days_after=0)
    end = now if args.end is None else _moment(args.end, "--to", zone, now, days_after=1)
    if start is not None and start >= end:
        raise UsageError(f"--from {local(start, zone)} is not before --to {local(end, zone)}")
    return start, end


def local(at: datetime, zone: tzinfo) -> str:
    """Return a time for people."""
    return f"{at.astimezone(zone):%Y-%m-%d %H:%M:%S}"


def _look_for(path: Path) -> None:
    try:
        with path.open("rb"):
            pass
    except FileNotFoundError:
        raise UsageError(
            f"{path}: there is no such file; the daemon (pvcharge run) writes it; --store names another"
        ) from None
    except OSError as error:
        raise UsageError(f"{path}: cannot be read: {error.strerror}") from error


def _moment(text: str, option: str, zone: tzinfo, now: datetime, *, days_after: int) -> datetime:
    """Parse a time. A day stands for its beginning, so many days after it."""
    if text == "now":
        return now
    try:
        if text in WORDS:
            day = now.astimezone(zone).date() + timedelta(days=WORDS[text])
        elif "T" not in text and " " not in text:
            day = date.fromisoformat(text)
        else:
            at = datetime.fromisoformat(text)
            return (at if at.tzinfo else at.replace(tzinfo=zone)).astimezone(UTC)
        return datetime.combine(day + timedelta(days=days_after), time(), zone).astimezone(UTC)
    except (ValueError, OverflowError):
        raise UsageError(
            f"{option} {text}: write it like today, yesterday, 2026-06-15 or 2026-06-15T12:00"
        ) from None
