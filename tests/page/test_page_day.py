"""A day as the page shows it: means of five minutes, reasons, sums, in the site's zone."""

import asyncio
from collections.abc import Iterator
from datetime import date, datetime, timedelta
from pathlib import Path

import pytest

from page.past_rig import NOON, STEP, VIENNA, Remembered, decision, energies, remembered
from pvcharge.history.archive import FILE
from pvcharge.model import NO_CHARGE, Mode, Reason, Setpoint
from pvcharge.web.answers import Day
from pvcharge.web.ports import PastError

MIDNIGHT = datetime(2026, 6, 15, tzinfo=VIENNA)
SECOND = timedelta(seconds=1)


@pytest.fixture
def house(tmp_path: Path) -> Iterator[Remembered]:
    """Return a store of which nothing is known yet."""
    house = remembered(tmp_path / "state")
    yield house
    house.store.close()


def step(day: Day, at: datetime) -> int:
    """Return the index of the step that begins then."""
    return day.at.index(at.timestamp())


async def test_a_day_of_which_nothing_is_known(house: Remembered) -> None:
    """It has all its steps, and None in each."""
    day = await house.past.day(None)
    assert (day.date, day.step_s, len(day.at)) == (date(2026, 6, 15), 300, 288)
    assert (day.start, day.end) == (MIDNIGHT.timestamp(), (MIDNIGHT + timedelta(days=1)).timestamp())
    assert day.now == NOON.timestamp()
    columns = (day.pv_w, day.house_w, day.charger_w, day.grid_w, day.battery_w, day.setpoint_w)
    assert all(column == [None] * 288 for column in columns)
    assert day.filled == [False] * 288
    assert day.reasons == []
    assert set(day.sums.model_dump().values()) == {None}


async def test_energies_become_mean_powers(house: Remembered) -> None:
    """The house without the car; the grid with its sign; no battery where none was ever seen."""
    at = NOON - 3 * STEP
    house.fill(at, [energies(pv=400, bought=50, sold=10, car=120), energies(sold=100, pv=300)])
    day = await house.past.day(date(2026, 6, 15))
    index = step(day, at)
    assert day.pv_w[index : index + 2] == [4800.0, 3600.0]
    assert day.grid_w[index : index + 2] == [480.0, -1200.0]
    assert day.charger_w[index : index + 2] == [1440.0, 0.0]
    assert day.house_w[index : index + 2] == [3840.0, 2400.0]
    assert day.battery_w[index] is None
    assert day.pv_w[index + 2] is None
    assert day.sums.model_dump() == {
        "pv_kwh": 0.7,
        "import_kwh": 0.05,
        "export_kwh": 0.11,
        "battery_in_kwh": None,
        "battery_out_kwh": None,
        "charger_kwh": 0.12,
    }


async def test_a_battery_is_told_with_its_sign(house: Remembered) -> None:
    """Charging is no consumption of the house."""
    at = NOON - 3 * STEP
    house.fill(at, [energies(pv=400, battery=100), energies(battery=-50)])
    day = await house.past.day(None)
    index = step(day, at)
    assert day.battery_w[index : index + 2] == [1200.0, -600.0]
    assert day.house_w[index : index + 2] == [3600.0, 600.0]
    assert (day.sums.battery_in_kwh, day.sums.battery_out_kwh) == (0.1, 0.05)


async def test_a_mean_is_over_what_readings_cover(house: Remembered) -> None:
    """The charger counts without them; of too little of a step nothing is made up."""
    at = NOON - 4 * STEP
    house.fill(
        at,
        [
            energies(pv=100, car=60, covered_s=150),
            energies(pv=1, car=60, covered_s=59),
            energies(car=60, covered_s=0),
            energies(),
        ],
    )
    day = await house.past.day(None)
    index = step(day, at)
    assert day.pv_w[index : index + 3] == [2400.0, None, None]
    assert day.house_w[index + 1 : index + 3] == [None, None]
    assert day.charger_w[index : index + 3] == [720.0, 720.0, 720.0]


@pytest.mark.parametrize(
    ("age_s", "covered_s", "charger_w"),
    [
        pytest.param(120, 100, 2160.0, id="as far as readings tell"),
        pytest.param(120, 0, 1800.0, id="as long as it has gone on"),
        pytest.param(30, 20, None, id="too short"),
        pytest.param(4000, 0, 720.0, id="long over"),
    ],
)
async def test_the_last_step_may_be_going_on(
    house: Remembered, age_s: int, covered_s: float, charger_w: float | None
) -> None:
    """Its energies are those of a part of it."""
    house.fill(NOON, [energies(car=60, pv=100, covered_s=covered_s)])
    house.time.now = NOON + age_s * SECOND
    day = await house.past.day(None)
    assert day.charger_w[step(day, NOON)] == charger_w


async def test_what_was_filled_in_afterwards_is_marked(house: Remembered) -> None:
    """By its step."""
    at = NOON - 2 * STEP
    house.fill(at, [energies(pv=1), energies(pv=1)])
    list(house.store.rows("UPDATE five_minutes SET filled = 1 WHERE at_us = ?", int(at.timestamp() * 1e6)))
    day = await house.past.day(None)
    assert [index for index, filled in enumerate(day.filled) if filled] == [step(day, at)]


async def test_reasons_are_spans_and_setpoints_powers(house: Remembered) -> None:
    """Equal decisions are one span; what was left alone has no power; nothing goes on through a silence."""
    at = NOON - 3 * STEP
    house.write(
        *[decision(at + number * 5 * SECOND) for number in range(30)],  # 150 s of 1380 W
        decision(at + 150 * SECOND, Reason.TOO_LITTLE, NO_CHARGE),
        decision(at + 300 * SECOND, Reason.BY_HAND, Setpoint(3, 16)),
        decision(at + 310 * SECOND, Reason.BY_HAND, Setpoint(3, 16)),
        decision(at + 600 * SECOND, Reason.BOOST, Setpoint(3, 16), Mode.BOOST),
    )
    day = await house.past.day(None)
    assert [
        (it.start - at.timestamp(), it.end - at.timestamp(), it.reason, it.mode, it.setpoint)
        for it in day.reasons
    ] == [
        (0.0, 150.0, "following", "surplus", "1p 6 A"),
        (150.0, 270.0, "too_little", "surplus", "off"),
        (300.0, 430.0, "by_hand", "surplus", "3p 16 A"),
        (600.0, 720.0, "boost", "boost", "3p 16 A"),
    ]
    index = step(day, at)
    assert day.setpoint_w[index : index + 4] == [767.0, None, 11040.0, None]


async def test_the_newest_decision_is_told_as_far_as_the_time_has_come(house: Remembered) -> None:
    """Though it was written within the minute, and holds for longer."""
    house.write(decision(NOON - 20 * SECOND), at=NOON - 20 * SECOND)
    house.write(decision(NOON - 5 * SECOND, Reason.TOO_LITTLE, NO_CHARGE), at=NOON - 5 * SECOND)
    day = await house.past.day(None)
    assert [(it.reason, it.end - NOON.timestamp()) for it in day.reasons] == [
        ("following", -5.0),
        ("too_little", 0.0),
    ]


async def test_reasons_are_those_of_the_day(house: Remembered) -> None:
    """The one before and the one after have their own, by the clock of the house."""
    for at in (MIDNIGHT - SECOND, MIDNIGHT, MIDNIGHT + timedelta(days=1)):
        house.write(decision(at, setpoint=Setpoint(1, 6 + at.second)), at=at)
    house.time.now = NOON + timedelta(days=2)
    day = await house.past.day(date(2026, 6, 15))
    assert day.now is None
    assert [it.start for it in day.reasons] == [MIDNIGHT.timestamp()]


async def test_a_restless_day_has_no_more_reasons_than_a_screen_shows(house: Remembered) -> None:
    """The time that is told of stays the same."""
    reasons = (Reason.FOLLOWING, Reason.NOT_WORTH_IT, Reason.TOO_LITTLE)
    start = NOON - timedelta(hours=8)
    house.write(
        *[decision(start + number * 5 * SECOND, reasons[number % 3]) for number in range(5760)], at=start
    )
    day = await house.past.day(None)
    assert 100 <= len(day.reasons) <= 400
    assert sum(it.end - it.start for it in day.reasons) == 8 * 3600


@pytest.mark.parametrize(
    ("day", "hours"), [(date(2026, 3, 29), 23), (date(2026, 10, 25), 25), (date(2026, 6, 14), 24)]
)
@pytest.mark.fault("clock", "DST")
async def test_days_are_as_long_as_they_are_in_the_zone(house: Remembered, day: date, hours: int) -> None:
    """The page shows 23 and 25 hours of the days on which the clocks change."""
    house.time.now = NOON + timedelta(days=200)
    start = datetime(day.year, day.month, day.day, tzinfo=VIENNA).timestamp()
    house.write(
        five_minutes={
            datetime.fromtimestamp(start, VIENNA): energies(pv=10),
            datetime.fromtimestamp(start + hours * 3600 - 300, VIENNA): energies(pv=20),
            datetime.fromtimestamp(start + hours * 3600, VIENNA): energies(pv=40),
        }
    )
    found = await house.past.day(day)
    assert len(found.at) == hours * 12
    assert found.end - found.start == hours * 3600
    assert (found.pv_w[0], found.pv_w[-1]) == (120.0, 240.0)
    assert found.sums.pv_kwh == 0.03


async def test_a_day_whose_events_are_gone_has_its_energies(house: Remembered) -> None:
    """They are kept for longer than decisions."""
    house.write(decision(NOON), five_minutes={NOON: energies(pv=10)})
    house.time.now = NOON + timedelta(days=40)
    while house.store.prune(house.time.now - timedelta(days=30), NOON - timedelta(days=700)):
        pass
    day = await house.past.day(date(2026, 6, 15))
    assert day.pv_w[step(day, NOON)] == 120.0
    assert day.reasons == []


async def test_a_day_to_come_is_empty(house: Remembered) -> None:
    """Nobody knows it."""
    day = await house.past.day(date(2030, 1, 1))
    assert day.pv_w == [None] * 288
    assert day.now is None


async def test_where_there_is_no_store_it_is_said(house: Remembered, tmp_path: Path) -> None:
    """Before the first write, and where the file is broken."""
    other = remembered(tmp_path / "other")
    other.store.close()
    (other.folder / FILE).write_bytes(b"no database" * 1000)
    with pytest.raises(PastError, match="cannot be read now"):
        await other.past.day(None)
    for path in other.folder.iterdir():
        path.unlink()
    with pytest.raises(PastError, match="nothing is remembered yet"):
        await other.past.savings()
    assert (await house.past.day(None)).reasons == []


async def test_questions_go_beside_a_daemon_that_writes(house: Remembered) -> None:
    """In the midst of a transaction, and many at a time; the event loop goes on meanwhile."""
    house.fill(NOON - STEP, [energies(pv=10), energies()])
    list(house.store.rows("BEGIN IMMEDIATE"))
    try:
        days = await asyncio.gather(*[house.past.day(None) for _ in range(5)])
    finally:
        list(house.store.rows("ROLLBACK"))
    assert [day.sums.pv_kwh for day in days] == [0.01] * 5
