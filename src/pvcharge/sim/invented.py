"""A roof and a household that nobody has: for whoever wants to see something without records of their own."""

from datetime import datetime
from zoneinfo import ZoneInfo

from pvcharge.sim.household import Household, SyntheticProfile
from pvcharge.sim.weather import Weather

LATITUDE_DEG, LONGITUDE_DEG, ZONE = 48.2, 16.4, ZoneInfo("Europe/Vienna")
A_DAY_IN_JUNE = datetime(2026, 6, 15, tzinfo=ZONE)
PEAK_W, INVERTER_W = 10_000.0, 8_000.0
ANNUAL_KWH = 3500.0


def invented(seed: int) -> SyntheticProfile:
    """Return their production and consumption: the same for the same seed, at any time."""
    weather = Weather(seed, LATITUDE_DEG, LONGITUDE_DEG, PEAK_W, INVERTER_W)
    return SyntheticProfile(weather, Household(seed, ANNUAL_KWH, ZONE))
