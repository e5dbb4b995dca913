"""Documents of what was learned: any that is within its ranges, and one that was truly learned."""

from datetime import UTC, datetime, timedelta
from functools import cache
from math import cos, pi
from typing import Any

from hypothesis import strategies as st

from control.any_history import NOON
from pvcharge.control import Controller, ControlSettings
from pvcharge.control.fit import Fit
from pvcharge.control.forecast import FEATURES, PERSISTENCE_WW
from pvcharge.control.response import AGES_S
from pvcharge.model import ChargerState, ChargerStatus, Mode, PowerFlow

MIDNIGHT = datetime(2026, 6, 15, tzinfo=UTC)
DAY_S, QUARTER_S = 86_400.0, 900.0
SIZE = 5
AGES = [f"{age_s:g}" for age_s in AGES_S]


def roof_w(at_s: float) -> float:
    """Return what a roof of 8 kW gives on a clear day."""
    return max(0.0, 9000.0 * cos(2 * pi * (at_s / DAY_S - 0.48)) - 1000.0)


def hear_quarters(controller: Controller, first: int, count: int, source: str = "cloud") -> None:
    """Tell so many quarter-hour means of a sunny house, each six minutes late."""
    for number in range(first, first + count):
        start = MIDNIGHT + timedelta(seconds=number * QUARTER_S)
        pv_w = roof_w(number * QUARTER_S + QUARTER_S / 2)
        now = start + timedelta(minutes=21)
        for second in range(-900, 1, 150):
            controller.observe(ChargerStatus(now + timedelta(seconds=second), ChargerState.READY, 0.0))
        end = start + timedelta(seconds=QUARTER_S)
        house_w = 400.0 + 10.0 * (number % 7)
        controller.observe(PowerFlow(start, end, pv_w=pv_w, grid_w=house_w - pv_w, source=source))
        controller.decide(now)


@cache
def _learned(days: float) -> Controller:
    controller = Controller(ControlSettings(mode=Mode.OFF))
    hear_quarters(controller, 0, round(days * 96))
    return controller


def learned(days: float = 3.4) -> dict[str, Any]:
    """Return what is learned in so many days."""
    return _learned(days).learned()


def _sums(size: int, observations: list[tuple[list[float], float]], values: list[float]) -> dict[str, Any]:
    """Return the sums of squares of features that were seen with some weights, and those of their values."""
    squares = [
        [sum(weight * f[i] * f[j] for f, weight in observations) for j in range(i + 1)] for i in range(size)
    ]
    products = [
        sum(weight * f[i] * value for (f, weight), value in zip(observations, values, strict=False))
        for i in range(size)
    ]
    return {"squares": squares, "products": products}


def fits(size: int, greatest: float, value: float) -> st.SearchStrategy[dict[str, Any]]:
    """Return any sums of up to six observations."""
    features = st.lists(st.floats(-greatest, greatest), min_size=size, max_size=size)
    observations = st.lists(st.tuples(features, st.floats(0, 100)), max_size=6)
    return st.builds(
        _sums, st.just(size), observations, st.lists(st.floats(-value, value), min_size=6, max_size=6)
    )


def _is_habit(evidence: dict[str, Any]) -> bool:
    squares, products = evidence["squares"], evidence["products"]
    fit = Fit(FEATURES, PERSISTENCE_WW)
    fit._squares = [[*row, *[0.0] * (FEATURES - len(row))] for row in squares]  # noqa: SLF001 - as recalled
    fit._products = products  # noqa: SLF001 - the same
    fit.fade(1.0)
    return max(map(abs, fit.factors)) <= 3


def habits() -> st.SearchStrategy[dict[str, Any]]:
    """Return any habit, weak or strong."""
    share = st.floats(-3, 3)
    return st.fixed_dictionaries(
        {
            "lead_readings": st.integers(1, 2),
            "of_unusual_rest": share,
            "of_change_of_rest": share,
            "of_unusual_clearness": share,
            "evidence": fits(FEATURES, 1e4, 1e4).filter(_is_habit),
        }
    )


def moments(first_s: float, last_s: float) -> st.SearchStrategy[str]:
    """Return any time so many seconds after noon."""
    return st.floats(first_s, last_s).map(lambda it: (NOON + timedelta(seconds=it)).isoformat())


def clear_days() -> st.SearchStrategy[dict[str, Any]]:
    """Return any clear day, of a sun that shines at night, too."""
    return st.fixed_dictionaries(
        {
            "since": moments(-1e7, -1e6),
            "seen_days": st.floats(0, 1000),
            "believed": st.booleans(),
            "by_hour_w": st.just([]),
            "hours_utc": st.one_of(st.just(list(range(24))), st.lists(st.integers(0, 23), max_size=24)),
            "greatest_w": st.floats(0, 1e5),
            "shape": fits(SIZE, 1.0, 2e4),
        }
    )


def _shares(weights: list[float]) -> dict[str, float]:
    return {age: weight / sum(weights) for age, weight in zip(AGES, weights, strict=True)}


kept_ages = st.fixed_dictionaries(
    {
        "mean_s": st.floats(0, 240),
        "spread_s": st.floats(0, 120),
        "share_by_age_s": st.lists(st.sampled_from([1e-4, 1.0]), min_size=len(AGES), max_size=len(AGES)).map(
            _shares
        ),
        "log_odds_late": st.floats(0.1, 12),
        "log_odds_seen": st.floats(0.1, 12),
        "house_scatter_w": st.floats(30, 1e6),
    }
)
kept_gains = st.fixed_dictionaries(
    {
        "gain": st.none(),
        "ratios": st.one_of(
            *(
                st.lists(st.lists(st.floats(-9, 9), min_size=n, max_size=n), min_size=1, max_size=15)
                for n in (1, 2)
            ),
            st.sampled_from([-1.0, 0.0, 1.0]).map(lambda it: [[it]] * 15),
        ),
        "stepped_at": moments(-90_000, -3600),
    }
)
kept_forecasts = st.fixed_dictionaries(
    {
        "clear_day": st.one_of(st.none(), clear_days()),
        "habits": st.lists(habits(), max_size=2),
        "usual_rest_w": st.one_of(st.none(), st.floats(-2e5, 2e5)),
        "usual_clearness": st.one_of(st.none(), st.floats(0, 1.5)),
        "least_surplus_w": st.floats(-1e5, 1e5),
        "greatest_surplus_w": st.floats(-1e5, 1e5),
    }
)
kept_sources = st.fixed_dictionaries(
    {
        "name": st.just(""),  # as in any history
        "heard_at": moments(-3600, 7200),
        "usual_pause_s": st.one_of(st.none(), st.floats(0.01, 1200), st.just(1200.0)),
        "usual_age_s": st.one_of(st.none(), st.floats(0, 1700), st.just(1700.0)),
        "ages": st.one_of(st.none(), kept_ages),
        "gain": st.one_of(st.none(), kept_gains),
        "forecast": st.one_of(st.none(), kept_forecasts),
    }
)


def _is_taken(document: dict[str, Any]) -> bool:
    """Whether what fits one by one fits together, too."""
    try:
        Controller(ControlSettings()).recall(document)
    except ValueError:
        return False
    return True


documents = st.fixed_dictionaries(
    {"v": st.just(1), "at": st.none(), "sources": kept_sources.map(lambda it: [it])}
).filter(_is_taken)
