"""All that is served, put together: access, API, live view, the page's files, and what watchers ask."""

import asyncio
from collections.abc import Mapping
from http import HTTPStatus

from aiohttp import web

from pvcharge.web.access import ROUTES, Access, Level, needs
from pvcharge.web.api import PREFIX
from pvcharge.web.api.handlers import Handlers
from pvcharge.web.api.openapi import document
from pvcharge.web.api.routes import routes
from pvcharge.web.bodies import MOST_BODY_BYTES
from pvcharge.web.live.hub import Hub
from pvcharge.web.live.state import StateKeeper
from pvcharge.web.ports import Ports
from pvcharge.web.problems import answer_problems
from pvcharge.web.static_files import StaticFile, static_files
from pvcharge.web.watched import Watched


class Site:
    """Makes the application that a server serves.

    Args:
        base: below which all is, such as "" or "/pvcharge"; what watchers ask is above it, too.
        access: says who may what.
        ports: what the daemon offers.
        keeper: knows what is known.
        hub: tells who looks on.
        watched: answers watchers.
    """

    def __init__(
        self, base: str, access: Access, ports: Ports, keeper: StateKeeper, hub: Hub, watched: Watched
    ) -> None:
        self._base = base
        self._access = access
        self._hub = hub
        self._watched = watched
        self._handlers = Handlers(ports, keeper.state, hub, access.level, self.document)
        self._document: Mapping[str, object] | None = None
        self._files: Mapping[str, StaticFile] = {}

    async def app(self) -> web.Application:
        """Return the application, new for each start of the server."""
        self._files = await asyncio.to_thread(static_files)
        await self._access.start()
        app = web.Application(client_max_size=MOST_BODY_BYTES, middlewares=[answer_problems])
        self._access.install(app)
        prefix = f"{self._base}{PREFIX}"
        self._access.add_routes(app.router, prefix)
        for route in routes(self._handlers):
            app.router.add_route(route.method, f"{prefix}{route.path}", route.handler)
            if route.method == "GET" and route.status is HTTPStatus.OK:
                app.router.add_route("HEAD", f"{prefix}{route.path}", route.handler)
        self._add_watched(app.router)
        self._add_files(app.router)
        app.on_shutdown.append(self._let_go)
        app.on_cleanup.append(self._close)
        return app

    def document(self) -> Mapping[str, object]:
        """Return the OpenAPI document."""
        if self._document is None:
            self._document = document(routes(self._handlers), ROUTES, self._base)
        return self._document

    def _add_watched(self, router: web.UrlDispatcher) -> None:
        watched = self._watched

        @needs(self._access.metrics_level)
        async def metrics(request: web.Request) -> web.StreamResponse:
            return await watched.metrics(request)

        @needs(Level.NONE)
        async def healthz(request: web.Request) -> web.StreamResponse:
            return await watched.healthz(request)

        for base in {"", self._base}:
            router.add_get(f"{base}/metrics", metrics)
            router.add_get(f"{base}/healthz", healthz)

    def _add_files(self, router: web.UrlDispatcher) -> None:
        base = self._base

        @needs(Level.NONE)
        async def to_page(_request: web.Request) -> web.StreamResponse:
            raise web.HTTPFound(f"{base}/")

        if base:
            router.add_get("/", to_page)
            router.add_get(base, to_page)
        # Not what begins like the API: there, what is unknown is unknown with every method.
        router.add_get(f"{base}/{{path:(?!api/).*}}", self._file)

    @needs(Level.NONE)
    async def _file(self, request: web.Request) -> web.StreamResponse:
        file = self._files.get(request.match_info["path"])
        if file is None:
            raise web.HTTPNotFound
        return file.respond(request)

    async def _let_go(self, _app: web.Application) -> None:
        self._hub.close()

    async def _close(self, _app: web.Application) -> None:
        await self._access.close()
