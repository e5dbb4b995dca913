"""The home battery: its limits, its losses, and that no energy appears from nowhere."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pvcharge.sim.battery import Battery


def battery(soc_pct: float) -> Battery:
    """A battery of 10 kWh that loses a fifth of what it takes."""
    return Battery(
        capacity_wh=10_000, max_charge_w=4000, max_discharge_w=3000, efficiency=0.8, soc_pct=soc_pct
    )


@pytest.mark.parametrize(
    ("soc_pct", "surplus_w", "power_w", "soc_after_pct"),
    [
        (50, 1000, 1000, 54),  # half an hour at 1000 W, of which 80 % stay
        (50, 9000, 4000, 66),
        (50, -1000, -1000, 45),
        (50, -9000, -3000, 35),
        (100, 1000, 0, 100),
        (0, -1000, 0, 0),
        (98, 1000, 500, 100),  # 200 Wh of room take 250 Wh
        (4, -1000, -800, 0),
        (50, 0, 0, 50),
    ],
)
def test_battery_follows_the_surplus_within_its_limits(
    soc_pct: float, surplus_w: float, power_w: float, soc_after_pct: float
) -> None:
    """Half an hour of each surplus ends as worked out by hand."""
    cell = battery(soc_pct)
    assert cell.step(surplus_w, 1800) == pytest.approx(power_w)
    assert cell.soc_pct == pytest.approx(soc_after_pct)


@settings(deadline=None)
@given(st.floats(0, 100), st.lists(st.floats(-20_000, 20_000), max_size=50))
def test_battery_stays_within_its_capacity_and_never_works_against_the_house(
    soc_pct: float, surplus_w: list[float]
) -> None:
    """Whatever comes, the charge lies in 0..100 % and the battery only lessens what flows to the grid."""
    cell = battery(soc_pct)
    for power_w in surplus_w:
        answer_w = cell.step(power_w, 5)
        assert 0 <= cell.soc_pct <= 100
        assert abs(power_w - answer_w) <= abs(power_w)
        assert -3000 <= answer_w <= 4000


@pytest.mark.parametrize(
    "wrong",
    [
        {"capacity_wh": 0},
        {"max_charge_w": -1},
        {"max_discharge_w": -1},
        {"efficiency": 0},
        {"efficiency": 1.1},
        {"soc_pct": 101},
        {"soc_pct": -1},
    ],
)
def test_impossible_batteries_are_refused(wrong: dict[str, float]) -> None:
    """Each number is checked against its range."""
    with pytest.raises(ValueError, match="not"):
        Battery(**wrong)
