"""The whole thing without hardware: simulated house, SolarEdge cloud and Wattpilot on loopback.

The daemon beside them is the real one, with the real drivers over real sockets; only time is accelerated.
"""

import asyncio
import re
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Literal
from zoneinfo import ZoneInfo

import aiohttp

from pvcharge import config
from pvcharge.app import App, make_context
from pvcharge.clock import FastClock
from pvcharge.drivers.solaredge import authorize_url, exchange
from pvcharge.model import DeviceHealth, Lease, PowerFlow
from pvcharge.sim.car import Car
from pvcharge.sim.house import House, Profile, best_start
from pvcharge.sim.household import Household, SyntheticProfile
from pvcharge.sim.solaredge import SolarEdgeServer
from pvcharge.sim.trace import Trace
from pvcharge.sim.wattpilot import WattpilotBox, WattpilotServer
from pvcharge.sim.weather import Weather

LATITUDE_DEG, LONGITUDE_DEG, TIMEZONE = 48.2, 16.4, "Europe/Vienna"
SITE_ID = 123456
# The simulators' own; they listen on loopback only and die with the demo.
PASSWORD, API_KEY, CLIENT_ID, CLIENT_SECRET = "demo-password", "DEMOKEY", "demo-app", "demo-secret"
A_DAY_IN_JUNE = datetime(2026, 6, 15, tzinfo=UTC)
PAST_S = 4 * 3600.0  # that the cloud already knows
HOUSE_STEP_S = 5.0
CAR_COMES_S = 60.0  # after the daemon has heard the charger


@dataclass(frozen=True, slots=True)
class DemoOptions:
    """What is simulated, and how fast.

    Attributes:
        speed: seconds of the house per second of the wall clock.
        trace: recorded weather and household; invented ones without it.
        charger: old hardware, or Flex with its bcrypt login.
        api: which SolarEdge API is read.
        live: V2 only: whether the cloud's live power flow is bought, else quarter-hour means.
        seed: of the invented weather and household.
        mqtt: the `[mqtt]` table of a broker that the daemon shall talk to as well.
    """

    speed: float = 60.0
    trace: Trace | None = None
    charger: Literal["old", "flex"] = "old"
    api: Literal["v2", "v1"] = "v2"
    live: bool = False
    seed: int = 7
    mqtt: dict[str, Any] | None = None


@dataclass(slots=True)
class Summary:
    """What came of a demo."""

    simulated_s: float = 0.0
    readings: int = 0
    setpoints: int = 0
    charged_kwh: float = 0.0
    import_kwh: float = 0.0
    export_kwh: float = 0.0
    api_calls: int = 0
    errors: int = 0


class Demo:
    """A running demo: simulators, daemon, and what is counted of both."""

    def __init__(self, options: DemoOptions, state_dir: Path) -> None:
        profile = options.trace or _invented(options.seed)
        start = _start(profile)
        self.options = options
        self.clock = FastClock(start, options.speed)
        self.start = start
        self.box = WattpilotBox(flex=options.charger == "flex")
        self.car = Car(needs_wh=40_000.0)
        self.house = House(profile, start=start, charger_w=lambda: self.box.power_w, step_s=HOUSE_STEP_S)
        self.house.prefill(PAST_S)
        self.cloud = SolarEdgeServer(
            self.house,
            site_id=SITE_ID,
            clock=self.clock,
            api_key=API_KEY,
            client_id=CLIENT_ID,
            client_secret=CLIENT_SECRET,
            timezone=TIMEZONE,
            tier="pro" if options.live else "basic",
            v1="alive" if options.api == "v1" else "gone",
        )
        self.charger = WattpilotServer(self.box, password=PASSWORD, clock=self.clock)
        self._state_dir = state_dir
        self._counts = Summary()

    @asynccontextmanager
    async def running(self) -> AsyncIterator[App]:
        """Run simulators and daemon for as long as the context lasts."""
        async with AsyncExitStack() as stack:
            for server in (self.cloud, self.charger):
                await server.start()
                stack.push_async_callback(server.aclose)
            settings = config.build(self._tables(), Path("demo"))
            if self.options.api == "v2":
                await self._log_in(settings)
            app = App(settings, self.clock)
            async with asyncio.TaskGroup() as group:
                tasks = [
                    group.create_task(self._let_time_pass(), name="house"),
                    group.create_task(self._let_car_come(app), name="car"),
                    group.create_task(self._count(app), name="counts"),
                    group.create_task(app.run(), name="daemon"),
                ]
                yield app
                for task in tasks:
                    task.cancel()

    async def _log_in(self, settings: config.Config) -> None:
        """Do what `pvcharge login solaredge` does, with the simulated cloud."""
        solaredge = settings.inverters[0].settings
        async with (
            aiohttp.ClientSession() as session,
            session.get(authorize_url(solaredge)) as response,
        ):
            _, _, rest = (await response.text()).partition("Code: ")
        code = re.split(r"[\s<]", rest, maxsplit=1)[0]
        await exchange(solaredge, make_context(settings, self.clock), code)

    def summary(self) -> Summary:
        """Return the counts up to now."""
        counts, totals = self._counts, self.house.totals
        counts.simulated_s = round((self.clock.now() - self.start).total_seconds(), 1)
        counts.charged_kwh = round(totals.charger_wh / 1000, 3)
        counts.import_kwh = round(totals.imported_wh / 1000, 3)
        counts.export_kwh = round(totals.exported_wh / 1000, 3)
        counts.api_calls = self.cloud.calls
        return counts

    async def _let_time_pass(self) -> None:
        while True:
            self.house.advance(self.clock.now())
            await self.clock.sleep(HOUSE_STEP_S)

    async def _let_car_come(self, app: App) -> None:
        """Plug the car in when the daemon has taken over the charger, as in a house where it always runs."""
        async for event in app.feed.subscribe():
            if isinstance(event, Lease):
                await self.clock.sleep(CAR_COMES_S)
                self.box.plug(self.car)
                return

    async def _count(self, app: App) -> None:
        last: Lease | None = None
        async for event in app.feed.subscribe():
            match event:
                case PowerFlow():
                    self._counts.readings += 1
                case Lease() if last is None or last.setpoint != event.setpoint:
                    self._counts.setpoints += 1
                    last = event
                case DeviceHealth(ok=False):
                    self._counts.errors += 1
                case _:
                    pass

    def _tables(self) -> dict[str, Any]:
        """Return the configuration as it would stand in a file."""
        inverter: dict[str, Any] = {
            "driver": "solaredge",
            "api": self.options.api,
            "site_id": SITE_ID,
            "base_url": self.cloud.base_url,
        }
        if self.options.api == "v1":
            inverter |= {"api_key": API_KEY}
        else:
            inverter |= {
                "authorize_url": f"{self.cloud.base_url}/authorize",
                "client_id": CLIENT_ID,
                "client_secret": CLIENT_SECRET,
                "data": "live" if self.options.live else "quarter",
            }
        return {
            **({"mqtt": self.options.mqtt} if self.options.mqtt else {}),
            "state_dir": str(self._state_dir),
            "site": {
                "name": "demo",
                "latitude": LATITUDE_DEG,
                "longitude": LONGITUDE_DEG,
                "timezone": TIMEZONE,
            },
            "inverter": [inverter],
            "charger": {
                "driver": "wattpilot",
                "host": self.charger.host,
                "port": self.charger.port,
                "password": PASSWORD,
            },
        }


def _invented(seed: int) -> SyntheticProfile:
    weather = Weather(seed, LATITUDE_DEG, LONGITUDE_DEG, peak_w=10_000.0, inverter_w=8_000.0)
    return SyntheticProfile(weather, Household(seed, 3500.0, ZoneInfo(TIMEZONE)))


def _start(profile: Profile) -> datetime:
    """Return a moment from which on there is surplus for a while."""
    if isinstance(profile, Trace):
        return profile.best_start()
    return best_start(profile, A_DAY_IN_JUNE, A_DAY_IN_JUNE + timedelta(days=1))
