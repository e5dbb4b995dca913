"""What the surplus may be beside what is expected, and how the level leans by it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pvcharge.control.ladder import Ladder
from pvcharge.control.spread import GREATEST_W, KEPT, POINTS, Spread

QUARTER_S = 900.0
POWERS_W = st.floats(-20_000, 20_000)


def taught(*errors_w: float, expected_w: float = 3000.0) -> Spread:
    """Return what has been learned from these errors, one a quarter of an hour."""
    spread = Spread()
    for number, error_w in enumerate(errors_w):
        spread.expect(number * 4 * QUARTER_S, expected_w)
        spread.compare(number * 4 * QUARTER_S, QUARTER_S, expected_w + error_w)
    return spread


def test_nothing_is_doubted_at_first() -> None:
    """What is expected is all, until there are errors to learn from."""
    assert taught(500, -500).around(3000.0) == (3000.0,)


def test_wide_errors_spread_wide() -> None:
    """And narrow ones narrowly, when they have lasted for some hours."""
    rough, calm = taught(*(1000, -1000) * 40), taught(*(1000, -1000) * 40, *(20, -20) * 40)
    assert rough.around(3000.0)[0] == pytest.approx(2000, abs=250)
    assert rough.around(3000.0)[-1] == pytest.approx(4000, abs=250)
    assert 2750 < calm.around(3000.0)[0] < 3000 < calm.around(3000.0)[-1] < 3250


def test_nights_and_distant_guesses_teach_nothing() -> None:
    """A house without sun is known well, which says nothing of the day."""
    assert taught(*(1000,) * 40, expected_w=-1500.0).around(0.0) == (0.0,)
    spread = Spread()
    for _ in range(20):
        spread.expect(0.0, 3000.0)
        spread.compare(2 * QUARTER_S, QUARTER_S, 0.0)
    assert spread.around(3000.0) == (3000.0,)


@given(st.lists(st.tuples(POWERS_W, st.floats(-1e9, 1e9)), max_size=300))
def test_whatever_comes_it_stays_bounded_and_in_order(course: list[tuple[float, float]]) -> None:
    """No more is kept than it takes, and no reading of no house is believed."""
    spread = Spread()
    for number, (expected_w, measured_w) in enumerate(course):
        spread.expect(number * QUARTER_S, expected_w)
        spread.compare(number * QUARTER_S, QUARTER_S, measured_w)
    likely_w = spread.around(1000.0)
    assert list(likely_w) == sorted(likely_w)
    assert len(likely_w) in (1, POINTS)
    assert len(spread._errors) <= KEPT  # noqa: SLF001 - what is kept is what this is about
    assert all(abs(it) < 100 * GREATEST_W for it in likely_w)


@given(
    st.lists(POWERS_W, min_size=1, max_size=POINTS), st.sampled_from([(1.85, 0.15), (1.0, 1.0), (0.2, 1.8)])
)
def test_the_best_level_is_the_one_of_least_cost(likely_w: list[float], weights: tuple[float, float]) -> None:
    """On average over all that may be, of all levels there are."""
    ladder = Ladder((1, 3), (6, 16), 230.0, weights)
    ranked = sorted(likely_w)
    for phases in (1, 3):
        costs_w = [
            sum(ladder.cost_w(phases * 230.0 * amps, it) for it in ranked) / len(ranked)
            for amps in range(6, 17)
        ]
        assert ladder.best_cost_w(phases, *ranked) == pytest.approx(min(costs_w))
