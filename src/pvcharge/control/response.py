"""How old readings really are, and how much of the charger they see, learned from the charger's own steps.

Some sources stamp on arrival what was measured a minute or more before, now this long, now that. Taken at
its word, a grid power from before a change of the charger's power is aligned with the power after it: a
surplus that never was. But when the charger moves, the grid power must move with it, and only those ages
fit a reading with which the rest of the house goes on as before. From that follow, by Bayes' rule, the
likely ages of the source's readings, and of each single one.
"""

from bisect import bisect_left
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import accumulate
from math import exp, inf, log, sqrt
from statistics import median
from typing import Annotated, Self

from pydantic import Field, model_validator

from pvcharge.control.align import ChargerPowerLog
from pvcharge.control.learned import Kept, Moment, fitting, moment

# Coarser where some seconds make no difference to a reading that is minutes old anyhow.
AGES_S = (0.0, 5.0, 10.0, 15.0, *(10.0 * n for n in range(2, 25)))
STAMPED_RIGHT = 2  # so many of these ages are none
LEARN_EACH_S = 15.0  # readings that come closer together share their fate
LEARNING_RATE = 0.03  # the weight of one reading in what is expected of the next
FIRST_READINGS = 20  # so many weigh as much as the initial ignorance
LEAST_SHARE = 1e-6  # of an age, however long it was not met: else it could never be again
SURPRISE = 0.03  # share of readings between which the house itself changes by anything
SURPRISE_SPAN_W = 20_000.0  # up to half of this
BELIEVED, DISBELIEVED = 6.0, 0.0  # log odds at which ages are believed, and are not any more
EACH_MOVE = 2.5  # what the readings about one move of the charger may add or take
CERTAIN = 12.0  # odds beyond are not kept, so that a change is noticed soon
SETTLED_W = 150.0  # the charger's power has settled if it has moved no more than this
FORGET_S = 600.0  # what the house drew longer ago says nothing
SCATTER_W = 200.0  # how much the house changes between readings, before it is known
LEAST_SCATTER_W = 30.0
SCATTER_RATE = 0.05
GREATEST_W = 1e6  # no house draws more
SUM_TOLERANCE = 1e-6  # of shares

STEP_W = 500.0  # what the charger must move to be seen
STEPS, FEW_STEPS = 15, 5  # are remembered, and suffice
TRUE_FOR_S = 86_400.0  # without another step; a meter that made us stop may have been mended meanwhile
AGREEING = 0.25  # spread of as many as are remembered, above which they tell nothing
GREATEST_RATIO = 4 * GREATEST_W / STEP_W  # between two readings within what a house draws

_AGES = [f"{age_s:g}" for age_s in AGES_S]
_Share = Annotated[float, Field(ge=LEAST_SHARE / 2, le=1)]
_Evidence = Annotated[float, Field(gt=DISBELIEVED, le=CERTAIN)]
_Ratio = Annotated[float, Field(ge=-GREATEST_RATIO, le=GREATEST_RATIO)]


class KeptAges(Kept):
    """What is kept of ages that are believed. `mean_s` and `spread_s` are for the reader only."""

    mean_s: float
    spread_s: float
    share_by_age_s: dict[str, _Share]
    log_odds_late: _Evidence
    log_odds_seen: _Evidence
    house_scatter_w: Annotated[float, Field(ge=LEAST_SCATTER_W, le=4 * GREATEST_W)]

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if self.share_by_age_s.keys() != set(_AGES):
            raise ValueError(f"share_by_age_s has not the ages 0 to {AGES_S[-1]:g}")
        if abs(sum(self.share_by_age_s.values()) - 1.0) > SUM_TOLERANCE:
            raise ValueError("share_by_age_s adds up to something else than 1")
        return self


class KeptGain(Kept):
    """What is kept of the answers to steps. `gain` is for the reader only."""

    gain: float | None
    ratios: Annotated[
        tuple[Annotated[tuple[_Ratio, ...], Field(min_length=1, max_length=2)], ...],
        Field(min_length=1, max_length=STEPS),
    ]
    stepped_at: Moment

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if len({len(ratio) for ratio in self.ratios}) > 1:
            raise ValueError("ratios are of different kinds")
        return self


@dataclass(frozen=True, slots=True)
class _House:
    """What a reading told of the house: all it drew, and what of it was most likely the charger's."""

    at_s: float
    total_w: float
    charger_w: float
    unsure_w: float  # by how much the charger's power may differ from the likeliest
    has_supply: bool  # else production is missing in the total

    @property
    def house_w(self) -> float:
        """What the rest of the house drew."""
        return self.total_w - self.charger_w


class Response:
    """How the grid power of one source's instants answers the charger's own steps.

    With what delay, and with how much of it. Times are seconds of the epoch.
    """

    def __init__(self) -> None:
        self._steps = _Steps()
        self._expected = [1.0 / len(AGES_S)] * len(AGES_S)  # probability of each age
        self._readings = 0  # that could tell something of their age
        self._late = _Odds()  # that ages are as expected, and not all none
        self._seen = _Odds()  # that they are, and the source not one that the charger is nothing to
        self._believed = False
        self._last: _House | None = None
        self._scatter_w = SCATTER_W

    @property
    def age_s(self) -> float:
        """How much older than stamped the readings are on average; 0 until known."""
        if not self._believed:
            return 0.0
        return sum(age_s * p for age_s, p in zip(AGES_S, self._expected, strict=True))

    @property
    def spread_s(self) -> float:
        """How far single ages scatter about it (standard deviation); 0 until known."""
        if not self._believed:
            return 0.0
        mean_s = self.age_s
        return sqrt(sum((age_s - mean_s) ** 2 * p for age_s, p in zip(AGES_S, self._expected, strict=True)))

    @property
    def gain(self) -> float | None:
        """W of grid power per W of the charger, None unless clear steps of it agree.

        About 1 as it should be, -1 for a meter mounted backwards, 0 for one that does not see the charger.
        """
        return self._steps.gain

    def learned_ages(self) -> KeptAges | None:
        """Return what is to be kept of ages, None unless they are believed."""
        if not self._believed:
            return None
        return fitting(
            KeptAges,
            mean_s=round(self.age_s, 1),
            spread_s=round(self.spread_s, 1),
            share_by_age_s=dict(zip(_AGES, self._expected, strict=True)),
            log_odds_late=self._late.odds,
            log_odds_seen=self._seen.odds,
            house_scatter_w=self._scatter_w,
        )

    def learned_gain(self) -> KeptGain | None:
        """Return what is to be kept of answers to steps, None without any."""
        return self._steps.learned()

    def recall(self, ages: KeptAges | None, gain: KeptGain | None) -> None:
        """Go on from what was kept."""
        if ages is not None:
            self._expected = [ages.share_by_age_s[age] for age in _AGES]
            self._readings = FIRST_READINGS
            self._late, self._seen = _Odds(ages.log_odds_late), _Odds(ages.log_odds_seen)
            self._believed = True
            self._scatter_w = ages.house_scatter_w
        if gain is not None:
            self._steps.recall(gain)

    def expire(self, now_s: float) -> None:
        """Take into account how late it is, with each reading, also one that tells nothing of this."""
        self._steps.expire(now_s)

    def observe(
        self, at_s: float, grid_w: float, power: ChargerPowerLog, supply_w: float | None = None
    ) -> float | None:
        """Take an instant into account and return what the charger drew when it was really taken.

        Args:
            at_s: when it was taken, by its stamp.
            grid_w: the grid power.
            power: the charger's recent power.
            supply_w: production less what a home battery takes, at the same instant; None if not told.
                With it, what the sun does is not taken for what the house does.

        Returns:
            The likeliest power in W; that of the stamped time unless readings are known to be older.
            None if it is not known.
        """
        last = self._comparable(at_s, has_supply=supply_w is not None)
        due = last is None or at_s - last.at_s >= LEARN_EACH_S
        if not due and not self._believed:
            return power.mean_w(at_s, at_s)
        powers_w = power.before_w(at_s, AGES_S)
        if powers_w is None:
            self._last = None  # to be compared with nothing: what has gone on meanwhile is not known
            likely_s = at_s - self.age_s
            return power.mean_w(likely_s, likely_s)
        grid_w = _bounded(grid_w, GREATEST_W)
        total_w = grid_w + _bounded(supply_w or 0.0, GREATEST_W)
        now = _House(at_s, total_w, powers_w[0], 0.0, supply_w is not None)
        if max(powers_w) - min(powers_w) > SETTLED_W:
            return self._observe_moving(last, now, powers_w, due=due)
        if due:
            self._steps.observe(at_s, (total_w,) if supply_w is None else (grid_w, total_w), now.charger_w)
            self._observe_settled(last, now)
        return now.charger_w

    def _comparable(self, at_s: float, *, has_supply: bool) -> _House | None:
        """Return what was told last, unless it says nothing about the house now."""
        last = self._last
        if last is None or last.has_supply is not has_supply or not 0 < at_s - last.at_s <= FORGET_S:
            return None
        return last

    def _fits(self, last: _House, total_w: float, powers_w: Sequence[float]) -> list[float]:
        """Return how well powers of the charger fit a house that goes on: a density per W.

        It mostly goes on within a scatter, but sometimes a kettle is switched on.
        """
        scatter_w = self._scatter_w + last.unsure_w
        peak, floor = (1.0 - SURPRISE) / (2.0 * scatter_w), SURPRISE / SURPRISE_SPAN_W
        expected_w = total_w - last.house_w
        return [peak * exp(-abs(power_w - expected_w) / scatter_w) + floor for power_w in powers_w]

    def _observe_settled(self, last: _House | None, now: _House) -> None:
        """Learn from a reading whose age makes no difference."""
        self._last = now
        if last is None:
            return
        if abs(now.charger_w - last.charger_w) > SETTLED_W:
            answered, unanswered = self._fits(last, now.total_w, (now.charger_w, last.charger_w))
            self._judge(now.at_s, 0.0, log(answered / unanswered))
        if not last.unsure_w:
            change_w = min(abs(now.house_w - last.house_w), 3.0 * self._scatter_w)
            scatter_w = self._scatter_w + SCATTER_RATE * (change_w - self._scatter_w)
            self._scatter_w = max(LEAST_SCATTER_W, scatter_w)

    def _observe_moving(
        self, last: _House | None, now: _House, powers_w: Sequence[float], *, due: bool
    ) -> float:
        """Learn from a reading whose age makes a difference; return the charger's power behind it."""
        if last is None:
            ages = self._expected
        else:
            fits = self._fits(last, now.total_w, powers_w)
            ages = _normalised([p * fit for p, fit in zip(self._expected, fits, strict=True)])
            if due:
                self._learn(now.at_s, fits, ages, *self._fits(last, now.total_w, (last.charger_w,)))
        likely_w = _middle(powers_w, ages)
        if due:
            unsure_w = sum(p * abs(power_w - likely_w) for p, power_w in zip(ages, powers_w, strict=True))
            self._last = replace(now, charger_w=likely_w, unsure_w=unsure_w)
        return likely_w if self._believed else now.charger_w

    def _learn(self, at_s: float, fits: Sequence[float], ages: Sequence[float], unanswered: float) -> None:
        expected = sum(p * fit for p, fit in zip(self._expected, fits, strict=True))
        self._judge(at_s, log(expected / max(fits[:STAMPED_RIGHT])), log(expected / unanswered))
        self._readings += 1
        rate = max(LEARNING_RATE, 1.0 / (FIRST_READINGS + self._readings))
        self._expected = _normalised(
            [max(p + rate * (new - p), LEAST_SHARE) for p, new in zip(self._expected, ages, strict=True)]
        )

    def _judge(self, at_s: float, late: float, seen: float) -> None:
        """Add the evidence of one reading, as log likelihood ratios."""
        odds = min(self._late.add(at_s, late), self._seen.add(at_s, seen))
        self._believed = odds > (DISBELIEVED if self._believed else BELIEVED)


class _Odds:
    """Log odds by evidence of which a single coincidence, however often read, can add only so much."""

    def __init__(self, odds: float = 0.0) -> None:
        self._before = odds  # the present move of the charger
        self._since_s = -inf
        self._move = 0.0

    def add(self, at_s: float, evidence: float) -> float:
        """Add a log likelihood ratio and return the odds."""
        if not 0 <= at_s - self._since_s <= AGES_S[-1]:
            self._before, self._since_s, self._move = self.odds, at_s, 0.0
        self._move += evidence
        return self.odds

    @property
    def odds(self) -> float:
        """The log odds by all evidence."""
        return _bounded(self._before + _bounded(self._move, EACH_MOVE), CERTAIN)


class _Steps:
    """What grid power, and grid power and production together, answered to the charger's clear steps.

    Where the sun changes much the latter tells more, where the meter's sign or unit is wrong the former.
    """

    def __init__(self) -> None:
        self._last: tuple[float, tuple[float, ...], float] | None = None
        self._ratios: deque[tuple[float, ...]] = deque(maxlen=STEPS)
        self._stepped_s = -inf  # when the charger stepped last
        self.gain: float | None = None

    def observe(self, at_s: float, told_w: tuple[float, ...], charger_w: float) -> None:
        """Take a reading into account at which the charger had settled."""
        last, self._last = self._last, (at_s, told_w, charger_w)
        if last is None or not 0 < at_s - last[0] <= FORGET_S or len(last[1]) != len(told_w):
            return
        step_w = charger_w - last[2]
        if abs(step_w) < STEP_W:
            return
        self._stepped_s = at_s
        if self._ratios and len(self._ratios[0]) != len(told_w):
            self._ratios.clear()
        self._ratios.append(tuple((new - old) / step_w for new, old in zip(told_w, last[1], strict=True)))
        self.gain = self._agreed()

    def learned(self) -> KeptGain | None:
        """Return what is to be kept, None if it is nothing."""
        if not self._ratios:
            return None
        return fitting(
            KeptGain, gain=self.gain, ratios=tuple(self._ratios), stepped_at=moment(self._stepped_s)
        )

    def recall(self, kept: KeptGain) -> None:
        """Go on from what was kept."""
        self._ratios.extend(kept.ratios)
        self._stepped_s = kept.stepped_at.timestamp()
        self.gain = self._agreed()

    def expire(self, now_s: float) -> None:
        """Forget what may not be true any more."""
        self._stepped_s = min(self._stepped_s, now_s)
        if now_s - self._stepped_s > TRUE_FOR_S:
            self._ratios.clear()
            self.gain = None

    def _agreed(self) -> float | None:
        if len(self._ratios) < FEW_STEPS:
            return None
        spread, gain = min(_spread_and_middle(ratios) for ratios in zip(*self._ratios, strict=True))
        return gain if spread <= AGREEING * sqrt(len(self._ratios) / STEPS) else None


def _spread_and_middle(values: Sequence[float]) -> tuple[float, float]:
    middle = median(values)
    return median(abs(value - middle) for value in values), middle


def _middle(values: Sequence[float], weights: Sequence[float]) -> float:
    """Return the weighted median: it is wrong by least, not by least squares."""
    pairs = sorted(zip(values, weights, strict=True))
    sums = list(accumulate(weight for _, weight in pairs))
    return pairs[min(bisect_left(sums, sums[-1] / 2), len(pairs) - 1)][0]


def _normalised(weights: Sequence[float]) -> list[float]:
    total = sum(weights)
    return [weight / total for weight in weights]


def _bounded(value: float, limit: float) -> float:
    return min(max(value, -limit), limit)
