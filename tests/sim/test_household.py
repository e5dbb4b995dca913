"""The household: the energy that was asked for, a daily rhythm, the same for the same seed."""

from datetime import UTC, datetime, timedelta
from statistics import mean
from zoneinfo import ZoneInfo

import pytest

from pvcharge.sim.household import FRIDGE_W, UNREST_W, Household, SyntheticProfile
from pvcharge.sim.weather import Weather

VIENNA = ZoneInfo("Europe/Vienna")
NEW_YORK = ZoneInfo("America/New_York")
NEW_YEAR = datetime(2026, 1, 1, tzinfo=VIENNA).astimezone(UTC)


@pytest.mark.parametrize("annual_kwh", [1200, 3500, 9000])
def test_a_year_takes_what_was_asked_for(annual_kwh: float) -> None:
    """A year, looked at every 7 minutes, comes within 20 % of the wanted energy."""
    household = Household(1, annual_kwh, VIENNA)
    count = 365 * 1440 // 7
    mean_w = sum(household.load_w(NEW_YEAR + timedelta(minutes=7 * k)) for k in range(count)) / count
    assert mean_w * 8.76 == pytest.approx(annual_kwh, rel=0.2)


def test_evenings_need_more_than_nights() -> None:
    """Over a month, 18 to 20 o'clock takes more than twice as much as 2 to 4 o'clock, local time."""
    household = Household(1, 3500, VIENNA)

    def mean_w(hour: int) -> float:
        times = [NEW_YEAR + timedelta(days=d, hours=hour, minutes=m) for d in range(31) for m in range(120)]
        return sum(household.load_w(at) for at in times) / len(times)

    assert mean_w(18) > 2 * mean_w(2)


def test_the_rhythm_follows_local_time() -> None:
    """The same diary shifted to another time zone is the same at the same local time, but for the fridge."""
    here, there = Household(1, 3500, VIENNA), Household(1, 3500, NEW_YORK)
    for minute in range(1440):
        at = datetime(2026, 5, 4, minute // 60, minute % 60, tzinfo=VIENNA)
        difference_w = here.load_w(at) - there.load_w(at.replace(tzinfo=NEW_YORK))
        assert min(abs(abs(difference_w) - power_w) for power_w in (0, FRIDGE_W)) <= 2 * UNREST_W


def test_the_fridge_runs_at_night() -> None:
    """Between 2 and 4 o'clock only the fridge goes on and off."""
    household = Household(1, 3500, VIENNA)
    powers_w = sorted(household.load_w(NEW_YEAR + timedelta(hours=2, seconds=30 * k)) for k in range(240))
    idle_w = [power_w for power_w in powers_w if power_w <= powers_w[0] + 2 * UNREST_W]
    runs_w = [power_w for power_w in powers_w if power_w >= powers_w[-1] - 2 * UNREST_W]
    assert len(idle_w) + len(runs_w) == len(powers_w)
    assert mean(runs_w) - mean(idle_w) == pytest.approx(FRIDGE_W, abs=UNREST_W / 2)


def test_no_meter_shows_the_same_for_long() -> None:
    """Something always hums: a meter that repeats itself for minutes is frozen, in a simulated house too."""
    household = Household(1, 3500, VIENNA)
    powers_w = [household.load_w(NEW_YEAR + timedelta(seconds=5 * k)) for k in range(1000)]
    ten_minutes = 120
    for start in range(0, len(powers_w) - ten_minutes, 30):
        assert len({round(power_w) for power_w in powers_w[start : start + ten_minutes]}) >= 8


def test_same_seed_same_diary_in_any_order() -> None:
    """Neither the order of questions nor the instance matters; another seed does."""
    times = [NEW_YEAR + timedelta(seconds=1013 * k) for k in range(900)]
    asked, other = Household(1, 3500, VIENNA), Household(1, 3500, VIENNA)
    in_order = [asked.load_w(at) for at in times]
    answers = {at: other.load_w(at) for at in sorted(times, key=lambda at: at.second)}
    assert [answers[at] for at in times] == in_order
    assert [Household(2, 3500, VIENNA).load_w(at) for at in times] != in_order


def test_a_household_needs_at_least_its_fridge() -> None:
    """Less than that is refused with the number."""
    with pytest.raises(ValueError, match="215 kWh of its fridge"):
        Household(1, 100, VIENNA)


def test_synthetic_profile_joins_roof_and_household() -> None:
    """Production comes from the weather, consumption from the household."""
    weather = Weather(1, 48.2, 16.37, peak_w=10_000, inverter_w=10_000)
    household = Household(1, 3500, VIENNA)
    profile = SyntheticProfile(weather, household)
    noon = datetime(2026, 6, 1, 11, tzinfo=UTC)
    assert profile.pv_w(noon) == weather.pv_w(noon) > 0
    assert profile.load_w(noon) == household.load_w(noon) > 0
