"""From a power that several sources tell, as instants or as means, to its energy; no time counts twice."""

from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple

from pydantic import with_config

from pvcharge.history.saved import STRICT, NotNegative, Time, seconds

HOUR_S = 3600.0
SHORT_S = 300.0  # two instants speak for so much time between them, whatever their source
USUAL_PAUSES = 3.0  # and for so many of its usual pauses
LONGEST_PAUSE_S = 1800.0  # a longer one is a night or an outage, not usual
PAUSES = 5  # of which the middle one is usual
LONGEST_MEAN_S = 86400.0  # no device measures a longer one
MOST_SOURCES = 16  # a house has two or three; the names may come from afar
MOST_HOLES = 16  # older ones stay what they are

Span = tuple[datetime, datetime]


@with_config(STRICT)
@dataclass(slots=True)
class Rhythm:
    """The last pauses of a source, from which the usual one is known."""

    pauses_s: list[NotNegative]

    def bridges(self, pause_s: float) -> bool:
        """Learn a pause; return whether what was measured at both its ends speaks for it, or it is a hole."""
        known = pause_s <= SHORT_S or (
            bool(self.pauses_s) and pause_s <= USUAL_PAUSES * sorted(self.pauses_s)[len(self.pauses_s) // 2]
        )
        if pause_s <= LONGEST_PAUSE_S:
            self.pauses_s.append(pause_s)
            if len(self.pauses_s) > PAUSES:
                del self.pauses_s[0]
        return known


class Piece(NamedTuple):
    """The energy of a span of time: what was above zero and, as a magnitude, what was below."""

    start: datetime
    end: datetime
    above_wh: float
    below_wh: float


@with_config(STRICT)
@dataclass(slots=True)
class Instant:
    """The newest instant of a source, and how often they come."""

    at: Time
    power_w: float
    rhythm: Rhythm


@with_config(STRICT)
@dataclass(slots=True)
class Hole:
    """A span of time of which nothing has been counted."""

    start: Time
    end: Time


@with_config(STRICT)
@dataclass(slots=True)
class PowerIntegral:
    """The energy of one power.

    All time until `until` has been counted, but for the holes: of whatever comes, only what lies later or in
    a hole counts. So instants, which are there at once, win over means, which come minutes later and count
    where there was nothing better. A part of a mean counts as its part of the time. Between two instants of
    a source the power is taken for a straight line; a source's instant that lacks the power is as if it had
    not come.
    """

    until: Time | None
    instants: dict[str, Instant]  # by source
    holes: list[Hole]  # the newest of them, oldest first

    @classmethod
    def new(cls) -> "PowerIntegral":
        """Return one that has counted nothing yet."""
        return cls(None, {}, [])

    @property
    def newest(self) -> datetime | None:
        """The end of what has been counted, or the newest instant if that is later."""
        return max(filter(None, (self.until, *(last.at for last in self.instants.values()))), default=None)

    def take(self, source: str, start: datetime, end: datetime, power_w: float) -> list[Piece]:
        """Return what a reading, an instant if start == end, adds to the energy, oldest first."""
        if start < end:
            line = _Line(start, power_w, end, power_w)
            return self._count(line) if seconds(start, end) <= LONGEST_MEAN_S else []
        last = self.instants.get(source)
        if last is None:
            if len(self.instants) >= MOST_SOURCES:
                del self.instants[min(self.instants, key=lambda name: self.instants[name].at)]
            self.instants[source] = Instant(end, power_w, Rhythm([]))
            return []
        line = _Line(last.at, last.power_w, end, power_w)
        pause_s = seconds(last.at, end)
        if pause_s <= 0:
            return []
        last.at, last.power_w = end, power_w
        return self._count(line) if last.rhythm.bridges(pause_s) else []

    def _count(self, line: "_Line") -> list[Piece]:
        spans = self._fill(line.start, line.end)
        if self.until is None or self.until < line.end:
            start = line.start if self.until is None else max(self.until, line.start)
            if self.until is not None and self.until < start:
                self.holes.append(Hole(self.until, start))
                del self.holes[:-MOST_HOLES]
            spans.append((start, line.end))
            self.until = line.end
        return [line.piece(*span) for span in spans]

    def _fill(self, start: datetime, end: datetime) -> list[Span]:
        """Take a span out of the holes, and return what of it there was."""
        filled: list[Span] = []
        left: list[Hole] = []
        for hole in self.holes:
            first, last = max(start, hole.start), min(end, hole.end)
            if first >= last:
                left.append(hole)
                continue
            filled.append((first, last))
            rests = Hole(hole.start, first), Hole(last, hole.end)
            left += [rest for rest in rests if rest.start < rest.end]
        self.holes = left[-MOST_HOLES:]
        return filled


class _Line(NamedTuple):
    """A power that is straight over time."""

    start: datetime
    start_w: float
    end: datetime
    end_w: float

    def piece(self, first: datetime, last: datetime) -> Piece:
        """Return the energy of a part of it."""
        above_wh, below_wh = _split(self._at(first), self._at(last), seconds(first, last) / HOUR_S)
        return Piece(first, last, above_wh, below_wh)

    def _at(self, at: datetime) -> float:
        if at == self.end:
            return self.end_w
        return self.start_w + (self.end_w - self.start_w) * ((at - self.start) / (self.end - self.start))


def _split(start_w: float, end_w: float, hours: float) -> tuple[float, float]:
    """Return the energies above and below zero along a straight line."""
    if start_w >= 0 and end_w >= 0:
        return (start_w + end_w) / 2 * hours, 0.0
    if start_w <= 0 and end_w <= 0:
        return 0.0, -(start_w + end_w) / 2 * hours
    crossing = start_w / (start_w - end_w)
    first_wh = abs(start_w) * crossing / 2 * hours
    second_wh = abs(end_w) * (1 - crossing) / 2 * hours
    return (first_wh, second_wh) if start_w > 0 else (second_wh, first_wh)
