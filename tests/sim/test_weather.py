"""The weather: plausible yields, the same for the same seed, and dark at night."""

from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest

from pvcharge.sim.weather import Weather

JULY = datetime(2026, 7, 1, tzinfo=UTC)


def vienna(seed: int = 1) -> Weather:
    """A roof of 10 kWp with an inverter of 8 kW."""
    return Weather(seed, latitude_deg=48.2, longitude_deg=16.37, peak_w=10_000, inverter_w=8_000)


def day_kwh(weather: Weather, midnight: datetime) -> float:
    """The yield of the 24 hours after midnight."""
    return sum(weather.pv_w(midnight + timedelta(minutes=k)) for k in range(1440)) / 60_000


def test_summer_yields_are_plausible() -> None:
    """A 10 kWp roof in Vienna gives 20..75 kWh on a July day in the mean, and weather makes days differ."""
    yields_kwh = [day_kwh(vienna(), JULY + timedelta(days=k)) for k in range(31)]
    assert all(5 < kwh < 75 for kwh in yields_kwh)
    assert 30 < sum(yields_kwh) / 31 < 60
    assert max(yields_kwh) > 1.5 * min(yields_kwh)


def test_winter_yields_less() -> None:
    """Ten days around the solstice give at most half of ten summer days."""
    summer = sum(day_kwh(vienna(), JULY + timedelta(days=k)) for k in range(10))
    winter = sum(day_kwh(vienna(), datetime(2026, 12, 16 + k, tzinfo=UTC)) for k in range(10))
    assert 0 < winter < summer / 2


def test_same_seed_same_weather_in_any_order() -> None:
    """Neither the order of questions nor the instance matters; another seed does."""
    times = [JULY + timedelta(seconds=977 * k) for k in range(900)]
    asked, other = vienna(), vienna()
    in_order = [asked.pv_w(at) for at in times]
    answers = {at: other.pv_w(at) for at in sorted(times, key=lambda at: at.second)}
    assert [answers[at] for at in times] == in_order
    assert [vienna(seed=2).pv_w(at) for at in times] != in_order


@pytest.mark.parametrize(
    ("latitude_deg", "longitude_deg", "noon_utc"), [(48.2, 16.4, 11), (-41.3, 174.8, 0), (37.8, -122.4, 20)]
)
def test_the_sun_shines_at_local_noon_and_not_at_local_midnight(
    latitude_deg: float, longitude_deg: float, noon_utc: int
) -> None:
    """Both hemispheres and both sides of the world have their day at the right time."""
    weather = Weather(1, latitude_deg, longitude_deg, peak_w=10_000, inverter_w=10_000)
    noon = datetime(2026, 9, 23, noon_utc, tzinfo=UTC)
    assert all(weather.pv_w(noon + timedelta(days=k)) > 300 for k in range(20))
    assert all(weather.pv_w(noon + timedelta(days=k, hours=12)) == 0 for k in range(20))


def test_power_stays_within_the_inverter() -> None:
    """Whatever the clouds do, 0 <= power <= inverter, and a good day reaches it."""
    weather = vienna()
    powers_w = [weather.pv_w(JULY + timedelta(seconds=30 * k)) for k in range(5 * 2880)]
    assert min(powers_w) == 0
    assert max(powers_w) == 8000


def test_passing_clouds_move_the_power_within_a_minute() -> None:
    """In a month there are days with many jumps above 1 kW a minute, and days with few."""
    weather = vienna()
    jumps = []
    for k in range(15):
        midnight = JULY + timedelta(days=k)
        powers_w = [weather.pv_w(midnight + timedelta(minutes=m)) for m in range(1440)]
        jumps.append(sum(abs(after_w - before_w) > 1000 for before_w, after_w in pairwise(powers_w)))
    assert max(jumps) > 50
    assert min(jumps) < 20
