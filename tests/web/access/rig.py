"""What the tests of access share: a page of a few routes, served over real sockets."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import aiohttp
from aiohttp import web

from pvcharge.web.access import Access, Level, needs
from pvcharge.web.bodies import MOST_BODY_BYTES
from pvcharge.web.problems import answer_problems
from pvcharge.web.settings import WebSettings
from support.manual_clock import ManualClock

NOON = datetime(2026, 6, 15, 12, tzinfo=UTC)
PASSWORD = "a right password"
WRONG = "a wrong password"
COOKIE = "pvcharge_session"
LOGIN = "/api/v1/login"

Headers = Mapping[str, str]


@needs(Level.NONE)
async def shell(_request: web.Request) -> web.Response:
    """Answer like the static page."""
    return web.Response(text="shell", headers={"Cache-Control": "max-age=60"})


@needs(Level.GUEST)
async def state(request: web.Request) -> web.Response:
    """Answer like something that guests may see."""
    return web.json_response({"path": request.path})


@needs(Level.OWNER)
async def change(_request: web.Request) -> web.Response:
    """Answer like something that the owner may do."""
    return web.json_response({})


async def undeclared(_request: web.Request) -> web.Response:
    """Answer like something of which somebody has forgotten to say who may do it."""
    return web.json_response({})


@needs(Level.GUEST)
async def live(request: web.Request) -> web.WebSocketResponse:
    """Open a WebSocket and say one word."""
    socket = web.WebSocketResponse()
    await socket.prepare(request)
    await socket.send_str("hello")
    await socket.close()
    return socket


@needs(Level.NONE)
async def broken(_request: web.Request) -> web.Response:
    """Fail."""
    raise RuntimeError("nobody has thought of this")


class Rig:
    """A page that runs.

    Attributes:
        time: `now` is the daemon's time, `steady_s` that of the limits.
        access: what is tested.
        url: where it is.
    """

    def __init__(self, state_dir: Path, **settings: Any) -> None:
        self.time = SimpleNamespace(now=NOON, steady_s=1000.0)
        self.settings = WebSettings(**settings)
        self.access = Access(
            self.settings, state_dir, ManualClock(self.time), lambda: float(self.time.steady_s)
        )
        self.url = ""

    def pass_time(self, **spans: float) -> None:
        """Let the daemon's time pass."""
        self.time.now += timedelta(**spans)

    def application(self) -> web.Application:
        """Return the page."""
        app = web.Application(client_max_size=MOST_BODY_BYTES, middlewares=[answer_problems])
        self.access.install(app)
        prefix = f"{self.settings.base_path}/api/v1"
        self.access.add_routes(app.router, prefix)
        app.router.add_get("/", shell)
        app.router.add_get("/broken", broken)
        app.router.add_get(f"{prefix}/state", state)
        app.router.add_get(f"{prefix}/live", live)
        app.router.add_put(f"{prefix}/mode", change)
        app.router.add_get(f"{prefix}/undeclared", undeclared)
        return app

    async def login(self, client: aiohttp.ClientSession, password: str = PASSWORD, **more: str) -> int:
        """Try to log in as the page does; return the status."""
        async with client.post(
            f"{self.settings.base_path}{LOGIN}", json={"password": password}, headers=self.own(**more)
        ) as answer:
            return answer.status

    def own(self, **more: str) -> dict[str, str]:
        """Return the headers of a request of the page itself; underscores stand for dashes."""
        return {"Origin": self.url, **{key.replace("_", "-"): value for key, value in more.items()}}


@asynccontextmanager
async def running(rig: Rig) -> AsyncIterator[Rig]:
    """Serve a page for as long as the context lasts."""
    await rig.access.start()
    runner = web.AppRunner(rig.application(), access_log=None)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    rig.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    try:
        yield rig
    finally:
        await runner.cleanup()
        await rig.access.close()


@asynccontextmanager
async def browser(rig: Rig, from_address: str = "127.0.0.1") -> AsyncIterator[aiohttp.ClientSession]:
    """Return a client that keeps cookies."""
    connector = aiohttp.TCPConnector(local_addr=(from_address, 0))
    jar = aiohttp.CookieJar(unsafe=True)  # those of addresses, too
    async with aiohttp.ClientSession(rig.url, connector=connector, cookie_jar=jar) as session:
        yield session


async def status(client: aiohttp.ClientSession, path: str, **headers: str) -> int:
    """Return the status of the answer to a GET; underscores in the names of headers stand for dashes."""
    given = {name.replace("_", "-"): value for name, value in headers.items()}
    async with client.get(path, headers=given) as answer:
        return answer.status
