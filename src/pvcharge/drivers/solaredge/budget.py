"""How many requests are left, and how far apart they must be to last.

V1 allows 300 in any 24 hours; V2 allows 2,000 in a billing cycle and 10 a minute. No answer tells what
is left of the larger one, so it is counted here and kept across restarts. Pure: time is an argument.
"""

from abc import ABC, abstractmethod
from datetime import UTC, datetime, timedelta, tzinfo
from typing import ClassVar

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from pvcharge.drivers.solaredge.sun import Daylight

MINUTE = timedelta(minutes=1)
DAY = timedelta(hours=24)
CALLS_PER_MINUTE = 10  # V2, in every tier


class BudgetState(BaseModel):
    """What must survive a restart.

    Attributes:
        recent: times of the requests within the sliding window, oldest first.
        used: requests in the billing cycle.
        cycle_start: when that cycle began.
        blocked_until: when to ask again after the server said that nothing is left.
    """

    model_config = ConfigDict(extra="ignore")

    recent: list[AwareDatetime] = Field(default_factory=list)
    used: int = Field(default=0, ge=0)
    cycle_start: AwareDatetime | None = None
    blocked_until: AwareDatetime | None = None


class Budget(ABC):
    """A limit on requests.

    Args:
        limit: requests within the window.
        reserve: how many of them only urgent requests may use.
        state: the count so far.
    """

    blocked_for: ClassVar[timedelta]

    def __init__(self, limit: int, reserve: int, state: BudgetState) -> None:
        self.limit = limit
        self.state = state
        self._reserve = reserve

    def left(self, now: datetime) -> int:
        """Return how many requests are left, the reserve included."""
        return 0 if self._blocked_until(now) > now else max(0, self.limit - self._used(now))

    def frees_at(self, now: datetime, *, urgent: bool) -> datetime:
        """Return when the next request is allowed, `now` if it is already."""
        limit = self.limit if urgent else self.limit - self._reserve
        return max(now, self._blocked_until(now), self._frees_at(now, limit))

    def exhaust(self, now: datetime) -> None:
        """Take note that the server says that nothing is left, whatever has been counted here."""
        self.state.blocked_until = now + self.blocked_for

    @abstractmethod
    def count(self, now: datetime) -> None:
        """Take note of a request that is about to be sent."""

    @abstractmethod
    def pace_s(self, now: datetime, daylight: Daylight) -> float:
        """Return the shortest steady distance of requests in sunshine that never runs dry."""

    @abstractmethod
    def _used(self, now: datetime) -> int:
        """Return the requests that count at this time."""

    @abstractmethod
    def _frees_at(self, now: datetime, limit: int) -> datetime:
        """Return when fewer than `limit` requests will count."""

    def _blocked_until(self, now: datetime) -> datetime:
        """Return the end of a block, or `now`; one that is too long was noted by a wrong clock."""
        until = self.state.blocked_until
        return now if until is None or until > now + self.blocked_for else until


class DayBudget(Budget):
    """At most `limit` requests in any 24 hours (V1)."""

    blocked_for = timedelta(minutes=16)  # V1 names no time; service was seen to come back after that long

    def count(self, now: datetime) -> None:
        """Take note of a request that is about to be sent."""
        self.state.recent = [*_within(self.state.recent, now, DAY), now]

    def pace_s(self, now: datetime, daylight: Daylight) -> float:
        """Return the shortest steady distance of requests that is never blocked before sunset.

        Requests of yesterday come back one by one, so each return until sunset is a date at which
        the requests available until then must have sufficed.
        """
        recent = _within(self.state.recent, now, DAY)
        spare = self.limit - self._reserve - len(recent)
        dates = [at + DAY for at in recent if at + DAY < daylight.until] + [daylight.until]
        return max((date - now).total_seconds() / max(1, spare + back) for back, date in enumerate(dates))

    def _used(self, now: datetime) -> int:
        return len(_within(self.state.recent, now, DAY))

    def _frees_at(self, now: datetime, limit: int) -> datetime:
        return _slides_at(self.state.recent, now, DAY, limit)


class CycleBudget(Budget):
    """At most `limit` requests in a billing cycle, and 10 in any minute (V2).

    Args:
        limit: requests in a cycle.
        reserve: how many of them only urgent requests may use.
        state: the count so far.
        day: of the month, on which a cycle begins.
        timezone: of the site.
    """

    # Not until the cycle ends: the account's may begin on another day than the configuration says.
    blocked_for = timedelta(hours=6)

    def __init__(self, limit: int, reserve: int, state: BudgetState, *, day: int, timezone: tzinfo) -> None:
        super().__init__(limit, reserve, state)
        self._day = day
        self._timezone = timezone

    def count(self, now: datetime) -> None:
        """Take note of a request that is about to be sent."""
        self.state.used = self._used(now) + 1
        self.state.cycle_start = self._cycle(now)[0]
        self.state.recent = [*_within(self.state.recent, now, MINUTE), now]

    def pace_s(self, now: datetime, daylight: Daylight) -> float:
        """Return the distance that spreads what is left over the sunshine of the cycle's remaining days."""
        sunny_s = (self._cycle(now)[1] - now).total_seconds() * daylight.share
        return sunny_s / max(1, self.left(now) - self._reserve)

    def _used(self, now: datetime) -> int:
        """Return the requests of this cycle; those of a cycle to come were counted by a wrong clock."""
        counted_in = self.state.cycle_start
        return 0 if counted_in is None or counted_in < self._cycle(now)[0] else self.state.used

    def _frees_at(self, now: datetime, limit: int) -> datetime:
        if self._used(now) >= limit:
            return self._cycle(now)[1]
        return _slides_at(self.state.recent, now, MINUTE, CALLS_PER_MINUTE)

    def _cycle(self, now: datetime) -> tuple[datetime, datetime]:
        """Return the begin of the billing cycle around `now` and of the next, at local midnight."""
        local = now.astimezone(self._timezone)
        month = local.year * 12 + local.month - 1  # since year 0
        if local.day < self._day:
            month -= 1
        start, end = (
            datetime(m // 12, m % 12 + 1, self._day, tzinfo=self._timezone).astimezone(UTC)
            for m in (month, month + 1)
        )
        return start, end


def _within(recent: list[datetime], now: datetime, span: timedelta) -> list[datetime]:
    """Return the times of the last `span`; those far in the future were noted by a wrong clock."""
    return [at for at in recent if now - span < at <= now + span]


def _slides_at(recent: list[datetime], now: datetime, span: timedelta, limit: int) -> datetime:
    """Return when fewer than `limit` requests lie within the sliding window that ends then."""
    held = _within(recent, now, span)
    excess = len(held) - limit
    return now if excess < 0 else held[excess] + span
