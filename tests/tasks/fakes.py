"""Devices in memory that keep the drivers' contract, and a place to run a task in."""

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Coroutine, Mapping
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from pvcharge.drivers.base import Demand, TransientError
from pvcharge.model import ChargerState, ChargerStatus, Clock, DeviceHealth, PowerFlow, Setpoint
from pvcharge.tasks.feed import Event, Feed

START = datetime(2026, 6, 15, 10, tzinfo=UTC)


class VirtualClock:
    """Shows the virtual time of looptime, which begins with the test itself: fixtures see `START`."""

    def __init__(self) -> None:
        self._ahead_s = 0.0

    def now(self) -> datetime:
        """Return the current time, UTC-aware."""
        loop: Any = asyncio.get_running_loop()
        return START + timedelta(seconds=self._ahead_s + (loop.time() if loop.looptime_on else 0.0))

    def jump(self, seconds: float) -> None:
        """Go ahead at once, as when the machine has slept; sleepers do not notice."""
        self._ahead_s += seconds

    async def sleep(self, seconds: float) -> None:
        """Sleep in virtual seconds."""
        await asyncio.sleep(max(0.0, seconds))


class FakeInverter:
    """Answers reads from a script, then with nothing new; a read takes `read_s`.

    Attributes:
        script: what the next reads return or raise.
        reads: when a read began and ended.
        demands: those the driver was asked to plan for.
        period_s: the next read is planned so long after the last one ended.
    """

    def __init__(self, clock: Clock, *, period_s: float = 60.0, read_s: float = 0.0) -> None:
        self.name = "roof"
        self.period_s = period_s
        self.read_s = read_s
        self.script: deque[tuple[PowerFlow, ...] | Exception] = deque()
        self.reads: list[tuple[datetime, datetime]] = []
        self.demands: list[Demand] = []
        self.closed = 0
        self._clock = clock

    async def read(self) -> tuple[PowerFlow, ...]:
        """Take as long as it takes, then answer."""
        began = self._clock.now()
        await self._clock.sleep(self.read_s)
        self.reads.append((began, self._clock.now()))
        answer = self.script.popleft() if self.script else ()
        if isinstance(answer, Exception):
            raise answer
        return answer

    def next_read_at(self, now: datetime, demand: Demand) -> datetime:
        """Plan by the period; at once when a car has just come."""
        came = demand.car_plugged and self.demands and not self.demands[-1].car_plugged
        self.demands.append(demand)
        if not self.reads or came:
            return now
        return self.reads[-1][1] + timedelta(seconds=self.period_s)

    def health(self) -> Mapping[str, float | str]:
        """Return how many reads there were."""
        return {"reads": len(self.reads)}

    async def aclose(self) -> None:
        """Count."""
        self.closed += 1


class FakeCharger:
    """A box that takes what it is told, unless it is told to fail.

    It checks by itself what must hold for every user: one connection at a time, and no write without one.

    Attributes:
        status: as it would be reported now.
        open_errors: what the next calls of `open` raise.
        apply_errors: what the next calls of `apply` raise.
        apply_s: how long a write takes.
        cable_a: what the cable can carry; a setpoint above it is limited.
        silent: whether a connection begins without a status, against the contract.
        calls: everything that was asked of it, in order.
        applied: the setpoints that were written.
        opened_at: when a connection was tried.
        opened: set by each connection that was made.
    """

    def __init__(self, clock: Clock) -> None:
        self.name = "box"
        self.status = ChargerStatus(clock.now(), ChargerState.READY, 0.0, setpoint=Setpoint(0, 0))
        self.open_errors: deque[Exception] = deque()
        self.apply_errors: deque[Exception] = deque()
        self.apply_s = 0.0
        self.cable_a = 32
        self.silent = False
        self.calls: list[str] = []
        self.applied: list[Setpoint] = []
        self.opened_at: list[datetime] = []
        self.opened = asyncio.Event()
        self._clock = clock
        self._news: asyncio.Queue[ChargerStatus | Exception] | None = None

    async def open(self) -> None:
        """Connect, or fail as scripted."""
        self.calls.append("open")
        self.opened_at.append(self._clock.now())
        assert self._news is None, "opened twice"
        if self.open_errors:
            raise self.open_errors.popleft()
        self._news = asyncio.Queue()
        self.opened.set()
        if not self.silent:
            self.report()

    async def next_status(self) -> ChargerStatus:
        """Return the next status reported, or raise what ended the link."""
        assert self._news is not None, "not open"
        news = await self._news.get()
        if isinstance(news, Exception):
            raise news
        return news

    async def apply(self, setpoint: Setpoint) -> None:
        """Take the setpoint and report it."""
        self.calls.append(f"apply {setpoint}")
        if self._news is None:
            raise TransientError("box: not connected")
        await self._clock.sleep(self.apply_s)
        if self.apply_errors:
            raise self.apply_errors.popleft()
        self.applied.append(setpoint)
        self.report(setpoint=Setpoint(setpoint.phases, min(setpoint.current_a, self.cable_a)))

    def health(self) -> Mapping[str, float | str]:
        """Return nothing of interest."""
        return {}

    async def aclose(self) -> None:
        """Disconnect."""
        if self._news is not None:
            self.calls.append("close")
        self._news = None

    def report(self, **changes: Any) -> None:
        """Say what has changed; while nobody listens, it only changes."""
        self.status = replace(self.status, at=self._clock.now(), **changes)
        if self._news is not None:
            self._news.put_nowait(self.status)

    def change_by_hand(self, setpoint: Setpoint | None) -> None:
        """Be set to something by the driver of the car; None is the box's own logic, such as Eco."""
        self.report(setpoint=setpoint, changed_by_hand_at=self._clock.now())

    def drop(self, error: Exception | None = None) -> None:
        """Lose the link."""
        if self._news is not None:
            self._news.put_nowait(error or TransientError("box: dropped"))

    @property
    def connected(self) -> bool:
        """Whether somebody is connected."""
        return self._news is not None


class RecordingFeed(Feed):
    """A feed that remembers everything.

    Attributes:
        events: all that has been published, in order.
    """

    def __init__(self) -> None:
        super().__init__()
        self.events: list[Event] = []

    def publish(self, event: Event) -> None:
        """Remember, then publish."""
        self.events.append(event)
        super().publish(event)

    def health(self, name: str) -> list[DeviceHealth]:
        """Return what has been published of the health of one device."""
        return [event for event in self.events if isinstance(event, DeviceHealth) and event.name == name]


def flow(end: datetime, grid_w: float = -3000.0) -> PowerFlow:
    """Return a reading of an instant, by default with 3 kW of export."""
    return PowerFlow(end, end, pv_w=4000.0, grid_w=grid_w, source="roof")


@asynccontextmanager
async def running(coroutine: Coroutine[Any, Any, None]) -> AsyncIterator[asyncio.Task[None]]:
    """Run a task for as long as the context lasts, then cancel it; it must leave no task behind."""
    before = asyncio.all_tasks()
    task = asyncio.create_task(coroutine)
    try:
        yield task
    finally:
        task.cancel()
        await asyncio.wait([task])
    assert asyncio.all_tasks() == before
    if not task.cancelled():
        task.result()
