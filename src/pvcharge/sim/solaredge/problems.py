"""Errors in the two spellings of problem+json (RFC 9457) that the cloud uses."""

import secrets

from aiohttp import web

TYPE = "https://se-api.stoplight.io/docs/monitoring"
CONTENT_TYPE = "application/problem+json"


class Problem(Exception):  # noqa: N818 - the RFC's own word
    """A call that is answered with an error document.

    Args:
        status: of the HTTP answer.
        title: says what kind of problem it is.
        detail: says what is wrong with this call.
        headers: more headers of the answer.
    """

    def __init__(self, status: int, title: str, detail: str, headers: dict[str, str] | None = None) -> None:
        super().__init__(detail)
        self.status = status
        self.headers = headers
        self._document = {"type": TYPE, "title": title, "status": status, "detail": detail}

    def as_v1(self) -> web.Response:
        """Return the answer as V1 spells it."""
        return self._answer({"instance": None, "properties": {"traceId": secrets.token_hex(16)}})

    def as_v2(self) -> web.Response:
        """Return the answer as V2 spells it."""
        return self._answer({"traceId": secrets.token_hex(16)})

    def _answer(self, more: dict[str, object]) -> web.Response:
        document = {**self._document, **more}
        return web.json_response(
            document, status=self.status, headers=self.headers, content_type=CONTENT_TYPE
        )


def unauthorized(detail: str) -> Problem:
    """No credential, a wrong one, or one that has expired."""
    return Problem(401, "Unauthorized - Authentication Failed", detail)


def forbidden(detail: str) -> Problem:
    """A good credential that does not reach this far."""
    return Problem(403, "Forbidden", detail)


def bad_request(detail: str) -> Problem:
    """A parameter that makes no sense."""
    return Problem(400, "Bad Request", detail)


def not_found() -> Problem:
    """No such endpoint."""
    return Problem(404, "Not Found", "Unknown endpoint")
