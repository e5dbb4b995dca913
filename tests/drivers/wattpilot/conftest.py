"""What the tests of the Wattpilot driver share: properties, and a box that does exactly what a test says."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from websockets.asyncio.server import ServerConnection, serve

from pvcharge.drivers.base import DriverContext
from pvcharge.drivers.wattpilot import DRIVER, WattpilotCharger, WattpilotSettings
from pvcharge.drivers.wattpilot.auth import choose_algorithm, derive_key, login_proof, sign
from pvcharge.drivers.wattpilot.reading import Reading, read

START = datetime(2026, 6, 1, 12, tzinfo=UTC)
PASSWORD = "correct horse"


@pytest.fixture
def properties() -> Callable[..., dict[str, Any]]:
    """Return a maker of the properties of an 11 kW box that charges with 3 x 10 A, with changes."""

    def make(**changes: Any) -> dict[str, Any]:
        return {
            "car": 2,
            "err": 0,
            "modelStatus": 15,
            "alw": True,
            "frc": 0,
            "lmo": 3,
            "amp": 10,
            "psm": 2,
            "fsp": False,
            "var": 11,
            "ama": 16,
            "mca": 6,
            "cbl": 20,
            "amt": 32,
            "adi": True,
            "la1": 10,
            "la3": 10,
            "nrg": [231, 230, 232, 1, 9.8, 9.9, 10.0, 2260, 2270, 2320, 0, 6850, 99, 99, 99, 0],
            "tpa": 6840,
            "wh": 1234.5,
            "eto": 987654,
            "psmd": 10000,
            "sumd": 10000,
            "rbc": 7,
            **changes,
        }

    return make


@pytest.fixture
def reading(properties: Callable[..., dict[str, Any]]) -> Callable[..., Reading]:
    """Return a maker of readings of those properties."""

    def make(**changes: Any) -> Reading:
        return read(properties(**changes))

    return make


class StillClock:
    """A clock that moves only by hand."""

    def __init__(self) -> None:
        self.time = START

    def now(self) -> datetime:
        """Return the time it was set to."""
        return self.time

    async def sleep(self, seconds: float) -> None:
        """Move on at once."""
        self.time += timedelta(seconds=seconds)


@dataclass
class ScriptedBox:
    """A box for one client at a time; what it does to a write is up to `on_write`."""

    properties: dict[str, Any]
    hello: dict[str, Any]
    demand: dict[str, Any] = field(default_factory=lambda: {"token1": "one", "token2": "two"})
    greets: bool = True
    on_write: Callable[[int, str, Any], list[dict[str, Any]]] | None = None
    writes: list[str] = field(default_factory=list)
    logins: int = 0
    status_requests: int = 0
    closed_codes: list[int | None] = field(default_factory=list)
    port: int = 0
    connected: asyncio.Event = field(default_factory=asyncio.Event)
    _socket: ServerConnection | None = None

    async def serve_client(self, socket: ServerConnection) -> None:
        """Play the box's side of a connection."""
        self._socket = socket
        self.connected.set()
        if self.greets:
            await self.say(self.hello, {"type": "authRequired", **self.demand})
        async for text in socket:
            await self._hear(json.loads(text))
        self.closed_codes.append(socket.close_code)

    async def say(self, *messages: dict[str, Any] | str) -> None:
        """Send messages, or anything else."""
        assert self._socket is not None
        for message in messages:
            await self._socket.send(message if isinstance(message, str) else json.dumps(message))

    async def report(self, **changes: Any) -> None:
        """Change properties and say so."""
        self.properties |= changes
        await self.say({"type": "deltaStatus", "status": changes})

    async def hang_up(self) -> None:
        """Close the connection."""
        assert self._socket is not None
        await self._socket.close()

    def accepts(self, request_id: int, key: str, value: Any) -> dict[str, Any]:
        """Return the answer to a good write."""
        return {"type": "response", "requestId": str(request_id), "success": True, "status": {key: value}}

    def take(self, request_id: int, key: str, value: Any) -> list[dict[str, Any]]:
        """Take a value, and answer and report like a good box."""
        self.properties[key] = value
        return [self.accepts(request_id, key, value), {"type": "deltaStatus", "status": {key: value}}]

    def _key(self) -> bytes:
        algorithm = choose_algorithm(self.demand.get("hash"), self.hello["devicetype"])
        return derive_key(algorithm, PASSWORD, self.hello["serial"])

    async def _hear(self, message: dict[str, Any]) -> None:
        if message["type"] == "auth":
            await self._admit(message)
            return
        assert message["type"] == "securedMsg"
        assert message["hmac"] == sign(self._key(), message["data"])
        request = json.loads(message["data"])
        if request["type"] == "requestFullStatus":
            self.status_requests += 1
            await self.say({"type": "fullStatus", "partial": False, "status": self.properties})
            return
        self.writes.append(f"{request['key']}={request['value']}")
        answer = self.on_write or self.take
        await self.say(*answer(request["requestId"], request["key"], request["value"]))

    async def _admit(self, message: dict[str, Any]) -> None:
        self.logins += 1
        proof = login_proof(self._key(), self.demand["token1"], self.demand["token2"], message["token3"])
        if message["hash"] != proof:
            await self.say({"type": "authError", "message": "Wrong password"})
            await self.hang_up()
            return
        half = len(self.properties) // 2
        first, second = list(self.properties.items())[:half], list(self.properties.items())[half:]
        await self.say(
            {"type": "authSuccess"},
            {"type": "fullStatus", "partial": True, "status": dict(first)},
            {"type": "deltaStatus", "status": {"rbt": 1}},
            {"type": "fullStatus", "partial": False, "status": dict(second)},
        )


@pytest.fixture
async def box(properties: Callable[..., dict[str, Any]]) -> AsyncIterator[ScriptedBox]:
    """Run a box that charges with 3 x 10 A."""
    hello = {
        "type": "hello",
        "serial": "12345678",
        "devicetype": "wattpilot",
        "version": "36.3",
        "secured": True,
    }
    scripted = ScriptedBox(properties(), hello)
    async with serve(scripted.serve_client, "127.0.0.1", 0) as server:
        scripted.port = server.sockets[0].getsockname()[1]
        yield scripted


@pytest.fixture
def clock() -> StillClock:
    """Return the clock of the charger."""
    return StillClock()


@pytest.fixture
async def make_charger(
    box: ScriptedBox, clock: StillClock, tmp_path: Path
) -> AsyncIterator[Callable[..., WattpilotCharger]]:
    """Return a maker of chargers for that box, closed at the end."""
    chargers: list[WattpilotCharger] = []

    def make(**changes: Any) -> WattpilotCharger:
        settings = {"host": "127.0.0.1", "port": box.port, "password": PASSWORD, **changes}
        context = DriverContext(clock, tmp_path, 48.0, 14.0, UTC)
        chargers.append(DRIVER.create(WattpilotSettings.model_validate(settings), context))
        return chargers[-1]

    yield make
    for made in chargers:
        await made.aclose()


@pytest.fixture
async def charger(make_charger: Callable[..., WattpilotCharger]) -> WattpilotCharger:
    """Return an open charger that has handed out its first status."""
    made = make_charger()
    await made.open()
    await made.next_status()
    return made
