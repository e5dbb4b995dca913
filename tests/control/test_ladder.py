"""The attainable powers, and the one of least cost for any two weights."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pvcharge.control import ControlSettings
from pvcharge.control.ladder import Ladder


def make(weights: tuple[float, float] = (1.0, 1.0), current_a: tuple[int, int] = (6, 16)) -> Ladder:
    """Return a ladder of one and three phases."""
    return Ladder((1, 3), current_a, 230.0, weights)


@pytest.mark.parametrize(
    ("phases", "surplus_w", "current_a"),
    [
        (0, 5000, 0),
        (1, -500, 6),
        (1, 1000, 6),
        (1, 1610 + 114, 7),  # below the middle between 7 and 8 A
        (1, 1610 + 115, 7),  # just in the middle: the car need not draw more for the same
        (1, 1610 + 116, 8),
        (1, 9000, 16),
        (3, 4140, 6),
        (3, 4829, 7),  # 4830 W are 7 A
        (3, 20_000, 16),
    ],
)
def test_nearest_rung_under_balance(phases: int, surplus_w: float, current_a: int) -> None:
    """With equal weights the best rung is the nearest."""
    assert make().best_current_a(phases, surplus_w) == current_a


@given(
    st.sampled_from([1, 3]),
    st.floats(-5000, 20_000),
    st.floats(0.01, 1.99),
    st.integers(6, 16),
    st.integers(0, 16),
)
def test_no_rung_is_better_than_the_best(
    phases: int, surplus_w: float, import_weight: float, lowest_a: int, width_a: int
) -> None:
    """The closed form finds what a search over all rungs finds, for any prices and limits."""
    highest_a = min(32, lowest_a + width_a)
    ladder = make((import_weight, 2 - import_weight), (lowest_a, highest_a))
    best_a = ladder.best_current_a(phases, surplus_w)
    assert lowest_a <= best_a <= highest_a
    cost = ladder.cost_w(phases * 230.0 * best_a, surplus_w)
    assert (
        cost
        <= min(ladder.cost_w(phases * 230.0 * amps, surplus_w) for amps in range(lowest_a, highest_a + 1))
        + 1e-6
    )


@pytest.mark.parametrize(
    ("settings", "weights", "break_even_w"),
    [
        ({"objective": "balance"}, (1.0, 1.0), 690.0),
        ({"objective": "no_import"}, (24 / 13, 2 / 13), 1273.8),
        ({"objective": "cost"}, (1.0, 1.0), 690.0),  # a kWh later costs halfway: the same as balance
        (
            {"objective": "cost", "import_price": 0.3, "feed_in_price": 0.1, "car_energy_price": 0.1},
            (2.0, 0.0),
            1380.0,  # the sun will do it another day: import nothing
        ),
        (
            {"objective": "cost", "import_price": 0.3, "feed_in_price": 0.1, "car_energy_price": 0.3},
            (0.0, 2.0),
            0.0,  # it must be bought anyway: waste no sunbeam
        ),
    ],
)
def test_objectives_are_two_weights(
    settings: dict[str, float], weights: tuple[float, float], break_even_w: float
) -> None:
    """All objectives are one formula; the weights decide from which surplus charging pays."""
    made = ControlSettings.model_validate(settings).weights
    assert made == pytest.approx(weights)
    assert make(made).break_even_w() == pytest.approx(break_even_w, abs=0.1)


@pytest.mark.parametrize(
    ("settings", "leans"),
    [
        ({"objective": "balance"}, False),
        ({"objective": "cost", "import_price": 0.3, "feed_in_price": 0.1}, False),
        ({"objective": "cost", "import_price": 0.3, "feed_in_price": 0.1, "car_energy_price": 0.15}, True),
        ({"objective": "no_import"}, True),
    ],
)
def test_only_what_costs_more_on_one_side_leans(settings: dict[str, float], leans: bool) -> None:  # noqa: FBT001 - a case
    """Where both sides cost the same, what is expected is all that counts; else what may be does, too."""
    assert make(ControlSettings.model_validate(settings).weights).leans is leans


@pytest.mark.parametrize(
    ("weights", "current_a"),
    [((0.0, 2.0), 13), ((0.5, 1.5), 13), ((1.0, 1.0), 10), ((1.5, 0.5), 8), ((2.0, 0.0), 8)],
)
def test_the_dearer_side_says_which_likely_surplus_counts(
    weights: tuple[float, float], current_a: int
) -> None:
    """Of 8, 10 and 13 A: the most where import costs nothing, the least where export costs nothing."""
    assert make(weights).best_current_a(1, 1840.0, 2300.0, 2990.0) == current_a


def test_every_watt_has_its_cost() -> None:
    """Half a watt bought costs half of one, and half a watt sold does; nothing exchanged costs nothing."""
    ladder = make((1.5, 0.5))
    assert [ladder.cost_w(1380.0, surplus_w) for surplus_w in (1379.5, 1380.0, 1380.5)] == [0.75, 0.0, 0.25]
