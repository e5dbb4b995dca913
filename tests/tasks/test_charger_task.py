"""The charger task: what is written, what is not, and how it gets over a lost link."""

import asyncio
from datetime import timedelta
from itertools import pairwise
from typing import Any

import pytest

from pvcharge.drivers.base import AuthError, TransientError
from pvcharge.model import ChargerState, Lease, Setpoint
from pvcharge.tasks.charger_task import GRACE_S, LOOK_S
from pvcharge.tasks.retry import TRANSIENT_CAP_S
from tasks.fakes import RecordingFeed, VirtualClock, running
from tasks.rig import ChargerRig

pytestmark = pytest.mark.looptime


@pytest.fixture
async def rig(clock: VirtualClock, feed: RecordingFeed) -> ChargerRig:
    """Return a charger task at a box that is set to off."""
    return ChargerRig(clock, feed)


async def test_leased_setpoint_is_written_once(rig: ChargerRig) -> None:
    """Nothing is written again that is already so, however often it is leased or reported."""
    async with running(rig.task.run()):
        await asyncio.sleep(1)
        for _ in range(20):
            rig.lease(Setpoint(3, 10))
            rig.charger.report()
            await asyncio.sleep(5)
        assert rig.charger.applied == [Setpoint(3, 10)]


async def test_nothing_is_written_without_a_lease(rig: ChargerRig) -> None:
    """A start changes nothing, and neither does a stop before the first lease."""
    rig.charger.report(state=ChargerState.CHARGING, setpoint=Setpoint(3, 16))
    async with running(rig.task.run()):
        for _ in range(100):
            rig.charger.report()
            await asyncio.sleep(5)
    assert rig.charger.calls == ["open", "close"]


async def test_nothing_is_written_before_a_status_of_this_connection(rig: ChargerRig) -> None:
    """What the last connection said does not count after a reconnect."""
    async with running(rig.task.run()):
        await rig.settle(Setpoint(3, 10))
        rig.charger.silent = True
        rig.charger.drop()
        rig.lease(Setpoint(1, 6))
        await asyncio.sleep(30)
        assert rig.charger.connected
        assert rig.charger.calls[-1] == "open"
        rig.charger.report()
        await asyncio.sleep(0.1)
        assert rig.charger.applied[-1] == Setpoint(1, 6)


@pytest.mark.parametrize(
    ("leased", "written"),
    [
        (Setpoint(3, 32), Setpoint(3, 16)),
        (Setpoint(3, 1), Setpoint(3, 6)),
        (Setpoint(1, 32), Setpoint(1, 16)),
        (Setpoint(1, 8), Setpoint(1, 8)),
    ],
)
async def test_setpoint_is_brought_into_the_configured_range(
    rig: ChargerRig, leased: Setpoint, written: Setpoint
) -> None:
    """Whatever a lease from far away says."""
    async with running(rig.task.run()):
        await rig.settle(leased)
        assert rig.charger.applied == [written]


async def test_phases_that_are_not_configured_are_not_used(clock: VirtualClock, feed: RecordingFeed) -> None:
    """A house with one phase gets one phase."""
    rig = ChargerRig(clock, feed, phases=(1,))
    async with running(rig.task.run()):
        await rig.settle(Setpoint(3, 9))
        assert rig.charger.applied == [Setpoint(1, 9)]


async def test_a_single_phase_is_never_made_three(clock: VirtualClock, feed: RecordingFeed) -> None:
    """Where only three phases are configured, one at this current would become three times the power."""
    rig = ChargerRig(clock, feed, phases=(3,))
    rig.charger.report(setpoint=Setpoint(3, 6))
    async with running(rig.task.run()):
        await rig.settle(Setpoint(1, 9))
        assert rig.charger.applied == [Setpoint(0, 0)]


async def test_nothing_is_written_during_a_fault(rig: ChargerRig) -> None:
    """Not even at a stop; afterwards it goes on."""
    rig.charger.report(state=ChargerState.ERROR)
    async with running(rig.task.run()):
        await rig.settle(Setpoint(3, 10))
        assert rig.charger.applied == []
        rig.charger.report(state=ChargerState.READY)
        await asyncio.sleep(0.1)
        assert rig.charger.applied == [Setpoint(3, 10)]
        rig.charger.report(state=ChargerState.ERROR)
        await asyncio.sleep(0.1)
    assert rig.charger.applied == [Setpoint(3, 10)]


async def test_lease_that_ran_out_during_a_fault_gives_the_controller_a_moment(rig: ChargerRig) -> None:
    """Nothing is leased during a fault; a charge is not stopped afterwards for that alone."""
    async with running(rig.task.run()):
        await rig.settle(Setpoint(3, 10))
        rig.charger.report(state=ChargerState.ERROR)
        await asyncio.sleep(1000)
        rig.charger.report(state=ChargerState.READY)
        await asyncio.sleep(GRACE_S / 2)
        rig.lease(Setpoint(3, 10))
        await asyncio.sleep(10 * GRACE_S)
        assert rig.charger.applied == [Setpoint(3, 10)]


async def test_lease_from_before_a_change_by_hand_is_void(rig: ChargerRig) -> None:
    """The driver's hand wins until a decision knows of it; a void lease does not expire, either."""
    async with running(rig.task.run()):
        await rig.settle(Setpoint(3, 10))
        await asyncio.sleep(1)
        rig.charger.change_by_hand(Setpoint(3, 16))
        await asyncio.sleep(1000)
        assert rig.charger.applied == [Setpoint(3, 10)]
        rig.lease(Setpoint(1, 6))
        await asyncio.sleep(0.1)
        assert rig.charger.applied[1:] == [Setpoint(1, 6)]


async def test_lease_decided_before_the_control_loop_heard_of_the_hand_is_void(rig: ChargerRig) -> None:
    """A decision may be younger than the change by hand and yet know nothing of it."""
    async with running(rig.task.run()):
        await rig.settle(Setpoint(3, 10))
        changed_at = rig.clock.now()
        await asyncio.sleep(1)
        rig.lease(Setpoint(3, 12))
        rig.charger.report(setpoint=None, changed_by_hand_at=changed_at)
        await asyncio.sleep(100)
        assert rig.charger.applied == [Setpoint(3, 10)]


async def test_stop_leaves_alone_what_was_set_by_hand(rig: ChargerRig) -> None:
    """A restart of the daemon must not end a charge that its driver started."""
    async with running(rig.task.run()):
        await rig.settle(Setpoint(1, 6))
        await asyncio.sleep(1)
        rig.charger.change_by_hand(Setpoint(3, 16))
        await asyncio.sleep(1)
    assert rig.charger.applied == [Setpoint(1, 6)]
    assert rig.charger.calls[-1] == "close"


async def test_status_goes_to_the_control_loop(rig: ChargerRig) -> None:
    """At most once a second while nothing but the power changes, at once when more does."""
    async with running(rig.task.run()):
        await asyncio.sleep(0.05)
        for _ in range(100):
            await asyncio.sleep(0.1)
            rig.charger.report(power_w=rig.charger.status.power_w + 1)
        await asyncio.sleep(0.01)
        told = rig.told()
        assert len(told) == 11
        rig.charger.report(state=ChargerState.CHARGING)
        rig.charger.report(setpoint=Setpoint(3, 6))
        rig.charger.change_by_hand(Setpoint(3, 7))
        rig.charger.report(power_w=1.0)
        await asyncio.sleep(0.01)
        told += rig.told()
        assert len(told) == 14


async def test_lost_link_is_made_again_with_back_off(rig: ChargerRig) -> None:
    """Tries come further and further apart; the first connection that works ends it."""
    rig.charger.open_errors.extend(TransientError("box: refused") for _ in range(30))
    async with running(rig.task.run()):
        await asyncio.sleep(30 * TRANSIENT_CAP_S)
        assert rig.charger.connected
    gaps_s = [(later - earlier).total_seconds() for earlier, later in pairwise(rig.charger.opened_at)]
    assert len(gaps_s) == 30
    assert max(gaps_s) <= TRANSIENT_CAP_S
    assert gaps_s[0] <= 3.2
    assert sum(gaps_s[10:]) / 20 > 15.0


async def test_wrong_password_is_not_tried_often(rig: ChargerRig) -> None:
    """An account must not be locked by a daemon."""
    rig.charger.open_errors.extend(AuthError("box: wrong password") for _ in range(99))
    async with running(rig.task.run()):
        await asyncio.sleep(6 * 3600)
    assert 20 <= len(rig.charger.opened_at) <= 28


async def test_outage_makes_two_lines_and_tells_since_when(
    rig: ChargerRig, logs: list[dict[str, Any]]
) -> None:
    """The reader and the writer that fail with the link are one failure."""
    async with running(rig.task.run()):
        await rig.settle(Setpoint(3, 10))
        rig.charger.open_errors.extend(TransientError("box: refused") for _ in range(10))
        rig.charger.drop()
        await asyncio.sleep(3600)
        rig.charger.report()
    lines = [line["event"] for line in logs if line["log_level"] != "debug"]
    assert [line for line in lines if line.startswith("device")] == ["device failed", "device recovered"]
    health = rig.feed.health("box")
    down = [event for event in health if not event.ok]
    assert len(down) == 11
    assert len({event.since for event in down}) == 1
    assert (health[0].ok, health[-1].ok) == (True, True)


async def test_dropped_link_during_a_write_ends_neither_task_nor_daemon(rig: ChargerRig) -> None:
    """The write is made again on the next connection."""
    rig.charger.apply_s = 5.0
    async with running(rig.task.run()):
        await asyncio.sleep(1)
        rig.lease(Setpoint(3, 10), duration_s=1000.0)
        await asyncio.sleep(1)
        rig.charger.drop()
        await asyncio.sleep(30)
        assert rig.charger.applied == [Setpoint(3, 10)]


async def test_failed_write_is_tried_again_with_back_off(rig: ChargerRig, logs: list[dict[str, Any]]) -> None:
    """A box that refuses is not hammered at with each of its words, and one line says so."""
    refusals = 8
    rig.charger.apply_errors.extend(TransientError("box: refused amp=10") for _ in range(refusals))
    async with running(rig.task.run()):
        rig.lease(Setpoint(3, 10), duration_s=1e6)
        seconds = 0
        while not rig.charger.applied:
            rig.charger.report()
            await asyncio.sleep(1)
            seconds += 1
        assert seconds > 3 * refusals
    tried = [call for call in rig.charger.calls if call == "apply 3p 10 A"]
    assert len(tried) == refusals + 1
    assert [line["event"] for line in logs if line["log_level"] == "warning"] == ["device failed"]


async def test_failed_write_is_tried_again_though_the_box_is_quiet(rig: ChargerRig) -> None:
    """Neither a status nor a lease need come."""
    rig.charger.apply_errors.append(TransientError("box: refused amp=10"))
    async with running(rig.task.run()):
        rig.lease(Setpoint(3, 10), duration_s=1e6)
        await asyncio.sleep(3.2 + 2 * LOOK_S)
        assert rig.charger.applied == [Setpoint(3, 10)]


async def test_new_setpoint_is_tried_at_once_after_a_failed_write(rig: ChargerRig) -> None:
    """A stop need not wait because a start was refused."""
    rig.charger.apply_errors.extend(TransientError("box: refused") for _ in range(99))
    async with running(rig.task.run()):
        rig.lease(Setpoint(3, 10), duration_s=1e6)
        await asyncio.sleep(60)
        rig.charger.apply_errors.clear()
        rig.lease(Setpoint(1, 8), duration_s=1e6)
        await asyncio.sleep(0.1)
        assert rig.charger.applied == [Setpoint(1, 8)]


async def test_successful_writes_are_no_news_of_health(rig: ChargerRig) -> None:
    """Only a row of failed writes and its end are."""
    async with running(rig.task.run()):
        for current_a in (6, 8, 10):
            await rig.settle(Setpoint(3, current_a))
        rig.charger.apply_errors.append(TransientError("box: refused"))
        await rig.settle(Setpoint(3, 12))
        await asyncio.sleep(10)
    assert [event.ok for event in rig.feed.health("box writes")] == [False, True]


async def test_bug_of_a_driver_is_not_hidden(rig: ChargerRig) -> None:
    """What is no DriverError ends the task, which is for the supervisor to see; the link is closed."""
    rig.charger.apply_errors.append(ZeroDivisionError("a bug"))
    rig.lease(Setpoint(3, 10))
    with pytest.raises(ZeroDivisionError):
        await rig.task.run()
    assert not rig.charger.connected


async def test_restarted_after_a_bug_it_writes_nothing_before_a_fresh_status(rig: ChargerRig) -> None:
    """The status of the connection that crashed is forgotten."""
    rig.charger.apply_errors.append(ZeroDivisionError("a bug"))
    rig.lease(Setpoint(3, 10), duration_s=1000.0)
    with pytest.raises(ZeroDivisionError):
        await rig.task.run()
    rig.charger.silent = True
    async with running(rig.task.run()):
        await asyncio.sleep(100)
        assert rig.charger.applied == []
        rig.charger.report()
        await asyncio.sleep(0.1)
        assert rig.charger.applied == [Setpoint(3, 10)]


async def test_lease_that_the_charger_cannot_follow_is_not_held_against_it(rig: ChargerRig) -> None:
    """A box whose cable allows less stays where it is, without a word about it."""
    rig.charger.cable_a = 10
    async with running(rig.task.run()):
        await rig.settle(Setpoint(3, 16))
        for _ in range(10):
            rig.charger.report()
            await asyncio.sleep(1)
        assert rig.charger.status.setpoint == Setpoint(3, 10)
        assert len(rig.charger.applied) <= 3
    assert len(rig.feed.health("box")) == 1
    assert rig.feed.health("box writes") == []


async def test_leases_are_compared_by_their_own_time(rig: ChargerRig) -> None:
    """A lease that was old on arrival is as old as it says."""
    async with running(rig.task.run()):
        await asyncio.sleep(1)
        old = rig.clock.now() - timedelta(seconds=50)
        rig.leases.put(Lease(1, old, 60.0, Setpoint(3, 10)))
        await asyncio.sleep(0.1)
        assert rig.charger.applied == [Setpoint(3, 10)]
        await asyncio.sleep(20)
        assert rig.charger.applied == [Setpoint(3, 10), Setpoint(0, 0)]
