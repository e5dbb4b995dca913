"""The house of these tests: simulated devices, `pvcharge run` as cloud and as edge, Mosquitto in between."""

import asyncio
import json
import subprocess
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from pvcharge.demo import DemoOptions, Stage
from pvcharge.demo.pair import ROLES, Pair
from pvcharge.mqtt.acl import acl
from pvcharge.mqtt.topics import Namespace
from pvcharge.sim.trace import Trace
from support.broker import Broker, running_broker
from support.services import require

SPEED = 20.0
LEASE_S = 60.0 / SPEED  # real seconds
PATIENCE_S = 40.0  # real seconds; only a test that fails takes so long
DAY = datetime(2026, 6, 15, tzinfo=UTC)
PASSWORDS = {"edge-demo": "edge's", "cloud-demo": "cloud's", "homeassistant": "ha's"}
SITE = Namespace("pvcharge", "demo")


def sunny() -> Trace:
    """Return a day with 5 kW from nine o'clock on, of which the house takes half a kW."""
    pv_w = [5000.0 if minute >= 540 else 0.0 for minute in range(1440)]
    return Trace(DAY, timedelta(minutes=1), pv_w, [500.0] * 1440)


class SplitHouse:
    """Everything that runs, and what a user can do with it."""

    def __init__(self, stage: Stage, pair: Pair, broker: Broker) -> None:
        self.stage = stage
        self.pair = pair
        self.broker = broker

    @property
    def power_w(self) -> float:
        """What the car draws."""
        return self.stage.box.power_w

    @property
    def passed_s(self) -> float:
        """Seconds of the house since the start."""
        return (self.stage.clock.now() - self.stage.start).total_seconds()

    def has_logged(self, role: str, words: str, times: int = 1) -> bool:
        """Whether a daemon has said something, so many times over all its lives."""
        return sum(words in line for line in self.pair.log(role)) >= times

    async def publish(self, topic: str, payload: str) -> None:
        """Publish with Mosquitto's own client, as Home Assistant's user."""
        await self._mosquitto("mosquitto_pub", "-q", "1", "-t", topic, "-m", payload)

    async def read(self, topic: str) -> str:
        """Return what is retained on a topic, waiting for it a while."""
        return await self._mosquitto("mosquitto_sub", "-t", topic, "-C", "1", "-W", "10")

    async def tells(self, key: str, value: object) -> None:
        """Wait until the controller's state says so."""
        async with asyncio.timeout(PATIENCE_S):
            while json.loads(await self.read("pvcharge/demo/state"))[key] != value:  # noqa: ASYNC110 - of another process
                await asyncio.sleep(0.1)

    async def until(self, condition: Callable[[], bool], what: str) -> None:
        """Wait until something is so that nobody tells about."""
        try:
            async with asyncio.timeout(PATIENCE_S):
                while not condition():  # noqa: ASYNC110 - there is no event to wait for
                    await asyncio.sleep(0.02)
        except TimeoutError:
            logs = "\n".join(f"{role}: {self.pair.last_words(role)}" for role in ROLES)
            raise AssertionError(f"{what} did not come about; {self.power_w:.0f} W\n{logs}") from None

    def shine(self, power_w: float) -> None:
        """Let the roof give so much from now on."""
        assert self.stage.options.trace is not None
        pv_means_w = self.stage.options.trace.pv_means_w
        assert isinstance(pv_means_w, list)
        pv_means_w[:] = [power_w] * len(pv_means_w)

    async def follows_surplus(self) -> None:
        """Wait until the car takes what would be sold: 4.5 kW, as near as whole amps come to it."""
        await self.until(lambda: 4400 < self.power_w < 5000, "charging by surplus")

    async def full_power(self) -> None:
        """Wait for a boost."""
        await self.until(lambda: self.power_w > 10_500, "full power")

    async def stops(self) -> None:
        """Wait until nothing flows."""
        await self.until(lambda: self.power_w == 0, "the end of the charge")

    def watch(self, *keys: str) -> list[Any]:
        """Return a list to which each value that is set from now on is appended, if it is one of these."""
        seen: list[Any] = []
        set_value = self.stage.box.set_value

        def watched(key: str, value: Any) -> None:
            if key in keys:
                seen.append(value)
            set_value(key, value)

        self.stage.box.set_value = watched  # type: ignore[method-assign]
        return seen

    async def _mosquitto(self, program: str, *arguments: str) -> str:
        user = "homeassistant"
        login = ("-u", user, "-P", PASSWORDS[user], "--cafile", str(self.broker.ca_file))
        address = ("-h", self.broker.host, "-p", str(self.broker.port))
        command = [require(program, "mosquitto-clients"), *address, *login, *arguments]
        done = await asyncio.to_thread(subprocess.run, command, check=True, capture_output=True, text=True)
        return str(done.stdout).strip()


@asynccontextmanager
async def split_house(folder: Path, **options: Any) -> AsyncIterator[SplitHouse]:
    """Run it all; the car is plugged in as soon as both daemons have met.

    Args:
        folder: for everything that is written.
        options: of the demo, besides the speed and the sun.
    """
    async with running_broker(folder, tls=True, users=PASSWORDS, acl=acl(SITE)) as broker:
        stage = Stage(DemoOptions(SPEED, sunny(), **({"api": "v1"} | options)))
        tables = {
            role: {
                "host": broker.host,
                "port": broker.port,
                "ca_file": str(broker.ca_file),
                "username": f"{role}-demo",
                "password": PASSWORDS[f"{role}-demo"],
            }
            for role in ROLES
        }
        pair = Pair(stage, folder, tables)
        async with stage.running(), pair.running():
            house = SplitHouse(stage, pair, broker)
            await house.until(lambda: house.has_logged("cloud", "peer is heard"), "a meeting")
            stage.box.plug(stage.car)
            yield house
