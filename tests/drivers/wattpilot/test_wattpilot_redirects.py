"""Whoever stands in for the box cannot send the daemon elsewhere."""

from http import HTTPStatus

import pytest
from websockets.asyncio.server import ServerConnection, serve
from websockets.datastructures import Headers
from websockets.http11 import Request, Response

from pvcharge.drivers.base import TransientError
from pvcharge.drivers.wattpilot.link import Link


async def test_a_redirect_is_not_followed() -> None:
    """Not even to the same address; it is an answer of something that is no box."""
    asked: list[str] = []

    def redirect(_link: ServerConnection, request: Request) -> Response:
        asked.append(request.path)
        headers = Headers({"Location": "/elsewhere", "Content-Length": "0"})
        return Response(HTTPStatus.FOUND, "Found", headers)

    async def never(_link: ServerConnection) -> None:
        pytest.fail("nobody should come in")

    async with serve(never, "127.0.0.1", 0, process_request=redirect) as server:
        port = server.sockets[0].getsockname()[1]
        with pytest.raises(TransientError, match="no connection"):
            await Link.dial(f"ws://127.0.0.1:{port}/ws", "box")
    assert asked == ["/ws"]
