"""A driver that does not come back is noticed; one that takes its time is not."""

import asyncio

import pytest

from pvcharge.model import Setpoint
from pvcharge.tasks.charger_task import STUCK_S
from tasks.fakes import FakeCharger, RecordingFeed, VirtualClock, running
from tasks.rig import ChargerRig

pytestmark = pytest.mark.looptime

LEASED = Setpoint(3, 10)


@pytest.fixture
async def rig(clock: VirtualClock, feed: RecordingFeed) -> ChargerRig:
    """Return a charger task."""
    return ChargerRig(clock, feed)


async def test_write_that_never_ends(rig: ChargerRig) -> None:
    """It is stuck from some minutes on, and not before, nor after it was given up."""
    rig.charger.apply_s = 1e9
    async with running(rig.task.run()) as task:
        await rig.settle(LEASED)
        await asyncio.sleep(STUCK_S - 1)
        seen = [rig.task.stuck]
        await asyncio.sleep(2)
        seen.append(rig.task.stuck)
        task.cancel()
        await asyncio.sleep(60)
        seen.append(rig.task.stuck)
    assert seen == [False, True, False]


async def test_silent_box(rig: ChargerRig) -> None:
    """Nothing is asked of a driver while it waits for news, however long."""
    async with running(rig.task.run()):
        await rig.settle(LEASED)
        await asyncio.sleep(10 * STUCK_S)
        assert not rig.task.stuck


async def test_box_that_is_away(rig: ChargerRig) -> None:
    """Long waits between tries are no standstill, and a try that ends is one."""

    class Away(FakeCharger):
        async def open(self) -> None:
            await asyncio.sleep(1e9)

    rig = ChargerRig(rig.clock, RecordingFeed(), charger=Away(rig.clock))
    async with running(rig.task.run()):
        await asyncio.sleep(STUCK_S + 1)
        assert rig.task.stuck
