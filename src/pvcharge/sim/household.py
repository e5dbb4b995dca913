"""The people in the house: what they switch on and when, the same for the same seed."""

from bisect import bisect_right
from dataclasses import dataclass
from datetime import datetime, tzinfo
from functools import lru_cache
from itertools import accumulate
from math import sin
from random import Random
from typing import NamedTuple

from pvcharge.sim.weather import Weather

HOUR_S = 3600.0
FRIDGE_W, FRIDGE_ON_S, FRIDGE_OFF_S = 90.0, 900.0, 2400.0
UNREST_W = 8.0  # of what hums and blinks: no meter shows the same for minutes
FRIDGE_WH_PER_DAY = 24 * FRIDGE_W * FRIDGE_ON_S / (FRIDGE_ON_S + FRIDGE_OFF_S)

# Standby, light and screens before they are scaled to the household: from hour, to hour, power.
_BASE_W = (
    (0, 6, 80),
    (6, 8, 180),
    (8, 12, 120),
    (12, 14, 160),
    (14, 17, 120),
    (17, 22, 250),
    (22, 23, 180),
    (23, 24, 100),
)
_BASE_WH_PER_DAY = sum((to_h - from_h) * power_w for from_h, to_h, power_w in _BASE_W)


class _Habit(NamedTuple):
    """An appliance, and when it is used; all uses end before midnight."""

    power_w: float
    minutes: tuple[float, float]  # from .. to
    uses_per_day: float  # before it is scaled to the household
    hours: tuple[float, float]  # of the day in which a use begins

    @property
    def wh_per_day(self) -> float:
        return self.power_w * self.uses_per_day * sum(self.minutes) / 2 / 60


_HABITS = (
    _Habit(1400, (2, 5), 2.0, (6.0, 9.0)),  # coffee
    _Habit(2000, (2, 4), 2.0, (7.0, 21.0)),  # kettle
    _Habit(1800, (10, 30), 0.5, (11.3, 12.8)),  # hob at noon
    _Habit(2200, (15, 45), 0.8, (17.5, 19.5)),  # hob in the evening
    _Habit(2400, (30, 60), 0.3, (16.5, 19.0)),  # oven
    _Habit(1900, (25, 40), 0.6, (19.0, 21.5)),  # dishwasher, heating
    _Habit(2000, (20, 35), 0.6, (8.0, 18.0)),  # washing machine, heating
    _Habit(1200, (5, 15), 0.7, (9.0, 20.0)),  # vacuum cleaner, iron, hair dryer
)
_SCALED_WH_PER_DAY = _BASE_WH_PER_DAY + sum(habit.wh_per_day for habit in _HABITS)


@dataclass(frozen=True, slots=True)
class _Day:
    """The consumption of a day without the fridge, as a staircase."""

    at_s: list[float]
    power_w: list[float]  # from the same place in `at_s` on


class Household:
    """Consumption of a household without a car.

    Args:
        seed: another seed, another diary.
        annual_kwh: what it consumes in a year on average; appliances keep their power.
        timezone: where its people live.

    Raises:
        ValueError: less than the fridge alone needs.
    """

    def __init__(self, seed: int, annual_kwh: float, timezone: tzinfo) -> None:
        wanted_wh_per_day = annual_kwh * 1000 / 365
        if wanted_wh_per_day <= FRIDGE_WH_PER_DAY:
            raise ValueError(
                f"a household needs more than the {FRIDGE_WH_PER_DAY * 0.365:.0f} kWh of its fridge"
                f" in a year, not {annual_kwh} kWh"
            )
        self._seed = seed
        self._timezone = timezone
        self._scale = (wanted_wh_per_day - FRIDGE_WH_PER_DAY) / _SCALED_WH_PER_DAY
        self._day_of = lru_cache(maxsize=8)(self._day)

    def load_w(self, at: datetime) -> float:
        """Return the consumption at a time in W."""
        local = at.astimezone(self._timezone)
        day = self._day_of(local.toordinal())
        second = local.hour * HOUR_S + local.minute * 60 + local.second
        fridge_runs = at.timestamp() % (FRIDGE_ON_S + FRIDGE_OFF_S) < FRIDGE_ON_S
        unrest_w = UNREST_W * sin(at.timestamp() / 3.7) * sin(at.timestamp() / 23.0)
        steady_w = day.power_w[bisect_right(day.at_s, second) - 1] + (FRIDGE_W if fridge_runs else 0.0)
        return steady_w + unrest_w

    def _day(self, ordinal: int) -> _Day:
        random = Random(f"{self._seed} {ordinal}")
        changes = []
        for from_h, to_h, power_w in _BASE_W:
            changes += [(from_h * HOUR_S, power_w * self._scale), (to_h * HOUR_S, -power_w * self._scale)]
        for habit in _HABITS:
            for _ in range(int(habit.uses_per_day * self._scale + random.random())):
                begin_s = random.uniform(*habit.hours) * HOUR_S
                end_s = begin_s + random.uniform(*habit.minutes) * 60
                changes += [(begin_s, habit.power_w), (end_s, -habit.power_w)]
        changes.sort()  # at the same moment, what goes off goes first
        return _Day([second for second, _ in changes], list(accumulate(change_w for _, change_w in changes)))


@dataclass(frozen=True, slots=True)
class SyntheticProfile:
    """A roof under invented weather above an invented household."""

    weather: Weather
    household: Household

    def pv_w(self, at: datetime) -> float:
        """Return the production at a time in W."""
        return self.weather.pv_w(at)

    def load_w(self, at: datetime) -> float:
        """Return the household's consumption at a time in W."""
        return self.household.load_w(at)
