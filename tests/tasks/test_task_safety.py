"""The safety rules of the design for whatever may happen: real controller, real tasks, a box in memory.

Whether the controller's decisions are safe is proven elsewhere; here it is what is written to the box.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from datetime import timedelta
from itertools import pairwise
from typing import Any

import looptime
from hypothesis import given, settings
from hypothesis import strategies as st

from pvcharge.control import Controller, ControlSettings
from pvcharge.drivers.base import TransientError
from pvcharge.model import (
    ChargerState,
    ChargerStatus,
    Lease,
    LimitsCommand,
    Mode,
    ModeCommand,
    PowerFlow,
    Setpoint,
)
from pvcharge.tasks.charger_task import GRACE_S, LOOK_S
from pvcharge.tasks.control_loop import ControlLoop
from pvcharge.tasks.queues import Latest
from tasks.fakes import START, FakeCharger, RecordingFeed, VirtualClock
from tasks.rig import LEASE_S, ChargerRig

OFF, FULL = Setpoint(0, 0), Setpoint(3, 16)
LONG_AGO = START - timedelta(days=1)
SETTINGS = ControlSettings()
FEW, MANY = settings(max_examples=15), settings(max_examples=60)


class WatchedCharger(FakeCharger):
    """Checks each write against the rules as it is made.

    Attributes:
        leases: the charger task's mailbox.
        heard: the last status handed out on this connection.
        last_hand_at: when the last change by hand was handed out.
        hand_at: the same as long as it has to be respected, else long ago.
        stopping: whether the daemon has been told to stop.
        writes: time and setpoint of each write that was tried.
    """

    def __init__(self, clock: VirtualClock) -> None:
        super().__init__(clock)
        self.leases: Latest[Lease | None] = Latest(None)
        self.heard: ChargerStatus | None = None
        self.hand_at = self.last_hand_at = LONG_AGO
        self.stopping = False
        self.writes: list[tuple[float, Setpoint]] = []
        self._least_a = SETTINGS.min_current_a
        self._known = False  # what is found at the start is taken over, whoever did it
        self._hand = self.status.changed_by_hand_at

    async def open(self) -> None:
        """Connect; nothing has been heard yet."""
        self.heard = None
        await super().open()

    async def next_status(self) -> ChargerStatus:
        """Hand out a status, and note what it says of the driver's hand."""
        status = await super().next_status()
        if status.changed_by_hand_at != self._hand:
            self.last_hand_at = self._clock.now()
            self.hand_at = self.last_hand_at if self._known else LONG_AGO
        self._known, self._hand = True, status.changed_by_hand_at
        if status.state is ChargerState.DISCONNECTED or self._allows_too_little(status):
            self.forget_hand()
        self.heard = status
        return status

    async def apply(self, setpoint: Setpoint) -> None:
        """Check, then take it."""
        self._check(setpoint)
        self.writes.append((self._clock.now().timestamp(), setpoint))
        await super().apply(setpoint)

    def use_at_least(self, current_a: int) -> None:
        """Take note of the user's own minimum; never lowered again, which makes the checks milder."""
        self._least_a = max(self._least_a, min(current_a, SETTINGS.max_current_a))
        if self._allows_too_little(self.status):
            self.forget_hand()

    def forget_hand(self) -> None:
        """Let the daemon do as it likes again."""
        self.hand_at = LONG_AGO

    @property
    def held_by_hand(self) -> bool:
        """Whether the driver's hand has to be respected now."""
        return (self._clock.now() - self.hand_at).total_seconds() < SETTINGS.respect_hand_s

    def _allows_too_little(self, status: ChargerStatus) -> bool:
        """Whether the box gives less than shall be used, which is a reason to stop whatever was set."""
        return status.max_current_a is not None and status.max_current_a < self._least_a

    def _check(self, setpoint: Setpoint) -> None:
        lease, heard = self.leases.value, self.heard
        assert setpoint.phases in (0, 1, 3), "rule 1"
        assert not setpoint.charges or 6 <= setpoint.current_a <= 16, "rule 1"
        assert heard is not None, "rule 2: written before a status of this connection"
        assert lease is not None, "rule 2: written without a lease"
        assert heard.setpoint != setpoint or self.stopping, "rule 2: is so already"
        assert heard.state is not ChargerState.ERROR, "written during a fault"
        assert setpoint == OFF or self._clock.now() < lease.expires, "rule 4: the lease has run out"
        assert not self.held_by_hand or heard.setpoint == setpoint, "rule 6: the driver's hand"


class Day:
    """A controller, its loop, a charger task and a box; the public methods are what may happen to them."""

    def __init__(self) -> None:
        self.clock, self.feed = VirtualClock(), RecordingFeed()
        self.box = WatchedCharger(self.clock)
        self.rig = ChargerRig(self.clock, self.feed, charger=self.box)
        self.box.leases = self.rig.leases
        self.loop = ControlLoop(
            Controller(SETTINGS),
            self.clock,
            self.rig.inbox,
            self.rig.leases,
            [],
            self.feed,
            lease_s=LEASE_S,
        )
        self._tasks: dict[str, asyncio.Task[None]] = {}

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Let it be day; a check that failed is raised at the end."""
        self._start("charger", self.rig.task.run())
        self._start("control", self.loop.run())
        self._start("chatter", self._chatter())
        try:
            yield
        finally:
            self.box.stopping = True
            for task in self._tasks.values():
                task.cancel()
            outcomes = await asyncio.gather(*self._tasks.values(), return_exceptions=True)
        for outcome in outcomes:
            if isinstance(outcome, Exception):
                raise outcome

    async def wait(self, seconds: int) -> None:
        """Let time pass."""
        await asyncio.sleep(seconds)

    async def reading(self, grid_w: int, age_s: int) -> None:
        """Let an inverter tell the power at the grid, maybe late."""
        end = self.clock.now() - timedelta(seconds=age_s)
        self.rig.inbox.put_nowait(PowerFlow(end, end, pv_w=5000.0, grid_w=float(grid_w), source="roof"))

    async def state(self, state: ChargerState, power_w: int) -> None:
        """Let the car or the box get into another state; without a car, the box resets itself."""
        reset = {"setpoint": FULL} if state is ChargerState.DISCONNECTED else {}
        self.box.report(state=state, power_w=float(power_w), **reset)

    async def limit(self, max_current_a: int) -> None:
        """Let a cable, the heat or the installation allow more or less."""
        self.box.cable_a = max_current_a
        self.box.report(max_current_a=max_current_a)

    async def hand(self, setpoint: Setpoint | None) -> None:
        """Let the driver of the car change something at the box."""
        self.box.change_by_hand(setpoint)

    async def mode(self, mode: Mode, minutes: int | None) -> None:
        """Let the driver of the car choose a mode."""
        until = None if minutes is None else self.clock.now() + timedelta(minutes=minutes)
        self.rig.inbox.put_nowait(ModeCommand(mode, until))
        self.box.forget_hand()

    async def user_limits(self, min_current_a: int | None, max_current_a: int | None) -> None:
        """Let the user narrow the current, or try to widen it."""
        self.rig.inbox.put_nowait(LimitsCommand(min_current_a, max_current_a))
        self.box.use_at_least(min_current_a or 0)

    async def lose_link(self, failed_tries: int) -> None:
        """Cut the connection, and refuse the next few."""
        self.box.open_errors.extend(TransientError("box: refused") for _ in range(failed_tries))
        self.box.drop()

    async def refuse_writes(self, times: int) -> None:
        """Let the box refuse what it is told."""
        self.box.apply_errors.extend(TransientError("box: refused") for _ in range(times))

    async def controller(self, alive: bool) -> None:  # noqa: FBT001 - the name says what it means
        """Kill the controller or bring it back."""
        task = self._tasks["control"]
        if not alive:
            task.cancel()
            await asyncio.wait([task])
        elif task.done():
            self._start("control", self.loop.run())

    async def sleep_of_the_machine(self, seconds: int) -> None:
        """Let the whole machine sleep; only the time goes on."""
        self.clock.jump(seconds)

    def _start(self, name: str, coroutine: Coroutine[Any, Any, None]) -> None:
        self._tasks[name] = asyncio.create_task(coroutine)

    async def _chatter(self) -> None:
        while True:
            await asyncio.sleep(10)
            self.box.report()


SETPOINTS = st.one_of(
    st.just(OFF), st.builds(Setpoint, st.sampled_from([1, 3]), st.integers(min_value=1, max_value=32))
)
HAPPENINGS: dict[str, st.SearchStrategy[tuple[Any, ...]]] = {
    "wait": st.tuples(st.integers(1, 500)),
    "reading": st.tuples(st.integers(-12_000, 12_000), st.integers(0, 1000)),
    "state": st.tuples(st.sampled_from(ChargerState), st.integers(0, 11_000)),
    "limit": st.tuples(st.sampled_from([0, 5, 6, 10, 16, 32])),
    "hand": st.tuples(st.none() | SETPOINTS),
    "mode": st.tuples(st.sampled_from(Mode), st.none() | st.integers(1, 100)),
    "user_limits": st.tuples(st.none() | st.integers(0, 40), st.none() | st.integers(0, 40)),
    "lose_link": st.tuples(st.integers(0, 12)),
    "refuse_writes": st.tuples(st.integers(1, 4)),
    "controller": st.tuples(st.booleans()),
    "sleep_of_the_machine": st.tuples(st.integers(1, 4000)),
}
Happening = tuple[str, tuple[Any, ...]]


def happenings(*names: str) -> st.SearchStrategy[list[Happening]]:
    """Return lists of what may happen, with a chance for things to take effect in between."""
    one = st.one_of(*(st.tuples(st.just(name), HAPPENINGS[name]) for name in names))
    pause = st.tuples(st.just("wait"), st.tuples(st.integers(0, 90)))
    return st.lists(st.tuples(one, pause).map(list), max_size=25).map(
        lambda pairs: [happening for pair in pairs for happening in pair]
    )


def live(day_of: Callable[[], Coroutine[Any, Any, None]]) -> None:
    """Run a day in virtual time, on a loop of its own."""
    with asyncio.Runner(loop_factory=lambda: looptime.new_event_loop(start=0, noop_cycles=1)) as runner:
        runner.run(day_of())


@MANY
@given(happenings(*HAPPENINGS))
def test_every_write_keeps_the_rules(course: list[Happening]) -> None:
    """Rules 1, 2, 4 and 6 hold for each write, whatever has happened before."""

    async def day_of() -> None:
        day = Day()
        async with day.running():
            for name, arguments in course:
                await getattr(day, name)(*arguments)

    live(day_of)


@MANY
@given(happenings(*HAPPENINGS))
def test_dead_controller_leaves_no_car_charging(course: list[Happening]) -> None:
    """Rule 4: whatever has happened, without a controller the box is soon set to off, save by hand."""

    async def day_of() -> None:
        day = Day()
        async with day.running():
            for name, arguments in course:
                await getattr(day, name)(*arguments)
            await day.controller(alive=False)
            await day.state(ChargerState.CHARGING, 5000)
            day.box.open_errors.clear()
            day.box.apply_errors.clear()
            await asyncio.sleep(120 + LEASE_S + LOOK_S + GRACE_S)
            lease = day.rig.leases.value
            if lease is not None and lease.at > day.box.last_hand_at:
                assert day.box.status.setpoint == OFF

    live(day_of)


@FEW
@given(
    st.sampled_from([state for state in ChargerState if state is not ChargerState.DISCONNECTED]),
    SETPOINTS.filter(lambda setpoint: not setpoint.charges or 6 <= setpoint.current_a <= 16),
    st.integers(0, 11_000),
    happenings("lose_link").map(lambda course: course[:10]),
)
def test_start_neither_starts_nor_stops_a_charge(
    state: ChargerState, found: Setpoint, power_w: int, course: list[Happening]
) -> None:
    """Rule 5: as long as nobody says anything, the box stays as it was found."""

    async def day_of() -> None:
        day = Day()
        day.box.report(state=state, setpoint=found, power_w=float(power_w))
        async with day.running():
            for name, arguments in course:
                await getattr(day, name)(*arguments)
            assert day.box.status.setpoint == found
            assert day.box.writes == []

    live(day_of)


@FEW
@given(st.lists(st.tuples(st.integers(-12_000, 12_000), st.integers(5, 200)), min_size=10, max_size=40))
def test_readings_alone_start_and_switch_only_so_often(readings: list[tuple[int, int]]) -> None:
    """Rule 7: what reaches the box in any hour stays within the limits."""

    async def day_of() -> None:
        day = Day()
        async with day.running():
            for grid_w, pause_s in readings:
                await day.reading(grid_w, 0)
                await day.wait(pause_s)
            changes = list(pairwise([(START.timestamp(), OFF), *day.box.writes]))
            starts = [at_s for (_, before), (at_s, after) in changes if after.charges and not before.charges]
            running = [(at_s, setpoint.phases) for at_s, setpoint in day.box.writes if setpoint.charges]
            switches = [at_s for (_, before), (at_s, after) in pairwise(running) if before != after]
            assert _most_in_an_hour(starts) <= SETTINGS.max_starts_per_hour
            assert _most_in_an_hour(switches) <= SETTINGS.max_phase_switches_per_hour

    live(day_of)


def _most_in_an_hour(times_s: list[float]) -> int:
    return max((sum(0 <= later - at_s < 3600 - LEASE_S for later in times_s) for at_s in times_s), default=0)
