"""What the link publishes and passes on, at a real broker."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from mqtt.links import TOPIC, WILL_TOPIC, Ear, make_link, running, until
from pvcharge.mqtt.bus import Message
from support.broker import Broker, running_broker


@pytest.fixture
async def broker(tmp_path: Path) -> AsyncIterator[Broker]:
    """Return a broker that lets everybody in."""
    async with running_broker(tmp_path) as broker:
        yield broker


async def test_passes_messages_on(broker: Broker) -> None:
    """What one link publishes another one hears."""
    cloud, edge = make_link(broker, "cloud"), make_link(broker)
    ear = Ear(cloud, TOPIC)
    async with running(cloud, edge):
        assert await edge.publish(TOPIC, "hello", qos=0)
        await until(lambda: ear.payloads == ["hello"])
        assert await edge.publish(TOPIC, "again", qos=1)
        await until(lambda: ear.payloads == ["hello", "again"])
    assert not any(message.retained for message in ear.messages)


async def test_retained_is_marked(broker: Broker) -> None:
    """Whoever comes later gets what was retained, and is told that it is not new."""
    edge, cloud = make_link(broker), make_link(broker, "cloud")
    ear = Ear(cloud, TOPIC)
    async with running(edge):
        assert await edge.publish(TOPIC, "kept", retain=True)
        async with running(cloud):
            await until(lambda: ear.messages)
    assert ear.messages == [Message(TOPIC, b"kept", retained=True)]


async def test_message_expires_at_the_broker(broker: Broker) -> None:
    """A session gets what is still good when it comes back, and nothing that has expired."""
    edge, cloud = make_link(broker), make_link(broker, "cloud")
    ear = Ear(edge, TOPIC, "short")
    async with running(edge):
        pass
    async with running(cloud):
        assert await cloud.publish("short", "of no use later", expiry_s=0.3)  # the broker makes it a second
        assert await cloud.publish(TOPIC, "good for long", expiry_s=60.9)
        await asyncio.sleep(2.1)
        async with running(edge):
            await until(lambda: ear.messages)
            await asyncio.sleep(0.1)
    assert ear.payloads == ["good for long"]


async def test_publish_without_connection(broker: Broker) -> None:
    """Before, between and after connections a message is refused at once."""
    link = make_link(broker)
    assert not await link.publish(TOPIC, "x")
    async with running(link):
        await broker.kill()
        await until(lambda: not link.connected)
        async with asyncio.timeout(0.05):
            assert not await link.publish(TOPIC, "x")
    assert not await link.publish(TOPIC, "x")


async def test_publish_is_bounded(broker: Broker) -> None:
    """A broker that does not acknowledge costs the time-out and no exception."""
    link = make_link(broker, answer_s=0.2)
    async with running(link):
        broker.pause()
        assert not await link.publish(TOPIC, "x")
        broker.resume()
        await until(lambda: not link._connection or not link._connection._pending_publishes)  # noqa: SLF001
        assert await link.publish(TOPIC, "y")


async def test_impossible_topic(broker: Broker) -> None:
    """A topic that nobody can publish to raises nothing either."""
    link = make_link(broker)
    async with running(link):
        assert not await link.publish("house/#", "x")
        assert link.connected


async def test_slow_handler_gets_the_latest(broker: Broker) -> None:
    """While a handler is busy only the latest message of each topic is kept for it."""
    link = make_link(broker)
    busy, ready = asyncio.Event(), asyncio.Event()
    heard: list[str] = []

    async def hear(message: Message) -> None:
        heard.append(message.payload.decode())
        busy.set()
        await ready.wait()

    link.listen(TOPIC, hear)
    link.listen("other", hear)
    async with running(link):
        await link.publish(TOPIC, "0")
        await busy.wait()
        for number in range(1, 200):
            assert await link.publish(TOPIC, str(number), qos=number % 2)
        await link.publish("other", "last")
        await asyncio.sleep(0.1)
        ready.set()
        await until(lambda: "last" in heard)
    assert heard == ["0", "199", "last"]


async def test_bug_in_a_handler(broker: Broker, logs: list[dict[str, object]]) -> None:
    """A handler or hook that raises is logged, and neither the link nor the other handlers suffer."""
    link = make_link(broker)

    async def hook() -> None:
        raise LookupError("a bug")

    async def hear(_message: Message) -> None:
        raise ZeroDivisionError("a bug")

    link.on_connect(hook)
    link.listen(TOPIC, hear)
    ear = Ear(link, TOPIC)
    async with running(link):
        await link.publish(TOPIC, "1")
        await until(lambda: ear.payloads == ["1"])
        await link.publish(TOPIC, "2")
        await until(lambda: ear.payloads == ["1", "2"])
    bugs = [entry["after"] for entry in logs if entry["log_level"] == "error"]
    assert bugs == ["a connect", TOPIC, TOPIC]


async def test_foreign_messages_are_left_alone(broker: Broker) -> None:
    """What a session brings of a topic that nobody listens to any more is dropped."""
    before, after = make_link(broker), make_link(broker)
    Ear(before, "old")
    ear = Ear(after, TOPIC)
    async with running(before):
        pass
    other = make_link(broker, "other")
    async with running(other):
        await other.publish("old", "x")
        async with running(after):
            await after.publish(TOPIC, "y")
            await until(lambda: ear.payloads == ["y"])


async def test_too_large_is_not_delivered(broker: Broker) -> None:
    """Nobody can fill our memory by one message; the link goes on."""
    link, other = make_link(broker), make_link(broker, "other")
    ear = Ear(link, TOPIC, "other")
    async with running(link, other):
        await other.publish(TOPIC, "x" * 100_000)
        await other.publish("other", "small")
        await until(lambda: ear.messages)
        assert ear.payloads == ["small"]
        assert link.connected


async def test_goodbye(broker: Broker) -> None:
    """A link that ends publishes its will by itself, retained."""
    watcher = make_link(broker, "watcher", settings={"keepalive_s": 5})
    ear = Ear(watcher, WILL_TOPIC)
    leaver = make_link(broker, will_delay_s=60)
    async with running(watcher):
        async with running(leaver):
            await leaver.publish(WILL_TOPIC, "online", retain=True)
            await until(lambda: ear.payloads == ["online"])
        await until(lambda: ear.payloads == ["online", "offline"])
    assert "Received DISCONNECT from edge" in broker.log()  # so the broker keeps the will to itself
