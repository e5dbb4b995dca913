"""Buckets of time on the site's own calendar.

All datetimes that go in and out are UTC: arithmetic on local times of one zone ignores its clock changes.
"""

from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from enum import StrEnum

QUARTER = timedelta(minutes=15)
HOUR = timedelta(hours=1)
YEARS = range(2000, 2100)
MORE_THAN_A_MONTH = timedelta(days=32)


class Resolution(StrEnum):
    """Lengths of buckets, in the words of V2."""

    QUARTER_HOUR = "QUARTER_HOUR"
    HOUR = "HOUR"
    DAY = "DAY"
    WEEK = "WEEK"
    MONTH = "MONTH"
    YEAR = "YEAR"
    TOTAL = "TOTAL"  # one bucket from end to end

    @property
    def within_a_day(self) -> bool:
        """Whether the buckets are steps of a fixed length."""
        return self in (Resolution.QUARTER_HOUR, Resolution.HOUR)


def buckets(
    resolution: Resolution, start: datetime, end: datetime, zone: tzinfo
) -> Iterator[tuple[datetime, datetime]]:
    """Yield the limits of all buckets that overlap [start, end), oldest first."""
    if resolution is Resolution.TOTAL:
        yield start, end
        return
    first = floor(start, resolution, zone)
    while first < end:
        following = _next(first, resolution, zone)
        yield first, following
        first = following


def floor(at: datetime, resolution: Resolution, zone: tzinfo) -> datetime:
    """Return the start of the bucket that holds this moment."""
    local = at.astimezone(zone)
    day = local.date()
    match resolution:
        case Resolution.QUARTER_HOUR:
            return at - timedelta(minutes=local.minute % 15, seconds=at.second, microseconds=at.microsecond)
        case Resolution.HOUR:
            return at - timedelta(minutes=local.minute, seconds=at.second, microseconds=at.microsecond)
        case Resolution.WEEK:
            day -= timedelta(days=day.weekday())
        case Resolution.MONTH:
            day = day.replace(day=1)
        case Resolution.YEAR:
            day = day.replace(month=1, day=1)
    return _midnight(day, zone)


def utc(moment: datetime, zone: tzinfo) -> datetime:
    """Return a moment in UTC; a naive one is the site's time.

    Raises:
        ValueError: the year is so far off that calendars would overflow.
    """
    if moment.year not in YEARS:
        raise ValueError(f"the year {moment.year} is not of this age")
    return (moment if moment.tzinfo else moment.replace(tzinfo=zone)).astimezone(UTC)


def local_iso(at: datetime, zone: tzinfo) -> str:
    """Return ISO 8601 in the site's time with its offset; fractions, if there are any, in nanoseconds."""
    local = at.astimezone(zone)
    if not local.microsecond:
        return local.isoformat()
    text = local.isoformat(timespec="microseconds")
    # The real answers carry nine digits, which strict parsers refuse; ours has six true ones.
    return f"{text[:26]}237{text[26:]}"


def _next(start: datetime, resolution: Resolution, zone: tzinfo) -> datetime:
    day = start.astimezone(zone).date()
    match resolution:
        case Resolution.QUARTER_HOUR:
            return start + QUARTER
        case Resolution.HOUR:
            return start + HOUR
        case Resolution.WEEK:
            day += timedelta(days=7)
        case Resolution.MONTH:
            day = (day + MORE_THAN_A_MONTH).replace(day=1)
        case Resolution.YEAR:
            day = day.replace(year=day.year + 1)
        case _:
            day += timedelta(days=1)
    return _midnight(day, zone)


def _midnight(day: date, zone: tzinfo) -> datetime:
    return datetime.combine(day, time(), zone).astimezone(UTC)
