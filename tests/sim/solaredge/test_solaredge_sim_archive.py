"""What the simulated cloud stores of a house, and the calendar it is stored by."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from pvcharge.sim.house import HouseSample
from pvcharge.sim.solaredge.periods import Resolution, buckets
from pvcharge.sim.solaredge.series import Archive

VIENNA = ZoneInfo("Europe/Vienna")
NOON = datetime(2026, 8, 24, 12, tzinfo=UTC)
QUARTER = timedelta(minutes=15)


class CloudyHouse:
    """Imports 600 W in the first third of each quarter and exports 600 W in the last; knows one hour."""

    def __init__(self) -> None:
        self.known_from = NOON - timedelta(hours=1)

    def sample(self, at: datetime) -> HouseSample | None:
        """Return the powers at a moment."""
        grid_w = {0: 600.0, 1: 0.0, 2: -600.0}[at.minute % 15 // 5]
        if at < self.known_from:
            return None
        return HouseSample(at, 600.0 - grid_w, 600.0, grid_w, None, None, 0.0)

    def mean(self, start: datetime, end: datetime) -> HouseSample | None:
        """Return the powers at the start: tests ask for five minutes at a time."""
        assert end - start == timedelta(minutes=5)
        return self.sample(start)


def test_a_quarter_can_have_both_import_and_export() -> None:
    """Both series count, as they do at a real meter; their difference is the net energy."""
    archive = Archive(CloudyHouse(), VIENNA)
    archive.learn(NOON)
    quarter = archive.bucket(NOON - QUARTER, NOON)
    assert quarter is not None
    assert (quarter.hours, quarter.import_wh, quarter.export_wh) == pytest.approx((0.25, 50.0, 50.0))
    assert quarter.production_wh == pytest.approx(150.0)


def test_a_longer_bucket_has_what_is_known() -> None:
    """Of a day only one hour is known: energies sum up, the hours tell over what to take the mean."""
    archive = Archive(CloudyHouse(), VIENNA)
    archive.learn(NOON)
    day = archive.bucket(NOON - timedelta(hours=12), NOON)
    assert day is not None
    assert (day.hours, day.consumption_wh) == pytest.approx((1.0, 600.0))
    assert archive.bucket(NOON - timedelta(hours=12), NOON - timedelta(hours=1)) is None


def test_the_cloud_remembers_what_the_house_forgets() -> None:
    """A quarter once learnt stays when the meter no longer knows it."""
    house = CloudyHouse()
    archive = Archive(house, VIENNA)
    archive.learn(NOON)
    house.known_from = NOON
    archive.learn(NOON + QUARTER)
    both = archive.bucket(NOON - QUARTER, NOON + QUARTER)
    assert both is not None
    assert both.hours == pytest.approx(0.5)


def test_the_past_is_not_learnt_twice() -> None:
    """A cloud that is set back in time, as by a frozen site, keeps each quarter once."""
    archive = Archive(CloudyHouse(), VIENNA)
    for until in (NOON, NOON - QUARTER, NOON):
        archive.learn(until)
    day = archive.bucket(NOON - timedelta(days=1), NOON)
    assert day is not None
    assert day.hours == pytest.approx(1.0)


def test_a_house_that_is_late_is_asked_again() -> None:
    """A quarter that the meter did not know yet is learnt later."""
    house = CloudyHouse()
    house.known_from = NOON + timedelta(hours=1)
    archive = Archive(house, VIENNA)
    archive.learn(NOON)
    house.known_from = NOON - QUARTER
    archive.learn(NOON)
    assert archive.bucket(NOON - QUARTER, NOON) is not None


@pytest.mark.parametrize(
    ("resolution", "starts"),
    [
        (Resolution.QUARTER_HOUR, ["2026-03-29T01:45+01:00", "2026-03-29T03:00+02:00"]),
        (Resolution.HOUR, ["2026-03-29T01:00+01:00", "2026-03-29T03:00+02:00"]),
        (Resolution.DAY, ["2026-03-29T00:00+01:00"]),
        (Resolution.WEEK, ["2026-03-23T00:00+01:00"]),
        (Resolution.MONTH, ["2026-03-01T00:00+01:00"]),
        (Resolution.YEAR, ["2026-01-01T00:00+01:00"]),
        (Resolution.TOTAL, ["2026-03-29T01:50+01:00"]),
    ],
)
def test_buckets_follow_the_local_calendar(resolution: Resolution, starts: list[str]) -> None:
    """From ten minutes before clocks go forward to ten minutes after."""
    start = datetime(2026, 3, 29, 0, 50, tzinfo=UTC)
    found = [first for first, _ in buckets(resolution, start, start + timedelta(minutes=20), VIENNA)]
    assert [first.astimezone(VIENNA).isoformat(timespec="minutes") for first in found] == starts


@pytest.mark.parametrize(
    ("resolution", "following"),
    [
        (Resolution.WEEK, "2027-01-04"),
        (Resolution.MONTH, "2027-01-01"),
        (Resolution.YEAR, "2027-01-01"),
        (Resolution.DAY, "2027-01-01"),
    ],
)
def test_buckets_end_where_the_next_begins(resolution: Resolution, following: str) -> None:
    """On the last day of a year."""
    start = datetime(2026, 12, 31, 12, tzinfo=UTC)
    (_, end), *_ = buckets(resolution, start, start + QUARTER, VIENNA)
    assert end == datetime.fromisoformat(following).replace(tzinfo=VIENNA)
