"""`pvcharge run` as a process: it says when it is ready, and stops as it is told to."""

import asyncio
import json
import os
import signal
import socket
import sys
from asyncio.subprocess import DEVNULL, PIPE, Process
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from pvcharge import config
from pvcharge.app import STOP_SIGNALS, App, serve
from pvcharge.clock import FastClock, SystemClock
from pvcharge.model import Reason
from pvcharge.sim.car import Car
from pvcharge.sim.wattpilot import WattpilotBox, WattpilotServer
from pvcharge.tasks.notify import Notifier

PASSWORD = "box-password"
PATIENCE_S = 30.0  # real seconds; only a test that fails takes so long
HASTE = 50.0  # of the box, which would report only every few seconds

CONFIG = """
state_dir = "{state_dir}"
[site]
latitude = 48.2
longitude = 16.4
timezone = "Europe/Vienna"
[[inverter]]
driver = "solaredge"
site_id = 4711
api_key = "SITEKEY"
base_url = "http://127.0.0.1:9"
[charger]
driver = "wattpilot"
host = "{host}"
port = {port}
password = "{password}"
[log]
format = "json"
"""


each_signal = pytest.mark.parametrize("number", STOP_SIGNALS)


class Daemon:
    """The process, what it says to its service manager, and the box it controls."""

    def __init__(self, process: Process, manager: socket.socket, server: WattpilotServer) -> None:
        self.process = process
        self.server = server
        self._manager = manager

    async def says(self, **expected: str) -> None:
        """Wait for a line of the log that holds all of this."""
        assert self.process.stderr is not None
        async with asyncio.timeout(PATIENCE_S):
            async for line in self.process.stderr:
                if expected.items() <= json.loads(line).items():
                    return
        pytest.fail(f"the daemon ended without saying {expected}")

    async def ended(self) -> int:
        """Wait for the end and return the exit code."""
        async with asyncio.timeout(PATIENCE_S):
            await self.process.communicate()
        assert self.process.returncode is not None
        return self.process.returncode

    def told_manager(self) -> list[str]:
        """Return what the service manager was told."""
        messages = []
        while True:
            try:
                messages.append(self._manager.recv(4096).decode())
            except BlockingIOError:
                return messages


@asynccontextmanager
async def _running(server: WattpilotServer, folder: Path) -> AsyncIterator[Daemon]:
    file, notify = folder / "pvcharge.toml", folder / "notify"
    file.write_text(
        CONFIG.format(state_dir=folder, host=server.host, port=server.port, password=PASSWORD),
        encoding="utf-8",
    )
    file.chmod(0o600)
    environment = {**os.environ, "NOTIFY_SOCKET": str(notify), "WATCHDOG_USEC": "2000000"}
    environment.pop("WATCHDOG_PID", None)
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(str(notify))
        manager.settimeout(0)
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "pvcharge", "run", "--config", str(file)),
            env=environment,
            stdout=DEVNULL,
            stderr=PIPE,
        )
        try:
            yield Daemon(process, manager, server)
        finally:
            if process.returncode is None:
                process.kill()
                await process.communicate()


@pytest.fixture
async def daemon(tmp_path: Path) -> AsyncIterator[Daemon]:
    """Run the daemon at a box that charges a car, until it has taken over the charge."""
    box = WattpilotBox()
    server = WattpilotServer(box, password=PASSWORD, clock=FastClock(datetime.now(UTC), HASTE))
    await server.start()
    try:
        box.plug(Car())
        async with _running(server, tmp_path) as daemon:
            await daemon.says(event="decided", reason=Reason.NO_DATA)
            yield daemon
    finally:
        await server.aclose()


@each_signal
async def test_signal_ends_it_cleanly(daemon: Daemon, number: signal.Signals) -> None:
    """The charge is left as configured, the service manager knows all the way, the exit code is 0."""
    assert daemon.server.box.properties["frc"] == 0
    daemon.process.send_signal(number)
    assert await daemon.ended() == 0
    assert daemon.server.box.properties["frc"] == 1
    ready, *fed, stopping = daemon.told_manager()
    assert (ready, stopping) == ("READY=1\nSTATUS=running as standalone", "STOPPING=1")
    assert set(fed) == {"WATCHDOG=1"}


@each_signal
async def test_second_signal_kills_it(daemon: Daemon, number: signal.Signals) -> None:
    """A box that does not answer is not waited for, if somebody says so twice."""
    daemon.server.faults.freeze = True
    daemon.process.send_signal(signal.SIGTERM)
    await daemon.says(event="stopping")
    daemon.process.send_signal(number)
    assert await daemon.ended() == -number
    assert daemon.server.box.properties["frc"] == 0


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
    with pytest.RaisesGroup(ZeroDivisionError):
        await serve(app, Notifier())
