"""What the edge sends up, and how often."""

import asyncio
from dataclasses import replace
from datetime import timedelta

import pytest

from mqtt.far_ends import NOON, SITE, FakePeer, Published, RecordingBus, make_status, running
from pvcharge.clock import FastClock
from pvcharge.model import ChargerState, PowerFlow, Setpoint, SetpointLimits
from pvcharge.mqtt import topics
from pvcharge.mqtt.bridge import EdgeBridge
from pvcharge.mqtt.payloads import decode_flow, decode_status, encode_status

pytestmark = pytest.mark.looptime

CHARGER = SITE.path(topics.CHARGER)
FLOW = SITE.path(topics.FLOW)


class Edge:
    """A bridge with the test in the place of charger and broker."""

    def __init__(self) -> None:
        self.clock = FastClock(NOON, speed=1.0)
        self.bus = RecordingBus()
        self.bridge = EdgeBridge(
            self.bus,
            FakePeer(),
            SITE,
            self.clock,
            put_lease=lambda _: None,
            limits=SetpointLimits((1, 3), 6, 16),
        )

    async def report(self, times: int, every_s: float, *powers_w: float) -> None:
        """Have the charger report so many statuses, with these powers in turn."""
        for number in range(times):
            self.bridge.send_status(make_status(self.clock.now(), power_w=powers_w[number % len(powers_w)]))
            await asyncio.sleep(every_s)

    def statuses(self) -> list[Published]:
        """Return what has been published of the charger."""
        return self.bus.on(CHARGER)


async def test_status_is_retained_until_nobody_may_use_it() -> None:
    """For three periods from its measurement on."""
    edge = Edge()
    async with running(edge.bridge.run()):
        await asyncio.sleep(5)
        status = make_status(edge.clock.now() - timedelta(seconds=2))
        edge.bridge.send_status(status)
        await asyncio.sleep(0.01)
    (message,) = edge.statuses()
    assert (message.payload, message.qos, message.retain) == (encode_status(status), 1, True)
    assert message.expiry_s == pytest.approx(28, abs=0.01)


async def test_measurements_are_sent_once_per_second() -> None:
    """A chatty charger does not fill the network."""
    edge = Edge()
    async with running(edge.bridge.run()):
        await edge.report(100, 0.1, 6900.0, 6910.0)
    assert 9 <= len(edge.statuses()) <= 11


async def test_the_last_measurement_is_not_lost() -> None:
    """It came within the second after another, and then the charger fell silent."""
    edge = Edge()
    async with running(edge.bridge.run()):
        await edge.report(2, 0.1, 6900.0, 0.0)
        await asyncio.sleep(2)
    assert [message.values["power_w"] for message in edge.statuses()] == [6900.0, 0.0]


async def test_equal_measurements_are_sent_every_ten_seconds() -> None:
    """An idle charger's statuses go on to be fresh."""
    edge = Edge()
    async with running(edge.bridge.run()):
        await edge.report(60, 1.0, 0.0)
    times = [decode_status(message.payload.encode()).at for message in edge.statuses()]
    assert len(times) == 6
    assert times == sorted(set(times))


@pytest.mark.parametrize(
    "change",
    [
        {"state": ChargerState.READY},
        {"setpoint": Setpoint(1, 6)},
        {"setpoint": None},
        {"changed_by_hand_at": NOON},
        {"fault": "residual current"},
    ],
)
async def test_what_matters_is_sent_at_once(change: dict[str, object]) -> None:
    """The cloud decides by it."""
    edge = Edge()
    async with running(edge.bridge.run()):
        await edge.report(1, 0.1, 6900.0)
        changed = replace(make_status(edge.clock.now()), **change)  # type: ignore[arg-type]
        edge.bridge.send_status(changed)
        await asyncio.sleep(0.01)
    assert edge.statuses()[-1].payload == encode_status(changed)
    assert len(edge.statuses()) == 2


async def test_a_silent_charger_is_not_made_to_speak() -> None:
    """No status is sent twice as if it were new."""
    edge = Edge()
    async with running(edge.bridge.run()):
        await edge.report(1, 100, 6900.0)
    assert len(edge.statuses()) == 1


async def test_status_is_published_again_on_connect_while_it_is_fresh() -> None:
    """The broker may have lost it; an old one is of no use to anybody."""
    edge = Edge()
    async with running(edge.bridge.run()):
        await edge.bus.connect()
        assert edge.statuses() == []
        await edge.report(1, 20, 6900.0)
        await edge.bus.connect()
        assert len(edge.statuses()) == 2
        await asyncio.sleep(11)
        await edge.bus.connect()
        assert len(edge.statuses()) == 2


async def test_status_of_an_offline_time_is_sent_when_back() -> None:
    """The latest one, at the next look if not on connect."""
    edge = Edge()
    edge.bus.connected = False
    async with running(edge.bridge.run()):
        await edge.report(3, 1, 100.0, 200.0, 300.0)
        edge.bus.connected = True
        await asyncio.sleep(1)
    assert [message.values["power_w"] for message in edge.statuses()] == [300.0]


async def test_readings_are_sent_as_they_come() -> None:
    """In order, not retained, and dropped while the broker is away."""
    edge = Edge()
    readings = [PowerFlow(NOON, NOON, grid_w=float(number), source="meter") for number in range(4)]
    async with running(edge.bridge.run()):
        for reading in readings[:2]:
            edge.bridge.send_flow(reading)
        await asyncio.sleep(0.01)
        edge.bus.connected = False
        edge.bridge.send_flow(readings[2])
        await asyncio.sleep(0.01)
        edge.bus.connected = True
        edge.bridge.send_flow(readings[3])
        await asyncio.sleep(0.01)
    sent = edge.bus.on(FLOW)
    assert [decode_flow(message.payload.encode()) for message in sent] == [*readings[:2], readings[3]]
    assert not any(message.retain for message in sent)
    assert all(message.expiry_s == 60 for message in sent)
