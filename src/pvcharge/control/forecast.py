"""The surplus of the time for which a reading is acted on, from what the house and the roof usually do next.

A quarter-hour mean is acted on from 14 to 29 minutes after its middle: by then the sun stands elsewhere and
the kettle is cold. Two things are learned, by a few numbers each: how much the roof gives over a clear
day, and how much of what is unusual now remains one and two readings later. Until they are known, and for
readings that come faster than once a minute, the surplus is taken to stay as it is.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import cos, pi, sin, sqrt

SHORTEST_S = 60.0  # what is acted on for less needs no forecast
LEADS = (1, 2)  # in readings
TOLERANCE = 0.25  # of a cadence, by which a reading may be off such a lead
GREATEST_W = 100_000.0  # no house; nothing is learned from it
DAY_S = 86_400.0
QUARTER_S = 900.0  # the time that counts once in what is learned
MEMORY_S = 10 * DAY_S
USUAL_S = 9000.0  # what was so for this long is usual

HARMONICS = 2
SHADED = 0.1  # how much a reading below the clear day counts, beside one above it
DARK_W = 20.0
FLOOR = 0.05  # of the greatest production: at dawn a ratio of two small numbers says nothing
LEAST_RATIO, GREATEST_RATIO = 0.25, 3.0
CLEAREST = 1.5  # times the clear day, at the edge of a cloud
SHAPE_DOUBT = 1e-3  # in readings: enough to tell the harmonics of the first hours apart

ROUNDING = 1e-9  # the least share of a square that is more than rounding

OUTLIER_W = 300.0  # errors beyond count by their size, not its square: the median, not the mean
PERSISTENCE_WW = 3e6  # the evidence, in W², that it takes to believe half of a habit


class Fit:
    """Weighted least squares with forgetting, drawn towards zero; no more than a small matrix is kept."""

    def __init__(self, size: int, ridge: float) -> None:
        self._ridge = ridge
        self._squares = [[0.0] * size for _ in range(size)]
        self._products = [0.0] * size
        self.factors = [0.0] * size

    def value(self, features: Sequence[float]) -> float:
        """Return what is expected."""
        return sum(factor * feature for factor, feature in zip(self.factors, features, strict=True))

    def learn(self, features: Sequence[float], value: float, weight: float, keep: float) -> None:
        """Learn from one observation.

        Args:
            features: as many as the size.
            value: what was seen with them.
            weight: how much it counts.
            keep: the share of everything before that is kept.
        """
        for i, feature in enumerate(features):
            row, weighted = self._squares[i], weight * feature
            for j in range(i + 1):
                row[j] = row[j] * keep + weighted * features[j]
            self._products[i] = self._products[i] * keep + weighted * value
        self.factors = self._solved()

    def _solved(self) -> list[float]:
        """Solve by Cholesky's method; the ridge keeps the matrix definite."""
        lower: list[list[float]] = []
        solved: list[float] = []
        for i, squares in enumerate(self._squares):
            row: list[float] = []
            for j, other in enumerate(lower):
                row.append((squares[j] - _product(row, other)) / other[j])
            square = squares[i] + self._ridge
            row.append(sqrt(max(square - _product(row, row), ROUNDING * square)))
            lower.append(row)
            solved.append((self._products[i] - _product(row, solved)) / row[i])
        size = len(solved)
        for i in reversed(range(size)):
            solved[i] -= sum(lower[k][i] * solved[k] for k in range(i + 1, size))
            solved[i] /= lower[i][i]
        return solved


class ClearDay:
    """What a roof gives at each time of a clear day: an upper envelope of two harmonics.

    The sun's height above a plane is one harmonic of the time of day; the second serves roofs of two planes.
    """

    def __init__(self) -> None:
        self._fit = Fit(1 + 2 * HARMONICS, SHAPE_DOUBT)
        self._hours = 0  # of the day that have been seen, as bits
        self._first_s: float | None = None
        self.greatest_w = 0.0

    def power_w(self, at_s: float, now_s: float) -> float | None:
        """Return what the roof would give under a clear sky.

        None within the first day, or if nothing has been told yet of that hour of the day.
        """
        if self._first_s is None or now_s - self._first_s < DAY_S or not self._hours & _hour(at_s):
            return None
        return max(0.0, self._fit.value(_turns(at_s)))

    def observe(self, at_s: float, pv_w: float, weight: float, keep: float) -> None:
        """Learn from a reading."""
        self._hours |= _hour(at_s)
        self._first_s = at_s if self._first_s is None else self._first_s
        self.greatest_w = max(self.greatest_w, pv_w)
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


@dataclass(frozen=True, slots=True)
class _Seen:
    """A reading: its middle, and what it told."""

    at_s: float
    has_pv: bool
    pv_w: float  # or what of it was left over, where it is not told
    rest_w: float  # production less surplus: what the house takes


@dataclass(frozen=True, slots=True)
class _Guess:
    """What was expected of a later reading, to be compared with it."""

    at_s: float
    lead: int
    features: tuple[float, float, float]
    plain_w: float  # the surplus if all that is unusual remains


class Forecast:
    """The coming surplus by one source's readings; times are seconds of the epoch."""

    def __init__(self) -> None:
        self.clear_day = ClearDay()
        self.habits = {lead: Fit(3, PERSISTENCE_WW) for lead in LEADS}
        self._last: _Seen | None = None
        self._usual_rest_w: float | None = None
        self._usual_clearness: float | None = None
        self._guesses: list[_Guess] = []
        self._least_w, self._greatest_w = 0.0, 0.0  # surplus ever seen
        self._cadence_s = 1.0
        self._course_w: list[float] = []  # surplus of the last reading and the next two; empty if unknown

    def pause(self) -> None:
        """Forget the last reading: what was told now does not tell how it goes on."""
        self._last, self._course_w = None, []
        self._guesses.clear()

    def observe(self, at_s: float, cadence_s: float, surplus_w: float, pv_w: float | None) -> None:
        """Take a reading into account.

        Args:
            at_s: its middle.
            cadence_s: the usual pause between readings.
            surplus_w: what it tells.
            pv_w: the production that is part of it, None if that is not known.
        """
        if not (cadence_s >= SHORTEST_S and max(abs(surplus_w), abs(pv_w or 0.0)) <= GREATEST_W):
            self.pause()
            return
        produced_w = max(0.0, surplus_w if pv_w is None else pv_w)
        seen = _Seen(at_s, pv_w is not None, produced_w, produced_w - surplus_w)
        self._cadence_s = cadence_s
        self._compare(at_s, surplus_w)
        self._least_w, self._greatest_w = min(self._least_w, surplus_w), max(self._greatest_w, surplus_w)
        self._expect(seen, surplus_w)
        self._last = seen
        self.clear_day.observe(at_s, produced_w, self._weight, self._keep)

    @property
    def _weight(self) -> float:
        return self._cadence_s / QUARTER_S

    @property
    def _keep(self) -> float:
        return max(0.0, 1.0 - self._cadence_s / MEMORY_S)

    def _compare(self, at_s: float, surplus_w: float) -> None:
        """Learn from what has become of guesses."""
        tolerance_s = TOLERANCE * self._cadence_s
        for guess in self._guesses:
            if abs(at_s - guess.at_s) <= tolerance_s:
                habit, change_w = self.habits[guess.lead], surplus_w - guess.plain_w
                error_w = abs(change_w - habit.value(guess.features))
                trust = OUTLIER_W / max(OUTLIER_W, error_w)
                habit.learn(guess.features, change_w, trust * self._weight, self._keep)
        self._guesses = [guess for guess in self._guesses if at_s + tolerance_s < guess.at_s]

    def _expect(self, seen: _Seen, surplus_w: float) -> None:
        """Guess the next two readings."""
        clear_w = self.clear_day.power_w(seen.at_s, seen.at_s)
        above_w, rise_w = self._unusual(seen)
        clearer = self._clearer(seen.pv_w, clear_w)
        self._course_w = [surplus_w]
        for lead in LEADS:
            later_s = seen.at_s + lead * self._cadence_s
            later_w = self.clear_day.power_w(later_s, seen.at_s)
            features = (above_w, rise_w, clearer * (later_w or 0.0))
            plain_w = seen.pv_w * self.clear_day.ratio(clear_w, later_w) - seen.rest_w
            self._guesses.append(_Guess(later_s, lead, features, plain_w))
            expected_w = plain_w + self.habits[lead].value(features)
            self._course_w.append(min(max(expected_w, self._least_w), self._greatest_w))

    def _unusual(self, seen: _Seen) -> tuple[float, float]:
        """Return by how much the house takes more than usual, and than at the last reading."""
        last = self._last
        if last is not None and last.has_pv is not seen.has_pv:
            last = self._usual_rest_w = None
            self._guesses.clear()
        self._usual_rest_w = self._towards(self._usual_rest_w, seen.rest_w)
        above_w = seen.rest_w - self._usual_rest_w
        if last is None or abs(seen.at_s - last.at_s - self._cadence_s) > TOLERANCE * self._cadence_s:
            return above_w, 0.0
        return above_w, seen.rest_w - last.rest_w

    def _clearer(self, pv_w: float, clear_w: float | None) -> float:
        """Return by how much of a clear day's power the sky is clearer than it has been lately."""
        if clear_w is None or clear_w <= FLOOR * self.clear_day.greatest_w:
            return 0.0
        clearness = min(pv_w / clear_w, CLEAREST)
        self._usual_clearness = self._towards(self._usual_clearness, clearness)
        return clearness - self._usual_clearness

    def _towards(self, usual: float | None, now: float) -> float:
        rate = min(1.0, self._cadence_s / USUAL_S)
        return now if usual is None else usual + rate * (now - usual)

    def surplus_w(self, at_s: float, measured_w: float) -> float:
        """Return the surplus to be expected at a time after the last reading.

        Args:
            at_s: that time; nothing is expected beyond two readings.
            measured_w: what the last reading told, and what is returned if nothing better is known.
        """
        if self._last is None or not self._course_w:
            return measured_w
        later = min(max((at_s - self._last.at_s) / self._cadence_s, 0.0), float(LEADS[-1]))
        before = min(int(later), LEADS[-1] - 1)
        from_w, to_w = self._course_w[before : before + 2]
        return from_w + (later - before) * (to_w - from_w)


def _product(one: Sequence[float], other: Sequence[float]) -> float:
    """Return the scalar product over the shorter of two."""
    return sum(a * b for a, b in zip(one, other, strict=False))


def _hour(at_s: float) -> int:
    """Return the hour of the day as a bit."""
    return 1 << int(at_s % DAY_S // 3600)


def _turns(at_s: float) -> list[float]:
    angle = 2.0 * pi * (at_s % DAY_S) / DAY_S
    turns = [1.0]
    for harmonic in range(1, HARMONICS + 1):
        turns += (cos(harmonic * angle), sin(harmonic * angle))
    return turns
