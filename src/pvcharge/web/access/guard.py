"""Stands before all routes: lets in who may come in, and sees that every answer is a safe one."""

from collections.abc import Iterator

from aiohttp import web

from pvcharge.web.access.headers import SecurityHeaders, cookie, sessions_in
from pvcharge.web.access.levels import Level, needed
from pvcharge.web.access.sessions import Sessions
from pvcharge.web.access.tokens import Tokens
from pvcharge.web.access.visits import Door, Visit, check_source
from pvcharge.web.bodies import MOST_BODY_BYTES, too_large
from pvcharge.web.problems import Handler, ProblemError
from pvcharge.web.settings import WebSettings

_SAFE = frozenset(("GET", "HEAD", "OPTIONS"))
_JSON = "application/json"
_MOST_COOKIES = 4  # of our name that are looked at


class Guard:
    """Decides on requests.

    Args:
        settings: who may do what.
        sessions: who has logged in.
        tokens: of programs.
    """

    def __init__(self, settings: WebSettings, sessions: Sessions, tokens: Tokens) -> None:
        self._settings = settings
        self._sessions = sessions
        self._tokens = tokens
        self._door = Door(settings)
        self._headers = SecurityHeaders(settings)

    def install(self, app: web.Application) -> None:
        """Stand before all routes of an application."""
        app.middlewares.append(self._guard)
        app.on_response_prepare.append(self._add_headers)

    def level(self, request: web.Request) -> Level:
        """Return what a visitor may do now; it can have become less since the request came."""
        if self._settings.password is None or self._has_token(request) or any(self.live_sessions(request)):
            return Level.OWNER
        return Level.GUEST if self._settings.guest_view else Level.NONE

    def visit(self, request: web.Request) -> Visit:
        """Return how a request came.

        Raises:
            ProblemError: by a name that is not ours.
        """
        return self._door.visit(request)

    def live_sessions(self, request: web.Request) -> Iterator[str]:
        """Yield the sessions that come with a request, as far as they are any."""
        cookies = _cookies(request)[:_MOST_COOKIES]
        return (session for session in cookies if self._sessions.use(session))

    @web.middleware
    async def _guard(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        visit = self.visit(request)
        # What there is not can neither be read nor changed; the router's own answer says so.
        if request.match_info.http_exception is not None:
            return await handler(request)
        _check_request(request, visit)
        if self.level(request) < needed(request.match_info.handler):
            headers = {"WWW-Authenticate": 'Bearer realm="pvcharge"'}
            raise ProblemError(401, "log in, or send a token, to do this", headers=headers)
        response = await handler(request)
        if self._headers.is_api(request.path) and not response.prepared:
            self._renew_cookie(request, response, visit)
        await self._sessions.flush()
        await self._tokens.flush()
        return response

    def _renew_cookie(self, request: web.Request, response: web.StreamResponse, visit: Visit) -> None:
        for session in self.live_sessions(request):
            if self._sessions.wants_renewal(session) and "Set-Cookie" not in response.headers:
                response.headers.add("Set-Cookie", cookie(self._settings, visit.scheme, session))

    async def _add_headers(self, request: web.Request, response: web.StreamResponse) -> None:
        self._headers.add(request.path, self._door.scheme(request), response.headers)

    def _has_token(self, request: web.Request) -> bool:
        kind, _, secret = request.headers.get("Authorization", "").strip().partition(" ")
        return kind.lower() == "bearer" and self._tokens.is_good(secret.strip())


def _check_request(request: web.Request, visit: Visit) -> None:
    """Refuse what a browser may have been made to send, and what is too large.

    Raises:
        ProblemError: with 403, 413 or 415.
    """
    is_safe = request.method in _SAFE
    is_websocket = is_safe and request.headers.get("Upgrade", "").strip().lower() == "websocket"
    if not is_safe or is_websocket:
        check_source(request, visit, has_cookie=bool(_cookies(request)), is_websocket=is_websocket)
    if (request.content_length or 0) > MOST_BODY_BYTES:
        raise too_large()
    # Forms can send other types across sites; a DELETE without a body no form can send at all.
    has_body = request.body_exists or request.method != "DELETE"
    if not is_safe and has_body and request.content_type != _JSON:
        raise ProblemError(415, f"the body must be JSON, and Content-Type must say {_JSON}")


def _cookies(request: web.Request) -> list[str]:
    return sessions_in(";".join(request.headers.getall("Cookie", [])))
