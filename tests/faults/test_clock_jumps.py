"""The computer's clock is set while a car charges: by NTP, by hand, by a battery that is empty."""

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import cast

import pytest

from faults.steered_clock import AT_10_A, AT_10_A_W, AT_13_A, AT_13_A_W, MORNING, ClockHouse, Computer
from pvcharge import clock as clock_module
from pvcharge import service
from pvcharge.clock import SystemClock
from pvcharge.model import NO_CHARGE, Decision, Mode, Reason
from pvcharge.mqtt.topics import SETPOINT
from pvcharge.tasks.charger_task import GRACE_S, LOOK_S, OnSilence
from split.house import FULL, LEASE_S, SITE, House
from tasks.fakes import RecordingFeed, VirtualClock, running
from tasks.rig import ChargerRig

pytestmark = pytest.mark.looptime(noop_cycles=1)

HOUR, DECADE = timedelta(hours=1), timedelta(days=3653)
BOOTED = datetime(1970, 1, 1, 0, 1, tzinfo=UTC)
MIN_OFF_S = 60.0
READ_S = 30.0  # from one reading to the next
MOST_STARTS = 3


@pytest.mark.fault("clock", "clock jump forth")
@pytest.mark.parametrize("jump", [HOUR, DECADE])
@pytest.mark.parametrize("start", [MORNING, BOOTED])
async def test_a_clock_set_forth_costs_one_stop(tmp_path: Path, jump: timedelta, start: datetime) -> None:
    """All readings look old at once: the car is stopped, and goes on with the next readings, within minutes.

    So it does where a computer without a battery hears the time from the network only after the start.
    """
    async with ClockHouse(tmp_path, start=start, read_every_s=READ_S).running() as house:
        await house.charges(AT_10_A_W, AT_10_A)
        set_s = house.now_s
        house.computer.set_wall(jump)
        await house.until(lambda: house.writes(set_s) and house.box.setpoint == AT_10_A, MIN_OFF_S + READ_S)
        await asyncio.sleep(600)
        assert [setpoint for _, setpoint in house.writes(set_s)] == [NO_CHARGE, AT_10_A]
        assert house.newest.reason is Reason.FOLLOWING
        await house.charges(AT_13_A_W, AT_13_A)


@pytest.mark.fault("clock", "clock jump back")
@pytest.mark.parametrize("jump", [-HOUR, -DECADE])
async def test_a_clock_set_back_changes_nothing(tmp_path: Path, jump: timedelta) -> None:
    """The daemon's time goes on: the charge goes on, the sun is followed, old readings grow old as ever."""
    async with ClockHouse(tmp_path, read_every_s=READ_S).running() as house:
        await house.charges(AT_10_A_W, AT_10_A)
        set_s = house.now_s
        house.computer.set_wall(jump)
        await asyncio.sleep(300)
        assert house.writes(set_s) == []
        await house.charges(AT_13_A_W, AT_13_A)
        house.roof.answers = False
        house.computer.set_wall(jump)
        await house.until(lambda: house.newest.reason is Reason.STALE_STOP, 4 * READ_S + 60)
        assert house.box.setpoint == NO_CHARGE


@pytest.mark.fault("clock", "DST")
@pytest.mark.parametrize(
    "start", [datetime(2026, 3, 29, 0, 45, tzinfo=UTC), datetime(2026, 10, 25, 0, 45, tzinfo=UTC)]
)
async def test_a_change_to_or_from_summer_time_is_none_for_control(tmp_path: Path, start: datetime) -> None:
    """A charge goes on over the changes of spring and autumn, no reading grows old, a boost ends on time."""
    async with ClockHouse(tmp_path, start=start, read_every_s=READ_S).running() as house:
        await house.charges(AT_10_A_W, AT_10_A)
        began_s = house.now_s
        house.command(Mode.BOOST, until=start + timedelta(minutes=35))  # the change is at one o'clock UTC
        await asyncio.sleep(35 * 60 - house.now_s - 5)
        assert house.box.setpoint == FULL
        await house.until(lambda: house.box.setpoint == AT_10_A, 20)
        await asyncio.sleep(600)
        assert [setpoint for _, setpoint in house.writes(began_s)] == [FULL, AT_10_A]
        assert {decision.reason for decision in house.all(Decision, began_s)} == {
            Reason.BOOST,
            Reason.FOLLOWING,
        }


@pytest.mark.fault("clock", "clock jump back")
async def test_jumps_back_free_no_starts(tmp_path: Path) -> None:
    """However often the clock is set back by an hour, no more starts come in an hour than are allowed."""
    control = {"max_starts_per_hour": MOST_STARTS, "start_cost_wh": 1.0, "min_on_s": 0.0, "min_off_s": 0.0}
    async with ClockHouse(tmp_path, control=control).running() as house:
        for _ in range(14):
            house.roof.surplus_w = AT_10_A_W
            await asyncio.sleep(150)
            house.computer.set_wall(-HOUR)
            house.roof.surplus_w = -1000.0
            await asyncio.sleep(150)
        changes = list(pairwise([(0.0, NO_CHARGE), *house.box.writes]))
    starts_s = [at_s for (_, before), (at_s, after) in changes if after.charges and not before.charges]
    most = max(sum(0 <= later_s - at_s < 3590 for later_s in starts_s) for at_s in starts_s)
    assert most == MOST_STARTS


@pytest.mark.fault("clock", "clock jump back")
@pytest.mark.parametrize("jump", [-HOUR, -DECADE, HOUR])
async def test_no_lease_outlives_its_time(jump: timedelta, monkeypatch: pytest.MonkeyPatch) -> None:
    """A lease that nobody renews ends after its own real seconds, however the clock is set meanwhile."""
    computer = Computer(MORNING)
    monkeypatch.setattr(clock_module, "datetime", computer)
    monkeypatch.setattr(clock_module, "time", computer)
    rig = ChargerRig(cast("VirtualClock", SystemClock()), RecordingFeed())
    async with running(rig.task.run()):
        await rig.settle(AT_10_A)
        assert rig.charger.applied == [AT_10_A]
        await asyncio.sleep(10)
        computer.set_wall(jump)
        await asyncio.sleep(LEASE_S - 10 + GRACE_S + LOOK_S)
        assert rig.charger.applied == [AT_10_A, NO_CHARGE]


@pytest.mark.fault("clock", "clock jump back")
@pytest.mark.parametrize(
    ("jump", "ends"), [(-HOUR, True), (-DECADE, True), (timedelta(minutes=-4), False), (HOUR, False)]
)
async def test_a_clock_set_back_for_long_is_followed_by_a_new_start(
    jump: timedelta, monkeypatch: pytest.MonkeyPatch, *, ends: bool
) -> None:
    """A minute after the clock was set back the daemon ends in good order and is started anew by systemd."""
    computer = Computer(MORNING)
    monkeypatch.setattr(clock_module, "datetime", computer)
    monkeypatch.setattr(clock_module, "time", computer)
    watch = asyncio.create_task(service._watch_clock(SystemClock()))  # noqa: SLF001 - its public face is a process
    await asyncio.sleep(600)
    computer.set_wall(-HOUR)  # a slip, which is mended at once
    await asyncio.sleep(service.LOOK_AT_CLOCK_S)
    computer.set_wall(HOUR)
    await asyncio.sleep(600)
    assert not watch.done()
    computer.set_wall(jump)
    await asyncio.sleep(2 * service.LOOK_AT_CLOCK_S + 1)
    assert watch.done() is ends
    watch.cancel()
    (outcome,) = await asyncio.gather(watch, return_exceptions=True)
    assert isinstance(outcome, service.ClockSetBackError) is ends


def set_edge(house: House, jump: timedelta) -> None:
    """Set the clock of the edge's computer."""
    house.edge.clock._start += jump  # type: ignore[attr-defined] # noqa: SLF001 - as NTP does


def set_cloud(house: House, jump: timedelta) -> None:
    """Set the clock of the cloud's computer."""
    house.cloud.clock._start += jump  # type: ignore[attr-defined] # noqa: SLF001 - as NTP does


@pytest.mark.fault("broker", "clock jump forth")
@pytest.mark.parametrize("set_one", [set_edge, set_cloud])
async def test_a_side_whose_clock_is_set_forth_is_understood_again(
    tmp_path: Path, set_one: Callable[[House, timedelta], None]
) -> None:
    """One side of the link is an hour ahead: for a lease's time the edge may stop, then both agree again."""
    house = House(tmp_path, on_silence=OnSilence.STOP)
    async with house.running():
        assert await house.charges(AT_10_A_W) == AT_10_A
        await house.passes(60)
        set_s = house.now_s
        set_one(house, HOUR)
        await house.passes(LEASE_S + 60)
        assert await house.until(lambda: house.box.setpoint == AT_10_A, 180) is not None
        await house.passes(300)
        written = [setpoint for _, setpoint in house.writes(set_s)]
        assert written in ([], [NO_CHARGE, AT_10_A])
        house.roof.surplus_w = AT_13_A_W
        assert await house.until(lambda: house.box.setpoint == AT_13_A, 120) is not None


@pytest.mark.fault("broker", "clock jump back")
@pytest.mark.parametrize("side", ["edge", "cloud"])
async def test_a_side_that_comes_back_an_hour_earlier_is_understood(tmp_path: Path, side: str) -> None:
    """A side restarts with its clock set back by an hour: old setpoints are refused, new ones obeyed."""
    house = House(tmp_path)
    async with house.running():
        assert await house.charges(AT_10_A_W) == AT_10_A
        await house.passes(60)
        before = house.broker.on(SITE.path(SETPOINT))
        await getattr(house, side).kill()
        (set_edge if side == "edge" else set_cloud)(house, -HOUR)
        house.roof._read_at = None  # noqa: SLF001 - a driver does not outlive its daemon
        set_s = house.now_s
        getattr(house, side).start()
        house.broker.publish(SITE.path(SETPOINT), before[0])
        await house.passes(120)
        house.roof.surplus_w = AT_13_A_W
        assert await house.until(lambda: house.box.setpoint == AT_13_A, 180) is not None
        assert {setpoint for _, setpoint in house.writes(set_s)} <= {NO_CHARGE, AT_10_A, AT_13_A}
        await house.cloud.kill()
        assert await house.until(lambda: house.box.setpoint == NO_CHARGE, LEASE_S + GRACE_S + LOOK_S + 5)
