"""What is remembered, as the page asks for it. Days and months are those of the site's zone."""

import asyncio
from collections.abc import Callable
from datetime import date, datetime, timedelta
from typing import TypeVar

import structlog

from pvcharge.config import Config
from pvcharge.history import sums
from pvcharge.history.archive import FILE
from pvcharge.history.reading import EnergyRow, Reader
from pvcharge.history.rows import TABLES, to_us
from pvcharge.model import Clock, Session
from pvcharge.page.asking import UNREADABLE, ask
from pvcharge.page.day import ONE_DAY, LocalDay, battery_seen, begin_of, day_of, energies, first_day, kwh
from pvcharge.web import answers
from pvcharge.web.ports import By, PastError

_SESSIONS = "FROM sessions WHERE started_us >= ? AND started_us < ?"
_EVER_US = 1 << 62  # SQLite's numbers end at 1 << 63
MOST_WAITING = 32  # questions; a page asks a handful at a time

T = TypeVar("T")

log = structlog.get_logger(__name__)


class StoredPast:
    """Answers from the store, beside the daemon that writes it.

    Each question opens the file for reading only, in a thread: neither the event loop nor whoever writes
    waits for it. One question is answered at a time, so that many of them take no more than one processor,
    and only so many wait: behind a file that is locked, each takes seconds.

    Args:
        config: where the store is, and where the site.
        clock: the daemon's time.
    """

    def __init__(self, config: Config, clock: Clock) -> None:
        self._path = config.state_dir / FILE
        self._zone = config.site.zone
        self._voltage_v = config.control.voltage_v
        self._clock = clock
        self._turn = asyncio.Lock()
        self._asked = 0  # questions that are not answered yet
        self._failing: set[str] = set()  # questions whose last answer was none

    async def day(self, day: date | None) -> answers.Day:
        """Return a day; None is today.

        Raises:
            PastError: the history cannot be read.
        """
        now = self._clock.now()
        chosen = LocalDay.of(self._today(now) if day is None else day, self._zone, now)
        return await self._ask("day", lambda reader: day_of(reader, chosen, self._voltage_v))

    async def energy(self, by: By, start: date, end: date) -> answers.Energy:
        """Return energies by day or month from `start` to before `end`.

        Raises:
            PastError: the history cannot be read.
        """
        now = self._clock.now()  # here, since a clock of a demo belongs to the event loop
        until = min(end, self._today(now) + ONE_DAY)

        def tell(reader: Reader) -> answers.Energy:
            found = reader.days(start, end)
            rows = found if by == "day" else sums.by_month(found)
            has_battery = battery_seen(reader)
            return answers.Energy(
                by=by,
                rows=[
                    answers.EnergyRow(
                        start=first_day(row),
                        covered=self._covered(row, by, start, until, now),
                        filled=row.filled,
                        **energies(row, has_battery=has_battery).model_dump(),
                    )
                    for row in rows
                ],
            )

        return await self._ask("energy", tell)

    async def sessions(self, start: date | None, end: date | None, limit: int | None) -> answers.Sessions:
        """Return sessions begun from `start` to before `end`, newest first; None leaves a bound away.

        Raises:
            PastError: the history cannot be read.
        """
        bounds_us = (
            -_EVER_US if start is None else to_us(begin_of(start, self._zone)),
            _EVER_US if end is None else to_us(begin_of(end, self._zone)),
        )
        most = -1 if limit is None else limit

        def tell(reader: Reader) -> answers.Sessions:
            query = f"SELECT * {_SESSIONS} ORDER BY started_us DESC, seq DESC LIMIT ?"
            found = list(reader.rows(query, *bounds_us, most))
            sessions = (TABLES[Session].from_row(*row) for _, *row in found)
            rows = [answers.SessionRow.of(it) for it in sessions if isinstance(it, Session)]
            ((total,),) = reader.rows(f"SELECT count(*) {_SESSIONS}", *bounds_us)
            return answers.Sessions(sessions=rows, total=total)

        return await self._ask("sessions", tell)

    async def savings(self) -> answers.Savings:
        """Return what this month, this year and all of the time have brought.

        Raises:
            PastError: the history cannot be read.
        """
        today = self._today(self._clock.now())
        month, year = (
            begin_of(first, self._zone) for first in (today.replace(day=1), date(today.year, 1, 1))
        )

        def tell(reader: Reader) -> answers.Savings:
            return answers.Savings(
                month=_saved(sums.saved(reader, to_us(month))),
                year=_saved(sums.saved(reader, to_us(year))),
                all=_saved(sums.saved(reader, -_EVER_US)),
            )

        return await self._ask("savings", tell)

    async def _ask(self, name: str, question: Callable[[Reader], T]) -> T:
        if self._asked >= MOST_WAITING:
            raise PastError("too many questions wait for the history; ask again in some seconds")
        self._asked += 1
        try:
            async with self._turn:
                answer = await asyncio.to_thread(ask, self._path, question)
        except UNREADABLE as error:
            self._note_failure(name, error)
            raise PastError(f"the history cannot be read now: {error}") from error
        finally:
            self._asked -= 1
        if answer is None:
            raise PastError("nothing is remembered yet; ask again in a minute")
        self._note_success(name)
        return answer

    def _note_failure(self, name: str, error: Exception) -> None:
        if not self._failing:
            log.warning("history cannot be read for the page", file=str(self._path), error=repr(error))
        self._failing.add(name)

    def _note_success(self, name: str) -> None:
        if name in self._failing:
            self._failing.discard(name)
            if not self._failing:
                log.info("history can be read for the page again", file=str(self._path))

    def _today(self, now: datetime) -> date:
        return now.astimezone(self._zone).date()

    def _covered(self, row: EnergyRow, by: By, start: date, until: date, now: datetime) -> float:
        """Return how much is known of those of its days that were asked for, as far as they have passed."""
        first = first_day(row)
        last = first + ONE_DAY if by == "day" else _next_month(first)
        begin, end = (begin_of(day, self._zone) for day in (max(first, start), min(last, until)))
        whole_s = (min(end, now) - begin).total_seconds()
        return round(min(1.0, row.covered_s / whole_s), 4) if whole_s > 0 else 1.0


def _next_month(first: date) -> date:
    return (first + timedelta(days=31)).replace(day=1)


def _saved(of: sums.Saved) -> answers.SavedIn:
    return answers.SavedIn(
        sessions=of.sessions,
        energy_kwh=kwh(of.energy_wh),
        solar_kwh=kwh(of.solar_wh),
        cost=round(of.cost, 4),
        saved=round(of.saved, 4),
    )
