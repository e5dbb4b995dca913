"""The embedded store: one SQLite file, one writer. Everything here blocks; see `pvcharge.history.archive`.

What a transaction has committed survives kill -9. After a power cut the last seconds may be missing, and
never more (WAL with synchronous = NORMAL).
"""

import json
import sqlite3
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta, tzinfo
from pathlib import Path
from typing import Any, Self

from pvcharge.history.reading import PRUNED, Reader, connect
from pvcharge.history.rows import LAST_IS_KEPT, TABLES, Event, from_us, to_us
from pvcharge.history.schema import migrate
from pvcharge.model import EnergyTotals

CHUNK = 5000  # numbers whose rows are deleted, and pages that are freed, in one go
A_DAY = timedelta(days=1)
WRONG_BEFORE = datetime(2026, 1, 1, tzinfo=UTC)  # as a computer without a battery begins

# Wh in the order of `EnergyTotals`, then the seconds that readings of an inverter cover.
Energies = tuple[float, float, float, float, float, float, float]

NOTHING: Energies = (0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0)
_CHARGER = 5  # the one of them that comes of no reading

_NAMES = ("pv_wh", "import_wh", "export_wh", "battery_in_wh", "battery_out_wh", "charger_wh")
_COUNT = f"UPDATE counters SET {', '.join(f'{name} = {name} + ?' for name in _NAMES)}"


def plus(some: Energies, more: Energies) -> Energies:
    """Return the sums."""
    pv, imported, exported, battery_in, battery_out, charger, covered_s = some
    return (
        pv + more[0],
        imported + more[1],
        exported + more[2],
        battery_in + more[3],
        battery_out + more[4],
        charger + more[5],
        covered_s + more[6],
    )


def _add(table: str, key: str) -> str:
    """Return the statement that adds energies to those of an interval."""
    names = (*_NAMES, "covered_s")
    sums = ", ".join(f"{name} = {name} + excluded.{name}" for name in names)
    return (
        f"INSERT INTO {table} ({key}, filled, {', '.join(names)}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?) "
        f"ON CONFLICT ({key}) DO UPDATE SET filled = max(filled, excluded.filled), {sums}"
    )


_ADD_FIVE_MINUTES, _ADD_DAY = _add("five_minutes", "at_us"), _add("days", "day")


@dataclass(slots=True)
class Batch:
    """What is written in one transaction: all of it or nothing.

    Attributes:
        at: when it was gathered.
        events: in the order in which they were seen.
        five_minutes: energies by the beginning of the five minutes.
        zone: of the site, for its days.
        states: JSON documents by name, which replace those of before.
        filled: whether the energies fill a gap afterwards.
    """

    at: datetime
    events: Sequence[Event] = ()
    five_minutes: Mapping[datetime, Energies] = field(default_factory=dict)
    zone: tzinfo = UTC
    states: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    filled: bool = False


class Store(Reader):
    """An open store that can be written. All methods raise `sqlite3.Error` where file or disk are broken."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        super().__init__(connection)
        self._last_seq = super().last_seq()

    @classmethod
    def open(cls, path: Path) -> Self:
        """Open a file; where there is none it is made, readable by its owner only.

        Raises:
            NewerFileError: the file is from a later version.
            OSError: the folder or file cannot be made.
            sqlite3.Error: it cannot be written, is damaged, or none of ours.
        """
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        path.touch(mode=0o600)
        connection = connect(path, "rw")
        try:
            migrate(connection)
            connection.execute("PRAGMA journal_mode = WAL")
            connection.execute("PRAGMA synchronous = NORMAL")
            return cls(connection)
        except BaseException:
            connection.close()
            raise

    def last_seq(self) -> int:
        """Return the number of the last event, 0 if there is none."""
        return self._last_seq

    def begin_run(self, at: datetime, version: str, settings: str, learned: str | None = None) -> None:
        """Note that a daemon has started.

        Args:
            at: when.
            version: the daemon's.
            settings: of its controller, as JSON.
            learned: all that its controller knows of what was before, as JSON; None if it knows nothing.
        """
        with self._transaction():
            self._connection.execute(
                "INSERT INTO runs (started_us, first_seq, version, settings, learned) VALUES (?, ?, ?, ?, ?)",
                (to_us(at), self._last_seq + 1, version, settings, learned),
            )

    def write(self, batch: Batch) -> EnergyTotals:
        """Write a batch, and return the energies counted up to now."""
        with self._transaction():
            self._write_events(batch)
            self._write_energies(batch)
            states = ((name, json.dumps(document)) for name, document in batch.states.items())
            self._connection.executemany("INSERT OR REPLACE INTO states VALUES (?, ?)", states)
        self._last_seq += len(batch.events)
        return self.totals(batch.at)

    def set_cursor(self, name: str, seq: int) -> None:
        """Note up to where a reader has got; it never goes back."""
        with self._transaction():
            self._connection.execute(
                "INSERT INTO cursors (name, seq) VALUES (?, ?) "
                "ON CONFLICT (name) DO UPDATE SET seq = max(seq, excluded.seq)",
                (name, seq),
            )

    def no_more_than_a_day(
        self, events_before: datetime, five_minutes_before: datetime
    ) -> tuple[datetime, datetime]:
        """Return limits for `prune` that delete a day of each at most.

        To a clock that is wrong by years all is old, and it may be put right within the hour.
        """
        oldest_us = self._number("SELECT at_us FROM marks ORDER BY seq LIMIT 1")
        oldest_sums_us = self._number("SELECT min(at_us) FROM five_minutes")
        return _a_day_after(oldest_us, events_before), _a_day_after(oldest_sums_us, five_minutes_before)

    def prune(
        self, events_before: datetime, five_minutes_before: datetime, now: datetime | None = None
    ) -> bool:
        """Delete some of what is older, and return whether there is more; sessions and days stay for ever.

        What a clock has written that was ahead of `now` is as old as what was written after it.
        """
        # What was written before a mark is older than it; a minute is as exact as marks are.
        after_us = to_us(events_before - timedelta(minutes=1))
        first = "SELECT min(seq) FROM marks WHERE at_us > ?"
        keep_from = None
        if now is not None and now > WRONG_BEFORE:
            keep_from = self._number(f"{first} AND at_us < ?", after_us, to_us(now + A_DAY))
        keep_from = self._number(first, after_us) if keep_from is None else keep_from
        keep_from = self._last_seq + 1 if keep_from is None else keep_from
        oldest = self._oldest_seq()
        until = min(keep_from, oldest + CHUNK)
        with self._transaction():
            if until > oldest:
                self._note_losses(oldest, until)
                for table in PRUNED:
                    self._connection.execute(table.delete, (until,))
                for kind in LAST_IS_KEPT:
                    self._connection.execute(TABLES[kind].delete_but_last, (until,))
                # What was recalled at the start of a run of which nothing is left helps nobody any more.
                self._connection.execute(
                    "UPDATE runs SET learned = NULL WHERE learned IS NOT NULL "
                    "AND id < (SELECT max(id) FROM runs WHERE first_seq <= ?)",
                    (until,),
                )
                # One mark stays at or below what is left, so that its time can still be looked up.
                self._connection.execute(
                    "DELETE FROM marks WHERE seq < (SELECT max(seq) FROM marks WHERE seq <= ?)", (until,)
                )
            self._connection.execute(
                "DELETE FROM five_minutes WHERE at_us < ?", (to_us(five_minutes_before),)
            )
        # As a script, since `execute` would free a single page of them.
        self._connection.executescript(f"PRAGMA incremental_vacuum({CHUNK})")
        return until < keep_from

    def _write_events(self, batch: Batch) -> None:
        if not batch.events:
            return
        first = self._last_seq + 1
        # Once a minute, so that a time can be looked up.
        minute_us = to_us(batch.at.replace(second=0, microsecond=0))
        self._connection.execute("INSERT OR IGNORE INTO marks VALUES (?, ?)", (minute_us, first))
        rows: dict[type[Event], list[tuple[Any, ...]]] = {}
        for seq, event in enumerate(batch.events, first):
            rows.setdefault(type(event), []).append((seq, *TABLES[type(event)].to_row(event)))
        for kind, of_kind in rows.items():
            self._connection.executemany(TABLES[kind].insert, of_kind)

    def _write_energies(self, batch: Batch) -> None:
        """Add energies to those of their five minutes, of their days, and of all time.

        Readings that tell late of what has been filled meanwhile count nothing; the charger always does.
        """
        filled = set() if batch.filled else self._filled(batch.five_minutes)
        five_minutes = {
            at: (0.0, 0.0, 0.0, 0.0, 0.0, energies[_CHARGER], 0.0) if at in filled else energies
            for at, energies in batch.five_minutes.items()
        }
        days: dict[date, Energies] = {}
        for at, energies in five_minutes.items():
            day = at.astimezone(
                batch.zone
            ).date()  # no day of any zone begins within five minutes of the clock
            days[day] = plus(days.get(day, NOTHING), energies)
        mark = int(batch.filled)
        rows = ((to_us(at), mark, *energies) for at, energies in five_minutes.items())
        self._connection.executemany(_ADD_FIVE_MINUTES, rows)
        of_days = ((day.isoformat(), mark, *energies) for day, energies in days.items())
        self._connection.executemany(_ADD_DAY, of_days)
        self._connection.executemany(_COUNT, (energies[:-1] for energies in days.values()))

    def _filled(self, five_minutes: Iterable[datetime]) -> set[datetime]:
        """Return which of these have been filled from the inverter's cloud."""
        query = "SELECT 1 FROM five_minutes WHERE at_us = ? AND filled"
        return {at for at in five_minutes if self._number(query, to_us(at))}

    def _note_losses(self, oldest: int, until: int) -> None:
        """Count what readers with a cursor have not read, and move them past it."""
        self._connection.execute(
            "UPDATE cursors SET dropped = dropped + ? - max(seq + 1, ?), seq = ? - 1 WHERE seq < ? - 1",
            (until, oldest, until, until),
        )

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        self._connection.execute("BEGIN IMMEDIATE")
        try:
            yield
            self._connection.execute("COMMIT")
        except BaseException:
            if self._connection.in_transaction:
                self._connection.execute("ROLLBACK")
            raise


def _a_day_after(oldest_us: int | None, limit: datetime) -> datetime:
    return limit if oldest_us is None else min(limit, from_us(oldest_us) + A_DAY)
