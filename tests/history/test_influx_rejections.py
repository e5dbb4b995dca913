"""Points that a server will never take: found, dropped, counted, said once; all others arrive."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, MutableMapping
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from hypothesis import given, settings
from hypothesis import strategies as st
from structlog.testing import capture_logs

from history.influx_rig import Influx, Request, running_influx, writing
from history.samples import flow

Logs = list[MutableMapping[str, Any]]
REJECTED = "points rejected, and dropped"


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


def rejecting(
    influx: Influx, is_bad: Callable[[str], bool], status: int = 400, text: str = "unable to parse '{}'"
) -> Callable[[Request], Awaitable[web.Response]]:
    """Return an answer that takes a request only if no line of it is bad."""

    async def answer(request: Request) -> web.Response:
        for line in request.lines:
            if is_bad(line):
                words = {"code": "invalid", "message": text.format(line)}
                return web.json_response(words, status=status)
        return await influx.take(request)

    return answer


def second_of(line: str) -> int:
    """Return the second of the minute in which the point of a line was measured."""
    return int(line.rpartition(" ")[2]) // 1000 % 60


def dropped(logs: Logs) -> list[MutableMapping[str, Any]]:
    """Return what the log says of rejected points."""
    return [each for each in logs if each["event"] == REJECTED]


@pytest.mark.parametrize(
    ("status", "text"),
    [
        (400, "unable to parse '{}': bad timestamp"),
        (400, "partial write: unable to parse '{}': bad timestamp dropped=0"),  # as InfluxDB 1 says it
        (422, "bad timestamp"),
    ],
)
async def test_a_bad_point_is_found_and_dropped(
    tmp_path: Path, influx: Influx, logs: Logs, status: int, text: str
) -> None:
    """One of 200; the log shows it, and health counts it."""
    influx.answer = rejecting(influx, lambda line: "power_w=-77.0" in line, status, text)
    async with writing(tmp_path, influx.url, *(flow(number, -float(number)) for number in range(100))) as rig:
        await rig.until_sent()
        assert rig.health.facts["dropped"] == 1
        assert rig.health.facts["sent"] == 200
    assert len(influx.taken) == len(set(influx.taken)) == 199
    assert len(influx.requests) < 20
    (line,) = dropped(logs)
    assert line["log_level"] == "warning"
    assert "power_w=-77.0" in line["points"]
    assert "bad timestamp" in line["error"]


async def test_a_bad_point_is_not_tried_again(tmp_path: Path, influx: Influx) -> None:
    """Also when all that has not settled is sent again after a failure."""
    influx.answer = rejecting(influx, lambda line: "power_w=-7.0" in line)
    events = [flow(number, -float(number)) for number in range(10)]
    async with writing(tmp_path, influx.url, *events, settle_s=60.0) as rig:
        await rig.until_sent()
        influx.answer = lambda _: _status(500)
        await rig.put(flow(10))
        await rig.until_told("HTTP 500")
        influx.requests.clear()
        influx.answer = rejecting(influx, lambda line: "power_w=-7.0" in line)
        await rig.until_sent()
        assert rig.health.facts["dropped"] == 1
    again = [line for request in influx.requests for line in request.lines]
    assert len(again) == len(set(again)) == 21
    assert not any("power_w=-7.0" in line for line in again)


async def test_a_bad_measurement_is_said_once(tmp_path: Path, influx: Influx, logs: Logs) -> None:
    """A type that the bucket has otherwise is rejected with every reading."""
    influx.answer = rejecting(influx, lambda line: line.startswith("grid"))
    async with writing(tmp_path, influx.url, *map(flow, range(20)), batch_events=5) as rig:
        await rig.until_sent()
        assert rig.health.facts["dropped"] == 20
    assert len(dropped(logs)) == 1


async def test_a_batch_of_nothing_but_bad_points_is_dropped(tmp_path: Path, influx: Influx) -> None:
    """The server takes another point, so that it is these which are at fault."""
    influx.answer = rejecting(influx, lambda line: not line.startswith("link"))
    async with writing(tmp_path, influx.url, *map(flow, range(4))) as rig:
        await rig.until_sent()
        assert rig.health.facts["dropped"] == 8
    assert all(line.startswith("link,device=influxdb,site=home ok=1i ") for line in influx.taken)


async def test_a_server_that_takes_no_point_at_all_costs_none(
    tmp_path: Path, influx: Influx, logs: Logs
) -> None:
    """It may be no InfluxDB, or want something else of us: it is left alone until somebody has seen to it."""
    influx.answer = rejecting(influx, lambda _: True)
    async with writing(tmp_path, influx.url, *map(flow, range(4))) as rig:
        await rig.until_told("it takes no point at all")
        assert await rig.cursor() == 0
        influx.answer = influx.take
        await rig.until_sent()
        assert rig.health.facts["dropped"] == 0
    assert len(influx.taken) == 8
    assert [each["log_level"] for each in logs if each["log_level"] != "debug"] == ["error", "info"]


@pytest.mark.fault("influxdb", "4xx")
async def test_a_batch_that_is_too_large_is_sent_in_parts(tmp_path: Path, influx: Influx) -> None:
    """As a proxy before the server wants it (413); in order, and nothing is dropped."""

    async def answer(request: Request) -> web.Response:
        if len(request.lines) > 16:
            return web.Response(status=413, text="<html>Request Entity Too Large</html>")
        return await influx.take(request)

    influx.answer = answer
    async with writing(tmp_path, influx.url, *map(flow, range(100))) as rig:
        await rig.until_sent()
        assert rig.health.facts["dropped"] == 0
    times = [int(line.rpartition(" ")[2]) for line in influx.taken]
    assert times == sorted(times)
    assert len(set(influx.taken)) == 200


@pytest.mark.parametrize(
    ("status", "text"),
    [
        (
            422,
            "failure writing points to database: partial write: points beyond retention policy dropped=150",
        ),
        (400, 'partial write: field type conflict: input field "power_w" is type float dropped=150'),
        (
            500,
            "unexpected error writing points to database: partial write: points beyond retention dropped=150",
        ),
    ],
)
async def test_a_partial_write_is_taken_at_its_word(
    tmp_path: Path, influx: Influx, logs: Logs, status: int, text: str
) -> None:
    """Days of points may be older than the bucket keeps: asking for each would take hours."""

    async def answer(request: Request) -> web.Response:
        influx.taken += request.lines
        return web.json_response({"message": text}, status=status)

    influx.answer = answer
    async with writing(tmp_path, influx.url, *map(flow, range(100))) as rig:
        await rig.until_sent()
        assert rig.health.facts["dropped"] == 150
    assert len(influx.requests) == 1
    (line,) = dropped(logs)
    assert line["points"] == "150 of 200"


async def test_a_death_between_two_parts_of_a_batch_costs_nothing(tmp_path: Path, influx: Influx) -> None:
    """The server has taken one half, dies without a word, and is back for the other."""
    answer = rejecting(influx, lambda line: "power_w=-77.0" in line)
    deaths = 0

    async def die_once(request: Request) -> web.Response:
        nonlocal deaths
        response = await answer(request)
        if influx.taken and not deaths:
            deaths = 1
            influx.taken.clear()
            await request.hang_up(response)
        return response

    influx.answer = die_once
    events = [flow(number, -float(number)) for number in range(100)]
    async with writing(tmp_path, influx.url, *events, settle_s=60.0) as rig:
        await rig.until_sent()
    assert deaths == 1
    assert len(set(influx.taken)) == 199


@given(st.sets(st.integers(0, 39)), st.integers(0, 10))
@settings(max_examples=10)
def test_whichever_points_are_bad_exactly_those_are_dropped(
    tmp_path_factory: pytest.TempPathFactory, bad: set[int], fails: int
) -> None:
    """Wherever they stand, and whenever the server is down in between."""

    async def run() -> None:
        async with running_influx() as influx:
            left = fails

            async def answer(request: Request) -> web.Response:
                nonlocal left
                if left and len(influx.requests) % 3 == 0:
                    left -= 1
                    return await _status(500)
                return await rejecting(influx, lambda line: int(line.rpartition(" ")[2][-5:-3]) in bad)(
                    request
                )

            influx.answer = answer
            folder = tmp_path_factory.mktemp("store")
            async with writing(folder, influx.url, *map(flow, range(40)), settle_s=60.0) as rig:
                await rig.until_sent()
                assert rig.health.facts["dropped"] == 2 * len(bad)
            points = {line for line in influx.taken if not line.startswith("link")}
            assert len(points) == 80 - 2 * len(bad)

    asyncio.run(run())


async def _status(status: int) -> web.Response:
    return web.Response(status=status)
