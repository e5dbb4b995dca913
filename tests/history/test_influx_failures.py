"""Servers that refuse, answer nonsense, are slow or gone: nothing is lost, little is said, and no secret."""

import asyncio
import sqlite3
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, MutableMapping
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from structlog.testing import capture_logs

from history.influx_rig import HASTY, Influx, Request, running_influx, writing
from history.samples import flow
from pvcharge.history.errors import StoreError
from pvcharge.history.influx.condition import Timing
from pvcharge.history.store import Store
from support.broker import HOST, free_port

TOKEN = "my-secret-token"
Answer = Callable[[Request], Awaitable[web.Response]]
Logs = list[MutableMapping[str, Any]]


@pytest.fixture(autouse=True)
def logs() -> Iterator[Logs]:
    """Return the list to which everything logged is appended."""
    with capture_logs() as captured:
        yield captured


@pytest.fixture
async def influx() -> AsyncIterator[Influx]:
    """Run a server."""
    async with running_influx() as server:
        yield server


def loud(logs: Logs) -> list[tuple[str, str]]:
    """Return what is logged for everybody: level and event."""
    return [(each["log_level"], each["event"]) for each in logs if each["log_level"] != "debug"]


def always(status: int, text: str = "", **headers: str) -> Answer:
    """Return an answer to whatever comes."""

    async def answer(_: Request) -> web.Response:
        return web.Response(status=status, text=text, headers=headers)

    return answer


async def hang(_: Request) -> web.Response:
    """Answer nothing for longer than anybody waits."""
    await asyncio.sleep(30)
    raise AssertionError("nobody waits so long")


async def break_off(_: Request) -> web.Response:
    """Fail in the middle of an answer."""
    raise asyncio.CancelledError


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (always(401, '{"code": "unauthorized", "message": "no"}'), "check token"),
        (always(403), "check token"),
        (always(404, '{"code": "not found", "message": "bucket \\"x\\" not found"}'), 'bucket "x" not found'),
        (always(200, "<html>Welcome</html>"), "HTTP 200, as no InfluxDB does"),
        (always(301, Location="http://elsewhere.test/"), "HTTP 301, as no InfluxDB does"),
        (always(405), "HTTP 405, as no InfluxDB does"),
        (always(410), "HTTP 410, as no InfluxDB does"),
    ],
)
@pytest.mark.fault("influxdb", "4xx")
@pytest.mark.fault("influxdb", "410")
@pytest.mark.fault("influxdb", "expired token")
async def test_a_refusal_is_loud_and_held(
    tmp_path: Path, influx: Influx, logs: Logs, answer: Answer, words: str
) -> None:
    """Somebody has to mend it; until then nothing is dropped, and the server is left alone."""
    influx.answer = answer
    async with writing(tmp_path, influx.url, flow(0), token=TOKEN) as rig:
        await rig.until_told(words)
        await rig.until(lambda: len(influx.requests) > 3)
        assert loud(logs) == [("error", "points cannot be sent; they wait in the store")]
        assert await rig.cursor() == 0
        influx.answer = influx.take
        await rig.until_sent()
    assert len(influx.taken) == 2
    times_s = [each.at_s for each in influx.requests]
    assert all(after - before >= 0.9 * HASTY.hold_s for before, after in pairwise(times_s))


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (always(500, '{"code": "internal error", "message": "boom"}'), "HTTP 500: boom"),
        (always(502, "<html>\n<h1>Bad Gateway</h1>"), "HTTP 502: <html> <h1>Bad Gateway</h1>"),
        (always(503, "[]"), "HTTP 503"),
        (always(429, '{"message": {"no": "text"}}'), "HTTP 429"),
        (hang, "no answer within 0.2 s"),
        (break_off, "Server disconnected"),
    ],
)
@pytest.mark.fault("influxdb", "5xx")
@pytest.mark.fault("influxdb", "429")
@pytest.mark.fault("influxdb", "wrong type")
async def test_a_failure_is_said_once_and_tried_again(
    tmp_path: Path, influx: Influx, logs: Logs, answer: Answer, words: str
) -> None:
    """It will pass: then all arrives that has waited."""
    influx.answer = answer
    async with writing(tmp_path, influx.url, flow(0), timeout_s=0.2) as rig:
        await rig.until_told(words)
        await rig.until(lambda: len(influx.requests) > 3)
        await rig.put(flow(1))
        influx.answer = influx.take
        await rig.until_sent()
    assert loud(logs) == [
        ("warning", "points cannot be sent; they wait in the store"),
        ("info", "points are sent again"),
    ]
    assert len(set(influx.taken)) == 4


async def test_nobody_there_is_a_failure_too(tmp_path: Path, logs: Logs) -> None:
    """The message says what the system says."""
    async with writing(tmp_path, f"http://{HOST}:{free_port()}", flow(0)) as rig:
        await rig.until_told("no connection (Connection refused)")
    assert len(loud(logs)) == 1


async def test_no_such_host_is_a_failure_too(tmp_path: Path) -> None:
    """A name may be known again when the router is."""
    async with writing(tmp_path, "http://no-such-host.invalid", flow(0)) as rig:
        await rig.until_told("no connection (")


@asynccontextmanager
async def talker(words: bytes) -> AsyncIterator[str]:
    """Run a server that says the same to everybody, and hangs up."""

    async def say(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(1000)
        writer.write(words)
        writer.close()

    server = await asyncio.start_server(say, HOST, 0)
    async with server:
        yield f"http://{HOST}:{server.sockets[0].getsockname()[1]}"


@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        (b"SSH-2.0-OpenSSH_9.2\r\n", "its answer is no HTTP"),
        (b"HTTP/1.1 9999999 \x00\xff\r\n\r\n", "its answer is no HTTP"),
        (b"HTTP/1.1 204 No Content\r\n: \x00\r\n\r\n", "its answer is no HTTP"),
        (b"", "Server disconnected"),
        (b"HTTP/1.1 500 Oops\r\nContent-Length: 100\r\n\r\nshort", "payload"),
        (b"HTTP/1.1 500 Oops\r\nContent-Encoding: gzip\r\nContent-Length: 3\r\n\r\nabc", "decode"),
    ],
)
@pytest.mark.fault("influxdb", "garbage")
@pytest.mark.fault("influxdb", "drop mid-message")
async def test_nonsense_is_a_failure_too(tmp_path: Path, words: bytes, complaint: str) -> None:
    """Whatever listens there, it cannot end the daemon."""
    async with talker(words) as url, writing(tmp_path, url, flow(0)) as rig:
        await rig.until_told(complaint)
        assert await rig.cursor() == 0


async def test_plain_server_where_tls_is_expected_is_a_failure(tmp_path: Path, influx: Influx) -> None:
    """And the other way round it is nonsense, see above."""
    async with writing(tmp_path, influx.url.replace("http:", "https:"), flow(0)) as rig:
        await rig.until_told("no connection (")


@pytest.mark.parametrize(("status", "form"), [(429, "seconds"), (503, "date")])
@pytest.mark.fault("influxdb", "429")
async def test_a_busy_server_is_left_alone_for_as_long_as_it_asks(
    tmp_path: Path, influx: Influx, status: int, form: str
) -> None:
    """Be it told by `Retry-After` in seconds or as a date, which has whole seconds only."""

    async def be_busy_once(_: Request) -> web.Response:
        influx.answer = influx.take
        date = format_datetime(datetime.now(UTC) + timedelta(seconds=2), usegmt=True)
        return web.Response(status=status, headers={"Retry-After": "1" if form == "seconds" else date})

    influx.answer = be_busy_once
    async with writing(tmp_path, influx.url, flow(0)) as rig:
        await rig.until_sent()
    first, second = influx.requests
    assert second.at_s - first.at_s >= (1.0 if form == "seconds" else 0.9)


@pytest.mark.parametrize("value", ["soon", "-5", "", "Thu, 01 Jan 1970 00:00:00 GMT", "1e3"])
async def test_nonsense_about_when_to_come_back_is_ignored(
    tmp_path: Path, influx: Influx, value: str
) -> None:
    """We come back when we like."""
    influx.answer = always(503, **{"Retry-After": value})
    async with writing(tmp_path, influx.url, flow(0)) as rig:
        await rig.until(lambda: len(influx.requests) > 3)


@pytest.mark.parametrize("status", [400, 401, 404, 429, 500])
async def test_a_token_is_nowhere_to_be_read(tmp_path: Path, influx: Influx, logs: Logs, status: int) -> None:
    """Not even if the server sends it back."""

    async def echo(request: Request) -> web.Response:
        words = f"you sent {request.headers['Authorization']}"
        return web.json_response({"message": words}, status=status, headers={"X-Echo": words})

    influx.answer = echo
    async with writing(tmp_path, influx.url, flow(0), token=TOKEN) as rig:
        await rig.until(lambda: len(rig.told) > 2)
    assert influx.requests[0].headers["Authorization"] == f"Token {TOKEN}"
    assert TOKEN not in f"{logs} {rig.told} {rig.writer!r}"


async def test_missing_package_is_told_of(
    tmp_path: Path, influx: Influx, logs: Logs, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As where a distribution has left it out; only who has configured InfluxDB needs it."""
    monkeypatch.setitem(sys.modules, "influxdb_client", None)
    async with writing(tmp_path, influx.url, flow(0)) as rig:
        await rig.until_told("pip install 'influxdb-client[async]'")
    assert loud(logs) == [("error", "points cannot be sent; they wait in the store")]


async def test_missing_certificates_are_told_of(tmp_path: Path) -> None:
    """And looked for again later."""
    async with writing(tmp_path, "https://localhost", flow(0), ca_file=tmp_path / "ca.pem") as rig:
        await rig.until_told("certificates cannot be used (No such file or directory); check ca_file")


async def test_a_broken_store_is_told_of_and_read_again(tmp_path: Path, influx: Influx) -> None:
    """Its folder is mounted late, say."""
    folder = tmp_path / "later"
    folder.touch()
    async with writing(folder, influx.url) as rig:
        await rig.until_told("see to its folder")
        folder.unlink()
        await rig.put(flow(0))
        await rig.until_sent()
    assert len(influx.taken) == 2


async def test_a_file_that_was_begun_anew_is_sent_from_its_beginning(tmp_path: Path, influx: Influx) -> None:
    """The damaged one was set aside while somebody else wrote it; numbers begin again with 1."""

    def find_damage(_: Store) -> None:
        error = sqlite3.DatabaseError("database disk image is malformed")
        error.sqlite_errorcode = sqlite3.SQLITE_CORRUPT
        raise error

    async with writing(tmp_path, influx.url, *map(flow, range(5))) as rig:
        await rig.until_sent()
        with pytest.raises(StoreError, match="set aside"):
            await rig.archive.call(find_damage)
        await rig.put(*map(flow, range(100, 120)))
        await rig.until_sent()
        await rig.put(flow(120))
        await rig.until_sent()
        assert 0 < await rig.cursor() <= 21
    assert len(set(influx.taken)) == 2 * (5 + 20 + 1)


async def test_the_end_does_not_wait_for_an_answer(tmp_path: Path, influx: Influx) -> None:
    """Who stops the daemon may stop it because of the server; the connection is closed."""
    influx.answer = hang
    async with writing(tmp_path, influx.url, flow(0), timing=Timing()) as rig:
        await rig.until(lambda: influx.requests)
        rig.task.cancel()
        async with asyncio.timeout(2):
            await asyncio.gather(rig.task, return_exceptions=True)
        assert rig.task.cancelled()
