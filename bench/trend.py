"""Whether a series of measurements rises: a slope that a few wild points do not move, and how sure it is."""

import math
from collections.abc import Sequence
from itertools import combinations
from statistics import median
from typing import NamedTuple

SURE = 1.96  # standard deviations; 95 of 100 such intervals hold the true slope


class Slope(NamedTuple):
    """A slope and the interval in which it is, with a certainty of 95 %."""

    value: float
    least: float
    most: float


def slope(times: Sequence[float], values: Sequence[float]) -> Slope:
    """Return the median of the slopes of all pairs of points (Theil and Sen), and Kendall's interval for it.

    Args:
        times: rising.
        values: one for each; at least three.
    """
    points = zip(times, values, strict=True)
    slopes = sorted((b - a) / (till - at) for (at, a), (till, b) in combinations(points, 2))
    count, pairs = len(times), len(slopes)
    spread = SURE * math.sqrt(count * (count - 1) * (2 * count + 5) / 18)
    first = max(0, round((pairs - spread) / 2))
    last = min(pairs - 1, round((pairs + spread) / 2))
    return Slope(median(slopes), slopes[first], slopes[last])
