"""Both far ends with the real charger task between bridge and charger, in virtual time."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from mqtt.far_ends import NOON, SITE, FakePeer, RecordingBus, running
from pvcharge.clock import FastClock
from pvcharge.drivers.base import TransientError
from pvcharge.model import NO_CHARGE, ChargerStatus, Lease, Setpoint, SetpointLimits
from pvcharge.mqtt import topics
from pvcharge.mqtt.bridge import EdgeBridge
from pvcharge.mqtt.remote import RemoteCharger
from pvcharge.tasks.charger_task import GRACE_S, LOOK_S, ChargerTask, EdgeSettings
from pvcharge.tasks.queues import Inbox, Latest
from tasks.fakes import FakeCharger, RecordingFeed

pytestmark = pytest.mark.looptime

LEASE_S, RENEW_S = 60.0, 20.0
FULL = Setpoint(3, 16)


class End(RecordingBus):
    """One end of a cable that can be cut; what is sent into a cut one is lost."""

    other: "End"

    async def publish(
        self, topic: str, payload: str, *, qos: int = 1, retain: bool = False, expiry_s: float | None = None
    ) -> bool:
        """Deliver to the other end, if it listens there."""
        taken = await super().publish(topic, payload, qos=qos, retain=retain, expiry_s=expiry_s)
        if taken and topic in self.other.topics:
            await self.other.deliver(topic, payload)
        return taken


class Split:
    """Cloud and edge; the test is the control loop, the heartbeats, and the hand that cuts the cable."""

    def __init__(self) -> None:
        self.clock = FastClock(NOON, speed=1.0)
        self.cloud_bus, self.edge_bus = End(), End()
        self.cloud_bus.other, self.edge_bus.other = self.edge_bus, self.cloud_bus
        self.cloud_seen, self.edge_seen = FakePeer(), FakePeer()
        self.remote = RemoteCharger(self.cloud_bus, self.edge_seen, SITE, self.clock)
        self.leases: Latest[Lease | None] = Latest(None)
        self.bridge = EdgeBridge(
            self.edge_bus,
            self.cloud_seen,
            SITE,
            self.clock,
            put_lease=self.leases.put,
            limits=SetpointLimits((1, 3), 6, 16),
            lease_s=LEASE_S,
        )
        self.charger = FakeCharger(self.clock)
        self.wanted = Setpoint(3, 10)
        self.statuses: list[ChargerStatus] = []
        self._inbox: Inbox = asyncio.Queue()

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Run both sides for as long as the context lasts."""
        charger_task = ChargerTask(
            self.charger,
            self.clock,
            self.leases,
            self._inbox,
            RecordingFeed(),
            EdgeSettings(lease_s=LEASE_S),
            SetpointLimits((1, 3), 6, 16),
        )
        async with (
            running(charger_task.run()),
            running(self.bridge.run()),
            running(self._tell()),
            running(self._report()),
            running(self._watch()),
            running(self._lease()),
        ):
            yield

    def cut(self, *, cut: bool = True) -> None:
        """Cut the cable, or mend it."""
        self.cloud_bus.connected = self.edge_bus.connected = not cut
        self.cloud_seen.alive = self.edge_seen.alive = not cut

    async def _tell(self) -> None:
        while True:
            status = await self._inbox.get()
            assert isinstance(status, ChargerStatus)
            self.bridge.send_status(status)

    async def _report(self) -> None:
        while True:
            await asyncio.sleep(3)
            self.charger.report()

    async def _watch(self) -> None:
        while True:
            try:
                await self.remote.open()
                while True:
                    self.statuses.append(await self.remote.next_status())
            except TransientError:
                await self.clock.sleep(5)

    async def _lease(self) -> None:
        while True:
            try:
                await self.remote.hold(Lease(1, self.clock.now(), LEASE_S, self.wanted))
            except TransientError:
                await self.clock.sleep(1)
            else:
                await self.clock.sleep(RENEW_S)


async def test_setpoint_arrives_and_is_confirmed() -> None:
    """By the status that comes back."""
    split = Split()
    async with split.running():
        await asyncio.sleep(30)
        assert split.charger.applied == [Setpoint(3, 10)]
        assert split.statuses[-1].setpoint == Setpoint(3, 10)
        assert (split.clock.now() - split.statuses[-1].at).total_seconds() <= 15


@pytest.mark.parametrize("cut_s", [30, 600])
async def test_after_a_cut_everything_recovers_without_a_hand(cut_s: float) -> None:
    """A short one goes unnoticed at the charger; in a long one charging stops when the lease has run out."""
    split = Split()
    async with split.running():
        await asyncio.sleep(30)
        lease = split.leases.value
        assert lease is not None
        split.cut()
        await asyncio.sleep((lease.expires - split.clock.now()).total_seconds() - 1)
        assert split.charger.applied == [Setpoint(3, 10)]
        split.cut(cut=cut_s > LEASE_S)
        await asyncio.sleep(1 + GRACE_S + 2 * LOOK_S)
        assert split.charger.applied[1:] == ([NO_CHARGE] if cut_s > LEASE_S else [])
        await asyncio.sleep(cut_s)
        split.wanted = Setpoint(1, 8)
        split.cut(cut=False)
        await asyncio.sleep(RENEW_S + LOOK_S + 1)
        assert split.charger.applied[-1] == Setpoint(1, 8)
        await asyncio.sleep(30)
        assert split.statuses[-1].setpoint == Setpoint(1, 8)


async def test_boost_while_alone_lasts_until_the_cloud_is_back() -> None:
    """Without a moment in between in which the car stands."""
    split = Split()
    split.cut()
    async with split.running():
        await asyncio.sleep(5)
        await split.edge_bus.deliver(SITE.path(topics.BOOST_SET), "ON")
        await asyncio.sleep(0.1)
        assert split.charger.applied == [FULL]
        await asyncio.sleep(1000)
        assert split.charger.applied == [FULL]
        split.cut(cut=False)
        await asyncio.sleep(100)
        assert split.charger.applied == [FULL, Setpoint(3, 10)]


async def test_boost_that_ends_while_alone_leaves_the_car_to_the_settings() -> None:
    """Here they say that it shall stop."""
    split = Split()
    split.cut()
    async with split.running():
        await asyncio.sleep(5)
        await split.edge_bus.deliver(SITE.path(topics.BOOST_SET), "10")
        await asyncio.sleep(599)
        assert split.charger.applied == [FULL]
        await asyncio.sleep(1 + GRACE_S + 2 * LOOK_S)
        assert split.charger.applied == [FULL, NO_CHARGE]
