"""When to read: only for a plugged car, in sunshine, once a quarter, as long as the budget lasts."""

from datetime import UTC, datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pvcharge.drivers.base import Demand
from pvcharge.drivers.solaredge.budget import BudgetState, CycleBudget, DayBudget
from pvcharge.drivers.solaredge.schedule import IDLE, Cadence, LastRead, Live, Quarters, Schedule
from pvcharge.drivers.solaredge.sun import Sun

VIENNA = ZoneInfo("Europe/Vienna")
LINZ = Sun(48.37, 14.51)
NOON = datetime(2026, 6, 10, 10, 0, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
QUARTERS = Quarters(timedelta(minutes=7))
WANTED = Demand()
NOBODY = Demand(car_plugged=False)


def schedule(
    cadence: Cadence = QUARTERS, *, used: int = 0, calls_per_read: int = 1, sun: Sun = LINZ
) -> Schedule:
    """Return a schedule on a V2 budget of 2,000, of which some is used."""
    state = BudgetState(used=used, cycle_start=datetime(2026, 5, 31, 22, 0, tzinfo=UTC))
    budget = CycleBudget(2000, 200, state, day=1, timezone=VIENNA)
    return Schedule(cadence=cadence, budget=budget, calls_per_read=calls_per_read, sun=sun)


def at(clock: str) -> datetime:
    """Return a time of that June day in UTC."""
    return datetime.fromisoformat(f"2026-06-10T{clock}+00:00")


@pytest.mark.parametrize(
    ("read_at", "seen_until", "next_at"),
    [
        ("10:07:00", "10:00:00", "10:22:00"),  # all there: the next quarter
        ("10:07:30", "09:45:00", "10:10:30"),  # not yet published: once more soon
        ("10:10:31", "09:45:00", "10:22:00"),  # still not: then with the next quarter
        ("10:10:31", "10:00:00", "10:22:00"),  # the retry brought it
        ("10:05:00", "09:45:00", "10:07:00"),  # a start between end and publication
        ("10:05:00", "10:00:00", "10:22:00"),  # the same, but published early
        ("10:14:00", "09:00:00", "10:22:00"),  # late within the quarter: no retry
    ],
)
def test_quarters_are_read_once_each(read_at: str, seen_until: str, next_at: str) -> None:
    """A read follows each publication; one retry follows a quarter that was not there yet."""
    last = LastRead(at(read_at), at(seen_until))
    assert QUARTERS.next_at(last, pace_s=0.0) == at(next_at)


def test_nothing_seen_yet_is_asked_for_again() -> None:
    """Without any reading so far the newest quarter counts as missing."""
    assert QUARTERS.next_at(LastRead(at("10:07:05"), None), 0.0) == at("10:10:30")


@pytest.mark.parametrize(
    ("pace_s", "next_at"),
    [(0, "10:22:00"), (900, "10:22:00"), (960, "10:22:00"), (961, "10:37:00"), (3000, "11:07:00")],
)
def test_a_tight_budget_skips_quarters(pace_s: float, next_at: str) -> None:
    """Where the budget cannot bear each quarter, the distance is a whole number of them."""
    assert QUARTERS.next_at(LastRead(at("10:07:00"), at("10:00:00")), pace_s) == at(next_at)


def test_sites_are_spread_over_a_minute_and_a_half() -> None:
    """The delay is fixed for a site and lies six to eight minutes after the quarter."""
    delays = [Quarters.of_site(site).delay for site in range(4000, 4200)]
    assert Quarters.of_site(4711) == Quarters.of_site(4711)
    assert min(delays) == 6 * MINUTE
    assert max(delays) == 6 * MINUTE + timedelta(seconds=90)


@pytest.mark.parametrize(
    ("shortest_s", "pace_s", "distance_s"), [(30, 10, 30), (120, 10, 120), (30, 200, 200), (30, 5000, 900)]
)
def test_live_flows_keep_the_pace(shortest_s: float, pace_s: float, distance_s: float) -> None:
    """The distance is what the budget bears, within bounds."""
    assert Live(shortest_s).next_at(LastRead(NOON, None), pace_s) == NOON + timedelta(seconds=distance_s)


def test_the_first_read_is_due_at_once() -> None:
    """A start reads immediately, even at night and without a car: it tests site and credentials."""
    night = at("23:00:00")
    assert schedule().next_read_at(night, NOBODY, None, urgent=True) == night


@pytest.mark.parametrize("demand", [NOBODY, Demand(follows_surplus=False)])
def test_without_demand_a_read_each_six_hours(demand: Demand) -> None:
    """Nobody acts on readings; a rare one keeps page and login alive."""
    last = LastRead(NOON, NOON)
    assert schedule().next_read_at(NOON + MINUTE, demand, last, urgent=False) == NOON + IDLE


def test_a_plug_in_reads_at_once() -> None:
    """When demand comes after hours without, a published quarter is waiting."""
    last = LastRead(at("06:07:00"), at("06:00:00"))
    assert schedule().next_read_at(at("10:03:00"), WANTED, last, urgent=True) == at("10:03:00")


def test_a_night_is_waited_for() -> None:
    """A plugged car at night costs nothing until dawn."""
    plan = schedule().next_read_at(at("22:00:00"), WANTED, LastRead(at("21:00:00"), None), urgent=False)
    assert timedelta(hours=4) < plan - at("22:00:00") < timedelta(hours=6)
    assert LINZ.is_up(plan)
    assert not LINZ.is_up(plan - 11 * MINUTE)


def test_an_empty_budget_waits_for_the_next_cycle() -> None:
    """Only the reserve is left: reads go on in July, an urgent one now."""
    plan = schedule(used=1800)
    last = LastRead(at("06:07:00"), at("06:00:00"))
    assert plan.next_read_at(NOON, WANTED, last, urgent=False) == datetime(2026, 6, 30, 22, 0, tzinfo=UTC)
    assert plan.next_read_at(NOON, WANTED, last, urgent=True) == NOON


def test_reads_of_several_requests_are_rarer() -> None:
    """With the battery each read costs two: 1,800 requests no longer last for every quarter of June."""
    last = LastRead(at("10:07:00"), at("10:00:00"))
    single = schedule(used=500).next_read_at(last.at, WANTED, last, urgent=False)
    double = schedule(used=500, calls_per_read=2).next_read_at(last.at, WANTED, last, urgent=False)
    assert (single, double) == (at("10:22:00"), at("10:37:00"))


def test_the_last_requests_of_a_cycle_are_not_saved_up() -> None:
    """However few are left, the pace is never longer than the idle one: what is left would be lost."""
    now = datetime(2026, 6, 28, 10, 7, tzinfo=UTC)
    plan = schedule(used=1799, calls_per_read=3)
    assert plan.next_read_at(now, WANTED, LastRead(now, now - 7 * MINUTE), urgent=False) == now + IDLE


def test_a_month_of_sunshine_lasts_to_its_end() -> None:
    """A car plugged for all of June: at least 1,700 reads, and the last day still has some."""
    plan = schedule()
    now = datetime(2026, 5, 31, 22, 0, tzinfo=UTC)
    end = datetime(2026, 6, 30, 22, 0, tzinfo=UTC)
    last, reads = None, []
    while (now := plan.next_read_at(now, WANTED, last, urgent=False)) < end:
        plan.budget.count(now)
        last = LastRead(now, now - now.minute % 15 * MINUTE)
        reads.append(now)
    assert 1700 <= len(reads) <= 1800
    assert sum(read > end - timedelta(days=1) for read in reads) > 20


def test_a_v1_day_lasts_to_sunset() -> None:
    """A car plugged for two days of June: V1's 270 requests reach until dusk on both."""
    budget = DayBudget(300, 30, BudgetState())
    plan = Schedule(cadence=Live(120.0), budget=budget, calls_per_read=1, sun=LINZ)
    now = datetime(2026, 6, 9, 22, 0, tzinfo=UTC)
    last = LastRead(now, None)
    reads = []
    while (now := plan.next_read_at(now, WANTED, last, urgent=False)) < datetime(
        2026, 6, 11, 22, 0, tzinfo=UTC
    ):
        budget.count(now)
        last = LastRead(now, None)
        reads.append(now)
    for day in (10, 11):
        of_day = [read for read in reads if read.day == day]
        assert 230 <= len(of_day) <= 271
        assert max(b - a for a, b in pairwise(of_day)) <= timedelta(minutes=15)
        assert of_day[-1] > datetime(2026, 6, day, 18, 30, tzinfo=UTC)


@given(
    sun=st.builds(Sun, st.floats(-90, 90), st.floats(-180, 180)),
    now=st.integers(0, 2 * 366 * 24 * 60).map(lambda minutes: NOON + minutes * MINUTE),
    ago_min=st.integers(0, 3000),
    used=st.integers(0, 2100),
    cadence=st.sampled_from([QUARTERS, Live(120.0)]),
    urgent=st.booleans(),
)
def test_anywhere_at_any_time(
    sun: Sun, now: datetime, ago_min: int, used: int, cadence: Cadence, *, urgent: bool
) -> None:
    """From pole to pole, in polar day and night, the plan is never in the past and never lost."""
    plan = schedule(cadence, used=used, sun=sun)
    last = LastRead(now - ago_min * MINUTE, None)
    latest = max(now + timedelta(hours=24), plan.budget.frees_at(now, urgent=urgent))
    assert now <= plan.next_read_at(now, WANTED, last, urgent=urgent) <= latest


def test_polar_night_and_day() -> None:
    """Where the sun does not rise a read each six hours remains; where it does not set, the day is whole."""
    winter = datetime(2026, 12, 20, 12, 0, tzinfo=UTC)
    longyearbyen = Sun(78.2, 15.6)
    plan = schedule(sun=longyearbyen)
    assert longyearbyen.rises_at(winter) is None
    assert plan.next_read_at(winter, WANTED, LastRead(winter, None), urgent=False) == winter + IDLE
    assert longyearbyen.daylight(NOON).share == 1.0
    assert longyearbyen.daylight(NOON).until == NOON + timedelta(hours=24)


def test_daylight_in_linz() -> None:
    """Sixteen and a half hours in June, until about seven in the evening UTC."""
    daylight = LINZ.daylight(NOON)
    assert daylight.share == pytest.approx(16.3 / 24, abs=0.03)
    assert (
        datetime(2026, 6, 10, 18, 50, tzinfo=UTC) < daylight.until < datetime(2026, 6, 10, 19, 20, tzinfo=UTC)
    )
