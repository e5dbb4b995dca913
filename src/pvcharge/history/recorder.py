"""Keeps what the feed brings: events in their order, energies, sessions. Control never waits for it."""

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta, tzinfo
from itertools import islice
from typing import Any, Protocol

import structlog

from pvcharge.history.archive import Archive
from pvcharge.history.belief import Belief
from pvcharge.history.buckets import Buckets
from pvcharge.history.energy import EnergyMeter
from pvcharge.history.errors import StoreError
from pvcharge.history.rows import TABLES, Event
from pvcharge.history.sessions import Prices, SessionTracker
from pvcharge.history.settings import HistorySettings
from pvcharge.history.store import Batch, Store
from pvcharge.model import Clock, Decision, DeviceHealth, EnergyTotals, PowerFlow, Session

log = structlog.get_logger(__name__)

NAME = "history"  # as health is told of it
WRITE_EVERY_S = 2.0  # real seconds: the most that kill -9 loses
LOAD_S = 5.0  # real seconds for a slow disk to bring what was counted before
GOODBYE_S = 3.0  # real seconds for the last write
MOST_AT_ONCE = 5000  # events in one transaction
MOST_WAITING = 50_000  # events in memory while the disk is broken; the oldest give way
RETRY_CAP_S = 60.0
TOTALS_EVERY_S = 30.0
SAME_HEALTH_EVERY_S = 600.0
CLOCK_IS_RIGHT_S = 900.0  # after the start, or never
PRUNE_EVERY_S = 3600.0
PRUNE_PAUSE_S = 0.2  # real seconds, for whoever else wants the disk


@dataclass(frozen=True, slots=True)
class About:
    """What is written down of a daemon's start: its version, and of its controller as JSON the rest.

    `settings` are those in force then, `learned` is what it recalled; None if it knew nothing.
    """

    version: str
    settings: str
    learned: str | None = None


class Events(Protocol):
    """A subscription of the feed."""

    dropped: int  # events that it has lost, because we were too slow

    def __aiter__(self) -> AsyncIterator[object]:
        """Yield the events."""
        ...


class Recorder:
    """Follows the feed, and writes what it brings in batches.

    What the disk does not take waits in memory, up to a bound; the user is told, and control goes on.

    Args:
        archive: where to write.
        clock: the daemon's time.
        events: a subscription of the feed.
        publish: tells the feed of energies, of sessions that have ended, and of the store's health.
        about: of this start of the daemon.
        settings: how long what is kept.
        prices: of energy, for the sessions.
        zone: of the site, for its days.
    """

    def __init__(
        self,
        archive: Archive,
        clock: Clock,
        events: Events,
        publish: Callable[[EnergyTotals | Session | DeviceHealth], None],
        *,
        about: About,
        settings: HistorySettings,
        prices: Prices,
        zone: tzinfo,
    ) -> None:
        self._archive = archive
        self._clock = clock
        self._events = events
        self._publish = publish
        self._about = about
        self._settings = settings
        self._prices = prices
        self._belief = Belief()
        self._meter = EnergyMeter()
        self._sessions = SessionTracker(prices)
        self._waiting: deque[Event] = deque()
        self._buckets, self._zone = Buckets(), zone
        self._started_at = clock.now()
        self._noted_in: Store | None = None  # where this start has been written down
        self._written = 0  # events in the present file
        self._lost = 0  # events that a replay of the present file will miss
        self._failures = 0
        self._dropped = 0
        self._since = clock.now()
        self._totals_at: datetime | None = None
        self._writing: asyncio.Task[bool] | None = None
        self._health: dict[str, DeviceHealth] = {}  # as kept last, by device

    async def run(self) -> None:
        """Record until cancelled, then write what is left."""
        try:
            await self._load()
        except asyncio.CancelledError:  # nothing has come in yet that could be written
            with suppress(TimeoutError):
                async with asyncio.timeout(GOODBYE_S):
                    await self._archive.aclose()
            raise
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(self._follow(), name="history: follow")
                group.create_task(self._write(), name="history: write")
                group.create_task(self._prune(), name="history: prune")
                group.create_task(self._come_back_from_future(), name="history: clock")
        except asyncio.CancelledError:
            await self._say_goodbye()
            raise

    async def _load(self) -> None:
        """Go on counting where an earlier daemon has stopped."""

        def load(store: Store) -> tuple[dict[str, Any] | None, dict[str, Any] | None]:
            return store.state("energy"), store.state("session")

        try:
            async with asyncio.timeout(LOAD_S):
                energy, session = await self._archive.call(load)
            self._meter = EnergyMeter(energy)
            self._sessions = SessionTracker(self._prices, session)
        except (StoreError, TimeoutError) as error:
            self._failed(str(error) or f"no answer within {LOAD_S:g} s")
        except ValueError as error:
            log.warning("counting begins anew", error=str(error))

    async def _come_back_from_future(self) -> None:
        """Count anew what a clock that was ahead has counted up to a time yet to come.

        At first ours may be the wrong one: a computer without a battery hears the time from the network.
        """
        await self._clock.sleep(CLOCK_IS_RIGHT_S)
        now = self._clock.now()
        until = max(filter(None, (self._meter.until, self._sessions.until)), default=now)
        if until - now > timedelta(seconds=CLOCK_IS_RIGHT_S):
            log.warning("the clock was ahead; counting begins anew", until=until)
            self._meter, self._sessions = EnergyMeter(), SessionTracker(self._prices)

    async def _follow(self) -> None:
        async for event in self._events:
            if type(event) in TABLES:
                self._take(event)  # type: ignore[arg-type]

    def _take(self, event: Event) -> None:
        if isinstance(event, DeviceHealth) and self._is_repeat(event):
            return
        if len(self._waiting) >= MOST_WAITING:
            self._waiting.popleft()
            self._dropped += 1
        self._waiting.append(event)
        if isinstance(event, Decision):
            self._belief.take(event)
        if not isinstance(event, PowerFlow) or self._belief.counts(event):
            self._count(event)

    def _count(self, event: Event) -> None:
        for increment in self._meter.take(event):
            self._buckets.add(increment)
        ended = self._sessions.take(event)
        if ended is not None:
            self._publish(ended)

    def _is_repeat(self, health: DeviceHealth) -> bool:
        """Whether it tells nothing that is worth a row: a device says that it is well at every reading."""
        kept = self._health.get(health.name)
        same = kept is not None and (kept.ok, kept.error) == (health.ok, health.error)
        if kept is not None and same and (health.at - kept.at).total_seconds() < SAME_HEALTH_EVERY_S:
            return True
        self._health[health.name] = health
        return False

    async def _write(self) -> None:
        while True:
            await asyncio.sleep(min(RETRY_CAP_S, WRITE_EVERY_S * 2 ** min(self._failures, 10)))
            while await self._write_some() and len(self._waiting) >= MOST_AT_ONCE:
                pass

    async def _write_some(self) -> bool:
        """Write what waits, up to a bound, and return whether the disk took it.

        A write that has begun goes on to its end when we are cancelled: what it has written must not be
        written again.
        """
        self._writing = asyncio.create_task(self._write_batch(), name="history: batch")
        return await asyncio.shield(self._writing)

    async def _write_batch(self) -> bool:
        now = self._clock.now()
        events, buckets = list(islice(self._waiting, MOST_AT_ONCE)), self._buckets.take()
        dropped = self._dropped
        states = {"energy": self._meter.state(), "session": self._sessions.state()}
        batch = Batch(now, events, buckets, self._zone, states)
        try:
            totals = await self._archive.call(lambda store: self._put(store, batch))
        except StoreError as error:
            self._buckets.put_back(buckets)
            self._failed(str(error))
            return False
        for _ in range(len(events) - (self._dropped - dropped)):
            self._waiting.popleft()
        self._succeeded()
        self._tell(totals)
        return True

    def _put(self, store: Store, batch: Batch) -> EnergyTotals:
        """Write a batch, the first one of a file after a note of our start; in the archive's thread."""
        if self._noted_in is not store:
            runs = store.runs()
            if not runs or runs[-1].started_at != self._started_at:
                about = self._about
                store.begin_run(self._started_at, about.version, about.settings, about.learned)
                self._lost += self._written  # what stands in a file that has been set aside
                self._written = 0
            self._noted_in = store
        totals = store.write(batch)
        self._written += len(batch.events)
        return totals

    def _tell(self, totals: EnergyTotals) -> None:
        if self._totals_at is None or (totals.at - self._totals_at).total_seconds() >= TOTALS_EVERY_S:
            self._totals_at = totals.at
            self._publish(totals)

    def _failed(self, error: str) -> None:
        now = self._clock.now()
        if not self._failures:
            self._since = now
            log.error("history is not written; control goes on, events wait in memory", error=error)
        self._failures += 1
        self._publish_health(error)

    def _succeeded(self) -> None:
        if self._failures or self._totals_at is None:
            if self._failures:
                log.info("history is written again", failures=self._failures, dropped=self._dropped)
            self._failures, self._since = 0, self._clock.now()
            self._publish_health(None)

    def _publish_health(self, error: str | None) -> None:
        dropped = self._dropped + self._lost + self._events.dropped
        facts: dict[str, float | str] = {"waiting": len(self._waiting), "dropped": dropped}
        now = self._clock.now()
        self._publish(DeviceHealth(NAME, now, ok=error is None, since=self._since, error=error, facts=facts))

    async def _prune(self) -> None:
        while True:
            await self._clock.sleep(PRUNE_EVERY_S)
            now, keep = self._clock.now(), self._settings
            old = now - timedelta(days=keep.raw_days), now - timedelta(days=keep.five_minute_days)
            more = True
            try:
                before = await self._archive.call(lambda store: store.no_more_than_a_day(*old))  # noqa: B023 - at once
                while more:
                    more = await self._archive.call(lambda store: store.prune(*before, now))  # noqa: B023 - at once
                    await asyncio.sleep(PRUNE_PAUSE_S)
            except StoreError as error:
                log.debug("history not pruned", error=str(error))  # the next write will tell

    async def _say_goodbye(self) -> None:
        try:
            async with asyncio.timeout(GOODBYE_S):
                if self._writing is not None:
                    await self._writing
                while await self._write_some() and self._waiting:
                    pass
                await self._archive.aclose()
        except TimeoutError:
            log.warning("history not written to its end", events=len(self._waiting))
