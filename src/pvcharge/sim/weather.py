"""Sun and clouds over a roof: invented, but the same for the same seed whenever it is asked for."""

from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from math import cos, exp, log, radians, sin
from random import Random

from astral import Observer
from astral.sun import zenith_and_azimuth

DAY_S = 86_400.0
TILT_DEG = 30.0  # of the panels, towards the equator
SYSTEM_EFFICIENCY = 0.8  # wires, inverter, warm cells
SLOWEST_S, FASTEST_S = 600.0, 30.0  # clouds and the gaps between them, in broken weather
CLOUD_EDGE_S = 12.0

# Weather lasts for hours, then turns to one of the others.
_CLEAR, _BROKEN, _OVERCAST = "clear", "broken", "overcast"
_LASTS_H = {_CLEAR: 5.0, _BROKEN: 3.5, _OVERCAST: 4.0}
_FOLLOWED_BY = {
    _CLEAR: (_BROKEN, _BROKEN, _BROKEN, _OVERCAST),
    _BROKEN: (_CLEAR, _OVERCAST),
    _OVERCAST: (_BROKEN, _BROKEN, _BROKEN, _CLEAR),
}

_Knot = tuple[float, float]  # seconds into the solar day, share of the clear-sky power that comes through


@dataclass(frozen=True, slots=True)
class _Sky:
    """How much of the clear-sky power comes through on one day: straight lines between knots."""

    at_s: list[float]
    transmission: list[float]

    def at(self, second: float) -> float:
        after = min(max(1, bisect_right(self.at_s, second)), len(self.at_s) - 1)
        t0, t1 = self.at_s[after - 1], self.at_s[after]
        v0, v1 = self.transmission[after - 1], self.transmission[after]
        return v0 + (v1 - v0) * (second - t0) / (t1 - t0)


class Weather:
    """Power of a roof under weather that turns between clear, broken and overcast.

    Args:
        seed: another seed, other weather.
        latitude_deg: + north.
        longitude_deg: + east.
        peak_w: of the panels at 1000 W/m2.
        inverter_w: what the inverter delivers at most.
    """

    def __init__(
        self, seed: int, latitude_deg: float, longitude_deg: float, peak_w: float, inverter_w: float
    ) -> None:
        self._seed = seed
        self._observer = Observer(latitude_deg, longitude_deg)
        self._to_solar = timedelta(hours=longitude_deg / 15)
        self._peak_w = peak_w
        self._inverter_w = inverter_w
        self._clear_w_at_minute = lru_cache(maxsize=2880)(self._clear_w)
        self._sky_of_day = lru_cache(maxsize=8)(self._sky)

    def pv_w(self, at: datetime) -> float:
        """Return the AC power at a time in W, 0 at night."""
        minute, seconds = divmod(at.timestamp(), 60)
        before_w, after_w = self._clear_w_at_minute(minute), self._clear_w_at_minute(minute + 1)
        clear_w = before_w + (after_w - before_w) * seconds / 60
        if clear_w <= 0:
            return 0.0
        # Days begin at solar midnight, so that the seam between two days is dark everywhere.
        solar_day, second = divmod((at + self._to_solar).timestamp(), DAY_S)
        return min(self._inverter_w, clear_w * self._sky_of_day(solar_day).at(second))

    def _clear_w(self, minute: float) -> float:
        """Return the power under a cloudless sky, `minute` counted from 1970."""
        at = datetime.fromtimestamp(minute * 60, UTC)
        zenith_deg, azimuth_deg = zenith_and_azimuth(self._observer, at)
        zenith, azimuth, tilt = radians(zenith_deg), radians(azimuth_deg), radians(TILT_DEG)
        if cos(zenith) <= 0:
            return 0.0
        equator = radians(180.0 if self._observer.latitude >= 0 else 0.0)
        on_panel = cos(zenith) * cos(tilt) + sin(zenith) * sin(tilt) * cos(azimuth - equator)
        air_mass = 1 / (cos(zenith) + 0.50572 * (96.07995 - zenith_deg) ** -1.6364)  # Kasten and Young
        beam_wm2: float = 1353 * 0.7 ** (air_mass**0.678)  # Meinel
        diffuse_wm2 = 0.1 * beam_wm2
        return self._peak_w * SYSTEM_EFFICIENCY * (max(0.0, on_panel) * beam_wm2 + diffuse_wm2) / 1000

    def _sky(self, solar_day: float) -> _Sky:
        random = Random(f"{self._seed} {solar_day:.0f}")
        knots: list[_Knot] = []
        begin_s, kind = 0.0, random.choice([_CLEAR, _BROKEN, _OVERCAST])
        while begin_s < DAY_S:
            end_s = min(DAY_S, begin_s + random.expovariate(1 / (3600 * _LASTS_H[kind])))
            knots += (knot for knot in _KNOTS[kind](random, begin_s, end_s) if knot[0] < end_s)
            begin_s, kind = end_s, random.choice(_FOLLOWED_BY[kind])
        knots.append((DAY_S, knots[-1][1]))
        return _Sky([second for second, _ in knots], [share for _, share in knots])


def _clear(random: Random, begin_s: float, end_s: float) -> Iterator[_Knot]:
    while begin_s < end_s:
        yield begin_s, random.uniform(0.96, 1.0)
        begin_s += random.uniform(600, 1800)


def _overcast(random: Random, begin_s: float, end_s: float) -> Iterator[_Knot]:
    share = random.uniform(0.12, 0.35)
    while begin_s < end_s:
        share = min(0.45, max(0.08, share + random.uniform(-0.05, 0.05)))
        yield begin_s, share
        begin_s += random.uniform(120, 480)


def _broken(random: Random, begin_s: float, end_s: float) -> Iterator[_Knot]:
    """Let clouds and gaps take turns, short ones more often than long ones."""
    cloudy = random.choice([True, False])
    while begin_s < end_s:
        # The edges of clouds scatter light into the gaps: a little more than clear sky comes through.
        share = random.uniform(0.2, 0.55) if cloudy else random.uniform(0.95, 1.08)
        lasts_s = exp(random.uniform(log(FASTEST_S), log(SLOWEST_S)))
        yield begin_s + CLOUD_EDGE_S, share
        yield begin_s + lasts_s, share
        begin_s, cloudy = begin_s + lasts_s, not cloudy


_KNOTS = {_CLEAR: _clear, _BROKEN: _broken, _OVERCAST: _overcast}
