"""Hard limits on starts, stops and phase switches: they hold in every mode.

Only a safety stop and the user's own command pass them, and even those are counted.
"""

from collections import deque
from itertools import takewhile

from pvcharge.control.settings import ControlSettings
from pvcharge.model import Reason

HOUR_S = 3600.0
MOST_AN_HOUR = 60  # that can be configured: so many are remembered whatever is


class SwitchLimits:
    """Remembers when the charge was started, stopped and switched; times are seconds of the epoch."""

    def __init__(self, settings: ControlSettings) -> None:
        self._settings = settings
        self._starts: deque[float] = deque(maxlen=MOST_AN_HOUR)
        self._switches: deque[float] = deque(maxlen=MOST_AN_HOUR)
        self._started_s = float("-inf")
        self._stopped_s = float("-inf")
        self._last_phases = 0

    def configure(self, settings: ControlSettings) -> None:
        """Let other limits hold, for what has been remembered too."""
        self._settings = settings

    def plugged_in(self) -> None:
        """Forget the last stop and phases: this is another charge, maybe another car."""
        self._stopped_s = float("-inf")
        self._last_phases = 0

    def record(self, now_s: float, present: int, new: int) -> None:
        """Count a change of the number of phases that has been decided."""
        if not new:
            self._stopped_s = now_s
            return
        if not present:
            self._started_s = now_s
            self._starts.append(now_s)
        if self._switches_phases(present, new):
            self._switches.append(now_s)
        self._last_phases = new

    def _switches_phases(self, present: int, new: int) -> bool:
        # A start on another number of phases than the last moves the contactor, too.
        return new != (present or self._last_phases or new)

    def blocked(self, now_s: float, present: int, new: int) -> tuple[Reason, float] | None:
        """Return which limit forbids a change now and until when, None if it is free."""
        if not new:
            return self._until(now_s, Reason.MIN_ON_TIME, self._started_s + self._settings.min_on_s)
        if not present:
            block = self._until(now_s, Reason.MIN_OFF_TIME, self._stopped_s + self._settings.min_off_s)
            block = block or self._rate(now_s, self._starts, self._settings.max_starts_per_hour)
            if block:
                return block
        if not self._switches_phases(present, new):
            return None
        return self._rate(now_s, self._switches, self._settings.max_phase_switches_per_hour)

    @staticmethod
    def _until(now_s: float, reason: Reason, free_s: float) -> tuple[Reason, float] | None:
        return (reason, free_s) if now_s < free_s else None

    @staticmethod
    def _rate(now_s: float, times_s: "deque[float]", most: int) -> tuple[Reason, float] | None:
        if most == 0:
            return Reason.SWITCH_LIMIT, float("inf")
        if len(times_s) < most or now_s >= times_s[-most] + HOUR_S:
            return None
        return Reason.SWITCH_LIMIT, times_s[-most] + HOUR_S

    def scarcity(self, now_s: float) -> float:
        """Return which share of an hour's starts or phase switches is used up, the larger one."""
        settings = self._settings
        return max(
            _used(now_s, self._starts, settings.max_starts_per_hour),
            _used(now_s, self._switches, settings.max_phase_switches_per_hour),
        )


def _used(now_s: float, times_s: "deque[float]", most: int) -> float:
    """Return the share of what is allowed; where nothing is, nothing could be dear."""
    recent = sum(1 for _ in takewhile(lambda time_s: now_s - HOUR_S < time_s, reversed(times_s)))
    return min(1.0, recent / most) if most else 0.0
