"""A house whose controller is in the cloud: two daemons, their broker, a box and a roof, in virtual time."""

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import looptime
import pytest
from pydantic import BaseModel
from structlog.testing import capture_logs

from pvcharge import config
from pvcharge.clock import FastClock
from pvcharge.config import Config, Device
from pvcharge.drivers.base import CHARGERS, INVERTERS, Driver
from pvcharge.model import NO_CHARGE, Decision, DeviceHealth, Lease, Setpoint
from pvcharge.mqtt.topics import Namespace, Topic
from pvcharge.tasks import retry
from pvcharge.tasks.charger_task import OnSilence
from split.devices import Box, Roof
from split.side import AtOnce, Side
from support.fake_bus import FakeBroker

START = datetime(2026, 6, 15, 10, tzinfo=UTC)  # by the cloud's clock, when the loop's shows 0
SITE = Namespace("pvcharge", "home")
FULL = Setpoint(3, 16)
DELAY_S = 0.05
LEASE_S = 60.0
SKEWS_S = (0.0, 90.0, -90.0)


class Unlucky:
    """Chance as it is at its worst: whoever waits for a random time waits for the longest."""

    def __init__(self, seed: int | None) -> None:
        pass

    def uniform(self, _least: float, most: float) -> float:
        """Return the most."""
        return most


class Named(BaseModel):
    """The settings of a device in memory."""

    name: str


class House:
    """The house.

    Args:
        folder: where the daemons keep their state.
        skew_s: how far the edge's clock is ahead of the cloud's.
        on_silence: what the edge does without the cloud.
        control: keys of the cloud's and the edge's `[control]` table.
        at_edge: keys of the edge's that differ.
        lease_s: for how long a setpoint is good.

    Attributes:
        broker: where both sides connect.
        box: the charger at the edge.
        roof: the inverter in the cloud.
        local: the same one as the edge reads it itself, if it leads in the cloud's absence.
    """

    def __init__(
        self,
        folder: Path,
        *,
        skew_s: float = 0.0,
        on_silence: OnSilence = OnSilence.STOP,
        control: dict[str, Any] | None = None,
        at_edge: dict[str, Any] | None = None,
        lease_s: float = LEASE_S,
    ) -> None:
        asyncio.get_running_loop().set_default_executor(AtOnce())
        cloud_clock = FastClock(START, speed=1.0)
        edge_clock = FastClock(START + timedelta(seconds=skew_s), speed=1.0)
        self.broker = FakeBroker(delay_s=DELAY_S)
        self.box = Box(edge_clock)
        self.roof = Roof(cloud_clock, self.box)
        self.local = Roof(edge_clock, self.box, "meter")
        self.local.age_s, self.local.every_s = 1.0, 5.0
        tables: dict[str, Any] = {
            "history": {"enabled": False},  # a disk knows no virtual time
            "site": {"name": SITE.site, "latitude": 48.2, "longitude": 16.4, "timezone": "Europe/Vienna"},
            "control": control or {},
            "edge": {"lease_s": lease_s},
            "mqtt": {"host": "broker.example"},
        }
        self.cloud = Side(_cloud(tables, folder / "cloud", self.roof), cloud_clock, self.broker)
        tables["edge"] = {"lease_s": lease_s, "on_silence": on_silence.value}
        tables["control"] = tables["control"] | (at_edge or {})
        inverters = [self.local] if on_silence is OnSilence.LOCAL else []
        edge = _edge(tables, folder / "edge", self.box, inverters)
        self.edge = Side(edge, edge_clock, self.broker, self.box.sever)

    @asynccontextmanager
    async def running(self, *, cloud: bool = True) -> AsyncIterator["House"]:
        """Run everything for as long as the context lasts; no daemon may end, nor a task of it crash."""
        with capture_logs() as logs, pytest.MonkeyPatch.context() as patch:
            patch.setattr(retry, "random", SimpleNamespace(Random=Unlucky))
            time_passes = asyncio.create_task(self.box.run())
            self.edge.start()
            if cloud:
                self.cloud.start()
            try:
                yield self
            finally:
                await self.edge.kill()
                await self.cloud.kill()
                time_passes.cancel()
        assert not [entry for entry in logs if entry["log_level"] in ("error", "critical")]
        self.check_writes()

    async def charges(self, surplus_w: float) -> Setpoint:
        """Let so much surplus be there, and return the setpoint with which the car makes use of it."""
        self.shines(surplus_w)
        took_s = await self.until(lambda: self.box.setpoint.charges and self.is_as_decided(), 300)
        assert took_s is not None
        return self.box.setpoint

    def shines(self, surplus_w: float) -> None:
        """Let so much surplus be there, whoever looks."""
        self.roof.surplus_w = self.local.surplus_w = surplus_w

    async def passes(self, seconds: float) -> None:
        """Let time pass."""
        await asyncio.sleep(seconds)

    async def until(self, happens: Callable[[], object], within_s: float) -> float | None:
        """Wait until the condition holds, and return for how long; None if it did not come true in time."""
        began_s = self.now_s
        while self.now_s - began_s <= within_s:
            if happens():
                return self.now_s - began_s
            await asyncio.sleep(0.25)
        return None

    async def cloud_gives_up_for_a_while(self) -> None:
        """Wait until the cloud, if it runs, has just failed to find the edge: the worst time to come back."""
        if self.cloud.runs:
            since_s = self.now_s
            await self.until(lambda: self._failures(since_s), 200)

    def _failures(self, since_s: float) -> list[DeviceHealth]:
        healths = self.cloud.all(DeviceHealth, since_s)
        return [health for _, health in healths if health.name == "charger" and not health.ok]

    def heal(self) -> None:
        """Let both sides run and reach their broker."""
        self.broker.delay_s = DELAY_S
        for side in (self.edge, self.cloud):
            side.restore()
            side.start()

    def command(self, topic: Topic, payload: str, *, qos: int = 0) -> None:
        """Command something, as a user does."""
        self.broker.publish(SITE.path(topic), payload, qos=qos)

    def told(self, topic: Topic) -> str | None:
        """Return what is retained on a topic."""
        retained = self.broker.retained.get(SITE.path(topic))
        return None if retained is None else retained.payload

    @property
    def now_s(self) -> float:
        """The loop's time."""
        return asyncio.get_running_loop().time()

    def is_set_to(self, setpoint: Setpoint) -> bool:
        """Whether the box is set so."""
        return self.box.setpoint == setpoint

    def is_as_decided(self) -> bool:
        """Whether the box is set as the cloud wants it now."""
        return bool(self.cloud.events) and self.box.setpoint == self.cloud.newest(Decision).setpoint

    def writes(self, since_s: float = 0.0) -> list[tuple[float, Setpoint]]:
        """Return what was written to the box from a time on."""
        return [(at_s, setpoint) for at_s, setpoint in self.box.writes if at_s >= since_s]

    def leased(self, setpoint: Setpoint, at_s: float, error_s: float = 0.1) -> bool:
        """Whether at that time a setpoint was good by a lease of the cloud.

        Args:
            setpoint: it.
            at_s: the loop's time.
            error_s: with which a side may have measured the other's clock.
        """
        return any(
            lease.setpoint == setpoint and told_s <= at_s < by_cloud_s(lease.expires) + error_s
            for told_s, lease in self.cloud.all(Lease)
        )

    def leased_at_edge(self, setpoint: Setpoint, at_s: float) -> bool:
        """Whether at that time a setpoint was good by a lease of the edge's own."""
        return any(
            lease.setpoint == setpoint and told_s <= at_s <= told_s + lease.duration_s + 0.1
            for told_s, lease in self.edge.all(Lease)
        )

    def check_leased(self, since_s: float, *besides: Setpoint) -> None:
        """Check that all that was written from a time on was leased then, or is one of some setpoints."""
        for at_s, setpoint in self.writes(since_s):
            assert setpoint in besides or self.leased(setpoint, at_s), f"{setpoint} at {at_s:.1f} s"

    def check_writes(self) -> None:
        """Check that nothing was ever written which the house does not allow."""
        for _, setpoint in self.box.writes:
            assert setpoint == NO_CHARGE or (setpoint.phases in (1, 3) and 6 <= setpoint.current_a <= 16)


def by_cloud_s(at: datetime) -> float:
    """Return what the loop's time was at a time by the cloud's clock."""
    return (at - START).total_seconds()


def live(life: Callable[[], Coroutine[Any, Any, None]]) -> None:
    """Run a course of events in virtual time, on a loop of its own."""
    with asyncio.Runner(loop_factory=lambda: looptime.new_event_loop(start=0, noop_cycles=1)) as runner:
        runner.run(life())


def _cloud(tables: dict[str, Any], state_dir: Path, roof: Roof) -> Config:
    built = config.build(tables | {"role": "cloud", "state_dir": str(state_dir)}, Path("cloud"))
    return replace(built, inverters=(_device(INVERTERS, roof),))


def _edge(tables: dict[str, Any], state_dir: Path, box: Box, inverters: list[Roof]) -> Config:
    charger = {"driver": "wattpilot", "host": "192.0.2.20", "password": "secret"}
    inverter = {"driver": "solaredge", "site_id": 1, "api_key": "secret"}
    devices = {"charger": charger, "inverter": [inverter] * len(inverters)}
    built = config.build(tables | devices | {"role": "edge", "state_dir": str(state_dir)}, Path("edge"))
    return replace(
        built,
        charger=_device(CHARGERS, box),
        inverters=tuple(_device(INVERTERS, inverter) for inverter in inverters),
    )


def _device(kind: str, device: Box | Roof) -> Device:
    """Return a configured device that is this one whenever its driver is made."""
    driver = Driver(device.name, kind, Named, lambda _settings, _context: device)
    return Device(driver, Named(name=device.name))
