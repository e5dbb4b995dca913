"""What the charger's task counts and passes on: wear, leases for the far end, and a driver's time."""

import asyncio
from datetime import timedelta

import pytest

from pvcharge.model import NO_CHARGE, Lease, Setpoint
from pvcharge.tasks.charger_task import GRACE_S, REPEAT_S, STUCK_S, USUAL_WEAR
from tasks.fakes import FakeCharger, RecordingFeed, VirtualClock, running
from tasks.rig import LEASE_S, ChargerRig

pytestmark = pytest.mark.looptime

LEASED = Setpoint(3, 10)


class FarCharger(FakeCharger):
    """A box at the other end of a network, which holds leases itself."""

    def __init__(self, clock: VirtualClock) -> None:
        super().__init__(clock)
        self.held: list[Lease] = []

    async def hold(self, lease: Lease) -> None:
        """Take a lease."""
        self.held.append(lease)


async def test_a_controller_that_has_lost_its_mind(clock: VirtualClock, feed: RecordingFeed) -> None:
    """Starts are written as often as an hour allows, whatever is leased."""
    rig = ChargerRig(clock, feed)
    async with running(rig.task.run()):
        for _ in range(USUAL_WEAR.starts + 5):
            await rig.settle(LEASED)
            await rig.settle(NO_CHARGE)
        assert rig.charger.applied.count(LEASED) == USUAL_WEAR.starts


async def test_each_lease_is_passed_on_once(clock: VirtualClock, feed: RecordingFeed) -> None:
    """A far end hears of each lease, of the last one again over a new connection, and of no other twice."""
    far = FarCharger(clock)
    rig = ChargerRig(clock, feed, charger=far)
    async with running(rig.task.run()):
        await asyncio.sleep(10)
        assert far.held == []
        await rig.settle(LEASED)
        await asyncio.sleep(10)
        await rig.settle(LEASED)
        await asyncio.sleep(10)
        assert [lease.seq for lease in far.held] == [1, 2]
        far.drop()
        await asyncio.sleep(10)
        assert [lease.seq for lease in far.held] == [1, 2, 2]


async def test_a_late_write_has_as_much_time_as_an_early_one(
    clock: VirtualClock, feed: RecordingFeed
) -> None:
    """How long a driver takes counts from when it was asked."""
    rig = ChargerRig(clock, feed)
    async with running(rig.task.run()):
        await asyncio.sleep(10 * STUCK_S)
        rig.charger.apply_s = STUCK_S / 2
        await rig.settle(LEASED)
        await asyncio.sleep(STUCK_S / 4)
        assert not rig.task.stuck


async def test_the_patience_with_a_late_controller_lasts_to_its_end(
    clock: VirtualClock, feed: RecordingFeed
) -> None:
    """A lease that has run out on its way does not shorten it: the next one is in time yet."""
    rig = ChargerRig(clock, feed)
    async with running(rig.task.run()):
        await rig.settle(LEASED)
        await asyncio.sleep(LEASE_S + GRACE_S - 0.8)
        rig.lease(LEASED, 0.0)
        await asyncio.sleep(0.5)
        rig.lease(LEASED)
        await asyncio.sleep(2 * GRACE_S)
        assert rig.charger.applied == [LEASED]


async def test_a_write_is_made_again_as_soon_as_it_may_be(clock: VirtualClock, feed: RecordingFeed) -> None:
    """By what the charger shows at that moment, not at the next look."""
    rig = ChargerRig(clock, feed)
    async with running(rig.task.run()):
        await rig.settle(LEASED)
        written_at = rig.charger.status.at
        await asyncio.sleep(REPEAT_S - 0.1)
        assert clock.now() - written_at == timedelta(seconds=REPEAT_S)
        rig.charger.report(setpoint=NO_CHARGE)
        await asyncio.sleep(0.1)
        assert rig.charger.applied == [LEASED, LEASED]
