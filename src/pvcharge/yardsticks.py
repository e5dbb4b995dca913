"""What other rules would have made of the same days: to measure ours by, and never to charge a car with."""

from datetime import datetime
from typing import Protocol

from pvcharge.control import ControlSettings
from pvcharge.model import NO_CHARGE, ChargerStatus, Decision, Mode, PowerFlow, Reason, Setpoint

EACH_S = 30.0  # thresholds are looked at so often
ON_S, OFF_S = 60.0, 180.0  # for which a threshold must be passed
MORE_PHASES_S, FEWER_PHASES_S = 60.0, 180.0


class Rule(Protocol):
    """What decides in a simulation; `pvcharge.control.Controller` is the one that counts."""

    def observe(self, seen: PowerFlow | ChargerStatus) -> None:
        """Take a reading or a status into account."""
        ...

    def decide(self, now: datetime) -> Decision:
        """Return what shall be done."""
        ...


class Literal:
    """Surplus = production - (consumption - what the charger drew last), and the highest level below it."""

    def __init__(self, settings: ControlSettings) -> None:
        limits = settings.setpoint_limits
        currents_a = range(limits.min_current_a, limits.max_current_a + 1)
        levels = [Setpoint(phases, amps) for phases in limits.phases for amps in currents_a]
        self._voltage_v = settings.voltage_v
        self._levels = sorted(levels, key=self._power_w)
        self._charger_w = 0.0
        self._setpoint = NO_CHARGE

    def observe(self, seen: PowerFlow | ChargerStatus) -> None:
        """Take it as it comes, whatever its age."""
        if isinstance(seen, ChargerStatus):
            self._charger_w = seen.power_w
        elif seen.grid_w is not None:
            surplus_w = self._charger_w - seen.grid_w
            fitting = [level for level in self._levels if self._power_w(level) <= surplus_w]
            self._setpoint = fitting[-1] if fitting else NO_CHARGE

    def decide(self, now: datetime) -> Decision:
        """Return what fitted the last reading."""
        return _decision(now, self._setpoint)

    def _power_w(self, level: Setpoint) -> float:
        return level.power_w(self._voltage_v)


class Thresholds:
    """Thresholds with timers, as common controllers have them: on after a minute, off after three."""

    def __init__(self, settings: ControlSettings) -> None:
        limits = settings.setpoint_limits
        self._phases = sorted(limits.phases)
        self._lowest_a, self._highest_a = limits.min_current_a, limits.max_current_a
        self._voltage_v = settings.voltage_v
        self._charger_w = 0.0
        self._grid_w: float | None = None
        self._setpoint = NO_CHARGE
        self._since_s: dict[str, float] = {}
        self._next_s = 0.0

    def observe(self, seen: PowerFlow | ChargerStatus) -> None:
        """Take it as it comes, whatever its age."""
        if isinstance(seen, ChargerStatus):
            self._charger_w = seen.power_w
        elif seen.grid_w is not None:
            self._grid_w = seen.grid_w

    def decide(self, now: datetime) -> Decision:
        """Return what the timers allow."""
        now_s = now.timestamp()
        if self._grid_w is not None and now_s >= self._next_s:
            self._next_s = now_s + EACH_S
            self._setpoint = self._look(now_s, self._charger_w - self._grid_w, self._grid_w)
        return _decision(now, self._setpoint)

    def _look(self, now_s: float, surplus_w: float, grid_w: float) -> Setpoint:
        fewest, most = self._phases[0], self._phases[-1]
        if not self._setpoint.charges:
            on = self._holds("on", surplus_w >= self._least_w(fewest), now_s, ON_S)
            return Setpoint(fewest, self._lowest_a) if on else NO_CHARGE
        phases = self._setpoint.phases
        full_w = fewest * self._voltage_v * self._highest_a
        more = phases < most and surplus_w > full_w and surplus_w >= self._least_w(most)
        fewer = phases > fewest and surplus_w < self._least_w(phases) and grid_w > 0
        if self._holds("more", more, now_s, MORE_PHASES_S):
            phases = most
        elif self._holds("fewer", fewer, now_s, FEWER_PHASES_S):
            phases = fewest
        too_little = surplus_w < self._least_w(phases)
        if self._holds("off", too_little and phases == fewest, now_s, OFF_S):
            self._since_s.clear()
            return NO_CHARGE
        amps = int(surplus_w // (phases * self._voltage_v))
        return Setpoint(phases, min(max(amps, self._lowest_a), self._highest_a))

    def _least_w(self, phases: int) -> float:
        return phases * self._voltage_v * self._lowest_a

    def _holds(self, what: str, condition: bool, now_s: float, delay_s: float) -> bool:  # noqa: FBT001
        """Whether something has been so for long enough."""
        if not condition:
            self._since_s.pop(what, None)
            return False
        return now_s - self._since_s.setdefault(what, now_s) >= delay_s


def _decision(now: datetime, setpoint: Setpoint) -> Decision:
    reason = Reason.FOLLOWING if setpoint.charges else Reason.TOO_LITTLE
    return Decision(now, setpoint, reason, Mode.SURPLUS)
