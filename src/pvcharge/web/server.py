"""The HTTP server: `/metrics` for Prometheus, and `/healthz` for whoever watches the daemon."""

import asyncio
import errno
from collections.abc import Callable

import structlog
from aiohttp import web
from prometheus_client import CollectorRegistry
from prometheus_client.exposition import choose_encoder

from pvcharge.model import Clock, DeviceHealth
from pvcharge.web.settings import WebSettings

log = structlog.get_logger(__name__)

NAME = "web"  # as health is told of it
MOST_CLIENTS = 64  # at a time: files are needed for more than this server
IDLE_S = 120.0  # that a connection is kept; longer than the usual pause between two scrapes
GOODBYE_S = 0.2  # for answers on their way when the daemon ends; aiohttp takes it up to twice
FIRST_RETRY_S = 1.0
RETRY_CAP_S = 60.0

_OPENMETRICS = "application/openmetrics-text"
_NEVER_KEEP = {"Cache-Control": "no-store"}
_WHAT_TO_DO = {
    errno.EADDRINUSE: "another program or a second pvcharge listens there; end it, or change listen in [web]",
    errno.EADDRNOTAVAIL: "this machine has no such address; see to its network, or change listen in [web]",
    errno.EACCES: "a port below 1024 needs a right that pvcharge does not have; change listen in [web]",
}


class WebServer:
    """Serves until cancelled; while its port cannot be had it tries again, and the daemon goes on without.

    Args:
        settings: where to listen.
        clock: the daemon's time; the waits between two tries are real seconds.
        registry: what `/metrics` shows.
        tell: told of the server's health whenever that changes, such as the feed's `publish`.
        trouble: returns why the daemon does not do its work, None if it does.
    """

    def __init__(
        self,
        settings: WebSettings,
        clock: Clock,
        registry: CollectorRegistry,
        tell: Callable[[DeviceHealth], None],
        trouble: Callable[[], str | None] = lambda: None,
    ) -> None:
        self._settings = settings
        self._clock = clock
        self._registry = registry
        self._tell = tell
        self._trouble = trouble
        self._error: str | None = None
        self._since = clock.now()  # when it last came or went

    async def run(self) -> None:
        """Listen, and answer until cancelled."""
        runner = web.AppRunner(
            self._app(), access_log=None, keepalive_timeout=IDLE_S, shutdown_timeout=GOODBYE_S
        )
        await runner.setup()
        server = runner.server
        if server is None:
            raise RuntimeError("aiohttp has set up no server")
        try:
            listener = await self._listen(_door(server))
            try:
                await asyncio.Event().wait()
            finally:
                listener.close()
        finally:
            transports = [client.transport for client in server.connections]
            await runner.cleanup()
            # An answer that nobody reads would keep its connection open for ever.
            for transport in transports:
                if transport is not None:
                    transport.abort()

    def _app(self) -> web.Application:
        app = web.Application()
        app.router.add_get("/metrics", self._metrics)
        app.router.add_get("/healthz", self._healthz)
        return app

    async def _listen(self, door: Callable[[], asyncio.Protocol]) -> asyncio.Server:
        """Bind the port, however long that takes."""
        loop, settings = asyncio.get_running_loop(), self._settings
        delay_s = FIRST_RETRY_S
        while True:
            try:
                listener = await loop.create_server(door, settings.host, settings.port)
            except OSError as error:
                self._failed(error, delay_s)
                await asyncio.sleep(delay_s)
                delay_s = min(2 * delay_s, RETRY_CAP_S)
            else:
                self._succeeded()
                return listener

    def _failed(self, error: OSError, delay_s: float) -> None:
        reason = _WHAT_TO_DO.get(error.errno or 0) or error.strerror or str(error)
        message = f"cannot listen on {self._settings.listen}: {reason}"
        if message == self._error:
            return
        now = self._clock.now()
        if self._error is None:
            self._since = now
        self._error = message
        log.warning("web server does not listen", error=message, retry_in_s=round(delay_s))
        self._tell(DeviceHealth(NAME, now, ok=False, since=self._since, error=message))

    def _succeeded(self) -> None:
        now = self._clock.now()
        if self._error is not None:
            self._error, self._since = None, now
        log.info("web server listens", address=self._settings.listen)
        self._tell(DeviceHealth(NAME, now, ok=True, since=self._since))

    async def _metrics(self, request: web.Request) -> web.Response:
        # The library stumbles over odd versions in what a client accepts, so it hears only of what counts.
        accepted = ",".join(request.headers.getall("Accept", []))
        render, content_type = choose_encoder(_OPENMETRICS if _OPENMETRICS in accepted else "")
        headers = {"Content-Type": content_type, **_NEVER_KEEP}
        return web.Response(body=render(self._registry), headers=headers)

    async def _healthz(self, _request: web.Request) -> web.Response:
        trouble = self._trouble()
        if trouble is None:
            return web.json_response({"status": "ok"}, headers=_NEVER_KEEP)
        return web.json_response({"status": "failing", "reason": trouble}, status=503, headers=_NEVER_KEEP)


def _door(server: web.Server) -> Callable[[], asyncio.Protocol]:
    """Return what lets clients in: when there are too many, those that have been there longest must go.

    Who connects and says nothing could otherwise keep everybody else out.
    """

    def let_in() -> asyncio.Protocol:
        inside = server.connections
        for client in inside[: max(0, len(inside) - MOST_CLIENTS + 1)]:
            if client.transport is not None:
                client.transport.abort()
        return server()

    return let_in
