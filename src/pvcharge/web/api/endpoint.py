"""What turns a request into a call with a checked body or query, and an answer into JSON."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from typing import TypeVar

from aiohttp import web
from multidict import MultiMapping
from pydantic import BaseModel, ConfigDict, ValidationError

from pvcharge.web.answers import Answer
from pvcharge.web.api.problems import HEADERS, ProblemError

BIG = 4096  # bytes of JSON that are worth packing, and that no event loop is held up for

Answered = Answer | web.StreamResponse | None
Run = Callable[[web.Request], Awaitable[Answered]]


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


@dataclass(frozen=True, slots=True)
class Endpoint:
    """What answers, and the models of what it takes."""

    run: Run
    body: type[Body] | None = None
    query: type[Query] | None = None


def takes(model: type[B], handler: Callable[[web.Request, B], Awaitable[Answered]]) -> Endpoint:
    """Return the endpoint of a handler that takes a JSON body."""

    async def run(request: web.Request) -> Answered:
        _refuse_query(request)
        return await handler(request, await _body(request, model))

    return Endpoint(run, body=model)


def asks(model: type[Q], handler: Callable[[web.Request, Q], Awaitable[Answered]]) -> Endpoint:
    """Return the endpoint of a handler that takes a query."""

    async def run(request: web.Request) -> Answered:
        return await handler(request, _query(request.query, model))

    return Endpoint(run, query=model)


def plain(handler: Run) -> Endpoint:
    """Return the endpoint of a handler that takes neither."""

    async def run(request: web.Request) -> Answered:
        _refuse_query(request)
        return await handler(request)

    return Endpoint(run)


def respond(answer: Answered) -> web.StreamResponse:
    """Return the response for what a handler has answered; big ones packed for whoever can read that."""
    if isinstance(answer, web.StreamResponse):
        return answer
    if answer is None:
        return web.Response(status=204, headers=HEADERS)
    content = answer.model_dump_json().encode()
    response = web.Response(
        body=content,
        content_type="application/json",
        charset="utf-8",
        headers=HEADERS,
        zlib_executor_size=BIG,
    )
    if len(content) >= BIG:
        response.headers["Vary"] = "Accept-Encoding"
        response.enable_compression()
    return response


async def _body(request: web.Request, model: type[B]) -> B:
    """Read the body.

    Raises:
        ProblemError: it is not what the model says.
    """
    if request.content_type != "application/json":
        raise ProblemError(415, "send it as Content-Type: application/json")
    content = await request.read()
    try:
        return model.model_validate_json(content)
    except ValidationError as error:
        (first, *_) = error.errors()
        if first["type"] == "json_invalid":
            raise ProblemError(400, f"the body is no JSON: {first['msg']}") from None
        raise ProblemError(422, "the body will not do", errors=_errors(error, model)) from None


def _query(query: MultiMapping[str], model: type[Q]) -> Q:
    """Read the query.

    Raises:
        ProblemError: it is not what the model says.
    """
    twice = {key: "is there more than once" for key in query if len(query.getall(key)) > 1}
    if twice:
        raise ProblemError(422, "the query will not do", errors=twice)
    try:
        return model.model_validate_strings(dict(query))
    except ValidationError as error:
        raise ProblemError(422, "the query will not do", errors=_errors(error, model)) from None


def _refuse_query(request: web.Request) -> None:
    if request.query:
        raise ProblemError(
            422, "the query will not do", errors=dict.fromkeys(request.query, "there is no such key")
        )


def _errors(error: ValidationError, model: type[BaseModel]) -> Mapping[str, str]:
    """Return what is wrong, by key."""
    found: dict[str, str] = {}
    for one in error.errors(include_url=False, include_context=False):
        key = ".".join(str(part) for part in one["loc"])
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
