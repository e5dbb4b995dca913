"""A minimal client of the Wattpilot's protocol, and a running box for it."""

import asyncio
import json
import secrets
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from datetime import UTC, datetime
from functools import cache
from typing import Any

import pytest
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

from pvcharge.clock import FastClock
from pvcharge.sim.wattpilot import WattpilotBox, WattpilotServer
from pvcharge.sim.wattpilot.auth import Algorithm, derive_key, login_hash, signature

PASSWORD = "sun & wind"
PATIENCE_S = 5.0
SILENCE_S = 0.2

cached_key = cache(derive_key)  # it is slow on purpose, and the same for all tests


class Client:
    """Says what a test wants to say, and collects what it hears."""

    def __init__(self, link: ClientConnection) -> None:
        self.link = link
        self.heard: list[Any] = []
        self.status: dict[str, Any] = {}
        self._key = b""
        self._request_id = 0

    async def hear(self) -> Any:
        """Return the next frame, parsed; its status is merged into what is known."""
        async with asyncio.timeout(PATIENCE_S):
            message = json.loads(await self.link.recv())
        self.heard.append(message)
        if message["type"] in ("fullStatus", "deltaStatus"):
            self.status |= message["status"]
        return message

    async def until(self, fits: Callable[[Any], bool]) -> Any:
        """Return the first frame that fits."""
        while not fits(message := await self.hear()):
            pass
        return message

    async def until_type(self, name: str) -> Any:
        """Return the first frame of this type."""
        return await self.until(lambda message: message["type"] == name)

    async def until_told(self, key: str, value: Any) -> Any:
        """Return the first delta in which a property has this value."""
        return await self.until(
            lambda message: message["type"] == "deltaStatus" and message["status"].get(key) == value
        )

    async def until_lost(self) -> ConnectionClosed:
        """Return how the connection ended."""
        try:
            while True:
                await self.hear()
        except ConnectionClosed as closed:
            return closed

    async def until_silent(self) -> None:
        """Return when nothing has come for several times the pause between deltas."""
        for _ in range(100):
            try:
                await asyncio.wait_for(self.link.recv(), SILENCE_S)
            except TimeoutError:
                return
        pytest.fail("the box goes on talking")

    async def log_in(self, password: str = PASSWORD, serial: str = "10000001") -> Any:
        """Answer the box's questions and return its verdict."""
        hello, asked = await self.hear(), await self.hear()
        default = "bcrypt" if hello["devicetype"] == "wattpilot_flex" else "pbkdf2"
        self._key = cached_key(password, serial, Algorithm(asked.get("hash", default)))
        token3 = secrets.token_hex(16)
        answer = login_hash(self._key, asked["token1"], asked["token2"], token3)
        await self.say({"type": "auth", "token3": token3, "hash": answer})
        return await self.hear()

    async def ready(self) -> "Client":
        """Log in and read the full status."""
        assert (await self.log_in())["type"] == "authSuccess"
        await self.until(lambda message: message["type"] == "fullStatus" and not message["partial"])
        return self

    async def say(self, message: Any) -> None:
        """Send a message as it is."""
        await self.link.send(json.dumps(message))

    async def write(self, key: str, value: Any, *, hmac: str | None = None) -> str:
        """Send a signed write and return its request's id."""
        self._request_id += 1
        request = {"type": "setValue", "requestId": self._request_id, "key": key, "value": value}
        data = json.dumps(request)
        await self.say(
            {
                "type": "securedMsg",
                "data": data,
                "requestId": f"{self._request_id}sm",
                "hmac": hmac or signature(self._key, data),
            }
        )
        return str(self._request_id)

    async def set(self, key: str, value: Any) -> Any:
        """Send a signed write and return the response to it."""
        await self.write(key, value)
        return await self.until_type("response")


class House:
    """Runs servers on a fast clock and connects clients to them."""

    def __init__(self, stack: AsyncExitStack) -> None:
        self._stack = stack
        self.clock = FastClock(datetime(2026, 6, 1, 12, tzinfo=UTC), speed=200)

    async def serve(self, box: WattpilotBox | None = None, **options: Any) -> WattpilotServer:
        """Start a server and let the test's end close it."""
        server = WattpilotServer(box or WattpilotBox(), password=PASSWORD, clock=self.clock, **options)
        await server.start()
        self._stack.push_async_callback(server.aclose)
        return server

    async def client(self, server: WattpilotServer) -> Client:
        """Connect a client and let the test's end close it."""
        link = await connect(server.url, compression=None, close_timeout=0.1)
        self._stack.push_async_callback(link.close)
        return Client(link)

    async def until(self, fits: Callable[[], bool]) -> None:
        """Wait until something has become true."""
        async with asyncio.timeout(PATIENCE_S):
            while not fits():  # noqa: ASYNC110 - the box is polled on purpose: it has no events
                await asyncio.sleep(0.01)


@pytest.fixture
async def house() -> AsyncIterator[Any]:
    """Servers and clients that are gone after the test."""
    async with AsyncExitStack() as stack:
        yield House(stack)
