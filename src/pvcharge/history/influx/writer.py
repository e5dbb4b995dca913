"""Sends what the store holds to InfluxDB or VictoriaMetrics, in batches and in order.

The store is the spool: what is above its cursor `influxdb` is sent, and sent again after a crash of whomever.
A point that is there already is overwritten by itself, so nothing is there twice (VictoriaMetrics needs
`-dedup.minScrapeInterval=1ms` for that). The cursor moves when what was acknowledged has settled; after a
failure, or when the server may have died, all from the cursor on is sent again: a little more than
what came in within `settle_s`.
"""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import islice

import structlog

from pvcharge.history.archive import Archive
from pvcharge.history.errors import StoreError
from pvcharge.history.influx.condition import NAME, Condition, Figures, Timing
from pvcharge.history.influx.points import Lines, Point, line
from pvcharge.history.influx.server import RejectionError, Server, WriteError
from pvcharge.history.influx.settings import InfluxSettings
from pvcharge.history.influx.settling import Settling
from pvcharge.history.reading import Entry
from pvcharge.history.rows import Event
from pvcharge.history.store import Store
from pvcharge.model import (
    ChargerStatus,
    Clock,
    Decision,
    DeviceHealth,
    EnergyTotals,
    PowerFlow,
    Session,
)

log = structlog.get_logger(__name__)

# What makes points; of the rest only the numbers count.
_KINDS: tuple[type[Event], ...] = (PowerFlow, ChargerStatus, Decision, DeviceHealth, EnergyTotals, Session)

NumberedLine = tuple[int, str]  # with the number of the event that it is made of


@dataclass(frozen=True, slots=True)
class _Batch:
    """What comes next in the store.

    Attributes:
        after: the number before it.
        entries: what makes points.
        reached: the last number that it covers.
        last: the last number in the store.
        lost: events that had to be forgotten before they could be sent.
    """

    after: int
    entries: Sequence[Entry]
    reached: int
    last: int
    lost: int


class InfluxWriter:
    """Sends until cancelled; what goes wrong is logged and told of, and never raised.

    Args:
        settings: which server.
        archive: the store.
        clock: the daemon's time.
        tell: takes our health.
        site: the site's name.
        charger: the charger's configured name.
        timing: waits in real seconds.
    """

    def __init__(
        self,
        settings: InfluxSettings,
        archive: Archive,
        clock: Clock,
        tell: Callable[[DeviceHealth], None],
        *,
        site: str,
        charger: str,
        timing: Timing | None = None,
    ) -> None:
        self._settings = settings
        self._archive = archive
        self._clock = clock
        self._site = site
        self._charger = charger
        self._server = Server(settings)
        self._settling = Settling(settings.settle_s)
        self._condition = Condition(settings.url, clock, tell, timing or Timing())
        self._figures = Figures()
        self._lines = Lines(site, charger)
        self._store: Store | None = None
        self._position = 0  # the last number that was acknowledged; 0 = as the cursor says
        self._furthest = 0  # that it has ever been
        self._rejected: dict[str, int] = {}  # lines that are not sent again, with their numbers
        self._complained: set[str] = set()  # measurements of whose rejected points the log knows

    async def run(self) -> None:
        """Send what is in the store and what comes in, until cancelled."""
        try:
            while True:
                try:
                    await self._server.open()
                    more = await self._send_some()
                except (WriteError, StoreError) as error:
                    if isinstance(error, WriteError) and error.broken:
                        self._go_back()
                    await asyncio.sleep(self._condition.failed(error, self._figures))
                    continue
                self._condition.succeeded(self._figures)
                if not more:
                    await self._clock.sleep(self._settings.flush_s)
        finally:
            await self._server.close()

    async def _send_some(self) -> bool:
        """Send what comes next, and return whether there is more to be sent at once.

        Raises:
            StoreError: the store is broken.
            WriteError: the server did not take it.
        """
        batch = await self._archive.call(self._next)
        figures, entries = self._figures, batch.entries
        figures.lost, figures.lag_events = batch.lost, batch.last - batch.after
        figures.lag_s = self._age_s(entries[0]) if entries else 0.0
        lines = await asyncio.to_thread(self._numbered_lines, entries)
        if lines and not await self._settle(batch, lines):
            return True
        figures.sent += sum(seq > self._furthest for seq, _ in lines)
        figures.lag_events = batch.last - batch.reached
        figures.lag_s = self._age_s(entries[-1]) if figures.lag_events else 0.0
        self._position = batch.reached
        self._furthest = max(self._furthest, batch.reached)
        return figures.lag_events > 0

    def _next(self, store: Store) -> _Batch:
        """Return what comes after the last that was acknowledged; runs in the archive's thread."""
        if store is not self._store:  # opened anew, and another file if the old one was damaged
            store.set_cursor(NAME, 0)  # it never goes back; but from now on the store counts what we lose
            self._store = store
            self._go_back()
        last, backlog = store.last_seq(), store.backlog(NAME)
        after = last - backlog.events
        after = max(after, self._position)
        entries = list(islice(store.events(after + 1, last, _KINDS), self._settings.batch_events))
        full = len(entries) == self._settings.batch_events
        return _Batch(after, entries, entries[-1][0] if full else last, last, backlog.dropped)

    def _numbered_lines(self, entries: Sequence[Entry]) -> list[NumberedLine]:
        lines = ((seq, text) for seq, event in entries for text in self._lines.of(event))
        return [(seq, text) for seq, text in lines if text not in self._rejected]

    async def _settle(self, batch: _Batch, lines: list[NumberedLine]) -> bool:
        """Send lines and move the cursor to what has settled; return False if the rest is to be sent again.

        Raises:
            StoreError: the cursor could not be moved.
            WriteError: the server did not take some of the lines.
        """
        begun_s = _now_s()
        await self._deliver(lines)
        if self._settling.is_in_doubt(self._server.connection):
            log.debug(
                "connection is a new one; what has not settled is sent again", server=self._settings.url
            )
            self._go_back()
            return False
        settled = self._settling.acknowledged(batch.reached, begun_s, _now_s())
        if settled is not None:
            await self._archive.call(lambda store: self._move_cursor(store, settled))
            self._rejected = {text: seq for text, seq in self._rejected.items() if seq > settled}
        return True

    def _move_cursor(self, store: Store, seq: int) -> None:
        if store is self._store:  # else the number is that of another file, perhaps
            store.set_cursor(NAME, seq)

    def _go_back(self) -> None:
        self._position = 0
        self._settling.forget()
        self._lines = Lines(self._site, self._charger)

    async def _deliver(self, lines: list[NumberedLine]) -> None:
        """Have the server take all lines but those that it rejects, which are found by halving.

        Raises:
            WriteError: it did not take some.
        """
        parts, connections = [lines], set[int]()
        while parts:
            part = parts.pop()
            try:
                await self._server.write([text for _, text in part])
            except RejectionError as error:
                if error.dropped is not None:
                    self._drop(part, error.dropped, error)
                elif len(part) > 1:
                    half = len(part) // 2
                    parts += [part[half:], part[:half]]
                    continue
                else:
                    if not connections:
                        await self._try_another_point(error)
                    self._rejected |= {text: seq for seq, text in part}
                    self._drop(part, 1, error)
            connections.add(self._server.connection)
        if len(connections) > 1:
            raise WriteError("the connection was lost between the parts of a batch", broken=True)

    async def _try_another_point(self, rejection: RejectionError) -> None:
        """Find out whether it is the point that is at fault, before it is dropped.

        Raises:
            WriteError: the server takes no point at all, so that something else is.
        """
        point = Point("link", NAME, self._clock.now(), {"ok": 1})
        try:
            await self._server.write([line(point, self._site)])
        except RejectionError:
            reason = f"it takes no point at all ({rejection}); check url, org and bucket in [influxdb]"
            raise WriteError(reason, refused=True) from None

    def _drop(self, part: Sequence[NumberedLine], count: int, error: RejectionError) -> None:
        first_seq, first = part[0]
        if first_seq > self._furthest:  # else it has been counted before
            self._figures.dropped += count
        measurement = first.partition(",")[0] if len(part) == 1 else ""
        if measurement not in self._complained:
            self._complained.add(measurement)
            points = first if measurement else f"{count} of {len(part)}"
            log.warning(
                "points rejected, and dropped", server=self._settings.url, points=points, error=str(error)
            )

    def _age_s(self, entry: Entry) -> float:
        return max(0.0, (self._clock.now() - _time_of(entry[1])).total_seconds())


def _time_of(event: Event) -> datetime:
    match event:
        case PowerFlow():
            return event.end
        case Session():
            return event.ended_at or event.started_at
        case ChargerStatus() | Decision() | DeviceHealth() | EnergyTotals():
            return event.at
    raise TypeError(f"{type(event).__name__} makes no points")


def _now_s() -> float:
    return asyncio.get_running_loop().time()
