"""Reads the store, also beside a daemon that writes it. Everything here blocks."""

import heapq
import json
import sqlite3
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path
from typing import Any, Self

from pvcharge.history.rows import OUTLASTING, TABLES, Event, Table, from_us, to_us
from pvcharge.history.schema import migrations, version_of
from pvcharge.model import EnergyTotals

BUSY_S = 5.0  # for another process that is writing just now
PRUNED = [table for kind, table in TABLES.items() if kind not in OUTLASTING]  # by the retention

Entry = tuple[int, Event]

_ENERGIES = "pv_wh, import_wh, export_wh, battery_in_wh, battery_out_wh, charger_wh"
_TOTALS = f"SELECT {_ENERGIES} FROM counters"
_FIVE_MINUTES = (
    f"SELECT at_us, filled, {_ENERGIES}, covered_s "
    "FROM five_minutes WHERE at_us >= ? AND at_us < ? ORDER BY at_us"
)
_DAYS = f"SELECT day, filled, {_ENERGIES}, covered_s FROM days WHERE day >= ? AND day < ? ORDER BY day"


@dataclass(frozen=True, slots=True)
class Run:
    """A start of the daemon, with the settings that its controller had: JSON as pydantic writes it.

    `learned` is what an earlier one had learned and this one recalled, as JSON; None if that was nothing, or
    if all events of the run have been deleted for their age.
    """

    id: int
    started_at: datetime
    first_seq: int
    version: str
    settings: str
    learned: str | None = None


@dataclass(frozen=True, slots=True)
class Backlog:
    """What a reader with a cursor has still to come, and how much it has lost to the retention."""

    events: int
    oldest: datetime | None
    dropped: int


@dataclass(frozen=True, slots=True)
class EnergyRow:
    """Energies of an interval in Wh; `filled` where a gap was filled afterwards from the inverter's cloud."""

    start: datetime | date
    filled: bool
    pv_wh: float
    import_wh: float
    export_wh: float
    battery_in_wh: float
    battery_out_wh: float
    charger_wh: float
    covered_s: float  # of the interval, by readings of an inverter


class Reader:
    """An open store. All methods raise `sqlite3.Error` where the file is broken.

    Args:
        connection: to a file of today's version.
    """

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    @classmethod
    def open(cls, path: Path) -> Self:
        """Open a file for reading.

        Raises:
            NewerFileError: it is of a later version.
            sqlite3.Error: there is no such file, or it is no store of today's version.
        """
        connection = connect(path, "ro")
        try:
            _check_today(connection)
            return cls(connection)
        except BaseException:
            connection.close()
            raise

    def close(self) -> None:
        """Close the file."""
        self._connection.close()

    def events(
        self, first_seq: int = 0, last_seq: int | None = None, kinds: Iterable[type[Event]] = TABLES
    ) -> Iterator[Entry]:
        """Yield numbers and events of these kinds in their order."""
        last = self.last_seq() if last_seq is None else last_seq
        return _merged([self._rows(TABLES[kind], first_seq, last) for kind in kinds])

    def last_seq(self) -> int:
        """Return the number of the last event, 0 if there is none."""
        return max(self._number(table.highest) or 0 for table in TABLES.values())

    def seq_at(self, at: datetime) -> int:
        """Return a number not above that of whatever was seen from this time on."""
        return self._number("SELECT max(seq) FROM marks WHERE at_us <= ?", to_us(at)) or 0

    def runs(self) -> list[Run]:
        """Return all starts of the daemon, in order."""
        rows = self._connection.execute(
            "SELECT id, started_us, first_seq, version, settings, learned FROM runs ORDER BY id"
        )
        return [Run(number, from_us(at_us), *rest) for number, at_us, *rest in rows]

    def totals(self, at: datetime) -> EnergyTotals:
        """Return the energies counted up to now."""
        return EnergyTotals(at, *self._connection.execute(_TOTALS).fetchone())

    def five_minutes(self, start: datetime, end: datetime) -> list[EnergyRow]:
        """Return the energies of the five minutes that begin in [start, end)."""
        rows = self._connection.execute(_FIVE_MINUTES, (to_us(start), to_us(end)))
        return [EnergyRow(from_us(at_us), bool(filled), *energies) for at_us, filled, *energies in rows]

    def covered(self, start: datetime, end: datetime) -> set[datetime]:
        """Return the beginnings of the five minutes in [start, end) of which readings tell something."""
        query = "SELECT at_us FROM five_minutes WHERE at_us >= ? AND at_us < ? AND covered_s > 0"
        return {from_us(at_us) for (at_us,) in self._connection.execute(query, (to_us(start), to_us(end)))}

    def days(self, start: date, end: date) -> list[EnergyRow]:
        """Return the energies of the local days in [start, end)."""
        rows = self._connection.execute(_DAYS, (start.isoformat(), end.isoformat()))
        return [
            EnergyRow(date.fromisoformat(day), bool(filled), *energies) for day, filled, *energies in rows
        ]

    def rows(self, query: str, *parameters: object) -> Iterator[tuple[Any, ...]]:
        """Yield what a SELECT finds, for a question that a single place asks."""
        yield from self._connection.execute(query, parameters)

    def state(self, name: str) -> dict[str, Any] | None:
        """Return a JSON document as last written."""
        row = self._connection.execute("SELECT document FROM states WHERE name = ?", (name,)).fetchone()
        document: dict[str, Any] | None = json.loads(row[0]) if row else None
        return document

    def unsent(self, name: str, limit: int) -> list[Entry]:
        """Return the events above a cursor, at most so many."""
        first, last = self._cursor(name) + 1, self.last_seq()
        merged = _merged([self._rows(table, first, last, limit) for table in TABLES.values()])
        return [entry for entry, _ in zip(merged, range(limit), strict=False)]

    def backlog(self, name: str) -> Backlog:
        """Return what a reader with a cursor has still to come."""
        first = max(self._cursor(name) + 1, self._oldest_seq())
        waiting = self.last_seq() + 1 - first
        dropped = self._number("SELECT dropped FROM cursors WHERE name = ?", name) or 0
        at_us = self._number("SELECT max(at_us) FROM marks WHERE seq <= ?", first) if waiting else None
        return Backlog(waiting, None if at_us is None else from_us(at_us), dropped)

    def _rows(self, table: Table, first: int, last: int, limit: int = -1) -> Iterator[Entry]:
        rows = self._connection.execute(table.select, (first, last, limit))
        return ((seq, _event(table, seq, values)) for seq, *values in rows)

    def _cursor(self, name: str) -> int:
        return self._number("SELECT seq FROM cursors WHERE name = ?", name) or 0

    def _oldest_seq(self) -> int:
        """Return the lowest number of what the retention deletes; one above the last if there is nothing."""
        oldest = (self._number(table.lowest) for table in PRUNED)
        return min((seq for seq in oldest if seq is not None), default=self.last_seq() + 1)

    def _number(self, query: str, *parameters: object) -> int | None:
        row = self._connection.execute(query, parameters).fetchone()
        return None if row is None or row[0] is None else int(row[0])


def _event(table: Table, seq: int, values: list[Any]) -> Event:
    """Return what a row tells.

    Raises:
        sqlite3.DatabaseError: nothing that makes sense, as when others, or a bad disk, have written there.
    """
    try:
        return table.from_row(*values)
    except (ValueError, TypeError, OverflowError, RecursionError) as error:
        raise sqlite3.DatabaseError(f"event {seq} makes no sense ({type(error).__name__})") from error


def connect(path: Path, mode: str) -> sqlite3.Connection:
    """Open a file that is there; `mode` is `rw` or `ro`. Whoever uses it sees to one thread at a time."""
    uri = f"{path.absolute().as_uri()}?mode={mode}"
    return sqlite3.connect(uri, uri=True, timeout=BUSY_S, isolation_level=None, check_same_thread=False)


def _check_today(connection: sqlite3.Connection) -> None:
    if version_of(connection) < len(migrations()):
        raise sqlite3.DatabaseError("file is of an older version; start the daemon once")


def _merged(tables: list[Iterator[Entry]]) -> Iterator[Entry]:
    return heapq.merge(*tables, key=lambda entry: entry[0])
