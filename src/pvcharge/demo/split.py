"""Cloud and edge as two processes on the stage, with a broker between them: `pvcharge run` twice."""

import asyncio
import json
import os
import sys
from asyncio.subprocess import DEVNULL, Process
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from pathlib import Path
from typing import Any

from pvcharge import config
from pvcharge.demo.broker import HOST, private_broker
from pvcharge.demo.latest import Latest
from pvcharge.demo.options import DemoOptions, Summary
from pvcharge.demo.stage import SITE, Stage
from pvcharge.mqtt import topics
from pvcharge.mqtt.acl import acl
from pvcharge.mqtt.bus import Message
from pvcharge.mqtt.link import Link
from pvcharge.mqtt.payloads import PayloadError, decode_lease, decode_status
from pvcharge.mqtt.settings import MqttSettings
from pvcharge.mqtt.topics import TOPICS, Namespace
from pvcharge.problems import ENV_PREFIX

EDGE_USER, CLOUD_USER, HOME_ASSISTANT, WATCHER = f"edge-{SITE}", f"cloud-{SITE}", "homeassistant", "demo"
BROKER_PASSWORD = "demo"  # noqa: S105 - of a broker on loopback that dies with the demo
STOP_S = 15.0
LAST_WORDS = 5  # lines of the log of a daemon that has ended by itself


class SplitError(Exception):
    """One of the two daemons has ended by itself; the message holds its last words."""


class SplitDemo:
    """A running demo of both roles; what it shows of them it hears at the broker.

    Args:
        options: what is simulated.
        folder: for configurations, logs and state.

    Attributes:
        port: of the broker, while running.
        processes: of the daemons by role, while running.
    """

    def __init__(self, options: DemoOptions, folder: Path) -> None:
        self.stage = Stage(options)
        self.latest = Latest(self.stage.timezone)
        self.port = 0
        self.processes: dict[str, Process] = {}
        self._namespace = Namespace("pvcharge", SITE)
        self._folder = folder
        self._counts = Summary()
        self._setpoint: object = None
        self._leased = asyncio.Event()

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Run devices, broker and both daemons for as long as the context lasts.

        Raises:
            BrokerError: there is no Mosquitto here.
            SplitError: within a group: a daemon has ended by itself.
        """
        async with AsyncExitStack() as stack:
            users = dict.fromkeys((EDGE_USER, CLOUD_USER, HOME_ASSISTANT, WATCHER), BROKER_PASSWORD)
            rules = f"{acl(self._namespace)}\nuser {WATCHER}\ntopic read {self._namespace.prefix}/{SITE}/#\n"
            self.port = await stack.enter_async_context(private_broker(self._folder, users, rules))
            await stack.enter_async_context(self.stage.running())
            await self._configure()
            for role in ("edge", "cloud"):
                self.processes[role] = await stack.enter_async_context(self._daemon(role))
            async with asyncio.TaskGroup() as group:
                tasks = [
                    group.create_task(self._let_car_come(), name="car"),
                    group.create_task(self._watcher().run(), name="view"),
                    *(group.create_task(self._guard(role), name=role) for role in self.processes),
                ]
                yield
                for task in tasks:
                    task.cancel()

    def invitation(self) -> list[str]:
        """Return lines that say what runs here, and how to take part."""
        pids = ", ".join(f"{role} with process id {process.pid}" for role, process in self.processes.items())
        at = f"-h {HOST} -p {self.port} -u {HOME_ASSISTANT} -P {BROKER_PASSWORD}"
        root = f"{self._namespace.prefix}/{SITE}"
        return [
            f"{pids}; broker on port {self.port}. From another terminal:",
            f"  mosquitto_sub {at} -v -t '{root}/#'",
            f"  mosquitto_pub {at} -q 1 -t {root}/boost/set -m ON",
        ]

    def summary(self) -> Summary:
        """Return the counts up to now."""
        return self.stage.count(self._counts)

    async def _configure(self) -> None:
        """Write both configuration files, and log in to the inverter's cloud as the user would."""
        edge = {"role": "edge", **self.stage.site_tables(self._folder / "edge"), **self._mqtt(EDGE_USER)}
        cloud = {"role": "cloud", **self.stage.site_tables(self._folder / "cloud"), **self._mqtt(CLOUD_USER)}
        files = {"edge": edge | self.stage.charger_tables(), "cloud": cloud | self.stage.inverter_tables()}
        for role, tables in files.items():
            path = self._config(role)
            path.touch(mode=0o600)
            path.write_text(_toml(tables), encoding="utf-8")
            (self._folder / role).mkdir()
        await self.stage.log_in(config.build(files["cloud"], self._config("cloud")))

    def _config(self, role: str) -> Path:
        return self._folder / f"{role}.toml"

    def _mqtt(self, user: str) -> dict[str, Any]:
        return {"mqtt": self._broker_table(user)}

    def _broker_table(self, user: str) -> dict[str, Any]:
        return {
            "host": HOST,
            "port": self.port,
            "tls": False,
            "username": user,
            "password": BROKER_PASSWORD,
        }

    @asynccontextmanager
    async def _daemon(self, role: str) -> AsyncIterator[Process]:
        """Run `pvcharge run` as a process, on the stage's clock."""
        stage = self.stage
        clock = f"{stage.start.isoformat()},{stage.options.speed},{stage.start_unix_s}"
        with self._log(role).open("wb") as log:
            process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-m", "pvcharge", "run", "-c", str(self._config(role)), "--clock", clock),
                stdout=DEVNULL,
                stderr=log,
                env=_environment(),
            )
        try:
            yield process
        finally:
            with suppress(ProcessLookupError):
                process.terminate()
            await asyncio.wait_for(process.wait(), STOP_S)

    async def _guard(self, role: str) -> None:
        """Notice that a daemon has ended by itself."""
        code = await self.processes[role].wait()
        lines = self._log(role).read_text(encoding="utf-8", errors="replace").splitlines()
        raise SplitError("\n".join([f"the {role} has ended with code {code}:", *lines[-LAST_WORDS:]]))

    def _log(self, role: str) -> Path:
        return self._folder / f"{role}.log"

    async def _let_car_come(self) -> None:
        """Plug the car in when the cloud has reached the charger."""
        await self._leased.wait()
        await self.stage.let_car_come()

    def _watcher(self) -> Link:
        """Return a connection of the demo's own, which listens to all that is said."""
        settings = MqttSettings.model_validate(self._broker_table(WATCHER))
        link = Link(settings, client_id="pvcharge-demo", will=None, clock=self.stage.clock)
        link.listen(self._namespace.path(topics.STATE), self._hear_state)
        link.listen(self._namespace.path(topics.CHARGER), self._hear_status)
        link.listen(self._namespace.path(topics.SETPOINT), self._hear_setpoint)
        for topic in TOPICS:
            link.listen(self._namespace.error(topic), self._hear_error)
        return link

    async def _hear_state(self, message: Message) -> None:
        with suppress(ValueError):
            self.latest.take_state(json.loads(message.payload), self.stage.clock.now())

    async def _hear_status(self, message: Message) -> None:
        with suppress(PayloadError):
            self.latest.take(decode_status(message.payload), self.stage.clock.now())

    async def _hear_setpoint(self, message: Message) -> None:
        with suppress(PayloadError):
            setpoint = decode_lease(message.payload).setpoint
            self._leased.set()
            self._counts.setpoints += setpoint != self._setpoint
            self._setpoint = setpoint

    async def _hear_error(self, _: Message) -> None:
        self._counts.errors += 1


def _environment() -> dict[str, str]:
    """Return ours without what is meant for a real daemon beside the demo."""
    meant_for_daemons = (ENV_PREFIX, "NOTIFY_", "WATCHDOG_", "STATE_DIRECTORY", "CREDENTIALS_DIRECTORY")
    return {name: value for name, value in os.environ.items() if not name.startswith(meant_for_daemons)}


def _toml(tables: dict[str, Any]) -> str:
    """Return tables of plain values, of tables, and of lists of tables as TOML; strings are as in JSON."""
    plain = {key: value for key, value in tables.items() if not isinstance(value, dict | list)}
    lines = [f"{key} = {json.dumps(value, ensure_ascii=False)}" for key, value in plain.items()]
    for key, value in tables.items():
        for table in value if isinstance(value, list) else [value] if isinstance(value, dict) else []:
            lines += [f"[[{key}]]" if isinstance(value, list) else f"[{key}]", _toml(table)]
    return "\n".join(lines) + "\n"
