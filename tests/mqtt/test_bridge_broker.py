"""Both far ends over a real broker: what it keeps, what it marks as retained, and what it drops."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import timedelta
from pathlib import Path

import aiomqtt
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

from mqtt.far_ends import SITE, FakePeer, RecordingBus, make_lease, make_status, running
from pvcharge.clock import SystemClock
from pvcharge.model import Lease, SetpointLimits
from pvcharge.mqtt import topics
from pvcharge.mqtt.bridge import EdgeBridge
from pvcharge.mqtt.bus import Message
from pvcharge.mqtt.payloads import decode_refusal, encode_lease
from pvcharge.mqtt.remote import RemoteCharger
from support.broker import Broker, running_broker

SETPOINT = SITE.path(topics.SETPOINT)


class PlainBus(RecordingBus):
    """A connection that is there for the length of a test."""

    client: aiomqtt.Client

    async def publish(
        self, topic: str, payload: str, *, qos: int = 1, retain: bool = False, expiry_s: float | None = None
    ) -> bool:
        """Publish with the expiry in whole seconds, as the protocol has it."""
        properties = Properties(PacketTypes.PUBLISH)  # type: ignore[no-untyped-call]
        if expiry_s is not None:
            properties.MessageExpiryInterval = max(1, int(expiry_s))
        await self.client.publish(topic, payload, qos, retain, properties=properties)
        return await super().publish(topic, payload, qos=qos, retain=retain, expiry_s=expiry_s)

    @asynccontextmanager
    async def at(self, broker: Broker) -> AsyncIterator[None]:
        """Be connected for as long as the context lasts."""
        protocol = aiomqtt.ProtocolVersion.V5
        async with aiomqtt.Client(broker.host, broker.port, protocol=protocol) as self.client:
            for topic in self.topics:
                await self.client.subscribe(topic, qos=1)
            async with running(self._read()):
                yield

    async def _read(self) -> None:
        async for message in self.client.messages:
            assert isinstance(message.payload, bytes)
            await self.deliver(str(message.topic), message.payload, retained=message.retain)


class Edge:
    """A bridge that is in touch with its cloud."""

    def __init__(self, clock: SystemClock) -> None:
        self.bus = PlainBus()
        self.put: list[Lease] = []
        limits = SetpointLimits((1, 3), 6, 16)
        self.bridge = EdgeBridge(self.bus, FakePeer(), SITE, clock, put_lease=self.put.append, limits=limits)


async def until(condition: Callable[[], object]) -> None:
    """Wait for something to come over the network."""
    async with asyncio.timeout(10):
        while not condition():  # noqa: ASYNC110 - lists of the tests have no events
            await asyncio.sleep(0.01)


async def test_lease_goes_there_and_a_retained_status_comes_back(tmp_path: Path) -> None:
    """Also to a cloud that was not there when the status was sent."""
    clock = SystemClock()
    edge, cloud_bus = Edge(clock), PlainBus()
    remote = RemoteCharger(cloud_bus, FakePeer(), SITE, clock)
    async with AsyncExitStack() as stack:
        broker = await stack.enter_async_context(running_broker(tmp_path))
        await stack.enter_async_context(edge.bus.at(broker))
        await stack.enter_async_context(running(edge.bridge.run()))
        status = make_status(clock.now())
        edge.bridge.send_status(status)
        await until(lambda: edge.bus.published)
        opening = asyncio.create_task(remote.open())
        await stack.enter_async_context(cloud_bus.at(broker))
        await opening
        assert await remote.next_status() == status
        lease = make_lease(clock.now())
        await remote.hold(lease)
        await until(lambda: edge.put)
        assert edge.put[0].setpoint == lease.setpoint
        assert timedelta(0) <= lease.at - edge.put[0].at < timedelta(milliseconds=2)


async def test_what_the_broker_kept_is_not_obeyed(tmp_path: Path) -> None:
    """A setpoint that somebody published with the retain flag, however fresh."""
    clock = SystemClock()
    edge, shell = Edge(clock), PlainBus()
    async with AsyncExitStack() as stack:
        broker = await stack.enter_async_context(running_broker(tmp_path))
        await stack.enter_async_context(shell.at(broker))
        await shell.publish(SETPOINT, encode_lease(make_lease(clock.now())), retain=True)
        await stack.enter_async_context(edge.bus.at(broker))
        await until(lambda: edge.bus.on(SITE.error(topics.SETPOINT)))
        assert edge.put == []
        await shell.publish(SETPOINT, encode_lease(make_lease(clock.now())))
        await until(lambda: edge.put)


async def test_garbage_is_answered_over_the_broker(tmp_path: Path) -> None:
    """To whoever listens on the topic's `/error`."""
    edge, shell = Edge(SystemClock()), PlainBus()
    answers: list[str] = []

    async def hear(message: Message) -> None:
        answers.append(decode_refusal(message.payload))

    shell.listen(SITE.error(topics.SETPOINT), hear)
    async with AsyncExitStack() as stack:
        broker = await stack.enter_async_context(running_broker(tmp_path))
        await stack.enter_async_context(edge.bus.at(broker))
        await stack.enter_async_context(shell.at(broker))
        await shell.publish(SETPOINT, "3p 16 A please")
        await until(lambda: answers and edge.bus.published)
        assert answers == [edge.bus.published[0].values["error"]]
        assert edge.put == []
