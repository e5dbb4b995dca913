"""When the next read is worth its cost. Pure: everything that decides is an argument.

Readings matter only while a car is plugged in, the mode follows the surplus and the sun is up. Then
quarter-hour means are fetched once each quarter as soon as they are published, and live flows as often
as the budget lasts. In between one read in six hours keeps the page and the login alive.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from math import ceil
from typing import Protocol

from pvcharge.drivers.base import Demand
from pvcharge.drivers.solaredge.budget import Budget
from pvcharge.drivers.solaredge.sun import Sun
from pvcharge.drivers.solaredge.telemetry import QUARTER, quarter_start

IDLE = timedelta(hours=6)
_PUBLISHED_AFTER = timedelta(minutes=6)  # a finished quarter is readable six minutes after its end
_SPREAD_S = 91  # sites do not ask all in the same second
_RETRY = timedelta(seconds=210)  # a quarter that was still missing is asked for once more
_SLACK_S = 60.0
_LONGEST_LIVE_S = 900.0


@dataclass(frozen=True, slots=True)
class LastRead:
    """The last successful read.

    Attributes:
        at: when it was.
        seen_until: the end of the newest reading so far, None before the first.
    """

    at: datetime
    seen_until: datetime | None


class Cadence(Protocol):
    """How often a product has something new to say."""

    def next_at(self, last: LastRead, pace_s: float) -> datetime:
        """Return when to read again, where the budget can bear reads at a distance of `pace_s`."""
        ...


@dataclass(frozen=True, slots=True)
class Quarters:
    """Means that appear once each quarter hour, some minutes after its end."""

    delay: timedelta

    @classmethod
    def of_site(cls, site_id: int) -> "Quarters":
        """Return the cadence with a delay that is fixed for this site."""
        return cls(_PUBLISHED_AFTER + timedelta(seconds=site_id % _SPREAD_S))

    def next_at(self, last: LastRead, pace_s: float) -> datetime:
        """Return the publication of the next quarter, or the retry for one that is overdue."""
        due = quarter_start(last.at - self.delay)  # end of the newest quarter that was due
        retry_at = due + self.delay + _RETRY
        if (last.seen_until is None or last.seen_until < due) and last.at < retry_at:
            return retry_at
        newest = due if last.seen_until is None else max(due, last.seen_until)
        quarters = max(1, ceil((pace_s - _SLACK_S) / QUARTER.total_seconds()))
        return newest + quarters * QUARTER + self.delay


@dataclass(frozen=True, slots=True)
class Live:
    """Powers of the moment, new at every request."""

    shortest_s: float

    def next_at(self, last: LastRead, pace_s: float) -> datetime:
        """Return the last read plus the pace, within bounds."""
        return last.at + timedelta(seconds=min(max(pace_s, self.shortest_s), _LONGEST_LIVE_S))


def is_wanted(demand: Demand) -> bool:
    """Return whether anybody acts on readings."""
    return demand.car_plugged and demand.follows_surplus


@dataclass(frozen=True, slots=True)
class Schedule:
    """Weighs what a reading is worth against what it costs.

    Attributes:
        cadence: how often the product has something new.
        budget: what is left.
        calls_per_read: requests that one read costs.
        sun: the sun over the site.
    """

    cadence: Cadence
    budget: Budget
    calls_per_read: int
    sun: Sun

    def next_read_at(self, now: datetime, demand: Demand, last: LastRead | None, *, urgent: bool) -> datetime:
        """Return when to read next, never before `now`; an urgent read may use the reserve."""
        due = self._due(now, demand, last, urgent=urgent)
        return max(now, due, self.budget.frees_at(now, urgent=urgent))

    def _due(self, now: datetime, demand: Demand, last: LastRead | None, *, urgent: bool) -> datetime:
        if last is None:
            return now  # tells at once whether site and credentials are right
        if not is_wanted(demand):
            return last.at + IDLE
        if not self.sun.is_up(now):
            return self.sun.rises_at(now) or last.at + IDLE
        if urgent:
            return self.cadence.next_at(last, 0.0)
        pace_s = self.budget.pace_s(now, self.sun.daylight(now)) * self.calls_per_read
        return self.cadence.next_at(last, min(pace_s, IDLE.total_seconds()))
