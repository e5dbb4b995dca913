"""The house of these tests: simulated devices, and a daemon with a page that can be stopped and started."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, TypeVar

import aiohttp

from pvcharge import config
from pvcharge.app import App
from pvcharge.demo import DemoOptions, Stage, until_shown, write_past
from pvcharge.sim.feed import Source
from pvcharge.sim.trace import Trace
from web.scraping import free_port

SPEED = 60.0
PATIENCE_S = 20.0  # real seconds; only a test that fails takes so long
DAY = datetime(2026, 6, 15, tzinfo=UTC)
HOST = "127.0.0.1"
# Nothing here waits for a charge to have lasted long enough, or for relays to rest.
AT_ONCE = {"min_on_s": 0, "min_off_s": 0, "max_starts_per_hour": 60, "max_phase_switches_per_hour": 60}
FULL_POWER_W = 10_500.0  # of three phases with 16 A, more or less

T = TypeVar("T")


def sunny() -> Trace:
    """Return a day with 5 kW from nine o'clock on, of which the house takes half a kW."""
    pv_w = [5000.0 if minute >= 540 else 0.0 for minute in range(1440)]
    return Trace(DAY, timedelta(minutes=1), pv_w, [500.0] * 1440)


class ShownHouse:
    """A house with a page.

    Args:
        folder: where the daemon keeps its files.
        remembers: whether there are days before; then the weather is invented, otherwise the sun shines.
        tables: of the configuration, besides those of the devices; those of `[web]` without its address.
    """

    def __init__(self, folder: Path, *, remembers: bool = False, **tables: dict[str, Any]) -> None:
        options = DemoOptions(SPEED, None if remembers else sunny(), source=Source.MODBUS)
        if remembers:
            write_past(options, folder)
        self.stage = Stage(options)
        self.port = free_port()
        self._folder = folder
        self._tables = tables
        self._daemon: asyncio.Task[None] | None = None

    @property
    def url(self) -> str:
        """Where the page is."""
        return f"http://{HOST}:{self.port}{self._tables.get('web', {}).get('base_path', '')}/"

    @property
    def power_w(self) -> float:
        """What the car draws."""
        return self.stage.box.power_w

    async def start(self) -> None:
        """Start the daemon, and return when it shows the page."""
        stage = self.stage
        tables = {
            **stage.site_tables(self._folder),
            "inverter": stage.local_inverters(),
            **stage.charger_tables(),
            "control": AT_ONCE,
            **self._tables,
            "web": {"listen": f"{HOST}:{self.port}", **self._tables.get("web", {})},
        }
        if tables.get("role") == "edge":
            del tables["inverter"], tables["control"]
        app = App(config.build(tables, Path("test")), stage.clock)
        self._daemon = asyncio.create_task(app.run(), name="daemon")
        await until_shown([self.port])

    @asynccontextmanager
    async def controller(self, folder: Path) -> AsyncIterator[None]:
        """Run the controller of this house elsewhere, where this daemon is but the edge."""
        tables = {
            "role": "cloud",
            **self.stage.site_tables(folder),
            "inverter": self.stage.local_inverters(),
            "mqtt": self._tables["mqtt"],
            "control": AT_ONCE,
        }
        app = App(config.build(tables, Path("test")), self.stage.clock)
        task = asyncio.create_task(app.run(), name="controller")
        yield
        task.cancel()
        await asyncio.wait([task])

    async def stop(self) -> None:
        """Stop the daemon."""
        if self._daemon is not None:
            self._daemon.cancel()
            await asyncio.wait([self._daemon])

    def shine(self, power_w: float) -> None:
        """Let the roof give so much from now on."""
        assert self.stage.options.trace is not None
        pv_means_w = self.stage.options.trace.pv_means_w
        assert isinstance(pv_means_w, list)
        pv_means_w[:] = [power_w] * len(pv_means_w)

    async def ask(self, path: str, method: str = "GET", body: object = None) -> Any:
        """Return what the API answers to somebody else."""
        async with (
            aiohttp.ClientSession() as client,
            client.request(method, f"{self.url}api/v1/{path}", json=body) as answer,
        ):
            assert answer.status == 200, await answer.text()
            return await answer.json()

    async def until(self, condition: Callable[[], bool], what: str) -> None:
        """Wait until something is so that nobody tells about."""
        try:
            async with asyncio.timeout(PATIENCE_S):
                while not condition():  # noqa: ASYNC110 - there is no event to wait for
                    await asyncio.sleep(0.02)
        except TimeoutError:
            raise AssertionError(f"{what} did not come about; {self.power_w:.0f} W") from None


@asynccontextmanager
async def shown_house(folder: Path, *, remembers: bool = False, **tables: Any) -> AsyncIterator[ShownHouse]:
    """Run a house with a car that is plugged in; see `ShownHouse`."""
    house = ShownHouse(folder, remembers=remembers, **tables)
    async with house.stage.running():
        house.stage.box.plug(house.stage.car)
        await house.start()
        try:
            yield house
        finally:
            await house.stop()


@asynccontextmanager
async def kept_open(context: AbstractAsyncContextManager[T]) -> AsyncIterator[T]:
    """Hold a context open in a task of its own, since fixtures begin and end in different tasks."""
    opened: asyncio.Future[T] = asyncio.get_running_loop().create_future()
    done = asyncio.Event()

    async def hold() -> None:
        try:
            async with context as value:
                opened.set_result(value)
                await done.wait()
        except BaseException as error:
            if not opened.done():
                opened.set_exception(error)
                return
            raise

    holder = asyncio.create_task(hold(), name="held open")
    yield await opened
    done.set()
    await holder
