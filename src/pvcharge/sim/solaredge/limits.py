"""How many calls are allowed: V2 by clock minute and calendar month, V1 by day. All in the clock's time."""

from collections import deque
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, tzinfo
from math import ceil
from typing import Literal

DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class SolarEdgeLimits:
    """The limits of the free tier.

    Attributes:
        calls_per_minute: V2, in fixed windows of a clock minute.
        calls_per_month: V2 credits, back on the first of each month (UTC).
        v1_calls_per_day: V1.
        v1_reset: whether the V1 calls of the last 24 hours count, or those since midnight at the site.
            Not documented; both have their witnesses.
    """

    calls_per_minute: int = 10
    calls_per_month: int = 2000
    v1_calls_per_day: int = 300
    v1_reset: Literal["rolling", "midnight"] = "rolling"


class MinuteWindow:
    """Calls of the current clock minute."""

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self._minute: datetime | None = None
        self._used = 0

    def take(self, now: datetime) -> None:
        """Count a call."""
        self._roll(now)
        self._used += 1

    def remaining(self, now: datetime) -> int:
        """Return how many calls are left in this minute."""
        self._roll(now)
        return self.limit - self._used

    def reset_s(self, now: datetime) -> int:
        """Return the whole seconds until the next minute begins, at least 1."""
        return max(1, ceil(60 - now.second - now.microsecond / 1e6))

    def _roll(self, now: datetime) -> None:
        minute = now.replace(second=0, microsecond=0)
        if minute != self._minute:
            self._minute, self._used = minute, 0


class MonthlyCredits:
    """Calls of the current calendar month."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._month: tuple[int, int] | None = None
        self._used = 0

    def take(self, now: datetime) -> bool:
        """Pay for a call; False if no credit is left."""
        utc = now.astimezone(UTC)
        if (utc.year, utc.month) != self._month:
            self._month, self._used = (utc.year, utc.month), 0
        if self._used >= self._limit:
            return False
        self._used += 1
        return True


class DailyQuota:
    """Calls of the last 24 hours, or since midnight at the site."""

    def __init__(self, limits: SolarEdgeLimits, zone: tzinfo) -> None:
        self._limits = limits
        self._zone = zone
        self._calls: deque[datetime] = deque()

    def take(self, now: datetime) -> bool:
        """Count a call; False if none is left."""
        while self._calls and not self._counts(self._calls[0], now):
            self._calls.popleft()
        if len(self._calls) >= self._limits.v1_calls_per_day:
            return False
        self._calls.append(now)
        return True

    def _counts(self, call: datetime, now: datetime) -> bool:
        if self._limits.v1_reset == "rolling":
            return now - call < DAY
        return call.astimezone(self._zone).date() == now.astimezone(self._zone).date()
