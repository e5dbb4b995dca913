"""A standalone daemon in virtual time on the real `SystemClock`, whose computer's clock a test can set."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from contextvars import copy_context
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, TypeVar

import pytest
from structlog.testing import capture_logs

from pvcharge import clock as clock_module
from pvcharge import config
from pvcharge.app import App
from pvcharge.clock import SystemClock
from pvcharge.config import Config, Device
from pvcharge.drivers.base import CHARGERS, INVERTERS, Driver
from pvcharge.model import Decision, Mode, ModeCommand, Setpoint
from pvcharge.tasks.feed import Event
from split.devices import Box, Roof
from split.house import Named
from split.side import AtOnce, Timeline
from split.standstill import process

NAME = "standalone"  # of the process, for who makes it stand still
MORNING = datetime(2026, 6, 15, 10, tzinfo=UTC)
AT_10_A, AT_10_A_W = Setpoint(3, 10), 6900.0
AT_13_A, AT_13_A_W = Setpoint(3, 13), 8970.0

E = TypeVar("E", bound=Event)


class Computer:
    """The computer's two clocks, by the loop's virtual time: stands in for `datetime` and `time`."""

    def __init__(self, start: datetime) -> None:
        self._start = start

    def set_wall(self, by: timedelta) -> None:
        """Set the wall clock, as NTP or a user does."""
        self._start += by

    def now(self, _zone: object) -> datetime:
        """Stand in for `datetime.now`."""
        return self._start + timedelta(seconds=self.monotonic())

    def monotonic(self) -> float:
        """Stand in for `time.monotonic`."""
        return asyncio.get_running_loop().time()


class ClockHouse:
    """A daemon with a box and a meter in memory.

    Args:
        folder: where the daemon keeps its state.
        start: what the wall clock shows at first.
        read_every_s: from one reading to the next.
        control: keys of the `[control]` table.

    Attributes:
        computer: whose wall clock can be set.
        box: the charger.
        roof: the meter.
        events: all that the feed has seen, with the loop's time.
    """

    def __init__(
        self,
        folder: Path,
        *,
        start: datetime = MORNING,
        read_every_s: float = 5.0,
        control: dict[str, Any] | None = None,
    ) -> None:
        asyncio.get_running_loop().set_default_executor(AtOnce())
        self.computer = Computer(start)
        self.events: list[tuple[float, Event]] = []
        self._folder, self._control, self._every_s = folder, control or {}, read_every_s
        self.app: App
        self.box: Box
        self.clock: SystemClock
        self.roof: Roof

    @asynccontextmanager
    async def running(self, found: Setpoint | None = None) -> AsyncIterator["ClockHouse"]:
        """Run it for as long as the context lasts; no task may crash, nothing illegal be written."""
        with capture_logs() as logs, pytest.MonkeyPatch.context() as patch:
            patch.setattr(clock_module, "datetime", self.computer)
            patch.setattr(clock_module, "time", self.computer)
            self.clock = SystemClock()
            self.box = Box(self.clock)
            if found is not None:
                self.box.report(setpoint=found)
            self.roof = Roof(self.clock, self.box)
            self.roof.every_s, self.roof.age_s = self._every_s, 1.0
            self.app = app = App(self._config(), self.clock)
            app.feed = Timeline(self.events)
            context = copy_context()
            context.run(process.set, NAME)
            tasks = [asyncio.create_task(self.box.run()), asyncio.create_task(app.run(), context=context)]
            try:
                yield self
                assert not any(task.done() for task in tasks)
            finally:
                for task in tasks:
                    task.cancel()
                await asyncio.wait(tasks)
        assert not [entry for entry in logs if entry["log_level"] in ("error", "critical")]
        for _, setpoint in self.box.writes:
            assert not setpoint.charges or (setpoint.phases in (1, 3) and 6 <= setpoint.current_a <= 16)

    async def until(self, happens: Callable[[], object], within_s: float) -> float:
        """Wait until the condition holds, and return for how long.

        Raises:
            TimeoutError: it did not come true in time.
        """
        began_s = self.now_s
        async with asyncio.timeout(within_s):
            while not happens():  # noqa: ASYNC110 - nobody tells
                await asyncio.sleep(0.25)
        return self.now_s - began_s

    async def charges(self, surplus_w: float, expected: Setpoint) -> None:
        """Let so much surplus be there, and the car follow it for a while."""
        self.roof.surplus_w = surplus_w
        await self.until(lambda: self.box.setpoint == expected, 300)
        await asyncio.sleep(120)
        assert self.box.setpoint == expected

    def command(self, mode: Mode, until: datetime | None = None) -> None:
        """Choose a mode, as from the page."""
        self.app.inbox.put_nowait(ModeCommand(mode, until))

    def all(self, kind: type[E], since_s: float = 0.0) -> list[E]:
        """Return all events of a kind from a time on."""
        return [event for at_s, event in self.events if isinstance(event, kind) and at_s >= since_s]

    @property
    def newest(self) -> Decision:
        """The newest decision."""
        return next(event for _, event in reversed(self.events) if isinstance(event, Decision))

    @property
    def now_s(self) -> float:
        """The loop's time."""
        return asyncio.get_running_loop().time()

    def writes(self, since_s: float) -> list[tuple[float, Setpoint]]:
        """Return what was written to the box from a time on."""
        return [(at_s, setpoint) for at_s, setpoint in self.box.writes if at_s >= since_s]

    def _config(self) -> Config:
        charger = {"driver": "wattpilot", "host": "192.0.2.20", "password": "secret"}
        inverter = {"driver": "solaredge", "site_id": 1, "api_key": "secret"}
        tables: dict[str, Any] = {
            "state_dir": str(self._folder),
            "history": {"enabled": False},  # a disk knows no virtual time
            "site": {"name": "home", "latitude": 48.2, "longitude": 16.4, "timezone": "Europe/Vienna"},
            "control": self._control,
            "charger": charger,
            "inverter": [inverter],
        }
        built = config.build(tables, Path("home"))
        devices = _device(CHARGERS, self.box), _device(INVERTERS, self.roof)
        return replace(built, charger=devices[0], inverters=(devices[1],), web=None)


def _device(kind: str, device: Box | Roof) -> Device:
    driver = Driver(device.name, kind, Named, lambda _settings, _context: device)
    return Device(driver, Named(name=device.name))
