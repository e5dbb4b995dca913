"""The page of a whole daemon: the real one with real drivers, against simulated devices."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import aiohttp

from pvcharge import config
from pvcharge.app import App
from pvcharge.clock import FastClock
from pvcharge.demo import Demo, DemoOptions
from pvcharge.sim.car import Car
from pvcharge.sim.wattpilot import WattpilotBox, WattpilotServer
from support.fake_bus import FakeBroker, FakeBus
from web.scraping import free_port

SPEED = 300.0
FULL_W = 10_500.0  # of 3 x 16 A, whatever the voltage
PATIENCE_S = 30.0  # real seconds; only a test that fails takes so long


class WithPage(Demo):
    """A demo whose daemon shows a page."""

    def __init__(self, state_dir: Path, **tables: object) -> None:
        super().__init__(DemoOptions(speed=SPEED), state_dir)
        self.listen = f"127.0.0.1:{free_port()}"
        self._more = {"web": {"listen": self.listen}, **tables}

    def _tables(self) -> dict[str, Any]:
        return {**super()._tables(), **self._more}


@asynccontextmanager
async def api_at(listen: str) -> AsyncIterator[aiohttp.ClientSession]:
    """Return a client at the API of a page that may not be there yet."""
    async with aiohttp.ClientSession(f"http://{listen}/api/v1/") as api:
        async with asyncio.timeout(PATIENCE_S):
            while True:
                try:
                    async with api.get("access") as answer:
                        assert answer.status == 200
                        break
                except aiohttp.ClientConnectionError:
                    await asyncio.sleep(0.02)
        yield api


async def charging(api: aiohttp.ClientSession) -> dict[str, Any]:
    """Return the state as soon as a car charges, and its readings are there."""
    async with asyncio.timeout(PATIENCE_S), api.ws_connect("live") as ws:
        state: dict[str, Any] = {}
        while not (state and state["values"]["charger_state"] == "charging" and state["session"]):
            message = json.loads(await ws.receive_str())
            if message["type"] == "snapshot":
                state = message["state"]
                continue
            changes = message["changes"]
            values = {**state["values"], **changes.pop("values", {})}
            state = {**state, **changes, "values": values}
        return state


async def answer_of(api: aiohttp.ClientSession, method: str, path: str, body: object = None) -> Any:
    """Return the document that comes back."""
    async with api.request(method, path, json=body) as answer:
        assert answer.status == 200, await answer.text()
        return await answer.json()


async def test_a_house_is_seen_and_steered(tmp_path: Path) -> None:
    """Live values, a boost of the simulated charger and its end, limits, settings, and the past."""
    demo = WithPage(tmp_path)
    async with demo.running(), api_at(demo.listen) as api:
        state = await charging(api)
        assert (state["role"], state["site"], state["timezone"]) == ("standalone", "demo", "Europe/Vienna")
        assert state["can"] == ["mode", "boost", "limits", "settings", "history", "learned"]
        assert state["limits"] == {"min_current_a": 6, "max_current_a": 16}
        kinds = {device["name"]: device["kind"] for device in state["devices"]}
        assert kinds == kinds | {"solaredge": "inverter", "wattpilot": "charger", "web": "service"}
        assert state["session"]["ended_at"] is None

        state = await answer_of(api, "PUT", "boost", {"on": True, "minutes": 60})
        assert (state["values"]["mode"], state["values"]["setpoint_a"]) == ("boost", 16)
        state = await answer_of(api, "PUT", "limits", {"max_current_a": 12})
        assert (state["values"]["max_current_a"], state["values"]["setpoint_a"]) == (12, 12)
        state = await answer_of(api, "PUT", "boost", {"on": False})
        assert state["values"]["mode"] == "surplus"

        settings = await answer_of(api, "GET", "settings")
        changes = {"revision": settings["revision"], "changes": {"control.objective": "no_import"}}
        assert (await answer_of(api, "PATCH", "settings", changes))["can_undo"] is True
        year = "energy?by=month&start=2026-01-01&end=2027-01-01"
        for path in ("day", "sessions", "savings", "log", "learned", year):
            await answer_of(api, "GET", path)
        async with api.get("support") as answer:
            assert (answer.status, answer.content_type) == (200, "application/zip")


async def test_a_page_without_a_history(tmp_path: Path) -> None:
    """All the rest of it is there; a disk that cannot be written is no reason to show nothing."""
    demo = WithPage(tmp_path, history={"enabled": False})
    async with demo.running(), api_at(demo.listen) as api:
        state = await charging(api)
        assert "history" not in state["can"]
        async with api.get("day") as answer:
            assert answer.status == 404


async def test_a_page_with_a_broken_history(tmp_path: Path) -> None:
    """The same, and it is said what is wrong."""
    (tmp_path / "history.db").mkdir()
    demo = WithPage(tmp_path)
    async with demo.running(), api_at(demo.listen) as api:
        assert (await charging(api))["values"]["mode"] == "surplus"
        async with api.get("day") as answer:
            assert answer.status == 503
            assert (await answer.json(content_type=None))["detail"]


async def until(is_so: Callable[[], bool]) -> None:
    """Return as soon as it is so."""
    while True:
        if is_so():
            return
        await asyncio.sleep(0.05)


async def until_heard(api: aiohttp.ClientSession) -> dict[str, Any]:
    """Return the state as soon as the charger is heard."""
    state: dict[str, Any] = await answer_of(api, "GET", "state")
    while state["values"]["charger_state"] is None:
        await asyncio.sleep(0.05)
        state = await answer_of(api, "GET", "state")
    return state


@asynccontextmanager
async def edge_at(folder: Path, box: WattpilotBox, **more: Any) -> AsyncIterator[aiohttp.ClientSession]:
    """Run an edge that has a box, sixty times as fast, and return a client at the API of its page.

    Args:
        folder: where it keeps its state.
        box: the charger.
        more: `connect`, in the place of a broker that nobody runs.
    """
    clock = FastClock(datetime(2026, 6, 15, 10, tzinfo=UTC), speed=60.0)
    server = WattpilotServer(box, password="box-password", clock=clock)
    await server.start()
    listen = f"127.0.0.1:{free_port()}"
    tables = {
        "role": "edge",
        "state_dir": str(folder),
        "site": {"latitude": 48.2, "longitude": 16.4, "timezone": "Europe/Vienna"},
        "charger": {
            "driver": "wattpilot",
            "host": server.host,
            "port": server.port,
            "password": "box-password",
        },
        "mqtt": {"host": "127.0.0.1", "port": free_port(), "tls": False},
        "edge": {"on_silence": "minimum"},
        "web": {"listen": listen},
    }
    app = App(config.build(tables, Path("edge")), clock, **more)
    daemon = asyncio.create_task(app.run())
    try:
        async with api_at(listen) as api, asyncio.timeout(PATIENCE_S):
            yield api
    finally:
        daemon.cancel()
        await asyncio.wait([daemon])
        await server.aclose()


async def test_an_edge(tmp_path: Path) -> None:
    """A small view: the link, the charger, what it does when alone."""
    broker = FakeBroker()
    connect = lambda _settings, *, client_id, will, clock: FakeBus(broker, will=will, client_id=client_id)  # noqa: ARG005, E731
    async with edge_at(tmp_path, WattpilotBox(), connect=connect) as api:
        state = await until_heard(api)
        assert (state["role"], state["can"], state["texts"]["en"]["reason"]) == ("edge", ["boost"], None)
        assert state["limits"] is None
        devices = {device["name"]: device for device in state["devices"]}
        assert devices["wattpilot"]["kind"] == "charger"
        assert (devices["mqtt"]["kind"], devices["mqtt"]["ok"]) == ("link", False)
        assert devices["mqtt"]["facts"]["on_silence"] == "minimum"
        for path in ("settings", "learned", "day", "sessions"):
            async with api.get(path) as answer:
                assert answer.status == 404


async def test_a_boost_at_an_edge_without_a_broker(tmp_path: Path) -> None:
    """The box gives full power to the car, and ends it; the state says so."""
    box = WattpilotBox()
    box.plug(Car())
    async with edge_at(tmp_path, box) as api:
        await until(lambda: 0 < box.power_w < FULL_W / 2)  # the minimum, for whoever is left alone
        state = await answer_of(api, "PUT", "boost", {"on": True, "minutes": 90})
        assert state["values"]["mode"] == "boost"
        await until(lambda: box.power_w > FULL_W)
        state = await answer_of(api, "PUT", "boost", {"on": False})
        assert state["values"]["mode"] is None
        await until(lambda: box.power_w < FULL_W)
