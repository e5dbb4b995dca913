"""A writer on a real store, and a real HTTP server that answers as a test wants."""

import asyncio
import gzip
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from aiohttp import web

from history.influx_process import CHARGER, SITE, is_up_to_date
from pvcharge.clock import SystemClock
from pvcharge.history.archive import Archive
from pvcharge.history.influx.condition import Timing
from pvcharge.history.influx.settings import InfluxSettings
from pvcharge.history.influx.writer import InfluxWriter
from pvcharge.history.rows import Event
from pvcharge.history.store import Batch
from pvcharge.model import DeviceHealth
from support.broker import HOST

HASTY = Timing(first_retry_s=0.01, retry_cap_s=0.02, hold_s=0.05, tell_s=0.0)
PATIENCE_S = 10.0


@dataclass(frozen=True, slots=True)
class Request:
    """What a writer has sent."""

    lines: list[str]
    query: Mapping[str, str]
    headers: Mapping[str, str]
    connection: int  # the port of its other end
    at_s: float
    raw: web.Request

    async def hang_up(self, response: web.Response) -> None:
        """Answer, and end the connection without having said so."""
        await response.prepare(self.raw)
        await response.write_eof()
        assert self.raw.transport is not None
        self.raw.transport.close()


class Influx:
    """A server that takes what comes unless told otherwise.

    Attributes:
        url: where it listens.
        requests: all that came in, oldest first.
        taken: the lines that it has answered 204 to.
        answer: what to say to a request.
    """

    def __init__(self) -> None:
        self.url = ""
        self.requests: list[Request] = []
        self.taken: list[str] = []
        self.answer: Callable[[Request], Awaitable[web.Response]] = self.take

    async def take(self, request: Request) -> web.Response:
        """Answer as InfluxDB does when all is well."""
        self.taken += request.lines
        return web.Response(status=204)

    async def handle(self, request: web.Request) -> web.Response:
        """Note a request and answer it."""
        body = await request.read()
        if request.headers.get("Content-Encoding") == "gzip" and body[:1] == b"\x1f":
            body = gzip.decompress(body)
        assert request.transport is not None
        port = request.transport.get_extra_info("peername")[1]
        now_s = asyncio.get_running_loop().time()
        lines = body.decode().split("\n")
        noted = Request(lines, dict(request.query), dict(request.headers), port, now_s, request)
        self.requests.append(noted)
        return await self.answer(noted)


@asynccontextmanager
async def running_influx(*, keepalive_s: float = 75.0) -> AsyncIterator[Influx]:
    """Run a server for as long as the context lasts.

    Args:
        keepalive_s: after that it hangs up on who says nothing.
    """
    influx = Influx()
    app = web.Application(client_max_size=1 << 24)
    app.router.add_post("/api/v2/write", influx.handle)
    runner = web.AppRunner(app, keepalive_timeout=keepalive_s, shutdown_timeout=0.1, auto_decompress=False)
    await runner.setup()
    try:
        await web.TCPSite(runner, HOST, 0).start()
        influx.url = f"http://{HOST}:{runner.addresses[0][1]}"
        yield influx
    finally:
        await runner.cleanup()


class Rig:
    """A writer that is running.

    Attributes:
        archive: its store.
        told: the health that it has told of.
        task: the writer itself.
    """

    def __init__(self, archive: Archive, settings: InfluxSettings, timing: Timing) -> None:
        self.archive = archive
        self.told: list[DeviceHealth] = []
        self.writer = InfluxWriter(
            settings, archive, SystemClock(), self.told.append, site=SITE, charger=CHARGER, timing=timing
        )
        self.task = asyncio.create_task(self.writer.run())

    @property
    def health(self) -> DeviceHealth:
        """What it has told last."""
        return self.told[-1]

    async def put(self, *events: Event) -> None:
        """Put events into the store."""
        await put(self.archive, *events)

    async def cursor(self) -> int:
        """Return up to where it need not send again."""
        backlog = await self.archive.backlog("influxdb")
        last = await self.archive.call(lambda store: store.last_seq())
        return last - backlog.events

    async def until(self, condition: Callable[[], Any]) -> None:
        """Return when something has become true."""
        async with asyncio.timeout(PATIENCE_S):
            while not condition():
                assert not self.task.done()
                await asyncio.sleep(0.005)

    async def until_sent(self) -> None:
        """Return when the server has acknowledged all that the store holds now."""
        self.told.clear()
        # The writer may just have looked before we put something in: it says it once more after another look.
        await self.until(lambda: len(self.told) > 1 and all(map(is_up_to_date, self.told[-2:])))

    async def until_told(self, words: str) -> None:
        """Return when health says that something is wrong, in these words."""
        await self.until(lambda: any(words in (health.error or "") for health in self.told))


@asynccontextmanager
async def writing(
    folder: Path, url: str, *events: Event, timing: Timing = HASTY, **changes: Any
) -> AsyncIterator[Rig]:
    """Run a writer on a store in this folder for as long as the context lasts.

    Args:
        folder: of the store.
        url: of the server.
        events: what is in the store before the writer begins.
        timing: its waits.
        changes: of settings.
    """
    archive = Archive(folder / "history.db")
    await put(archive, *events)
    table = {"url": url, "flush_s": 0.02, "timeout_s": 5.0, "settle_s": 0.0}
    rig = Rig(archive, InfluxSettings.model_validate(table | changes), timing)
    try:
        yield rig
    finally:
        rig.task.cancel()
        await asyncio.gather(rig.task, return_exceptions=True)
        await archive.aclose()


async def put(archive: Archive, *events: Event) -> None:
    """Put events into a store."""
    if events:
        await archive.call(lambda store: store.write(Batch(datetime.now(UTC), events)))
