"""Reads what a request brings along, JSON or a query, in the shape of a model."""

from collections.abc import Mapping
from difflib import get_close_matches
from typing import TypeVar

from aiohttp import web
from multidict import MultiMapping
from pydantic import BaseModel, ConfigDict, ValidationError

from pvcharge.web.problems import ProblemError

MOST_BODY_BYTES = 65_536
_MOST_ERRORS = 20  # of one request that are told
_LONGEST_KEY = 64  # characters of a key that are told


class Body(BaseModel):
    """The base of all that is sent to us as JSON: unknown keys and other types are refused."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)


class Query(BaseModel):
    """The base of all that is asked behind the question mark."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class Nothing(Body):
    """The empty object."""


B = TypeVar("B", bound=Body)
Q = TypeVar("Q", bound=Query)


async def read_body(request: web.Request, model: type[B]) -> B:
    """Return the body of a request.

    No answer shows a value that was sent: it may be a password.

    Raises:
        ProblemError: with 413 where it is too large, 400 where it is no JSON, 422 where it has another shape.
    """
    content = await _read(request)
    try:
        return model.model_validate_json(content)
    except ValidationError as error:
        (first, *_) = error.errors(include_input=False, include_url=False, include_context=False)
        if first["type"] == "json_invalid":
            raise ProblemError(400, f"the body is no JSON: {first['msg']}") from None
        raise ProblemError(422, "the body will not do", errors=_errors(error, model)) from None


def read_query(query: MultiMapping[str], model: type[Q]) -> Q:
    """Return what stands behind the question mark.

    Raises:
        ProblemError: with 422 where it is not what the model says.
    """
    twice = {key: "is there more than once" for key in query if len(query.getall(key)) > 1}
    if twice:
        raise ProblemError(422, "the query will not do", errors=twice)
    try:
        return model.model_validate_strings(dict(query))
    except ValidationError as error:
        raise ProblemError(422, "the query will not do", errors=_errors(error, model)) from None


def too_large() -> ProblemError:
    """Return the answer to who sends too much."""
    return ProblemError(413, f"the body is larger than {MOST_BODY_BYTES // 1024} kB")


async def _read(request: web.Request) -> bytes:
    """Return the bytes of a body; the application itself bounds their number."""
    try:
        return await request.read()
    except web.HTTPRequestEntityTooLarge:
        raise too_large() from None
    except web.RequestPayloadError:
        raise ProblemError(400, "the body breaks off, or is not packed as its headers say") from None


def _errors(error: ValidationError, model: type[BaseModel]) -> Mapping[str, str]:
    """Return what is wrong, by key."""
    found: dict[str, str] = {}
    for one in error.errors(include_input=False, include_url=False, include_context=False)[:_MOST_ERRORS]:
        key = ".".join(str(part)[:_LONGEST_KEY] for part in one["loc"])
        message = one["msg"].removeprefix("Value error, ")
        if one["type"] == "extra_forbidden":
            message = _unknown(key, list(model.model_fields))
        found.setdefault(key, message)
    return found


def _unknown(key: str, known: list[str]) -> str:
    near = get_close_matches(key, known, n=1)
    if near:
        return f"there is no such key; did you mean {near[0]}?"
    return f"there is no such key; there is {', '.join(known)}" if known else "there is no such key"
