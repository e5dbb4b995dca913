"""Reads what a request brings along: JSON of bounded size, in the shape of a model."""

from typing import TypeVar

from aiohttp import web
from pydantic import BaseModel, ValidationError

from pvcharge.web.access.refusals import Refused, refusal

MOST_BODY_BYTES = 65_536
_MOST_ERRORS = 20  # of one body that are told

M = TypeVar("M", bound=BaseModel)


async def read_body(request: web.Request, model: type[M]) -> M:
    """Return the body of a request.

    Args:
        request: whose body has not been read yet.
        model: its shape.

    Raises:
        Refused: with 413 where it is too large, 400 where it is no JSON, 422 where it has another shape.
            No answer shows what was sent: it may be a password.
    """
    content = await _read(request)
    try:
        return model.model_validate_json(content)
    except ValidationError as error:
        items = error.errors(include_input=False, include_url=False, include_context=False)
        if items[0]["type"] == "json_invalid":
            raise Refused(refusal(400, "the body is no JSON")) from None
        errors = [
            (".".join(str(part)[:64] for part in item["loc"]), item["msg"].removeprefix("Value error, "))
            for item in items[:_MOST_ERRORS]
        ]
        raise Refused(refusal(422, "the body does not have the right shape", errors=errors)) from None


async def _read(request: web.Request) -> bytes:
    content = bytearray()
    async for chunk in request.content.iter_chunked(MOST_BODY_BYTES):
        content += chunk
        if len(content) > MOST_BODY_BYTES:
            raise Refused(too_large())
    return bytes(content)


def too_large() -> web.Response:
    """Return the answer to who sends too much."""
    return refusal(413, f"the body is larger than {MOST_BODY_BYTES // 1024} kB")
