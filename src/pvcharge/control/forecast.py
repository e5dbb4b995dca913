"""The surplus of the time for which a reading is acted on, from what the house and the roof usually do next.

A quarter-hour mean is acted on from 14 to 29 minutes after its middle: by then the sun stands elsewhere and
the kettle is cold. Two things are learned, by a few numbers each: how much the roof gives over a clear
day, and how much of what is unusual now remains one and two readings later. Until they are known, and for
readings that come faster than once a minute, the surplus is taken to stay as it is.
"""

from dataclasses import dataclass
from math import exp
from typing import Annotated, Self

from pydantic import Field, model_validator

from pvcharge.control.clear_day import DAY_S, FLOOR, GREATEST_W, MEMORY_S, SEASON_S, ClearDay, KeptClearDay
from pvcharge.control.fit import Fit, KeptFit
from pvcharge.control.learned import Kept, fitting

SHORTEST_S = 60.0  # what is acted on for less needs no forecast
LONGEST_S = DAY_S  # and beyond, nothing can be foreseen
LEADS = (1, 2)  # in readings
FEATURES = 3
TOLERANCE = 0.25  # of a cadence, by which a reading may be off such a lead
QUARTER_S = 900.0  # the time that counts once in what is learned
USUAL_S = 9000.0  # what was so for this long is usual
CLEAREST = 1.5  # times the clear day, at the edge of a cloud

OUTLIER_W = 300.0  # errors beyond count by their size, not its square: the median, not the mean
PERSISTENCE_WW = 3e6  # the evidence, in W², that it takes to believe half of a habit
STRONGEST = 3.0  # no habit makes more of what is unusual

TOLERATED = 1.25  # errors of guesses, beside those of the last reading
WRONG_H = 0.5  # hours of the greatest power; what is learned here keeps below half of it
LEAST_HEARD_W = 3000.0
HOUR_S = 3600.0

_Surplus = Annotated[float, Field(ge=-GREATEST_W, le=GREATEST_W)]


class KeptHabit(Kept):
    """How much of what is unusual now remains so many readings later. The three shares are for the reader."""

    lead_readings: Annotated[int, Field(ge=LEADS[0], le=LEADS[-1])]
    of_unusual_rest: float
    of_change_of_rest: float
    of_unusual_clearness: float
    evidence: KeptFit

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if len(self.evidence.products) != FEATURES:
            raise ValueError(f"evidence.products are not {FEATURES}")
        if max(map(abs, _habit(self.evidence).factors)) > STRONGEST:
            raise ValueError(f"evidence tells of a habit stronger than {STRONGEST:g}")
        return self


class KeptForecast(Kept):
    """What is kept of roof and house."""

    clear_day: KeptClearDay | None
    habits: Annotated[tuple[KeptHabit, ...], Field(max_length=len(LEADS))]
    usual_rest_w: Annotated[float, Field(ge=-2 * GREATEST_W, le=2 * GREATEST_W)] | None
    usual_clearness: Annotated[float, Field(ge=0, le=CLEAREST)] | None
    least_surplus_w: _Surplus
    greatest_surplus_w: _Surplus


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
    expected_w: float
    last_w: float  # the surplus at the time of the guess


class Forecast:
    """The coming surplus by one source's readings; times are seconds of the epoch."""

    def __init__(self) -> None:
        self.clear_day = ClearDay()
        self.habits = _no_habits()
        self._last: _Seen | None = None
        self._usual_rest_w: float | None = None
        self._usual_clearness: float | None = None
        self._guesses: list[_Guess] = []
        self._least_w, self._greatest_w = 0.0, 0.0  # surplus ever seen
        self._cadence_s = 1.0
        self._course_w: list[float] = []  # surplus of the last reading and the next two; empty if unknown
        self._heard_w = LEAST_HEARD_W  # the greatest power of late
        self._wrong_wh = 0.0  # by how much more than the last reading guesses have been wrong lately

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
        if not (SHORTEST_S <= cadence_s <= LONGEST_S and max(abs(surplus_w), abs(pv_w or 0.0)) <= GREATEST_W):
            self.pause()
            return
        produced_w = max(0.0, surplus_w if pv_w is None else pv_w)
        seen = _Seen(at_s, pv_w is not None, produced_w, produced_w - surplus_w)
        self._cadence_s = cadence_s
        self._compare(at_s, surplus_w)
        self._heard_w = max(self._keep * self._heard_w, produced_w, abs(surplus_w), LEAST_HEARD_W)
        if self._wrong_wh > WRONG_H * self._heard_w:
            self._forget()
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
                excess_w = abs(surplus_w - guess.expected_w) - TOLERATED * abs(surplus_w - guess.last_w)
                self._wrong_wh = max(0.0, self._wrong_wh + excess_w * self._cadence_s / HOUR_S)
        self._guesses = [guess for guess in self._guesses if at_s + tolerance_s < guess.at_s]

    def _forget(self) -> None:
        """Begin anew: whatever has been learned, here or in an earlier run, is not true any more."""
        self.clear_day, self.habits = ClearDay(), _no_habits()
        self._usual_rest_w = self._usual_clearness = None
        self._guesses, self._wrong_wh = [], 0.0
        self._least_w = self._greatest_w = 0.0

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
            expected_w = plain_w + self.habits[lead].value(features)
            expected_w = min(max(expected_w, self._least_w), self._greatest_w)
            self._course_w.append(expected_w)
            self._guesses.append(_Guess(later_s, lead, features, plain_w, expected_w, surplus_w))

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

    def learned(self, heard_s: float) -> KeptForecast | None:
        """Return what is to be kept when readings were heard last at this time; None if it is nothing."""
        clear_day = self.clear_day.learned(heard_s)
        if clear_day is None:
            return None
        habits = [_kept(lead, fit) for lead, fit in self.habits.items()]
        return fitting(
            KeptForecast,
            clear_day=clear_day,
            habits=tuple(habit for habit in habits if habit),
            usual_rest_w=self._usual_rest_w,
            usual_clearness=self._usual_clearness,
            least_surplus_w=self._least_w,
            greatest_surplus_w=self._greatest_w,
        )

    def recall(self, kept: KeptForecast) -> None:
        """Go on from what was kept."""
        if kept.clear_day is not None:
            self.clear_day.recall(kept.clear_day)
        self.habits |= {habit.lead_readings: _habit(habit.evidence) for habit in kept.habits}
        self._usual_rest_w, self._usual_clearness = kept.usual_rest_w, kept.usual_clearness
        self._least_w, self._greatest_w = kept.least_surplus_w, kept.greatest_surplus_w

    def rest(self, now_s: float, silent_s: float) -> None:
        """Believe less after a silence of so many seconds, and what depends on the season not at all."""
        if silent_s > DAY_S:
            self._usual_rest_w = self._usual_clearness = None
        for habit in self.habits.values():
            habit.fade(exp(-silent_s / MEMORY_S))
        if silent_s > SEASON_S:
            self.clear_day = ClearDay()
        else:
            self.clear_day.rest(now_s, silent_s)


def _no_habits() -> dict[int, Fit]:
    return {lead: Fit(FEATURES, PERSISTENCE_WW) for lead in LEADS}


def _kept(lead: int, habit: Fit) -> KeptHabit | None:
    rest, change, clearness = (round(factor, 3) for factor in habit.factors)
    return fitting(
        KeptHabit,
        lead_readings=lead,
        of_unusual_rest=rest,
        of_change_of_rest=change,
        of_unusual_clearness=clearness,
        evidence=habit.learned(),
    )


def _habit(kept: KeptFit) -> Fit:
    habit = Fit(FEATURES, PERSISTENCE_WW)
    habit.recall(kept)
    return habit
