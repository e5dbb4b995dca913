"""Simulated inverters on loopback, and a house, a clock and a client that a test holds in its hands."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import UTC, datetime
from struct import pack, unpack
from types import SimpleNamespace
from typing import Any

import pytest

from pvcharge.sim.house import HouseSample
from pvcharge.sim.solaredge_modbus import ModbusServer
from support.manual_clock import ManualClock

NOON = datetime(2026, 6, 10, 10, 0, tzinfo=UTC)


class FlatHouse:
    """A meter that reads what the test has set, at all times; nothing while `unknown`."""

    def __init__(self, powers: SimpleNamespace) -> None:
        self._powers = powers

    def sample(self, at: datetime) -> HouseSample | None:
        """Return the powers of the day, balanced by the grid."""
        values = dict(vars(self._powers))
        if values.pop("unknown"):
            return None
        grid_w = values["load_w"] + (values["battery_w"] or 0.0) - values["pv_w"]
        return HouseSample(at=at, grid_w=grid_w, **values)


class Client:
    """Speaks Modbus TCP byte by byte."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer

    async def exchange(self, message: bytes, unit: int = 1, transaction: int = 7) -> tuple[int, int, bytes]:
        """Send a message; return transaction, unit and message of the answer."""
        self.writer.write(pack(">HHHB", transaction, 0, len(message) + 1, unit) + message)
        head = await self.reader.readexactly(7)
        transaction, protocol, length, unit = unpack(">HHHB", head)
        assert protocol == 0
        return transaction, unit, await self.reader.readexactly(length - 1)

    async def read(self, address: int, count: int = 1, unit: int = 1) -> tuple[int, ...] | int:
        """Return registers, or the code of the exception."""
        message = (await self.exchange(pack(">BHH", 3, address, count), unit))[2]
        if message[0] == 0x83:
            return message[1]
        assert message[:2] == bytes([3, 2 * count])
        words: tuple[int, ...] = unpack(f">{count}H", message[2:])
        return words

    async def number(self, address: int, factor_at: int, unit: int = 1) -> float:
        """Return a signed number with its factor, read at once."""
        words = await self.read(address, factor_at - address + 1, unit)
        assert isinstance(words, tuple)
        number, exponent = unpack(">hh", pack(">HH", words[0], words[-1]))
        return float(number * 10.0**exponent)

    async def is_dropped(self) -> bool:
        """Whether the server closes within two seconds."""
        async with asyncio.timeout(2):
            try:
                return await self.reader.read(1) == b""
            except ConnectionError:
                return True

    async def aclose(self) -> None:
        """Close."""
        self.writer.transport.abort()
        await asyncio.sleep(0)


@pytest.fixture
def time() -> SimpleNamespace:
    """Hold the time in `now`; a test may set it."""
    return SimpleNamespace(now=NOON)


@pytest.fixture
def clock(time: SimpleNamespace) -> ManualClock:
    """Show that time."""
    return ManualClock(time)


@pytest.fixture
def house() -> SimpleNamespace:
    """Hold the powers of the house, but that of the grid; a test may set them."""
    return SimpleNamespace(
        pv_w=6340.0,
        load_w=250.0,
        battery_w=None,
        battery_soc_pct=None,
        charger_w=0.0,
        limited=False,
        unknown=False,
    )


@pytest.fixture
async def serve(
    house: SimpleNamespace, clock: ManualClock
) -> AsyncIterator[Callable[..., Awaitable[ModbusServer]]]:
    """Start servers with any options of ModbusServer; close them in the end."""
    servers: list[ModbusServer] = []

    async def start(**options: Any) -> ModbusServer:
        servers.append(ModbusServer(FlatHouse(house), clock=clock, **options))
        await servers[-1].start()
        return servers[-1]

    yield start
    for server in servers:
        await server.aclose()


@pytest.fixture
async def connect() -> AsyncIterator[Callable[[ModbusServer], Awaitable[Client]]]:
    """Make clients; close them in the end."""
    clients: list[Client] = []

    async def make(server: ModbusServer) -> Client:
        clients.append(Client(*await asyncio.open_connection(server.host, server.port)))
        return clients[-1]

    yield make
    for client in clients:
        await client.aclose()
