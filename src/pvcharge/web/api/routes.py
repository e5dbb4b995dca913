"""The table of routes: what the handlers, the levels and the OpenAPI document are made from."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from http import HTTPStatus

from aiohttp import web

from pvcharge.web.access import Level, needs
from pvcharge.web.answers import Answer, Day, Energy, Learned, Log, Savings, Sessions, Settings, State
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
from pvcharge.web.api.endpoint import Endpoint, asks, plain, respond, takes
from pvcharge.web.api.handlers import Handlers
from pvcharge.web.bodies import Nothing
from pvcharge.web.ports import ConflictError, NotInForceError, PastError, RefusedError
from pvcharge.web.problems import ProblemError

Problems = Mapping[int, str]  # what there may be, by status

NOT_HERE = {404: "This daemon does not have it."}
LATE = {503: "It is not in force within the time for it; it may be soon."}
UNREADABLE = {503: "The history cannot be read now."}
OLD = {409: "Somebody else has changed it meanwhile, or there is nothing to undo."}
CSV, ZIP = "text/csv", "application/zip"


@dataclass(frozen=True, slots=True)
class Route:
    """An entry of the table.

    Attributes:
        method: of HTTP.
        path: below the prefix.
        summary: what it does.
        level: that is needed for it.
        endpoint: what answers, and what it takes.
        answer: the model of the answer, or the media type of what is no JSON; None for any JSON.
        problems: what may be wrong, besides what may be wrong with every request.
        status: of the answer.
    """

    method: str
    path: str
    summary: str
    level: Level
    endpoint: Endpoint
    answer: type[Answer] | str | None
    problems: Problems = field(default_factory=dict)
    status: HTTPStatus = HTTPStatus.OK

    @property
    def handler(self) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
        """What the router calls."""
        endpoint = self.endpoint

        @needs(self.level)
        async def handle(request: web.Request) -> web.StreamResponse:
            try:
                return respond(await endpoint.run(request))
            except RefusedError as error:
                raise ProblemError(422, "that will not do", errors=error.errors) from None
            except ConflictError as error:
                raise ProblemError(409, str(error)) from None
            except (NotInForceError, PastError) as error:
                raise ProblemError(503, str(error)) from None

        return handle


def routes(do: Handlers) -> tuple[Route, ...]:
    """Return the table, but for what belongs to logging in, which is in `pvcharge.web.access`."""
    owner, guest = Level.OWNER, Level.GUEST
    command = {**NOT_HERE, **LATE}
    past = {**NOT_HERE, **UNREADABLE}
    return (
        Route("GET", "/state", "All that is known now", guest, plain(do.state), State),
        Route(
            "GET",
            "/live",
            "All that is known now, then what changes: a WebSocket, see the documentation",
            guest,
            plain(do.live),
            None,
            {426: "It is a WebSocket.", 503: "Too many look on already."},
            HTTPStatus.SWITCHING_PROTOCOLS,
        ),
        Route("PUT", "/mode", "Set the mode", owner, takes(ModeBody, do.mode), State, command),
        Route("PUT", "/boost", "Begin or end a boost", owner, takes(BoostBody, do.boost), State, command),
        Route(
            "PUT",
            "/limits",
            "Narrow the limits of the current",
            owner,
            takes(LimitsBody, do.limits),
            State,
            command,
        ),
        Route(
            "GET", "/settings", "Settings that can be changed", owner, plain(do.settings), Settings, NOT_HERE
        ),
        Route(
            "PATCH",
            "/settings",
            "Change settings",
            owner,
            takes(SettingsBody, do.change),
            Settings,
            {**command, **OLD},
        ),
        Route(
            "POST",
            "/settings/undo",
            "Take back the last change of settings",
            owner,
            takes(Nothing, do.undo),
            Settings,
            {**command, **OLD},
        ),
        Route(
            "GET", "/learned", "What the controller has learned", owner, plain(do.learned), Learned, NOT_HERE
        ),
        Route("DELETE", "/learned", "Forget what was learned", owner, plain(do.forget), Learned, command),
        Route("GET", "/day", "A day as a chart shows it", guest, asks(DayQuery, do.day), Day, past),
        Route(
            "GET", "/energy", "Energies by day or month", guest, asks(EnergyQuery, do.energy), Energy, past
        ),
        Route("GET", "/sessions", "Sessions", guest, asks(SessionsQuery, do.sessions), Sessions, past),
        Route(
            "GET",
            "/sessions.csv",
            "Sessions as a table to download",
            guest,
            asks(SpanQuery, do.sessions_csv),
            CSV,
            past,
        ),
        Route("GET", "/savings", "What charging has brought", guest, plain(do.savings), Savings, past),
        Route("GET", "/log", "The log's last lines", owner, asks(LogQuery, do.log), Log, NOT_HERE),
        Route(
            "GET",
            "/support",
            "A file for whoever helps, without secrets",
            owner,
            plain(do.support),
            ZIP,
            NOT_HERE,
        ),
        Route("GET", "/openapi.json", "This document", guest, plain(do.openapi), None),
    )
