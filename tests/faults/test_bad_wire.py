"""The wire to a device is bad, as its simulator cannot make it: nobody else suffers, and it passes."""

import resource
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Literal

import aiohttp
import pytest

from faults.conftest import Logs, MakeHome
from faults.home import Home
from pvcharge.drivers.solaredge import transport
from pvcharge.model import Mode

Driver = Literal["solaredge", "solaredge_modbus", "wattpilot"]
SPEEDS = {"solaredge": 600.0, "solaredge_modbus": 60.0, "wattpilot": 300.0}
# What makes the driver believe that much is to come: a body of 99 GB, frames of 64 KiB, a frame of 127 PB.
ENDLESS = {
    "solaredge": b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 99999999999\r\n\r\n[",
    "solaredge_modbus": b"\x00\x01\x00\x00\xff\xff\x01\x03\xff",
    "wattpilot": b"\x81\x7f\x01\xc6\x00\x00\x00\x00\x00\x00",
}
MOST_GROWTH = 32 << 20  # bytes of memory; the flood brings as much in half a second
DRIP_S = 0.05  # real seconds between two bytes
MOST_TRIES = 40
TRIES_UNDER_WAY = 3  # as many answers of before the fault's end may come too late for Modbus

pytestmark = pytest.mark.usefixtures("quick_charger")


@pytest.fixture(params=["solaredge", "solaredge_modbus", "wattpilot"])
def wired(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Driver:
    """Return whose wire it is; sockets on loopback get less time than those in a house."""
    monkeypatch.setattr(transport, "_TIMEOUT", aiohttp.ClientTimeout(total=0.3))
    name: Driver = request.param
    return name


@pytest.fixture
async def home(make_home: MakeHome, wired: Driver) -> AsyncIterator[Home]:
    """Run a house whose car follows the surplus already."""
    house = make_home(
        modbus=wired == "solaredge_modbus", wired=wired, speed=SPEEDS[wired], charger={"silence_s": 0.6}
    )
    async with house.running():
        await house.charges_by_surplus()
        await house.reads(2)
        yield house


async def _fails_and_recovers(home: Home, logs: Logs, wired: Driver) -> None:
    """Check that the fault is noticed, told once, not stormed at; and that all is well when it is over."""
    device = wired.replace("_", "-")
    failed, heard, read = home.failures(device), home.statuses, home.readings
    await home.until(lambda: home.failures(device) >= failed + 2)
    if wired == "wattpilot":
        await home.until(lambda: home.readings > read)
    else:
        await home.until(lambda: home.statuses > heard)
    assert home.wire.connections <= MOST_TRIES
    home.wire.mend()
    await home.recovers(device, TRIES_UNDER_WAY)
    home.command(Mode.BOOST)
    await home.until(lambda: home.box.power_w > 10_000)
    assert len(logs.loud("device failed", device)) == len(logs.loud("device recovered", device)) == 1


def _resident() -> int:
    """Return the bytes that this process has in memory."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize()


@pytest.mark.fault("solaredge", "half-open socket")
@pytest.mark.fault("modbus", "half-open socket")
@pytest.mark.fault("wattpilot", "half-open socket")
async def test_half_open_socket_is_given_up(home: Home, logs: Logs, wired: Driver) -> None:
    """Connections stay and all bytes vanish: that is noticed, and a new one is made when it can be."""
    home.wire.swallows = True
    await _fails_and_recovers(home, logs, wired)


@pytest.mark.fault("solaredge", "drop mid-message")
@pytest.mark.fault("modbus", "drop mid-message")
@pytest.mark.fault("wattpilot", "drop mid-message")
async def test_half_a_message_is_none(home: Home, logs: Logs, wired: Driver) -> None:
    """Each connection breaks in the middle of an answer: what came of it is thrown away."""
    home.wire.cuts_each_after = 5
    await _fails_and_recovers(home, logs, wired)


@pytest.mark.fault("solaredge", "slow")
@pytest.mark.fault("modbus", "slow")
@pytest.mark.fault("wattpilot", "slow")
async def test_an_answer_that_drips_in_has_its_time(home: Home, logs: Logs, wired: Driver) -> None:
    """Byte by byte, so that something always comes, and never all: the time is for the whole answer."""
    home.wire.drip_s = DRIP_S
    await _fails_and_recovers(home, logs, wired)


@pytest.mark.fault("solaredge", "huge answer")
@pytest.mark.fault("modbus", "huge answer")
@pytest.mark.fault("wattpilot", "huge answer")
async def test_an_endless_answer_is_cut_off(home: Home, logs: Logs, wired: Driver) -> None:
    """No more is read of it than a good answer could have, so that memory lasts."""
    before = _resident()
    home.wire.floods_with = ENDLESS[wired]
    await _fails_and_recovers(home, logs, wired)
    assert _resident() - before < MOST_GROWTH
    assert home.wire.floods > 0
