"""Who may do what on the page: puts the parts together."""

import time
from collections.abc import Callable
from pathlib import Path

import structlog
from aiohttp import web

from pvcharge.model import Clock
from pvcharge.web.access.attempts import Attempts
from pvcharge.web.access.guard import Guard
from pvcharge.web.access.levels import Level
from pvcharge.web.access.passwords import PasswordCheck
from pvcharge.web.access.routes import AccessRoutes
from pvcharge.web.access.sessions import Sessions
from pvcharge.web.access.tokens import Tokens
from pvcharge.web.settings import WebSettings

log = structlog.get_logger(__name__)


class Access:
    """Access to the page: `start`, then `install` and `add_routes` on the application that is served.

    Args:
        settings: the `[web]` table.
        state_dir: where sessions and tokens are kept.
        clock: the daemon's time.
        time_s: real seconds that only ever rise, by which tries to log in are limited.
    """

    def __init__(
        self,
        settings: WebSettings,
        state_dir: Path,
        clock: Clock,
        time_s: Callable[[], float] = time.monotonic,
    ) -> None:
        self._settings = settings
        self._sessions = Sessions(state_dir, clock)
        self._tokens = Tokens(state_dir, clock)
        self._guard = Guard(settings, self._sessions, self._tokens)
        self._routes = AccessRoutes(settings, self._guard, self._sessions, self._tokens, Attempts(time_s))

    async def start(self) -> None:
        """Read what is kept, and write the token of this machine; a disk that fails is logged."""
        await self._tokens.restore()
        hashed = await self._sessions.restore(self._settings.password)
        if hashed is None and self._settings.trusted_proxies:
            log.warning(
                "whoever the proxy lets through may do everything: give password_file in [web], "
                "unless the proxy itself asks for a password"
            )
        self._routes.check = PasswordCheck(hashed) if hashed else None

    async def close(self) -> None:
        """Write down what is not yet; of use when the server has ended."""
        await self._sessions.flush(at_once=True)
        await self._tokens.flush(at_once=True)

    def install(self, app: web.Application) -> None:
        """Guard an application: all of its routes, and those of the applications below it.

        A handler that declares no level with `needs` is for the owner only. What the guard refuses is for
        `pvcharge.web.problems.answer_problems` to answer, which must stand before it.
        """
        self._guard.install(app)

    def add_routes(self, router: web.UrlDispatcher, prefix: str) -> None:
        """Add the routes of access below a path, such as `/pvcharge/api/v1`."""
        self._routes.add_to(router, prefix)

    def level(self, request: web.Request) -> Level:
        """Return what a visitor may do now: a WebSocket that stays open must ask again now and then."""
        return self._guard.level(request)

    @property
    def metrics_level(self) -> Level:
        """What `/metrics` asks for."""
        return Level.NONE if self._settings.metrics_public else Level.GUEST
