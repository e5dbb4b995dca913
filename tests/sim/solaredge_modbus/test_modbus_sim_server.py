"""The simulated inverter's ways with connections and frames, and what its knobs do to them."""

import asyncio
import socket
from collections.abc import Awaitable, Callable
from contextlib import suppress
from datetime import timedelta
from struct import pack
from types import SimpleNamespace
from typing import Any

import pytest

from pvcharge.sim.solaredge_modbus import ModbusServer
from sim.solaredge_modbus.conftest import NOON, Client

Serve = Callable[..., Awaitable[ModbusServer]]
Connect = Callable[[ModbusServer], Awaitable[Client]]

STATUS = pack(">BHH", 3, 40107, 1)


async def serves(server: ModbusServer, connect: Connect) -> bool:
    """Whether a new client gets an answer."""
    client = await connect(server)
    try:
        return await client.read(40107) == (4,)
    except (ConnectionError, asyncio.IncompleteReadError):
        return False
    finally:
        await client.aclose()


async def test_port_is_kept(serve: Serve, connect: Connect) -> None:
    """It can be closed twice and started twice, at the same port, and leaves no task behind."""
    tasks = asyncio.all_tasks()
    server = await serve()
    port = server.port
    client = await connect(server)
    assert await client.read(40107) == (4,)
    await server.aclose()
    await server.aclose()
    assert await client.is_dropped()
    assert asyncio.all_tasks() == tasks
    with pytest.raises(ConnectionRefusedError):
        await connect(server)
    await server.start()
    await server.start()
    assert server.port == port > 0
    assert await serves(server, connect)
    assert (server.requests, server.refused) == (2, 0)


async def test_a_client_that_has_only_just_come_is_dropped_too(serve: Serve) -> None:
    """Its task has not begun yet when the server is closed."""
    server = await serve()
    with socket.socket() as client:
        client.setblocking(False)  # noqa: FBT003 - the name is given by Python
        await asyncio.get_running_loop().sock_connect(client, (server.host, server.port))
        await server.aclose()
        with suppress(ConnectionResetError):
            assert await asyncio.wait_for(asyncio.get_running_loop().sock_recv(client, 1), 5) == b""


async def test_one_client_only(serve: Serve, connect: Connect) -> None:
    """A second client is closed without a word and counted; the first goes on; then there is room again."""
    server = await serve()
    first = await connect(server)
    assert await first.read(40107) == (4,)
    assert await (await connect(server)).is_dropped()
    assert await first.read(40107) == (4,)
    assert server.refused == 1
    await first.aclose()
    assert await serves(server, connect)
    assert server.refused == 1


async def test_newest_client_wins(serve: Serve, connect: Connect) -> None:
    """With the knob, the first is dropped and the second served."""
    server = await serve()
    server.faults.second_client_wins = True
    first = await connect(server)
    assert await first.read(40107) == (4,)
    second = await connect(server)
    assert await second.read(40107) == (4,)
    assert await first.is_dropped()
    assert await second.read(40107) == (4,)
    assert server.refused == 0


async def test_silent_client_is_dropped(serve: Serve, connect: Connect, time: SimpleNamespace) -> None:
    """Two minutes of the clock after its last request, and not before."""
    client = await connect(await serve())
    for _ in range(2):
        time.now += timedelta(seconds=119)
        assert await client.read(40107) == (4,)
    time.now += timedelta(seconds=121)
    assert await client.is_dropped()


async def test_refuses_for_a_moment_after_a_close(
    serve: Serve, connect: Connect, time: SimpleNamespace
) -> None:
    """With the knob, a client that comes back at once finds no room."""
    server = await serve()
    server.faults.refuse_after_close_s = 0.5
    assert await serves(server, connect)
    assert not await serves(server, connect)
    time.now += timedelta(seconds=0.5)
    assert await serves(server, connect)
    assert server.refused == 1


@pytest.mark.parametrize(
    ("message", "code"),
    [
        (pack(">BHH", 4, 40107, 1), 1),  # input registers
        (pack(">BHHH", 6, 40107, 1, 0), 1),  # writing
        (pack(">BHH", 3, 40000, 0), 3),
        (pack(">BHH", 3, 40000, 126), 3),
        (pack(">BH", 3, 40000), 3),
    ],
)
async def test_other_requests_are_refused(serve: Serve, connect: Connect, message: bytes, code: int) -> None:
    """It only reads, 1..125 registers at once; the connection lives on."""
    client = await connect(await serve())
    assert await client.exchange(message, transaction=515) == (515, 1, bytes([message[0] | 0x80, code]))
    assert await client.read(40107) == (4,)


@pytest.mark.parametrize(
    "frame", [b"GET / HTTP/1.1\r\n\r\n", pack(">HHHB", 1, 0, 1, 1), b"\0\1\0\0\xff\xff\1"]
)
async def test_what_is_no_modbus_is_dropped(serve: Serve, connect: Connect, frame: bytes) -> None:
    """Another protocol, or a length that cannot be, ends the connection."""
    server = await serve()
    client = await connect(server)
    client.writer.write(frame)
    assert await client.is_dropped()
    assert await serves(server, connect)


async def test_requests_in_pieces_and_in_a_row(serve: Serve, connect: Connect) -> None:
    """Frames may come byte by byte or two at once."""
    client = await connect(await serve())
    frame = pack(">HHHB", 9, 0, 6, 1) + STATUS
    for byte in frame:
        client.writer.write(bytes([byte]))
        await asyncio.sleep(0)
    client.writer.write(frame)
    assert await client.reader.readexactly(22) == 2 * (pack(">HHHB", 9, 0, 5, 1) + b"\3\2\0\4")


@pytest.mark.parametrize(
    ("knobs", "answer"),
    [
        ({"wrong_transaction": True}, (7 ^ 0x5555, 1, b"\3\2\0\4")),
        ({"wrong_unit": True}, (7, 1 ^ 0x55, b"\3\2\0\4")),
        ({"exception_code": 6}, (7, 1, b"\x83\6")),
        ({"slow_s": 0.01}, (7, 1, b"\3\2\0\4")),
    ],
)
async def test_spoilt_answers(
    serve: Serve, connect: Connect, knobs: dict[str, Any], answer: tuple[int, int, bytes]
) -> None:
    """Each knob does what it says, and nothing once it is turned back."""
    server = await serve()
    client = await connect(server)
    vars(server.faults).update(knobs)
    assert await client.exchange(STATUS) == answer
    vars(server.faults).update(vars(type(server.faults)()))
    assert await client.exchange(STATUS) == (7, 1, b"\3\2\0\4")


async def test_refuse(serve: Serve, connect: Connect) -> None:
    """New connections are dropped at once, the open one at its next request."""
    server = await serve()
    client = await connect(server)
    assert await client.read(40107) == (4,)
    server.faults.refuse = True
    assert not await serves(server, connect)
    with pytest.raises((ConnectionError, asyncio.IncompleteReadError)):
        await client.read(40107)


async def test_drop(serve: Serve, connect: Connect) -> None:
    """Half an answer arrives before the end."""
    server = await serve()
    server.faults.drop = True
    client = await connect(server)
    with pytest.raises(asyncio.IncompleteReadError) as raised:
        await client.exchange(STATUS)
    assert len(raised.value.partial) == 5


async def test_garbage(serve: Serve, connect: Connect) -> None:
    """What comes is no Modbus."""
    server = await serve()
    server.faults.garbage = True
    client = await connect(server)
    client.writer.write(pack(">HHHB", 9, 0, 6, 1) + STATUS)
    assert (await client.reader.readline()).startswith(b"HTTP/1.1 400")


@pytest.mark.parametrize(("knob", "unit"), [("hang", 1), ("silent_unknown_units", 9)])
async def test_silence(serve: Serve, connect: Connect, knob: str, unit: int) -> None:
    """A half-dead inverter or an unknown unit takes the request and says nothing; later ones are answered."""
    server = await serve()
    setattr(server.faults, knob, True)
    client = await connect(server)
    client.writer.write(pack(">HHHB", 9, 0, 6, unit) + STATUS)
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.1):
            await client.reader.read(1)
    server.faults.hang = False
    assert await client.exchange(STATUS) == (7, 1, b"\3\2\0\4")
    assert server.requests == 1


async def test_frozen_values(serve: Serve, connect: Connect, time: SimpleNamespace) -> None:
    """Counters stand still since then, as all values do."""
    server = await serve()
    server.faults.frozen_at = NOON + timedelta(seconds=60)
    client = await connect(server)
    before = await client.read(40093, 2)
    time.now += timedelta(seconds=100)
    after = await client.read(40093, 2)
    time.now += timedelta(seconds=100)
    assert before != after == await client.read(40093, 2)


async def test_values_freeze_at_once(serve: Serve, connect: Connect, house: SimpleNamespace) -> None:
    """Also while the moment is still going on, and the house may yet change its mind about it."""
    server = await serve()
    server.faults.frozen_at = NOON
    client = await connect(server)
    before = await client.read(40083, 2)
    house.pv_w = 1000.0
    assert await client.read(40083, 2) == before
    server.faults.frozen_at = None
    assert await client.read(40083, 2) != before


async def test_meter_knobs(serve: Serve, connect: Connect) -> None:
    """Wrong transformers, transformers the wrong way round, and no meter at all."""
    server = await serve()
    client = await connect(server)
    server.faults.meter_scale = 0.5
    assert await client.number(40206, 40210) == pytest.approx(3045)
    server.faults.meter_backwards = True
    assert await client.number(40206, 40210) == pytest.approx(-3045)
    server.faults.meter_missing = True
    assert await client.read(40206) == 2
