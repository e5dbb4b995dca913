"""Energies, sessions and savings, by days and months of the site's zone."""

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest

from page.past_rig import NOON, STEP, VIENNA, Remembered, energies, remembered, session

HOUR = timedelta(hours=1)


@pytest.fixture
def house(tmp_path: Path) -> Iterator[Remembered]:
    """Return a store of which nothing is known yet."""
    house = remembered(tmp_path / "state")
    yield house
    house.store.close()


def at(year: int, month: int, day: int, hour: int = 0, minute: int = 0) -> datetime:
    """Return a time of the house."""
    return datetime(year, month, day, hour, minute, tzinfo=VIENNA)


async def test_energies_by_day(house: Remembered) -> None:
    """Days are those of the house, the end is left out, and what is not known is no zero."""
    house.fill(at(2026, 6, 13, 23, 55), [energies(pv=100, car=10), energies(pv=200, bought=5)])
    house.fill(at(2026, 6, 15, 10), [energies(car=7, covered_s=0)])
    found = await house.past.energy("day", date(2026, 6, 13), date(2026, 6, 15))
    assert found.by == "day"
    assert [(row.start, row.pv_kwh, row.import_kwh, row.charger_kwh) for row in found.rows] == [
        (date(2026, 6, 13), 0.1, 0.0, 0.01),
        (date(2026, 6, 14), 0.2, 0.005, 0.0),
    ]
    (today,) = (await house.past.energy("day", date(2026, 6, 15), date(2026, 6, 16))).rows
    assert (today.pv_kwh, today.charger_kwh, today.battery_in_kwh) == (None, 0.007, None)


async def test_energies_by_month(house: Remembered) -> None:
    """The sums of its days that were asked for; some of it may have been filled in."""
    for day, pv_wh in ((at(2026, 4, 30), 100.0), (at(2026, 5, 1), 200.0), (at(2026, 5, 31), 300.0)):
        house.fill(day + 12 * HOUR, [energies(pv=pv_wh, battery=60.0)])
    list(house.store.rows("UPDATE days SET filled = 1 WHERE day = '2026-05-31'"))
    found = await house.past.energy("month", date(2026, 4, 1), date(2026, 6, 1))
    assert [(row.start, row.pv_kwh, row.battery_in_kwh, row.filled) for row in found.rows] == [
        (date(2026, 4, 1), 0.1, 0.06, False),
        (date(2026, 5, 1), 0.5, 0.12, True),
    ]
    (may,) = (await house.past.energy("month", date(2026, 5, 2), date(2026, 6, 1))).rows
    assert (may.start, may.pv_kwh) == (date(2026, 5, 1), 0.3)


async def test_what_is_covered_is_a_share_of_what_has_passed(house: Remembered) -> None:
    """Of today only the half that is over; of a day when clocks change as many hours as it had."""
    for begin, hours in ((at(2026, 3, 29), 23), (at(2026, 6, 14), 12), (at(2026, 6, 15), 12)):
        house.fill(begin.astimezone(UTC), [energies()] * (hours * 12))
    found = await house.past.energy("day", date(2026, 3, 1), date(2026, 7, 1))
    assert [row.covered for row in found.rows] == [1.0, 0.5, 1.0]
    (june,) = (await house.past.energy("month", date(2026, 6, 14), date(2026, 7, 1))).rows
    assert june.covered == pytest.approx(24 / 36, abs=1e-3)
    (june,) = (await house.past.energy("month", date(2026, 6, 1), date(2026, 7, 1))).rows
    assert june.covered == pytest.approx(24 / (14.5 * 24), abs=1e-3)


async def test_a_clock_that_was_ahead_covers_no_more_than_all(house: Remembered) -> None:
    """What is in the future by now counts as known."""
    house.fill(NOON + HOUR, [energies()])
    house.fill(NOON + timedelta(days=2), [energies()])
    rows = (await house.past.energy("day", date(2026, 6, 1), date(2026, 7, 1))).rows
    assert all(0 <= row.covered <= 1 for row in rows)


async def test_sessions_newest_first(house: Remembered) -> None:
    """Within local days, the first of them included; those beyond the limit are counted."""
    starts = [at(2026, 6, 13, 23, 59), at(2026, 6, 14, 0), at(2026, 6, 14, 18), at(2026, 6, 15, 0)]
    house.write(*[session(start, 1000.0 * number) for number, start in enumerate(starts, 1)])
    everything = await house.past.sessions(None, None, None)
    assert [row.energy_kwh for row in everything.sessions] == [4.0, 3.0, 2.0, 1.0]
    assert everything.total == 4
    of_day = await house.past.sessions(date(2026, 6, 14), date(2026, 6, 15), 1)
    assert [row.started_at for row in of_day.sessions] == [starts[2]]
    assert of_day.total == 2
    (row,) = of_day.sessions
    assert (row.solar_share, row.cost, row.saved, row.starts, row.pauses_s) == (
        0.75,
        1.25,
        0.5,
        2,
        {"too_little": 600.0},
    )


async def test_savings_of_month_year_and_all_time(house: Remembered) -> None:
    """A session belongs to where it began, by the clock of the house."""
    starts = [at(2025, 12, 31, 23), at(2026, 1, 1), at(2026, 5, 31, 23), at(2026, 6, 1), at(2026, 6, 15, 8)]
    house.write(*[session(start) for start in starts])
    saved = await house.past.savings()
    assert [it.sessions for it in (saved.month, saved.year, saved.all)] == [2, 4, 5]
    assert saved.month.model_dump() == {
        "sessions": 2,
        "energy_kwh": 16.0,
        "solar_kwh": 12.0,
        "cost": 2.5,
        "saved": 1.0,
    }


async def test_without_sessions_nothing_is_saved(house: Remembered) -> None:
    """Which is known, and so is zero."""
    saved = await house.past.savings()
    assert saved.all.model_dump() == {"sessions": 0, "energy_kwh": 0, "solar_kwh": 0, "cost": 0, "saved": 0}
    assert (await house.past.sessions(None, None, 10)).sessions == []
    assert (await house.past.energy("month", date(2026, 1, 1), date(2027, 1, 1))).rows == []


async def test_the_newest_is_seen_at_once(house: Remembered) -> None:
    """No answer is older than the store."""
    house.fill(NOON - STEP, [energies(pv=10)])
    before = (await house.past.day(None)).sums.pv_kwh
    house.fill(NOON - STEP, [energies(pv=10)])
    assert (before, (await house.past.day(None)).sums.pv_kwh) == (0.01, 0.02)
