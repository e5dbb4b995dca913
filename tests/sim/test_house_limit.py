"""The house with an export limit."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pvcharge.sim.battery import Battery
from pvcharge.sim.house import House, HouseSample

START = datetime(2026, 6, 1, 10, tzinfo=UTC)
STEP = timedelta(seconds=5)

powers_w = st.floats(0, 12_000)


class Constant:
    """A profile of constant powers, until a test changes them."""

    def __init__(self, pv_w: float, load_w: float) -> None:
        self.sun_w, self.household_w = pv_w, load_w

    def pv_w(self, _at: datetime) -> float:
        """Return the sun."""
        return self.sun_w

    def load_w(self, _at: datetime) -> float:
        """Return the household."""
        return self.household_w


def first_step(house: House) -> HouseSample:
    """Simulate a step and return it."""
    house.advance(START + STEP)
    sample = house.sample(START)
    assert sample is not None
    return sample


@given(powers_w, powers_w, powers_w, st.none() | st.floats(0, 100), powers_w)
def test_no_more_than_the_limit_is_exported(
    pv_w: float, load_w: float, charger_w: float, soc_pct: float | None, limit_w: float
) -> None:
    """Only production gives way, only as far as it must, and the balance holds."""

    def step(export_limit_w: float | None) -> HouseSample:
        battery = None if soc_pct is None else Battery(soc_pct=soc_pct)
        return first_step(
            House(
                Constant(pv_w, load_w),
                start=START,
                charger_w=lambda: charger_w,
                battery=battery,
                export_limit_w=export_limit_w,
            )
        )

    free, held = step(None), step(limit_w)
    assert not free.limited
    assert -held.grid_w <= limit_w + 1e-5
    assert held.grid_w == pytest.approx(max(free.grid_w, -limit_w), abs=1e-5)
    assert held.limited == (held.pv_w < pv_w)
    assert 0 <= held.pv_w <= pv_w
    assert held.pv_w + held.grid_w == pytest.approx(held.load_w + (held.battery_w or 0.0))
    assert (held.load_w, held.battery_w) == (free.load_w, free.battery_w)


def test_mean_and_totals_know_of_holding_back() -> None:
    """An interval is limited if any moment of it is; the totals count for how long."""
    profile = Constant(3000.0, 500.0)
    house = House(profile, start=START, charger_w=lambda: 0.0, export_limit_w=1000.0)
    house.advance(START + STEP)
    profile.sun_w = 800.0
    house.advance(START + 3 * STEP)

    def limited(first_s: float, last_s: float) -> bool:
        mean = house.mean(START + timedelta(seconds=first_s), START + timedelta(seconds=last_s))
        assert mean is not None
        return mean.limited

    assert [limited(0, 5), limited(4, 15), limited(5, 15), limited(6, 15)] == [True, True, False, False]
    assert house.totals.limited_h == pytest.approx(5 / 3600)
    assert house.totals.pv_wh == pytest.approx((1500 + 800 + 800) * 5 / 3600)


def test_the_charger_frees_production() -> None:
    """A car that begins to charge takes what was held back."""
    charger_w = iter([0.0, 2000.0])
    house = House(Constant(5000, 500), start=START, charger_w=lambda: next(charger_w), export_limit_w=0.0)
    house.advance(START + 2 * STEP)
    samples = [house.sample(START), house.sample(START + STEP)]
    assert [(sample.pv_w, sample.limited) for sample in samples if sample] == [(500, True), (2500, True)]


def test_a_limit_below_zero_is_refused() -> None:
    """Nobody is forced to import."""
    with pytest.raises(ValueError, match="0 W or more"):
        House(Constant(0, 0), start=START, charger_w=lambda: 0.0, export_limit_w=-1.0)
