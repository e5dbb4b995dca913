"""The controller: readings and charger status in, decisions out. Same inputs, same decisions."""

from collections import deque
from collections.abc import Mapping
from datetime import UTC, datetime
from math import inf
from typing import Any

from pvcharge.control.align import ChargerPowerLog
from pvcharge.control.car import Car
from pvcharge.control.currents import CurrentLimits
from pvcharge.control.freshness import Age
from pvcharge.control.hand import Hand
from pvcharge.control.ladder import Ladder, setpoint
from pvcharge.control.learned import Kept, Moment, read
from pvcharge.control.limits import KeptSwitches, SwitchLimits
from pvcharge.control.readings import KeptReadings, Readings
from pvcharge.control.settings import ControlSettings, OnStale
from pvcharge.control.switching import Regret
from pvcharge.model import (
    NO_CHARGE,
    ChargerState,
    ChargerStatus,
    Decision,
    Distrust,
    LimitsCommand,
    Mode,
    PowerFlow,
    Reason,
    Setpoint,
)

STATUS_MAX_AGE_S = 180.0  # older than this, the charger counts as unheard
OBSTACLES = {ChargerState.DISCONNECTED: Reason.NO_CAR, ChargerState.ERROR: Reason.CHARGER_FAULT}
# While readings are late after a boost, until a reading or the user says what to do.
AFTER_BOOST = {
    Reason.STALE_HOLD,
    Reason.NO_DATA,
    Reason.MIN_ON_TIME,
    Reason.MIN_OFF_TIME,
    Reason.SWITCH_LIMIT,
}
MAX_EARLY = 64  # readings that are kept until the charger is first heard

_Choice = tuple[Setpoint, Reason, float | None]  # and until when the limit named by the reason holds


class KeptLately(Kept):
    """What must not be lost by a restart."""

    switches: KeptSwitches
    hand_acknowledged_at: Moment | None  # the change by hand that the user's command came after


class KeptControl(KeptReadings):
    """The document of all that outlasts a run."""

    lately: KeptLately | None = None


class Controller:
    """Decides what the charger shall do; pure, so that a recorded day can be replayed bit for bit.

    Feed it with `observe` as things become known, ask with `decide` at any rate.

    Attributes:
        hand: which change by hand is respected.
    """

    def __init__(self, settings: ControlSettings) -> None:
        self._settings = settings
        self._mode = settings.mode
        self._mode_after_boost = settings.mode
        self._boost_until: datetime | None = None
        self._commanded = False  # the user's command still has to be carried out
        self._status: ChargerStatus | None = None
        self._status_s = -inf
        self._car_seen = False  # plugged in, as far as is known
        self._setpoint = NO_CHARGE  # as decided last
        self._before_boost: Setpoint | None = None  # the last level that was not a boost's, while one is held
        self.hand = Hand()
        self._early: deque[PowerFlow] = deque(maxlen=MAX_EARLY)
        self._power_log = ChargerPowerLog()
        self._readings = Readings(settings, self._power_log)
        self._age = Age.LATE  # of the readings at the last decision
        self._limits = SwitchLimits(settings)
        self._car = Car(settings.voltage_v)
        self._currents = CurrentLimits(settings)
        self._ladder = self._make_ladder(settings.min_current_a, settings.max_current_a)
        self._regret = self._make_regret()

    # --- what outlasts a run ---

    def learned(self) -> dict[str, Any]:
        """Return all that is learned and is to be kept, as a JSON document, less than 50 kB of it.

        What is learned of the car is not in it: the next one may be another.
        """
        document = self._readings.learned().model_dump(mode="json")
        switches = self._limits.kept()
        if switches is not None:
            lately = KeptLately(switches=switches, hand_acknowledged_at=self.hand.acknowledged_at)
            document["lately"] = lately.model_dump(mode="json")
        return document

    def recall(self, document: Mapping[str, Any]) -> None:
        """Go on from what an earlier run has learned, in place of what this one has; see `learned`.

        Raises:
            ValueError: the document is not understood; it says which key and why, and nothing was changed.
        """
        kept = read(KeptControl, document)
        self._readings.recall(kept)
        if kept.lately is not None and self._status is None:
            self._limits.recall(kept.lately.switches)
            self.hand.recall(kept.lately.hand_acknowledged_at)

    def forget(self) -> None:
        """Begin to learn anew, of sources and car; all else goes on as it is."""
        self._readings.forget()
        if self._car.forget():
            self._ladder = self._make_ladder(self._ladder.min_current_a, self._ladder.max_current_a)

    def configure(self, settings: ControlSettings) -> None:
        """Go on by other settings; nothing is switched before the next decision, equal ones change nothing.

        Their mode is that of a start and is not set. Limits to which the user has narrowed the current stay
        within the new ones; a limit that was as configured still is.
        """
        before, self._settings = self._settings, settings
        narrowed, currents_a = self.limits, (self._ladder.min_current_a, self._ladder.max_current_a)
        self._currents.configure(settings)
        if self.limits != narrowed:
            # The charger's own limits come with the decision.
            currents_a = self._currents.min_a, self._currents.max_a
        if settings.voltage_v != before.voltage_v:
            self._car = Car(settings.voltage_v)
        phases, self._ladder = self._ladder.phases, self._make_ladder(*currents_a)
        if self._ladder.phases != phases:
            self._regret = self._make_regret()
        self._regret.reprice(settings.start_cost_wh / 2, settings.phase_switch_cost_wh / 2)
        self._limits.configure(settings)
        self._readings.configure(settings)

    # --- inputs ---

    def set_mode(self, mode: Mode, until: datetime | None = None) -> None:
        """Carry out the user's command at the next decision, past the limits on switching.

        Args:
            mode: the new mode.
            until: when a boost ends and the mode before it returns; None = when told so.
        """
        if mode is not Mode.BOOST:
            self._mode_after_boost = mode
        self._mode, self._boost_until = mode, until if mode is Mode.BOOST else None
        self._commanded = True
        if self._status is not None:
            self.hand.acknowledged_at = self._status.changed_by_hand_at

    def resume(self, mode: Mode) -> None:
        """Go on in a mode that was commanded at another time: limits hold, and a boost goes on to its end."""
        self._mode_after_boost = mode
        if self._mode is not Mode.BOOST:
            self._mode = mode

    def set_limits(self, limits: LimitsCommand) -> None:
        """Narrow the current as the user wishes, never beyond the configured limits."""
        self._currents.narrow(limits)

    @property
    def limits(self) -> LimitsCommand:
        """The limits of the current in force, both of them."""
        return LimitsCommand(self._currents.min_a, self._currents.max_a)

    def follow(self, decided: Setpoint, now: datetime) -> None:
        """Go on from what another controller has decided, and the charger carries out, as if it were ours."""
        now_s = now.timestamp()
        if self._boost_until is not None and now >= self._boost_until and decided != self._setpoint:
            self._end_boost()  # but a boost's level that has yet to be changed is none to be held
        self._before_boost = (self._before_boost or self._setpoint) if self._mode is Mode.BOOST else None
        if decided.phases != self._setpoint.phases:
            self._limits.record(now_s, self._setpoint.phases, decided.phases)
        self._set(now_s, decided)
        self._age = self._readings.look(now_s)  # which learns from each reading how old it comes

    def observe(self, seen: PowerFlow | ChargerStatus) -> None:
        """Take a reading or a charger status into account; one older than the last is ignored."""
        if isinstance(seen, PowerFlow):
            self._observe_flow(seen)
        else:
            self._observe_status(seen)

    def _observe_status(self, status: ChargerStatus) -> None:
        at_s = status.at.timestamp()
        if at_s < self._status_s:
            return
        heard_s, was_away = self._status_s, at_s - self._status_s > self._power_log.heard_s
        before, self._status, self._status_s = self._status, status, at_s
        self._power_log.add(at_s, status.power_w)
        if self._car.observe(status, at_s):
            self._ladder = self._make_ladder(self._ladder.min_current_a, self._ladder.max_current_a)
        if before is not None and was_away and _found(status) != _found(before):
            self._take_over(_found(status), heard_s, at_s)  # else what was decided is yet to be written
        if before is None:
            self._begin(status, at_s)
        elif status.state.plugged and before.state is ChargerState.DISCONNECTED:
            self._limits.plugged_in()
        if status.state is ChargerState.DISCONNECTED:
            self.hand.acknowledged_at = status.changed_by_hand_at  # the next car starts afresh
            if self._car_seen and self._settings.boost_ends_on_unplug:
                self._end_boost()
        if status.state.plugged or status.state is ChargerState.DISCONNECTED:
            self._car_seen = status.state.plugged

    def _begin(self, status: ChargerStatus, at_s: float) -> None:
        """Take over the state that is found: a start of the daemon starts and stops nothing."""
        self._setpoint = _found(status)
        self._limits.found(at_s, self._setpoint.phases)
        self.hand.find(status.changed_by_hand_at)
        self._commanded &= not self.hand.recalled  # what is commanded by now was so before the restart
        while self._early:
            self._observe_flow(self._early.popleft())

    def _take_over(self, found: Setpoint, heard_s: float, at_s: float) -> None:
        """Go on from what somebody else has set while the charger was not heard, as if it were ours.

        A stop counts from when it was heard last: the edge that makes it does so soon. The rest from now on.
        """
        if found.phases != self._setpoint.phases:
            self._limits.record(at_s if found.phases else heard_s, self._setpoint.phases, found.phases)
        self._setpoint = found

    def _observe_flow(self, flow: PowerFlow) -> None:
        if self._status is None:
            self._early.append(flow)  # what the charger drew in it can be told when it has been heard
            return
        told = self._readings.observe(flow)
        if told is not None:
            scarcity = self._limits.scarcity(flow.end.timestamp())
            self._regret.observe(self._ladder, *told, scarcity, self._likely_w(told[0]))

    def _likely_w(self, surplus_w: float) -> tuple[float, ...]:
        """Return what the surplus may be; where both sides cost the same, what is expected is enough."""
        return self._readings.likely_w(surplus_w) if self._ladder.leans else (surplus_w,)

    @property
    def doubts(self) -> Mapping[str, Distrust]:
        """Which sources of readings tell what cannot be true, and the probable cause."""
        return self._readings.doubts

    # --- output ---

    def decide(self, now: datetime) -> Decision:
        """Return what the charger shall do now, and why. Calling again changes nothing."""
        now_s = now.timestamp()
        if self._boost_until is not None and now >= self._boost_until:
            self._end_boost()
        self._age = self._readings.look(now_s)
        chosen, reason, until_s = self._choose(now, now_s)
        if reason is not Reason.NO_STATUS:
            if reason is Reason.BOOST:
                self._before_boost = self._before_boost or self._setpoint
            elif reason not in AFTER_BOOST:
                self._before_boost = None
            if reason is Reason.NO_CAR:
                self._limits.unplugged()
            elif chosen.phases != self._setpoint.phases:
                self._limits.record(now_s, self._setpoint.phases, chosen.phases)
            self._set(now_s, chosen)
        return Decision(
            at=now,
            setpoint=chosen,
            reason=reason,
            mode=self._mode,
            surplus_w=self._readings.surplus_w,
            needed_w=self._ladder.break_even_w(),
            reading_age_s=self._readings.age_s(now_s),
            waits_until=datetime.fromtimestamp(until_s, UTC) if until_s not in (None, inf) else None,
            boost_until=self._boost_until,
            source=self._readings.source,
            distrust=self._readings.distrust(now_s),
        )

    def _set(self, now_s: float, decided: Setpoint) -> None:
        self._setpoint, self._commanded = decided, False
        self._readings.decided(now_s, self._ladder.power_w(decided))

    def _end_boost(self) -> None:
        self._mode, self._boost_until = self._mode_after_boost, None

    def _choose(self, now: datetime, now_s: float) -> _Choice:
        status = self._status
        if status is None or now_s - self._status_s > STATUS_MAX_AGE_S:
            return self._clamped(self._setpoint), Reason.NO_STATUS, None
        if status.state in OBSTACLES:
            return NO_CHARGE, OBSTACLES[status.state], None
        fits = self._fit_limits(status)
        if self.hand.holds(status.changed_by_hand_at, now, self._settings.respect_hand_s):
            found = status.setpoint or self._setpoint
            return self._clamped(found) if fits else NO_CHARGE, Reason.BY_HAND, None
        if not fits:
            return NO_CHARGE, Reason.CHARGER_LIMIT, None
        return self._choose_by_mode(now_s)

    def _choose_by_mode(self, now_s: float) -> _Choice:
        if self._mode is Mode.OFF:
            return NO_CHARGE, Reason.SWITCHED_OFF, None
        if self._mode is Mode.BOOST:
            full = setpoint(self._ladder.phases[-1], self._ladder.max_current_a)
            return self._within_limits(now_s, full, Reason.BOOST)
        return self._choose_by_surplus(now_s)

    def _choose_by_surplus(self, now_s: float) -> _Choice:
        age, surplus_w = self._age, self._readings.surplus_w
        if age is not Age.FRESH or surplus_w is None:
            return self._choose_without_data(now_s, Age.LATE if age is Age.FRESH else age)
        allowed = self._ladder.phases[1:] if self._mode is Mode.MIN_SURPLUS else self._ladder.phases
        present = self._clamped(self._setpoint).phases  # others than are allowed have to be left anyway
        phases = self._regret.best(present, allowed, self._limits.scarcity(now_s))
        wanted = setpoint(phases, self._ladder.best_current_a(phases, *self._likely_w(surplus_w)))
        return self._within_limits(now_s, wanted, self._reason(phases, surplus_w))

    def _reason(self, phases: int, surplus: float) -> Reason:
        """Return why this many phases, when nothing but the surplus decides."""
        pays = surplus >= self._ladder.break_even_w()
        if bool(phases) != pays:
            forced = phases and self._mode is Mode.MIN_SURPLUS
            return Reason.MINIMUM if forced else Reason.NOT_WORTH_IT
        return Reason.FOLLOWING if phases else Reason.TOO_LITTLE

    def _choose_without_data(self, now_s: float, age: Age) -> _Choice:
        minimum = setpoint(self._ladder.phases[1], self._ladder.min_current_a)
        if self._mode is Mode.MIN_SURPLUS:
            if age is Age.LATE and self._setpoint.charges:
                return self._hold(now_s, Reason.STALE_HOLD)
            return self._within_limits(now_s, minimum, Reason.STALE_MINIMUM)
        if age is Age.LATE:
            reason = Reason.NO_DATA if self._readings.surplus_w is None else Reason.STALE_HOLD
            return self._hold(now_s, reason)
        if self._settings.on_stale is OnStale.MINIMUM and self._setpoint.charges:
            return minimum, Reason.STALE_MINIMUM, None
        return NO_CHARGE, Reason.STALE_STOP, None

    def _hold(self, now_s: float, reason: Reason) -> _Choice:
        """Keep the level, but not a boost's beyond its end: then the one before it."""
        if self._before_boost is None:
            return self._clamped(self._setpoint), reason, None
        return self._within_limits(now_s, self._clamped(self._before_boost), reason)

    # --- limits ---

    def _within_limits(self, now_s: float, wanted: Setpoint, reason: Reason) -> _Choice:
        """Return the wanted setpoint, or the nearest power to it that the limits on switching allow."""
        present = self._setpoint.phases
        if wanted.phases == present or self._commanded:
            return wanted, reason, None
        block = self._limits.blocked(now_s, present, wanted.phases)
        if block is None:
            return wanted, reason, None
        if not present or present not in self._ladder.phases:
            return NO_CHARGE, *block
        wanted_w = self._ladder.power_w(wanted)
        return setpoint(present, self._ladder.best_current_a(present, wanted_w)), *block

    def _fit_limits(self, status: ChargerStatus) -> bool:
        """Take over the charger's own limits; return whether any current is left."""
        currents_a = self._currents.within(status)
        if currents_a and currents_a != (self._ladder.min_current_a, self._ladder.max_current_a):
            self._ladder = self._make_ladder(*currents_a)
        return currents_a is not None

    def _make_ladder(self, lowest_a: int, highest_a: int) -> Ladder:
        its, currents_a = self._settings, (lowest_a, highest_a)
        return Ladder(its.phases, currents_a, its.voltage_v, its.weights, self._car.rungs_w)

    def _make_regret(self) -> Regret:
        settings = self._settings
        return Regret(self._ladder.phases, settings.start_cost_wh / 2, settings.phase_switch_cost_wh / 2)

    def _clamped(self, wanted: Setpoint) -> Setpoint:
        if not wanted.charges:
            return NO_CHARGE
        ladder = self._ladder
        phases = wanted.phases if wanted.phases in ladder.phases else ladder.phases[1]
        return setpoint(phases, min(max(wanted.current_a, ladder.min_current_a), ladder.max_current_a))


def _found(status: ChargerStatus) -> Setpoint:
    """Return what the charger was found doing."""
    if status.setpoint is not None:
        return status.setpoint
    if status.state is ChargerState.CHARGING and status.phases and status.current_a >= 1:
        return setpoint(3 if status.phases > 1 else 1, round(status.current_a))
    return NO_CHARGE
