"""What turns a request into a call with a checked body or query, and an answer into JSON."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TypeVar

from aiohttp import web

from pvcharge.web.answers import Answer
from pvcharge.web.bodies import Body, Query, read_body, read_query
from pvcharge.web.problems import HEADERS

BIG = 4096  # bytes of JSON that are worth packing, and that no event loop is held up for

Answered = Answer | web.StreamResponse
Run = Callable[[web.Request], Awaitable[Answered]]
B = TypeVar("B", bound=Body)
Q = TypeVar("Q", bound=Query)


class NoQuery(Query):
    """Nothing behind the question mark."""


@dataclass(frozen=True, slots=True)
class Endpoint:
    """What answers, and the models of what it takes."""

    run: Run
    body: type[Body] | None = None
    query: type[Query] | None = None


def takes(model: type[B], handler: Callable[[web.Request, B], Awaitable[Answered]]) -> Endpoint:
    """Return the endpoint of a handler that takes a JSON body."""

    async def run(request: web.Request) -> Answered:
        read_query(request.query, NoQuery)
        return await handler(request, await read_body(request, model))

    return Endpoint(run, body=model)


def asks(model: type[Q], handler: Callable[[web.Request, Q], Awaitable[Answered]]) -> Endpoint:
    """Return the endpoint of a handler that takes a query."""

    async def run(request: web.Request) -> Answered:
        return await handler(request, read_query(request.query, model))

    return Endpoint(run, query=model)


def plain(handler: Run) -> Endpoint:
    """Return the endpoint of a handler that takes neither."""

    async def run(request: web.Request) -> Answered:
        read_query(request.query, NoQuery)
        return await handler(request)

    return Endpoint(run)


def respond(answer: Answered) -> web.StreamResponse:
    """Return the response for what a handler has answered; big ones packed for whoever can read that."""
    if isinstance(answer, web.StreamResponse):
        return answer
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
