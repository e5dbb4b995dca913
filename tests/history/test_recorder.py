"""The recorder: what the feed brings is written; what the disk does not take waits, control does not."""

import asyncio
import sqlite3
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, TypeVar

import pytest
from structlog.testing import capture_logs

from history.samples import NOON, decided_on, flow
from pvcharge.clock import FastClock
from pvcharge.history import recorder as module
from pvcharge.history.archive import Archive
from pvcharge.history.errors import StoreError
from pvcharge.history.reading import Reader
from pvcharge.history.recorder import About, Recorder
from pvcharge.history.rows import Event
from pvcharge.history.sessions import Prices
from pvcharge.history.settings import HistorySettings
from pvcharge.history.store import Batch, Store
from pvcharge.model import (
    ChargerState,
    ChargerStatus,
    DeviceHealth,
    Distrust,
    EnergyTotals,
    PowerFlow,
    Session,
)
from pvcharge.tasks.feed import Feed
from support.disk import small_disk

T = TypeVar("T")


class Moody(Archive):
    """An archive whose disk works when the test wants."""

    broken = False

    async def call(self, work: Callable[[Store], T]) -> T:
        """Do it, or not."""
        if self.broken:
            raise StoreError("history.db: disk I/O error; see to disk and permissions")
        return await super().call(work)


class Rig:
    """A recorder on a feed, in real time."""

    def __init__(self, path: Path, archive: Moody | None = None) -> None:
        self.path = path
        self.archive = archive or Moody(path)
        self.feed = Feed()
        self.told: list[EnergyTotals | Session | DeviceHealth] = []
        self.clock = FastClock(NOON, 1.0)
        self.recorder = Recorder(
            self.archive,
            self.clock,
            self.feed.subscribe(100_000),
            self._publish,
            about=About("1.0", "{}"),
            settings=HistorySettings(),
            prices=Prices(0.3, 0.08),
            zone=UTC,
        )

    def _publish(self, event: EnergyTotals | Session | DeviceHealth) -> None:
        self.told.append(event)
        self.feed.publish(event)

    def see(self, *events: Event) -> None:
        """Have events seen."""
        for event in events:
            self.feed.publish(event)

    def health(self) -> list[tuple[bool, str | None]]:
        """Return what was told of the store's health."""
        return [(event.ok, event.error) for event in self.told if isinstance(event, DeviceHealth)]

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Record for as long as the context lasts."""
        task = asyncio.create_task(self.recorder.run())
        try:
            yield
            assert not task.done()
        finally:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task

    async def until_health(self, *, ok: bool) -> None:
        """Wait until the store is told to be well, or not."""
        async with asyncio.timeout(20):
            while not self.health() or self.health()[-1][0] is not ok:  # noqa: ASYNC110 - nobody tells
                await asyncio.sleep(0.02)

    def flows(self) -> list[Event]:
        """Return the readings in the file."""
        reader = Reader.open(self.path)
        seen = [event for _, event in reader.events(kinds=[PowerFlow])]
        reader.close()
        return seen


@pytest.fixture(autouse=True)
def _fast(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "WRITE_EVERY_S", 0.02)
    monkeypatch.setattr(module, "RETRY_CAP_S", 0.1)


@pytest.fixture
async def rig(tmp_path: Path) -> Rig:
    """Return a recorder with a disk that works."""
    return Rig(tmp_path / "history.db")


async def test_what_is_seen_is_written_soon_and_at_the_end(rig: Rig) -> None:
    """A stop in good order loses nothing."""
    async with rig.running():
        rig.see(flow(0), flow(1))
        await asyncio.sleep(0.2)
        assert rig.flows() == [flow(0), flow(1)]
        rig.see(flow(2))
        await asyncio.sleep(0)
    assert rig.flows() == [flow(0), flow(1), flow(2)]


async def test_a_write_under_way_is_not_done_twice(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    """When the daemon is stopped just then."""
    begun = asyncio.Event()
    loop = asyncio.get_running_loop()
    write = Store.write

    def slow(store: Store, batch: Any) -> EnergyTotals:
        loop.call_soon_threadsafe(begun.set)
        asyncio.run_coroutine_threadsafe(asyncio.sleep(0.2), loop).result()
        return write(store, batch)

    async with rig.running():
        await asyncio.sleep(0.1)
        monkeypatch.setattr(Store, "write", slow)
        rig.see(*(flow(second) for second in range(5)))
        begun.clear()
        await begun.wait()
    assert rig.flows() == [flow(second) for second in range(5)]


async def test_energies_are_told_and_never_ahead_of_the_disk(rig: Rig) -> None:
    """Whoever reads them sees no fall after a kill -9."""
    async with rig.running():
        rig.archive.broken = True
        rig.see(flow(0), flow(60), flow(120))
        await asyncio.sleep(0.2)
        assert [event for event in rig.told if isinstance(event, EnergyTotals)] == []
        rig.archive.broken = False
        await asyncio.sleep(0.4)
    (totals,) = (event for event in rig.told if isinstance(event, EnergyTotals))
    assert totals.export_wh == pytest.approx(3000 / 30)
    assert totals.pv_wh == pytest.approx(4000 / 30)


async def test_a_broken_disk_is_told_loudly_once_and_its_recovery(rig: Rig) -> None:
    """What came meanwhile is written then, in order."""
    with capture_logs() as logs:
        async with rig.running():
            rig.see(flow(0))
            await asyncio.sleep(0.1)
            rig.archive.broken = True
            for second in range(1, 6):
                rig.see(flow(second))
                await asyncio.sleep(0.05)
            rig.archive.broken = False
            await asyncio.sleep(0.4)
    assert rig.flows() == [flow(second) for second in range(6)]
    events = [(entry["log_level"], entry["event"]) for entry in logs]
    assert events == [
        ("error", "history is not written; control goes on, events wait in memory"),
        ("info", "history is written again"),
    ]
    assert rig.health()[0] == (True, None)
    assert rig.health()[1] == (False, "history.db: disk I/O error; see to disk and permissions")
    assert rig.health()[-1] == (True, None)


@pytest.mark.fault("disk", "hang")
async def test_memory_is_bounded(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    """The oldest give way, and are counted; energies are not lost."""
    monkeypatch.setattr(module, "MOST_WAITING", 100)
    rig.archive.broken = True
    async with rig.running():
        rig.see(*(flow(second) for second in range(500)))
        await asyncio.sleep(0.2)
        rig.archive.broken = False
        await asyncio.sleep(0.4)
    kept = rig.flows()
    assert kept == [flow(second) for second in range(500 - len(kept), 500)]
    assert 90 <= len(kept) <= 100
    totals = next(event for event in rig.told if isinstance(event, EnergyTotals))
    assert totals.export_wh == pytest.approx(3000 * 499 / 3600)
    dropped = [event.facts["dropped"] for event in rig.told if isinstance(event, DeviceHealth)]
    assert dropped[-1] >= 400  # type: ignore[operator]


async def test_a_disk_that_is_broken_from_the_start_stops_nobody(tmp_path: Path) -> None:
    """Its start is written down as soon as it can be."""
    archive = Moody(tmp_path / "history.db")
    archive.broken = True
    rig = Rig(tmp_path / "history.db", archive)
    async with rig.running():
        rig.see(flow(0))
        await asyncio.sleep(0.1)
        archive.broken = False
        await asyncio.sleep(0.4)
    reader = Reader.open(rig.path)
    (run,) = reader.runs()
    assert (run.first_seq, run.version) == (1, "1.0")
    assert abs(run.started_at - NOON) < timedelta(seconds=1)
    reader.close()


async def test_a_file_that_is_set_aside_takes_its_beginning_with_it(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The new one names the start too, and a replay is told that it lacks something."""
    async with rig.running():
        rig.see(*(flow(second) for second in range(100)))
        await asyncio.sleep(0.2)
        write = Store.write

        def find_damage(_: Store, __: Batch) -> EnergyTotals:
            monkeypatch.setattr(Store, "write", write)
            error = sqlite3.DatabaseError("database disk image is malformed")
            error.sqlite_errorcode = sqlite3.SQLITE_CORRUPT
            raise error

        monkeypatch.setattr(Store, "write", find_damage)
        rig.see(flow(200))
        await asyncio.sleep(0.5)
    reader = Reader.open(rig.path)
    (run,) = reader.runs()
    assert run.first_seq == 1
    health = [event for _, event in reader.events(kinds=[DeviceHealth])]
    reader.close()
    assert rig.flows() == [flow(200)]
    assert any(isinstance(event, DeviceHealth) and event.facts["dropped"] for event in health)


async def test_after_a_crash_it_goes_on(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    """The supervisor starts it again, with the same store."""

    async def crash(_: Recorder) -> None:
        raise RuntimeError("out of order")

    with monkeypatch.context() as broken:
        broken.setattr(Recorder, "_prune", crash)
        with pytest.RaisesGroup(RuntimeError):
            await rig.recorder.run()
    async with rig.running():
        rig.see(flow(0))
        await asyncio.sleep(0.2)
    assert rig.flows() == [flow(0)]


async def test_health_that_repeats_itself_is_kept_once(rig: Rig) -> None:
    """A device says that it is well at every reading."""

    def health(second: float, *, ok: bool) -> DeviceHealth:
        at = NOON + timedelta(seconds=second)
        return DeviceHealth("roof", at, ok=ok, since=NOON)

    async with rig.running():
        rig.see(*(health(second, ok=True) for second in range(100)))
        rig.see(health(100, ok=False), health(101, ok=False), health(800, ok=False), health(801, ok=False))
        rig.see(health(802, ok=True))
        await asyncio.sleep(0.2)
    reader = Reader.open(rig.path)
    kept = [event for _, event in reader.events(kinds=[DeviceHealth])]
    reader.close()
    of_roof = [event.at for event in kept if isinstance(event, DeviceHealth) and event.name == "roof"]
    assert [(at - NOON).total_seconds() for at in of_roof] == [0, 100, 800, 802]


async def test_a_session_is_kept_when_the_car_goes(rig: Rig) -> None:
    """It spans a restart of the daemon."""

    def status(minute: float, state: ChargerState, total_wh: float) -> ChargerStatus:
        power_w = 6000.0 if state is ChargerState.CHARGING else 0.0
        at = NOON + timedelta(minutes=minute)
        return ChargerStatus(at, state, power_w, phases=3 if power_w else 0, total_wh=total_wh)

    async with rig.running():
        rig.see(status(0, ChargerState.DISCONNECTED, 500), status(1, ChargerState.CHARGING, 500))
        rig.see(status(2, ChargerState.CHARGING, 600))
        await asyncio.sleep(0.1)
    again = Rig(rig.path)
    async with again.running():
        await asyncio.sleep(0.1)
        again.see(status(3, ChargerState.CHARGING, 700), status(4, ChargerState.DISCONNECTED, 800))
        await asyncio.sleep(0.2)
    reader = Reader.open(rig.path)
    (session,) = (event for _, event in reader.events(kinds=[Session]))
    assert isinstance(session, Session)
    assert (session.started_at, session.ended_at) == (
        NOON + timedelta(minutes=1),
        NOON + timedelta(minutes=4),
    )
    assert session.energy_wh == pytest.approx(300)
    assert reader.totals(NOON).charger_wh == pytest.approx(300)
    reader.close()


async def test_what_cannot_be_true_is_kept_and_not_counted(rig: Rig) -> None:
    """A meter that is mounted backwards must be seen in the record, but bought nothing."""
    quarter = timedelta(minutes=15)
    mean = PowerFlow(NOON, NOON + quarter, pv_w=0.0, grid_w=-400.0, source="portal", rank=1)
    wrong = [replace(flow(second, 400.0), source="roof") for second in range(0, 300, 5)]
    async with rig.running():
        rig.see(decided_on("portal", Distrust.BACKWARDS), *wrong, mean)
        await asyncio.sleep(0.2)
        rig.see(decided_on("roof", None), flow(960), flow(970))
    reader = Reader.open(rig.path)
    totals = reader.totals(NOON)
    reader.close()
    assert rig.flows() == [*wrong, mean, flow(960), flow(970)]
    assert totals.import_wh == 0.0
    assert totals.export_wh == pytest.approx(100 + 3000 * 10 / 3600)


async def test_a_full_disk_in_earnest(tmp_path: Path) -> None:
    """Filled, emptied, made read-only: each time what was stored stays, and what came meanwhile follows."""
    with small_disk(tmp_path / "disk") as disk:
        rig = Rig(disk.folder / "history.db")
        seconds = iter(range(100_000))
        async with rig.running():
            rig.see(flow(next(seconds)))
            await asyncio.sleep(0.2)
            disk.fill()
            while rig.health()[-1][0]:
                rig.see(*(flow(next(seconds)) for _ in range(50)))
                await asyncio.sleep(0.02)
            disk.empty()
            await rig.until_health(ok=True)
            rig.see(flow(next(seconds)))
            await asyncio.sleep(0.3)
        last = next(seconds)
        assert rig.flows() == [flow(second) for second in range(last)]


async def test_old_events_are_deleted_while_it_runs(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    """As the settings say."""
    monkeypatch.setattr(module, "PRUNE_EVERY_S", 0.3)
    monkeypatch.setattr(module, "PRUNE_PAUSE_S", 0.01)
    async with rig.running():
        rig.see(flow(0))
        await asyncio.sleep(0.1)
        later = FastClock(datetime(2026, 9, 1, tzinfo=UTC), 1.0)
        monkeypatch.setattr(rig.clock, "now", later.now)
        rig.see(flow(1))
        await asyncio.sleep(0.6)
    assert rig.flows() == [flow(1)]
