"""The support file: what helps somebody else to understand a fault, without secrets and whose house it is."""

import asyncio
import csv
import io
import json
import platform
import sqlite3
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from importlib.metadata import PackageNotFoundError, requires, version
from re import match
from typing import IO
from zipfile import ZIP_DEFLATED, ZipFile

from pydantic import JsonValue

from pvcharge import __version__
from pvcharge import log as kept_log
from pvcharge.config import Config
from pvcharge.history.archive import FILE
from pvcharge.history.reading import Reader
from pvcharge.history.rows import from_us, to_us
from pvcharge.model import Clock
from pvcharge.page.asking import UNREADABLE, ask
from pvcharge.page.blur import Blur
from pvcharge.texts import sendable
from pvcharge.web.answers import LogEntry
from pvcharge.web.ports import LearnedPort, LogPort, PortError, SupportFile

LARGEST = 5_000_000  # bytes of the whole
LARGEST_TABLE = 4_000_000  # bytes of a table before it is compressed
BACK = timedelta(days=1)
TABLES = {"readings": "flows", "statuses": "statuses", "decisions": "decisions", "devices": "health"}
LAST_RUNS = 20
_FIRST = "SELECT min(seq) FROM marks WHERE at_us >= ?"
README = """\
What is known of this pvcharge, for somebody who shall find a fault.

versions.json  pvcharge, Python, libraries, system
config.json    the configuration
state.json     what the page shows now
learned.json   what the controller has learned
log.txt        the last events, newest first
readings.csv, statuses.csv, decisions.csv, devices.csv   of the last day, newest first; as much as fits
starts.json    the last starts of the daemon
problems.txt   what could not be packed

Secrets are left out. Names of hosts, addresses, user and site are replaced, each by the same name everywhere;
the place of the house is rounded to whole degrees. What is left are the powers of a house: give the file only
to whom you want to see them.
"""

Row = Sequence[object]


class KeptLog:
    """The log's last lines, as they were kept in memory."""

    @staticmethod
    def entries(limit: int) -> list[LogEntry]:
        """Return up to so many lines, newest first."""
        return [
            LogEntry(
                at=it.at,
                level=it.level,
                event=sendable(it.event),
                fields={sendable(key): sendable(value) for key, value in it.fields.items()},
            )
            for it in kept_log.recent(limit)
        ]


class SupportPacker:
    """Packs the support file, in a thread; one at a time, since each takes a processor and some 20 MB.

    Args:
        config: of the daemon.
        clock: the daemon's time.
        log: the log's last lines.
        state: returns what the page shows, if anything is to be told of it.
        learned: tells what the controller has learned, where there is one.
    """

    def __init__(
        self,
        config: Config,
        clock: Clock,
        log: LogPort,
        state: Callable[[], Mapping[str, JsonValue]] | None = None,
        learned: LearnedPort | None = None,
    ) -> None:
        self._config = config
        self._clock = clock
        self._log = log
        self._state = state
        self._learned = learned
        self._one_at_a_time = asyncio.Lock()

    async def pack(self) -> SupportFile:
        """Return a .zip of at most 5 MB; what cannot be had is told in it."""
        problems: list[str] = []
        tables: dict[str, object] = {"versions": versions(), "config": self._config}
        if self._state is not None:
            tables["state"] = self._state()
        if self._learned is not None:
            try:
                tables["learned"] = await self._learned.learned()
            except PortError as error:
                problems.append(f"learned: {error}")
        entries = self._log.entries(kept_log.KEPT)
        now = self._clock.now()  # here, since a clock of a demo belongs to the event loop
        async with self._one_at_a_time:
            content = await asyncio.to_thread(self._packed, tables, entries, now, problems)
        return SupportFile(f"pvcharge-support-{now:%Y%m%dT%H%M}.zip", content)

    def _packed(
        self,
        tables: Mapping[str, object],
        entries: Sequence[LogEntry],
        now: datetime,
        problems: Sequence[str],
    ) -> bytes:
        blur = Blur(self._config)
        members = {"README.txt": README}
        members |= {f"{name}.json": _json(blur.value(table)) for name, table in tables.items()}
        members["log.txt"] = "\n".join(_line(blur, entry) for entry in entries)[:LARGEST_TABLE]
        room = LARGEST_TABLE
        while True:
            content = io.BytesIO()
            with ZipFile(content, "w", ZIP_DEFLATED) as archive:
                _put(archive, members)
                told = [*problems, *self._put_remembered(archive, blur, now - BACK, room)]
                if told:
                    _put(archive, {"problems.txt": "\n".join(blur.text(problem) for problem in told)})
            if content.tell() <= LARGEST or not room:
                return content.getvalue()
            room //= 2

    def _put_remembered(self, archive: ZipFile, blur: Blur, since: datetime, room: int) -> list[str]:
        """Put in the tables since a time, each of so many bytes at most, and return what went wrong.

        They are written as they are read: a day of them as texts would be many times what all else takes.
        """

        def tell(reader: Reader) -> None:
            ((seq,),) = reader.rows(_FIRST, to_us(since))
            first = reader.last_seq() + 1 if seq is None else seq
            for name, table in TABLES.items():
                with archive.open(f"{name}.csv", "w") as member:
                    _write_csv(member, reader, table, first, blur, room)
            starts = [replace(run, learned=None) for run in reader.runs()[-LAST_RUNS:]]  # it may be long
            _put(archive, {"starts.json": _json(blur.value(starts))})

        try:
            ask(self._config.state_dir / FILE, tell)
        except UNREADABLE as error:
            return [f"history: {error}"]
        return []


def versions() -> dict[str, str]:
    """Return what runs here, by name."""
    found = {
        "pvcharge": __version__,
        "python": sys.version,
        "system": platform.platform(),
        "sqlite": sqlite3.sqlite_version,
    }
    for line in requires("pvcharge") or ():
        name = match(r"[\w.-]+", line)
        if name is not None and "extra ==" not in line:
            found[name[0]] = _version(name[0])
    return found


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "missing"


def _json(value: JsonValue) -> str:
    return json.dumps(value, indent=1, ensure_ascii=False)


def _line(blur: Blur, entry: LogEntry) -> str:
    fields = {key: blur.value(value, key) for key, value in entry.fields.items()}
    told = (f"{key}={value}" for key, value in fields.items())
    return " ".join([entry.at.isoformat(timespec="milliseconds"), entry.level, blur.text(entry.event), *told])


def _write_csv(member: IO[bytes], reader: Reader, table: str, first_seq: int, blur: Blur, room: int) -> None:
    """Write the newest rows of a table, newest first as far as there is room; times are ISO 8601."""
    names = [name for (name,) in reader.rows("SELECT name FROM pragma_table_info(?)", table)]
    query = f"SELECT * FROM {table} WHERE seq >= ? ORDER BY seq DESC"  # noqa: S608 - one of ours
    member.write(f"{','.join(names)}\n".encode())
    for cells in _cells(reader.rows(query, first_seq), names, blur):
        line = io.StringIO()
        csv.writer(line, lineterminator="\n").writerow(cells)
        told = sendable(line.getvalue()).encode()
        room -= len(told)
        if room < 0:
            break
        member.write(told)


def _cells(rows: Iterator[Row], names: Sequence[str], blur: Blur) -> Iterator[list[object]]:
    """Yield rows as they are told; few texts differ, so each is looked at once."""
    known: dict[tuple[str, str], object] = {}

    def told(name: str, value: object) -> object:
        if name.endswith("_us") and isinstance(value, int):
            return from_us(value).isoformat()
        if not isinstance(value, str):
            return value
        if (name, value) not in known:
            inner = json.loads(value) if name == "facts" else value
            blurred = blur.value(inner, name)
            known[name, value] = blurred if isinstance(blurred, str) else json.dumps(blurred)
        return known[name, value]

    for row in rows:
        yield [told(name, value) for name, value in zip(names, row, strict=True)]


def _put(archive: ZipFile, members: Mapping[str, str]) -> None:
    for name, text in members.items():
        archive.writestr(name, sendable(text))
