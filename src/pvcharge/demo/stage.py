"""The stage of a demo: simulated house, car, SolarEdge cloud and Wattpilot on loopback, in fast time."""

import asyncio
import re
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp

from pvcharge.app import make_context
from pvcharge.clock import FastClock
from pvcharge.config import Config
from pvcharge.demo.options import DemoOptions, Summary
from pvcharge.demo.scene import PAST_S, Scene
from pvcharge.drivers.solaredge import SolarEdgeSettings, authorize_url, exchange
from pvcharge.sim.car import Car
from pvcharge.sim.feed import Source
from pvcharge.sim.house import House
from pvcharge.sim.invented import LATITUDE_DEG, LONGITUDE_DEG, ZONE
from pvcharge.sim.solaredge import SolarEdgeServer
from pvcharge.sim.solaredge_modbus import ModbusServer
from pvcharge.sim.wattpilot import WattpilotBox, WattpilotServer

SITE = "demo"
SITE_ID = 123456
# The simulators' own; they listen on loopback only and die with the demo.
PASSWORD, API_KEY, CLIENT_ID, CLIENT_SECRET = "demo-password", "DEMOKEY", "demo-app", "demo-secret"
HOUSE_STEP_S = 5.0
CAR_COMES_S = 60.0  # after a controller has heard the charger


class Stage:
    """The simulated devices, and the configuration by which daemons find them."""

    def __init__(self, options: DemoOptions) -> None:
        scene = Scene.of(options)
        self.options = options
        self.start = scene.start
        self.start_unix_s = time.time()
        self.clock = FastClock(self.start, options.speed, self.start_unix_s)
        self.timezone = ZONE
        self.box = WattpilotBox(flex=options.charger == "flex")
        self.car = Car(needs_wh=40_000.0)
        self.house = House(
            scene.profile, start=self.start, charger_w=lambda: self.box.power_w, step_s=HOUSE_STEP_S
        )
        self.house.prefill(PAST_S)
        self.cloud = SolarEdgeServer(
            self.house,
            site_id=SITE_ID,
            clock=self.clock,
            api_key=API_KEY,
            client_id=CLIENT_ID,
            client_secret=CLIENT_SECRET,
            timezone=ZONE.key,
            tier="pro" if options.source is Source.LIVE else "basic",
            v1="alive" if options.api == "v1" else "gone",
            production_meter=True,  # so that there is a roof to be seen in the quarter hours, too
        )
        self.inverter = (
            ModbusServer(self.house, clock=self.clock) if options.source is Source.MODBUS else None
        )
        self.charger = WattpilotServer(self.box, password=PASSWORD, clock=self.clock)

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Run the devices and let the house's time pass, for as long as the context lasts."""
        devices = [device for device in (self.cloud, self.inverter, self.charger) if device]
        async with AsyncExitStack() as opened:
            for device in devices:
                opened.push_async_callback(device.aclose)
                await device.start()
            async with asyncio.TaskGroup() as group:
                house = group.create_task(self._let_time_pass(), name="house")
                yield
                house.cancel()

    async def let_car_come(self) -> None:
        """Plug the car in after a while; to be called when a controller has taken over the charger."""
        await self.clock.sleep(CAR_COMES_S)
        self.box.plug(self.car)

    async def log_in(self, config: Config) -> None:
        """Do what `pvcharge login solaredge` does, with the simulated cloud."""
        if self.options.api != "v2":
            return
        (solaredge,) = (it.settings for it in config.inverters if isinstance(it.settings, SolarEdgeSettings))
        async with (
            aiohttp.ClientSession() as session,
            session.get(authorize_url(solaredge)) as response,
        ):
            _, _, rest = (await response.text()).partition("Code: ")
        code = re.split(r"[\s<]", rest, maxsplit=1)[0]
        await exchange(solaredge, make_context(config, self.clock), code)

    def count(self, summary: Summary) -> Summary:
        """Fill in what the devices have counted up to now, and return the summary."""
        totals = self.house.totals
        summary.simulated_s = round((self.clock.now() - self.start).total_seconds(), 1)
        summary.charged_kwh = round(totals.charger_wh / 1000, 3)
        summary.import_kwh = round(totals.imported_wh / 1000, 3)
        summary.export_kwh = round(totals.exported_wh / 1000, 3)
        summary.api_calls = self.cloud.calls
        return summary

    def site_tables(self, state_dir: Path) -> dict[str, Any]:
        """Return what stands in every daemon's configuration file."""
        site = {
            "name": SITE,
            "latitude": LATITUDE_DEG,
            "longitude": LONGITUDE_DEG,
            "timezone": ZONE.key,
        }
        return {"state_dir": str(state_dir), "site": site}

    def local_inverters(self) -> list[dict[str, Any]]:
        """Return the `[[inverter]]` tables of what is read in the house."""
        server = self.inverter
        if server is None:
            return []
        return [{"driver": "solaredge_modbus", "host": server.host, "port": server.port}]

    def cloud_inverters(self) -> list[dict[str, Any]]:
        """Return the `[[inverter]]` tables of what is read in the cloud."""
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
                "data": "live" if self.options.source is Source.LIVE else "quarter",
            }
        return [inverter]

    def charger_tables(self) -> dict[str, Any]:
        """Return the `[charger]` table."""
        charger = {
            "driver": "wattpilot",
            "host": self.charger.host,
            "port": self.charger.port,
            "password": PASSWORD,
        }
        return {"charger": charger}

    async def _let_time_pass(self) -> None:
        while True:
            self.house.advance(self.clock.now())
            await self.clock.sleep(HOUSE_STEP_S)
