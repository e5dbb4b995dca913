"""Counting requests: windows, cycles, the reserve, restarts, and a pace that lasts."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pvcharge.drivers.solaredge.budget import Budget, BudgetState, CycleBudget, DayBudget
from pvcharge.drivers.solaredge.sun import Daylight

NOON = datetime(2026, 6, 10, 10, 0, tzinfo=UTC)
DAY = timedelta(hours=24)
VIENNA = ZoneInfo("Europe/Vienna")
LONG_DAY = Daylight(NOON + timedelta(hours=12), 0.5)

Make = Callable[[BudgetState], Budget]


def per_day(limit: int = 300, reserve: int = 30) -> Make:
    """Return how to make a V1 budget."""
    return lambda state: DayBudget(limit, reserve, state)


def per_cycle(limit: int = 2000, reserve: int = 200, day: int = 1) -> Make:
    """Return how to make a V2 budget."""
    return lambda state: CycleBudget(limit, reserve, state, day=day, timezone=VIENNA)


def restarted(budget: Budget, make: Make) -> Budget:
    """Return the budget as it comes back from its file."""
    return make(BudgetState.model_validate_json(budget.state.model_dump_json()))


def spend(budget: Budget, now: datetime, *, urgent: bool = False) -> bool:
    """Take one request if that is allowed."""
    allowed = budget.frees_at(now, urgent=urgent) <= now
    if allowed:
        budget.count(now)
    return allowed


STEPS = st.lists(
    st.tuples(
        st.one_of(st.integers(0, 90), st.integers(0, 40_000), st.just(2_700_000)),  # seconds
        st.booleans(),  # urgent
        st.booleans(),  # restart before
    ),
    max_size=60,
)


@given(st.integers(1, 8), st.integers(0, 4), STEPS)
def test_no_24_hours_hold_more_than_the_limit(
    limit: int, reserve: int, steps: list[tuple[int, bool, bool]]
) -> None:
    """Whatever is asked for and however often the daemon restarts, V1's limit holds in every window."""
    make = per_day(limit, min(reserve, limit - 1))
    budget, now, sent = make(BudgetState()), NOON, []
    for seconds, urgent, restart in steps:
        now += timedelta(seconds=seconds)
        budget = restarted(budget, make) if restart else budget
        if spend(budget, now, urgent=urgent):
            sent.append(now)
    for i, begin in enumerate(sent):
        assert sum(begin <= at < begin + DAY for at in sent[i:]) <= limit


@given(st.integers(1, 25), st.integers(0, 4), STEPS)
def test_no_cycle_and_no_minute_hold_more_than_the_limit(
    limit: int, reserve: int, steps: list[tuple[int, bool, bool]]
) -> None:
    """The same for V2: neither the calendar month at the site nor any minute is overspent."""
    make = per_cycle(limit, min(reserve, limit - 1))
    budget, now, sent = make(BudgetState()), NOON, []
    for seconds, urgent, restart in steps:
        now += timedelta(seconds=seconds)
        budget = restarted(budget, make) if restart else budget
        sent += [now for _ in range(4) if spend(budget, now, urgent=urgent)]
    months = [(at.astimezone(VIENNA).year, at.astimezone(VIENNA).month) for at in sent]
    assert all(months.count(month) <= limit for month in months)
    for i, begin in enumerate(sent):
        assert sum(at < begin + timedelta(minutes=1) for at in sent[i:]) <= 10


@pytest.mark.parametrize("make", [per_day(10, 2), per_cycle(10, 2)], ids=["day", "cycle"])
def test_the_reserve_is_for_urgent_requests(make: Make) -> None:
    """The last two of ten go to urgent requests only."""
    budget = make(BudgetState())
    assert [spend(budget, NOON) for _ in range(10)] == [True] * 8 + [False] * 2
    assert [spend(budget, NOON, urgent=True) for _ in range(3)] == [True, True, False]
    assert budget.left(NOON) == 0


def test_a_day_budget_comes_back_one_by_one() -> None:
    """Each request is free again 24 hours after it was sent."""
    budget = per_day(3, 0)(BudgetState())
    for hours in (0, 1, 2):
        assert spend(budget, NOON + timedelta(hours=hours))
    later = NOON + timedelta(hours=5)
    assert budget.frees_at(later, urgent=False) == NOON + DAY
    assert budget.left(NOON + DAY + timedelta(hours=1)) == 2


@pytest.mark.parametrize(
    ("now", "day", "begins"),
    [
        (datetime(2026, 6, 30, 21, 59, tzinfo=UTC), 1, datetime(2026, 6, 30, 22, 0, tzinfo=UTC)),
        (datetime(2026, 6, 30, 22, 0, tzinfo=UTC), 1, datetime(2026, 7, 31, 22, 0, tzinfo=UTC)),
        (datetime(2026, 12, 31, 12, 0, tzinfo=UTC), 1, datetime(2026, 12, 31, 23, 0, tzinfo=UTC)),
        (datetime(2026, 1, 10, 12, 0, tzinfo=UTC), 15, datetime(2026, 1, 14, 23, 0, tzinfo=UTC)),
        (datetime(2026, 1, 20, 12, 0, tzinfo=UTC), 15, datetime(2026, 2, 14, 23, 0, tzinfo=UTC)),
    ],
)
def test_a_cycle_ends_at_local_midnight(now: datetime, day: int, begins: datetime) -> None:
    """An empty budget comes back when the next cycle begins at the site."""
    budget = per_cycle(1, 0, day)(BudgetState())
    budget.count(now)
    assert budget.frees_at(now, urgent=True) == begins
    assert budget.left(begins) == 1


@pytest.mark.parametrize(("make", "hours"), [(per_day(), 16 / 60), (per_cycle(), 6)], ids=["day", "cycle"])
def test_the_servers_word_counts_more(make: Make, hours: float) -> None:
    """When the server says that nothing is left, nothing is left for a while, also after a restart."""
    budget = make(BudgetState())
    budget.exhaust(NOON)
    budget = restarted(budget, make)
    again = NOON + timedelta(hours=hours)
    assert budget.left(NOON) == 0
    assert budget.frees_at(NOON, urgent=True) == again
    assert budget.frees_at(again, urgent=False) == again
    assert budget.left(again) == budget.limit


@pytest.mark.fault("solaredge", "clock jump back")
@pytest.mark.parametrize("make", [per_day(10, 0), per_cycle(50, 0)], ids=["day", "cycle"])
def test_a_clock_that_was_wrong_blocks_nothing_for_ever(make: Make) -> None:
    """Requests and blocks noted in a far future do not count against the present for longer than a window."""
    budget = make(BudgetState())
    future = NOON + timedelta(days=9000)
    for _ in range(10):
        budget.count(future)
    budget.exhaust(future)
    assert budget.frees_at(NOON, urgent=False) == NOON


def test_the_pace_of_a_cycle_spreads_what_is_left() -> None:
    """20.5 days of half sunshine and 1,800 requests beside the reserve: about eight minutes."""
    pace_s = per_cycle()(BudgetState()).pace_s(NOON, LONG_DAY)
    remaining = datetime(2026, 6, 30, 22, 0, tzinfo=UTC) - NOON
    assert pace_s == pytest.approx(remaining.total_seconds() * 0.5 / 1800)


def test_the_pace_of_a_first_day() -> None:
    """Nothing was spent yesterday: 270 requests in twelve hours of sun are one each 160 s."""
    assert per_day()(BudgetState()).pace_s(NOON, LONG_DAY) == pytest.approx(160)


@given(st.lists(st.integers(1, 1439), min_size=1, max_size=8, unique=True), st.integers(30, 900))
def test_the_pace_of_a_day_never_runs_dry(minutes_ago: list[int], sunny_minutes: int) -> None:
    """Whatever was spent yesterday, reads at the pace are allowed until sunset, and never bunch."""
    limit = 8
    times = sorted(NOON - timedelta(minutes=minutes) for minutes in minutes_ago)
    budget = per_day(limit, 0)(BudgetState(recent=times))
    sunset = NOON + timedelta(minutes=sunny_minutes)
    now, reads = NOON, []
    while True:
        now += timedelta(seconds=budget.pace_s(now, Daylight(sunset, 0.5)))
        if now >= sunset:
            break
        assert spend(budget, now)
        reads.append(now)
    assert len(reads) <= limit + len(times)
    assert all(a < b for a, b in pairwise(reads))
