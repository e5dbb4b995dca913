"""The stand-in at the edges of its rules: the last moment of a lease, of a boost, of what the cloud knows."""

import asyncio
from datetime import datetime, timedelta

import pytest

from pvcharge.control import ControlSettings
from pvcharge.model import LONGEST_BOOST, NO_CHARGE, ChargerState, Lease, Mode, ModeCommand, Reason, Setpoint
from pvcharge.tasks.orders_store import AHEAD
from pvcharge.tasks.stand_in import SET_BACK_S
from tasks.alone import AT_10_A, FULL, LEASE_S, SOON_S, Edge
from tasks.fakes import START, RecordingFeed, VirtualClock

pytestmark = pytest.mark.looptime

OTHER_SETTINGS = ControlSettings(start_cost_wh=50)
MOMENT = timedelta(milliseconds=1)
MIN_ON_S = OTHER_SETTINGS.min_on_s


@pytest.fixture
async def edge(clock: VirtualClock, feed: RecordingFeed) -> Edge:
    """Return an edge whose charger is found charging, and whose cloud is silent from the beginning."""
    edge = Edge(clock, feed)
    edge.heard = False
    return edge


def taken(edge: Edge, setpoint: Setpoint, age_s: float, duration_s: float) -> Lease:
    """Have a setpoint come in that was decided so long ago."""
    at = edge.clock.now() - timedelta(seconds=age_s)
    lease = Lease(1, at, duration_s, setpoint, edge.by_hand)
    edge.stand_in.take_lease(lease)
    return lease


# --- when it leads ---


async def test_an_edge_that_starts_alone_leads_when_a_lease_s_time_is_over(edge: Edge) -> None:
    """At once then: whoever had leased before the start leases no more."""
    async with edge.living():
        await asyncio.sleep(LEASE_S + 0.1)
        assert [lease.at for lease in edge.own] == [START + timedelta(seconds=LEASE_S)]


@pytest.mark.parametrize(("more_s", "leads"), [(0.0, False), (0.1, True)])
async def test_a_clock_may_be_set_back_a_little(
    edge: Edge,
    more_s: float,
    leads: bool,  # noqa: FBT001 - what is expected
) -> None:
    """Clocks are set by a second or two all the time; a lease is good for no longer than that more."""
    async with edge.living():
        await asyncio.sleep(1)
        edge.lease()
        edge.clock.jump(-SET_BACK_S - more_s)
        await asyncio.sleep(0.1)
        assert bool(edge.feed.events) is leads


# --- what others have switched ---


@pytest.mark.parametrize("ordered", [False, True])
@pytest.mark.parametrize(("age_s", "duration_s"), [(30.0, LEASE_S), (0.5, 1.0)])
async def test_a_start_counts_from_when_it_was_decided(
    edge: Edge,
    age_s: float,
    duration_s: float,
    ordered: bool,  # noqa: FBT001 - a case
) -> None:
    """Not from when it came in here, however short it was leased for and whatever settings come with it."""
    edge.box, edge.surplus_w = NO_CHARGE, 0.0
    async with edge.living():
        await asyncio.sleep(1)
        lease = taken(edge, AT_10_A, age_s, duration_s)
        if ordered:
            edge.stand_in.obey(edge.orders(control=OTHER_SETTINGS))
        await asyncio.sleep(LEASE_S - age_s)
        decided = edge.decided()
        assert decided.reason is Reason.MIN_ON_TIME
        assert decided.waits_until == lease.at + timedelta(seconds=MIN_ON_S)


async def test_orders_leave_a_charge_that_it_has_begun_itself(edge: Edge) -> None:
    """What the cloud leased last is over, though its orders come in."""
    edge.box = NO_CHARGE
    async with edge.living():
        await asyncio.sleep(1)
        edge.lease(NO_CHARGE)
        await asyncio.sleep(LEASE_S)
        assert edge.box.charges
        edge.surplus_w = 0.0
        edge.stand_in.obey(edge.orders(max_current_a=10))
        await asyncio.sleep(5)
        assert edge.box.charges


# --- boosts ---


@pytest.mark.parametrize("ordered", [False, True])
async def test_the_user_ends_a_boost_past_the_limits_on_switching(
    edge: Edge,
    ordered: bool,  # noqa: FBT001 - a case
) -> None:
    """Also if orders come in at that very moment."""
    edge.box, edge.surplus_w = NO_CHARGE, 0.0
    async with edge.living():
        await asyncio.sleep(LEASE_S + SOON_S)
        now = edge.clock.now()
        edge.stand_in.boost(now, ModeCommand(Mode.BOOST, now + timedelta(hours=1)))
        edge.lease(FULL)
        await asyncio.sleep(MIN_ON_S / 4)
        assert edge.box == FULL
        now = edge.clock.now()
        edge.stand_in.boost(now, ModeCommand(Mode.BOOST, now))
        edge.lease(FULL, duration_s=0.0)
        if ordered:
            edge.stand_in.obey(edge.orders(max_current_a=10))
        await asyncio.sleep(0.1)
        assert edge.own[-1].setpoint == NO_CHARGE
        assert edge.decided().reason is Reason.TOO_LITTLE


async def test_orders_of_the_moment_do_not_undo_what_the_user_said_here(edge: Edge) -> None:
    """The cloud cannot have heard of it."""
    async with edge.living():
        await asyncio.sleep(LEASE_S + SOON_S)
        edge.stand_in.boost(edge.clock.now(), ModeCommand(Mode.BOOST, edge.clock.now()))
        edge.stand_in.obey(edge.orders(mode=Mode.BOOST))
        await asyncio.sleep(5)
        assert edge.decided().mode is Mode.SURPLUS


@pytest.mark.parametrize(("ahead", "mode"), [(AHEAD, Mode.BOOST), (AHEAD + MOMENT, Mode.OFF)])
async def test_a_clock_that_was_ahead_does_not_overrule_the_cloud(
    edge: Edge, ahead: timedelta, mode: Mode
) -> None:
    """What the user said here by such a clock would be the last word for as long as it was ahead."""
    edge.stand_in.boost(edge.clock.now() + ahead, ModeCommand(Mode.BOOST))
    edge.stand_in.obey(edge.orders(mode=Mode.OFF, mode_after=Mode.OFF))
    async with edge.living():
        await asyncio.sleep(LEASE_S + SOON_S)
        assert edge.decided().mode is mode


@pytest.mark.parametrize("boosted", [False, True])
async def test_a_boost_that_has_just_ended_leaves_the_hand_alone(
    edge: Edge,
    boosted: bool,  # noqa: FBT001 - a case
) -> None:
    """Be it one that was never begun here: nobody has commanded anything since the driver's own change."""
    async with edge.living():
        await asyncio.sleep(LEASE_S + SOON_S)
        until = edge.clock.now() + timedelta(seconds=10)
        if boosted:
            edge.stand_in.obey(edge.orders(mode=Mode.BOOST, until=until))
        await asyncio.sleep(5)
        edge.change_by_hand(Setpoint(1, 8))
        await asyncio.sleep(5)
        assert edge.clock.now() == until
        over = {} if boosted else {"mode": Mode.BOOST, "until": until}
        edge.stand_in.obey(edge.orders(**over))
        await asyncio.sleep(5)
        assert edge.decided().reason is Reason.BY_HAND


@pytest.mark.parametrize(("more_s", "mode"), [(0, Mode.BOOST), (1, Mode.SURPLUS)])
async def test_a_boost_of_a_clock_that_was_ahead_is_none(edge: Edge, more_s: float, mode: Mode) -> None:
    """Nobody commands one for longer than a day: its end may be years away by the right clock."""
    until = edge.clock.now() + LONGEST_BOOST + timedelta(seconds=more_s)
    edge.stand_in.obey(edge.orders(mode=Mode.BOOST, until=until))
    async with edge.living():
        await asyncio.sleep(LEASE_S + SOON_S)
        assert edge.decided().mode is mode


# --- the driver's own hand ---


@pytest.mark.parametrize("unplugged", [False, True])
async def test_other_settings_bring_back_no_hand_that_is_over(
    edge: Edge,
    unplugged: bool,  # noqa: FBT001 - a case
) -> None:
    """One that was found at the start is in the past, one of the car before is not this driver's."""
    edge.by_hand = None if unplugged else START
    async with edge.living():
        await asyncio.sleep(LEASE_S + SOON_S)
        if unplugged:
            edge.change_by_hand(AT_10_A)
            edge.state = ChargerState.DISCONNECTED
            await asyncio.sleep(5)
            edge.state = None
        await asyncio.sleep(5)
        edge.stand_in.obey(edge.orders(control=OTHER_SETTINGS))
        await asyncio.sleep(5)
        assert edge.decided().reason is Reason.FOLLOWING


@pytest.mark.parametrize("known", [None, START + timedelta(seconds=2)])
async def test_a_hand_that_the_cloud_has_yet_to_hear_of_is_respected(
    edge: Edge, known: datetime | None
) -> None:
    """What it leases meanwhile says nothing about it, be it that it knows of an earlier change or of none."""
    edge.by_hand = START
    async with edge.living():
        for _ in range(2):
            await asyncio.sleep(2)
            edge.change_by_hand(Setpoint(1, 8))
        edge.stand_in.take_lease(Lease(1, edge.clock.now(), 15.0, AT_10_A, known))
        await asyncio.sleep(20)
        assert edge.decided().reason is Reason.BY_HAND


async def test_a_lease_that_knows_of_a_hand_comes_before_the_charger_is_heard(edge: Edge) -> None:
    """After a restart of the edge, say; it is passed on as any other."""
    lease = Lease(1, edge.clock.now(), LEASE_S, AT_10_A, START)
    edge.stand_in.take_lease(lease)
    assert edge.leases.value is lease
