"""The edge's own controller: it leads when nobody else does, from what it finds to what others find."""

import asyncio
from collections.abc import MutableMapping
from typing import Any

import pytest

from pvcharge.control import ControlSettings
from pvcharge.model import NO_CHARGE, ChargerState, Decision, Reason, Setpoint
from pvcharge.tasks.stand_in import LATE_S, SPARE_S
from tasks.alone import AT_10_A, AT_13_A, FULL, LEASE_S, SOON_S, Edge
from tasks.fakes import RecordingFeed, VirtualClock, running

pytestmark = pytest.mark.looptime


@pytest.fixture
async def edge(clock: VirtualClock, feed: RecordingFeed) -> Edge:
    """Return an edge whose charger is found charging."""
    return Edge(clock, feed)


async def test_a_lease_of_the_cloud_is_passed_on_and_followed(edge: Edge) -> None:
    """As long as it is renewed nothing is decided here."""
    async with edge.living():
        for current_a in (10, 11, 12, 16):
            lease = edge.lease(Setpoint(3, current_a))
            assert edge.leases.value is lease
            await asyncio.sleep(20)
    assert edge.feed.events == []


async def test_it_leads_before_the_last_lease_has_run_out(edge: Edge) -> None:
    """Not much before, and without a gap from then on."""
    async with edge.living():
        await edge.is_left_alone()
        await asyncio.sleep(LEASE_S - SPARE_S - SOON_S)
        assert edge.own == []
        await asyncio.sleep(2 * SOON_S)
        assert [lease.setpoint for lease in edge.own] == [AT_10_A]
        for _ in range(300):
            lease = edge.leases.value
            assert lease is not None
            assert edge.clock.now() < lease.expires
            await asyncio.sleep(1)
    assert len(edge.own) < 20
    assert len({lease.seq for lease in edge.own}) == len(edge.own)


async def test_it_follows_the_sun(edge: Edge) -> None:
    """At once, not with the next renewal."""
    async with edge.living():
        await edge.is_left_alone()
        await asyncio.sleep(100)
        edge.surplus_w = 8970.0
        await asyncio.sleep(5)
        assert edge.box == AT_13_A
        assert edge.decided().reason is Reason.FOLLOWING


async def test_a_lease_of_the_cloud_ends_it_at_once(edge: Edge, logs: list[MutableMapping[str, Any]]) -> None:
    """Each change is logged once, with the time since when the cloud is silent."""
    async with edge.living():
        await edge.is_left_alone()
        silent_since = edge.clock.now().isoformat()
        await asyncio.sleep(300)
        edge.heard = True
        await asyncio.sleep(10)
        lease = edge.lease(AT_13_A)
        done = len(edge.feed.events)
        await asyncio.sleep(40)
        assert edge.leases.value is lease
        assert len(edge.feed.events) == done
    said = [(line["event"], line.get("silent_since") or line.get("was_silent_since")) for line in logs]
    assert said == [("leading without the cloud", silent_since), ("cloud leads again", silent_since)]


async def test_a_cloud_that_is_heard_may_be_late(edge: Edge) -> None:
    """At the end of a boost it leases anew only then; if it never does, somebody has to."""
    async with edge.living():
        await asyncio.sleep(1)
        edge.lease(FULL, duration_s=8.0)
        await asyncio.sleep(8 + LATE_S - 0.5)
        assert edge.own == []
        await asyncio.sleep(SOON_S + 0.5)
        assert len(edge.own) == 1


async def test_a_short_lease_has_a_short_spare_time(edge: Edge) -> None:
    """It must not count as not renewed before it can be."""
    async with edge.living():
        for _ in range(20):
            edge.heard = True
            edge.lease(duration_s=15.0)
            edge.heard = False
            await asyncio.sleep(10)
    assert edge.own == []


async def test_an_edge_that_starts_alone_waits_for_a_lease_s_time(edge: Edge) -> None:
    """Then it goes on from what it finds, without a start or a stop."""
    edge.heard = False
    async with edge.living():
        await asyncio.sleep(LEASE_S - SOON_S)
        assert edge.own == []
        await asyncio.sleep(2 * SOON_S)
        assert [lease.setpoint for lease in edge.own] == [AT_10_A]


async def test_an_edge_that_starts_with_the_cloud_waits_for_it(edge: Edge) -> None:
    """It may know of a hand that is to be respected."""
    async with edge.living():
        await asyncio.sleep(10 * LEASE_S)
    assert edge.feed.events == []


async def test_a_cloud_whose_setpoints_are_refused_is_no_cloud(edge: Edge) -> None:
    """It is heard, but from the very beginning it leases what this house does not allow."""
    async with edge.living():
        await asyncio.sleep(1)
        edge.stand_in.note_refusal()
        await asyncio.sleep(LEASE_S - 1 - SOON_S)
        assert edge.own == []
        await asyncio.sleep(2 * SOON_S)
        assert [lease.setpoint for lease in edge.own] == [AT_10_A]


async def test_the_hand_is_respected_and_leaves_no_lease(edge: Edge) -> None:
    """A lease that ran out would look like silence; afterwards the sun is followed again."""
    edge.stand_in.obey(edge.orders(control=ControlSettings(respect_hand_s=600)))
    async with edge.living():
        await edge.is_left_alone()
        await asyncio.sleep(100)
        edge.change_by_hand(Setpoint(1, 16))
        await asyncio.sleep(590)
        assert edge.leases.value is None
        led = len(edge.own)
        assert edge.decided().reason is Reason.BY_HAND
        await asyncio.sleep(20)
        assert edge.decided().reason is not Reason.BY_HAND
        assert len(edge.own) > led
        assert edge.own[-1].hand_known_at == edge.by_hand


async def test_a_hand_that_the_cloud_knows_is_none(edge: Edge) -> None:
    """The user has commanded something after it, there."""
    async with edge.living():
        await asyncio.sleep(10)
        edge.change_by_hand(Setpoint(1, 16))
        await asyncio.sleep(10)
        await edge.is_left_alone()
        await asyncio.sleep(100)
        assert edge.box == AT_10_A
        assert edge.decided().reason is Reason.FOLLOWING


async def test_other_settings_do_not_make_it_forget_the_hand(edge: Edge) -> None:
    """Though there is another controller then."""
    async with edge.living():
        await edge.is_left_alone()
        await asyncio.sleep(100)
        edge.change_by_hand(Setpoint(1, 16))
        await asyncio.sleep(10)
        edge.stand_in.obey(edge.orders(control=ControlSettings(start_cost_wh=50)))
        await asyncio.sleep(100)
        assert edge.decided().reason is Reason.BY_HAND


async def test_a_fault_is_not_led(edge: Edge) -> None:
    """What is leased during one would be carried out when it ends."""
    async with edge.living():
        await edge.is_left_alone()
        edge.state = ChargerState.ERROR
        await asyncio.sleep(2 * LEASE_S)
        assert edge.own == []
        assert edge.decided().reason is Reason.CHARGER_FAULT


async def test_nothing_is_leased_while_the_charger_is_not_heard(edge: Edge) -> None:
    """Nobody knows what it does."""
    edge.heard = False
    async with running(edge.stand_in.run()):
        await asyncio.sleep(3 * LEASE_S)
        assert edge.decided().reason is Reason.NO_STATUS
    assert edge.leases.value is None


async def test_without_readings_it_stops_as_configured(edge: Edge) -> None:
    """After the patience that its controller has with any inverter."""
    async with edge.living():
        await edge.is_left_alone()
        await asyncio.sleep(100)
        edge.surplus_w = None
        await asyncio.sleep(300)
        assert edge.box == NO_CHARGE
        assert edge.decided().reason is Reason.STALE_STOP


@pytest.mark.parametrize("jump_s", [3600.0, -3600.0])
async def test_a_clock_that_is_set_does_not_leave_a_lease_in_force(edge: Edge, jump_s: float) -> None:
    """Set back, it would be good for an hour more."""
    async with edge.living():
        await edge.is_left_alone()
        edge.clock.jump(jump_s)
        await asyncio.sleep(SOON_S)
        (lease,) = edge.own
        assert lease.at <= edge.clock.now() < lease.expires


async def test_what_the_cloud_leaves_alone_is_left_alone_here(
    edge: Edge, logs: list[MutableMapping[str, Any]]
) -> None:
    """A cloud that is heard leases nothing during a fault or after a change by hand: it is not silent."""
    async with edge.living():
        await asyncio.sleep(1)
        edge.lease()
        edge.change_by_hand(Setpoint(1, 16))
        await asyncio.sleep(3 * LEASE_S)
    assert edge.feed.events == []
    assert logs == []


async def test_readings_that_had_stopped_long_before_are_not_followed(edge: Edge) -> None:
    """How old they usually come is learned while the cloud leads, too: silence is no rhythm."""
    async with edge.living():
        for _ in range(10):
            edge.lease()
            await asyncio.sleep(20)
        edge.surplus_w = None
        for _ in range(30):
            edge.lease()
            await asyncio.sleep(20)
        edge.heard = False
        await asyncio.sleep(LEASE_S)
        decided = [event.reason for event in edge.feed.events if isinstance(event, Decision)]
    assert decided
    assert set(decided) == {Reason.STALE_STOP}
