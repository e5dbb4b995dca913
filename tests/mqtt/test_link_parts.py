"""The parts of the link that need no broker: patience, words for failures, the order of work."""

import asyncio
import ssl
from collections.abc import MutableMapping
from typing import Any

import pytest
from aiomqtt import MqttCodeError, MqttError
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.reasoncodes import ReasonCode

from mqtt.far_ends import running
from pvcharge.mqtt.bus import Message
from pvcharge.mqtt.connection import Timing
from pvcharge.mqtt.dispatcher import Dispatcher
from pvcharge.mqtt.failures import LinkError, explain
from pvcharge.mqtt.patience import STEADY_S, Patience

pytestmark = pytest.mark.looptime

LOST = LinkError("lost")
REFUSED = LinkError("wrong password", refused=True)


async def test_waits_grow_to_a_minute() -> None:
    """Waits have full jitter between a second and a ceiling that grows to a minute."""
    rows = []
    for _ in range(200):
        patience = Patience("broker:1883", Timing())
        rows.append([patience.failed(LOST) for _ in range(15)])
    by_try = list(zip(*rows, strict=True))
    assert all(1 <= wait_s <= 2 for wait_s in by_try[0])
    assert all(1 <= wait_s <= 60 for wait_s in by_try[-1])
    assert max(by_try[-1]) > 50
    assert min(by_try[-1]) < 10


async def test_refusal_waits_a_minute_at_once() -> None:
    """There is no use in hurrying with a wrong password."""
    patience = Patience("broker:1883", Timing())
    assert all(54 <= patience.failed(REFUSED) <= 66 for _ in range(50))


async def test_flapping_does_not_help() -> None:
    """A connection that holds for some seconds only does not make the next waits short; a steady one does."""
    patience = Patience("broker:1883", Timing())
    waits_s = []
    for _ in range(300):
        patience.succeeded()
        await asyncio.sleep(STEADY_S - 1)
        waits_s.append(patience.failed(LOST))
    assert max(waits_s) > 30
    patience.succeeded()
    await asyncio.sleep(STEADY_S)
    assert patience.failed(LOST) <= 2


async def test_first_failure_then_quiet_then_recovery(logs: list[MutableMapping[str, Any]]) -> None:
    """A row of failures is two lines in the log; one more where its kind changes."""
    patience = Patience("broker:1883", Timing())
    for error in (LOST, LOST, LOST, REFUSED, REFUSED):
        patience.failed(error)
        await asyncio.sleep(10)
    patience.succeeded()
    loud = [entry for entry in logs if entry["log_level"] != "debug"]
    assert [entry["log_level"] for entry in loud] == ["warning", "error", "info"]
    assert (loud[-1]["failures"], loud[-1]["after_s"]) == (5, 50)


@pytest.mark.parametrize(
    ("error", "words", "refused"),
    [
        (MqttCodeError(ReasonCode(PacketTypes.CONNACK, identifier=134)), "check username and password", True),
        (MqttCodeError(ReasonCode(PacketTypes.CONNACK, identifier=132)), "MQTT v5", True),
        (MqttCodeError(ReasonCode(PacketTypes.CONNACK, identifier=128)), "unspecified error", False),
        (MqttCodeError(ReasonCode(PacketTypes.CONNACK, identifier=136)), "server unavailable", False),
        (MqttCodeError(ReasonCode(PacketTypes.DISCONNECT, identifier=128)), "connection was lost", False),
        (MqttCodeError(ReasonCode(PacketTypes.DISCONNECT, identifier=142)), "second pvcharge", True),
        (MqttCodeError(4), "not currently connected", False),
        (MqttError("Operation\ttimed out"), "Operation timed out", False),
        (ConnectionRefusedError(111, "Connection refused"), "Connection refused", False),
        (ssl.SSLError(1, "[SSL: NO_PROTOCOLS] none"), "no agreement on TLS", True),
        (ssl.SSLEOFError(8, "EOF"), "is tls in", False),
        (TimeoutError(), "TimeoutError", False),
        (ValueError("x" * 1000), "xxx", False),
    ],
)
async def test_words_for_failures(error: Exception, words: str, *, refused: bool) -> None:
    """Each failure is told in words, and known as one that passes or one that does not."""
    told = explain(error)
    assert words in str(told)
    assert told.refused is refused
    assert len(str(told)) <= 200


async def test_cause_counts() -> None:
    """What aiomqtt wraps without naming its cause is found all the same."""
    wrapped = MqttError("Disconnected during message iteration")
    wrapped.__context__ = MqttCodeError(ReasonCode(PacketTypes.DISCONNECT, identifier=142))
    assert "second pvcharge" in str(explain(wrapped))


async def test_busy_topic_starves_nobody() -> None:
    """Topics take turns, in the order in which they began to wait, each with its latest message."""
    dispatcher = Dispatcher()
    heard: list[bytes] = []

    async def hear(message: Message) -> None:
        heard.append(message.payload)
        if len(heard) < 4:
            dispatcher.put(Message("busy", b"more"))

    for topic in ("busy", "calm"):
        dispatcher.listen(topic, hear)
    for topic, payload in (("busy", b"1"), ("calm", b"2"), ("busy", b"3")):
        dispatcher.put(Message(topic, payload))
    async with running(dispatcher.run()):
        await asyncio.sleep(1)
    assert heard == [b"3", b"2", b"more", b"more"]


async def test_hooks_come_first() -> None:
    """After a connect hooks run before the messages that came with it, and once per connect."""
    dispatcher = Dispatcher()
    done: list[str] = []

    async def hook() -> None:
        done.append("hook")

    async def hear(message: Message) -> None:
        done.append(message.topic)

    dispatcher.on_connect(hook)
    dispatcher.listen("a", hear)
    async with running(dispatcher.run()):
        dispatcher.put(Message("a", b""))
        dispatcher.connected()
        await asyncio.sleep(1)
        dispatcher.connected()
        await asyncio.sleep(1)
    assert done == ["hook", "a", "hook"]
