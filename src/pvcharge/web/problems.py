"""Errors as `application/problem+json` (RFC 9457): what is wrong, where, and never a traceback."""

import secrets
from collections.abc import Awaitable, Callable, Mapping
from http import HTTPStatus

import structlog
from aiohttp import web

from pvcharge.web.answers import Answer

log = structlog.get_logger(__name__)

MEDIA = "application/problem+json"
HEADERS = {"Cache-Control": "no-store"}

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class KeyProblem(Answer):
    """What is wrong with a key of the body or the query."""

    key: str
    message: str


class Problem(Answer):
    """What is wrong, as RFC 9457 has it; `errors` tells it by key, `reference` finds it in the log."""

    type: str = "about:blank"
    title: str
    status: int
    detail: str
    errors: list[KeyProblem] | None = None
    reference: str | None = None


class ProblemError(Exception):
    """Ends a request with a problem.

    Attributes:
        status: of the answer.
        detail: what is wrong, and what to do.
        errors: what is wrong, by key.
        headers: of the answer, besides its type.
    """

    def __init__(
        self,
        status: int,
        detail: str,
        *,
        errors: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(detail)
        self.status = status
        self.detail = detail
        self.errors = errors
        self.headers = headers or {}


@web.middleware
async def answer_problems(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Turn all that goes wrong into a problem; stands before all else.

    What nobody foresaw is logged, with a reference.
    """
    try:
        return await handler(request)
    except ProblemError as error:
        return _problem(error)
    except web.HTTPMethodNotAllowed as error:
        return _other_methods(request, error)
    except web.HTTPException as error:
        return _of_http(request, error)
    except Exception as error:
        if isinstance(error, ConnectionError) and _has_gone(request):
            return _problem(ProblemError(HTTPStatus.BAD_REQUEST, "the connection broke off"))  # to nobody
        reference = secrets.token_hex(4)
        # As it was sent, without a line break in it.
        path = request.rel_url.raw_path
        log.exception("request failed", method=request.method, path=path, reference=reference)
        detail = f"a fault of pvcharge; its log says more, look there for {reference}"
        return _problem(ProblemError(HTTPStatus.INTERNAL_SERVER_ERROR, detail), reference)


def _has_gone(request: web.Request) -> bool:
    return request.transport is None or request.transport.is_closing()


def _problem(error: ProblemError, reference: str | None = None) -> web.Response:
    errors = [KeyProblem(key=key, message=message) for key, message in (error.errors or {}).items()]
    told = Problem(
        title=HTTPStatus(error.status).phrase,
        status=error.status,
        detail=error.detail,
        errors=errors or None,
        reference=reference,
    )
    return web.Response(
        status=error.status,
        text=told.model_dump_json(exclude_none=True),
        content_type=MEDIA,
        headers={**HEADERS, **error.headers},
    )


def _other_methods(request: web.Request, error: web.HTTPMethodNotAllowed) -> web.Response:
    allowed = {"Allow": ",".join(sorted(error.allowed_methods))}
    if request.method == "OPTIONS":
        return web.Response(status=HTTPStatus.NO_CONTENT, headers={**HEADERS, **allowed})
    return _problem(ProblemError(error.status, f"there is no {request.method} here", headers=allowed))


def _of_http(request: web.Request, error: web.HTTPException) -> web.StreamResponse:
    if error.status < HTTPStatus.BAD_REQUEST:
        raise error
    if error.status == HTTPStatus.NOT_FOUND:
        return _problem(ProblemError(error.status, f"there is nothing at {request.path}"))
    return _problem(ProblemError(error.status, error.text or error.reason))
