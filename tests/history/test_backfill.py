"""Gaps are found, asked for once, and filled where nothing was counted."""

from collections.abc import AsyncIterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from history.samples import NOON
from pvcharge.clock import FastClock
from pvcharge.history.archive import Archive
from pvcharge.history.backfill import LONGEST, MOST_AT_ONCE, Backfill, Gap, find_gaps
from pvcharge.history.store import Batch, Energies
from pvcharge.model import PowerFlow

HOUR = timedelta(hours=1)
FIVE = timedelta(minutes=5)
COUNTED: Energies = (100.0, 0.0, 50.0, 0.0, 0.0, 0.0, 300.0)
CHARGED: Energies = (0.0, 0.0, 0.0, 0.0, 0.0, 70.0, 0.0)


class Cloud:
    """Remembers 4 kW of production and 1 kW of import for every quarter hour.

    Attributes:
        asked: the intervals, in order.
        answers: whether it does at all.
    """

    def __init__(self) -> None:
        self.asked: list[tuple[datetime, datetime]] = []
        self.answers = True

    async def read_past(self, start: datetime, end: datetime) -> Sequence[PowerFlow] | None:
        """Return the means of the quarters."""
        self.asked.append((start, end))
        if not self.answers:
            return None
        quarter = timedelta(minutes=15)
        return [
            PowerFlow(start + number * quarter, start + (number + 1) * quarter, pv_w=4000.0, grid_w=1000.0)
            for number in range(int((end - start) / quarter))
        ]


@pytest.fixture
async def archive(tmp_path: Path) -> AsyncIterator[Archive]:
    """Return a store of a daemon that has run since ten hours before noon."""
    opened = Archive(tmp_path / "history.db")
    await opened.call(lambda store: store.begin_run(NOON - 10 * HOUR, "1.0", "{}"))
    yield opened
    await opened.aclose()


async def cover(archive: Archive, start: datetime, end: datetime, energies: Energies = COUNTED) -> None:
    """Have readings cover an interval."""
    slots = {start + number * FIVE: energies for number in range(int((end - start) / FIVE))}
    await archive.call(lambda store: store.write(Batch(NOON, five_minutes=slots)))


async def gaps_of(archive: Archive, now: datetime = NOON) -> list[Gap]:
    """Return the gaps as found at a time."""
    return await archive.call(lambda store: find_gaps(store, now))


async def test_what_no_reading_covers_is_a_gap(archive: Archive) -> None:
    """From the first start on, up to what the cloud has finished; energy of the car alone covers nothing."""
    await cover(archive, NOON - 9 * HOUR, NOON - 5 * HOUR)
    await cover(archive, NOON - 3 * HOUR, NOON - 2 * HOUR)
    await cover(archive, NOON - 5 * HOUR, NOON - 4 * HOUR, CHARGED)
    assert await gaps_of(archive) == [
        Gap(NOON - 2 * HOUR, NOON - HOUR),
        Gap(NOON - 5 * HOUR, NOON - 3 * HOUR),
        Gap(NOON - 10 * HOUR + timedelta(minutes=15), NOON - 9 * HOUR),
    ]


async def test_before_the_first_start_there_is_none(tmp_path: Path) -> None:
    """Nor where no daemon has ever run."""
    archive = Archive(tmp_path / "empty.db")
    assert await gaps_of(archive) == []
    await archive.aclose()


async def test_long_gaps_are_cut_and_old_ones_left(archive: Archive) -> None:
    """No longer than what the cloud answers at once, and no older than a week."""
    gaps = await gaps_of(archive, NOON + timedelta(days=30))
    assert all(gap.end - gap.start <= LONGEST for gap in gaps)
    assert sum((gap.end - gap.start for gap in gaps), timedelta()) < timedelta(days=7)
    assert gaps[-1].start >= NOON + timedelta(days=23)
    assert [gap.start for gap in gaps] == sorted((gap.start for gap in gaps), reverse=True)


async def test_a_gap_is_filled_and_marked(archive: Archive) -> None:
    """Only where nothing was counted; the totals grow by it."""
    await cover(archive, NOON - 9 * HOUR, NOON - 3 * HOUR)
    await cover(archive, NOON - 2 * HOUR, NOON)
    await cover(archive, NOON - 3 * HOUR, NOON - 2 * HOUR - 50 * timedelta(minutes=1))
    cloud = Cloud()
    backfill = Backfill(archive, FastClock(NOON, 1.0), cloud.read_past, UTC)
    assert await backfill.fill() == 2
    assert cloud.asked[0] == (NOON - 3 * HOUR, NOON - 2 * HOUR)
    rows = await archive.call(lambda store: store.five_minutes(NOON - 3 * HOUR, NOON - 2 * HOUR))
    assert [row.filled for row in rows] == [False] * 2 + [True] * 10
    assert [round(row.pv_wh, 3) for row in rows] == [100.0] * 2 + [round(4000 / 12, 3)] * 10
    assert [round(row.import_wh, 3) for row in rows[2:]] == [round(1000 / 12, 3)] * 10
    (day,) = await archive.call(lambda store: store.days(NOON.date(), NOON.date() + timedelta(days=1)))
    assert day.filled
    totals = await archive.call(lambda store: store.totals(NOON))
    assert totals.pv_wh == pytest.approx(day.pv_wh)
    assert totals.pv_wh == pytest.approx(4000 * (10 / 12 + 0.75) + 98 * COUNTED[0])


async def test_a_gap_is_asked_for_once(archive: Archive) -> None:
    """Also if the cloud knows nothing of it: each try costs a request."""

    async def nothing(start: datetime, end: datetime) -> Sequence[PowerFlow]:
        cloud.asked.append((start, end))
        return []

    cloud = Cloud()
    backfill = Backfill(archive, FastClock(NOON, 1.0), nothing, UTC)
    assert await backfill.fill() == 0
    assert len(cloud.asked) == 1
    assert await backfill.fill() == 0
    assert len(cloud.asked) == 1
    assert await gaps_of(archive) == []


async def test_a_cloud_that_does_not_answer_is_asked_again_later(archive: Archive) -> None:
    """And not for the next gap at once."""
    await cover(archive, NOON - 6 * HOUR, NOON - 5 * HOUR)
    cloud = Cloud()
    cloud.answers = False
    backfill = Backfill(archive, FastClock(NOON, 1.0), cloud.read_past, UTC)
    assert await backfill.fill() == 0
    assert len(cloud.asked) == 1
    cloud.answers = True
    assert await backfill.fill() == 2


async def test_only_so_many_at_once(archive: Archive) -> None:
    """The budget is for charging."""
    cloud = Cloud()
    clock = FastClock(NOON + timedelta(days=10), 1.0)
    backfill = Backfill(archive, clock, cloud.read_past, UTC)
    assert await backfill.fill() == MOST_AT_ONCE == len(cloud.asked)
    assert await backfill.fill() == MOST_AT_ONCE
    assert len(set(cloud.asked)) == 2 * MOST_AT_ONCE
