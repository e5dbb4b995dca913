"""Hard limits on starts, stops and phase switches: they hold in every mode, and over a restart.

Only a safety stop and the user's own command pass them, and even those are counted.
"""

from collections import deque
from datetime import datetime
from itertools import takewhile
from math import inf
from typing import Annotated, Literal

from pydantic import Field

from pvcharge.control.learned import Kept, Moment, fitting, moment
from pvcharge.control.settings import ControlSettings
from pvcharge.model import Reason

HOUR_S = 3600.0
MOST_AN_HOUR = 60  # that can be configured: so many are remembered whatever is

_Times = Annotated[tuple[Moment, ...], Field(max_length=MOST_AN_HOUR)]
_Phases = Literal[0, 1, 3]


class KeptSwitches(Kept):
    """What has been switched, as far as the limits have to know of it after a restart."""

    starts: _Times
    phase_switches: _Times
    started_at: Moment | None
    stopped_at: Moment | None
    phases: _Phases  # as decided last
    last_phases: _Phases  # on which this car was charged last


class SwitchLimits:
    """Remembers when the charge was started, stopped and switched; times are seconds of the epoch."""

    def __init__(self, settings: ControlSettings) -> None:
        self._settings = settings
        self._starts: deque[float] = deque(maxlen=MOST_AN_HOUR)
        self._switches: deque[float] = deque(maxlen=MOST_AN_HOUR)
        self._started_s = -inf
        self._stopped_s = -inf
        self._last_phases = 0
        self._phases: int | None = None  # as decided last; None as long as nothing is known

    def kept(self) -> KeptSwitches | None:
        """Return what is to be known after a restart; None if there is nothing yet."""
        if self._phases is None:
            return None
        return fitting(
            KeptSwitches,
            starts=tuple(map(moment, self._starts)),
            phase_switches=tuple(map(moment, self._switches)),
            started_at=_moment_or_none(self._started_s),
            stopped_at=_moment_or_none(self._stopped_s),
            phases=self._phases,
            last_phases=self._last_phases,
        )

    def recall(self, kept: KeptSwitches) -> None:
        """Go on from what was known before a restart."""
        self._starts.extend(at.timestamp() for at in kept.starts)
        self._switches.extend(at.timestamp() for at in kept.phase_switches)
        self._started_s = _seconds_or_never(kept.started_at)
        self._stopped_s = _seconds_or_never(kept.stopped_at)
        self._phases, self._last_phases = kept.phases, kept.last_phases

    def found(self, now_s: float, phases: int) -> None:
        """Take over what a charger is doing that is heard for the first time in this run.

        Whoever has changed it since the last run, it counts from now on. A clock that is right again does not
        know of times that a wrong one has told.
        """
        for times_s in (self._starts, self._switches):
            possible_s = [at_s for at_s in times_s if at_s <= now_s]
            times_s.clear()
            times_s.extend(possible_s)
        self._started_s = self._started_s if self._started_s <= now_s else -inf
        self._stopped_s = self._stopped_s if self._stopped_s <= now_s else -inf
        if self._phases not in (None, phases):
            self.record(now_s, self._phases, phases)
        self._phases = phases

    def configure(self, settings: ControlSettings) -> None:
        """Let other limits hold, for what has been remembered too."""
        self._settings = settings

    def unplugged(self) -> None:
        """Know that nothing is charged; that is nobody's stop."""
        self._phases = 0

    def plugged_in(self) -> None:
        """Forget the last stop and phases: this is another charge, maybe another car."""
        self._stopped_s = -inf
        self._last_phases = 0

    def record(self, now_s: float, present: int, new: int) -> None:
        """Count a change of the number of phases that has been decided."""
        self._phases = new
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
            return Reason.SWITCH_LIMIT, inf
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


def _moment_or_none(at_s: float) -> datetime | None:
    return None if at_s == -inf else moment(at_s)


def _seconds_or_never(at: datetime | None) -> float:
    return -inf if at is None else at.timestamp()
