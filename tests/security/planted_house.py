"""Two real daemons that know the planted secrets, one in a good course and one in a bad, and all they say."""

import asyncio
import json
import os
import signal
import sys
from asyncio.subprocess import DEVNULL, PIPE, Process
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from pvcharge.clock import FastClock
from pvcharge.sim.car import Car
from pvcharge.sim.house import House
from pvcharge.sim.invented import invented
from pvcharge.sim.solaredge import SolarEdgeServer
from pvcharge.sim.wattpilot import WattpilotBox, WattpilotServer
from pvcharge.toml import toml
from pvcharge.web.access.passwords import make_hash
from security import planted
from support.broker import Broker, free_port
from support.services import require

SITE = {"latitude": 48.2, "longitude": 16.4, "timezone": "Europe/Vienna"}
SITE_ID, USER = 4711, "controller"
SPEED = 3000.0  # of the bad course, whose waits are long
PATIENCE_S = 30.0  # real seconds; only a test that fails takes so long
# Files of the state directory whose job it is to hold something secret.
HOLDERS = {"web-sessions.json", "web-tokens.json", "web-token", "solaredge-1-tokens.json"}
# The worst of a foreign library: an error whose text is made of secrets, in no form that could be known.
CRASHES = """
from pvcharge.drivers.solaredge import client
understand, seen = client.understand, []
def crash(answer):
    seen.append(answer)
    if len(seen) % 3 == 2:
        raise RuntimeError('we sent ' + ' '.join(answer.secrets))
    return understand(answer)
client.understand = crash
"""


class Daemon:
    """One of the two.

    Attributes:
        name: "good" or "bad".
        folder: for its configuration, secrets and state.
        file: the configuration.
        state_dir: its state.
        web_port: of its page.
        environment: its variables, besides those of the test.
    """

    def __init__(self, folder: Path, name: str) -> None:
        self.name = name
        self.folder = folder / name
        self.state_dir = self.folder / "state"
        self.state_dir.mkdir(parents=True, mode=0o700)
        self.file = self.folder / "pvcharge.toml"
        self.web_port = free_port()
        self.environment: dict[str, str] = {}
        self.stderr = b""
        self._process: Process | None = None
        self._reading: asyncio.Task[None] | None = None

    def keep(self, name: str, secret: str, *, credential: bool = False) -> str:
        """Write a secret to a file of its own, and return what `<key>_file` must say."""
        folder = self.folder / "systemd" if credential else self.folder
        folder.mkdir(exist_ok=True)
        if credential:
            self.environment["CREDENTIALS_DIRECTORY"] = str(folder)
        path = folder / name
        path.touch(0o600)
        path.write_text(f"{secret}\n", encoding="utf-8")
        return name

    def configure(self, tables: Mapping[str, Any]) -> None:
        """Write the configuration."""
        self.file.touch(0o600)
        web = {"listen": f"127.0.0.1:{self.web_port}", **tables["web"]}
        whole = {"state_dir": str(self.state_dir), "site": SITE, **tables, "web": web}
        self.file.write_text(toml(whole), encoding="utf-8")

    @asynccontextmanager
    async def running(self, patch: str = "", *options: str) -> AsyncIterator[None]:
        """Run it, and then stop it well."""
        code = f"{patch}\nimport sys\nfrom pvcharge.cli.main import main\nsys.exit(main())"
        self._process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-X", "dev", "-c", code, "run", "-c", str(self.file), *options),
            env={**os.environ, **self.environment},
            stdin=DEVNULL,
            stdout=PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
        self._reading = asyncio.create_task(self._read(self._process))
        try:
            await self.says(b"web server listens")
            yield
            self._process.terminate()
            async with asyncio.timeout(PATIENCE_S):
                assert await self._process.wait() == 0, self.stderr.decode()
            await self._reading
        finally:
            if self._process.returncode is None:
                self._process.kill()
                await self._process.wait()
            self._reading.cancel()

    async def says(self, words: bytes, times: int = 1) -> None:
        """Wait until it has said something so many times."""
        await until(lambda: self.stderr.count(words) >= times, f"{self.name}: {words!r}", self)

    def hang_up(self) -> None:
        """Send SIGHUP."""
        assert self._process is not None
        self._process.send_signal(signal.SIGHUP)

    def command_line(self) -> bytes:
        """Return what everybody on this machine can see of it."""
        assert self._process is not None
        return Path(f"/proc/{self._process.pid}/cmdline").read_bytes()

    async def _read(self, process: Process) -> None:
        assert process.stdout is not None
        while chunk := await process.stdout.read(65_536):
            self.stderr += chunk


async def until(condition: Callable[[], object], what: str, daemon: Daemon) -> None:
    """Wait for something that nobody tells about."""
    try:
        async with asyncio.timeout(PATIENCE_S):
            while not condition():  # noqa: ASYNC110 - of another process
                await asyncio.sleep(0.02)
    except TimeoutError:
        raise AssertionError(f"{what} has not come about\n{daemon.stderr.decode()}") from None


def good(folder: Path, cloud: SolarEdgeServer, box: WattpilotServer, broker: Broker, influx: str) -> Daemon:
    """Return a daemon for which all is well; its secrets come in all four ways."""
    daemon = Daemon(folder, "good")
    inverter = {"driver": "solaredge", "site_id": SITE_ID, "base_url": cloud.base_url, "data": "live"}
    daemon.environment["PVCHARGE_MQTT__PASSWORD"] = planted.MQTT
    charger = _charger(box) | {"password_file": daemon.keep("box", planted.BOX, credential=True)}
    daemon.configure(
        {
            "inverter": [inverter | {"api_key": planted.API_KEY}],
            "charger": charger,
            "mqtt": _mqtt(broker),
            "influxdb": {"url": influx, "token": planted.INFLUX, "flush_s": 0.2},
            "web": {"password_file": daemon.keep("page", planted.PAGE)},
            "log": {"format": "json", "level": "debug"},
        }
    )
    return daemon


def bad(folder: Path, box: WattpilotServer, broker: Broker, echo: str) -> Daemon:
    """Return a daemon that everybody refuses, and repeats its words."""
    daemon = Daemon(folder, "bad")
    inverter = {"driver": "solaredge", "base_url": echo, "authorize_url": f"{echo}/authorize"}
    oauth = {"client_id": "app", "client_secret_file": daemon.keep("client", planted.CLIENT_SECRET)}
    daemon.configure(
        {
            "inverter": [
                inverter | {"name": "by_oauth", "site_id": 1} | oauth,
                inverter | {"name": "by_v1", "site_id": 2, "api": "v1", "api_key": planted.V1_KEY},
                inverter | {"name": "by_key", "site_id": 3, "api_key": planted.API_KEY},
            ],
            "charger": _charger(box) | {"password": planted.BOX_WRONG},
            "mqtt": _mqtt(broker) | {"password": planted.MQTT_WRONG},
            "influxdb": {"url": echo, "token": planted.INFLUX, "flush_s": 0.2},
            "web": {"password": make_hash(planted.PAGE)},
            "log": {"format": "console", "level": "debug"},
        }
    )
    tokens = daemon.state_dir / "solaredge-1-tokens.json"
    tokens.touch(0o600)
    expires_at = datetime.now(UTC) + timedelta(hours=3)
    kept = {"access_token": planted.ACCESS, "refresh_token": planted.REFRESH}
    tokens.write_text(json.dumps(kept | {"expires_at": expires_at.isoformat()}), encoding="utf-8")
    return daemon


def _charger(box: WattpilotServer) -> dict[str, Any]:
    return {"driver": "wattpilot", "host": box.host, "port": box.port}


def _mqtt(broker: Broker) -> dict[str, Any]:
    return {"host": broker.host, "port": broker.port, "tls": False, "username": USER}


@asynccontextmanager
async def devices() -> AsyncIterator[tuple[SolarEdgeServer, WattpilotServer]]:
    """Run the cloud and a box at which a car charges, for whoever knows the right secrets."""
    now = datetime.now(UTC)
    box, clock = WattpilotBox(), FastClock(now, 20.0)
    house = House(invented(1), start=now, charger_w=lambda: box.power_w, step_s=5.0)
    house.prefill(3600.0)
    cloud = SolarEdgeServer(
        house,
        site_id=SITE_ID,
        clock=FastClock(now, 1.0),
        api_key=planted.API_KEY,
        client_id="app",
        client_secret=planted.CLIENT_SECRET,
        tier="pro",
    )
    server = WattpilotServer(box, password=planted.BOX, clock=clock)
    await cloud.start()
    await server.start()
    try:
        box.plug(Car())
        yield cloud, server
    finally:
        await server.aclose()
        await cloud.aclose()


@asynccontextmanager
async def overheard(broker: Broker) -> AsyncIterator[list[bytes]]:
    """Listen to all topics; what was heard is there when the context has ended."""
    login = ("-u", "spy", "-P", broker.users["spy"])
    heard: list[bytes] = []
    spy = await asyncio.create_subprocess_exec(
        require("mosquitto_sub", "mosquitto-clients"),
        *("-h", broker.host, "-p", str(broker.port), *login, "-v", "-t", "#", "-V", "5"),
        stdout=PIPE,
    )
    try:
        yield heard
    finally:
        spy.terminate()
        out, _ = await spy.communicate()
        heard.append(out)
