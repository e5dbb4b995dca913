"""Cloud and edge on the stage with a broker of their own; what is shown of them is heard there."""

import asyncio
import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

from pvcharge.demo.broker import HOST, private_broker
from pvcharge.demo.latest import Latest
from pvcharge.demo.options import DemoOptions, Summary
from pvcharge.demo.pages import url
from pvcharge.demo.pair import PAGE_ORDER, Pair
from pvcharge.demo.stage import SITE, Stage
from pvcharge.mqtt import topics
from pvcharge.mqtt.acl import acl
from pvcharge.mqtt.bus import Message
from pvcharge.mqtt.link import Link
from pvcharge.mqtt.payloads import decode_lease, decode_status
from pvcharge.mqtt.settings import MqttSettings
from pvcharge.mqtt.topics import TOPICS, Namespace
from pvcharge.mqtt.wire import PayloadError

USERS = {"edge": f"edge-{SITE}", "cloud": f"cloud-{SITE}"}
HOME_ASSISTANT, WATCHER = "homeassistant", "demo"
PASSWORD = "demo"  # noqa: S105 - of a broker on loopback that dies with the demo


class SplitError(Exception):
    """One of the two daemons has ended by itself; the message holds its last words."""


class SplitDemo:
    """A running demo of both roles.

    Args:
        options: what is simulated.
        folder: for configurations, logs and state.

    Attributes:
        pages: addresses by role.
    """

    def __init__(self, options: DemoOptions, folder: Path) -> None:
        self.stage = Stage(options)
        self.latest = Latest(self.stage.timezone)
        self.pages: Mapping[str, str] = {
            role: url(port) for role, port in zip(PAGE_ORDER, options.ports, strict=False)
        }
        self._namespace = Namespace("pvcharge", SITE)
        self._folder = folder
        self._invitation: list[str] = []
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
        passwords = dict.fromkeys((*USERS.values(), HOME_ASSISTANT, WATCHER), PASSWORD)
        rules = f"{acl(self._namespace)}\nuser {WATCHER}\ntopic read {self._namespace.prefix}/{SITE}/#\n"
        async with private_broker(self._folder, passwords, rules) as port:
            pair = Pair(self.stage, self._folder, {role: _login(port, user) for role, user in USERS.items()})
            async with self.stage.running(), pair.running(), asyncio.TaskGroup() as group:
                self._invite(port, pair)
                tasks = [
                    group.create_task(self._let_car_come(), name="car"),
                    group.create_task(self._watcher(port).run(), name="view"),
                    *(group.create_task(_guard(pair, role), name=role) for role in USERS),
                ]
                yield
                for task in tasks:
                    task.cancel()

    def invitation(self) -> list[str]:
        """Return lines that say what runs here, and how to take part."""
        return self._invitation

    def summary(self) -> Summary:
        """Return the counts up to now."""
        return self.stage.count(self._counts)

    def _invite(self, port: int, pair: Pair) -> None:
        pids = ", ".join(f"{role} with process id {process.pid}" for role, process in pair.processes.items())
        at = f"-h {HOST} -p {port} -u {HOME_ASSISTANT} -P {PASSWORD}"
        root = f"{self._namespace.prefix}/{SITE}"
        self._invitation = [
            *(f"Page of the {role}: {address}" for role, address in self.pages.items()),
            f"{pids}; broker on port {port}. From another terminal:",
            f"  mosquitto_sub {at} -v -t '{root}/#'",
            f"  mosquitto_pub {at} -q 1 -t {root}/boost/set -m ON",
        ]

    async def _let_car_come(self) -> None:
        """Plug the car in when the cloud has reached the charger."""
        await self._leased.wait()
        await self.stage.let_car_come()

    def _watcher(self, port: int) -> Link:
        """Return a connection of the demo's own, which listens to all that is said."""
        settings = MqttSettings.model_validate(_login(port, WATCHER))
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


def _login(port: int, user: str) -> dict[str, Any]:
    return {"host": HOST, "port": port, "tls": False, "username": user, "password": PASSWORD}


async def _guard(pair: Pair, role: str) -> None:
    """Notice that a daemon has ended by itself."""
    code = await pair.processes[role].wait()
    raise SplitError(f"the {role} has ended with code {code}:\n{pair.last_words(role)}")
