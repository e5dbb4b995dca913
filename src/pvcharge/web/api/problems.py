"""Errors as `application/problem+json` (RFC 9457): what is wrong, where, and never a traceback."""

import secrets
from collections.abc import Awaitable, Callable, Mapping
from http import HTTPStatus

import structlog
from aiohttp import web

from pvcharge.web.access import Refused
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
    """The request ends with a problem.

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


def problem(
    status: int,
    detail: str,
    *,
    errors: Mapping[str, str] | None = None,
    headers: Mapping[str, str] | None = None,
    reference: str | None = None,
) -> web.Response:
    """Return the answer that tells of a problem."""
    told = Problem(
        title=HTTPStatus(status).phrase,
        status=status,
        detail=detail,
        errors=[KeyProblem(key=key, message=message) for key, message in errors.items()] if errors else None,
        reference=reference,
    )
    return web.Response(
        status=status,
        text=told.model_dump_json(exclude_none=True),
        content_type=MEDIA,
        headers={**HEADERS, **(headers or {})},
    )


@web.middleware
async def answer_problems(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Turn all that goes wrong into a problem; what nobody foresaw is logged, with a reference."""
    try:
        return await handler(request)
    except ProblemError as error:
        return problem(error.status, error.detail, errors=error.errors, headers=error.headers)
    except web.HTTPMethodNotAllowed as error:
        return _other_methods(request, error)
    except web.HTTPException as error:
        return _of_http(request, error)
    except (Refused, ConnectionError):
        raise  # the guard above answers the one, nobody the other
    except Exception:
        reference = secrets.token_hex(4)
        log.exception("request failed", method=request.method, path=request.path, reference=reference)
        return problem(
            HTTPStatus.INTERNAL_SERVER_ERROR,
            f"a fault of pvcharge; its log says more, look there for {reference}",
            reference=reference,
        )


def _other_methods(request: web.Request, error: web.HTTPMethodNotAllowed) -> web.Response:
    allowed = {"Allow": ",".join(sorted(error.allowed_methods))}
    if request.method == "OPTIONS":
        return web.Response(status=HTTPStatus.NO_CONTENT, headers={**HEADERS, **allowed})
    return problem(error.status, f"there is no {request.method} here", headers=allowed)


def _of_http(request: web.Request, error: web.HTTPException) -> web.StreamResponse:
    if error.status < HTTPStatus.BAD_REQUEST:
        raise error
    if error.status == HTTPStatus.NOT_FOUND:
        return problem(error.status, f"there is nothing at {request.path}")
    return problem(error.status, error.text or error.reason)
