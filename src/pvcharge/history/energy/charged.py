"""What the charger gave from one status to the next: by its counters, or else by its power."""

from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple

from pydantic import with_config

from pvcharge.history.energy.integral import HOUR_S, Rhythm
from pvcharge.history.saved import STRICT, NotNegative, Time, seconds
from pvcharge.model import ChargerStatus

MOST_W = 50_000.0  # no car draws more
TOLERANCE_WH = 100.0  # by which a counter may be ahead of that, such as a coarse one
NOISE_WH = 1.0  # a counter that steps back by less has not fallen
CHARGES_W = 100.0  # more than a plugged car's electronics


def possible_wh(span_s: float) -> float:
    """Return the most that can have been charged in this time."""
    return MOST_W * span_s / HOUR_S + TOLERANCE_WH


class Step(NamedTuple):
    """What happened between two statuses.

    Attributes:
        start: the time of the earlier one.
        end: the time of the later one.
        energy_wh: what was charged, as well as it is known.
        by_power_wh: the same by the power if that tells: worse as a sum, better as a course over time, for
            counters may move in large steps.
        counted: whether the energy is known.
        bridged: whether the statuses speak for the time between them; a hole if not.
        before_w: the power at the start.
        session_fell: whether the counter since plug-in fell.
    """

    start: datetime
    end: datetime
    energy_wh: float
    by_power_wh: float
    counted: bool
    bridged: bool
    before_w: float
    session_fell: bool


@with_config(STRICT)
@dataclass(slots=True)
class Mark:
    """Where a counter stood when it was read last."""

    value_wh: NotNegative | None  # None: never read
    at: Time | None  # since when more is due
    ahead_wh: NotNegative  # counted by other means and still to come from this counter

    @classmethod
    def new(cls) -> "Mark":
        """Return the mark of a counter that was never read."""
        return cls(None, None, 0.0)

    def fell(self, value_wh: float) -> bool:
        """Whether the counter was reset, or is another one."""
        return self.value_wh is not None and value_wh <= self.value_wh - NOISE_WH

    def growth_wh(self, value_wh: float, at: datetime) -> float | None:
        """Return by how much the counter rose, None if that tells nothing."""
        if self.value_wh is None or self.at is None or self.fell(value_wh):
            return None
        growth_wh = max(0.0, value_wh - self.value_wh)
        return growth_wh if growth_wh <= possible_wh(seconds(self.at, at)) else None

    def move(self, value_wh: float, at: datetime, *, charges: bool) -> None:
        """Take note of the counter; while one stands still although the car draws power, more is due."""
        if self.value_wh is not None and not self.fell(value_wh) and value_wh <= self.value_wh:
            if not charges:
                self.at = at
            return
        self.value_wh, self.at = value_wh, at


@with_config(STRICT)
@dataclass(slots=True)
class ChargerEnergy:
    """Follows the statuses of the charger.

    The first counter that was there before and is there now decides: that since plug-in where it is wanted,
    then that of the lifetime. One that fell or leapt starts anew and counts nothing. Where no counter tells,
    power counts over pauses that are no holes. What was counted by other means while a counter was away is
    not counted again when it is back.
    """

    at: Time | None
    power_w: float
    rhythm: Rhythm
    session: Mark
    total: Mark

    @classmethod
    def new(cls) -> "ChargerEnergy":
        """Return one that has heard nothing yet."""
        return cls(None, 0.0, Rhythm([]), Mark.new(), Mark.new())

    def take(self, status: ChargerStatus, *, with_session: bool) -> Step | None:
        """Return the step to this status; None if it is the first one or not later than the last.

        Args:
            status: the status.
            with_session: whether the counter since plug-in is used.
        """
        before, before_w, power_w = self.at, self.power_w, max(0.0, status.power_w)
        if before is not None and status.at <= before:
            return None
        counters = (
            (self.session, status.session_wh if with_session else None),
            (self.total, status.total_wh),
        )
        charges = max(before_w, power_w) > CHARGES_W
        self.at, self.power_w = status.at, power_w
        if before is None:
            _move(counters, status.at, charges=charges)
            return None
        pause_s = seconds(before, status.at)
        bridged = self.rhythm.bridges(pause_s)
        by_power_wh = (before_w + power_w) / 2 * pause_s / HOUR_S if bridged else None
        session_fell = with_session and status.session_wh is not None and self.session.fell(status.session_wh)
        counted_wh = _count(counters, status.at, by_power_wh)
        energy_wh = counted_wh or 0.0
        for mark, value_wh in counters:
            if value_wh is None and mark.value_wh is not None:
                mark.ahead_wh += energy_wh
        _move(counters, status.at, charges=charges)
        return Step(
            start=before,
            end=status.at,
            energy_wh=energy_wh,
            by_power_wh=by_power_wh or energy_wh,
            counted=counted_wh is not None,
            bridged=bridged,
            before_w=before_w,
            session_fell=session_fell,
        )


Counters = tuple[tuple[Mark, float | None], ...]


def _count(counters: Counters, at: datetime, by_power_wh: float | None) -> float | None:
    """Return the energy by the first counter that tells, else by power; None if it cannot be known."""
    energy_wh, broken = None, False
    for mark, value_wh in counters:
        if value_wh is None:
            continue
        growth_wh = mark.growth_wh(value_wh, at)
        broken = broken or (growth_wh is None and mark.value_wh is not None)
        ahead_wh = 0.0
        if growth_wh is not None and energy_wh is None:
            energy_wh = max(0.0, growth_wh - mark.ahead_wh)
            ahead_wh = max(0.0, mark.ahead_wh - growth_wh)
        mark.ahead_wh = ahead_wh
    return by_power_wh if energy_wh is None and not broken else energy_wh


def _move(counters: Counters, at: datetime, *, charges: bool) -> None:
    for mark, value_wh in counters:
        if value_wh is not None:
            mark.move(value_wh, at, charges=charges)
