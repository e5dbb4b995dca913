"""Broker, cloud and edge as the compose file runs them, but as processes; with simulated devices.

Configurations and access rules are the shipped ones; certificates, passwords and secrets are made by
`docker/prepare`. What differs comes by the environment: where the devices and the broker are.
"""

import asyncio
import json
import os
import re
import shutil
import subprocess
import sys
from asyncio.subprocess import DEVNULL, Process
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path

import aiohttp

from pvcharge.demo import DemoOptions, Stage
from pvcharge.demo.stage import CLIENT_ID, CLIENT_SECRET, PASSWORD, SITE_ID
from pvcharge.sim.feed import Source
from shipped.compose import ALL, FOLDER, ROOT, SECRETS
from support.broker import HOST, Broker, free_port

ROLES = ("cloud", "edge")
SPEED = 60.0
PATIENCE_S = 30.0  # real seconds; only a test that fails takes so long
STOP_S = 5.0


class Containers:
    """What runs.

    Args:
        folder: as `docker/prepare` has made it.
        stage: the devices, to be running.
        broker: running.

    Attributes:
        processes: by role.
        ports: of the pages, by role.
    """

    def __init__(self, folder: Path, stage: Stage, broker: Broker) -> None:
        self.stage = stage
        self.processes: dict[str, Process] = {}
        self.ports = {role: free_port() for role in ROLES}
        self._folder = folder
        self._broker = broker

    def environment(self, role: str) -> dict[str, str]:
        """Return the variables by which a role is told where devices and broker are."""
        secrets = mounted(self._folder, role)
        state = self._folder / f"state-{role}"
        state.mkdir(exist_ok=True)
        common = {
            "CREDENTIALS_DIRECTORY": str(secrets),
            "STATE_DIRECTORY": str(state),
            "PVCHARGE_MQTT__HOST": "localhost",
            "PVCHARGE_MQTT__PORT": str(self._broker.port),
            "PVCHARGE_MQTT__CA_FILE": str(secrets / "mqtt-ca.pem"),
            "PVCHARGE_WEB__LISTEN": f"{HOST}:{self.ports[role]}",
        }
        charger = self.stage.charger
        if role == "edge":
            return common | {
                "PVCHARGE_CHARGER__HOST": charger.host,
                "PVCHARGE_CHARGER__PORT": str(charger.port),
            }
        inverter = {
            "driver": "solaredge",
            "site_id": SITE_ID,
            "client_id": CLIENT_ID,
            "client_secret_file": "solaredge-client-secret",
            "data": "live",
            "base_url": self.stage.cloud.base_url,
            "authorize_url": f"{self.stage.cloud.base_url}/authorize",
        }
        return common | {
            "PVCHARGE_INVERTER": json.dumps([inverter]),
            "PVCHARGE_INFLUXDB__URL": f"http://{HOST}:9",  # nobody is there
        }

    async def start(self, role: str, *arguments: str) -> Process:
        """Run a command of pvcharge in a role."""
        with (self._folder / f"{role}.log").open("ab") as log:
            return await asyncio.create_subprocess_exec(
                *(sys.executable, "-m", "pvcharge", *arguments, "-c", str(self._folder / f"{role}.toml")),
                stdin=DEVNULL,
                stdout=log,
                stderr=log,
                env={**clean_environment(), **self.environment(role)},
            )

    async def log_in(self) -> None:
        """Do what a user does once: `login solaredge`."""
        address = f"{self.stage.cloud.base_url}/authorize"
        asked = {"client_id": CLIENT_ID, "response_type": "code"}
        async with aiohttp.ClientSession() as session, session.get(address, params=asked) as response:
            _, _, rest = (await response.text()).partition("Code: ")
        code = re.split(r"[\s<]", rest, maxsplit=1)[0]
        process = await self.start("cloud", "login", "solaredge", f"--code={code}")
        assert await process.wait() == 0, self.log("cloud")

    async def run(self, role: str) -> None:
        """Start a daemon on the stage's clock."""
        clock = f"{self.stage.start.isoformat()},{self.stage.options.speed},{self.stage.start_unix_s}"
        self.processes[role] = await self.start(role, "run", "--clock", clock)

    async def stop(self, role: str) -> int:
        """Stop a daemon as Docker does, and return its exit code."""
        process = self.processes[role]
        if process.returncode is None:
            process.terminate()
        async with asyncio.timeout(STOP_S + 5):
            return await process.wait()

    def log(self, role: str) -> str:
        """Return what a role has logged."""
        return (self._folder / f"{role}.log").read_text(encoding="utf-8", errors="replace")

    async def health(self, role: str) -> tuple[int, str]:
        """Return status and text of what the health check asks; (0, reason) while nobody answers."""
        try:
            async with (
                aiohttp.ClientSession() as session,
                session.get(f"http://{HOST}:{self.ports[role]}/healthz") as response,
            ):
                return response.status, await response.text()
        except aiohttp.ClientError as error:
            return 0, str(error)


def clean_environment() -> dict[str, str]:
    """Return the environment without what is meant for another daemon."""
    others = ("PVCHARGE_", "NOTIFY_", "WATCHDOG_", "STATE_DIRECTORY", "CREDENTIALS_DIRECTORY")
    return {name: value for name, value in os.environ.items() if not name.startswith(others)}


def prepare(folder: Path, *options: str, broker: str = "localhost") -> str:
    """Run `docker/prepare`, and return what it says."""
    done = subprocess.run(  # noqa: S603 - our own script
        [str(ROOT / "docker" / "prepare"), *options, str(folder), broker],
        check=True,
        capture_output=True,
        text=True,
        env={**os.environ, "PATH": f"{os.environ['PATH']}:/usr/sbin"},
    )
    return done.stdout


def add_secrets(folder: Path, secrets: Mapping[str, str]) -> None:
    """Write what only the user knows."""
    for name, secret in secrets.items():
        (folder / "secrets" / name).write_text(secret, encoding="utf-8")


def mounted(folder: Path, service: str) -> Path:
    """Return a folder with the secrets that a service is given, by the names that it knows."""
    target = folder / f"mounted-{service}"
    if not target.exists():
        target.mkdir()
        for name, path in ALL.secrets(service).items():
            shutil.copy(folder / path.relative_to(FOLDER), target / name)
    return target


@asynccontextmanager
async def broker_of(folder: Path) -> AsyncIterator[Broker]:
    """Run Mosquitto with the container's configuration, at another port and with its files elsewhere."""
    broker = Broker(folder, free_port(), {}, None)
    text = (ROOT / "docker" / "mosquitto.conf").read_text(encoding="utf-8")
    moved = {
        f"{SECRETS}/": f"{mounted(folder, 'broker')}/",
        "listener 8883": f"listener {broker.port} {HOST}",
        "/mosquitto/data/": f"{folder}/",
        "log_dest stdout": f"log_dest file {broker.log_file}",
    }
    for old, new in moved.items():
        assert old in text
        text = text.replace(old, new)
    (folder / "mosquitto.conf").write_text(f"user root\n{text}", encoding="utf-8")
    try:
        await broker.start()
        yield broker
    finally:
        await broker.kill()


@asynccontextmanager
async def running(folder: Path) -> AsyncIterator[Containers]:
    """Run everything; the car is there when both roles are."""
    prepare(folder)
    secrets = {"solaredge-client-secret": CLIENT_SECRET, "wattpilot-password": PASSWORD}
    add_secrets(folder, secrets | {"influx-token": "token", "influx-read-token": "token"})
    stage = Stage(DemoOptions(SPEED, source=Source.LIVE))
    async with broker_of(folder) as broker, stage.running():
        containers = Containers(folder, stage, broker)
        try:
            await containers.log_in()
            for role in ROLES:
                await containers.run(role)
            yield containers
        finally:
            for role in containers.processes:
                await containers.stop(role)
