"""The HTTP server: listens, and lets nobody hold it up."""

import asyncio
import errno
import logging
from collections.abc import Awaitable, Callable

import structlog
from aiohttp import web
from aiohttp.http_exceptions import HttpProcessingError

from pvcharge.model import Clock, DeviceHealth
from pvcharge.web.settings import WebSettings

log = structlog.get_logger(__name__)

NAME = "web"  # as health is told of it
MOST_CLIENTS = 320  # at a time, 250 of them looking on: files are needed for more than this server
IDLE_S = 120.0  # that a connection is kept; longer than the usual pause between two scrapes
GOODBYE_S = 0.2  # for answers on their way when the daemon ends; aiohttp takes it up to twice
FIRST_RETRY_S = 1.0
RETRY_CAP_S = 60.0

_WHAT_TO_DO = {
    errno.EADDRINUSE: "another program or a second pvcharge listens there; end it, or change listen in [web]",
    errno.EADDRNOTAVAIL: "this machine has no such address; see to its network, or change listen in [web]",
    errno.EACCES: "a port below 1024 needs a right that pvcharge does not have; change listen in [web]",
}

MakeApp = Callable[[], Awaitable[web.Application]]
Spared = Callable[[asyncio.BaseTransport | None], bool]


class WebServer:
    """Serves until cancelled; while its port cannot be had it tries again, and the daemon goes on without.

    Args:
        settings: where to listen.
        clock: the daemon's time; the waits between two tries are real seconds.
        make_app: makes what is served, anew for each start.
        tell: told of the server's health whenever that changes, such as the feed's `publish`.
        spared: whether a connection is bounded in another way, and need not go when there are too many.
    """

    def __init__(
        self,
        settings: WebSettings,
        clock: Clock,
        make_app: MakeApp,
        tell: Callable[[DeviceHealth], None],
        spared: Spared = lambda _transport: False,
    ) -> None:
        self._settings = settings
        self._clock = clock
        self._make_app = make_app
        self._tell = tell
        self._spared = spared
        self._error: str | None = None
        self._since = clock.now()  # when it last came or went

    async def run(self) -> None:
        """Listen, and answer until cancelled."""
        runner = web.AppRunner(
            await self._make_app(),
            access_log=None,
            logger=_logger(),
            keepalive_timeout=IDLE_S,
            shutdown_timeout=GOODBYE_S,
        )
        await runner.setup()
        server = runner.server
        if server is None:
            raise RuntimeError("aiohttp has set up no server")
        try:
            listener = await self._listen(_door(server, self._spared))
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


def _logger() -> logging.Logger:
    """Return what aiohttp tells its troubles to.

    It is deaf to those of clients that speak no HTTP or have gone, who could fill the log.
    """
    logger = logging.getLogger(f"{__name__}.http")
    logger.addFilter(_is_ours)
    return logger


def _is_ours(record: logging.LogRecord) -> bool:
    error = record.exc_info[1] if record.exc_info else None
    return not isinstance(error, HttpProcessingError | web.RequestPayloadError | ConnectionError)


def _door(server: web.Server, spared: Spared) -> Callable[[], asyncio.Protocol]:
    """Return what lets clients in: when there are too many, those that have been there longest must go.

    Who connects and says nothing could otherwise keep everybody else out.
    """

    def let_in() -> asyncio.Protocol:
        inside = server.connections
        surplus = len(inside) - MOST_CLIENTS + 1
        if surplus > 0:
            bounded = [client.transport for client in inside if not spared(client.transport)]
            for transport in bounded[:surplus]:
                if transport is not None:
                    transport.abort()
        return server()

    return let_in
