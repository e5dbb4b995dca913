"""How what the store holds gets to a server: in order, in batches, compressed, with a cursor behind it."""

import subprocess
import sys
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from history.influx_rig import Influx, Request, running_influx, writing
from history.samples import flow
from pvcharge.model import Decision, Lease, Mode, ModeCommand, PowerFlow, Reason, Setpoint

NOW = datetime.now(UTC)


@pytest.fixture
async def influx() -> AsyncIterator[Influx]:
    """Run a server."""
    async with running_influx() as server:
        yield server


def decision(second: float) -> Decision:
    """Return one that changes nothing."""
    return Decision(NOW + timedelta(seconds=second), Setpoint(3, 10), Reason.FOLLOWING, Mode.SURPLUS)


def times(influx: Influx) -> list[int]:
    """Return the times of all that was taken, as it came."""
    return [int(line.rpartition(" ")[2]) for line in influx.taken]


async def test_all_arrives_in_order(tmp_path: Path, influx: Influx) -> None:
    """What was there before, in batches, and what comes in afterwards."""
    async with writing(tmp_path, influx.url, *map(flow, range(100)), batch_events=30) as rig:
        await rig.until_sent()
        assert [len(request.lines) for request in influx.requests] == [60, 60, 60, 20]
        await rig.put(flow(100), flow(101))
        await rig.until_sent()
        assert rig.health.facts == {"lag_events": 0, "lag_s": 0.0, "dropped": 0, "sent": 204}
    assert len(influx.taken) == len(set(influx.taken)) == 204
    assert times(influx) == sorted(times(influx))


async def test_requests_are_those_of_the_v2_api(tmp_path: Path, influx: Influx) -> None:
    """Bucket, organization, precision, token; one connection for all."""
    names: dict[str, Any] = {"bucket": "my bucket", "org": "my/org", "token": "word"}
    async with writing(tmp_path, influx.url, *map(flow, range(3)), batch_events=1, **names) as rig:
        await rig.until_sent()
    first = influx.requests[0]
    assert first.query == {"bucket": "my bucket", "org": "my/org", "precision": "ms"}
    assert first.headers["Authorization"] == "Token word"
    assert first.headers["Content-Type"].startswith("text/plain")
    assert len({request.connection for request in influx.requests}) == 1


@pytest.mark.parametrize("gzip", [True, False])
async def test_batches_are_compressed_unless_told_otherwise(
    tmp_path: Path, influx: Influx, *, gzip: bool
) -> None:
    """By a tenth and less, since lines resemble each other."""
    async with writing(tmp_path, influx.url, *map(flow, range(500)), gzip=gzip) as rig:
        await rig.until_sent()
    (request,) = influx.requests
    length = int(request.headers["Content-Length"])
    assert request.headers["Content-Encoding"] == ("gzip" if gzip else "identity")
    assert (length < len("\n".join(request.lines)) / 10) is gzip


async def test_nothing_is_sent_while_there_is_nothing_to_say(tmp_path: Path, influx: Influx) -> None:
    """Commands and leases make no points, and are passed over."""
    others = (ModeCommand(Mode.BOOST), Lease(1, NOW, 60.0, Setpoint(3, 10)))
    async with writing(tmp_path, influx.url, *others) as rig:
        await rig.until_sent()
        assert influx.requests == []
        await rig.put(flow(0), *others)
        await rig.until_sent()
    assert len(influx.taken) == 2


async def test_decisions_that_say_the_same_are_thinned(tmp_path: Path, influx: Influx) -> None:
    """One is made every second."""
    async with writing(tmp_path, influx.url, *map(decision, range(100))) as rig:
        await rig.until_sent()
    assert len(influx.taken) in (10, 11)


async def test_what_has_settled_is_not_sent_again(tmp_path: Path, influx: Influx) -> None:
    """By the next daemon: the cursor has followed."""
    async with writing(tmp_path, influx.url, *map(flow, range(20)), batch_events=1, settle_s=0.0) as rig:
        await rig.until_sent()
        assert await rig.cursor() == 19
    influx.requests.clear()
    async with writing(tmp_path, influx.url) as rig:
        await rig.until_sent()
    assert [len(request.lines) for request in influx.requests] == [2]


async def test_what_has_not_settled_is_sent_again(tmp_path: Path, influx: Influx) -> None:
    """By the next daemon, since the server may have forgotten it."""
    async with writing(tmp_path, influx.url, *map(flow, range(20)), settle_s=60.0) as rig:
        await rig.until_sent()
        assert await rig.cursor() == 0
    async with writing(tmp_path, influx.url) as rig:
        await rig.until_sent()
    assert len(influx.taken) == 80
    assert len(set(influx.taken)) == 40


async def test_a_failure_of_the_server_has_all_sent_again_that_has_not_settled(
    tmp_path: Path, influx: Influx
) -> None:
    """It may have been restarted; points that are there already are only overwritten."""
    async with writing(tmp_path, influx.url, *map(flow, range(20)), settle_s=60.0) as rig:
        await rig.until_sent()
        influx.answer = _fail
        await rig.put(flow(20))
        await rig.until_told("HTTP 502")
        influx.answer = influx.take
        await rig.until_sent()
        assert rig.health.facts["sent"] == 42
    assert len(influx.taken) == 40 + 42


async def test_a_server_that_is_merely_busy_has_forgotten_nothing(tmp_path: Path, influx: Influx) -> None:
    """Sending it more would not help it."""
    async with writing(tmp_path, influx.url, *map(flow, range(20)), settle_s=60.0) as rig:
        await rig.until_sent()
        influx.answer = _be_busy
        await rig.put(flow(20))
        await rig.until_told("HTTP 429")
        influx.answer = influx.take
        await rig.until_sent()
    assert len(influx.taken) == 42


async def test_idle_connections_that_end_do_not_keep_points_from_settling(tmp_path: Path) -> None:
    """A proxy may hang up after seconds; at first that looks like the server's death, each time."""
    async with (
        running_influx(keepalive_s=0.01) as influx,
        writing(tmp_path, influx.url, flush_s=0.1, settle_s=0.5) as rig,
    ):
        for number in range(30):
            await rig.put(flow(number))
            await rig.until_sent()
        assert await rig.cursor() > 0
    assert len({request.connection for request in influx.requests}) > 10
    assert len(set(influx.taken)) == 60


async def test_a_server_that_announces_the_end_of_a_connection_is_believed(
    tmp_path: Path, influx: Influx
) -> None:
    """It does so in good health, as VictoriaMetrics every two minutes: nothing is sent again."""

    async def answer(request: Request) -> web.Response:
        response = await influx.take(request)
        response.force_close()
        response.headers["Connection"] = "close"
        return response

    influx.answer = answer
    async with writing(tmp_path, influx.url, *map(flow, range(20)), batch_events=1, settle_s=60.0) as rig:
        await rig.until_sent()
    assert len({request.connection for request in influx.requests}) == 20
    assert len(influx.taken) == 40


async def test_lag_is_what_the_server_does_not_have(tmp_path: Path, influx: Influx) -> None:
    """In events, and in the age of the oldest."""
    now = datetime.now(UTC)
    events = [PowerFlow(at, at, pv_w=1.0, source="roof") for at in (now - timedelta(hours=1), now)]
    influx.answer = _fail
    async with writing(tmp_path, influx.url, *events, ModeCommand(Mode.BOOST)) as rig:
        await rig.until_told("HTTP 502")
        assert rig.health.facts["lag_events"] == 3
        assert 3600 <= float(rig.health.facts["lag_s"]) < 3660
        influx.answer = influx.take
        await rig.until_sent()
        assert rig.health.facts["lag_s"] == 0.0


async def test_what_the_store_had_to_forget_counts_as_dropped(tmp_path: Path, influx: Influx) -> None:
    """An outage may last longer than the store keeps."""
    later = NOW + timedelta(days=1)
    async with writing(tmp_path, influx.url, *map(flow, range(20))) as rig:
        influx.answer = _fail
        await rig.until_told("HTTP 502")
        await rig.archive.call(lambda store: store.prune(later, later))
        await rig.put(flow(20))
        influx.answer = influx.take
        await rig.until_sent()
        assert rig.health.facts["dropped"] == 20
        assert rig.health.facts["sent"] == 2


def test_the_client_is_loaded_only_when_it_is_used() -> None:
    """It takes a second."""
    check = "import sys, pvcharge.history.influx; sys.exit('influxdb_client' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", check], check=False).returncode == 0  # noqa: S603 - our own


async def _fail(_: Request) -> web.Response:
    return web.Response(status=502)


async def _be_busy(_: Request) -> web.Response:
    return web.Response(status=429)
