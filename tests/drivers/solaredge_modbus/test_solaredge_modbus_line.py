"""Connections that are refused, closed, silent or full of nonsense."""

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from types import SimpleNamespace

import pytest

from drivers.solaredge_modbus.images import Inverters, inverter, meter
from pvcharge.drivers.base import DriverError, TransientError
from pvcharge.drivers.solaredge_modbus import SolarEdgeModbusInverter, line

Make = Callable[..., SolarEdgeModbusInverter]
Serve = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@asynccontextmanager
async def listening(serve: Serve) -> AsyncIterator[SimpleNamespace]:
    """Serve connections by hand; tell the port, and count the connections."""
    seen = SimpleNamespace(port=0, connections=0)

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        seen.connections += 1
        try:
            await serve(reader, writer)
        finally:
            writer.close()

    server = await asyncio.start_server(handle, "127.0.0.1", 0)
    seen.port = server.sockets[0].getsockname()[1]
    try:
        yield seen
    finally:
        server.close()


async def swallow(reader: asyncio.StreamReader, _writer: asyncio.StreamWriter) -> None:
    """Never answer."""
    await reader.read()


@asynccontextmanager
async def relay(house: Inverters, most_answers: int) -> AsyncIterator[SimpleNamespace]:
    """Stand before a server and close each connection after some answers."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        inner_reader, inner_writer = await asyncio.open_connection("127.0.0.1", house.port)
        try:
            for _ in range(most_answers):
                if not (request := await reader.read(1024)):
                    break
                inner_writer.write(request)
                writer.write(await inner_reader.read(1024))
        finally:
            inner_writer.close()

    async with listening(serve) as seen:
        yield seen


async def test_refused(driver: Make, unused_port: int) -> None:
    """A refusal is told with what to look at; it is the other program's connection, or a switch."""
    with pytest.raises(TransientError, match=r"refused: another program.*SetApp.*1502.*502"):
        await driver(unused_port).read()


async def test_name_that_is_unknown(driver: Make) -> None:
    """A host that does not exist is told as such."""
    with pytest.raises(TransientError, match=r"nowhere\.invalid:1502: no connection"):
        await driver(1502, host="nowhere.invalid").read()


async def test_silent_connection_is_dropped(driver: Make) -> None:
    """After three time-outs in a row the connection is taken for dead, not before."""
    async with listening(swallow) as seen:
        made = driver(seen.port, request_timeout_s=0.1)
        for _ in range(3):
            with pytest.raises(TransientError, match=r"no answer within 0\.1 s"):
                await made.read()
        assert seen.connections == 1
        with pytest.raises(TransientError):
            await made.read()
        assert seen.connections == 2


async def test_an_answer_between_time_outs(driver: Make) -> None:
    """Only time-outs in a row count."""
    async with Inverters({1: inverter() | meter(0)}) as house:
        made = driver(house.port, request_timeout_s=0.1)
        await made.read()
        for _ in range(2):
            house.mute.add(1)
            for _ in range(2):
                with pytest.raises(TransientError):
                    await made.read()
            house.mute.clear()
            assert await made.read()
    assert house.connections == 1


@pytest.mark.fault("modbus", "drop mid-message")
async def test_connection_lost_within_an_answer(driver: Make) -> None:
    """The part that came is no begin of what comes over the next connection."""
    async with Inverters({1: inverter(4000) | meter(1500)}) as house:

        async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            inner_reader, inner_writer = await asyncio.open_connection("127.0.0.1", house.port)
            while request := await reader.read(1024):
                inner_writer.write(request)
                answer = await inner_reader.read(1024)
                if seen.connections == 1:
                    writer.write(answer[:20])
                    break
                writer.write(answer)
            inner_writer.close()

        async with listening(serve) as seen:
            made = driver(seen.port)
            (flow,) = await made.read()
            assert (flow.grid_w, seen.connections) == (-1500, 2)
            await made.aclose()


@pytest.mark.fault("modbus", "reorder")
async def test_late_answer_is_not_taken_for_the_next(driver: Make) -> None:
    """What comes after its time-out belongs to nothing any more."""
    release = asyncio.Event()
    async with Inverters({1: inverter(4000) | meter(1500)}) as house:

        async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            inner_reader, inner_writer = await asyncio.open_connection("127.0.0.1", house.port)
            first = True
            try:
                while request := await reader.read(1024):
                    inner_writer.write(request)
                    answer = await inner_reader.read(1024)
                    if first:
                        await release.wait()
                        first = False
                    writer.write(answer)
            finally:
                inner_writer.close()

        async with listening(serve) as seen:
            made = driver(seen.port, request_timeout_s=0.2)
            with pytest.raises(TransientError):
                await made.read()
            release.set()
            (flow,) = await made.read()
            assert (flow.pv_w, flow.grid_w, seen.connections) == (4000, -1500, 1)
            await made.aclose()


@pytest.mark.fault("modbus", "huge answer")
async def test_answers_without_end(driver: Make) -> None:
    """More answers to nothing than can have been late are not read until the time is over."""
    strange = b"\x00\x00\x00\x00\x00\x03\x01\x83\x02"

    async def flood(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while not writer.is_closing():
            writer.write(strange * 1000)
            await writer.drain()
            await asyncio.sleep(0)

    async with listening(flood) as seen:
        with pytest.raises(TransientError, match="none of Modbus TCP"):
            await driver(seen.port, request_timeout_s=5.0).read()


async def test_connection_closed_by_the_inverter(driver: Make) -> None:
    """A connection that turns out as closed is made once more within the same read."""
    async with Inverters({1: inverter(4000) | meter(1500)}) as house, relay(house, 12) as seen:
        made = driver(seen.port)
        for _ in range(12):
            (flow,) = await made.read()
            assert flow.grid_w == -1500
        assert seen.connections > 2


@pytest.mark.fault("modbus", "refuse")
async def test_connection_that_is_closed_again_and_again(driver: Make) -> None:
    """A server that closes whatever it accepts is not asked without end."""

    async def serve(_reader: asyncio.StreamReader, _writer: asyncio.StreamWriter) -> None:
        return

    async with listening(serve) as seen:
        with pytest.raises(TransientError, match="closes each connection; another program"):
            await driver(seen.port).read()
        assert seen.connections == 2


async def test_pause_before_a_new_connection(driver: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    """A connection is not made anew within a second after the last: the port would refuse."""
    monkeypatch.setattr(line, "REOPEN_PAUSE_S", 1.0)
    pauses: list[float] = []
    sleep = asyncio.sleep

    async def note(delay_s: float) -> None:
        pauses.append(delay_s)
        await sleep(0)

    async with Inverters({1: inverter() | meter(0)}) as house:
        made = driver(house.port)
        await made.read()
        await made.aclose()
        monkeypatch.setattr(asyncio, "sleep", note)
        await made.read()
    assert pauses == [pytest.approx(1.0, abs=0.5)]


async def test_idle_connection_is_closed_by_us(driver: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    """Before the inverter's two minutes are over; the next read simply connects."""
    monkeypatch.setattr(line, "MOST_IDLE_S", 0.05)
    gone = asyncio.Event()
    async with Inverters({1: inverter() | meter(0)}) as house:

        async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            inner_reader, inner_writer = await asyncio.open_connection("127.0.0.1", house.port)
            while request := await reader.read(1024):
                inner_writer.write(request)
                writer.write(await inner_reader.read(1024))
            inner_writer.close()
            gone.set()

        async with listening(serve) as seen:
            made = driver(seen.port)
            await made.read()
            await asyncio.wait_for(gone.wait(), 10)
            assert await made.read()
            assert seen.connections == 2
            await made.aclose()


@pytest.mark.fault("modbus", "garbage")
@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.1 400 Bad Request\r\n\r\n",
        b"\0\1\0\0\0\0\1",  # too short
        b"\0\1\0\0\xff\xff\1\3",  # too long
        b"\0\1\0\0\0\4\1\4\2\0",  # another function
        b"\0\1\0\0\0\5\1\3\2\0\0",  # fewer registers
        b"\0\1\0\0\0\5\1\3\xff\0\0",  # fewer registers than it says
        b"\0\1\0\0\0\3\1\x2b\x0e",
        b"\0\1\0\0\0\3\1\xff\2",
    ],
)
async def test_nonsense(driver: Make, answer: bytes, caplog: pytest.LogCaptureFixture) -> None:
    """What is not the answer makes an error and a new connection; libraries keep quiet about it."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while request := await reader.read(1024):
            writer.write(request[:2] + answer[2:])

    with caplog.at_level(logging.DEBUG):
        async with listening(serve) as seen:
            made = driver(seen.port)
            for _ in range(2):
                with pytest.raises(TransientError, match="none of Modbus TCP"):
                    await made.read()
            assert seen.connections == 2
    assert [record for record in caplog.records if record.levelno >= logging.WARNING] == []


async def test_answer_in_pieces(driver: Make) -> None:
    """TCP may cut an answer anywhere."""
    async with Inverters({1: inverter(4000) | meter(1500)}) as house:

        async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            inner_reader, inner_writer = await asyncio.open_connection("127.0.0.1", house.port)
            while request := await reader.read(1024):
                inner_writer.write(request)
                for byte in await inner_reader.read(1024):
                    writer.write(bytes([byte]))
                    await asyncio.sleep(0)
            inner_writer.close()

        async with listening(serve) as seen:
            made = driver(seen.port)
            (flow,) = await made.read()
            assert flow.grid_w == -1500
            await made.aclose()


@pytest.mark.parametrize(
    ("code", "words"), [(4, "failed"), (6, "busy"), (10, "no path"), (11, "follower"), (99, "99")]
)
async def test_refusals_are_no_absence(driver: Make, code: int, words: str) -> None:
    """Only "illegal address" means that there is nothing; all other refusals are trouble."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while request := await reader.read(1024):
            writer.write(request[:4] + b"\0\3" + request[6:7] + bytes([0x83, code]))

    async with listening(serve) as seen:
        with pytest.raises(TransientError, match=words):
            await driver(seen.port).read()


async def test_trouble_while_looking_is_not_absence(driver: Make) -> None:
    """A time-out at a meter's or battery's name fails the read, and the look is made again."""
    async with Inverters({1: inverter(4000) | meter(1500)}) as house:

        def fall_silent() -> None:
            if house.requests[-1][2] == 40121:
                house.mute.add(1)

        house.on_request = fall_silent
        made = driver(house.port, request_timeout_s=0.1)
        with pytest.raises(TransientError, match="no answer"):
            await made.read()
        house.mute.clear()
        house.on_request = lambda: None
        (flow,) = await made.read()
    assert flow.grid_w == -1500


async def test_cancelled_read(driver: Make) -> None:
    """A read that was given up leaves nothing behind that would disturb the next."""
    async with Inverters({1: inverter(4000) | meter(1500)}) as house:
        made = driver(house.port)
        await made.read()
        house.mute.add(1)
        asked = asyncio.Event()
        house.on_request = asked.set
        reading = asyncio.create_task(made.read())
        await asked.wait()
        reading.cancel()
        with pytest.raises(asyncio.CancelledError):
            await reading
        house.mute.clear()
        (flow,) = await made.read()
    assert flow.grid_w == -1500


async def test_unknown_unit(driver: Make) -> None:
    """A unit that is not there is told with the key to look at."""
    async with Inverters({1: inverter() | meter(0)}) as house:
        with pytest.raises(DriverError, match=r"unit 7.*`units`"):
            await driver(house.port, units=(1, 7)).read()
