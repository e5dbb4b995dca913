"""What the cloud wants to be done while it is silent: on the wire, from the cloud, and at the edge."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mqtt.far_ends import NOON, SITE, FakePeer, RecordingBus, running, spoiled, times
from pvcharge.clock import FastClock
from pvcharge.control import ControlSettings
from pvcharge.model import NO_CHARGE, Decision, LimitsCommand, Mode, ModeCommand, Reason, SettingsCommand
from pvcharge.mqtt import topics
from pvcharge.mqtt.attention import SETTLED_S
from pvcharge.mqtt.orders import (
    AGAIN_S,
    LOOK_S,
    Orders,
    OrdersListener,
    OrdersPublisher,
    decode_orders,
    encode_orders,
)
from pvcharge.mqtt.payloads import decode_refusal
from pvcharge.mqtt.wire import PayloadError

pytestmark = pytest.mark.looptime

TOPIC = SITE.path(topics.ORDERS)
CONTROL = ControlSettings().model_dump(mode="json")
ORDERS = Orders(NOON, CONTROL, Mode.SURPLUS, None, Mode.SURPLUS, 6, 16)
BOOST = replace(ORDERS, mode=Mode.BOOST, until=NOON + timedelta(hours=1), mode_after=Mode.OFF)
orders = st.builds(
    Orders,
    at=times,
    control=st.dictionaries(st.text(max_size=10), st.one_of(st.booleans(), st.integers(0, 99))),
    mode=st.sampled_from(Mode),
    until=st.one_of(st.none(), times),
    mode_after=st.sampled_from(Mode),
    min_current_a=st.integers(1, 32),
    max_current_a=st.integers(1, 32),
)


@given(orders)
def test_what_is_sent_is_what_is_read(told: Orders) -> None:
    """Nothing is lost on the way."""
    assert decode_orders(encode_orders(told).encode()) == told


@given(spoiled(encode_orders(BOOST)))
def test_any_bytes_are_orders_or_refused(payload: bytes) -> None:
    """Nothing else is ever raised, and what is read can be written again."""
    if not is_garbage(payload):
        told = decode_orders(payload)
        assert decode_orders(encode_orders(told).encode()) == told


@pytest.mark.parametrize(
    ("payload", "said"),
    [
        (encode_orders(ORDERS).replace('"v": 1', '"v": 2'), "'v': Input should be less than or equal to 1"),
        (encode_orders(ORDERS).replace('"surplus"', '"fast"'), "'mode': Input should be"),
        (encode_orders(ORDERS).replace('"max_current_a": 16}', '"max_current_a": "16"}'), "'max_current_a':"),
        (encode_orders(ORDERS).replace("+00:00", ""), "'at': Input should have timezone info"),
        ("[" * 9000, "9000 bytes are more than 8192"),
    ],
)
def test_what_is_wrong_is_said(payload: str, said: str) -> None:
    """By the first problem."""
    with pytest.raises(PayloadError) as caught:
        decode_orders(payload.encode())
    assert str(caught.value).startswith(said)


class Cloud:
    """A publisher with the test in the place of the feed."""

    def __init__(self) -> None:
        self.clock = FastClock(NOON, speed=1.0)
        self.bus = RecordingBus()
        self.feed: asyncio.Queue[object] = asyncio.Queue()
        limits = LimitsCommand(6, 16)
        self.publisher = OrdersPublisher(
            self.bus, SITE, self.clock, CONTROL, Mode.SURPLUS, limits, self._events()
        )

    async def _events(self) -> AsyncIterator[object]:
        while True:
            yield await self.feed.get()

    async def happens(self, *events: object) -> None:
        """Have the feed bring something, and all that follows from it happen."""
        for event in events:
            self.feed.put_nowait(event)
        await asyncio.sleep(0.1)

    async def decides(self, mode: Mode = Mode.SURPLUS, until: datetime | None = None) -> None:
        """Have something decided in a mode."""
        now = self.clock.now()
        await self.happens(Decision(now, NO_CHARGE, Reason.NO_CAR, mode, boost_until=until))

    def told(self) -> list[Orders]:
        """Return what has been published, which must be retained for an edge that comes later."""
        messages = self.bus.on(TOPIC)
        assert all(message.retain and message.qos == 1 for message in messages)
        assert all(message.expiry_s is None for message in messages)
        return [decode_orders(message.payload.encode()) for message in messages]


async def test_nothing_is_told_before_a_decision() -> None:
    """What has been restored is not known before."""
    cloud = Cloud()
    async with running(cloud.publisher.run()):
        await cloud.bus.connect()
        await asyncio.sleep(60)
        assert cloud.told() == []
        await cloud.decides()
    assert [replace(told, at=NOON) for told in cloud.told()] == [ORDERS]


async def test_changed_settings_are_told() -> None:
    """The edge shall lead as the cloud does now, and not as it did when it was started."""
    cloud = Cloud()
    changed = ControlSettings(min_on_s=7, import_price=0.4)
    async with running(cloud.publisher.run()):
        await cloud.decides()
        await cloud.happens(SettingsCommand(changed.model_dump_json()))
        await cloud.happens(SettingsCommand(changed.model_dump_json()))
        await asyncio.sleep(60)
    assert [it.control for it in cloud.told()] == [CONTROL, changed.model_dump(mode="json")]


async def test_each_change_is_told_once() -> None:
    """A decision every second is none."""
    cloud = Cloud()
    until = NOON + timedelta(hours=1)
    async with running(cloud.publisher.run()):
        for _ in range(5):
            await cloud.decides()
        await cloud.happens(LimitsCommand(8, 10))
        await cloud.happens(ModeCommand(Mode.OFF))
        await cloud.decides(Mode.OFF)
        await cloud.happens(ModeCommand(Mode.BOOST, until))
        await cloud.decides(Mode.BOOST, until)
        await cloud.decides(Mode.OFF)
        await asyncio.sleep(60)
    told = [(it.mode, it.until, it.mode_after, it.max_current_a) for it in cloud.told()]
    assert told == [
        (Mode.SURPLUS, None, Mode.SURPLUS, 16),
        (Mode.SURPLUS, None, Mode.SURPLUS, 10),
        (Mode.SURPLUS, None, Mode.OFF, 10),
        (Mode.OFF, None, Mode.OFF, 10),
        (Mode.BOOST, until, Mode.OFF, 10),
        (Mode.OFF, None, Mode.OFF, 10),
    ]
    assert [it.at for it in cloud.told()] == sorted(it.at for it in cloud.told())


async def test_a_boost_restored_has_the_mode_before_it() -> None:
    """Both are commanded before the first decision."""
    cloud = Cloud()
    async with running(cloud.publisher.run()):
        await cloud.happens(ModeCommand(Mode.MIN_SURPLUS), ModeCommand(Mode.BOOST))
        await cloud.decides(Mode.BOOST)
    assert [(it.mode, it.mode_after) for it in cloud.told()] == [(Mode.BOOST, Mode.MIN_SURPLUS)]


async def test_all_is_told_again_at_a_connect_and_when_the_edge_is_back() -> None:
    """The broker may have lost it; it is newer then than what was kept."""
    cloud = Cloud()
    async with running(cloud.publisher.run()):
        await cloud.decides()
        await cloud.bus.connect()
        await asyncio.sleep(0.1)
        cloud.publisher.note_edge(alive=False)
        await asyncio.sleep(0.1)
        assert len(cloud.told()) == 2
        cloud.publisher.note_edge(alive=True)
        await asyncio.sleep(0.1)
    first, *_, last = cloud.told()
    assert len(cloud.told()) == 3
    assert last.at > first.at
    assert replace(last, at=first.at) == first


async def test_what_was_not_taken_is_told_later() -> None:
    """A broker may be slow, or its ACL be seen to."""
    cloud = Cloud()
    cloud.bus.connected = False
    async with running(cloud.publisher.run()):
        await cloud.decides()
        cloud.bus.connected = True
        await asyncio.sleep(AGAIN_S)
        assert len(cloud.told()) == 1


class Edge:
    """A listener with the test in the place of broker and store.

    Attributes:
        cloud: its heartbeat.
        taken: what has been passed on.
        problem: why the next orders are refused, empty if they are not.
    """

    def __init__(self, *, alive: bool = True, skew_s: float | None = 0.0) -> None:
        self.clock = FastClock(NOON, speed=1.0)
        self.bus = RecordingBus()
        self.cloud = FakePeer(alive, skew_s)
        self.taken: list[Mapping[str, object]] = []
        self.problem = ""
        self.listener = OrdersListener(self.bus, self.cloud, SITE, self.clock, self._take)

    async def _take(self, values: Mapping[str, object]) -> None:
        if self.problem:
            raise ValueError(self.problem)
        self.taken.append(values)

    async def hear(self, payload: str | bytes, *, retained: bool = True) -> None:
        """Have something come in on `cloud/orders`, and all that follows from it happen."""
        await self.bus.deliver(TOPIC, payload, retained=retained)
        await asyncio.sleep(0.1)

    def answers(self) -> list[str]:
        """Return what has been answered; nothing else is ever published."""
        assert {message.topic for message in self.bus.published} <= {SITE.error(topics.ORDERS)}
        return [decode_refusal(message.payload.encode()) for message in self.bus.published]


def values(told: Orders, **changes: Any) -> dict[str, object]:
    """Return orders as they are passed on."""
    return {
        "control": told.control,
        "mode": told.mode,
        "until": told.until,
        "mode_after": told.mode_after,
        "min_current_a": told.min_current_a,
        "max_current_a": told.max_current_a,
        "at": told.at,
        "told_at": told.at,
    } | changes


@pytest.mark.parametrize("skew_s", [-600.0, 0.0, 600.0])
@pytest.mark.parametrize("retained", [True, False])
async def test_orders_are_passed_on_in_the_edges_time(*, skew_s: float, retained: bool) -> None:
    """The end of a boost above all; retained or not."""
    edge = Edge(skew_s=skew_s)
    skew = timedelta(seconds=skew_s)
    told = replace(BOOST, at=NOON + skew, until=NOON + skew + timedelta(hours=1))
    async with running(edge.listener.run()):
        await edge.hear(encode_orders(told), retained=retained)
        await asyncio.sleep(60)
    assert edge.taken == [values(BOOST, told_at=told.at)]
    assert edge.answers() == []


async def test_orders_wait_for_the_cloud_to_be_heard() -> None:
    """It hears of our return before we hear it."""
    edge = Edge(alive=False, skew_s=None)
    async with running(edge.listener.run()):
        await edge.bus.connect()
        await edge.hear(encode_orders(BOOST))
        assert edge.taken == []
        edge.cloud.alive, edge.cloud.skew_s = True, 600.0
        edge.listener.note_cloud(alive=True)
        await asyncio.sleep(0.1)
    assert [it["until"] for it in edge.taken] == [NOON + timedelta(minutes=50)]


async def test_without_the_cloud_no_boost_is_begun() -> None:
    """By whose clock would it end? All else is obeyed; and all of it when the cloud is heard."""
    edge = Edge(alive=False, skew_s=None)
    async with running(edge.listener.run()):
        await edge.bus.connect()
        await edge.hear(encode_orders(BOOST))
        await asyncio.sleep(SETTLED_S + LOOK_S)
        assert edge.taken == [values(BOOST, mode=Mode.OFF, until=None)]
        await asyncio.sleep(600)
        assert len(edge.taken) == 1
        edge.cloud.alive, edge.cloud.skew_s = True, 0.0
        await asyncio.sleep(LOOK_S)
    assert edge.taken[1:] == [values(BOOST)]


async def test_a_skew_known_before_will_do() -> None:
    """Of a cloud that has died a while ago, orders that the broker brings again."""
    edge = Edge(alive=False, skew_s=600.0)
    async with running(edge.listener.run()):
        await edge.hear(encode_orders(BOOST))
        await asyncio.sleep(SETTLED_S + LOOK_S)
    assert [it["until"] for it in edge.taken] == [NOON + timedelta(minutes=50)]


async def test_orders_do_not_come_from_the_future() -> None:
    """The cloud's clock has been set back since; else what comes next would look older."""
    edge = Edge()
    async with running(edge.listener.run()):
        await edge.hear(encode_orders(replace(ORDERS, at=NOON + timedelta(hours=1))))
    (taken,) = edge.taken
    assert isinstance(taken["at"], datetime)
    assert taken["at"] <= NOON + timedelta(seconds=1)


async def test_what_makes_no_sense_here_is_answered() -> None:
    """By the words of whoever knows."""
    edge = Edge()
    edge.problem = "'control.colour': Extra inputs are not permitted"
    async with running(edge.listener.run()):
        await edge.hear(encode_orders(ORDERS))
        await asyncio.sleep(60)
    assert edge.answers() == [edge.problem]


@given(spoiled(encode_orders(BOOST)), spoiled(encode_orders(BOOST)))
async def test_garbage_changes_nothing_and_is_answered_once_a_second(first: bytes, more: bytes) -> None:
    """What waits is still taken."""
    edge = Edge(alive=False)
    garbage = [payload for payload in (first, more) if is_garbage(payload)]
    async with running(edge.listener.run()):
        await edge.bus.connect()
        await edge.hear(encode_orders(ORDERS))
        for payload in garbage:
            await edge.bus.deliver(TOPIC, payload)
        assert len(edge.answers()) == min(1, len(garbage))
        edge.cloud.alive = True
        await asyncio.sleep(LOOK_S)
    assert edge.taken == [values(ORDERS)]


def is_garbage(payload: bytes) -> bool:
    """Return whether these are no orders."""
    try:
        decode_orders(payload)
    except PayloadError:
        return True
    return False
