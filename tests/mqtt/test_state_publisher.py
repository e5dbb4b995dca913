"""The published state: complete, at the right time, and the same again after a lost connection."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from typing import Any

import pytest

from mqtt.far_ends import SITE, Published, RecordingBus, make_status, running
from pvcharge.model import (
    ChargerState,
    Decision,
    LimitsCommand,
    Mode,
    ModeCommand,
    PowerFlow,
    Reason,
    Setpoint,
)
from pvcharge.mqtt import topics
from pvcharge.mqtt.state import GOOD_S, StatePublisher
from pvcharge.values import SnapshotKeeper, values_for
from tasks.fakes import START, VirtualClock

pytestmark = pytest.mark.looptime

TABLE = values_for(["roof"], "box")
SETTINGS = {
    topic: SITE.path(topic) for topic in (topics.BOOST, topics.MODE, topics.MIN_CURRENT, topics.MAX_CURRENT)
}


class Rig:
    """A publisher with the test in the place of the feed."""

    def __init__(self) -> None:
        self.clock = VirtualClock()
        self.bus = RecordingBus()
        self.feed: asyncio.Queue[object] = asyncio.Queue()
        keeper = SnapshotKeeper(self.clock, LimitsCommand(6, 16))
        self.publisher = StatePublisher(self.bus, SITE, self.clock, keeper, TABLE, self._events())

    async def _events(self) -> AsyncIterator[object]:
        while True:
            yield await self.feed.get()

    def decide(self, **changes: Any) -> None:
        """Publish a decision."""
        values: dict[str, Any] = {
            "setpoint": Setpoint(3, 10),
            "reason": Reason.FOLLOWING,
            "mode": Mode.SURPLUS,
        }
        self.feed.put_nowait(Decision(self.clock.now(), **(values | changes)))

    def measure(self, pv_w: float) -> None:
        """Publish a reading of now."""
        self.feed.put_nowait(PowerFlow(self.clock.now(), self.clock.now(), pv_w=pv_w))

    def states(self) -> list[Published]:
        """Return all states published so far."""
        return self.bus.on(SITE.path(topics.STATE))

    def said(self, topic: topics.Topic) -> list[str]:
        """Return what has been told on the topic of a setting."""
        return [message.payload for message in self.bus.on(SITE.path(topic))]


@asynccontextmanager
async def publishing() -> AsyncIterator[Rig]:
    """Return a publisher that runs, connected for a moment."""
    rig = Rig()
    async with running(rig.publisher.run()):
        await rig.bus.connect()
        await asyncio.sleep(0.1)
        yield rig


async def test_state_holds_every_value() -> None:
    """With its version and time, retained, and void after three periods."""
    async with publishing() as rig:
        first = rig.states()[0]
        assert set(first.values) == {"v", "at", *(value.key for value in TABLE)}
        assert first.values["v"] == 1
        assert datetime.fromisoformat(first.values["at"]) - START < timedelta(seconds=1)
        assert first.values["pv_w"] is None
        assert (first.retain, first.qos, first.expiry_s) == (True, 1, GOOD_S)


async def test_measurements_come_once_a_second() -> None:
    """However often they are made; the last one of each second is told."""
    async with publishing() as rig:
        rig.decide()
        await asyncio.sleep(1.5)
        before = len(rig.states())
        for pv_w in range(40):
            rig.measure(float(pv_w))
            await asyncio.sleep(0.1)
        await asyncio.sleep(1.1)
        told = [message.values["pv_w"] for message in rig.states()[before:]]
        assert 4 <= len(told) <= 6
        assert told[-1] == 39.0


@pytest.mark.parametrize(
    "change",
    [
        {"setpoint": Setpoint(3, 11)},
        {"reason": Reason.MIN_ON_TIME},
        {"mode": Mode.MIN_SURPLUS},
        {"boost_until": START},
    ],
)
async def test_a_change_of_the_decision_comes_at_once(change: dict[str, Any]) -> None:
    """Who has pressed a button sees what it did."""
    async with publishing() as rig:
        rig.decide()
        await asyncio.sleep(0.01)
        before = len(rig.states())
        rig.decide()
        await asyncio.sleep(0.01)
        assert len(rig.states()) == before
        rig.decide(**change)
        await asyncio.sleep(0.01)
        assert len(rig.states()) == before + 1


async def test_a_change_at_the_charger_comes_at_once() -> None:
    """Such as a car that has come."""
    async with publishing() as rig:
        rig.feed.put_nowait(make_status(rig.clock.now(), state=ChargerState.READY))
        await asyncio.sleep(0.01)
        assert rig.states()[-1].values["charger_state"] == "ready"
        before = len(rig.states())
        rig.feed.put_nowait(make_status(rig.clock.now(), state=ChargerState.READY, power_w=1.0))
        await asyncio.sleep(0.01)
        assert len(rig.states()) == before


async def test_a_command_is_answered_even_if_it_changes_nothing() -> None:
    """Whoever sent it waits for a state."""
    async with publishing() as rig:
        rig.decide()
        await asyncio.sleep(2)
        before = len(rig.states())
        rig.feed.put_nowait(ModeCommand(Mode.SURPLUS))
        rig.decide()
        await asyncio.sleep(0.01)
        assert len(rig.states()) == before + 1


async def test_a_state_comes_every_ten_seconds() -> None:
    """Though nothing happens: who listens must know that we live."""
    async with publishing() as rig:
        await asyncio.sleep(1.5)
        before = len(rig.states())
        await asyncio.sleep(30)
        assert len(rig.states()) - before == 3


async def test_settings_are_told_when_they_change() -> None:
    """Each on its own topic, retained and lasting, and not again while they stay."""
    async with publishing() as rig:
        rig.decide()
        await asyncio.sleep(0.01)
        rig.decide(mode=Mode.BOOST, reason=Reason.BOOST)
        rig.feed.put_nowait(LimitsCommand(6, 10))
        await asyncio.sleep(25)
        rig.decide(mode=Mode.BOOST)
        await asyncio.sleep(1.5)
        assert rig.said(topics.BOOST) == ["OFF", "ON"]
        assert rig.said(topics.MODE) == ["surplus", "boost"]
        assert rig.said(topics.MIN_CURRENT) == ["6"]
        assert rig.said(topics.MAX_CURRENT) == ["16", "10"]
        for path in SETTINGS.values():
            assert all(message.retain and message.expiry_s is None for message in rig.bus.on(path))


async def test_before_the_first_decision_no_mode_is_told() -> None:
    """The broker still has the mode from before the restart, which will be restored."""
    async with publishing() as rig:
        await asyncio.sleep(11)
        assert (rig.said(topics.MODE), rig.said(topics.BOOST)) == ([], [])


async def test_everything_is_told_again_after_a_connect() -> None:
    """A broker that lost its memory gets it back at once, with what has changed meanwhile."""
    async with publishing() as rig:
        rig.decide()
        await asyncio.sleep(0.01)
        rig.bus.connected = False
        rig.decide(mode=Mode.OFF)
        await asyncio.sleep(5)
        rig.bus.published.clear()
        await rig.bus.connect()
        await asyncio.sleep(0.01)
        assert {topic: rig.said(topic) for topic in SETTINGS} == {
            topics.BOOST: ["OFF"],
            topics.MODE: ["off"],
            topics.MIN_CURRENT: ["6"],
            topics.MAX_CURRENT: ["16"],
        }
        assert [state.values["mode"] for state in rig.states()] == ["off"]
