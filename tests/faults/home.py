"""A house on loopback: simulated cloud, box and car, and the daemon as it would run there."""

import asyncio
import math
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal, TypeVar

import aiohttp

from faults.relay import Relay
from pvcharge import config
from pvcharge.app import App, make_context
from pvcharge.clock import FastClock
from pvcharge.drivers.solaredge import authorize_url, exchange
from pvcharge.model import (
    ChargerStatus,
    Clock,
    Decision,
    DeviceHealth,
    Mode,
    ModeCommand,
    PowerFlow,
    Reason,
)
from pvcharge.sim.car import Car
from pvcharge.sim.house import House
from pvcharge.sim.solaredge import SolarEdgeServer
from pvcharge.sim.solaredge.limits import SolarEdgeLimits
from pvcharge.sim.solaredge_modbus import ModbusServer
from pvcharge.sim.wattpilot import WattpilotServer
from pvcharge.tasks.feed import Event
from support.broker import HOST
from support.overheard_box import OverheardBox
from tasks.fakes import RecordingFeed

SITE_ID, API_KEY, CLIENT_ID, CLIENT_SECRET = 4711, "SITEKEY123", "our-app", "our-app-secret"
PASSWORD = "box-password"
PAST_S = 3600.0
STEP_S = 5.0
LATE_MORNING = datetime(2026, 6, 15, 9, tzinfo=UTC)
RHYTHM = 5  # readings
MODBUS_TIMEOUT_S = 0.5  # real seconds; a machine that stands still for less is no fault of the inverter
PATIENCE_S = 15.0  # real seconds; only a test that fails takes so long

E = TypeVar("E", bound=Event)


class Sunshine:
    """Some 6 kW from the roof and 0.5 kW for the house, never the same twice."""

    def pv_w(self, at: datetime) -> float:
        """Return the production."""
        return 6000.0 + 300.0 * math.sin(at.timestamp() / 71.0)

    def load_w(self, at: datetime) -> float:
        """Return the consumption."""
        return 500.0 + 50.0 * math.sin(at.timestamp() / 13.0)


class WatchedBox(OverheardBox):
    """A box that remembers what clients set.

    Attributes:
        writes: key and value, and how many events the daemon had published by then.
    """

    def __init__(self, feed: RecordingFeed) -> None:
        super().__init__()
        self.writes: list[tuple[str, Any, int]] = []
        self.on_write = lambda key, value: self.writes.append((key, value, len(feed.events)))


class Home:
    """The house; `speed` seconds pass in it each second.

    Args:
        state_dir: where the daemon keeps its counters.
        inverter: keys of the `[[inverter]]` table besides the usual ones.
        charger: keys of the `[charger]` table besides the usual ones.
        api: which API of the cloud is read.
        modbus: whether the inverter is read in the house, too.
        wired: the driver between which and its device there is a wire that a test can spoil.
        speed: of the clock.

    Attributes:
        wire: that wire, as soon as the house is running.
        recoveries: of which device, and how many seconds of the house they took.
    """

    def __init__(
        self,
        state_dir: Path,
        *,
        inverter: dict[str, Any] | None = None,
        charger: dict[str, Any] | None = None,
        api: Literal["v1", "v2"] = "v2",
        modbus: bool = False,
        wired: Literal["solaredge", "solaredge_modbus", "wattpilot"] | None = None,
        speed: float = 600.0,
    ) -> None:
        self.clock: Clock = FastClock(LATE_MORNING, speed)
        self.feed = RecordingFeed()
        self.box = WatchedBox(self.feed)
        self.car = Car()
        self.house = House(Sunshine(), start=LATE_MORNING, charger_w=lambda: self.box.power_w, step_s=STEP_S)
        self.house.prefill(PAST_S)
        self.cloud = SolarEdgeServer(
            self.house,
            site_id=SITE_ID,
            clock=self.clock,
            api_key=API_KEY,
            client_id=CLIENT_ID,
            client_secret=CLIENT_SECRET,
            tier="pro",
            v1="alive" if api == "v1" else "gone",
            limits=SolarEdgeLimits(calls_per_month=1_000_000, v1_calls_per_day=100_000),
        )
        self.server = WattpilotServer(self.box, password=PASSWORD, clock=self.clock)
        self.modbus = ModbusServer(self.house, clock=self.clock) if modbus else None
        self._state_dir = state_dir
        self._api = api
        self._inverter, self._charger = inverter or {}, charger or {}
        self._wired = wired
        self.wire: Relay
        self.recoveries: list[tuple[str, float]] = []
        self.app: App

    @asynccontextmanager
    async def running(self) -> AsyncIterator["Home"]:
        """Run everything for as long as the context lasts; the car is plugged in and the sun shines."""
        async with AsyncExitStack() as stack:
            for server in (self.cloud, self.server, self.modbus):
                if server is not None:
                    await server.start()
                    stack.push_async_callback(server.aclose)
            if self._wired:
                self.wire = Relay(self._device_port(self._wired))
                await stack.enter_async_context(self.wire.running())
            self.box.plug(self.car)
            self.app = App(config.build(self.tables(), Path("home")), self.clock)
            self.app.feed = self.feed
            house = asyncio.create_task(self._let_time_pass())
            daemon = asyncio.create_task(self.app.run())
            try:
                yield self
                assert not daemon.done()
            finally:
                for task in (daemon, house):
                    task.cancel()
                outcomes = await asyncio.gather(daemon, house, return_exceptions=True)
        for outcome in outcomes:
            if isinstance(outcome, Exception):
                raise outcome

    def tables(self) -> dict[str, Any]:
        """Return the configuration as it would stand in a file."""
        inverter: dict[str, Any] = {
            "driver": "solaredge",
            "api": self._api,
            "site_id": SITE_ID,
            "base_url": f"http://{HOST}:{self._port('solaredge')}",
            "authorize_url": f"{self.cloud.base_url}/authorize",
            "api_key": API_KEY,
            "calls_per_month": 1_000_000,
            "calls_per_day": 100_000,
        }
        if self._api == "v2":
            inverter["data"] = "live"
        charger = {
            "driver": "wattpilot",
            "host": HOST,
            "port": self._port("wattpilot"),
            "password": PASSWORD,
        }
        inverter |= self._inverter
        inverters = [{key: value for key, value in inverter.items() if value is not None}]
        if self.modbus is not None:
            inverters.insert(0, self._modbus_table())
        return {
            "state_dir": str(self._state_dir),
            "site": {"name": "home", "latitude": 48.2, "longitude": 16.4, "timezone": "Europe/Vienna"},
            "inverter": inverters,
            "charger": charger | self._charger,
        }

    def _modbus_table(self) -> dict[str, Any]:
        return {
            "driver": "solaredge_modbus",
            "host": HOST,
            "port": self._port("solaredge_modbus"),
            "request_timeout_s": MODBUS_TIMEOUT_S,
        }

    def _port(self, driver: str) -> int:
        """Return the port at which a driver finds its device."""
        return self.wire.port if driver == self._wired else self._device_port(driver)

    def _device_port(self, driver: str) -> int:
        if driver == "wattpilot":
            return self.server.port
        if driver == "solaredge":
            return int(self.cloud.base_url.rpartition(":")[2])
        assert self.modbus is not None
        return self.modbus.port

    async def log_in(self) -> None:
        """Do what `pvcharge login solaredge` does, by any browser."""
        settings = self.app.config.inverters[0].settings
        async with aiohttp.ClientSession() as session, session.get(authorize_url(settings)) as response:
            _, _, rest = (await response.text()).partition("Code: ")
        await exchange(settings, make_context(self.app.config, self.clock), rest.partition("<")[0])

    async def until(self, happens: Callable[[], object]) -> None:
        """Return as soon as the condition holds; it is looked at whenever the daemon publishes something.

        Raises:
            TimeoutError: it does not come true, or the daemon has fallen silent.
        """
        subscription = self.feed.subscribe()
        try:
            async with asyncio.timeout(PATIENCE_S):
                async for _ in subscription:
                    if happens():
                        return
        finally:
            self.feed.unsubscribe(subscription)

    async def charges_by_surplus(self) -> None:
        """Wait until the car charges, and the box is set as the surplus wants it."""
        await self.until(
            lambda: self.reason is Reason.FOLLOWING and self.box.power_w > 0 and self._box_is_as_decided()
        )

    def _box_is_as_decided(self) -> bool:
        decision, status = self._newest(Decision), self._newest(ChargerStatus)
        return decision is not None and status is not None and decision.setpoint == status.setpoint

    async def settles(self) -> None:
        """Wait until that has gone on for long enough to teach the controller how often readings come."""
        await self.charges_by_surplus()
        await self.reads(RHYTHM)

    async def reads(self, times: int) -> None:
        """Wait for some more readings."""
        expected = self.readings + times
        await self.until(lambda: self.readings >= expected)

    async def recovers(self, device: str, tries: int = 1) -> None:
        """Wait until a device is well again whose fault is over.

        Args:
            device: its configured name.
            tries: how many may yet fail, such as one that was under way.
        """
        mended, failed = self.clock.now(), self.failures(device)
        await self.until(lambda: self.ok(device))
        assert self.failures(device) - failed <= tries
        self.recoveries.append((device, (self.clock.now() - mended).total_seconds()))

    async def wait(self, seconds: float) -> None:
        """Let time pass in the house."""
        end = self.clock.now().timestamp() + seconds
        await self.until(lambda: self.clock.now().timestamp() >= end)

    def command(self, mode: Mode) -> None:
        """Choose a mode, as from the page."""
        self.app.inbox.put_nowait(ModeCommand(mode))

    def all(self, kind: type[E]) -> list[E]:
        """Return all events of a kind."""
        return [event for event in self.feed.events if isinstance(event, kind)]

    @property
    def reason(self) -> Reason | None:
        """Why the newest decision is as it is."""
        decision = self._newest(Decision)
        return decision.reason if decision else None

    def reasons(self, since: int = 0) -> set[Reason]:
        """Return the reasons of all decisions from an event on."""
        return {event.reason for event in self.feed.events[since:] if isinstance(event, Decision)}

    def failures(self, name: str) -> int:
        """Return how many tries of a device have failed."""
        return sum(not health.ok for health in self.feed.health(name))

    def ok(self, name: str) -> bool:
        """Whether a device is well."""
        health = self.feed.health(name)
        return bool(health) and health[-1].ok

    @property
    def source(self) -> str | None:
        """Whose readings are followed."""
        decision = self._newest(Decision)
        return decision.source if decision else None

    @property
    def readings(self) -> int:
        """How many readings have come."""
        return len(self.all(PowerFlow))

    @property
    def statuses(self) -> int:
        """How often the charger has been heard."""
        return len(self.all(ChargerStatus))

    def check_writes(self) -> None:
        """Check every write against the safety rules, as the box has seen it."""
        legal = {"amp": range(6, 17), "psm": (1, 2), "frc": (0, 1), "lmo": (3,)}
        for key, value, published in self.box.writes:
            assert value in legal[key], f"{key}={value}"
            before = self.feed.events[:published]
            links = [
                event.ok for event in before if isinstance(event, DeviceHealth) and event.name == "wattpilot"
            ]
            assert links, "written before the first connection was complete"
            assert links[-1], "written on a connection that is not complete"

    def _newest(self, kind: type[E]) -> E | None:
        return next((event for event in reversed(self.feed.events) if isinstance(event, kind)), None)

    async def _let_time_pass(self) -> None:
        while True:
            self.house.advance(self.clock.now())
            await self.clock.sleep(STEP_S)
