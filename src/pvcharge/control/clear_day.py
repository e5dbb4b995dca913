"""What a roof gives at each time of a clear day, learned from its readings; no angles are asked for."""

from math import cos, exp, pi, sin
from typing import Annotated, Self

from pydantic import Field, model_validator

from pvcharge.control.fit import Fit, KeptFit
from pvcharge.control.learned import Kept, Moment, fitting, moment

GREATEST_W = 100_000.0  # no house; nothing is learned from it
DAY_S = 86_400.0
MEMORY_S = 10 * DAY_S
SEASON_S = 60 * DAY_S  # what was learned longer ago was learned from another sun

HARMONICS = 2
SIZE = 1 + 2 * HARMONICS
SHADED = 0.1  # how much a reading below the clear day counts, beside one above it
DARK_W = 20.0
FLOOR = 0.05  # of the greatest production: at dawn a ratio of two small numbers says nothing
LEAST_RATIO, GREATEST_RATIO = 0.25, 3.0
SHAPE_DOUBT = 1e-3  # in readings: enough to tell the harmonics of the first hours apart


class KeptClearDay(Kept):
    """What is kept of a clear day; hours are of UTC. `believed` to `by_hour_w` are for the reader only."""

    since: Moment
    seen_days: float
    believed: bool
    by_hour_w: Annotated[tuple[float | None, ...], Field(max_length=24)]  # at half past
    hours_utc: Annotated[tuple[Annotated[int, Field(ge=0, le=23)], ...], Field(max_length=24)]
    greatest_w: Annotated[float, Field(ge=0, le=GREATEST_W)]
    shape: KeptFit

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if len(self.shape.products) != SIZE:
            raise ValueError(f"shape.products are not {SIZE}")
        if max(map(abs, _fit(self.shape).factors)) > 10 * GREATEST_W:
            raise ValueError("shape is beyond that of any roof")
        return self


class ClearDay:
    """An upper envelope of two harmonics of the time of day; times are seconds of the epoch.

    The sun's height above a plane is one harmonic; the second serves roofs of two planes.
    """

    def __init__(self) -> None:
        self._fit = Fit(SIZE, SHAPE_DOUBT)
        self._hours = 0  # of the day that have been seen, as bits
        self._first_s: float | None = None
        self.greatest_w = 0.0

    def power_w(self, at_s: float, now_s: float) -> float | None:
        """Return what the roof would give under a clear sky.

        None within the first day, or if nothing has been told yet of that hour of the day.
        """
        if self._first_s is None or now_s - self._first_s < DAY_S or not self._hours & _hour(at_s):
            return None
        return self._envelope_w(at_s)

    def _envelope_w(self, at_s: float) -> float:
        return min(max(0.0, self._fit.value(_turns(at_s))), GREATEST_W)

    def observe(self, at_s: float, pv_w: float, weight: float, keep: float) -> None:
        """Learn from a reading."""
        self._hours |= _hour(at_s)
        self._first_s = at_s if self._first_s is None else self._first_s
        self.greatest_w = max(keep * self.greatest_w, pv_w)
        turns = _turns(at_s)
        clear_w = self._fit.value(turns)
        if pv_w > DARK_W or clear_w > 0:  # beyond dawn and dusk the harmonics may be what they like
            self._fit.learn(turns, pv_w, weight if pv_w > clear_w else SHADED * weight, keep)

    def ratio(self, clear_w: float | None, later_w: float | None) -> float:
        """Return by what production grows between two times that would give so much under a clear sky."""
        if clear_w is None or later_w is None or self.greatest_w <= DARK_W:
            return 1.0
        floor_w = FLOOR * self.greatest_w
        return min(max((later_w + floor_w) / (clear_w + floor_w), LEAST_RATIO), GREATEST_RATIO)

    def learned(self, heard_s: float) -> KeptClearDay | None:
        """Return what is to be kept when readings were heard last at this time."""
        if self._first_s is None:
            return None
        since = moment(self._first_s)
        seen_days = (moment(heard_s) - since).total_seconds() / DAY_S
        hours = tuple(hour for hour in range(24) if self._hours & 1 << hour)
        return fitting(
            KeptClearDay,
            since=since,
            seen_days=round(seen_days, 1),
            believed=seen_days >= 1,
            by_hour_w=tuple(
                float(round(self._envelope_w(3600.0 * hour + 1800.0))) if hour in hours else None
                for hour in range(24)
            ),
            hours_utc=hours,
            greatest_w=self.greatest_w,
            shape=self._fit.learned(),
        )

    def recall(self, kept: KeptClearDay) -> None:
        """Go on from what was kept."""
        self._first_s = kept.since.timestamp()
        self._hours = sum(1 << hour for hour in set(kept.hours_utc))
        self.greatest_w = kept.greatest_w
        self._fit = _fit(kept.shape)

    def rest(self, now_s: float, silent_s: float) -> None:
        """Believe less after a silence: the newer readings count more, as if time had gone by with them."""
        self._fit.fade(exp(-silent_s / MEMORY_S))
        if self._first_s is not None:
            self._first_s = min(self._first_s, now_s)


def _fit(kept: KeptFit) -> Fit:
    fit = Fit(SIZE, SHAPE_DOUBT)
    fit.recall(kept)
    return fit


def _hour(at_s: float) -> int:
    """Return the hour of the day as a bit."""
    return 1 << int(at_s % DAY_S // 3600)


def _turns(at_s: float) -> list[float]:
    angle = 2.0 * pi * (at_s % DAY_S) / DAY_S
    turns = [1.0]
    for harmonic in range(1, HARMONICS + 1):
        turns += (cos(harmonic * angle), sin(harmonic * angle))
    return turns
