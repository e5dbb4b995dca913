"""Where the sun stands: requests are worth their cost only while it can shine on the panels."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from astral import Observer
from astral.sun import elevation

_DAWN_DEG = -1.0  # panels wake a little before the sun is above the horizon
_DAY = timedelta(hours=24)
_STEP = timedelta(minutes=10)
_COARSE_STEP = timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class Daylight:
    """The sunshine ahead, seen from a moment while the sun is up.

    Attributes:
        until: when the sun is down next; a day ahead if not sooner.
        share: part of the coming day during which it is up, 0..1.
    """

    until: datetime
    share: float


@dataclass(frozen=True, slots=True)
class Sun:
    """The sun over one place; also right where it does not rise or set for months."""

    latitude_deg: float
    longitude_deg: float

    def is_up(self, at: datetime) -> bool:
        """Return whether panels may produce."""
        return elevation(Observer(self.latitude_deg, self.longitude_deg), at) > _DAWN_DEG

    def rises_at(self, now: datetime) -> datetime | None:
        """Return when the sun is up next, to ten minutes; None if not within a day."""
        return self._next(now, up=True)

    def daylight(self, now: datetime) -> Daylight:
        """Return the sunshine of the coming day."""
        samples = [self.is_up(now + _COARSE_STEP * i) for i in range(_DAY // _COARSE_STEP)]
        return Daylight(self._next(now, up=False) or now + _DAY, sum(samples) / len(samples))

    def _next(self, now: datetime, *, up: bool) -> datetime | None:
        times = (now + _STEP * i for i in range(_DAY // _STEP + 1))
        return next((at for at in times if self.is_up(at) is up), None)
