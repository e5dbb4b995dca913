"""Devices that answer, and answer "no": with an HTTP error, for another password, for a while or for good."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from faults.conftest import Logs, MakeHome
from faults.home import CLIENT_ID, CLIENT_SECRET, Home
from pvcharge.model import Mode
from pvcharge.sim.wattpilot import WattpilotServer
from pvcharge.tasks import retry

BOX, CLOUD = "wattpilot", "solaredge"
HOUR_S = 3600.0
SPEED = 600.0
BY_OAUTH = {"api_key": None, "client_id": CLIENT_ID, "client_secret": CLIENT_SECRET}


@asynccontextmanager
async def answering(port: int, status: int) -> AsyncIterator[list[bytes]]:
    """Answer every request at this port with an HTTP status; yield the requests."""
    asked: list[bytes] = []

    async def refuse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        asked.append(await reader.readuntil(b"\r\n\r\n"))
        writer.write(b"HTTP/1.1 %d No\r\nRetry-After: -1\r\nContent-Length: 2\r\n\r\nno" % status)
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(refuse, "127.0.0.1", port)
    try:
        yield asked
    finally:
        server.close()
        await server.wait_closed()


@pytest.fixture
async def home(make_home: MakeHome) -> AsyncIterator[Home]:
    """Run a house whose car follows the surplus already."""
    async with make_home(speed=SPEED, charger={"silence_s": 0.6}).running() as home:
        await home.charges_by_surplus()
        yield home


async def _obeys(home: Home) -> None:
    home.command(Mode.BOOST)
    await home.until(lambda: home.box.power_w > 10_000)


@pytest.mark.parametrize(
    "status",
    [
        pytest.param(404, marks=pytest.mark.fault("wattpilot", "4xx")),
        pytest.param(410, marks=pytest.mark.fault("wattpilot", "410")),
        pytest.param(429, marks=pytest.mark.fault("wattpilot", "429")),
        pytest.param(503, marks=pytest.mark.fault("wattpilot", "5xx")),
    ],
)
async def test_another_web_server_at_the_box_s_address(home: Home, logs: Logs, status: int) -> None:
    """Whatever HTTP error it answers: tries come further and further apart, and the box is found again."""
    await home.server.aclose()
    async with answering(home.server.port, status) as asked:
        await home.until(lambda: home.failures(BOX) >= 2 and asked)
        began, tried = home.clock.now(), len(asked)
        await home.wait(HOUR_S / 6)
        minutes = (home.clock.now() - began).total_seconds() / 60
        assert len(asked) - tried <= 10 + 2 * minutes
    await home.server.start()
    await home.recovers(BOX)
    await _obeys(home)
    assert len(logs.loud("device failed", BOX)) == len(logs.loud("device recovered", BOX)) == 1


@pytest.mark.fault("wattpilot", "4xx")
@pytest.mark.fault("wattpilot", "expired token")
async def test_a_password_that_is_changed_while_the_car_charges(home: Home, logs: Logs) -> None:
    """The next login is refused: tried each quarter of an hour, told once, and good again when mended."""
    await home.server.aclose()
    changed = WattpilotServer(home.box, password="another", clock=home.clock, port=home.server.port)
    await changed.start()
    try:
        await home.until(lambda: any("wrong password" in line for line in logs.loud("device failed", BOX)))
        failed, written = home.failures(BOX), len(home.box.writes)
        await home.wait(HOUR_S / 6)
        assert home.failures(BOX) == failed
        assert len(home.box.writes) == written
    finally:
        await changed.aclose()
    await home.server.start()
    await home.recovers(BOX)
    await _obeys(home)
    assert len(logs.loud("device recovered", BOX)) == 1


@pytest.mark.parametrize(
    "status",
    [
        pytest.param(404, marks=pytest.mark.fault("solaredge", "4xx")),
        pytest.param(410, marks=pytest.mark.fault("solaredge", "410")),
    ],
)
async def test_a_refusal_for_good_may_yet_pass(
    home: Home, logs: Logs, monkeypatch: pytest.MonkeyPatch, status: int
) -> None:
    """One call, one line, and the next call hours later (half an hour in this test), which may go well."""
    monkeypatch.setattr(retry, "PERMANENT_DELAY_S", HOUR_S / 2)
    home.cloud.faults.outage_status = status
    await home.until(lambda: home.failures(CLOUD) == 1)
    await home.wait(HOUR_S / 3)
    assert home.failures(CLOUD) == 1
    home.cloud.faults.outage_status = None
    await home.recovers(CLOUD)
    await home.charges_by_surplus()
    (line,) = logs.loud("device failed", CLOUD)
    assert f"answered {status}" in line
    assert len(logs.loud("device recovered", CLOUD)) == 1


@pytest.mark.fault("solaredge", "expired token")
@pytest.mark.fault("solaredge", "5xx")
async def test_tokens_that_expire_during_an_outage(make_home: MakeHome, logs: Logs) -> None:
    """Both at once: the outage costs no login, and the renewal comes with the first call after it."""
    async with make_home(inverter=BY_OAUTH, speed=SPEED).running() as home:
        await home.until(lambda: home.failures(CLOUD) == 1)
        await home.log_in()
        await home.charges_by_surplus()
        home.cloud.faults.expire_access_tokens = True
        home.cloud.faults.outage_status = 503
        await home.until(lambda: home.failures(CLOUD) >= 3)
        home.cloud.faults.outage_status = None
        await home.recovers(CLOUD)
        await home.charges_by_surplus()
    assert len(logs.loud("device recovered", CLOUD)) == 2
    assert not logs.hold(CLIENT_SECRET)
