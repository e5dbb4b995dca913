"""A house whose days are recorded by the real control loop, in virtual time."""

import asyncio
import json
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TypeVar
from zoneinfo import ZoneInfo

from structlog.testing import capture_logs

from pvcharge import __version__
from pvcharge.control import Controller, ControlSettings
from pvcharge.history.reading import Reader
from pvcharge.history.rows import Event
from pvcharge.history.store import Batch, Store
from pvcharge.model import Decision, Lease, LimitsCommand, Mode, ModeCommand, Setpoint, SettingsCommand
from pvcharge.sim.chargepoint import ChargePoint
from pvcharge.sim.feed import Feed as Inverter
from pvcharge.sim.feed import Source
from pvcharge.sim.house import House, Profile, Totals
from pvcharge.sim.household import SyntheticProfile
from pvcharge.sim.invented import invented
from pvcharge.tasks.control_loop import ControlLoop
from pvcharge.tasks.feed import Event as FeedEvent
from pvcharge.tasks.feed import Feed
from pvcharge.tasks.queues import Inbox, Latest, Letter

T = TypeVar("T")

VIENNA = ZoneInfo("Europe/Vienna")
STEP_S = 5.0
STEP = timedelta(seconds=STEP_S)
WRITE_EVERY = timedelta(seconds=60)
FIVE_MINUTES = timedelta(minutes=5)
_NO_TIME = datetime.min.replace(tzinfo=UTC)


class _Clock:
    """A clock that is moved from step to step, and then wakes whoever sleeps."""

    def __init__(self, now: datetime) -> None:
        self._now = now
        self._sleepers: list[tuple[datetime, asyncio.Future[None]]] = []

    def now(self) -> datetime:
        """Return the current time, UTC-aware."""
        return self._now

    async def sleep(self, seconds: float) -> None:
        """Sleep until the clock has been moved so far."""
        woken = asyncio.get_running_loop().create_future()
        self._sleepers.append((self._now + timedelta(seconds=seconds), woken))
        await woken

    def move(self, seconds: float) -> None:
        """Let time pass."""
        self._now += timedelta(seconds=seconds)
        due = [woken for at, woken in self._sleepers if at <= self._now]
        self._sleepers = [(at, woken) for at, woken in self._sleepers if at > self._now and not woken.done()]
        for woken in due:
            if not woken.done():
                woken.set_result(None)


class _WritingFeed(Feed):
    """A feed whose events wait for being written.

    Attributes:
        waiting: those events.
        decided: set by each decision.
    """

    def __init__(self) -> None:
        super().__init__()
        self.waiting: list[Event] = []
        self.decided = asyncio.Event()

    def publish(self, event: FeedEvent) -> None:
        """Note an event."""
        self.waiting.append(event)
        if isinstance(event, Decision):
            self.decided.set()


class Recording:
    """Simulated days that go into a store; a script says what happens to the house in them.

    Args:
        path: of the store.
        start: of the first day.
        source: how the inverter is read.
        profile: production and household.
        settings: of the first controller.
        second: how it is read besides, with less trust and without outages; None if it is not.

    Attributes:
        readings_come: whether those of the first source do.
    """

    def __init__(
        self,
        path: Path,
        start: datetime,
        source: Source = Source.MODBUS,
        profile: Profile | None = None,
        settings: ControlSettings | None = None,
        second: Source | None = None,
    ) -> None:
        profile = profile or sunny_and_cloudy()
        self.charger = ChargePoint()
        self.house = House(
            profile, start=start, charger_w=lambda: self.charger.power_w, step_s=STEP_S, keep_s=7200
        )
        self.store = Store.open(path)
        self.readings_come = True
        self.by_hand_at: datetime | None = None
        self._settings = settings or ControlSettings()
        self._clock = _Clock(start)
        self._inverters = [
            Inverter(kind, self.house, start=start) for kind in (source, second) if kind is not None
        ]
        self._inbox: Inbox = asyncio.Queue()
        self._leases: Latest[Lease | None] = Latest(None)
        self._feed = _WritingFeed()
        self._controller: Controller | None = None  # of the last start
        self._daemon: asyncio.Task[None] | None = None
        self._starts_anew = True
        self._counted = Totals()

    # --- what may happen ---

    def command(self, command: Letter) -> None:
        """Have the user command something."""
        self._inbox.put_nowait(command)

    def configure(self, settings: ControlSettings) -> None:
        """Have the user change the settings, which outlive the daemon."""
        self._settings = settings
        self.command(SettingsCommand(settings.model_dump_json()))

    def change_by_hand(self, setpoint: Setpoint) -> None:
        """Have the driver of the car change something at the box."""
        self.charger.command(setpoint.phases, setpoint.current_a)
        self.by_hand_at = self._clock.now()

    def restart(self, settings: ControlSettings | None = None) -> None:
        """Have the daemon die, and another one start, with other settings if given, and what was learned."""
        self._settings = settings or self._settings
        self._starts_anew = True

    # --- the time ---

    async def run(self, hours: float, script: Mapping[float, Callable[[], None]]) -> None:
        """Let time pass; the script says by the hour what happens."""
        start, to_come = self._clock.now(), sorted(script.items())
        while self._clock.now() < start + timedelta(hours=hours):
            while to_come and self._clock.now() >= start + timedelta(hours=to_come[0][0]):
                to_come.pop(0)[1]()
            await self._live_a_step()
        await self._stop()
        self.store.close()

    async def _start(self) -> None:
        learned = None if self._controller is None else json.dumps(self._controller.learned())
        self.store.begin_run(self._clock.now(), __version__, self._settings.model_dump_json(), learned)
        self._controller = controller = Controller(self._settings)
        if learned is not None:
            controller.recall(json.loads(learned))
        self._leases = Latest(None)
        loop = ControlLoop(controller, self._clock, self._inbox, self._leases, [], self._feed, lease_s=60.0)
        self._daemon = asyncio.create_task(loop.run())
        self._daemon.add_done_callback(lambda _: self._feed.decided.set())  # nobody waits for it in vain

    async def _stop(self) -> None:
        if self._daemon:
            self._daemon.cancel()
            await asyncio.wait([self._daemon])
            if not self._daemon.cancelled():
                self._daemon.result()
        self.write()

    async def _live_a_step(self) -> None:
        if self._starts_anew:
            await self._stop()
            await self._start()
            self._starts_anew = False
        now = self._clock.now()
        self._feed.decided.clear()
        status = self.charger.status(now - STEP)
        self._inbox.put_nowait(replace(status, changed_by_hand_at=self.by_hand_at))
        for rank, inverter in enumerate(self._inverters):
            for reading in inverter.due(now):
                if rank or self.readings_come:
                    self._inbox.put_nowait(replace(reading, rank=rank))
        await self._feed.decided.wait()
        if lease := self._leases.value:
            self.charger.command(lease.setpoint.phases, lease.setpoint.current_a)
        self.charger.step(STEP_S)
        self._clock.move(STEP_S)
        self.house.advance(self._clock.now())
        if not (self._clock.now() - _NO_TIME) % WRITE_EVERY:
            self.write()

    def write(self) -> None:
        """Write what waits, and the energies since the last time."""
        events, self._feed.waiting = self._feed.waiting, []
        before, self._counted = self._counted, self.house.totals
        new = Totals(*(now - then for now, then in zip(self._counted, before, strict=True)))
        energies = new.pv_wh, new.imported_wh, new.exported_wh, 0.0, 0.0, new.charger_wh, 60.0
        begin = self._clock.now() - STEP
        five_minutes = begin - (begin - _NO_TIME) % FIVE_MINUTES
        self.store.write(Batch(begin, events, {five_minutes: energies}, VIENNA))


def sunny_and_cloudy(seed: int = 3) -> SyntheticProfile:
    """Return a roof of 10 kW near Vienna above a household."""
    return invented(seed)


def record(
    path: Path,
    start: datetime,
    hours: float,
    script: Callable[[Recording], Mapping[float, Callable[[], None]]],
    source: Source = Source.MODBUS,
    settings: ControlSettings | None = None,
    profile: Profile | None = None,
    second: Source | None = None,
) -> Recording:
    """Record some hours into a new store."""

    async def run() -> Recording:
        recording = Recording(path, start, source, profile, settings, second)
        with capture_logs():
            await recording.run(hours, script(recording))
        return recording

    return asyncio.run(run())


MORNING = datetime(2026, 6, 15, 6, tzinfo=UTC)


def eventful(path: Path, source: Source = Source.MODBUS) -> Recording:
    """Record eight hours with a restart, commands, a change by hand, an outage of the inverter, a boost."""

    def script(day: Recording) -> dict[float, Callable[[], None]]:
        def readings_come(*, come: bool) -> None:
            day.readings_come = come

        boost_until = MORNING + timedelta(hours=7.4)
        return {
            0.1: day.charger.plug_in,
            1.5: lambda: day.command(ModeCommand(Mode.MIN_SURPLUS)),
            2.0: lambda: day.command(LimitsCommand(None, 12)),
            2.5: lambda: day.change_by_hand(Setpoint(1, 10)),
            3.0: lambda: day.command(ModeCommand(Mode.SURPLUS)),
            3.5: lambda: readings_come(come=False),
            4.0: lambda: readings_come(come=True),
            4.5: day.restart,
            4.51: lambda: day.command(LimitsCommand(8, None)),
            5.5: day.charger.unplug,
            6.0: lambda: day.charger.plug_in(3000.0),
            7.0: lambda: day.command(ModeCommand(Mode.BOOST, boost_until)),
        }

    return record(path, MORNING, 8.0, script, source)


def recorded_events(reader: Reader, kind: type[T]) -> list[T]:
    """Return all events of a kind that a store has."""
    return [event for _, event in reader.events() if isinstance(event, kind)]
