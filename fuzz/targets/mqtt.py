"""Messages on every topic, one a line: `topic payload`, or `topic! payload` for one that was retained.

They come in at all that listens in a cloud and in an edge at once; between two of them a second passes.
"""

import asyncio
import json
from collections.abc import Callable
from contextlib import suppress
from datetime import datetime, timedelta
from typing import Any

from pvcharge.control import ControlSettings
from pvcharge.drivers.base import TransientError
from pvcharge.model import ChargerStatus, Lease, LimitsCommand, ModeCommand, PowerFlow, SetpointLimits
from pvcharge.mqtt import topics
from pvcharge.mqtt.bridge import EdgeBridge
from pvcharge.mqtt.bus import Handler, Hook, Message
from pvcharge.mqtt.commands import Command, CommandListener
from pvcharge.mqtt.edge_boost import EdgeBoost
from pvcharge.mqtt.flows import FlowListener
from pvcharge.mqtt.heartbeat import Heartbeat
from pvcharge.mqtt.order import Order
from pvcharge.mqtt.orders import OrdersListener, decode_orders, encode_orders
from pvcharge.mqtt.payloads import (
    decode_boost,
    decode_flow,
    decode_lease,
    decode_refusal,
    decode_status,
    encode_boost,
    encode_flow,
    encode_lease,
    encode_refusal,
    encode_status,
    parse_boost,
    parse_mode,
)
from pvcharge.mqtt.remote import RemoteCharger
from pvcharge.mqtt.topics import Namespace
from pvcharge.mqtt.wire import MAX_BYTES, PayloadError
from pvcharge.tasks.orders_store import Orders as KeptOrders
from targets.base import NOON, Target, check_message, is_number
from targets.base import run as finish

_HOUSE = Namespace("pvcharge", "home")
_LIMITS = SetpointLimits((1, 3), 6, 16)
_FIRST, _LAST = datetime.fromisoformat("2019-12-31T00:00Z"), datetime.fromisoformat("2100-01-02T00:00Z")

# By topic: what reads a payload, and what writes it again.
_CODECS: dict[str, tuple[Callable[[bytes], Any], Callable[[Any], str]]] = {
    topics.CHARGER.name: (decode_status, encode_status),
    topics.FLOW.name: (decode_flow, encode_flow),
    topics.SETPOINT.name: (decode_lease, encode_lease),
    topics.ORDERS.name: (decode_orders, encode_orders),
    topics.EDGE_BOOST.name: (decode_boost, lambda it: encode_boost(*it)),
    f"{topics.SETPOINT.name}/error": (decode_refusal, lambda it: encode_refusal(NOON, it)),
}


def run_payloads(data: bytes) -> None:
    """Read one payload; what is read is sane, and the same when it is written and read again."""
    head, _, payload = data.partition(b" ")
    name = head.decode("latin-1")
    try:
        if name in _CODECS:
            read, write = _CODECS[name]
            value = read(payload)
            assert read(write(value).encode()) == value, "is another one when read again"
            _check_value(value)
        elif name == topics.BOOST_SET.name:
            until = parse_boost(payload, NOON).until
            assert until is None or NOON <= until <= NOON + timedelta(days=1)
        else:
            parse_mode(payload)
    except PayloadError as error:
        check_message(error)
        assert len(str(error)) < 1000, "longer than an answer may be"


def _check_value(value: object) -> None:
    match value:
        case ChargerStatus():
            assert is_number(value.power_w, -1e7, 1e7)
            _check_time(value.at)
        case PowerFlow():
            for power_w in (value.pv_w, value.grid_w, value.battery_w, value.load_w):
                assert is_number(power_w, -1e7, 1e7)
            _check_time(value.end)
        case Lease():
            assert is_number(value.duration_s, 0, 3600)
            _check_time(value.expires)


def _check_time(at: datetime) -> None:
    assert _FIRST <= at <= _LAST, f"a time of {at}"
    assert at.utcoffset() == timedelta()


class _Time:
    """A clock that goes on by hand."""

    def __init__(self) -> None:
        self.at = NOON

    def now(self) -> datetime:
        """Return the time."""
        return self.at

    async def sleep(self, seconds: float) -> None:
        """Wait for ever: time does not pass here."""
        del seconds
        await asyncio.Event().wait()


class _Bus:
    """Hands messages to whoever listens, and notes what is published."""

    connected = True

    def __init__(self) -> None:
        self.handlers: dict[str, list[Handler]] = {}
        self.hooks: list[Hook] = []
        self.published: list[tuple[str, str]] = []

    def listen(self, topic: str, handler: Handler) -> None:
        """Note who listens."""
        self.handlers.setdefault(topic, []).append(handler)

    def on_connect(self, hook: Hook) -> None:
        """Note what is to be done."""
        self.hooks.append(hook)

    async def publish(self, topic: str, payload: str, **_how: object) -> bool:
        """Note a message, if it is one that another side could read."""
        assert len(payload.encode()) <= MAX_BYTES, "publishes more than anybody reads"
        self.published.append((topic, payload))
        return True


class _Side:
    """A cloud and an edge in one, which hear everything."""

    def __init__(self) -> None:
        self.time, self.bus = _Time(), _Bus()
        self.done: list[object] = []
        clock, bus = self.time, self.bus
        self.edge = Heartbeat(bus, _path(topics.CLOUD_HEARTBEAT), _path(topics.EDGE_HEARTBEAT), clock)
        self.cloud = Heartbeat(bus, _path(topics.EDGE_HEARTBEAT), _path(topics.CLOUD_HEARTBEAT), clock)
        self.remote = RemoteCharger(bus, self.edge, _HOUSE, clock)
        CommandListener(bus, _HOUSE, clock, self._note, min_current_a=6, max_current_a=16)
        FlowListener(bus, self.edge, _HOUSE, clock, self._note)
        self.boosts = EdgeBoost(bus, self.edge, _HOUSE, clock, self._note)
        self.orders = OrdersListener(bus, self.cloud, _HOUSE, clock, self._obey)
        self.bridge = EdgeBridge(bus, self.cloud, _HOUSE, clock, put_lease=self.done.append, limits=_LIMITS)
        self.order = Order(bus, _HOUSE, topics.MODE_SET, "surplus", boosts=True)
        self.loops = [self.bridge.run(), self.orders.run(), self.boosts.run()]

    async def _note(self, command: Command | PowerFlow) -> None:
        self.done.append(command)

    async def _obey(self, values: Any) -> None:
        try:
            self.done.append(KeptOrders.model_validate(values))
        except ValueError as error:
            raise ValueError(str(error).splitlines()[0]) from None


def _path(topic: topics.Topic) -> str:
    return _HOUSE.path(topic)


def run_house(data: bytes) -> None:
    """Have messages come in at all that listen; nothing raises, and what is passed on is sane."""
    finish(_hear_all(data))


async def _hear_all(data: bytes) -> None:
    side = _Side()
    loops = [asyncio.ensure_future(loop) for loop in side.loops]
    try:
        for hook in side.bus.hooks:
            await hook()
        for line in data.split(b"\n")[:40]:
            await _hear(side, line)
            await asyncio.sleep(0)
            for loop in loops:
                assert not loop.done() or loop.exception() is None, f"a task died: {loop.exception()!r}"
            side.time.at += timedelta(seconds=1)
    finally:
        for loop in loops:
            loop.cancel()
        await asyncio.gather(*loops, return_exceptions=True)
        with suppress(Exception):
            side.order._answer.cancel() or side.order._answer.exception()  # noqa: SLF001 - lest it is missed
    for event in side.done:
        _check_done(event, side.time.at)
    for topic, payload in side.bus.published:
        if topic.endswith("/error"):
            check_message(ValueError(decode_refusal(payload.encode())))


async def _hear(side: _Side, line: bytes) -> None:
    head, _, payload = line.partition(b" ")
    retained, name = head.endswith(b"!"), head.removesuffix(b"!").decode("latin-1")
    if payload == b"echo":  # a heartbeat that answers ours
        payload = _echo(side, name, _path(topics.EDGE_HEARTBEAT), _path(topics.CLOUD_HEARTBEAT))
    topic = f"{_HOUSE.prefix}/{_HOUSE.site}/{name}"
    for handler in side.bus.handlers.get(topic, []):
        await handler(Message(topic, payload, retained))
    with suppress(TransientError):
        if side.remote._fresh():  # noqa: SLF001 - else it would wait
            _check_status(await side.remote.next_status(), side.time.at)


def _echo(side: _Side, name: str, edge: str, cloud: str) -> bytes:
    own = cloud if name == topics.EDGE_HEARTBEAT.name else edge
    sent = [json.loads(payload) for topic, payload in side.bus.published if topic == own]
    echo = (
        {"seq": sent[-1]["seq"], "at": sent[-1]["at"], "received": side.time.at.isoformat()} if sent else None
    )
    return json.dumps({"v": 1, "seq": 1, "at": side.time.at.isoformat(), "echo": echo}).encode()


def _check_status(status: ChargerStatus, now: datetime) -> None:
    assert status.at <= now, "a status from the future"
    encode_status(status)


def _check_done(event: object, now: datetime) -> None:
    match event:
        case Lease():
            assert event.expires <= now + timedelta(hours=1, seconds=1), "a lease without end"
            assert event.setpoint == _LIMITS.clamp(event.setpoint), f"beyond the limits: {event.setpoint}"
        case LimitsCommand():
            assert is_number(event.min_current_a, 6, 16)
            assert is_number(event.max_current_a, 6, 16)
        case ModeCommand():
            assert event.until is None or event.until <= now + timedelta(days=1, seconds=1)
        case PowerFlow():
            assert event.end <= now, "a reading from the future"


def _line(topic: topics.Topic, payload: object, retained: str = "") -> bytes:
    text = payload if isinstance(payload, str) else json.dumps(payload)
    return f"{topic.name}{retained} {text}".encode()


_AT = "2026-06-15T12:00:00+00:00"
_SETPOINT = {"phases": 3, "current_a": 10}
_STATUS = {
    "v": 1,
    "at": _AT,
    "state": "charging",
    "power_w": 6900.0,
    "phases": 3,
    "current_a": 10.0,
    "setpoint": _SETPOINT,
    "min_current_a": 6,
    "max_current_a": 16,
    "session_wh": 1234.5,
    "total_wh": 7.5e6,
    "changed_by_hand_at": None,
    "fault": None,
}
_FLOW = {
    "v": 1,
    "start": _AT,
    "end": _AT,
    "pv_w": 5000.0,
    "grid_w": -1200.0,
    "battery_w": None,
    "load_w": 3800.0,
    "battery_soc_pct": None,
    "source": "roof",
    "rank": 0,
    "limited": False,
}
_LEASE = {"v": 1, "seq": 1781524800000, "at": _AT, "lease_s": 60.0, **_SETPOINT, "hand_known_at": None}
_ORDERS = {
    "v": 1,
    "at": _AT,
    "control": ControlSettings().model_dump(mode="json"),
    "mode": "boost",
    "until": "2026-06-15T13:00:00+00:00",
    "mode_after": "surplus",
    "min_current_a": 6,
    "max_current_a": 16,
}
_BOOST = {"v": 1, "at": _AT, "until": "2026-06-15T13:00:00Z"}
_BEAT = {"v": 1, "seq": 7, "at": _AT, "echo": {"seq": 1, "at": _AT, "received": _AT}}
_REFUSAL = {"v": 1, "at": _AT, "error": "lease_s: Field required"}
_WORDS = tuple(
    _line(topic, word)
    for topic, words in {
        topics.BOOST_SET: ("ON", "OFF", "90", " off\r\n", "1441"),
        topics.MODE_SET: ("surplus", "MIN_SURPLUS", "fast"),
        topics.MIN_CURRENT_SET: ("8", "33"),
        topics.MAX_CURRENT_SET: (" 16 ", "-1"),
        topics.BOOST: ("ON",),
    }.items()
    for word in words
)
_DOCUMENTS = (
    *(_line(topics.CHARGER, _STATUS), _line(topics.FLOW, _FLOW), _line(topics.SETPOINT, _LEASE)),
    *(_line(topics.ORDERS, _ORDERS), _line(topics.EDGE_BOOST, _BOOST)),
    f"{topics.SETPOINT.name}/error {json.dumps(_REFUSAL)}".encode(),
)
_MEET = (b"edge/heartbeat echo", b"cloud/heartbeat echo")

PAYLOADS = Target(name="mqtt_payloads", run=run_payloads, seeds=(*_DOCUMENTS, *_WORDS))
HOUSE = Target(
    name="mqtt_house",
    run=run_house,
    seeds=(
        b"\n".join([*_MEET, *_DOCUMENTS]),
        b"\n".join([*_MEET, *_WORDS]),
        b"\n".join([*_WORDS[:5], *_DOCUMENTS]),
        b"\n".join(
            [_line(topics.EDGE_HEARTBEAT, _BEAT), _line(topics.CLOUD_HEARTBEAT, _BEAT), *_DOCUMENTS[:3]]
        ),
        b"\n".join(
            [*_MEET, _line(topics.EDGE_BOOST, _BOOST, "!"), _line(topics.ORDERS, _ORDERS, "!"), _WORDS[1]]
        ),
        b"\n".join(
            [*_MEET, _line(topics.STATE, {"mode": "boost", "reason_text": "boost"}), b"boost/set! ON"]
        ),
        b"\n".join([b"mode/set/error " + json.dumps(_REFUSAL).encode(), _line(topics.STATE, [1])]),
    ),
)
