"""What goes wrong in front of the simulated cloud, and how it closes."""

import asyncio
import json
from collections.abc import Awaitable, Callable, Coroutine

import pytest
from aiohttp import ClientConnectionError, ClientError, ClientResponse, ClientSession

from pvcharge.sim.solaredge import SolarEdgeServer

Get = Callable[..., Coroutine[None, None, ClientResponse]]
Serve = Callable[..., Awaitable[SolarEdgeServer]]

BOTH_APIS = pytest.mark.parametrize("path", ["/v2/sites/4711", "/site/4711/details"])


@BOTH_APIS
async def test_connections_are_refused(server: SolarEdgeServer, get: Get, path: str) -> None:
    """The connection ends without an answer, also one that was open; later all is well again."""
    await get(server, path)
    server.faults.refuse_connections = True
    with pytest.raises(ClientConnectionError):
        await get(server, path)
    server.faults.refuse_connections = False
    assert (await get(server, path)).status == 200
    assert server.calls == 2


@BOTH_APIS
@pytest.mark.parametrize("status", [500, 502])
async def test_outage(server: SolarEdgeServer, get: Get, path: str, status: int) -> None:
    """A page of HTML with the status of the day."""
    server.faults.outage_status = status
    response = await get(server, path)
    assert (response.status, response.content_type) == (status, "text/html")
    assert (await response.text()).startswith("<html>")


async def test_outage_of_the_token_endpoint(server: SolarEdgeServer, session: ClientSession) -> None:
    """OAuth is down with the rest."""
    server.faults.outage_status = 502
    async with session.post(f"{server.base_url}/v2/oauth2/token", json={}) as response:
        assert response.status == 502


@BOTH_APIS
async def test_gone(server: SolarEdgeServer, get: Get, path: str) -> None:
    """Everything answers 410 at once, without the headers of the gateway behind."""
    server.faults.gone = True
    response = await get(server, path)
    assert (response.status, "x-ratelimit-limit-minute" in response.headers) == (410, False)


@BOTH_APIS
async def test_garbage(server: SolarEdgeServer, get: Get, path: str) -> None:
    """Status and header promise JSON, the body is not even text."""
    server.faults.garbage = True
    response = await get(server, path)
    assert (response.status, response.content_type) == (200, "application/json")
    with pytest.raises(UnicodeDecodeError):
        await response.text(encoding="utf-8")


@BOTH_APIS
async def test_truncated(server: SolarEdgeServer, get: Get, path: str) -> None:
    """A good beginning of a document, whole as far as HTTP can tell."""
    whole = await (await get(server, path)).text()
    server.faults.truncated = True
    response = await get(server, path)
    assert await response.text() == whole[: len(whole) // 2]
    with pytest.raises(json.JSONDecodeError):
        await response.json()


@BOTH_APIS
async def test_slow(server: SolarEdgeServer, get: Get, path: str) -> None:
    """The answer takes real seconds; who gives up earlier has no answer."""
    server.faults.slow_s = 30.0
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.05):
            await get(server, path)
    server.faults.slow_s = 0.01
    assert (await get(server, path)).status == 200


async def test_closing_does_not_wait_for_slow_answers(server: SolarEdgeServer, get: Get) -> None:
    """A call under way is dropped, and no task stays behind."""
    before = asyncio.all_tasks()
    server.faults.slow_s = 30.0
    call = asyncio.create_task(get(server, "/v2/sites/4711"))
    await asyncio.sleep(0.05)
    await server.aclose()
    with pytest.raises(ClientError):
        await call
    assert asyncio.all_tasks() <= before


async def test_closing_frees_the_port(serve: Serve, get: Get) -> None:
    """Nobody listens any more, closing again does nothing, and a new server can take the port."""
    first = await serve()
    await get(first, "/v2/sites/4711")
    await first.aclose()
    await first.aclose()
    with pytest.raises(ClientConnectionError):
        await get(first, "/v2/sites/4711")
    second = await serve(port=first.port)
    assert (await get(second, "/v2/sites/4711")).status == 200


async def test_a_server_can_come_back(server: SolarEdgeServer, get: Get) -> None:
    """Started again it listens at the same port, and its calls are counted on."""
    await get(server, "/v2/sites/4711")
    port = server.port
    await server.aclose()
    await server.start()
    assert (await get(server, "/v2/sites/4711")).headers["x-ratelimit-remaining-minute"] == "8"
    assert (server.port, server.calls) == (port, 2)
