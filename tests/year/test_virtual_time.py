"""The event loop in virtual time: it jumps over pauses, never over work."""

import asyncio
import time

import pytest

from support import virtual_time
from support.virtual_time import StandstillError

YEAR_S = 365 * 86_400.0


def test_a_year_of_sleep_takes_no_time() -> None:
    """A pause costs nothing, and the clock shows it afterwards."""

    async def sleep() -> float:
        await asyncio.sleep(YEAR_S)
        return asyncio.get_running_loop().time()

    assert virtual_time.run(sleep()) == pytest.approx(YEAR_S)


def test_timers_ring_in_their_order() -> None:
    """Sleeping tasks wake one after the other, also late in a long run."""

    async def sleep() -> list[int]:
        woken: list[int] = []

        async def wait(number: int) -> None:
            await asyncio.sleep(YEAR_S + number / 1000)
            woken.append(number)

        await asyncio.gather(*(wait(number) for number in (3, 1, 2)))
        return woken

    assert virtual_time.run(sleep()) == [1, 2, 3]


def test_what_comes_over_a_socket_is_waited_for() -> None:
    """An answer over loopback comes before a time-out of any length, since nothing jumps while it travels."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(await reader.readline())
        writer.close()

    async def ask() -> tuple[bytes, float]:
        server = await asyncio.start_server(answer, "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(b"who?\n")
        async with asyncio.timeout(0.001):
            echo = await reader.readline()
        writer.close()
        server.close()
        return echo, asyncio.get_running_loop().time()

    assert virtual_time.run(ask()) == (b"who?\n", 0.0)


def test_a_thread_takes_no_virtual_time() -> None:
    """What is given to a thread is done before the clock moves."""

    async def work() -> float:
        await asyncio.to_thread(time.sleep, 0.01)
        return asyncio.get_running_loop().time()

    assert virtual_time.run(work()) == 0.0


def test_what_a_thread_raises_comes_back() -> None:
    """An exception reaches whoever awaits the work."""

    async def work() -> None:
        await asyncio.to_thread(int, "none")

    with pytest.raises(ValueError, match="none"):
        virtual_time.run(work())


def test_a_standstill_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    """Waiting for what will never come is told, instead of hanging for ever."""
    monkeypatch.setattr(virtual_time, "STUCK_S", 0.01)

    async def wait() -> None:
        await asyncio.Event().wait()

    with pytest.raises(StandstillError):
        virtual_time.run(wait())
