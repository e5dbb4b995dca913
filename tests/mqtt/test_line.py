"""A daemon's line to its broker: real heartbeats over a broker in memory, in virtual time."""

import asyncio
from collections.abc import AsyncIterator, Mapping, MutableMapping
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

import pytest

from mqtt.far_ends import SITE, running
from pvcharge.model import Clock, DeviceHealth
from pvcharge.mqtt import topics
from pvcharge.mqtt.line import LOOK_S, SIDES, Line
from pvcharge.mqtt.settings import MqttSettings
from pvcharge.mqtt.topics import Topic
from support.fake_bus import FakeBroker, FakeBus
from tasks.fakes import START, VirtualClock

pytestmark = pytest.mark.looptime

SETTINGS = MqttSettings(host="broker.example")
DEAD_S = 45.0  # three periods of the heartbeat, one until its end is told, and a look
OTHER = {"edge": "cloud", "cloud": "edge"}


class LineBus(FakeBus):
    """A bus in memory that says how it is, as the real link does.

    Attributes:
        facts: what it says.
    """

    def __init__(self, broker: FakeBroker, will: tuple[str, str] | None) -> None:
        super().__init__(broker, will=will)
        self.facts: dict[str, float | str] = {}

    def health(self) -> Mapping[str, float | str]:
        """Return facts for the user."""
        return self.facts


class End:
    """A line, with the test in the place of network and feed.

    Attributes:
        told: its health, as the feed gets it.
    """

    def __init__(self, broker: FakeBroker, role: str, *, ahead_s: float = 0.0) -> None:
        self.clock = VirtualClock()
        self.clock.jump(ahead_s)
        self.told: list[DeviceHealth] = []
        self._broker = broker
        self.line = Line(SETTINGS, role, SITE.site, self.clock, self.told.append, self._connect)

    def _connect(
        self, settings: MqttSettings, *, client_id: str, will: tuple[str, str] | None, clock: Clock
    ) -> LineBus:
        assert (settings, clock) == (SETTINGS, self.clock)
        self.client_id = client_id
        self.bus = LineBus(self._broker, will)
        return self.bus

    def health(self) -> DeviceHealth:
        """Return what was told last."""
        return self.told[-1]

    def lose(self, reason: str) -> None:
        """Lose the connection, or fail to get it back."""
        self.bus.facts["last_error"] = reason
        self.bus.cut()


class House:
    """Two lines that meet at a broker, the edge's clock as wrong as told."""

    def __init__(self, *, edge_ahead_s: float = 0.0) -> None:
        self.broker = FakeBroker(delay_s=0.05)
        self.ends = {
            "edge": End(self.broker, "edge", ahead_s=edge_ahead_s),
            "cloud": End(self.broker, "cloud"),
        }


@asynccontextmanager
async def lines(*ends: End) -> AsyncIterator[None]:
    """Run all tasks of these lines for as long as the context lasts, for a second already when it begins."""
    async with AsyncExitStack() as stack:
        for end in ends:
            for task in end.line.tasks().values():
                await stack.enter_async_context(running(task()))
        await asyncio.sleep(1)
        yield


def seconds(health: DeviceHealth) -> tuple[float, float]:
    """Return since when it is so and when it was told, in seconds of the test."""
    return (health.since - START).total_seconds(), (health.at - START).total_seconds()


STATUS_TOPICS = [
    ("standalone", topics.CLOUD_STATUS),
    ("cloud", topics.CLOUD_STATUS),
    ("edge", topics.EDGE_STATUS),
]


@pytest.mark.parametrize(("role", "status"), STATUS_TOPICS)
async def test_online_is_said_at_each_connect(role: str, status: Topic) -> None:
    """And kept for whoever comes later, on the role's own topic only; the broker says when we are gone."""
    broker = FakeBroker()
    end = End(broker, role)
    async with lines(end):
        assert broker.retained[SITE.path(status)].payload == "online"
        end.lose("reset")
        assert broker.retained[SITE.path(status)].payload == "offline"
        end.bus.restore()
        await asyncio.sleep(1)
        assert broker.retained[SITE.path(status)].payload == "online"
    assert broker.retained[SITE.path(status)].payload == "offline"
    assert set(broker.retained) == {SITE.path(status)}


@pytest.mark.parametrize("role", SIDES)
async def test_each_line_has_a_name_of_its_own_at_the_broker(role: str) -> None:
    """Two clients of one name would throw each other out, again and again."""
    assert End(FakeBroker(), role).client_id == f"pvcharge-{role}-home"


@pytest.mark.parametrize("role", OTHER)
async def test_a_line_that_comes_up_is_told_at_once(role: str) -> None:
    """First that there is none yet, then that the other side is there; and no more while nothing changes."""
    house = House()
    end = house.ends[role]
    async with lines(*house.ends.values()):
        before, after = end.told
        assert (before.name, before.ok, before.error) == (
            "mqtt",
            False,
            "no connection to the broker at broker.example:8883: not connected yet",
        )
        assert (after.name, after.ok, after.error) == ("mqtt", True, None)
        assert seconds(before) == (0, 0)
        assert seconds(after) == pytest.approx((0.15, 0.15), abs=0.1)
        await asyncio.sleep(3600)
        assert end.told == [before, after]


@pytest.mark.parametrize("role", OTHER)
async def test_a_peer_that_is_not_heard_is_named(role: str) -> None:
    """With what may be wrong; its return is told at once."""
    house = House()
    end, peer = house.ends[role], house.ends[OTHER[role]]
    async with lines(*house.ends.values()):
        await asyncio.sleep(99)
        peer.lose("reset")
        await asyncio.sleep(DEAD_S)
        assert not end.health().ok
        assert end.health().error == (
            f"the {OTHER[role]} is not heard, or does not hear us; "
            "see whether it runs, and what the broker's ACL allows"
        )
        await asyncio.sleep(600)
        peer.bus.restore()
        await asyncio.sleep(0.5)
        assert end.health().ok
        back_s = 100 + DEAD_S + 600
        assert seconds(end.health()) == pytest.approx((back_s, back_s), abs=0.5)
        await asyncio.sleep(3600)
        assert [health.ok for health in end.told] == [False, True, False, True]


async def test_a_daemon_alone_hears_itself() -> None:
    """A broker that lets nobody through is found out, and the words are not about another side."""
    broker = FakeBroker(delay_s=0.05)
    end = End(broker, "standalone")
    async with lines(end):
        assert end.health().ok
        broker.loses = lambda _topic: True
        await asyncio.sleep(DEAD_S)
        assert end.health().error == "what we send does not come back; see what the broker's ACL allows us"


async def test_without_a_connection_the_broker_and_the_reason_are_named() -> None:
    """Also when the reason changes: but how long there is no connection, does not begin anew."""
    house = House()
    edge = house.ends["edge"]
    async with lines(*house.ends.values()):
        await asyncio.sleep(99)
        for reason in ("connection reset", "certificate has expired"):
            edge.lose(reason)
            await asyncio.sleep(LOOK_S)
            assert edge.health().error == f"no connection to the broker at broker.example:8883: {reason}"
            await asyncio.sleep(1200)
        first, second = edge.told[2:]
        assert seconds(first) == pytest.approx((100, 100), abs=LOOK_S)
        assert seconds(second) == pytest.approx((100, 1305), abs=LOOK_S)
        assert second.since == first.since


async def test_a_connection_that_proves_nothing_is_no_news() -> None:
    """Connected to the broker, but not to the other side: it is as broken as before, and since then."""
    house = House()
    edge, cloud = house.ends["edge"], house.ends["cloud"]
    async with lines(edge, cloud):
        await asyncio.sleep(99)
        edge.lose("connection reset")
        await asyncio.sleep(600)
        cloud.lose("connection reset")
        edge.bus.restore()
        await asyncio.sleep(60)
        lost, unheard = edge.told[2:]
    assert lost.error is not None
    assert lost.error.startswith("no connection")
    assert unheard.error is not None
    assert unheard.error.startswith("the cloud is not heard")
    assert unheard.since == lost.since


@pytest.mark.parametrize(
    ("role", "fact"), [("cloud", ("edge_clock_ahead_s", 3.2)), ("edge", ("cloud_clock_ahead_s", -3.2))]
)
async def test_the_other_clock_is_among_the_facts(role: str, fact: tuple[str, float]) -> None:
    """Beside what the link has to say; not before it is known, and told anew when it changes."""
    house = House(edge_ahead_s=3.2)
    end = house.ends[role]
    end.bus.facts["reconnects"] = 0
    async with lines(*house.ends.values()):
        first, second = end.told
        assert first.facts == {"reconnects": 0}
        assert second.facts == {"reconnects": 0, **dict([fact])}
        house.ends["edge"].clock.jump(-3.2)
        await asyncio.sleep(3600)
        assert end.health().facts == {"reconnects": 0, fact[0]: 0.0}
        assert end.health().since == second.since
        assert end.health().at > second.at
        assert [health.ok for health in end.told[1:]] == [True] * len(end.told[1:])


async def test_a_clock_that_drifts_a_little_is_no_news() -> None:
    """The page need not change with every measurement."""
    house = House(edge_ahead_s=3.2)
    async with lines(*house.ends.values()):
        for _ in range(4):
            house.ends["edge"].clock.jump(0.01)
            await asyncio.sleep(600)
    assert [len(end.told) for end in house.ends.values()] == [2, 2]


async def test_a_daemon_alone_has_no_other_clock() -> None:
    """Its own is right by definition, also while a message takes its time."""
    end = End(FakeBroker(delay_s=2.0), "standalone")
    async with lines(end):
        await asyncio.sleep(60)
        assert end.health().ok
        assert end.health().facts == {}


@pytest.mark.parametrize("ahead_s", [-7200.0, -10.0, 10.0, 7200.0])
@pytest.mark.parametrize("role", OTHER)
async def test_a_wrong_clock_is_warned_of_once(
    logs: list[MutableMapping[str, Any]], role: str, ahead_s: float
) -> None:
    """And again after it had been right: everything works all the same, but what people see is odd."""
    house = House(edge_ahead_s=ahead_s)
    peer_ahead_s = ahead_s if role == "cloud" else -ahead_s
    async with lines(*house.ends.values()):
        for jump_s in (0.0, -ahead_s, ahead_s):
            house.ends["edge"].clock.jump(jump_s)
            await asyncio.sleep(600)
    warnings = [entry for entry in logs if entry.get("peer") == OTHER[role]]
    assert [(entry["log_level"], entry["ahead_s"]) for entry in warnings] == [("warning", peer_ahead_s)] * 2


async def test_a_clock_that_gets_worse_is_not_warned_of_again(logs: list[MutableMapping[str, Any]]) -> None:
    """Whoever did not see to it after the first warning does not want a second one."""
    house = House(edge_ahead_s=20.0)
    async with lines(*house.ends.values()):
        for _ in range(5):
            await asyncio.sleep(60)
            house.ends["edge"].clock.jump(20.0)
    assert len([entry for entry in logs if entry.get("peer") == "edge"]) == 1


async def test_a_clock_that_is_nearly_right_is_not_warned_of(logs: list[MutableMapping[str, Any]]) -> None:
    """The network may take its time, so that the skew is not known to the second."""
    house = House(edge_ahead_s=9.8)
    async with lines(*house.ends.values()):
        await asyncio.sleep(600)
    assert [entry for entry in logs if "peer" in entry] == []


async def test_everybody_is_told_of_the_other_side() -> None:
    """All hooks, at the moment when the health is told, too."""
    house = House()
    edge = house.ends["edge"]
    changes: list[tuple[str, bool, bool]] = []
    for name in ("first", "second"):
        edge.line.on_change.append(
            lambda alive, name=name: changes.append((name, alive, edge.health().ok))  # type: ignore[misc]
        )
    async with lines(*house.ends.values()):
        await asyncio.sleep(60)
        house.ends["cloud"].lose("reset")
        await asyncio.sleep(DEAD_S)
        house.ends["cloud"].bus.restore()
        await asyncio.sleep(1)
    assert changes == [(name, ok, ok) for ok in (True, False, True) for name in ("first", "second")]
