"""Fills what no reading covers, such as hours when the daemon was down, with means over quarter hours."""

from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta, tzinfo

import structlog

from pvcharge.history.archive import Archive
from pvcharge.history.buckets import STEP, Buckets
from pvcharge.history.energy import EnergyMeter
from pvcharge.history.errors import StoreError
from pvcharge.history.store import Batch, Store
from pvcharge.model import Clock, PowerFlow

log = structlog.get_logger(__name__)

FIRST_S = 900.0  # after a start there is more urgent business
EVERY_S = 6 * 3600.0
BACK = timedelta(days=7)  # what was missed before that stays so
SETTLED = timedelta(hours=1)  # a cloud is late with its newest quarters
QUARTER = timedelta(minutes=15)
LONGEST = timedelta(hours=11)
MOST_AT_ONCE = 4  # intervals asked for in one go
STATE = "backfill"

ReadPast = Callable[[datetime, datetime], Awaitable[Sequence[PowerFlow] | None]]


@dataclass(frozen=True, slots=True)
class Gap:
    """An interval of whole quarter hours in which there is time that no reading covers."""

    start: datetime
    end: datetime


class Backfill:
    """Looks for gaps from time to time, and fills them; each is asked for once only.

    Args:
        archive: where they are.
        clock: the daemon's time.
        read_past: returns the means over the quarter hours of an interval; None if it cannot now.
        zone: of the site, for its days.
    """

    def __init__(self, archive: Archive, clock: Clock, read_past: ReadPast, zone: tzinfo) -> None:
        self._archive = archive
        self._clock = clock
        self._read_past = read_past
        self._zone = zone

    async def run(self) -> None:
        """Fill until cancelled."""
        await self._clock.sleep(FIRST_S)
        while True:
            try:
                await self.fill()
            except StoreError as error:
                log.debug("gaps not filled", error=str(error))  # the recorder tells of it
            await self._clock.sleep(EVERY_S)

    async def fill(self) -> int:
        """Ask for some gaps, and return how many of them are filled.

        Raises:
            StoreError: the store cannot be read or written.
        """
        now = self._clock.now()
        gaps = await self._archive.call(lambda store: find_gaps(store, now))
        filled = 0
        for gap in gaps[:MOST_AT_ONCE]:
            flows = await self._read_past(gap.start, gap.end)
            if flows is None:
                break  # nothing else would do better now
            await self._archive.call(lambda store: self._put(store, gap, flows, now))  # noqa: B023 - at once
            filled += bool(flows)
        if filled:
            log.info("history filled from the inverter's cloud", intervals=filled)
        return filled

    def _put(self, store: Store, gap: Gap, flows: Iterable[PowerFlow], now: datetime) -> None:
        """Write what belongs into the gap, and that it has been asked for; in the archive's thread."""
        covered = store.covered(gap.start, gap.end)
        meter, buckets = EnergyMeter(), Buckets()
        for flow in sorted(flows, key=lambda it: it.start):
            for increment in meter.take(flow):
                buckets.add(increment, leave_out=covered)
        tried = {start: end for start, end in _tried(store).items() if end > (now - BACK).isoformat()}
        states = {STATE: {"tried": tried | {gap.start.isoformat(): gap.end.isoformat()}}}
        store.write(Batch(now, (), buckets.take(), self._zone, states, filled=True))


def find_gaps(store: Store, now: datetime) -> list[Gap]:
    """Return the gaps of the last week that have not been asked for, newest first.

    What was before the daemon first ran is none.
    """
    runs = store.runs()
    if not runs:
        return []
    start = _quarter(max(runs[0].started_at, now - BACK) + QUARTER)
    end = _quarter(now - SETTLED)
    covered = store.covered(start, end)
    tried = [
        (datetime.fromisoformat(first), datetime.fromisoformat(last)) for first, last in _tried(store).items()
    ]
    gaps: list[Gap] = []
    at = start
    while at < end:
        missing = any(at + number * STEP not in covered for number in range(QUARTER // STEP))
        if missing and not any(first <= at < last for first, last in tried):
            if gaps and gaps[-1].end == at and at - gaps[-1].start < LONGEST:
                gaps[-1] = Gap(gaps[-1].start, at + QUARTER)
            else:
                gaps.append(Gap(at, at + QUARTER))
        at += QUARTER
    return gaps[::-1]


def _tried(store: Store) -> dict[str, str]:
    document = store.state(STATE) or {}
    tried: dict[str, str] = document.get("tried", {})
    return tried


def _quarter(at: datetime) -> datetime:
    return at.replace(minute=at.minute - at.minute % 15, second=0, microsecond=0)
