"""Clients of the live view that talk, though they have nothing to say: they are cut, and hold nobody up."""

import asyncio
import struct

import aiohttp
import pytest

from pvcharge.web.live.client import MOST_SAID
from web.house import House

PATIENCE_S = 10.0  # real seconds; only a test that fails takes so long
OPEN = (
    b"GET /api/v1/live HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n"
)
MASK = b"\x80aaaa"  # of an empty frame
TEXT, PING, PONG = b"\x81" + MASK, b"\x89" + MASK, b"\x8a" + MASK


async def opened(api: aiohttp.ClientSession) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """Return a WebSocket to which anything can be written."""
    async with api.get("access") as answer:
        url = answer.url
    reader, writer = await asyncio.open_connection(url.host, url.port)
    writer.write(OPEN)
    assert (await reader.readline()).startswith(b"HTTP/1.1 101 ")
    return reader, writer


@pytest.mark.parametrize(
    "frames",
    [
        *(TEXT * (MOST_SAID + 1), PING * (MOST_SAID + 1), PONG * (MOST_SAID + 1)),
        b"\x01" + MASK + (b"\x00\xfe\x03\xe8aaaa" + b"a" * 1000) * 5,  # parts of one that is too large
        b"\x82\xff" + struct.pack(">Q", 2**62) + b"aaaa",  # says that it is even larger
        *(b"\xff\xff" * 10, b"\x00" + MASK, b"\x89\xfe\x03\xe8aaaa"),  # break the rules
        b"\x81\x82aaaa\x9e\x9e",  # no UTF-8
    ],
)
async def test_who_talks_nonsense_is_cut(house: House, api: aiohttp.ClientSession, frames: bytes) -> None:
    """Too much, or what is no WebSocket; whoever else looks on does not notice."""
    async with api.ws_connect("live") as other:
        reader, writer = await opened(api)
        writer.write(frames)
        async with asyncio.timeout(PATIENCE_S):
            try:
                while await reader.read(65_536):
                    pass
            except ConnectionError:
                pass
            while len(house.hub.clients) > 1:  # noqa: ASYNC110 - nobody tells
                await asyncio.sleep(0.01)
        writer.close()
        assert (await other.receive()).type is aiohttp.WSMsgType.TEXT


@pytest.mark.parametrize(
    ("header", "status"),
    [
        (b"Sec-WebSocket-Key: \xff", 426),
        (b"Sec-WebSocket-Key: short", 426),
        (b"Sec-WebSocket-Protocol: chat, \xff", 400),
    ],
)
async def test_handshakes_of_another_kind(
    api: aiohttp.ClientSession, caplog: pytest.LogCaptureFixture, header: bytes, status: int
) -> None:
    """They are refused without a word in the log, however many there are."""
    async with api.get("access") as answer:
        url = answer.url
    reader, writer = await asyncio.open_connection(url.host, url.port)
    name = header.partition(b":")[0]
    lines = [line for line in OPEN.split(b"\r\n") if line and not line.startswith(name)]
    writer.write(b"\r\n".join([*lines, header, b"", b""]))
    async with asyncio.timeout(PATIENCE_S):
        assert (await reader.readline()).startswith(b"HTTP/1.1 %d " % status)
    writer.close()
    assert not caplog.records


async def test_pings_are_answered(api: aiohttp.ClientSession) -> None:
    """Some clients ask whether we are there."""
    async with api.ws_connect("live", autoping=False) as ws:
        await ws.receive()
        await ws.ping(b"there?")
        async with asyncio.timeout(PATIENCE_S):
            while (message := await ws.receive()).type is aiohttp.WSMsgType.TEXT:
                pass
        assert (message.type, message.data) == (aiohttp.WSMsgType.PONG, b"there?")
