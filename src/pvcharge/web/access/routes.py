"""The routes of access, under `<base>/api/v1`: who am I, log in and out, tokens."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

import structlog
from aiohttp import web
from pydantic import BaseModel

from pvcharge.web.access.attempts import Attempts, TooManyError
from pvcharge.web.access.guard import Guard
from pvcharge.web.access.headers import cookie
from pvcharge.web.access.levels import Level, needs
from pvcharge.web.access.models import (
    MOST_TOKENS,
    AccessAnswer,
    LoginBody,
    NewTokenAnswer,
    NewTokenBody,
    TokenAnswer,
    TokensAnswer,
)
from pvcharge.web.access.passwords import BusyError, PasswordCheck
from pvcharge.web.access.sessions import Sessions
from pvcharge.web.access.tokens import Tokens, TooManyTokensError
from pvcharge.web.bodies import Nothing, read_body
from pvcharge.web.problems import ProblemError
from pvcharge.web.settings import WebSettings

log = structlog.get_logger(__name__)

BUSY_S = 2  # seconds after which to come again when others are logging in
_LEVELS: dict[Level, Literal["none", "guest", "owner"]] = {
    Level.NONE: "none",
    Level.GUEST: "guest",
    Level.OWNER: "owner",
}


@dataclass(frozen=True, slots=True)
class RouteDoc:
    """A route, as the OpenAPI document tells it.

    Attributes:
        method: of HTTP.
        path: below `<base>/api/v1`.
        summary: what it does.
        level: what it asks for.
        body: the shape of the body, None if there is none.
        status: of the answer when all is well.
        answer: its shape, None if it is empty.
        refusals: by status why it may be refused, besides what the guard and the reading of bodies say.
    """

    method: str
    path: str
    summary: str
    level: Level
    body: type[BaseModel] | None = None
    status: int = 200
    answer: type[BaseModel] | None = None
    refusals: Mapping[int, str] = field(default_factory=dict)


_UNKEPT = {503: "The state directory cannot be written"}
ROUTES = (
    RouteDoc("GET", "/access", "What the asking visitor may do", Level.NONE, answer=AccessAnswer),
    RouteDoc(
        "POST",
        "/login",
        "Begin a session, kept in a cookie",
        Level.NONE,
        body=LoginBody,
        status=204,
        refusals={
            401: "Wrong password",
            409: "No password is set",
            429: "Too many tries; Retry-After says when there may be another",
        },
    ),
    RouteDoc("POST", "/logout", "End the session", Level.NONE, body=Nothing, status=204),
    RouteDoc("GET", "/tokens", "The tokens of programs", Level.OWNER, answer=TokensAnswer),
    RouteDoc(
        "POST",
        "/tokens",
        "Make a token; it is shown this once",
        Level.OWNER,
        body=NewTokenBody,
        status=201,
        answer=NewTokenAnswer,
        refusals={409: "There are as many tokens as there may be", **_UNKEPT},
    ),
    RouteDoc(
        "DELETE",
        "/tokens/{id}",
        "Delete a token",
        Level.OWNER,
        status=204,
        refusals={404: "No such token", **_UNKEPT},
    ),
)


class AccessRoutes:
    """Answers requests about access.

    Args:
        settings: who may do what.
        guard: knows who is asking.
        sessions: begun and ended here.
        tokens: made and deleted here.
        attempts: limits the tries to log in.
    """

    def __init__(
        self, settings: WebSettings, guard: Guard, sessions: Sessions, tokens: Tokens, attempts: Attempts
    ) -> None:
        self._settings = settings
        self._guard = guard
        self._sessions = sessions
        self._tokens = tokens
        self._attempts = attempts
        self.check: PasswordCheck | None = None  # as long as no password is known, nobody logs in

    def add_to(self, router: web.UrlDispatcher, prefix: str) -> None:
        """Add the routes below a path."""
        router.add_get(f"{prefix}/access", self._access)
        router.add_post(f"{prefix}/login", self._login)
        router.add_post(f"{prefix}/logout", self._logout)
        router.add_get(f"{prefix}/tokens", self._all_tokens)
        router.add_post(f"{prefix}/tokens", self._make_token)
        router.add_delete(f"{prefix}/tokens/{{id}}", self._delete_token)

    @needs(Level.NONE)
    async def _access(self, request: web.Request) -> web.Response:
        settings = self._settings
        return _json(
            AccessAnswer(
                level=_LEVELS[self._guard.level(request)],
                password_set=settings.password is not None,
                guest_view=settings.guest_view,
            )
        )

    @needs(Level.NONE)
    async def _login(self, request: web.Request) -> web.Response:
        body = await read_body(request, LoginBody)
        if self.check is None:
            raise ProblemError(409, "no password is set, so there is nothing to log in to")
        if not await self._is_right(request, self.check, body):
            raise ProblemError(401, "wrong password")
        # Never an id that was there before: whoever has planted it would be logged in as well.
        for session in self._guard.live_sessions(request):
            await self._sessions.end(session)
        return self._with_cookie(request, await self._sessions.begin())

    async def _is_right(self, request: web.Request, check: PasswordCheck, body: LoginBody) -> bool:
        client = self._guard.visit(request).client
        try:
            self._attempts.begin(client)
        except TooManyError as error:
            raise _later(error.wait_s) from None
        try:
            is_right = await check.is_right(body.password)
        except BusyError:
            self._attempts.dropped(client)
            raise _later(BUSY_S) from None
        if is_right:
            self._attempts.succeeded(client)
        elif self._attempts.failed(client):
            log.warning("login refused: wrong password", client=client)
        return is_right

    @needs(Level.NONE)
    async def _logout(self, request: web.Request) -> web.Response:
        await read_body(request, Nothing)
        for session in self._guard.live_sessions(request):
            await self._sessions.end(session)
        return self._with_cookie(request, "")

    @needs(Level.OWNER)
    async def _all_tokens(self, _request: web.Request) -> web.Response:
        tokens = [
            TokenAnswer(
                id=token.id, name=token.name, created_at=token.created_at, last_used_at=token.last_used_at
            )
            for token in self._tokens.all()
        ]
        return _json(TokensAnswer(tokens=tokens))

    @needs(Level.OWNER)
    async def _make_token(self, request: web.Request) -> web.Response:
        body = await read_body(request, NewTokenBody)
        try:
            token, secret = await self._tokens.make(body.name)
        except TooManyTokensError:
            raise ProblemError(
                409, f"there are {MOST_TOKENS} tokens, and there may be no more; delete one first"
            ) from None
        except OSError:
            raise ProblemError(503, "the token could not be kept; see to the state directory") from None
        answer = NewTokenAnswer(id=token.id, name=token.name, token=secret.get_secret_value())
        return _json(answer, status=201)

    @needs(Level.OWNER)
    async def _delete_token(self, request: web.Request) -> web.Response:
        try:
            found = await self._tokens.delete(request.match_info["id"])
        except OSError:
            raise ProblemError(
                503, "deleted, but only until the next start; see to the state directory"
            ) from None
        if not found:
            raise ProblemError(404, "there is no such token")
        return web.Response(status=204)

    def _with_cookie(self, request: web.Request, session: str) -> web.Response:
        header = cookie(self._settings, self._guard.visit(request).scheme, session)
        return web.Response(status=204, headers={"Set-Cookie": header})


def _json(answer: BaseModel, status: int = 200) -> web.Response:
    return web.Response(
        status=status, body=answer.model_dump_json().encode(), content_type="application/json"
    )


def _later(wait_s: float) -> ProblemError:
    seconds = max(1, math.ceil(wait_s))
    headers = {"Retry-After": str(seconds)}
    return ProblemError(429, f"too many tries to log in; try again in {seconds} s", headers=headers)
