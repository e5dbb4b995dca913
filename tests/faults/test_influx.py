"""InfluxDB hangs, is slow, talks for ever or has no room: control never waits for it, and nothing is lost."""

import asyncio
from collections.abc import AsyncIterator, Iterator, MutableMapping
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from structlog.testing import capture_logs

from faults.home import Home
from faults.relay import Relay
from history.influx_rig import Influx, Request, running_influx, writing
from history.samples import flow
from pvcharge.history.archive import FILE
from pvcharge.history.influx.condition import Condition, Figures, Timing
from pvcharge.history.influx.points import Lines
from pvcharge.history.influx.server import LARGEST_ANSWER, WriteError
from pvcharge.history.reading import Reader
from pvcharge.model import Mode, Reason
from support.broker import HOST
from support.victoria import Victoria, expected, running_victoria
from tasks.fakes import VirtualClock

LOST, BACK = "points cannot be sent; they wait in the store", "points are sent again"
CHARGER = "wattpilot"

Logs = list[MutableMapping[str, Any]]


@pytest.fixture(autouse=True)
def logs() -> Iterator[Logs]:
    """Return what is logged."""
    with capture_logs() as lines:
        yield lines


@pytest.fixture
async def influx() -> AsyncIterator[Influx]:
    """Run a server."""
    async with running_influx() as server:
        yield server


def of_points(logs: Logs) -> list[str]:
    """Return the lines about sending that everybody sees."""
    return [line["event"] for line in logs if "points" in line["event"] and line["log_level"] != "debug"]


async def hang(_: Request) -> web.Response:
    """Answer nothing for longer than anybody waits."""
    await asyncio.sleep(30)
    raise AssertionError("nobody waits so long")


class Remembering(Home):
    """A house whose daemon sends what it remembers to a server.

    Args:
        folder: of the daemon's state.
        url: of the server.
    """

    def __init__(self, folder: Path, url: str) -> None:
        super().__init__(folder)
        self._url = url

    def tables(self) -> dict[str, Any]:
        """Return the configuration with the server."""
        return super().tables() | {"influxdb": {"url": self._url, "flush_s": 0.1, "timeout_s": 1.0}}


@asynccontextmanager
async def remembering(folder: Path, url: str) -> AsyncIterator[Remembering]:
    """Run a house whose car follows the sun already."""
    home = Remembering(folder, url)
    async with home.running():
        await home.settles()
        yield home
    home.check_writes()


async def check_control(home: Home) -> None:
    """Check that the user is obeyed at once, and the sun followed again."""
    home.command(Mode.OFF)
    await home.until(lambda: home.reason is Reason.SWITCHED_OFF and home.box.power_w == 0)
    home.command(Mode.SURPLUS)
    await home.charges_by_surplus()


@pytest.mark.fault("influxdb", "hang")
@pytest.mark.fault("influxdb", "SIGSTOP 5 min")
async def test_control_never_waits_for_a_server_that_hangs(
    tmp_path: Path, influx: Influx, logs: Logs
) -> None:
    """The car is led as if nothing were; when the server answers again it gets all that has waited."""
    influx.answer = hang
    async with remembering(tmp_path, influx.url) as home:
        await check_control(home)
        async with asyncio.timeout(10):
            while LOST not in of_points(logs):  # noqa: ASYNC110 - nobody tells
                await asyncio.sleep(0.02)
        await check_control(home)
        influx.answer = influx.take
        async with asyncio.timeout(15):
            while BACK not in of_points(logs):  # noqa: ASYNC110 - nobody tells
                await asyncio.sleep(0.02)
        stored = Reader.open(tmp_path / FILE)
        lines = Lines("home", CHARGER)
        wanted = {line for _, event in stored.events() for line in lines.of(event)}
        stored.close()
        async with asyncio.timeout(10):
            while not wanted <= set(influx.taken):  # noqa: ASYNC110 - nobody tells
                await asyncio.sleep(0.05)
    assert of_points(logs) == [LOST, BACK]


@pytest.mark.fault("influxdb", "slow")
async def test_a_slow_server_gets_all_in_the_end(tmp_path: Path, influx: Influx, logs: Logs) -> None:
    """One that takes its time for each batch is waited for, is asked one at a time, and is no failure."""
    at_once: list[int] = [0]

    async def dawdle(request: Request) -> web.Response:
        at_once.append(at_once[-1] + 1)
        await asyncio.sleep(0.2)
        at_once.append(at_once[-1] - 1)
        return await influx.take(request)

    influx.answer = dawdle
    async with writing(tmp_path, influx.url, *map(flow, range(300)), batch_events=100) as rig:
        await rig.until_sent()
    assert len(set(influx.taken)) == 600
    assert max(at_once) == 1
    assert of_points(logs) == []


@pytest.mark.fault("influxdb", "huge answer")
@pytest.mark.parametrize("status", [204, 500])
async def test_an_endless_answer_is_cut_short(
    tmp_path: Path, influx: Influx, logs: Logs, status: int
) -> None:
    """No more than 1 MB of an answer is read, be it well or not; then the server is one that fails."""
    sent: list[int] = []

    async def pour(request: Request) -> web.StreamResponse:
        response = web.StreamResponse(status=status if status != 204 else 201)
        await response.prepare(request.raw)
        sent.append(0)
        with suppress(ConnectionError):
            while sent[-1] < 100 * LARGEST_ANSWER:
                await response.write(bytes(65_536))
                sent[-1] += 65_536
        return response

    influx.answer = pour  # type: ignore[assignment]
    async with writing(tmp_path, influx.url, flow(0)) as rig:
        await rig.until_told("its answer has more than")
        influx.answer = influx.take
        await rig.until_sent()
    assert max(sent) < 20 * LARGEST_ANSWER  # the rest is in the system's buffers
    assert of_points(logs) == [LOST, BACK]


@pytest.mark.fault("influxdb", "half-open socket")
async def test_a_half_open_connection_is_given_up(tmp_path: Path, influx: Influx, logs: Logs) -> None:
    """A line that swallows all is given up after the time-out; what was on it is sent again on a new one."""
    port = int(influx.url.rpartition(":")[2])
    async with (
        Relay(port).running() as relay,
        writing(tmp_path, f"http://{HOST}:{relay.port}", flow(0), timeout_s=0.3) as rig,
    ):
        await rig.until_sent()
        relay.swallows = True
        await rig.put(flow(1))
        await rig.until_told("no answer within 0.3 s")
        relay.swallows = False
        await rig.until_sent()
    assert len(set(influx.taken)) == 4
    assert of_points(logs) == [LOST, BACK]


@pytest.mark.fault("influxdb", "reorder")
async def test_late_events_are_points_of_their_own_time(tmp_path: Path, influx: Influx) -> None:
    """What is known late is stored late and sent late: each point carries the time of its measurement."""
    async with writing(tmp_path, influx.url, flow(60), flow(0)) as rig:
        await rig.until_sent()
    stamps = [int(line.split()[-1]) for line in influx.taken if "grid" in line]
    assert stamps[0] - stamps[-1] == 60_000


@pytest.mark.fault("influxdb", "refuse")
@pytest.mark.fault("influxdb", "5xx")
@pytest.mark.looptime
async def test_tries_of_a_day_are_few(logs: Logs) -> None:
    """A server that is away for a day is tried once a minute at most, a refusal every five; one line each."""
    for error, least, most in (
        (WriteError("no connection", broken=True), 1440, 4000),
        (WriteError("check token", refused=True), 250, 400),
    ):
        condition = Condition("url", VirtualClock(), lambda _: None, Timing())
        began_s, tries = asyncio.get_running_loop().time(), 0
        while asyncio.get_running_loop().time() - began_s < 86_400:
            tries += 1
            await asyncio.sleep(condition.failed(error, Figures()))
        assert least <= tries <= most
    assert of_points(logs) == [LOST, LOST]


@pytest.mark.fault("influxdb", "full disk")
@pytest.mark.fault("influxdb", "read-only")
async def test_a_server_without_room(tmp_path: Path, logs: Logs) -> None:
    """A real server that has turned read-only for lack of room: all waits in the store, and arrives later."""
    async with running_victoria(tmp_path) as full:
        await full.stop()
        full._arguments.append("-storage.minFreeDiskSpaceBytes=100000GB")  # noqa: SLF001 - as if the disk were full
        await full.start()
        async with writing(tmp_path, full.url, flow(0)) as rig:
            await rig.until(lambda: any(not health.ok for health in rig.told))
            await rig.put(flow(1))
            assert await rig.cursor() == 0
            full._arguments.pop()  # noqa: SLF001
            await full.stop()
            await full.start()
            await rig.until_sent()
        assert await arrived(full, flow(0), flow(1))
    assert of_points(logs) == [LOST, BACK]


async def arrived(victoria: Victoria, *events: Any) -> bool:
    """Whether the server has all of these."""
    lines = Lines("home", "box")
    return set(await victoria.samples()) >= expected(line for event in events for line in lines.of(event))
