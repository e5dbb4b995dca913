"""Hard limits on starts, stops and phase switches: they hold in every mode.

Only a safety stop and the user's own command pass them, and even those are counted.
"""

from collections import deque

from pvcharge.control.settings import ControlSettings
from pvcharge.model import Reason

HOUR_S = 3600.0


class SwitchLimits:
    """Remembers when the charge was started, stopped and switched; times are seconds of the epoch."""

    def __init__(self, settings: ControlSettings) -> None:
        self._min_on_s = settings.min_on_s
        self._min_off_s = settings.min_off_s
        self._starts: deque[float] = deque(maxlen=settings.max_starts_per_hour)
        self._switches: deque[float] = deque(maxlen=settings.max_phase_switches_per_hour)
        self._started_s = float("-inf")
        self._stopped_s = float("-inf")
        self._last_phases = 0

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
            return self._until(now_s, Reason.MIN_ON_TIME, self._started_s + self._min_on_s)
        if not present:
            block = self._until(now_s, Reason.MIN_OFF_TIME, self._stopped_s + self._min_off_s)
            block = block or self._rate(now_s, self._starts)
            if block:
                return block
        return self._rate(now_s, self._switches) if self._switches_phases(present, new) else None

    @staticmethod
    def _until(now_s: float, reason: Reason, free_s: float) -> tuple[Reason, float] | None:
        return (reason, free_s) if now_s < free_s else None

    @staticmethod
    def _rate(now_s: float, times_s: "deque[float]") -> tuple[Reason, float] | None:
        if times_s.maxlen == 0:
            return Reason.SWITCH_LIMIT, float("inf")
        if len(times_s) < (times_s.maxlen or 0) or now_s >= times_s[0] + HOUR_S:
            return None
        return Reason.SWITCH_LIMIT, times_s[0] + HOUR_S
