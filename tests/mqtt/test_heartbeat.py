"""Two heartbeats over a broker in memory, in virtual time."""

import asyncio
import json
from collections.abc import AsyncIterator, Iterator, MutableMapping
from contextlib import asynccontextmanager
from datetime import datetime, timedelta, timezone
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mqtt.far_ends import NOON, ManualClock
from mqtt.far_ends import running as running_task
from pvcharge.clock import FastClock
from pvcharge.mqtt.bus import Message
from pvcharge.mqtt.heartbeat import Heartbeat
from support.fake_bus import FakeBroker, FakeBus, running

pytestmark = pytest.mark.looptime

EDGE, CLOUD = "pvcharge/home/edge/heartbeat", "pvcharge/home/cloud/heartbeat"


class WrongClock:
    """A clock that is ahead of another one by what the test says."""

    def __init__(self, right: FastClock, ahead_s: float) -> None:
        self.ahead_s = ahead_s
        self._right = right

    def now(self) -> datetime:
        """Return the wrong time."""
        return self._right.now() + timedelta(seconds=self.ahead_s)

    async def sleep(self, seconds: float) -> None:
        """Sleep as long as the right clock."""
        await self._right.sleep(seconds)


class Pair:
    """An edge and a cloud whose clock is wrong."""

    def __init__(self, *, delay_s: float = 0.05, ahead_s: float = 0.0) -> None:
        clock = FastClock(NOON, speed=1.0)
        self.broker = FakeBroker(delay_s=delay_s)
        self.edge_bus, self.cloud_bus = FakeBus(self.broker), FakeBus(self.broker)
        self.cloud_clock = WrongClock(clock, ahead_s)
        self.changes: list[tuple[float, bool]] = []
        self.edge = Heartbeat(self.edge_bus, EDGE, CLOUD, clock, on_change=self._note)
        self.cloud = Heartbeat(self.cloud_bus, CLOUD, EDGE, self.cloud_clock)

    def alive(self) -> tuple[bool, bool]:
        """Return whether the cloud is alive for the edge, and the edge for the cloud."""
        return self.edge.alive, self.cloud.alive

    def _note(self, alive: bool) -> None:  # noqa: FBT001 - as it is called
        self.changes.append((round(asyncio.get_running_loop().time(), 1), alive))

    @asynccontextmanager
    async def running(self, *, cloud: bool = True) -> AsyncIterator[None]:
        """Run buses and heartbeats."""
        async with running(self.edge_bus, self.cloud_bus), running_task(self.edge.run()):
            if not cloud:
                yield
                return
            async with running_task(self.cloud.run()):
                yield


@pytest.fixture(autouse=True)
def _quiet(logs: list[MutableMapping[str, Any]]) -> Iterator[None]:
    yield
    assert not [entry for entry in logs if entry["log_level"] == "error"]


async def test_both_are_alive_at_once() -> None:
    """Two sides that come up know of each other after a few messages, not after periods."""
    pair = Pair(delay_s=0.05)
    async with pair.running():
        await asyncio.sleep(0.3)
        assert pair.alive() == (True, True)
    (told_at_s, alive), *more = pair.changes
    assert told_at_s < 0.3
    assert alive
    assert not more


async def test_one_beat_per_period() -> None:
    """Once both are alive, each sends one heartbeat per period and no more."""
    pair = Pair()
    async with pair.running():
        await asyncio.sleep(1)
        before = len(pair.broker.published)
        await asyncio.sleep(600)
        assert len(pair.broker.published) - before == 120
        assert pair.alive() == (True, True)
    assert len(pair.changes) == 1


async def test_wire_format() -> None:
    """A heartbeat carries version, number, time and the echo of what was heard last."""
    pair = Pair(ahead_s=7200)
    async with pair.running():
        await asyncio.sleep(1)
    assert {published.qos for published in pair.broker.published} == {0}  # of no use later
    first, *_, last = (json.loads(payload) for payload in pair.broker.on(EDGE))
    assert first == {"v": 1, "seq": 1, "at": "2026-06-15T12:00:00Z", "echo": None}
    cloud = json.loads(pair.broker.on(CLOUD)[last["echo"]["seq"] - 1])
    assert last["echo"] == {"seq": cloud["seq"], "at": cloud["at"], "received": last["at"]}
    assert cloud["at"].startswith("2026-06-15T14:00:00")


@pytest.mark.parametrize("ahead_s", [0.0, 90.0, -4000.0, 3e9])
async def test_skew_and_round_trip(ahead_s: float) -> None:
    """Each side knows how far the other's clock is ahead, and the time there and back."""
    pair = Pair(delay_s=0.2, ahead_s=ahead_s)
    async with pair.running():
        await asyncio.sleep(30)
        assert pair.edge.skew_s == pytest.approx(ahead_s, abs=0.01)
        assert pair.cloud.skew_s == pytest.approx(-ahead_s, abs=0.01)
        assert pair.edge.round_trip_s == pytest.approx(0.4, abs=0.01)


async def test_nobody_there() -> None:
    """Without a peer there is no life and no skew."""
    pair = Pair()
    async with pair.running(cloud=False):
        pair.cloud_bus.cut()
        await asyncio.sleep(100)
        assert not pair.edge.alive
        assert pair.edge.skew_s is None
        assert pair.edge.round_trip_s is None
    assert pair.changes == []


@pytest.mark.parametrize("topic", [EDGE, CLOUD])
async def test_either_direction_denied(topic: str) -> None:
    """Where the broker swallows what one side says, neither is alive."""
    pair = Pair()
    pair.broker.loses = lambda lost: lost == topic
    async with pair.running():
        await asyncio.sleep(200)
        assert pair.alive() == (False, False)
    assert len(pair.broker.published) < 100  # and they do not shout at each other


@pytest.mark.parametrize("topic", [EDGE, CLOUD])
async def test_direction_lost_later(topic: str, logs: list[MutableMapping[str, Any]]) -> None:
    """Where one direction breaks, both know after a few periods, and when it works again soon after."""
    pair = Pair()
    async with pair.running():
        await asyncio.sleep(100)
        pair.broker.loses = lambda lost: lost == topic
        await asyncio.sleep(25)
        assert pair.alive()[0]  # a lost message or two are no reason for alarm
        await asyncio.sleep(50)
        assert pair.alive() == (False, False)
        pair.broker.loses = lambda _topic: False
        await asyncio.sleep(10.5)
        assert pair.alive() == (True, True)
    assert [alive for _, alive in pair.changes] == [True, False, True]
    levels = [entry["log_level"] for entry in logs if entry["topic"] == CLOUD]
    assert levels == ["info", "warning", "info"]


async def test_end_is_told_in_time() -> None:
    """A dead peer is told of three periods after its last sign, or one more."""
    pair = Pair()
    async with pair.running():
        await asyncio.sleep(100)
        pair.cloud_bus.cut()
        await asyncio.sleep(100)
    told_at_s, alive = pair.changes[-1]
    assert not alive
    assert 120 <= told_at_s <= 140.1


async def test_reconnect_is_proved_at_once() -> None:
    """After a long cut both are alive as soon as both are connected."""
    pair = Pair()
    async with pair.running():
        await asyncio.sleep(3)
        pair.edge_bus.cut()
        await asyncio.sleep(123)
        assert pair.alive() == (False, False)
        pair.edge_bus.restore()
        await asyncio.sleep(0.3)
        assert pair.alive() == (True, True)


async def test_peer_restarts() -> None:
    """A peer that begins to count anew is as alive as before."""
    pair = Pair()
    async with pair.running(cloud=False):
        async with running_task(pair.cloud.run()):
            await asyncio.sleep(55)
        pair.cloud_bus.cut()
        bus = FakeBus(pair.broker)
        again = Heartbeat(bus, CLOUD, EDGE, pair.cloud_clock)
        async with running(bus), running_task(again.run()):
            await asyncio.sleep(40)
            assert pair.edge.alive
            assert again.alive
    assert [alive for _, alive in pair.changes] == [True]


async def test_peer_sets_its_clock() -> None:
    """A peer whose clock is set, forward or back, stays alive and is measured anew."""
    pair = Pair(delay_s=0.01)
    async with pair.running():
        await asyncio.sleep(95)
        for ahead_s in (3600.0, -86_400.0, 0.5):
            pair.cloud_clock.ahead_s = ahead_s
            await asyncio.sleep(25)
            assert pair.edge.alive
            assert pair.edge.skew_s == pytest.approx(ahead_s, abs=0.02)
    assert [alive for _, alive in pair.changes] == [True]


async def test_standalone() -> None:
    """With one topic for both the own heartbeat that comes back proves the link, until it does not."""
    broker, changes = FakeBroker(delay_s=0.05), list[bool]()
    bus = FakeBus(broker)
    own = Heartbeat(bus, CLOUD, CLOUD, FastClock(NOON, speed=1.0), on_change=changes.append)
    async with running(bus), running_task(own.run()):
        await asyncio.sleep(0.3)
        assert changes == [True]
        assert own.skew_s == pytest.approx(0, abs=0.001)
        await asyncio.sleep(300)
        assert changes == [True]
        assert len(broker.published) < 40
        broker.loses = lambda _topic: True
        await asyncio.sleep(45)
        assert changes == [True, False]


class Desk:
    """A heartbeat on a clock that stands still, with the test in the place of peer and network."""

    def __init__(self) -> None:
        self.clock = ManualClock()
        self.broker = FakeBroker()
        self.bus = FakeBus(self.broker)
        self.heartbeat = Heartbeat(self.bus, EDGE, CLOUD, self.clock)

    def alive(self) -> bool:
        """Return whether the peer is."""
        return self.heartbeat.alive

    async def beat(self) -> dict[str, Any]:
        """Have a heartbeat sent and return it."""
        self.bus.restore()
        await self.heartbeat._beat()  # noqa: SLF001 - one, and now
        beat: dict[str, Any] = json.loads(self.broker.on(EDGE)[-1])
        return beat

    def answer(self, to: dict[str, Any], **changes: Any) -> Message:
        """Return a peer's heartbeat that answers one of ours now, by a clock like ours."""
        now = self.clock.now().isoformat()
        echo = {"seq": to["seq"], "at": to["at"], "received": now}
        return Message(CLOUD, json.dumps({"v": 1, "seq": 5, "at": now, "echo": echo} | changes).encode())

    async def hear(self, message: Message) -> None:
        """Have a message come in."""
        await self.heartbeat._hear(message)  # noqa: SLF001 - as the bus would call it


async def test_old_heartbeats_after_a_pause() -> None:
    """What had piled up while the process stood still proves nothing and measures nothing."""
    desk = Desk()
    piled_up = []
    for _ in range(4):
        own = await desk.beat()
        desk.clock.advance(0.1)
        piled_up.append(desk.answer(own))
        desk.clock.advance(9.9)
    desk.clock.advance(300)
    for message in piled_up:
        await desk.hear(message)
    assert not desk.alive()
    assert desk.heartbeat.skew_s is None


async def test_answer_to_a_process_before() -> None:
    """A number that we used too, but at another time, is that of a process before us."""
    desk = Desk()
    own = await desk.beat()
    before = (NOON - timedelta(seconds=1)).isoformat()
    await desk.hear(desk.answer(own, echo={"seq": own["seq"], "at": before, "received": before}))
    assert not desk.alive()
    await desk.hear(desk.answer(own))
    assert desk.alive()


async def test_just_in_time_and_just_not() -> None:
    """An answer proves something if it comes within three periods, and that for three periods."""
    desk = Desk()
    own = await desk.beat()
    desk.clock.advance(30)
    await desk.hear(desk.answer(own))
    assert not desk.alive()
    own = await desk.beat()
    desk.clock.advance(29.9)
    await desk.hear(desk.answer(own))
    assert desk.alive()
    desk.clock.advance(29.9)
    assert desk.alive()
    desk.clock.advance(0.1)
    assert not desk.alive()


async def test_retained_proves_nothing() -> None:
    """A heartbeat that someone has retained is of any age."""
    desk = Desk()
    good = desk.answer(await desk.beat())
    await desk.hear(Message(good.topic, good.payload, retained=True))
    assert not desk.alive()


@pytest.mark.parametrize(
    "payload",
    [
        b"",
        b"\xff\xfe",
        b"null",
        b"[]",
        b"{}",
        b"[" * 1000,
        b'{"v":1,"seq":1,"at":"2026-06-15T12:00:00"}',
        b'{"v":1,"seq":1,"at":1781524800}',
        b'{"v":1,"seq":"1","at":"2026-06-15T12:00:00Z"}',
        b'{"v":1,"seq":-1,"at":"2026-06-15T12:00:00Z"}',
        b'{"v":2,"seq":1,"at":"2026-06-15T12:00:00Z"}',
        b'{"v":1,"seq":1,"at":"2026-06-15T12:00:00Z","echo":{"seq":1}}',
        b'{"v":1,"seq":1,"at":"2026-06-15T12:00:00Z"' + b" " * 3000 + b"}",
    ],
)
async def test_garbage(payload: bytes) -> None:
    """What is no heartbeat is not even answered, and never quoted in the next one."""
    desk = Desk()
    await desk.beat()
    await desk.hear(Message(CLOUD, payload))
    assert len(desk.broker.published) == 1
    assert (await desk.beat())["echo"] is None


any_time = st.builds(
    lambda time, hours: time.replace(tzinfo=timezone(timedelta(hours=hours))).isoformat(),
    st.datetimes(),
    st.integers(-23, 23),
)
any_json = st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=30), any_time)
any_echo = st.fixed_dictionaries({}, optional=dict.fromkeys(("seq", "at", "received"), any_json))
any_beat = st.fixed_dictionaries(
    {"v": st.just(1)}, optional={"seq": any_json, "at": any_time, "echo": st.one_of(any_json, any_echo)}
)


@given(st.one_of(st.binary(max_size=300), any_beat.map(lambda beat: json.dumps(beat).encode())), any_time)
def test_fuzz(payload: bytes, peer_time: str) -> None:
    """Whatever comes in, nothing is raised and nothing proved; a peer in the year 1 is alive nevertheless."""

    async def scenario() -> None:
        desk = Desk()
        own = await desk.beat()
        await desk.hear(Message(CLOUD, payload))
        assert not desk.alive()
        echo = {"seq": own["seq"], "at": own["at"], "received": peer_time}
        await desk.hear(desk.answer(own, at=peer_time, echo=echo))
        await desk.beat()
        assert desk.alive()

    asyncio.run(scenario())
