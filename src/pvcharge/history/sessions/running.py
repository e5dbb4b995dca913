"""The session of the car that is there."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from pydantic import with_config

from pvcharge.history.energy.charged import CHARGES_W, NOISE_WH, Step, possible_wh
from pvcharge.history.saved import STRICT, NotNegative, Time, seconds
from pvcharge.history.sessions.solar import SolarPart
from pvcharge.model import ChargerState, ChargerStatus

UNSEEN_S = 10 * 3600.0  # how long a car that was found plugged in may have charged before


@with_config(STRICT)
@dataclass(slots=True)
class Unplugged:
    """The last status without this car."""

    at: Time
    session_wh: float | None  # that an earlier car got, if any


@with_config(STRICT)
@dataclass(slots=True)
class Running:
    """What is known of the session so far."""

    started_at: Time
    energy_wh: NotNegative
    stale: bool  # whether the counter since plug-in still shows what an earlier car got
    solar: SolarPart
    charges: bool  # as the box says
    many_phases: bool | None  # when it charged last
    charging_s: NotNegative
    starts: int
    phase_switches: int
    pauses_s: dict[str, NotNegative]

    @classmethod
    def begin(
        cls, status: ChargerStatus, step: Step | None, unplugged: Unplugged | None, solar: SolarPart
    ) -> "Running":
        """Return the session that begins with a status.

        Args:
            status: the first one with the car.
            step: what was charged since the status before.
            unplugged: the last status without this car; None if it may always have been there.
            solar: begins where the curve was at the status before.
        """
        energy_wh, stale = (step.energy_wh if step else 0.0), False
        if status.session_wh is not None:
            stale = _is_stale(status.session_wh, status.at, unplugged)
            energy_wh = energy_wh if stale else status.session_wh
        return cls(
            started_at=status.at,
            energy_wh=energy_wh,
            stale=stale,
            solar=solar,
            charges=False,
            many_phases=None,
            charging_s=0.0,
            starts=0,
            phase_switches=0,
            pauses_s={},
        )

    def is_another_car(self, status: ChargerStatus, step: Step) -> bool:
        """Whether the status is that of a car that was plugged in since the one before."""
        return step.session_fell and status.state.plugged and not self.stale

    def add(
        self, status: ChargerStatus, step: Step, reason: str, reasons: Sequence[tuple[datetime, str]]
    ) -> None:
        """Add what happened up to a status.

        Args:
            status: the status.
            step: what was charged since the one before.
            reason: in force at the one before.
            reasons: that came into force since.
        """
        self.energy_wh += step.energy_wh
        if step.session_fell and self.stale and status.session_wh is not None:
            self.stale = False
            if status.session_wh <= possible_wh(seconds(self.started_at, status.at)):
                self.energy_wh = max(self.energy_wh, status.session_wh)
        if not step.bridged:
            return
        if step.before_w > CHARGES_W:
            self.charging_s += seconds(step.start, step.end)
            return
        at = step.start
        for since, next_reason in (*reasons, (step.end, "")):
            until = min(max(since, at), step.end)
            if until > at:
                self.pauses_s[reason] = self.pauses_s.get(reason, 0.0) + seconds(at, until)
            at, reason = until, next_reason

    def note(self, status: ChargerStatus) -> None:
        """Count the starts and the phase switches."""
        if status.state is ChargerState.UNKNOWN:
            return
        charged, self.charges = self.charges, status.state is ChargerState.CHARGING
        if not self.charges:
            return
        self.starts += not charged
        if status.phases > 0:
            many = status.phases > 1
            self.phase_switches += self.many_phases is not None and many != self.many_phases
            self.many_phases = many


def _is_stale(session_wh: float, at: datetime, unplugged: Unplugged | None) -> bool:
    """Whether a counter cannot have come to this value since the car was plugged in."""
    if unplugged is None:
        return session_wh > possible_wh(UNSEEN_S)
    if session_wh > possible_wh(seconds(unplugged.at, at)):
        return True
    same = unplugged.session_wh is not None and abs(session_wh - unplugged.session_wh) < NOISE_WH
    return same and session_wh >= NOISE_WH
