"""A standalone daemon on the stage, in this process: the real one, with real drivers over real sockets."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from pvcharge import config
from pvcharge.app import App
from pvcharge.demo.latest import Latest
from pvcharge.demo.options import DemoOptions, Summary
from pvcharge.demo.pages import url, web_table
from pvcharge.demo.stage import Stage
from pvcharge.model import DeviceHealth, Lease, PowerFlow


class Demo:
    """A running demo: devices, daemon, and what is known and counted of both.

    Args:
        options: what is simulated.
        state_dir: where the daemon keeps its tokens and counters, and may find a past; see `write_past`.

    Attributes:
        pages: addresses by whose they are.
    """

    def __init__(self, options: DemoOptions, state_dir: Path) -> None:
        self.stage = Stage(options)
        self.latest = Latest(self.stage.timezone)
        self.pages: Mapping[str, str] = {"page": url(options.ports[0])} if options.ports else {}
        self._state_dir = state_dir
        self._counts = Summary(readings=0)

    @asynccontextmanager
    async def running(self) -> AsyncIterator[App]:
        """Run devices and daemon for as long as the context lasts."""
        async with self.stage.running():
            settings = config.build(self._tables(), Path("demo"))
            await self.stage.log_in(settings)
            app = App(settings, self.stage.clock)
            async with asyncio.TaskGroup() as group:
                tasks = [
                    group.create_task(self._let_car_come(app), name="car"),
                    group.create_task(self._follow(app), name="view"),
                    group.create_task(app.run(), name="daemon"),
                ]
                yield app
                for task in tasks:
                    task.cancel()

    def summary(self) -> Summary:
        """Return the counts up to now."""
        return self.stage.count(self._counts)

    async def _let_car_come(self, app: App) -> None:
        """Plug the car in when the daemon has taken over the charger, as in a house where it always runs."""
        async for event in app.feed.subscribe():
            if isinstance(event, Lease):
                await self.stage.let_car_come()
                return

    async def _follow(self, app: App) -> None:
        last: Lease | None = None
        async for event in app.feed.subscribe():
            self.latest.take(event, self.stage.clock.now())
            match event:
                case PowerFlow():
                    self._counts.readings = (self._counts.readings or 0) + 1
                case Lease() if last is None or last.setpoint != event.setpoint:
                    self._counts.setpoints += 1
                    last = event
                case DeviceHealth(ok=False):
                    self._counts.errors += 1
                case _:
                    pass

    def _tables(self) -> dict[str, Any]:
        """Return the configuration as it would stand in a file."""
        options = self.stage.options
        port = next(iter(options.ports), None)
        return {
            **self.stage.site_tables(self._state_dir),
            "inverter": self.stage.local_inverters() + self.stage.cloud_inverters(),
            **self.stage.charger_tables(),
            **({"mqtt": options.mqtt} if options.mqtt else {}),
            **web_table(port),
        }
