"""The rules of safety as somebody outside sees them: at the box, on the feed, and in what users did.

Each knows how long the tasks may take at the pace of the simulation, and which events excuse what.
"""

from collections import deque
from datetime import datetime
from math import inf

from pvcharge.control.settings import Objective
from pvcharge.model import Decision, Lease, Mode, PowerFlow, Reason
from pvcharge.tasks.charger_task import GRACE_S, OnSilence
from pvcharge.tasks.feed import Event
from year.world import World, Write

REACTION_S = 240.0  # the longest pause of a box that is simulated coarsely, and a slow write
COMMAND_S = 120.0  # a command is carried out within this
FRESH_S = 260.0  # a link that is silent for longer counts as dead
HOUR_S = 3600.0
SLACK_S = 45.0  # between a decision and its write
NO_LONGER_S = 5400.0  # no source's reading is followed when it is so old, whatever its rhythm
FRC, AMP, PSM, LMO = "frc", "amp", "psm", "lmo"
OFF, DEFAULT = 1, 3  # of `frc` and `lmo`


class Rule:
    """A rule, told of all that happens.

    Attributes:
        name: as it is called in reports.
    """

    name = "rule"

    def __init__(self, world: World) -> None:
        self.world = world

    def wrote(self, write: Write) -> None:
        """Be told of a write, before the box takes it."""

    def published(self, event: Event) -> None:
        """Be told of an event of the feed."""

    def looked(self) -> None:
        """Look at the house, at each of its steps."""

    def broken(self, what: str) -> None:
        """Note that it was broken."""
        self.world.broken(self.name, what)


class WithinLimits(Rule):
    """1: never a setpoint outside of what settings, user, box and cable allow."""

    name = "limits"

    def wrote(self, write: Write) -> None:
        """Look at the value."""
        control = self.world.control
        legal = {FRC: (0, OFF), LMO: (DEFAULT,), PSM: (1, 2), AMP: self._amps()}
        if write.key not in legal:
            self.broken(f"wrote {write.key}, which is none of the settings that it needs")
        elif write.value not in legal[write.key]:
            self.broken(f"wrote {write.key}={write.value}, of {legal[write.key]}")
        elif write.key == PSM and (1 if write.value == 1 else 3) not in control.phases:
            self.broken(f"wrote psm={write.value}, but phases are {control.phases}")

    def published(self, event: Event) -> None:
        """Look at what is leased."""
        if isinstance(event, Lease) and event.setpoint.charges:
            limits = self.world.control.setpoint_limits
            if limits.clamp(event.setpoint) != event.setpoint:
                self.broken(f"leased {event.setpoint}")

    def _amps(self) -> range:
        world, control = self.world, self.world.control
        highest_a, lowest_a = control.max_current_a, control.min_current_a
        if world.since(world.limits_s) > COMMAND_S:
            highest_a = min(highest_a, world.limits.max_current_a or highest_a)
            lowest_a = max(lowest_a, world.limits.min_current_a or lowest_a)
        if world.since(world.car_s) > REACTION_S:
            cable_a = world.house.cable_a
            highest_a = min(highest_a, cable_a or highest_a)
        return range(min(lowest_a, highest_a), highest_a + 1)


class AfterStatus(Rule):
    """2: no write before a fresh status, nothing written that is already so."""

    name = "status"

    def wrote(self, write: Write) -> None:
        """Look at what was known by then."""
        world = self.world
        if world.health is None or not world.health.ok:
            self.broken(f"wrote {write.key}={write.value} on a link that is not complete")
        heard = world.status_s >= world.daemon_s and world.since(world.status_s) <= FRESH_S
        if not heard and world.hung_s is None:  # a loop that hangs publishes nothing of what is heard
            self.broken(
                f"wrote {write.key}={write.value}, last status {world.since(world.status_s):.0f} s ago"
            )
        if write.value == write.before and world.since(world.touched_s.get(write.key, -inf)) > REACTION_S:
            self.broken(f"wrote {write.key}={write.value}, which it was")


class NeverStale(Rule):
    """3: readings age out, and are never shown as newer than they are."""

    name = "stale"

    def __init__(self, world: World) -> None:
        super().__init__(world)
        self._values: tuple[object, ...] = ()
        self._changed_s = -inf

    def published(self, event: Event) -> None:
        """Compare what is told of the readings with the readings."""
        world = self.world
        if isinstance(event, PowerFlow):
            values = event.source, event.pv_w, event.grid_w, event.load_w
            if values != self._values:
                self._values, self._changed_s = values, world.now_s
        if not isinstance(event, Decision) or world.flow_end is None:
            return
        age_s = (event.at - world.flow_end).total_seconds()
        if event.reading_age_s is not None and event.reading_age_s < age_s - 1:
            self.broken(f"shows an age of {event.reading_age_s:.0f} s for a reading of {age_s:.0f} s")
        follows = event.reason in (Reason.FOLLOWING, Reason.NOT_WORTH_IT, Reason.TOO_LITTLE)
        if follows and max(age_s, world.since(self._changed_s)) > NO_LONGER_S:
            self.broken(f"{event.reason} by a reading of {age_s:.0f} s")

    def looked(self) -> None:
        """Look whether a car charges by surplus that nobody has seen for long."""
        world = self.world
        decision = world.decision
        if decision is None or decision.mode is not Mode.SURPLUS or not world.well_for(HOUR_S):
            return
        commanded_s = max(world.commanded_s + HOUR_S, world.house.boosted_s + REACTION_S)
        excused = world.hand_s is not None or world.now_s < commanded_s
        age_s = min(world.since(world.flow_s), world.since(world.daemon_s))
        if world.house.charges and not excused and age_s > NO_LONGER_S + HOUR_S:
            self.broken(f"charges at {world.box.power_w:.0f} W, last reading {age_s:.0f} s ago")


class LeaseRunsOut(Rule):
    """4: a controller that is silent leaves no car charging, where the settings say so."""

    name = "lease"

    def looked(self) -> None:
        """Look at the box while the control loop hangs."""
        world = self.world
        if world.hung_s is None or world.edge.on_silence is not OnSilence.STOP or world.hand_s is not None:
            return
        silent_s = world.since(world.hung_s)
        patience_s = world.edge.lease_s + GRACE_S + COMMAND_S
        heard = world.health is not None and world.health.ok and world.since(world.healthy_s) > REACTION_S
        by_hand = world.decision is not None and world.decision.reason is Reason.BY_HAND
        if silent_s > patience_s and heard and world.house.charges and not by_hand:
            self.broken(f"charges at {world.box.power_w:.0f} W, controller silent for {silent_s:.0f} s")


class StartsNothing(Rule):
    """5: a start of the daemon neither starts nor stops a charge."""

    name = "start"
    EXCUSES = (
        Reason.BOOST,
        Reason.SWITCHED_OFF,
        Reason.STALE_STOP,
        Reason.STALE_MINIMUM,
        Reason.NO_CAR,
        Reason.CHARGER_LIMIT,
    )

    def wrote(self, write: Write) -> None:
        """Look whether anything but the start can be the cause."""
        world = self.world
        if write.key != FRC or not world.up or world.flow_s >= world.daemon_s:
            return
        if world.commanded_s >= world.daemon_s or world.car_s >= world.daemon_s or world.hung_s is not None:
            return
        if world.decision is None or world.decision.reason not in self.EXCUSES:
            reason = world.decision.reason if world.decision else None
            self.broken(
                f"wrote frc={write.value} {world.since(world.daemon_s):.0f} s after a start: {reason}"
            )


class HandWins(Rule):
    """6: a change by hand is noticed, shown, and respected for its time."""

    name = "hand"

    def wrote(self, write: Write) -> None:
        """Look whether a hand has to be respected."""
        world = self.world
        if world.hand_s is None or world.box.properties["err"] or world.box.car is None:
            return
        since_s = world.since(world.hand_s)
        if COMMAND_S < since_s < world.control.respect_hand_s - REACTION_S and not self._jumped():
            self.broken(f"wrote {write.key}={write.value} {since_s:.0f} s after a change by hand")

    def looked(self) -> None:
        """Look whether it is shown."""
        world = self.world
        decision = world.decision
        if world.hand_s is None or decision is None or world.box.car is None or self._jumped():
            return
        since_s = world.since(world.hand_s)
        if not REACTION_S < since_s < world.control.respect_hand_s - REACTION_S:
            return
        shown = decision.reason in (Reason.BY_HAND, Reason.NO_CAR)
        if not shown and world.well_for(since_s + REACTION_S) and world.since(world.car_s) > REACTION_S:
            self.broken(f"shows {decision.reason} {since_s:.0f} s after a change by hand")

    def _jumped(self) -> bool:
        return self.world.since(self.world.jumped_s) < self.world.control.respect_hand_s


class SwitchesSeldom(Rule):
    """7: limits on starts, stops and phase switches hold but for safety and the user's own command."""

    name = "switching"

    def __init__(self, world: World) -> None:
        super().__init__(world)
        self._starts: deque[float] = deque(maxlen=60)
        self._switches: deque[float] = deque(maxlen=60)
        self._started_s = self._stopped_s = -inf
        self._last_psm = 0

    def wrote(self, write: Write) -> None:
        """Count it."""
        world = self.world
        now_s, control = world.now_s, world.control
        if write.value == write.before or world.box.car is None:
            return
        excused = self._excused()
        if write.key == FRC and write.value == OFF:
            on_s = now_s - self._started_s
            if on_s < control.min_on_s - SLACK_S and not excused:
                self.broken(f"stopped {on_s:.0f} s after a start")
            self._stopped_s = now_s
        elif write.key == FRC and write.before == OFF:
            self._started(now_s, excused=excused)
        elif write.key == PSM:
            self._switched(now_s, excused=excused)

    def _started(self, now_s: float, *, excused: bool) -> None:
        world, control = self.world, self.world.control
        off_s = now_s - self._stopped_s
        if off_s < control.min_off_s - SLACK_S and not excused:
            self.broken(f"started {off_s:.0f} s after a stop")
        self._count("start", self._starts, control.max_starts_per_hour, now_s, excused=excused)
        self._started_s = now_s
        world.house.starts += 1

    def _switched(self, now_s: float, *, excused: bool) -> None:
        most = self.world.control.max_phase_switches_per_hour
        self._count("phase switch", self._switches, most, now_s, excused=excused)
        self.world.house.switches += 1

    def _count(self, what: str, times_s: "deque[float]", most: int, now_s: float, *, excused: bool) -> None:
        times_s.append(now_s)
        recent = sum(at_s >= now_s - HOUR_S + SLACK_S for at_s in times_s)
        if recent > most and not excused:
            self.broken(f"{what} number {recent} within an hour")

    def _excused(self) -> bool:
        """Whether safety, a command, a new car or a daemon's last word may be the cause."""
        world = self.world
        changed_s = max(world.commanded_s, world.car_s, world.faulty_s, world.booted_s, world.limits_s)
        times_s = [changed_s, *world.touched_s.values(), world.jumped_s]
        unsafe = world.box.properties["err"] or world.hung_s is not None or world.faults or world.leaves
        stale = world.decision is not None and world.decision.reason is Reason.STALE_STOP
        return bool(unsafe) or stale or world.since(max(times_s)) < REACTION_S + SLACK_S


class BoostKeepsItsTime(Rule):
    """A boost begins when told so and ends when it should."""

    name = "boost"

    def __init__(self, world: World) -> None:
        super().__init__(world)
        self._until: datetime | None = None

    def published(self, event: Event) -> None:
        """Look at the mode."""
        if not isinstance(event, Decision):
            return
        until = event.boost_until
        if event.mode is Mode.BOOST and until is not None and (event.at - until).total_seconds() > 1:
            self.broken(f"still boosts {(event.at - until).total_seconds():.0f} s after its end")

    def looked(self) -> None:
        """Look whether full power is given when it is wanted, and not in the dark when nobody wants any."""
        world = self.world
        decision, box = world.decision, world.box
        settled = world.well_for(REACTION_S) and world.hand_s is None and not box.properties["err"]
        quiet = min(world.since(world.car_s), world.since(world.commanded_s), world.since(world.limits_s))
        if decision is None or box.car is None or not settled or quiet < REACTION_S + SLACK_S:
            return
        if decision.mode is Mode.BOOST:
            if box.properties[FRC] == OFF or box.properties[LMO] != DEFAULT:
                self.broken(f"boost {quiet:.0f} s after its command: frc={box.properties[FRC]}")
        elif decision.mode is Mode.SURPLUS and self._dark_for_long() and world.house.charges:
            self.broken(f"charges at {box.power_w:.0f} W in the dark: {decision.reason}")

    def _dark_for_long(self) -> bool:
        world = self.world
        dark_s = world.since(world.house.bright_s)
        ended_s = world.since(world.house.boosted_s)
        return min(dark_s, ended_s, world.since(world.daemon_s)) > NO_LONGER_S


class ChargesWhenItCan(Rule):
    """A car that is there while the sun leaves plenty for it gets some of it.

    Unless people want no import above all, and clouds of the hours before tell that it may be gone with the
    next reading.
    """

    name = "idle"
    PLENTY_W = 3000.0
    LONG_S = 2.5 * HOUR_S

    def __init__(self, world: World) -> None:
        super().__init__(world)
        self._since_s: float | None = None

    def looked(self) -> None:
        """Look for how long there has been plenty, and none taken."""
        world = self.world
        car, decision = world.box.car, world.decision
        wary = world.control.objective is Objective.NO_IMPORT
        could = (
            car is not None
            and not car.full
            and not car.asleep
            and decision is not None
            and decision.mode in (Mode.SURPLUS, Mode.MIN_SURPLUS)
            and world.hand_s is None
            and not world.login_ended
            and not (wary and decision.reason is Reason.NOT_WORTH_IT)
            and world.well_for(HOUR_S)
            and world.box.power_w <= 0
            and world.house.surplus_w() > self.PLENTY_W
        )
        if not could:
            self._since_s = None
        elif self._since_s is None:
            self._since_s = world.now_s
        elif world.since(self._since_s) > self.LONG_S:
            reason = decision.reason if decision else None
            self.broken(
                f"plenty of sun for {world.since(self._since_s):.0f} s, and nothing charged: {reason}"
            )
            self._since_s = world.now_s


RULES: tuple[type[Rule], ...] = (
    WithinLimits,
    AfterStatus,
    NeverStale,
    LeaseRunsOut,
    StartsNothing,
    HandWins,
    SwitchesSeldom,
    BoostKeepsItsTime,
    ChargesWhenItCan,
)
