"""Requests that no page of ours would send: answered in words, and never by a fault of ours."""

import asyncio
import gzip
import json
from collections.abc import Iterator, MutableMapping
from typing import Any

import aiohttp
import pytest
from structlog.testing import capture_logs

from web.house import House

JSON = {"Content-Type": "application/json"}
PACKED = {**JSON, "Content-Encoding": "gzip"}


@pytest.fixture(autouse=True)
def logs() -> Iterator[list[MutableMapping[str, Any]]]:
    """Keep what is logged; of nonsense, nothing is."""
    with capture_logs() as captured:
        yield captured
    assert not [line for line in captured if line["log_level"] == "error"]


async def refused(answer: aiohttp.ClientResponse, status: int) -> dict[str, Any]:
    """Return the problem that an answer tells of."""
    document: dict[str, Any] = await answer.json(content_type=None)
    assert (answer.status, answer.content_type) == (status, "application/problem+json"), document
    return document


@pytest.mark.parametrize(
    ("number", "status"),
    [("NaN", 422), ("-Infinity", 422), ("1e999", 422), ("[1]", 422), ("9" * 5000, 400), ("[" * 9000, 400)],
)
async def test_values_that_are_none(api: aiohttp.ClientSession, number: str, status: int) -> None:
    """One sentence by the key that was sent."""
    body = f'{{"revision": 3, "changes": {{"control.import_price": {number}}}}}'
    async with api.patch("settings", data=body, headers=JSON) as answer:
        document = await refused(answer, status)
    if status == 422:
        message = "must be true, false, a number, a text or null"
        assert document["errors"] == [{"key": "changes.control.import_price", "message": message}]


async def test_a_flood_of_keys(api: aiohttp.ClientSession) -> None:
    """The answer stays small, however many there are and however long."""
    for body in ({str(number): 1 for number in range(5000)}, {"k" * 60_000: 1}):
        for sent in (body, {"revision": 3, "changes": body}):
            async with api.patch("settings", json=sent) as answer:
                document = await refused(answer, 422)
            assert len(document["errors"]) <= 20
            if sent is body:
                assert len(json.dumps(document)) < 4000


async def test_what_was_sent_is_not_shown(api: aiohttp.ClientSession) -> None:
    """It may be a password in the wrong place."""
    for body in ({"mode": "hunter22"}, {"mode": ["hunter22"]}, "hunter22"):
        async with api.put("mode", json=body) as answer:
            assert "hunter22" not in str(await refused(answer, 422))


@pytest.mark.parametrize(
    ("content", "status"),
    [
        (b"this is not packed", 400),
        (gzip.compress(b'{"mode": "off"}')[:14], 400),
        (gzip.compress(b" " * 30_000_000), 413),
    ],
    ids=["not packed", "broken off", "swells"],
)
async def test_packed_bodies(api: aiohttp.ClientSession, content: bytes, status: int) -> None:
    """Those that are none, and one that would fill the memory."""
    async with api.put("mode", data=content, headers=PACKED) as answer:
        await refused(answer, status)


async def test_a_packed_body_that_is_one(house: House, api: aiohttp.ClientSession) -> None:
    """It is read like any other."""
    async with api.put("mode", data=gzip.compress(b'{"mode": "off"}'), headers=PACKED) as answer:
        assert answer.status == 200
    assert len(house.steering.done) == 1


async def test_a_body_that_breaks_off(
    house: House, api: aiohttp.ClientSession, caplog: pytest.LogCaptureFixture
) -> None:
    """Nobody is there to be answered, nothing is done or logged, and the next one is served."""
    async with api.get("access") as answer:
        url = answer.url
    _, writer = await asyncio.open_connection(url.host, url.port)
    writer.write(
        b"PUT /api/v1/mode HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
        b'Content-Length: 15\r\n\r\n{"mode":'
    )
    await writer.drain()
    await asyncio.sleep(0.05)  # so that somebody waits for the rest
    writer.close()
    await writer.wait_closed()
    async with api.get("state") as answer:
        assert answer.status == 200
    assert house.steering.done == []
    assert not caplog.records


@pytest.mark.parametrize(
    "query",
    [
        *("day?date=1781481600", "day?date=2026-06-15T00:00:00", "day?date=20260615", "day?date=2026-02-30"),
        *("day?date=0001-01-01", "day?date=9999-12-31", "day?date=%D9%A2026-06-15", "day?date="),
        *("sessions?limit=1_0", "sessions?limit=+5", "sessions?limit=-1", "sessions?limit=5.0"),
        *("sessions?limit=" + "9" * 5000, "log?limit=%00", "log?%ff=1", "live?x=1"),
    ],
)
async def test_queries_of_another_notation(api: aiohttp.ClientSession, query: str) -> None:
    """Only dates such as 2026-06-15 and whole numbers are read, whatever else the library would take."""
    async with api.get(query) as answer:
        await refused(answer, 422)


@pytest.mark.parametrize(
    "path",
    [
        *("/%2e%2e/%2e%2e/etc/passwd", "/..%2f..%2fetc/passwd", "//etc/passwd", "/js/../../settings.py"),
        *("/api%2fv1%2fnothing", "/api/v1//state", "/api/v1/state;x", "/API/v1/state", "/%00", "/%ff"),
        *("/api/v1/nothing%0d%0aSet-Cookie:%20a=b", "/x%ed%a0%80y", "/api/v1/tokens/..%2fx/y"),
    ],
)
async def test_paths_that_lead_nowhere(api: aiohttp.ClientSession, path: str) -> None:
    """Neither out of the folder nor around the guard, and nothing of them gets into a header."""
    async with api.get("access") as answer:
        url = answer.url
    reader, writer = await asyncio.open_connection(url.host, url.port)
    writer.write(f"GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n".encode())
    head, _, body = (await reader.read()).partition(b"\r\n\r\n")
    writer.close()
    assert head.startswith(b"HTTP/1.1 404 ")
    assert b"Set-Cookie" not in head
    assert json.loads(body)["status"] == 404


@pytest.mark.parametrize("name", ["", " ", "a\r\nX: 1", "a\u202eb", "a\u2028b", "\x9b31m", "\x00"])
async def test_names_that_cannot_be_seen(api: aiohttp.ClientSession, name: str) -> None:
    """They would break or turn the line that shows them."""
    async with api.post("tokens", json={"name": name}) as answer:
        assert [error["key"] for error in (await refused(answer, 422))["errors"]] == ["name"]


async def test_a_websocket_is_no_head(api: aiohttp.ClientSession) -> None:
    """It is opened by GET only."""
    key = {"Sec-WebSocket-Key": "AAAAAAAAAAAAAAAAAAAAAA==", "Sec-WebSocket-Version": "13"}
    headers = {"Connection": "Upgrade", "Upgrade": "websocket", **key}
    async with api.head("live", headers=headers) as answer:
        assert (answer.status, answer.headers["Allow"]) == (405, "GET")
