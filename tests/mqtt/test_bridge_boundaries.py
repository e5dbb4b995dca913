"""The edge's judgement at the very end of a time: of a number, of a cloud's patience, of a command's life."""

import asyncio
from datetime import timedelta

import pytest

from mqtt.far_ends import NOON, make_lease, running
from mqtt.test_bridge_boost import FULL, KEPT, Edge
from mqtt.test_bridge_setpoints import Edge as House
from pvcharge.model import Mode, ModeCommand, Setpoint
from pvcharge.mqtt.attention import SETTLED_S
from pvcharge.mqtt.bridge import AHEAD_S, LOOK_S
from pvcharge.mqtt.heartbeat import PERIOD_S, PERIODS
from pvcharge.mqtt.payloads import MAX_BOOST_MIN, encode_boost
from pvcharge.mqtt.peer import seq_at

DEAD_S = PERIODS * PERIOD_S  # after which a cloud that has died at once seems dead


@pytest.mark.parametrize(("more_s", "heard"), [(0.0, False), (0.001, True)])
async def test_a_number_as_far_ahead_as_clocks_may_be_keeps_order(more_s: float, heard: bool) -> None:  # noqa: FBT001
    """One that is further ahead when its lease has run out tells of a clock that was wrong."""
    house, lease = House(), make_lease()
    ahead = lease.expires + timedelta(seconds=AHEAD_S + more_s)
    await house.hear(make_lease(seq=seq_at(ahead)))
    house.clock.advance(lease.duration_s)
    await house.hear(make_lease(house.clock.now()))
    assert (len(house.put) == 2) is heard


@pytest.mark.looptime
async def test_a_setpoint_of_the_moment_in_which_a_boost_is_commanded_answers_it() -> None:
    """The cloud was there to hear it."""
    edge = Edge()
    async with running(edge.bridge.run()):
        await edge.cloud_returns()
        await asyncio.sleep(SETTLED_S)
        await edge.order("ON")
        await edge.cloud_leases()
        edge.cloud.alive = False
        await asyncio.sleep(2)
        assert edge.leased() == Setpoint(3, 10)


@pytest.mark.looptime
@pytest.mark.parametrize(
    ("dies_s", "boosts"),
    [(DEAD_S - 0.1, True), (DEAD_S + LOOK_S + 0.1, True), (DEAD_S + 2 * LOOK_S + 0.1, False)],
)
async def test_a_command_waits_for_as_long_as_a_dead_cloud_may_seem_alive(
    dies_s: float,
    boosts: bool,  # noqa: FBT001 - what is expected
) -> None:
    """And for one look more; a cloud that is heard longer than that has heard the command."""
    edge = Edge()
    async with running(edge.bridge.run()):
        edge.cloud.alive, edge.cloud.skew_s = True, 0.0
        await asyncio.sleep(SETTLED_S + LOOK_S)
        await edge.order("ON")
        await asyncio.sleep(dies_s)
        edge.cloud.alive = False
        await asyncio.sleep(2 * LOOK_S)
        assert (edge.leased() == FULL) is boosts


@pytest.mark.looptime
@pytest.mark.parametrize(("minutes", "boosts"), [(2 * MAX_BOOST_MIN, True), (2 * MAX_BOOST_MIN + 1, False)])
async def test_a_boost_of_a_clock_that_was_ahead_does_not_come_back(
    minutes: int,
    boosts: bool,  # noqa: FBT001 - what is expected
) -> None:
    """Nobody commands one for more than a day; by a clock set right since, its end may be years away."""
    edge = Edge()
    told = edge.told()
    async with running(edge.bridge.run()):
        boost = ModeCommand(Mode.BOOST, NOON + timedelta(minutes=minutes))
        await edge.bus.deliver(KEPT, encode_boost(NOON, boost), retained=True)
        await asyncio.sleep(2)
        assert edge.leased() == (FULL if boosts else None)
        assert told == ([boost] if boosts else [])
        await edge.cloud_returns()
        await edge.cloud_leases()
        assert edge.kept()[-1] == ""
