"""Requests over real sockets: what only a real connection can do wrong."""

from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from pvcharge.drivers.base import TransientError
from pvcharge.drivers.solaredge import SolarEdgeInverter

Make = Callable[..., SolarEdgeInverter]


@pytest.fixture
async def answering(inverter: Make) -> AsyncIterator[Callable[..., Any]]:
    """Make a driver of a server that answers everything by one handler."""
    servers: list[TestServer] = []

    async def make(handler: Callable[[web.Request], Any], **table: Any) -> SolarEdgeInverter:
        app = web.Application()
        app.router.add_route("*", "/{path:.*}", handler)
        servers.append(TestServer(app))
        await servers[-1].start_server()
        return inverter(base_url=str(servers[-1].make_url("/")), **table)

    yield make
    for server in servers:
        await server.close()


@pytest.mark.fault("solaredge", "huge answer")
async def test_a_huge_answer_is_cut_off(answering: Callable[..., Any]) -> None:
    """An answer beyond one MiB is not read to its end."""

    async def huge(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        for _ in range(33):
            await response.write(b" " * (1 << 15))
        return response

    roof = await answering(huge)
    with pytest.raises(TransientError, match="larger than 1048576 bytes"):
        await roof.read()


async def test_a_connection_that_drops(answering: Callable[..., Any]) -> None:
    """A server that hangs up without an answer has failed for now."""

    async def drop(request: web.Request) -> web.StreamResponse:
        assert request.transport is not None
        request.transport.abort()
        return web.Response()

    roof = await answering(drop)
    with pytest.raises(TransientError, match="at http://127"):
        await roof.read()


async def test_a_broken_answer_shows_no_key(answering: Callable[..., Any]) -> None:
    """When aiohttp cannot read the answer, its message would show the URL with the key."""

    async def break_off(request: web.Request) -> web.StreamResponse:
        assert isinstance(request.transport, object)
        request.transport.write(b"HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n")  # type: ignore[union-attr]
        return web.Response()

    roof = await answering(break_off, api="v1", api_key="PLANTED")
    with pytest.raises(TransientError) as caught:
        await roof.read()
    assert "PLANTED" not in f"{caught.value} {caught.value.__cause__}"
    assert caught.value.__suppress_context__


async def test_nobody_listens(inverter: Make, unused_tcp_port: int) -> None:
    """A refused connection names the address."""
    with pytest.raises(TransientError, match=f"at http://127.0.0.1:{unused_tcp_port}: .*[Cc]onnect"):
        await inverter(base_url=f"http://127.0.0.1:{unused_tcp_port}").read()


async def test_redirects_are_not_followed(answering: Callable[..., Any]) -> None:
    """Another host must not be handed the key."""
    paths = []

    async def redirect(request: web.Request) -> web.StreamResponse:
        paths.append(request.path)
        return web.Response(status=307, headers={"Location": "/elsewhere"})

    roof = await answering(redirect)
    with pytest.raises(TransientError, match="answered 307"):
        await roof.read()
    assert paths == ["/v2/sites/4711/meters/telemetry"]
