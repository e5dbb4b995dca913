"""What the API does: each method answers one route of the table in `routes`."""

import asyncio
from collections.abc import Callable, Mapping
from http import HTTPStatus
from typing import TypeVar

from aiohttp import web

from pvcharge.model import Mode
from pvcharge.web.access import Level
from pvcharge.web.answers import Day, Energy, Learned, Log, Savings, Sessions, Settings, State
from pvcharge.web.api.bodies import (
    BoostBody,
    DayQuery,
    EnergyQuery,
    LimitsBody,
    LogQuery,
    ModeBody,
    SessionsQuery,
    SettingsBody,
    SpanQuery,
)
from pvcharge.web.api.table import sessions_csv
from pvcharge.web.bodies import Nothing
from pvcharge.web.live.hub import Hub
from pvcharge.web.live.state import Level as Seen
from pvcharge.web.ports import (
    LearnedPort,
    LogPort,
    Past,
    Ports,
    SettingsPort,
    Steering,
    SupportPort,
)
from pvcharge.web.problems import ProblemError

P = TypeVar("P")

# What there is not at this daemon, in words.
NO_PAST = "no history here; it is where the controller runs, unless [history] is switched off"
NO_STEERING = "cannot be commanded here"
NO_SETTINGS = "no settings to change here; they are where the controller runs"
NO_LEARNED = "nothing is learned here; that is where the controller runs"
NO_LOG = "no log is kept here"
NO_SUPPORT = "no support file can be made here"


def as_told(level: Level) -> Seen:
    """Return a level as the state tells it."""
    return "owner" if level is Level.OWNER else "guest"


class Handlers:
    """Answers what is asked, by way of the ports.

    Args:
        ports: what the daemon offers.
        state: returns all that is known, for "owner" or "guest".
        hub: tells who looks on.
        level: of a request.
        document: returns the OpenAPI document.
    """

    def __init__(
        self,
        ports: Ports,
        state: Callable[[Seen], State],
        hub: Hub,
        level: Callable[[web.Request], Level],
        document: Callable[[], Mapping[str, object]],
    ) -> None:
        self._ports = ports
        self._state = state
        self._hub = hub
        self._level = level
        self._document = document

    # --- now ---

    async def state(self, request: web.Request) -> State:
        """Return all that is known now."""
        return self._state(as_told(self._level(request)))

    async def live(self, request: web.Request) -> web.StreamResponse:
        """Tell all that is known, and what changes, until the client goes."""
        level = self._level(request)
        return await self._hub.serve(request, as_told(level), lambda: self._level(request) is level)

    async def mode(self, request: web.Request, body: ModeBody) -> State:
        """Set the mode."""
        await self._steering("mode").mode(Mode(body.mode))
        return await self.state(request)

    async def boost(self, request: web.Request, body: BoostBody) -> State:
        """Begin or end a boost."""
        await self._steering("boost").boost(on=body.on, minutes=body.minutes)
        return await self.state(request)

    async def limits(self, request: web.Request, body: LimitsBody) -> State:
        """Narrow the limits of the current."""
        await self._steering("limits").limits(body.min_current_a, body.max_current_a)
        return await self.state(request)

    # --- settings ---

    async def settings(self, _request: web.Request) -> Settings:
        """Return the settings that can be changed."""
        return await self._settings().settings()

    async def change(self, _request: web.Request, body: SettingsBody) -> Settings:
        """Change some."""
        return await self._settings().change(body.revision, body.changes)

    async def undo(self, _request: web.Request, _body: Nothing) -> Settings:
        """Take back the last change."""
        return await self._settings().undo()

    async def learned(self, _request: web.Request) -> Learned:
        """Return what the controller has learned."""
        return Learned(learned=await self._learned().learned())

    async def forget(self, _request: web.Request) -> Learned:
        """Forget it."""
        learned = self._learned()
        await learned.forget()
        return Learned(learned=await learned.learned())

    # --- the past ---

    async def day(self, _request: web.Request, query: DayQuery) -> Day:
        """Return a day as a chart shows it."""
        return await self._past().day(query.date)

    async def energy(self, _request: web.Request, query: EnergyQuery) -> Energy:
        """Return energies by day or month."""
        return await self._past().energy(query.by, query.start, query.end)

    async def sessions(self, _request: web.Request, query: SessionsQuery) -> Sessions:
        """Return the newest sessions."""
        return await self._past().sessions(query.start, query.end, query.limit)

    async def sessions_csv(self, _request: web.Request, query: SpanQuery) -> web.StreamResponse:
        """Return sessions as a table to download."""
        found = await self._past().sessions(query.start, query.end, None)
        table = await asyncio.to_thread(sessions_csv, found.sessions)  # there may be those of many years
        return _download("pvcharge-sessions.csv", "text/csv", table)

    async def savings(self, _request: web.Request) -> Savings:
        """Return what charging has brought."""
        return await self._past().savings()

    # --- about the daemon ---

    async def log(self, _request: web.Request, query: LogQuery) -> Log:
        """Return the log's last lines."""
        port: LogPort = _have(self._ports.log, NO_LOG)
        return Log(entries=list(port.entries(query.limit)))

    async def support(self, _request: web.Request) -> web.StreamResponse:
        """Return a file for whoever helps."""
        port: SupportPort = _have(self._ports.support, NO_SUPPORT)
        file = await port.pack()
        return _download(file.name, "application/zip", file.content)

    async def openapi(self, _request: web.Request) -> web.StreamResponse:
        """Return this API's description."""
        return web.json_response(self._document(), headers={"Cache-Control": "no-cache"})

    def _steering(self, word: str) -> Steering:
        steering = self._ports.steering
        if steering is None or word not in steering.can:
            raise ProblemError(HTTPStatus.NOT_FOUND, f"{word}: {NO_STEERING}")
        return steering

    def _past(self) -> Past:
        return _have(self._ports.past, NO_PAST)

    def _settings(self) -> SettingsPort:
        return _have(self._ports.settings, NO_SETTINGS)

    def _learned(self) -> LearnedPort:
        return _have(self._ports.learned, NO_LEARNED)


def _have(port: P | None, otherwise: str) -> P:
    if port is None:
        raise ProblemError(HTTPStatus.NOT_FOUND, otherwise)
    return port


def _download(name: str, kind: str, content: bytes) -> web.Response:
    return web.Response(
        body=content,
        content_type=kind,
        charset="utf-8" if kind.startswith("text/") else None,
        headers={"Content-Disposition": f'attachment; filename="{name}"', "Cache-Control": "no-store"},
    )
