"""The control loop: everything that comes in reaches the controller, and its answer is leased."""

import asyncio
from collections.abc import Mapping, MutableMapping
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Any

import pytest

from pvcharge.control import Controller, ControlSettings
from pvcharge.drivers.base import Demand
from pvcharge.model import (
    ChargerState,
    ChargerStatus,
    Decision,
    DeviceHealth,
    Distrust,
    Lease,
    LimitsCommand,
    Mode,
    ModeCommand,
    PowerFlow,
    Reason,
    Setpoint,
)
from pvcharge.tasks.control_loop import AHEAD_S, TICK_S, ControlLoop
from pvcharge.tasks.queues import Inbox, Latest
from tasks.fakes import RecordingFeed, VirtualClock, flow, running

pytestmark = pytest.mark.looptime

LEASE_S = 60.0


class Oracle(Controller):
    """Answers what the test wants, and remembers what it was told.

    Attributes:
        setpoint: of the next decisions.
        reason: of the next decisions.
        told: readings, status and commands, in order of arrival.
        asked_at: when it had to decide.
    """

    def __init__(self) -> None:
        super().__init__(ControlSettings())
        self.setpoint = Setpoint(3, 10)
        self.reason = Reason.FOLLOWING
        self.boost_until: datetime | None = None
        self.doubted: dict[str, Distrust] = {}
        self.mode = Mode.SURPLUS
        self.told: list[PowerFlow | ChargerStatus | Mode] = []
        self.asked_at: list[datetime] = []

    def observe(self, seen: PowerFlow | ChargerStatus) -> None:
        """Remember."""
        self.told.append(seen)

    def set_mode(self, mode: Mode, until: datetime | None = None) -> None:
        """Remember, and obey."""
        del until
        self.told.append(mode)
        self.mode = mode

    def decide(self, now: datetime) -> Decision:
        """Return what the test wants."""
        self.asked_at.append(now)
        return Decision(now, self.setpoint, self.reason, self.mode, boost_until=self.boost_until)

    @property
    def doubts(self) -> Mapping[str, Distrust]:
        """Return what the test wants."""
        return self.doubted


class Rig:
    """A control loop with its surroundings."""

    def __init__(self, clock: VirtualClock, feed: RecordingFeed) -> None:
        self.clock = clock
        self.oracle = Oracle()
        self.inbox: Inbox = asyncio.Queue(1000)
        self.leases: Latest[Lease | None] = Latest(None)
        self.demands = [Latest(Demand(car_plugged=False)) for _ in range(2)]
        self.progress = 0
        self.loop = ControlLoop(
            self.oracle,
            clock,
            self.inbox,
            self.leases,
            self.demands,
            feed,
            lease_s=LEASE_S,
            progressed=self._progressed,
        )

    def _progressed(self) -> None:
        self.progress += 1

    def say(self, state: ChargerState) -> None:
        """Let the charger report."""
        self.inbox.put_nowait(ChargerStatus(self.clock.now(), state, 0.0))

    async def lease(self) -> Lease:
        """Return the lease after the loop has had its turn."""
        await asyncio.sleep(0.1)
        assert self.leases.value is not None
        return self.leases.value


@pytest.fixture
async def rig(clock: VirtualClock, feed: RecordingFeed) -> Rig:
    """Return a control loop that is not running yet."""
    return Rig(clock, feed)


async def test_decides_at_least_every_five_seconds(rig: Rig) -> None:
    """Readings age without a sound; each decision is progress for the watchdog."""
    async with running(rig.loop.run()):
        await asyncio.sleep(60.5)
    pauses_s = {(later - earlier).total_seconds() for earlier, later in pairwise(rig.oracle.asked_at)}
    assert pauses_s == {TICK_S}
    assert rig.progress == len(rig.oracle.asked_at) == 12


async def test_decides_at_once_on_news_and_once_for_a_heap_of_it(rig: Rig) -> None:
    """What came together is decided upon together, in order of arrival."""
    async with running(rig.loop.run()):
        await asyncio.sleep(1)
        flows = [flow(rig.clock.now() - timedelta(seconds=age_s)) for age_s in (30, 20, 10)]
        for reading in flows:
            rig.inbox.put_nowait(reading)
        rig.inbox.put_nowait(ModeCommand(Mode.OFF))
        await asyncio.sleep(0.1)
        assert rig.oracle.told == [*flows, Mode.OFF]
        assert len(rig.oracle.asked_at) == 1


async def test_item_in_the_moment_of_the_tick_is_not_lost(rig: Rig) -> None:
    """Whether the tick or the item wins, the controller hears of it."""
    async with running(rig.loop.run()):
        for number in range(1, 11):
            await asyncio.sleep(TICK_S)
            rig.inbox.put_nowait(flow(rig.clock.now(), grid_w=float(number)))
        await asyncio.sleep(0.1)
    assert [seen.grid_w for seen in rig.oracle.told if isinstance(seen, PowerFlow)] == [*range(1, 11)]


async def test_lease_is_renewed_at_a_third_with_rising_numbers(rig: Rig) -> None:
    """An unchanged setpoint costs a lease each third of its life, no more, and never runs out."""
    seen: list[Lease] = []
    async with running(rig.loop.run()):
        for _ in range(300):
            await asyncio.sleep(1)
            lease = rig.leases.value
            if lease is not None and lease not in seen:
                seen.append(lease)
            assert lease is None or lease.expires > rig.clock.now()
    assert [lease.seq for lease in seen] == list(range(1, len(seen) + 1))
    gaps_s = {(b.at - a.at).total_seconds() for a, b in pairwise(seen)}
    assert gaps_s == {LEASE_S / 3}
    assert {(lease.setpoint, lease.duration_s) for lease in seen} == {(Setpoint(3, 10), LEASE_S)}


async def test_new_setpoint_is_leased_at_once(rig: Rig) -> None:
    """A change waits for no renewal."""
    async with running(rig.loop.run()):
        await asyncio.sleep(TICK_S)
        first = await rig.lease()
        rig.oracle.setpoint = Setpoint(1, 6)
        rig.inbox.put_nowait(flow(rig.clock.now()))
        second = await rig.lease()
    assert (second.setpoint, second.seq) == (Setpoint(1, 6), first.seq + 1)


@pytest.mark.parametrize("reason", [Reason.NO_STATUS, Reason.CHARGER_FAULT, Reason.BY_HAND])
async def test_nothing_is_leased_that_shall_not_be_written(rig: Rig, reason: Reason) -> None:
    """Before the charger has been heard, during a fault, and while the driver's own hand is respected."""
    rig.oracle.reason = reason
    async with running(rig.loop.run()):
        await asyncio.sleep(100)
        assert rig.leases.value is None
        rig.oracle.reason = Reason.FOLLOWING
        await asyncio.sleep(TICK_S)
        assert (await rig.lease()).seq == 1


async def test_lease_is_revoked_when_the_hand_takes_over(rig: Rig) -> None:
    """Left alone is left alone, also by what was leased before; afterwards the numbers go on rising."""
    async with running(rig.loop.run()):
        await asyncio.sleep(TICK_S)
        first = await rig.lease()
        rig.oracle.reason = Reason.BY_HAND
        await asyncio.sleep(TICK_S)
        assert rig.leases.value is None
        rig.oracle.reason = Reason.FOLLOWING
        await asyncio.sleep(TICK_S)
        assert (await rig.lease()).seq == first.seq + 1


async def test_real_controller_leases_nothing_before_a_status(
    clock: VirtualClock, feed: RecordingFeed
) -> None:
    """Readings alone, however good, move no charger that has not been heard."""
    rig = Rig(clock, feed)
    loop = ControlLoop(
        Controller(ControlSettings()), clock, rig.inbox, rig.leases, rig.demands, feed, lease_s=LEASE_S
    )
    async with running(loop.run()):
        for _ in range(20):
            rig.inbox.put_nowait(flow(clock.now()))
            await asyncio.sleep(5)
        assert rig.leases.value is None
        rig.say(ChargerState.READY)
        assert (await rig.lease()).seq == 1


async def test_mode_command_is_obeyed_and_published(rig: Rig, feed: RecordingFeed) -> None:
    """It takes effect in the same decision, and every surface hears of it before the decision."""
    command = ModeCommand(Mode.BOOST, rig.clock.now() + timedelta(hours=2))
    rig.inbox.put_nowait(command)
    async with running(rig.loop.run()):
        await asyncio.sleep(0.1)
    told, decision, lease = feed.events
    assert told == command
    assert isinstance(decision, Decision)
    assert decision.mode is Mode.BOOST
    assert lease == rig.leases.value


async def test_all_that_comes_in_is_published_in_the_order_of_the_controller(
    rig: Rig, feed: RecordingFeed
) -> None:
    """Whoever keeps it can feed another controller with the very same."""
    now = rig.clock.now()
    status = ChargerStatus(now, ChargerState.READY, 0.0)
    inputs: list[PowerFlow | ChargerStatus | ModeCommand] = [
        flow(now),
        status,
        ModeCommand(Mode.OFF),
        flow(now + timedelta(seconds=1)),
        ModeCommand(Mode.SURPLUS),
    ]
    for each in inputs:
        rig.inbox.put_nowait(each)
    async with running(rig.loop.run()):
        await asyncio.sleep(0.1)
    assert feed.events[: len(inputs)] == inputs


async def test_limits_command_is_published_as_it_is_in_force(rig: Rig, feed: RecordingFeed) -> None:
    """Every surface shows the limits that hold, not those that were asked for."""
    rig.inbox.put_nowait(LimitsCommand(max_current_a=99))
    async with running(rig.loop.run()):
        await asyncio.sleep(0.1)
    assert feed.events[0] == LimitsCommand(6, 16)


async def test_demand_is_told_when_a_car_comes_or_goes(rig: Rig) -> None:
    """Every inverter hears of it, and only of changes."""
    async with running(rig.loop.run()):
        for state, plugged in (
            (ChargerState.READY, True),
            (ChargerState.CHARGING, True),
            (ChargerState.DISCONNECTED, False),
            (ChargerState.ERROR, True),
        ):
            rig.say(state)
            await asyncio.sleep(0.1)
            assert [demand.value.car_plugged for demand in rig.demands] == [plugged, plugged]
        await rig.demands[0].wait()
        rig.say(ChargerState.READY)
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(rig.demands[0].wait(), 1)


async def test_demand_is_told_when_the_mode_changes(rig: Rig) -> None:
    """By command, without waiting for the charger's next word; and when a boost ends by itself."""
    rig.say(ChargerState.READY)
    async with running(rig.loop.run()):
        for mode, follows in (
            (Mode.BOOST, False),
            (Mode.MIN_SURPLUS, True),
            (Mode.OFF, False),
            (Mode.SURPLUS, True),
        ):
            rig.inbox.put_nowait(ModeCommand(mode))
            await asyncio.sleep(0.1)
            assert rig.demands[0].value == Demand(car_plugged=True, follows_surplus=follows)
        rig.oracle.mode = Mode.OFF
        await asyncio.sleep(TICK_S)
        assert not rig.demands[0].value.follows_surplus


async def test_readings_are_wanted_before_a_boost_ends(rig: Rig) -> None:
    """A minute before, so that the surplus is known when it is followed again; no sooner."""
    rig.say(ChargerState.READY)
    rig.oracle.mode = Mode.BOOST
    rig.oracle.boost_until = rig.clock.now() + timedelta(seconds=300)
    async with running(rig.loop.run()):
        await asyncio.sleep(300 - AHEAD_S - 1)
        assert not rig.demands[0].value.follows_surplus
        await asyncio.sleep(TICK_S + 1)
        assert rig.demands[0].value.follows_surplus


async def test_demand_stays_unknown_before_the_charger_is_heard(rig: Rig) -> None:
    """A command alone does not make anybody pay for readings."""
    rig.inbox.put_nowait(ModeCommand(Mode.MIN_SURPLUS))
    async with running(rig.loop.run()):
        await asyncio.sleep(20)
    assert rig.demands[0].value == Demand(car_plugged=False)


async def test_restarted_loop_goes_on_counting(rig: Rig) -> None:
    """After a crash, an edge that refuses old numbers takes the new leases."""
    async with running(rig.loop.run()):
        await asyncio.sleep(TICK_S)
        first = await rig.lease()
    rig.oracle.setpoint = Setpoint(1, 7)
    async with running(rig.loop.run()):
        await asyncio.sleep(TICK_S)
        assert (await rig.lease()).seq == first.seq + 1


async def test_decision_is_logged_when_it_changes(rig: Rig, logs: list[dict[str, object]]) -> None:
    """A line for each change of setpoint or reason, none for repetitions."""
    async with running(rig.loop.run()):
        await asyncio.sleep(100)
        rig.oracle.reason = Reason.STALE_HOLD
        await asyncio.sleep(100)
    assert [line["reason"] for line in logs if line["event"] == "decided"] == ["following", "stale_hold"]


async def test_a_lease_that_a_boost_had_shortened_is_renewed_at_its_end(rig: Rig) -> None:
    """Also when the surplus alone asks for the same setpoint: else the car would be stopped for a moment."""
    async with running(rig.loop.run()):
        rig.oracle.boost_until = rig.clock.now() + timedelta(seconds=12)
        rig.say(ChargerState.CHARGING)
        assert (await rig.lease()).duration_s == pytest.approx(12)
        await asyncio.sleep(11)
        rig.oracle.boost_until = None
        rig.say(ChargerState.CHARGING)
        assert (await rig.lease()).duration_s == LEASE_S


async def test_an_implausible_source_is_told_once_and_so_is_its_return(
    rig: Rig, feed: RecordingFeed, logs: list[MutableMapping[str, Any]]
) -> None:
    """With the probable cause, as health of its readings."""
    async with running(rig.loop.run()):
        rig.oracle.doubted = {"meter": Distrust.BACKWARDS}
        await asyncio.sleep(60)
        rig.oracle.doubted = {}
        await asyncio.sleep(60)
    told = [event for event in feed.events if isinstance(event, DeviceHealth)]
    assert [(it.name, it.ok) for it in told] == [("meter readings", False), ("meter readings", True)]
    assert "backwards" in str(told[0].error)
    assert "invert_meter" in str(told[0].error)
    said = [entry["event"] for entry in logs]
    assert said.count("readings not plausible") == said.count("readings plausible again") == 1
