"""A boost from an edge's own page: by way of the broker, to whoever leads."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from mqtt.far_ends import FakePeer
from pvcharge.clock import FastClock
from pvcharge.model import Lease, Mode, Setpoint, SetpointLimits
from pvcharge.mqtt import topics
from pvcharge.mqtt.bridge import EdgeBridge
from pvcharge.mqtt.bus import Message
from pvcharge.mqtt.topics import Namespace
from pvcharge.page.edge import EdgeSteering
from pvcharge.web.ports import NotInForceError, RefusedError
from support.fake_bus import FakeBroker, FakeBus, running
from web.scraping import NOON

pytestmark = pytest.mark.looptime
SITE = Namespace("pvcharge", "home")


class Leader:
    """Obeys as a cloud or an edge's own boost would, unless it is told to refuse or to be silent."""

    def __init__(self, bus: FakeBus) -> None:
        self.heard: list[bytes] = []
        self.refusal = ""
        self.silent = False
        self._bus = bus
        bus.listen(SITE.path(topics.BOOST_SET), self._hear)

    async def _hear(self, message: Message) -> None:
        self.heard.append(message.payload)
        if self.silent:
            return
        if self.refusal:
            await self._bus.publish(SITE.error(topics.BOOST_SET), self.refusal)
        else:
            state = "OFF" if message.payload == b"OFF" else "ON"
            await self._bus.publish(SITE.path(topics.BOOST), state, retain=True)


@pytest.fixture
def buses() -> tuple[FakeBus, FakeBus]:
    """Return those of the edge and of the leader."""
    broker = FakeBroker(delay_s=0.1)
    return FakeBus(broker), FakeBus(broker)


@pytest.fixture
def cloud() -> FakePeer:
    """Return the cloud as the edge hears it."""
    return FakePeer()


@pytest.fixture
def leases() -> list[Lease]:
    """Return where the edge's own leases go."""
    return []


@pytest.fixture
async def edge(buses: tuple[FakeBus, FakeBus], cloud: FakePeer, leases: list[Lease]) -> EdgeSteering:
    """Return what is tested."""
    clock, limits = FastClock(NOON, speed=1.0), SetpointLimits((1, 3), 6, 16)
    bridge = EdgeBridge(buses[0], cloud, SITE, clock, put_lease=leases.append, limits=limits)
    return EdgeSteering(buses[0], SITE, clock, bridge)


@pytest.fixture
async def leader(buses: tuple[FakeBus, FakeBus], edge: EdgeSteering) -> AsyncIterator[Leader]:  # noqa: ARG001
    """Return a leader; all are connected."""
    leader = Leader(buses[1])
    async with running(*buses):
        yield leader


async def test_a_boost_and_its_end(edge: EdgeSteering, leader: Leader) -> None:
    """Each is answered when it is in force, and the mode is known then."""
    assert edge.shown == {}
    await edge.boost(on=True, minutes=90)
    assert edge.shown == {"mode": "boost"}
    await edge.boost(on=False, minutes=None)
    assert edge.shown == {}
    await edge.boost(on=True, minutes=None)
    assert leader.heard == [b"90", b"OFF", b"ON"]


async def test_a_refusal(edge: EdgeSteering, leader: Leader) -> None:
    """The reason comes along."""
    leader.refusal = '{"v": 1, "at": "2026-06-15T12:00:00+00:00", "error": "no car"}'
    with pytest.raises(RefusedError, match="no car"):
        await edge.boost(on=True, minutes=None)


async def test_nobody_obeys(edge: EdgeSteering, leader: Leader) -> None:
    """It is said after some seconds."""
    leader.silent = True
    with pytest.raises(NotInForceError, match="neither cloud nor edge"):
        await edge.boost(on=True, minutes=None)


async def test_no_broker(edge: EdgeSteering, leader: Leader, buses: tuple[FakeBus, FakeBus]) -> None:
    """It is said at once, as long as the cloud may still lead."""
    buses[0].cut()
    started_s = asyncio.get_running_loop().time()
    with pytest.raises(NotInForceError, match="broken just now"):
        await edge.boost(on=True, minutes=None)
    assert asyncio.get_running_loop().time() == started_s
    assert leader.heard == []


async def test_no_broker_and_no_cloud(
    edge: EdgeSteering,
    leader: Leader,
    buses: tuple[FakeBus, FakeBus],
    cloud: FakePeer,
    leases: list[Lease],
) -> None:
    """The edge obeys by itself, for the time wanted; and what the broker said last counts no more."""
    await edge.boost(on=True, minutes=None)
    await edge.boost(on=False, minutes=None)
    buses[0].cut()
    cloud.alive = False
    await edge.boost(on=True, minutes=90)
    assert edge.shown == {"mode": "boost"}
    assert (leases[-1].setpoint, leases[-1].duration_s) == (Setpoint(3, 16), 60.0)
    await edge.boost(on=False, minutes=None)
    assert edge.shown == {}
    assert leases[-1].duration_s == 0.0
    assert leader.heard == [b"ON", b"OFF"]


async def test_a_boost_of_a_cloud_that_has_gone(edge: EdgeSteering, leader: Leader, cloud: FakePeer) -> None:
    """It is over for the edge, whatever stands at the broker."""
    await edge.boost(on=True, minutes=None)
    cloud.alive = False
    assert edge.shown == {}
    assert leader.heard == [b"ON"]


async def test_what_an_edge_has_not(edge: EdgeSteering) -> None:
    """Modes and limits are the cloud's."""
    assert edge.can == ("boost",)
    with pytest.raises(RefusedError):
        await edge.mode(Mode.OFF)
    with pytest.raises(RefusedError):
        await edge.limits(6, None)
