"""The cloud's end of a boost that was commanded while only the edge was there to hear it."""

import asyncio
from collections.abc import MutableMapping
from datetime import datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mqtt.far_ends import NOON, SITE, FakePeer, RecordingBus, running, spoiled
from pvcharge.clock import FastClock
from pvcharge.model import LimitsCommand, Mode, ModeCommand
from pvcharge.mqtt import topics
from pvcharge.mqtt.commands import Command
from pvcharge.mqtt.edge_boost import EdgeBoost
from pvcharge.mqtt.payloads import MAX_BOOST_MIN, decode_boost, encode_boost
from pvcharge.mqtt.wire import PayloadError

pytestmark = pytest.mark.looptime

KEPT = SITE.path(topics.EDGE_BOOST)
SKEWS_S = [-600.0, 0.0, 600.0]


class Cloud:
    """An edge's boost on its way to the controller, with the test in the place of everybody else.

    Attributes:
        edge: its heartbeat.
        commands: what has reached the controller.
    """

    def __init__(self, *, alive: bool = True, skew_s: float | None = 0.0) -> None:
        self.clock = FastClock(NOON, speed=1.0)
        self.bus = RecordingBus()
        self.edge = FakePeer(alive, skew_s)
        self.commands: list[Command] = []
        self.edge_boost = EdgeBoost(self.bus, self.edge, SITE, self.clock, self._take)

    async def _take(self, command: Command) -> None:
        self.commands.append(command)

    def in_edge_time(self, at: datetime) -> datetime:
        """Return what the edge's clock shows at this time of ours."""
        return at + timedelta(seconds=self.edge.skew_s or 0.0)

    async def keep(self, age_s: float = 0.0, minutes: float | None = None, *, retained: bool = True) -> str:
        """Have a boost come in that was commanded so long ago, for so many minutes from then."""
        at = self.in_edge_time(self.clock.now() - timedelta(seconds=age_s))
        until = None if minutes is None else at + timedelta(minutes=minutes)
        payload = encode_boost(at, ModeCommand(Mode.BOOST, until))
        await self.hear(payload, retained=retained)
        return payload

    async def hear(self, payload: str | bytes, *, retained: bool = True) -> None:
        """Have something come in on `edge/boost`, and all that follows from it happen."""
        await self.bus.deliver(KEPT, payload, retained=retained)
        await asyncio.sleep(0.1)

    async def edge_changes(self, *, alive: bool) -> None:
        """Have the edge come or go."""
        self.edge.alive = alive
        self.edge_boost.note_edge(alive)
        await asyncio.sleep(0.1)

    def answers(self) -> int:
        """Return how many messages have been refused and answered; nothing else is ever published."""
        assert {message.topic for message in self.bus.published} <= {SITE.error(topics.EDGE_BOOST)}
        return len(self.bus.published)


@pytest.mark.parametrize("skew_s", SKEWS_S)
@pytest.mark.parametrize("retained", [True, False])
async def test_a_boost_is_taken_over_in_the_clouds_time(*, skew_s: float, retained: bool) -> None:
    """The driver of the car asked for 90 minutes from then, whatever the edge calls that time."""
    cloud = Cloud(skew_s=skew_s)
    async with running(cloud.edge_boost.run()):
        await cloud.keep(age_s=600, minutes=90, retained=retained)
    assert cloud.commands == [ModeCommand(Mode.BOOST, NOON + timedelta(minutes=80))]
    assert cloud.answers() == 0


async def test_a_boost_without_an_end_has_none_here() -> None:
    """It goes on until somebody says otherwise."""
    cloud = Cloud(skew_s=600.0)
    async with running(cloud.edge_boost.run()):
        await cloud.keep()
    assert cloud.commands == [ModeCommand(Mode.BOOST)]


@pytest.mark.parametrize(("minutes", "taken"), [(2 * MAX_BOOST_MIN, True), (2 * MAX_BOOST_MIN + 1, False)])
async def test_a_boost_of_an_edge_whose_clock_was_ahead_is_not_taken_over(
    logs: list[MutableMapping[str, Any]],
    *,
    minutes: int,
    taken: bool,
) -> None:
    """Nobody commands one for more than a day; by a clock set right since, its end may be years away."""
    cloud = Cloud(skew_s=600.0)
    async with running(cloud.edge_boost.run()):
        await cloud.keep(minutes=minutes)
    assert bool(cloud.commands) is taken
    assert [line["log_level"] for line in logs] == ["info" if taken else "warning"]


async def test_off_is_taken_over_too() -> None:
    """A boost that ends with its command: the controller may still be in one from before it was away."""
    cloud = Cloud(skew_s=600.0)
    async with running(cloud.edge_boost.run()):
        await cloud.keep(age_s=600, minutes=0)
    assert cloud.commands == [ModeCommand(Mode.BOOST, NOON - timedelta(minutes=10))]


@pytest.mark.parametrize("skew_s", SKEWS_S)
async def test_a_boost_is_taken_over_once(skew_s: float) -> None:
    """The broker repeats it at each connect, until the edge has heard of us and clears it."""
    cloud = Cloud(skew_s=skew_s)
    async with running(cloud.edge_boost.run()):
        kept = await cloud.keep()
        for _ in range(3):
            await cloud.hear(kept)
            await cloud.edge_changes(alive=False)
            await cloud.edge_changes(alive=True)
    assert len(cloud.commands) == 1


async def test_a_boost_is_taken_over_once_though_the_skew_is_measured_anew() -> None:
    """By our clock it would be another time, and so another command."""
    cloud = Cloud(skew_s=600.0)
    async with running(cloud.edge_boost.run()):
        kept = await cloud.keep(minutes=90)
        cloud.edge.skew_s = 600.02
        await cloud.hear(kept)
    assert len(cloud.commands) == 1


async def test_another_boost_is_another_command() -> None:
    """The edge may be alone again and again."""
    cloud = Cloud()
    async with running(cloud.edge_boost.run()):
        for _ in range(2):
            await cloud.keep(minutes=90)
            await cloud.hear("")
            await asyncio.sleep(3600)
    assert len(cloud.commands) == 2


@pytest.mark.parametrize(("alive", "skew_s"), [(False, 600.0), (False, None), (True, None)])
async def test_a_boost_waits_for_the_edge(*, alive: bool, skew_s: float | None) -> None:
    """Without its heartbeat its times mean nothing."""
    cloud = Cloud(alive=alive, skew_s=skew_s)
    kept = encode_boost(NOON + timedelta(minutes=10), ModeCommand(Mode.BOOST, NOON + timedelta(hours=1)))
    async with running(cloud.edge_boost.run()):
        await cloud.hear(kept)
        await asyncio.sleep(3600)
        assert cloud.commands == []
        cloud.edge.skew_s = 600.0
        await cloud.edge_changes(alive=True)
    assert cloud.commands == [ModeCommand(Mode.BOOST, NOON + timedelta(minutes=50))]


async def test_a_skew_that_is_known_later_is_enough() -> None:
    """The edge has been alive all the time, so that nobody tells that it has come."""
    cloud = Cloud(skew_s=None)
    async with running(cloud.edge_boost.run()):
        await cloud.edge_changes(alive=True)
        await cloud.keep()
        cloud.edge.skew_s = 0.0
        await asyncio.sleep(10)
    assert len(cloud.commands) == 1


async def test_an_edge_that_leaves_changes_nothing() -> None:
    """A boost that waits goes on to wait."""
    cloud = Cloud(alive=False)
    async with running(cloud.edge_boost.run()):
        await cloud.keep()
        await cloud.edge_changes(alive=False)
        assert cloud.commands == []
        await cloud.edge_changes(alive=True)
    assert len(cloud.commands) == 1


async def test_of_two_that_wait_the_last_is_taken_over() -> None:
    """It is what the driver of the car said last."""
    cloud = Cloud(alive=False)
    async with running(cloud.edge_boost.run()):
        await cloud.keep(age_s=60)
        await cloud.keep(age_s=30, minutes=0)
        await cloud.edge_changes(alive=True)
    assert cloud.commands == [ModeCommand(Mode.BOOST, NOON + timedelta(seconds=-29.9))]


async def test_a_boost_that_is_cleared_waits_no_longer() -> None:
    """Another cloud has taken it over."""
    cloud = Cloud(alive=False)
    async with running(cloud.edge_boost.run()):
        await cloud.keep()
        await cloud.hear("")
        await cloud.edge_changes(alive=True)
    assert cloud.commands == []
    assert cloud.answers() == 0


@pytest.mark.parametrize("skew_s", SKEWS_S)
@pytest.mark.parametrize("mode", Mode)
async def test_a_mode_commanded_here_later_outdates_it(*, mode: Mode, skew_s: float) -> None:
    """The last word counts, by one clock; and it goes on to count when the boost is repeated."""
    cloud = Cloud(alive=False, skew_s=skew_s)
    async with running(cloud.edge_boost.run()):
        kept = await cloud.keep(age_s=1)
        await cloud.edge_boost.pass_on(ModeCommand(mode))
        await cloud.edge_changes(alive=True)
        await cloud.hear(kept)
    assert cloud.commands == [ModeCommand(mode)]


@pytest.mark.parametrize("skew_s", SKEWS_S)
async def test_a_mode_commanded_here_before_does_not(skew_s: float) -> None:
    """The edge was told what the driver wants now."""
    cloud = Cloud(alive=False, skew_s=skew_s)
    async with running(cloud.edge_boost.run()):
        await cloud.edge_boost.pass_on(ModeCommand(Mode.OFF))
        await asyncio.sleep(2)
        await cloud.keep(age_s=1)
        await cloud.edge_changes(alive=True)
    assert cloud.commands == [ModeCommand(Mode.OFF), ModeCommand(Mode.BOOST)]


async def test_limits_commanded_here_do_not_outdate_it() -> None:
    """They are passed on, and say nothing about whether to boost."""
    cloud = Cloud(alive=False)
    async with running(cloud.edge_boost.run()):
        await cloud.keep(age_s=1)
        await cloud.edge_boost.pass_on(LimitsCommand(max_current_a=10))
        assert cloud.commands == [LimitsCommand(max_current_a=10)]
        await cloud.edge_changes(alive=True)
    assert cloud.commands[1:] == [ModeCommand(Mode.BOOST)]


def is_garbage(payload: bytes) -> bool:
    """Return whether this is no boost; a spoiled one may happen to be good, and nothing at all clears it."""
    try:
        decode_boost(payload)
    except PayloadError:
        return payload != b""
    return False


GARBAGE = spoiled(encode_boost(NOON, ModeCommand(Mode.BOOST, NOON + timedelta(hours=1)))).filter(is_garbage)


@given(st.lists(GARBAGE, min_size=1, max_size=4), GARBAGE)
async def test_garbage_changes_nothing_and_is_answered_once_a_second(
    garbage: list[bytes], more: bytes
) -> None:
    """What waits is still taken over, and whoever floods the topic is not helped by as many answers."""
    cloud = Cloud(alive=False)
    async with running(cloud.edge_boost.run()):
        await cloud.keep()
        for payload in garbage:
            await cloud.hear(payload)
        assert cloud.answers() == 1
        await asyncio.sleep(1)
        await cloud.hear(more)
        assert cloud.answers() == 2
        assert cloud.commands == []
        await cloud.edge_changes(alive=True)
    assert cloud.commands == [ModeCommand(Mode.BOOST)]
