"""The server as clients see it: what it answers, and that nobody can hold it up."""

import asyncio
import socket
from collections.abc import AsyncIterator, Iterator, MutableMapping
from itertools import pairwise
from typing import Any, cast

import aiohttp
import pytest
from prometheus_client import Metric, generate_latest
from structlog.testing import capture_logs

from pvcharge.web import server as web_server
from pvcharge.web.server import NAME
from web.scraping import (
    NOON,
    Rig,
    decision,
    flow,
    free_port,
    health,
    openmetrics_samples,
    serving,
    text_samples,
)

HALF = b"GET /metrics HTTP/1.1\r\nHost: a\r\n"
FEW = 64  # clients at a time
PATIENCE_S = 10.0  # real seconds; aiohttp by itself would wait for minutes
Connection = tuple[asyncio.StreamReader, asyncio.StreamWriter]
Logs = list[MutableMapping[str, Any]]


@pytest.fixture
def logs() -> Iterator[Logs]:
    """Return the list to which everything logged is appended."""
    with capture_logs() as captured:
        yield captured


@pytest.fixture
async def rig(logs: Logs) -> AsyncIterator[Rig]:  # noqa: ARG001 - keeps the output clean
    """Return a server that runs."""
    rig = Rig()
    async with serving(rig):
        yield rig


@pytest.fixture
async def client(rig: Rig) -> AsyncIterator[aiohttp.ClientSession]:
    """Return a client of that server."""
    async with aiohttp.ClientSession(rig.url) as session:
        yield session


async def test_a_scrape_finds_what_is_known(rig: Rig, client: aiohttp.ClientSession) -> None:
    """Prometheus' own text format, for whoever says nothing else."""
    rig.take(flow())
    async with client.get("/metrics") as answer:
        samples = text_samples(await answer.text())
        assert answer.status == 200
        assert answer.headers["Content-Type"] == "text/plain; version=0.0.4; charset=utf-8"
        assert answer.headers["Cache-Control"] == "no-store"
    assert samples["pvcharge_grid_watts", frozenset()] == -1500.0
    rig.pass_time(3 * 3600)
    async with client.get("/metrics") as answer:
        assert "pvcharge_grid_watts" not in await answer.text()


@pytest.mark.parametrize(
    "accept",
    [
        "application/openmetrics-text",
        "application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.5,text/plain;version=0.0.4;q=0.3",
        "text/plain;q=0.1, application/openmetrics-text; version=0.0.1",
        "application/openmetrics-text;version=what",
    ],
)
async def test_openmetrics_for_whoever_asks(rig: Rig, client: aiohttp.ClientSession, accept: str) -> None:
    """As Prometheus itself does, in the version that everybody reads."""
    rig.take(flow())
    async with client.get("/metrics", headers={"Accept": accept}) as answer:
        samples = openmetrics_samples(await answer.text())
        assert answer.headers["Content-Type"].startswith("application/openmetrics-text; version=1.0.0")
    assert samples["pvcharge_grid_watts", frozenset()] == -1500.0


@pytest.mark.parametrize("accept", ["*/*", "text/plain;version=what", "text/html", "", ",;=,"])
async def test_plain_text_for_everybody_else(client: aiohttp.ClientSession, accept: str) -> None:
    """A browser too, and whoever says nonsense."""
    async with client.get("/metrics", headers={"Accept": accept}) as answer:
        assert answer.status == 200
        assert text_samples(await answer.text())


async def test_healthz_says_whether_decisions_are_made(rig: Rig, client: aiohttp.ClientSession) -> None:
    """200 while the daemon does its work, else 503 with the reason."""
    bad = {"status": "failing", "reason": "no decision within the last 60 s"}
    for event, expected in ((None, (503, bad)), (decision(), (200, {"status": "ok"}))):
        rig.take(event)
        async with client.get("/healthz") as answer:
            assert (answer.status, await answer.json()) == expected
    rig.pass_time(60)
    async with client.get("/healthz") as answer:
        assert (answer.status, await answer.json()) == (503, bad)


@pytest.mark.parametrize("path", ["/metrics", "/healthz"])
async def test_head_is_get_without_the_body(client: aiohttp.ClientSession, path: str) -> None:
    """Some watchers only want to know whether there is an answer."""
    async with client.head(path) as answer:
        assert answer.status in (200, 503)
        assert int(answer.headers["Content-Length"]) > 0
        assert await answer.read() == b""


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH", "TRACE"])
@pytest.mark.parametrize("path", ["/metrics", "/healthz"])
async def test_nothing_can_be_changed(client: aiohttp.ClientSession, method: str, path: str) -> None:
    """Reading is all that there is."""
    async with client.request(method, path, data=b"x" * 10_000) as answer:
        assert answer.status == 405
        assert answer.headers["Allow"] == "GET,HEAD"


@pytest.mark.parametrize("path", ["/", "/metrics/", "/metrics/../etc/passwd", "/%00", "/favicon.ico"])
async def test_there_is_nothing_else(client: aiohttp.ClientSession, path: str) -> None:
    """Other paths get a short answer."""
    async with client.get(path) as answer:
        assert (answer.status, answer.content_type) == (404, "application/problem+json")


PUT = b"PUT /metrics HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"


@pytest.mark.parametrize(
    "garbage",
    [
        *(b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", b"GET / HTTP/9.9\r\n\r\n"),
        PUT + b"Transfer-Encoding: chunked\r\n\r\nzz\r\n",
        PUT + b"Content-Encoding: br\r\nContent-Length: 5\r\n\r\nhello",
    ],
)
async def test_garbage_is_answered_and_forgotten(
    rig: Rig, client: aiohttp.ClientSession, garbage: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    """Such as a client that believes in TLS; whoever sends it cannot fill the log with it."""
    reader, writer = await asyncio.open_connection("127.0.0.1", rig.port)
    writer.write(garbage + b"\r\n\r\n")
    answer = await reader.readline()
    assert b" 400 " in answer
    writer.close()
    async with client.get("/metrics") as good:
        assert good.status == 200
    assert not caplog.records


async def test_who_asks_to_go_on_and_goes(
    rig: Rig, client: aiohttp.ClientSession, caplog: pytest.LogCaptureFixture
) -> None:
    """There is nobody to be told to continue, which is no news."""
    for _ in range(3):
        _, writer = await asyncio.open_connection("127.0.0.1", rig.port)
        writer.write(PUT + b"Expect: 100-continue\r\nContent-Length: 5\r\n\r\n")
        writer.write_eof()
        await writer.drain()
        writer.close()
    for _ in range(3):
        async with client.get("/metrics") as good:
            assert good.status == 200
    assert not caplog.records


async def half_open(rig: Rig, request: bytes) -> Connection:
    """Return a connection on which a request has begun, or has yet to."""
    reader, writer = await asyncio.open_connection("127.0.0.1", rig.port)
    writer.write(request)
    return reader, writer


async def unread(rig: Rig) -> Connection:
    """Return a connection on which so much is asked, and nothing read, that the server is stuck there."""
    rig.take(*(health(f"device {number}") for number in range(3000)))  # answers of half a megabyte
    answers, asked = count_scrapes(rig), 60
    reader, writer = await asyncio.open_connection("127.0.0.1", rig.port)
    cast("asyncio.Transport", writer.transport).pause_reading()
    writer.write(b"GET /metrics HTTP/1.1\r\nHost: a\r\n\r\n" * asked)
    quiet = 0
    while not answers or quiet < 10:
        before = len(answers)
        await asyncio.sleep(0.03)
        quiet = quiet + 1 if len(answers) == before else 0
    assert len(answers) < asked
    return reader, writer


def count_scrapes(rig: Rig) -> list[None]:
    """Return a list that grows with each scrape from now on."""
    scrapes: list[None] = []
    collect = rig.metrics.collect

    def counted() -> Iterator[Metric]:
        scrapes.append(None)
        return collect()

    rig.metrics.collect = counted  # type: ignore[method-assign]
    return scrapes


async def test_slow_clients_hold_up_nobody(rig: Rig, client: aiohttp.ClientSession) -> None:
    """One that never ends its request, one that never reads its answers, one that never says anything."""
    slow = [await half_open(rig, HALF), await unread(rig), await half_open(rig, b"")]
    async with asyncio.timeout(PATIENCE_S), client.get("/metrics") as answer:
        assert answer.status == 200
    for _, writer in slow:
        writer.transport.abort()


async def test_many_clients_keep_out_nobody(
    rig: Rig, client: aiohttp.ClientSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Files are needed for devices and brokers: who has been here longest must go."""
    monkeypatch.setattr(web_server, "MOST_CLIENTS", FEW)
    crowd = [await asyncio.open_connection("127.0.0.1", rig.port) for _ in range(FEW + 10)]
    async with client.get("/metrics") as answer:
        assert answer.status == 200
        samples = text_samples(await answer.text())
    assert samples["process_open_fds", frozenset()] < 3 * FEW
    gone = [await reader.read(1) for reader, _ in crowd[:11]]
    assert gone == [b""] * 11
    assert not crowd[11][0].at_eof()
    for _, writer in crowd:
        writer.transport.abort()


async def test_it_ends_at_once(logs: Logs) -> None:
    """Whatever clients are doing: a daemon that stops has the charger to leave in order."""
    rig = Rig()
    async with aiohttp.ClientSession(rig.url) as client, serving(rig) as task:
        async with client.get("/metrics") as answer:
            await answer.read()
        slow = [await half_open(rig, HALF), await half_open(rig, b""), await unread(rig)]
        task.cancel()
        async with asyncio.timeout(PATIENCE_S):
            await asyncio.wait([task])
        with pytest.raises(ConnectionRefusedError):
            await asyncio.open_connection("127.0.0.1", rig.port)
        # An answer that nobody has read is cut off, rather than kept with its connection.
        reader, writer = slow[-1]
        cast("asyncio.Transport", writer.transport).resume_reading()
        answers = await reader.read()
        assert not answers.endswith(generate_latest(rig.metrics.registry).splitlines()[-1] + b"\n")
        for _, writer in slow:
            writer.transport.abort()
    assert [line for line in logs if line["log_level"] != "info"] == []


async def test_it_tells_that_it_listens(rig: Rig, logs: Logs) -> None:
    """On the feed, and in the log where that is."""
    assert [(it.name, it.ok, it.since) for it in rig.told] == [(NAME, True, NOON)]
    assert [(line["event"], line["address"]) for line in logs] == [
        ("web server listens", f"127.0.0.1:{rig.port}")
    ]


async def test_it_waits_for_its_port(logs: Logs, monkeypatch: pytest.MonkeyPatch) -> None:
    """Another program may have the port: the daemon goes on, and the user is told once, until it is free."""
    monkeypatch.setattr(web_server, "FIRST_RETRY_S", 0.01)
    monkeypatch.setattr(web_server, "RETRY_CAP_S", 0.02)
    with socket.create_server(("127.0.0.1", 0)) as other:
        rig = Rig(f"127.0.0.1:{other.getsockname()[1]}")
        async with serving(rig) as task:
            rig.pass_time(60)
            await asyncio.sleep(0.1)
            assert not task.done()
            error = (
                f"cannot listen on 127.0.0.1:{rig.port}: another program or a second pvcharge listens there; "
                "end it, or change listen in [web]"
            )
            assert rig.health() == [(False, error)]
            rig.running.clear()
            other.close()
            await rig.running.wait()
            assert rig.health() == [(False, error), (True, None)]
            assert (rig.told[-1].since - rig.told[0].since).total_seconds() == 60
            async with aiohttp.ClientSession(rig.url) as client, client.get("/metrics") as answer:
                assert answer.status == 200
    assert [line["event"] for line in logs] == ["web server does not listen", "web server listens"]


@pytest.mark.looptime
async def test_it_asks_for_its_port_ever_more_rarely() -> None:
    """From a second up to a minute, and it goes on for ever."""
    tries_s: list[float] = []
    loop = asyncio.get_running_loop()
    rig = Rig()

    async def refuse(*_: object) -> None:
        tries_s.append(loop.time())
        raise OSError(99, "Cannot assign requested address")

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(loop, "create_server", refuse)
        async with serving(rig):
            await asyncio.sleep(600)
    pauses_s = [round(later - sooner) for sooner, later in pairwise(tries_s)]
    assert pauses_s[:8] == [1, 2, 4, 8, 16, 32, 60, 60]
    [(ok, error)] = rig.health()
    assert not ok
    assert "this machine has no such address" in str(error)


async def test_it_can_be_started_again(logs: Logs) -> None:  # noqa: ARG001 - keeps the output clean
    """A task that crashed is."""
    rig = Rig()
    for _ in range(2):
        async with serving(rig), aiohttp.ClientSession(rig.url) as client, client.get("/metrics") as answer:
            assert answer.status == 200


async def test_a_scrape_that_fails_ends_nothing(
    rig: Rig, client: aiohttp.ClientSession, monkeypatch: pytest.MonkeyPatch, logs: Logs
) -> None:
    """It is answered with 500 and told in the log; the next one may succeed."""
    with monkeypatch.context() as patch:
        patch.setattr(rig.metrics, "collect", lambda: 1 / 0)
        async with client.get("/metrics") as answer:
            assert (answer.status, "division" in await answer.text()) == (500, False)
    [failed] = [line for line in logs if line["event"] == "request failed"]
    assert failed["path"] == "/metrics"
    async with client.get("/metrics") as answer:
        assert answer.status == 200


async def test_ipv6(logs: Logs) -> None:  # noqa: ARG001 - keeps the output clean
    """An address in brackets is listened on."""
    try:
        with socket.create_server(("::1", 0), family=socket.AF_INET6):
            pass
    except OSError:
        pytest.skip("this machine has no IPv6")
    rig = Rig(listen=f"[::1]:{free_port()}")
    async with serving(rig), aiohttp.ClientSession(rig.url) as client, client.get("/healthz") as answer:
        assert answer.status == 503
