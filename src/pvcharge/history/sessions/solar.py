"""How much of what was charged was not bought: the charger's energy beside the imports of the same time."""

from bisect import bisect_left, bisect_right
from dataclasses import dataclass
from itertools import pairwise
from math import inf
from typing import Annotated

from pydantic import AfterValidator, with_config

from pvcharge.history.saved import STRICT, NotNegative

FINE_S = 30.0  # the newest points are all kept, older ones so far apart:
COARSE_S = 60.0
MOST_POINTS = 120  # an hour and a half
BLOCK_S = 900.0  # a share is known from so much time; a single live reading says little


def _ascending(points: list[tuple[float, float]]) -> list[tuple[float, float]]:
    if any(later[0] <= earlier[0] for earlier, later in pairwise(points)):
        raise ValueError("times do not ascend")
    return points


@with_config(STRICT)
@dataclass(slots=True)
class EnergyCurve:
    """A sum of energy over its recent time, with straight lines between points; times are of the epoch.

    Old points are few, for readings that are minutes late are minutes long.
    """

    points: Annotated[list[tuple[float, float]], AfterValidator(_ascending)]  # time in s, energy in Wh

    @property
    def start_s(self) -> float | None:
        """Where the curve begins; None while there is nothing."""
        return self.points[0][0] if self.points else None

    @property
    def end_s(self) -> float | None:
        """Until when it is known; None while there is nothing."""
        return self.points[-1][0] if self.points else None

    @property
    def total_wh(self) -> float:
        """The sum at its end."""
        return self.points[-1][1] if self.points else 0.0

    def grow(self, at_s: float, energy_wh: float) -> None:
        """Lead the curve to a later time."""
        points = self.points
        total_wh = self.total_wh + energy_wh
        if len(points) > 1 and points[-2][1] == total_wh:
            points[-1] = (at_s, total_wh)  # nothing was charged
            return
        points.append((at_s, total_wh))
        fine = bisect_left(points, (at_s - FINE_S, 0.0))
        if fine > 1 and points[fine][0] - points[fine - 2][0] <= COARSE_S:
            del points[fine - 1]
        if len(points) > MOST_POINTS:
            del points[0]

    def forget(self, before_s: float) -> None:
        """Drop what nobody will ask for: everything before a time."""
        del self.points[: max(0, bisect_right(self.points, (before_s, inf)) - 1)]

    def at(self, at_s: float) -> float:
        """Return the sum at a time, beyond both ends that of the end."""
        i = bisect_right(self.points, (at_s, inf))
        if i == 0:
            return self.points[0][1] if self.points else 0.0
        start_s, start_wh = self.points[i - 1]
        if i == len(self.points):
            return start_wh
        end_s, end_wh = self.points[i]
        return start_wh + (end_wh - start_wh) * ((at_s - start_s) / (end_s - start_s))


@with_config(STRICT)
@dataclass(slots=True)
class Block:
    """What was charged over a while, and what of it was solar."""

    span_s: NotNegative
    energy_wh: NotNegative
    solar_wh: NotNegative


@with_config(STRICT)
@dataclass(slots=True)
class SolarPart:
    """The solar part of one session's stretch of the curve, which is settled reading by reading.

    Of time without readings, and of the end whose reading comes after the session, the last known share is
    assumed: that of the last quarter to half hour of charging, or of the last reading if that is longer. As
    long as none is known, all was bought.
    """

    from_wh: float  # where on the curve the session begins
    settled_wh: float  # up to where its solar part is known or given up
    solar_wh: NotNegative  # of what is settled
    block: Block  # the newest readings
    block_before: Block

    @classmethod
    def new(cls, from_wh: float) -> "SolarPart":
        """Return the part of a session that begins here on the curve."""
        return cls(from_wh, from_wh, 0.0, Block(0.0, 0.0, 0.0), Block(0.0, 0.0, 0.0))

    def settle(self, curve: EnergyCurve, start_s: float, end_s: float, import_wh: float) -> None:
        """Take the imports of a span of time into account; none before it may follow."""
        if curve.start_s is not None and start_s < curve.start_s < end_s:
            import_wh *= (end_s - curve.start_s) / (end_s - start_s)
            start_s = curve.start_s
        before_wh, after_wh = curve.at(start_s), curve.at(end_s)
        start_wh = max(before_wh, self.from_wh)
        energy_wh = after_wh - start_wh
        if energy_wh <= 0:
            return
        # Who was charged before within the same reading has bought as large a part.
        share = max(0.0, 1.0 - import_wh / (after_wh - before_wh))
        hole_wh = max(0.0, start_wh - self.settled_wh)
        last_share = self._last_share()
        self.solar_wh += hole_wh * (share if last_share is None else last_share) + energy_wh * share
        self.settled_wh = after_wh
        block = self.block
        block.span_s += end_s - start_s
        block.energy_wh += energy_wh
        block.solar_wh += energy_wh * share
        if block.span_s >= BLOCK_S:
            self.block_before, self.block = block, Block(0.0, 0.0, 0.0)

    def of(self, energy_wh: float, curve: EnergyCurve) -> float:
        """Return the solar part of the session's energy, of which the curve is the course."""
        share = self._last_share() or 0.0
        charged_wh = curve.total_wh - self.from_wh
        if charged_wh <= 0:
            return energy_wh * share
        open_wh = max(0.0, curve.total_wh - self.settled_wh)
        return energy_wh * min(1.0, (self.solar_wh + open_wh * share) / charged_wh)

    def _last_share(self) -> float | None:
        energy_wh = self.block.energy_wh + self.block_before.energy_wh
        if energy_wh <= 0:
            return None
        return min(1.0, (self.block.solar_wh + self.block_before.solar_wh) / energy_wh)
