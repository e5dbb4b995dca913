"""What the stand-in does by orders of the cloud, and of the user while the cloud is away."""

import asyncio
from datetime import timedelta

import pytest

from pvcharge.control import ControlSettings
from pvcharge.model import NO_CHARGE, Mode, ModeCommand, Reason, Setpoint
from tasks.alone import AT_10_A, FULL, LEASE_S, SOON_S, Edge
from tasks.fakes import RecordingFeed, VirtualClock

pytestmark = pytest.mark.looptime

OTHER_SETTINGS = ControlSettings(start_cost_wh=50)


@pytest.fixture
async def edge(clock: VirtualClock, feed: RecordingFeed) -> Edge:
    """Return an edge whose charger is found charging."""
    return Edge(clock, feed)


async def test_a_boost_ordered_by_the_cloud_ends_here(edge: Edge) -> None:
    """To the second, and no lease outlasts it."""
    until = edge.clock.now() + timedelta(seconds=300)
    async with edge.living():
        edge.stand_in.obey(edge.orders(mode=Mode.BOOST, until=until))
        edge.lease(FULL)
        edge.heard = False
        await asyncio.sleep(299)
        assert edge.box == FULL
        assert all(lease.expires <= until for lease in edge.own)
        await asyncio.sleep(SOON_S + 2)
        assert edge.box == AT_10_A


async def test_a_boost_that_is_over_is_not_begun(edge: Edge) -> None:
    """Orders may have waited for long."""
    edge.stand_in.obey(edge.orders(mode=Mode.BOOST, until=edge.clock.now(), mode_after=Mode.OFF))
    async with edge.living():
        await edge.is_left_alone()
        await asyncio.sleep(100)
    assert edge.decided().mode is Mode.OFF
    assert FULL not in [lease.setpoint for lease in edge.own]


async def test_a_boost_of_the_edge_is_not_fought(edge: Edge) -> None:
    """While it is leased it is followed; at its end there is no gap, and the cloud is still away."""
    async with edge.living():
        await edge.is_left_alone()
        await asyncio.sleep(100)
        led = len(edge.own)
        edge.stand_in.boost(edge.clock.now(), ModeCommand(Mode.BOOST, edge.clock.now() + timedelta(hours=1)))
        for _ in range(10):
            edge.lease(FULL)
            await asyncio.sleep(20)
        assert len(edge.own) == led
        edge.stand_in.boost(edge.clock.now(), ModeCommand(Mode.BOOST, edge.clock.now()))
        edge.lease(FULL, duration_s=0.0)
        await asyncio.sleep(0.1)
        assert edge.own[-1].setpoint == AT_10_A
        assert edge.leases.value is edge.own[-1]


async def test_older_orders_do_not_undo_what_the_user_said_here(edge: Edge) -> None:
    """They are for the time before; newer ones are the cloud's, which has heard of it."""
    boosting = edge.orders(mode=Mode.BOOST)
    async with edge.living():
        await edge.is_left_alone()
        await asyncio.sleep(100)
        edge.stand_in.boost(edge.clock.now(), ModeCommand(Mode.BOOST, edge.clock.now()))
        edge.stand_in.obey(boosting)
        await asyncio.sleep(5)
        assert edge.decided().mode is Mode.SURPLUS
        edge.stand_in.obey(edge.orders(mode=Mode.BOOST))
        await asyncio.sleep(5)
        assert edge.decided().mode is Mode.BOOST


async def test_limits_of_the_user_hold(edge: Edge) -> None:
    """As at the cloud."""
    edge.stand_in.obey(edge.orders(max_current_a=8))
    async with edge.living():
        await edge.is_left_alone()
        await asyncio.sleep(100)
        assert edge.box == Setpoint(3, 8)


async def test_orders_repeated_change_nothing(edge: Edge) -> None:
    """A command would acknowledge the driver's hand."""
    until = edge.clock.now() + timedelta(hours=1)
    edge.stand_in.obey(edge.orders(mode=Mode.BOOST, until=until))
    async with edge.living():
        await edge.is_left_alone()
        await asyncio.sleep(100)
        edge.change_by_hand(Setpoint(1, 16))
        await asyncio.sleep(10)
        edge.stand_in.obey(edge.orders(mode=Mode.BOOST, until=until + timedelta(milliseconds=80)))
        await asyncio.sleep(10)
        assert edge.decided().reason is Reason.BY_HAND


async def test_other_settings_do_not_end_a_charge_before_its_time(edge: Edge) -> None:
    """The limits on switching hold for what was switched by the settings before."""
    edge.box = NO_CHARGE
    async with edge.living():
        await asyncio.sleep(1)
        edge.lease(NO_CHARGE)
        edge.heard = False
        await asyncio.sleep(LEASE_S)
        assert edge.box.charges
        edge.surplus_w = -3000.0
        edge.stand_in.obey(edge.orders(control=OTHER_SETTINGS))
        await asyncio.sleep(OTHER_SETTINGS.min_on_s - 5)
        assert edge.box.charges


async def test_a_mode_that_comes_with_other_settings_is_no_command_of_now(edge: Edge) -> None:
    """The driver's hand is respected on, and shown; then the mode is in force."""
    async with edge.living():
        await edge.is_left_alone()
        await asyncio.sleep(100)
        edge.change_by_hand(Setpoint(1, 16))
        await asyncio.sleep(10)
        edge.stand_in.obey(edge.orders(control=OTHER_SETTINGS, mode=Mode.OFF, mode_after=Mode.OFF))
        await asyncio.sleep(10)
        assert (edge.decided().reason, edge.decided().mode) == (Reason.BY_HAND, Mode.OFF)
