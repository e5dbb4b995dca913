"""A daemon says when it is ready, and ends as it is told to."""

import asyncio
import os
import pty
import signal
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from pvcharge import config
from pvcharge.app import App
from pvcharge.clock import SystemClock
from pvcharge.model import Reason
from pvcharge.service import STOP_SIGNALS, serve
from pvcharge.sim.wattpilot import WattpilotServer
from pvcharge.tasks.notify import Notifier
from service.rig import PASSWORD, Daemon, car_at_the_box, devices_at, running

each_signal = pytest.mark.parametrize("number", STOP_SIGNALS)


@dataclass(frozen=True, slots=True)
class House:
    """A daemon and its box."""

    daemon: Daemon
    server: WattpilotServer


@pytest.fixture
async def house(tmp_path: Path) -> AsyncIterator[House]:
    """Run the daemon at a box that charges a car, until it has taken over the charge."""
    async with car_at_the_box() as server, running(tmp_path, devices=devices_at(server)) as daemon:
        await daemon.says(event="decided", reason=Reason.NO_DATA)
        yield House(daemon, server)


@each_signal
async def test_signal_ends_it_cleanly(house: House, number: signal.Signals) -> None:
    """The charge is left as configured, the service manager knows all the way, the exit code is 0."""
    daemon, box = house.daemon, house.server.box
    assert box.properties["frc"] == 0
    daemon.process.send_signal(number)
    assert await daemon.ended() == 0
    assert box.properties["frc"] == 1
    ready, *between, stopping = daemon.told_meanwhile()
    assert ready == "READY=1\nSTATUS=running as standalone"
    assert stopping.startswith("STOPPING=1\nSTATUS=")
    fed = [message for message in between if not message.startswith("STATUS=")]
    assert set(fed) == {"WATCHDOG=1"}


@each_signal
async def test_second_signal_kills_it(house: House, number: signal.Signals) -> None:
    """A box that does not answer is not waited for, if somebody says so twice."""
    daemon, server = house.daemon, house.server
    server.faults.freeze = True
    daemon.process.send_signal(signal.SIGTERM)
    await daemon.says(event="stopping")
    daemon.process.send_signal(number)
    assert await daemon.ended() == -number
    assert server.box.properties["frc"] == 0


async def test_status_says_what_is_done_and_who_fails(house: House) -> None:
    """In plain words, for `systemctl status`."""
    status = await house.daemon.tells("STATUS=surplus: ")
    while "Failing: solaredge." not in status:
        status = await house.daemon.tells("STATUS=")
    assert status.startswith("STATUS=surplus: ")
    assert "\n" not in status


async def test_terminal_that_is_gone_ends_it_cleanly(tmp_path: Path) -> None:
    """Its hang-up is no wish for another configuration: nobody would be left who could end the daemon."""
    terminal, its_end = pty.openpty()
    try:
        async with (
            car_at_the_box() as server,
            running(tmp_path, devices=devices_at(server), stdin=its_end) as daemon,
        ):
            await daemon.says(event="decided", reason=Reason.NO_DATA)
            daemon.hang_up()
            await daemon.says(event="configuration read again")
            os.close(terminal)
            terminal = -1
            daemon.hang_up()
            assert await daemon.ended() == 0
            assert server.box.properties["frc"] == 1
    finally:
        for descriptor in (terminal, its_end):
            if descriptor >= 0:
                os.close(descriptor)


class Faulty(App):
    """A daemon with a fault that no restart of a task can mend."""

    async def run(self) -> None:
        """Fail after a while."""
        await asyncio.sleep(0.01)
        raise ZeroDivisionError("a bug")


async def test_fault_is_raised(tmp_path: Path) -> None:
    """What ends the daemon without a signal reaches the command, which turns it into exit code 1."""
    tables: dict[str, Any] = {
        "state_dir": str(tmp_path),
        "site": {"latitude": 48.2, "longitude": 16.4, "timezone": "Europe/Vienna"},
        "inverter": [{"driver": "solaredge", "site_id": 4711, "api_key": "SITEKEY"}],
        "charger": {"driver": "wattpilot", "host": "192.0.2.1", "password": PASSWORD},
    }
    app = Faulty(config.build(tables, Path("test")), SystemClock())
    with pytest.raises(ExceptionGroup) as raised:
        await serve(app, Notifier())
    assert isinstance(raised.value.exceptions[0], ZeroDivisionError)
