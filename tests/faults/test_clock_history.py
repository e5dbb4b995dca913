"""What is remembered while the computer's clock is wrong, and on the days on which all clocks are set."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from structlog.testing import capture_logs

from history.samples import NOON
from pvcharge.history import recorder as module
from pvcharge.history.archive import Archive
from pvcharge.history.buckets import Buckets
from pvcharge.history.energy import EnergyMeter
from pvcharge.history.influx.points import Lines
from pvcharge.history.recorder import About, Recorder
from pvcharge.history.sessions import Prices, SessionTracker
from pvcharge.history.settings import HistorySettings
from pvcharge.history.store import Batch, Store
from pvcharge.model import (
    ChargerState,
    ChargerStatus,
    LimitsCommand,
    Mode,
    ModeCommand,
    PowerFlow,
    Session,
    Setpoint,
)
from pvcharge.tasks.commands_store import CommandsStore
from pvcharge.tasks.feed import Feed

VIENNA = ZoneInfo("Europe/Vienna")
FIVE_MINUTES, DECADE = timedelta(minutes=5), timedelta(days=3653)
SWITCHES = [(date(2026, 3, 29), 23), (date(2026, 10, 25), 25)]
AT_10_A_W = 6900.0
LIMITS = LimitsCommand(6, 16)


def reading(at: datetime, pv_w: float = 1000.0) -> PowerFlow:
    """Return a reading of an instant."""
    return PowerFlow(at, at, pv_w=pv_w, grid_w=-pv_w, source="roof")


def charging(at: datetime, since: datetime) -> ChargerStatus:
    """Return the status of a car that has charged since then."""
    hours = (at - since).total_seconds() / 3600
    return ChargerStatus(
        at, ChargerState.CHARGING, AT_10_A_W, 3, 10.0, Setpoint(3, 10), session_wh=hours * AT_10_A_W
    )


def midnight(day: date) -> datetime:
    """Return when a day begins in Vienna."""
    return datetime(day.year, day.month, day.day, tzinfo=VIENNA).astimezone(UTC)


@pytest.fixture
def store(tmp_path: Path) -> Store:
    """Return an empty store."""
    return Store.open(tmp_path / "history.db")


@pytest.mark.fault("clock", "DST")
@pytest.mark.fault("disk", "DST")
@pytest.mark.parametrize(("day", "hours"), SWITCHES)
def test_a_day_of_23_or_25_hours_is_summed_up_right(store: Store, day: date, hours: int) -> None:
    """Both days on which the clocks change have 23 and 25 hours of energy, and as many five minutes."""
    begin, end = midnight(day), midnight(day + timedelta(days=1))
    meter, buckets = EnergyMeter(), Buckets()
    at = begin - timedelta(hours=1)
    while at <= end + timedelta(hours=1):
        for increment in meter.take(reading(at)):
            buckets.add(increment)
        at += FIVE_MINUTES
    store.write(Batch(at, [], buckets.take(), VIENNA))
    (summed,) = store.days(day, day + timedelta(days=1))
    assert summed.pv_wh == pytest.approx(1000.0 * hours)
    assert summed.covered_s == pytest.approx(3600.0 * hours)
    rows = store.five_minutes(begin, end)
    assert len(rows) == 12 * hours
    assert {round(row.pv_wh, 6) for row in rows} == {round(1000 / 12, 6)}


@pytest.mark.fault("clock", "DST")
@pytest.mark.parametrize(("day", "hours"), SWITCHES)
def test_a_charge_over_the_change_is_as_long_as_it_was(day: date, hours: int) -> None:
    """A charge over the night of the change lasts as long, and gets as much, as the car has really got."""
    begin = midnight(day)
    end = begin + timedelta(hours=hours - 18)  # six in the morning
    tracker, at = SessionTracker(Prices(0.3, 0.08)), begin
    tracker.take(ChargerStatus(begin - timedelta(minutes=1), ChargerState.DISCONNECTED, 0.0))
    while at <= end:
        tracker.take(charging(at, begin))
        at += timedelta(minutes=1)
    ended = tracker.take(ChargerStatus(at, ChargerState.DISCONNECTED, 0.0))
    assert isinstance(ended, Session)
    assert ended.charging_s == pytest.approx((hours - 18) * 3600, abs=61)
    assert ended.energy_wh == pytest.approx((hours - 18) * AT_10_A_W, abs=AT_10_A_W / 60)


@pytest.mark.fault("influxdb", "DST")
def test_points_of_the_doubled_hour_stay_apart() -> None:
    """Times are sent in UTC: what is measured in the hour that comes twice overwrites nothing."""
    lines = Lines("home", "box")
    at = datetime(2026, 10, 25, 0, 30, tzinfo=UTC)  # half past two, twice
    stamps = [line.split()[-1] for hour in range(2) for line in lines.of(reading(at + timedelta(hours=hour)))]
    assert len(set(stamps)) == 2


@pytest.mark.fault("disk", "clock jump forth")
def test_a_clock_ahead_by_years_deletes_no_more_than_a_day(store: Store) -> None:
    """To a clock that is years ahead all is old; in an hour it deletes the oldest day, not the history."""
    for day in range(40):
        at = NOON + timedelta(days=day)
        store.write(Batch(at, [reading(at)], {at: (1.0,) * 7}))
    ahead = NOON + DECADE
    for round_ in (1, 2):
        limits = store.no_more_than_a_day(ahead, ahead)
        while store.prune(*limits, ahead):
            pass
        assert len(list(store.events())) == 40 - round_
        assert len(store.five_minutes(NOON, NOON + DECADE)) == 40 - round_


@pytest.mark.fault("disk", "clock jump back")
def test_what_a_clock_ahead_has_written_keeps_nothing_from_being_deleted(store: Store) -> None:
    """Rows with times far ahead go when those around them are old: the file does not grow for years."""
    for day in range(60):
        at = NOON + timedelta(days=day)
        told = at + (DECADE if day == 10 else timedelta())
        store.write(Batch(told, [reading(told)]))
    now = NOON + timedelta(days=60)
    for _ in range(60):
        old = now - timedelta(days=30)
        while store.prune(*store.no_more_than_a_day(old, old), now):
            pass
    assert [event.end for _, event in store.events(kinds=[PowerFlow]) if isinstance(event, PowerFlow)] == [
        NOON + timedelta(days=day) for day in range(30, 60)
    ]


@pytest.mark.fault("disk", "clock jump back")
def test_a_clock_that_begins_in_1970_deletes_nothing(store: Store) -> None:
    """A computer without a battery begins in 1970: nothing is old then, nor is what it writes in the way."""
    booted = datetime(1970, 1, 1, tzinfo=UTC)
    for at in (NOON, NOON + timedelta(days=1), booted, booted + timedelta(hours=1)):
        store.write(Batch(at, [reading(at)]))
    old = booted - timedelta(days=30)
    assert not store.prune(*store.no_more_than_a_day(old, old), booted)
    assert store.last_seq() == len(list(store.events())) == 4
    now = NOON + timedelta(days=90)
    store.write(Batch(now, [reading(now)]))
    old = now - timedelta(days=30)
    for _ in range(5):
        while store.prune(*store.no_more_than_a_day(old, old), now):
            pass
    assert len(list(store.events())) == 1


@asynccontextmanager
async def recording(folder: Path, now: datetime) -> AsyncIterator[Feed]:
    """Run a recorder that was started at this time, until all is written."""
    feed, archive = Feed(), Archive(folder / "history.db")
    clock = Shown(now)
    recorder = Recorder(
        archive,
        clock,
        feed.subscribe(),
        lambda _: None,
        about=About("1.0", "{}"),
        settings=HistorySettings(),
        prices=Prices(0.3, 0.08),
        zone=VIENNA,
    )
    task = asyncio.create_task(recorder.run())
    try:
        await asyncio.sleep(0.2)
        yield feed
        await asyncio.sleep(0.1)
    finally:
        task.cancel()
        await asyncio.wait([task])


class Shown:
    """A clock that shows a time; it lets who waits for it to be right wait a moment."""

    def __init__(self, now: datetime) -> None:
        self._now = now

    def now(self) -> datetime:
        """Return the time."""
        return self._now

    async def sleep(self, seconds: float) -> None:
        """Sleep for a moment."""
        await asyncio.sleep(0.05 if seconds <= module.CLOCK_IS_RIGHT_S else 60.0)


@pytest.mark.fault("disk", "clock jump back")
@pytest.mark.parametrize(("ahead", "anew"), [(DECADE, True), (timedelta(minutes=50), False)])
async def test_counting_goes_on_after_a_clock_was_ahead(
    tmp_path: Path, ahead: timedelta, *, anew: bool
) -> None:
    """What was counted up to a time yet to come is counted anew after a quarter of an hour, with one line."""
    async with recording(tmp_path, NOON + ahead) as feed:
        for minute in range(3):
            feed.publish(reading(NOON + ahead + timedelta(minutes=minute)))
    with capture_logs() as logs:
        async with recording(tmp_path, NOON + timedelta(hours=1)) as feed:
            for minute in range(61):
                feed.publish(reading(NOON + timedelta(hours=1, minutes=minute)))
    said = [line["event"] for line in logs if "ahead" in line["event"]]
    assert said == (["the clock was ahead; counting begins anew"] if anew else [])
    store = Store.open(tmp_path / "history.db")
    totals = store.totals(NOON)
    store.close()
    assert totals.pv_wh == pytest.approx(1000 * 62 / 60, rel=0.05)


@pytest.mark.fault("disk", "clock jump back")
async def test_a_boost_of_a_clock_ahead_does_not_come_back_for_years(tmp_path: Path) -> None:
    """A boost whose end lies years ahead, by a clock that was wrong, is over at the next start."""

    async def commanded() -> AsyncIterator[ModeCommand]:
        yield ModeCommand(Mode.BOOST, NOON + DECADE)

    clock = Shown(NOON)
    store = CommandsStore(tmp_path, clock, commanded(), LIMITS)
    await store.run()
    assert await CommandsStore(tmp_path, clock, commanded(), LIMITS).restore() == []
