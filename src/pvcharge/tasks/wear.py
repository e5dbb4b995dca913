"""Spares contactor and car, whoever leases: the last word on how often a charge is started or switched.

A controller of ours stays far below these limits. They are for one that has lost its mind, or that somebody
else speaks for: over a broker that was taken over, or with the page's password.
"""

from collections import deque
from dataclasses import dataclass
from datetime import datetime, timedelta

import structlog

from pvcharge.model import NO_CHARGE, Setpoint, SetpointLimits

log = structlog.get_logger(__name__)

HOUR = timedelta(hours=1)
BY_COMMAND = 6  # in an hour, besides: the driver's own commands pass the controller's limits


@dataclass(frozen=True, slots=True)
class WearLimits:
    """The most starts and phase switches that are written within an hour."""

    starts: int
    phase_switches: int

    @classmethod
    def beyond(cls, starts: int, phase_switches: int) -> "WearLimits":
        """Return limits that a controller with these limits does not meet, its user's commands included."""
        return cls(2 * starts + BY_COMMAND, 2 * phase_switches + BY_COMMAND)


class Wear:
    """Counts what is written, and holds back what would be too much; a stop always passes.

    Args:
        device: the charger's name.
        limits: of the setpoint, as configured.
        most: how often.
    """

    def __init__(self, device: str, limits: SetpointLimits, most: WearLimits) -> None:
        self._device = device
        self._limits = limits
        self._most = most
        self._starts: deque[datetime] = deque(maxlen=most.starts)
        self._switches: deque[datetime] = deque(maxlen=most.phase_switches)
        self._last_phases = 0
        self._holds_back = False

    def spare(self, present: Setpoint | None, wanted: Setpoint, now: datetime) -> Setpoint:
        """Return what may be written instead, which is what is wanted unless it would be too much.

        Args:
            present: what the charger is set to, None if it does not say.
            wanted: what it shall be set to.
            now: the time.
        """
        allowed = wanted
        if self._is_start(present, wanted) and _is_full(self._starts, now):
            allowed = NO_CHARGE
        elif self._is_switch(present, wanted) and _is_full(self._switches, now):
            allowed = self._on_phases_of(present, wanted)
        self._tell(allowed != wanted)
        return allowed

    def note(self, present: Setpoint | None, written: Setpoint, now: datetime) -> None:
        """Count what is written."""
        if self._is_start(present, written):
            self._starts.append(now)
        if self._is_switch(present, written):
            self._switches.append(now)
        self._last_phases = written.phases or self._last_phases

    def _on_phases_of(self, present: Setpoint | None, wanted: Setpoint) -> Setpoint:
        """Return what comes near a setpoint without a switch."""
        if present is None or not present.charges:
            return NO_CHARGE
        rises = wanted.phases > present.phases
        return Setpoint(present.phases, wanted.current_a if rises else self._limits.min_current_a)

    @staticmethod
    def _is_start(present: Setpoint | None, wanted: Setpoint) -> bool:
        return wanted.charges and not (present is not None and present.charges)

    def _is_switch(self, present: Setpoint | None, wanted: Setpoint) -> bool:
        # A start on another number of phases than the last moves the contactor, too.
        phases = present.phases if present is not None and present.charges else self._last_phases
        return wanted.charges and phases not in (0, wanted.phases)

    def _tell(self, holds_back: bool) -> None:  # noqa: FBT001 - private
        if holds_back and not self._holds_back:
            log.warning(
                "charger is switched too often, and held back for up to an hour; see who commands it",
                device=self._device,
                starts_per_hour=self._most.starts,
                phase_switches_per_hour=self._most.phase_switches,
            )
        self._holds_back = holds_back


def _is_full(times: deque[datetime], now: datetime) -> bool:
    """Whether all that is allowed was used within the last hour; what a clock set back has left is not."""
    return len(times) == times.maxlen and now - HOUR < times[0] <= now
