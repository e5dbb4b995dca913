"""A daemon as a process: what it logs, what it tells its service manager, and the box that it controls."""

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

from pvcharge.cli.api import Api
from pvcharge.clock import FastClock
from pvcharge.sim.car import Car
from pvcharge.sim.wattpilot import WattpilotBox, WattpilotServer
from support.broker import free_port

PASSWORD = "box-password"
PATIENCE_S = 30.0  # real seconds; only a test that fails takes so long
HASTE = 50.0  # of the box, which would report only every few seconds
NOBODY = "http://127.0.0.1:9"

SITE = """
[site]
latitude = 48.2
longitude = 16.4
timezone = "Europe/Vienna"
"""
INVERTER = """
[[inverter]]
driver = "solaredge"
site_id = 4711
api_key = "SITEKEY"
base_url = "{base_url}"
"""
CHARGER = """
[charger]
driver = "wattpilot"
host = "{host}"
port = {port}
password = "box-password"
"""
LOG = """
[log]
format = "json"
"""


class Daemon:
    """The process, and the test in the place of its service manager.

    Attributes:
        process: the daemon.
        file: its configuration.
        told: what the service manager was told so far.
        lines: of its log, as far as it was read.
    """

    def __init__(self, process: Process, file: Path, manager: socket.socket, web_port: int) -> None:
        self.process = process
        self.file = file
        self.told: list[str] = []
        self.lines: list[dict[str, Any]] = []
        self._manager = manager
        self._api = Api(f"http://127.0.0.1:{web_port}", None)

    async def says(self, **expected: object) -> dict[str, Any]:
        """Wait for the next line of the log that holds all of this, and return it."""
        assert self.process.stderr is not None
        async with asyncio.timeout(PATIENCE_S):
            async for line in self.process.stderr:
                self.lines.append(json.loads(line))
                if expected.items() <= self.lines[-1].items():
                    return self.lines[-1]
        pytest.fail(f"the daemon ended without saying {expected}: {self.lines}")

    async def has_said(self, **expected: object) -> dict[str, Any]:
        """Return a line of the log that holds all of this, waiting for it if there was none yet."""
        said = (line for line in self.lines if expected.items() <= line.items())
        return next(said, None) or await self.says(**expected)

    async def tells(self, words: str) -> str:
        """Wait until the service manager is told something with these words in it, and return it."""
        loop = asyncio.get_running_loop()
        ended = asyncio.create_task(self.process.wait())
        try:
            async with asyncio.timeout(PATIENCE_S):
                while True:
                    heard = asyncio.create_task(loop.sock_recv(self._manager, 4096))
                    await asyncio.wait((heard, ended), return_when=asyncio.FIRST_COMPLETED)
                    if not heard.done():
                        heard.cancel()
                        _, said = await self.process.communicate()
                        pytest.fail(f"the daemon ended without telling {words}: {said.decode()}")
                    self.told.append(heard.result().decode())
                    if words in self.told[-1]:
                        return self.told[-1]
        finally:
            ended.cancel()

    def told_meanwhile(self) -> list[str]:
        """Return what the service manager was told since it was asked last."""
        messages = []
        while True:
            try:
                messages.append(self._manager.recv(4096).decode())
            except BlockingIOError:
                self.told += messages
                return messages

    async def ended(self, within_s: float = PATIENCE_S) -> int:
        """Wait for the end and return the exit code."""
        async with asyncio.timeout(within_s):
            _, rest = await self.process.communicate()
        self.lines += [json.loads(line) for line in rest.splitlines()]
        assert self.process.returncode is not None
        return self.process.returncode

    def edit(self, before: str, after: str) -> None:
        """Change the configuration file."""
        text = self.file.read_text(encoding="utf-8")
        assert before in text
        self.file.write_text(text.replace(before, after), encoding="utf-8")

    def hang_up(self) -> None:
        """Send SIGHUP, as `systemctl reload` does."""
        self.process.send_signal(signal.SIGHUP)

    async def ask(self, method: str, path: str, **body: object) -> dict[str, Any]:
        """Ask the page's API."""
        return await asyncio.to_thread(self._api.ask, method, path, body or None)

    async def setting(self, key: str) -> dict[str, Any]:
        """Return a setting as the page shows it."""
        document = await self.ask("GET", "/settings")
        return next(entry for entry in document["settings"] if entry["key"] == key)


@asynccontextmanager
async def running(
    folder: Path,
    tables: str = "",
    *,
    top: str = "",
    devices: str | None = None,
    patch: str = "",
    environment: dict[str, str] | None = None,
    stdin: int = DEVNULL,
) -> AsyncIterator[Daemon]:
    """Run a daemon for as long as the context lasts, then kill it.

    Args:
        folder: for all its files.
        tables: of the configuration, besides those of site, log and page.
        top: what stands before all tables.
        devices: tables of inverter and charger; by default there are some that nobody can reach.
        patch: Python that is run in the process before the daemon, to break something in it.
        environment: further variables.
        stdin: a descriptor.
    """
    file, notify, web_port = folder / "pvcharge.toml", folder / "notify", free_port()
    if devices is None:
        devices = INVERTER.format(base_url=NOBODY) + CHARGER.format(host="127.0.0.1", port=9)
    web = f'[web]\nlisten = "127.0.0.1:{web_port}"\n'
    file.write_text(f'state_dir = "{folder}"\n{top}{SITE}{devices}{LOG}{web}{tables}', encoding="utf-8")
    file.chmod(0o600)
    variables = {**os.environ, "NOTIFY_SOCKET": str(notify), "WATCHDOG_USEC": "1000000"}
    variables.pop("WATCHDOG_PID", None)
    code = f"{patch}\nimport sys\nfrom pvcharge.cli.main import main\nsys.exit(main())"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        notify.unlink(missing_ok=True)  # of a daemon before
        manager.bind(str(notify))
        manager.settimeout(0)
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-c", code, "run", "--config", str(file)),
            env=variables | (environment or {}),
            stdin=stdin,
            stdout=DEVNULL,
            stderr=PIPE,
        )
        try:
            yield Daemon(process, file, manager, web_port)
        finally:
            if process.returncode is None:
                process.kill()
                await process.communicate()


@asynccontextmanager
async def car_at_the_box() -> AsyncIterator[WattpilotServer]:
    """Run a box at which a car is charged."""
    box = WattpilotBox()
    server = WattpilotServer(box, password=PASSWORD, clock=FastClock(datetime.now(UTC), HASTE))
    await server.start()
    try:
        box.plug(Car())
        yield server
    finally:
        await server.aclose()


def devices_at(server: WattpilotServer, base_url: str = NOBODY) -> str:
    """Return the tables of this box, and of an inverter whose cloud is there."""
    return INVERTER.format(base_url=base_url) + CHARGER.format(host=server.host, port=server.port)
