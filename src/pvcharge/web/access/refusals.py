"""Answers that say no, as RFC 9457 has them."""

import json
from collections.abc import Mapping, Sequence
from http import HTTPStatus

from aiohttp import web

CONTENT_TYPE = "application/problem+json"


class Refused(Exception):  # noqa: N818 - it is no error of ours
    """Ends a handler with an answer that says no.

    Attributes:
        response: the answer.
    """

    def __init__(self, response: web.Response) -> None:
        super().__init__(response.status)
        self.response = response


def refusal(
    status: int,
    detail: str,
    *,
    title: str | None = None,
    errors: Sequence[tuple[str, str]] = (),
    headers: Mapping[str, str] | None = None,
) -> web.Response:
    """Return an answer that says no.

    Args:
        status: of HTTP, 400 or more.
        detail: why, and what to do.
        title: the status in words, unless given.
        errors: what is wrong, as pairs of a key and a message.
        headers: more of them.
    """
    document: dict[str, object] = {
        "type": "about:blank",
        "title": title or HTTPStatus(status).phrase,
        "status": status,
        "detail": detail,
    }
    if errors:
        document["errors"] = [{"key": key, "message": message} for key, message in errors]
    return web.Response(
        status=status,
        body=json.dumps(document).encode(),
        content_type=CONTENT_TYPE,
        headers={"Cache-Control": "no-store", **(headers or {})},
    )
