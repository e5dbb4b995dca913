"""What becomes of the charger when nobody renews the lease, and when the daemon stops."""

import asyncio
from typing import Any

import pytest

from pvcharge.drivers.base import TransientError
from pvcharge.model import ChargerState, Setpoint
from pvcharge.tasks import charger_task
from pvcharge.tasks.charger_task import GRACE_S, LOCAL_GRACE_S, LOOK_S, OnSilence
from tasks.fakes import RecordingFeed, VirtualClock, running
from tasks.rig import LEASE_S, ChargerRig

pytestmark = pytest.mark.looptime

LEASED = Setpoint(3, 10)
SILENT_S = LEASE_S + LOOK_S + GRACE_S  # after which a lease that was not renewed must have had its effect
ENDS = {
    OnSilence.STOP: Setpoint(0, 0),
    OnSilence.MINIMUM: Setpoint(1, 6),
    OnSilence.KEEP: LEASED,
    OnSilence.BOOST: Setpoint(3, 16),
    OnSilence.LOCAL: Setpoint(0, 0),  # the stand-in leases in time, unless it is dead
}
each_setting = pytest.mark.parametrize(("on_silence", "end"), ENDS.items())


@pytest.fixture
async def rig(clock: VirtualClock, feed: RecordingFeed) -> ChargerRig:
    """Return a charger task that stops the charge when nobody speaks to it."""
    return ChargerRig(clock, feed)


@each_setting
async def test_expired_lease_has_the_configured_effect(
    clock: VirtualClock, feed: RecordingFeed, on_silence: OnSilence, end: Setpoint
) -> None:
    """Once, and never before the lease has run out."""
    rig = ChargerRig(clock, feed, on_silence=on_silence)
    async with running(rig.task.run()):
        await rig.settle(LEASED)
        await asyncio.sleep(LEASE_S - 1)
        assert rig.charger.applied == [LEASED]
        await asyncio.sleep(SILENT_S)
        for _ in range(100):
            rig.charger.report()
            await asyncio.sleep(10)
        assert rig.charger.status.setpoint == end
        assert rig.charger.applied == [LEASED] if end == LEASED else [LEASED, end]


@each_setting
async def test_clean_stop_has_the_same_effect(
    clock: VirtualClock, feed: RecordingFeed, on_silence: OnSilence, end: Setpoint
) -> None:
    """It is written once, then the link is closed."""
    rig = ChargerRig(clock, feed, on_silence=on_silence)
    async with running(rig.task.run()):
        await rig.settle(LEASED)
    goodbye = [] if on_silence is OnSilence.KEEP else [f"apply {end}"]
    assert rig.charger.calls == ["open", f"apply {LEASED}", *goodbye, "close"]


async def test_a_stand_in_has_the_time_to_be_started_again(clock: VirtualClock, feed: RecordingFeed) -> None:
    """And what it leases then is written at once, not at the end of that time."""
    rig = ChargerRig(clock, feed, on_silence=OnSilence.LOCAL)
    async with running(rig.task.run()):
        await rig.settle(LEASED)
        await asyncio.sleep(LEASE_S + LOCAL_GRACE_S - 1)
        assert rig.charger.applied == [LEASED]
        rig.lease(Setpoint(3, 12))
        await asyncio.sleep(0.1)
        assert rig.charger.applied == [LEASED, Setpoint(3, 12)]


async def test_a_lease_that_has_run_out_already_changes_nothing_of_the_grace(rig: ChargerRig) -> None:
    """It is not news that somebody leads."""
    async with running(rig.task.run()):
        await rig.settle(LEASED)
        rig.lease(LEASED, 0.0)
        await asyncio.sleep(GRACE_S / 2)
        rig.lease(LEASED, 0.0)
        await asyncio.sleep(GRACE_S / 2 - 0.2)
        assert rig.charger.applied == [LEASED]
        await asyncio.sleep(0.4)
        assert rig.charger.applied == [LEASED, Setpoint(0, 0)]


async def test_renewed_lease_never_runs_out(rig: ChargerRig) -> None:
    """A renewal in the last moment is in time, though it comes during the grace."""
    async with running(rig.task.run()):
        await rig.settle(LEASED)
        for _ in range(10):
            await asyncio.sleep(LEASE_S + GRACE_S / 2)
            rig.lease(LEASED)
        assert rig.charger.applied == [LEASED]


async def test_back_from_silence(rig: ChargerRig, logs: list[dict[str, Any]]) -> None:
    """A new lease takes effect at once; both turns are logged, once each."""
    async with running(rig.task.run()):
        await rig.settle(LEASED)
        await asyncio.sleep(10 * SILENT_S)
        rig.lease(LEASED)
        await asyncio.sleep(0.1)
        assert rig.charger.applied == [LEASED, Setpoint(0, 0), LEASED]
    turns = [line["event"] for line in logs if line["event"].startswith("controller")]
    assert turns == ["controller silent", "controller back"]


async def test_change_by_hand_during_silence_is_left_alone(rig: ChargerRig) -> None:
    """With the controller dead, the driver's own hand still works."""
    async with running(rig.task.run()):
        await rig.settle(LEASED)
        await asyncio.sleep(2 * SILENT_S)
        rig.charger.change_by_hand(Setpoint(3, 16))
        await asyncio.sleep(2 * SILENT_S)
        assert rig.charger.status.setpoint == Setpoint(3, 16)


async def test_lease_that_runs_out_during_an_outage_gives_the_controller_a_moment(rig: ChargerRig) -> None:
    """A charge is not stopped on reconnect only because the control loop had nothing to lease meanwhile."""
    async with running(rig.task.run()):
        await rig.settle(LEASED)
        rig.charger.open_errors.extend(TransientError("box: refused") for _ in range(20))
        rig.charger.drop()
        rig.charger.opened.clear()
        await rig.charger.opened.wait()
        await asyncio.sleep(GRACE_S / 2)
        rig.lease(LEASED)
        await asyncio.sleep(GRACE_S)
        assert rig.charger.applied == [LEASED]


async def test_lease_that_ran_out_during_an_outage_takes_effect_on_reconnect(rig: ChargerRig) -> None:
    """Nobody renews it: the charge that went on meanwhile is stopped."""
    async with running(rig.task.run()):
        await rig.settle(LEASED)
        rig.charger.open_errors.extend(TransientError("box: refused") for _ in range(20))
        rig.charger.drop()
        await asyncio.sleep(20 * 60 + SILENT_S)
        assert rig.charger.applied == [LEASED, Setpoint(0, 0)]


@pytest.mark.fault("clock", "SIGSTOP 5 min")
async def test_task_that_was_held_up_lets_the_controller_speak_first(rig: ChargerRig) -> None:
    """After a machine has slept, control loop and charger task wake together with an old lease."""
    async with running(rig.task.run()):
        await rig.settle(LEASED)
        rig.clock.jump(3600.0)
        rig.charger.report()
        await asyncio.sleep(0.1)
        rig.lease(LEASED)
        await asyncio.sleep(SILENT_S / 2)
        assert rig.charger.applied == [LEASED]


async def test_stop_while_disconnected_just_stops(rig: ChargerRig) -> None:
    """There is nobody to say goodbye to."""
    async with running(rig.task.run()):
        await rig.settle(LEASED)
        rig.charger.open_errors.extend(TransientError("box: refused") for _ in range(99))
        rig.charger.drop()
        await asyncio.sleep(100)
        calls = len(rig.charger.calls)
    assert rig.charger.applied == [LEASED]
    assert rig.charger.calls[calls:] == []


async def test_stop_in_the_moment_the_link_is_lost_stops(rig: ChargerRig) -> None:
    """The loss must not swallow the stop."""
    async with running(rig.task.run()) as task:
        await rig.settle(LEASED)
        rig.charger.drop()
        task.cancel()
        await asyncio.sleep(60)
        assert task.done()


@pytest.mark.parametrize("at_s", [0.0, 1.0, 2.0])
async def test_stop_during_a_write_says_goodbye_after_it(rig: ChargerRig, at_s: float) -> None:
    """The write is given up, and the goodbye is the last word."""
    rig.charger.apply_s = 2.0
    async with running(rig.task.run()):
        await asyncio.sleep(1)
        rig.lease(LEASED)
        await asyncio.sleep(at_s)
    assert rig.charger.applied[-1] == Setpoint(0, 0)
    assert rig.charger.calls[-2:] == ["apply off", "close"]


async def test_goodbye_has_its_time(
    rig: ChargerRig, logs: list[dict[str, Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A box that does not answer cannot hold up the stop, and a line says how it was left."""
    monkeypatch.setattr(charger_task, "GOODBYE_S", 4.0)
    async with running(rig.task.run()):
        await rig.settle(LEASED)
        rig.charger.apply_s = 1e6
        stopped_at_s = asyncio.get_running_loop().time()
    assert asyncio.get_running_loop().time() == stopped_at_s + 4.0
    assert not rig.charger.connected
    assert [line["error"] for line in logs if line["event"] == "charger left as it is"] == [
        "did not confirm off within 4 s"
    ]


async def test_goodbye_that_is_refused_is_logged(rig: ChargerRig, logs: list[dict[str, Any]]) -> None:
    """The link is closed all the same."""
    async with running(rig.task.run()):
        await rig.settle(LEASED)
        rig.charger.apply_errors.append(TransientError("box: refused frc=1"))
    assert not rig.charger.connected
    assert [line["error"] for line in logs if line["event"] == "charger left as it is"] == [
        "box: refused frc=1"
    ]


async def test_goodbye_that_hits_a_bug_closes_the_link(rig: ChargerRig) -> None:
    """The box can hold but a few links."""
    task = asyncio.create_task(rig.task.run())
    await rig.settle(LEASED)
    rig.charger.apply_errors.append(ZeroDivisionError("a bug"))
    task.cancel()
    with pytest.raises(ZeroDivisionError):
        await task
    assert not rig.charger.connected


async def test_impatient_second_stop_ends_the_goodbye(rig: ChargerRig) -> None:
    """Whoever stops twice wants no more of it; the link is closed even then."""
    async with running(rig.task.run()) as task:
        await rig.settle(LEASED)
        rig.charger.apply_s = 1e6
        task.cancel()
        await asyncio.sleep(1)
        stopped_at_s = asyncio.get_running_loop().time()
    assert asyncio.get_running_loop().time() == stopped_at_s
    assert not rig.charger.connected


async def test_silence_changes_nothing_during_a_fault(rig: ChargerRig) -> None:
    """A box in trouble is left alone; when the trouble is over, silence has its effect."""
    async with running(rig.task.run()):
        await rig.settle(LEASED)
        rig.charger.report(state=ChargerState.ERROR)
        await asyncio.sleep(2 * SILENT_S)
        assert rig.charger.applied == [LEASED]
        rig.charger.report(state=ChargerState.READY)
        await asyncio.sleep(GRACE_S + 0.1)
        assert rig.charger.applied == [LEASED, Setpoint(0, 0)]
