"""Where what is known of the charger's power begins and ends: at the very second, the very watt."""

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pvcharge.control.align import HEARD_S, ChargerPowerLog
from pvcharge.control.plausibility import Plausibility

REMEMBERED = 8192  # changes of power
OUTAGE_S = 601.0


def log_of(*entries: tuple[float, float]) -> ChargerPowerLog:
    """Return the log of a charger, from times and powers."""
    log = ChargerPowerLog()
    for at_s, power_w in entries:
        log.add(at_s, power_w)
    return log


# --- how long a status counts ---


def test_the_first_of_two_statuses_of_an_instant_counts() -> None:
    """Time has to go on for there to be news."""
    log = log_of((0, 0.0), (10, 1000.0), (10, 3000.0))
    assert log.mean_w(10, 10) == 1000.0
    assert log.mean_w(10, 20) == 1000.0


@pytest.mark.parametrize(("at_s", "power_w"), [(10 + HEARD_S, 1000.0), (11 + HEARD_S, None)])
def test_a_status_counts_for_45_seconds(at_s: float, power_w: float | None) -> None:
    """Until they are over, for an instant and for its past; not longer."""
    log = log_of((0, 1000.0), (10, 1000.0))
    assert log.mean_w(at_s, at_s) == power_w
    assert log.before_w(at_s, (0.0, 5.0)) == (None if power_w is None else [power_w, power_w])


@pytest.mark.parametrize(("pause_s", "known"), [(HEARD_S, True), (HEARD_S + 1, False)])
def test_a_pause_of_45_seconds_leaves_no_hole(pause_s: float, known: bool) -> None:  # noqa: FBT001 - a case
    """What the charger did in it is known to its end."""
    log = log_of((0, 1000.0), (pause_s, 2000.0))
    assert log.before_w(pause_s + 5, (0.0, 10.0)) == ([2000.0, 1000.0] if known else None)


@pytest.mark.parametrize(("pause_s", "heard_s"), [(600.0, 1800.0), (OUTAGE_S, HEARD_S)])
def test_the_longest_rhythm_of_a_charger(pause_s: float, heard_s: float) -> None:
    """One that speaks each ten minutes has a rhythm; what is longer is an outage."""
    log = log_of(*((number * pause_s, 0.0) for number in range(4)))
    assert log.heard_s == heard_s


@pytest.mark.parametrize(("end_s", "mean_w"), [(100.0, 1000.0), (101.0, None)])
def test_half_of_an_interval_suffices(end_s: float, mean_w: float | None) -> None:
    """What is known of it stands for all of it; of less than half, nothing is said."""
    log = log_of((0, 1000.0), (10, 1000.0))  # heard until 55
    assert log.mean_w(10, end_s) == mean_w


@pytest.mark.parametrize("power_w", [1.0, 4140.0])
def test_a_charger_that_is_found_drawing_anything_has_no_past(power_w: float) -> None:
    """Its power is known from when it was found; half of an interval suffices here, too."""
    log = log_of((100, power_w), (110, 0.0))
    assert log.mean_w(99, 99) is None
    assert log.mean_w(100, 100) == power_w
    assert log.mean_w(79, 120) is None
    assert log.mean_w(80, 120) == power_w / 2
    assert log.before_w(110, (0.0, 10.0)) == [0.0, power_w]
    assert log.before_w(110, (0.0, 11.0)) is None


# --- the power at several ages ---


@pytest.mark.parametrize(
    ("at_s", "ages_s", "powers_w"),
    [
        (32, (0, 2, 5, 12, 13, 25), [500.0, 500.0, 3000.0, 3000.0, 1000.0, 0.0]),
        (29, (0, 4, 9), [3000.0, 3000.0, 3000.0]),  # no step within
        (20, (0, 1), [3000.0, 1000.0]),  # the instant a value begins, it holds
        (10, (0, 240), [1000.0, 0.0]),  # an idle charger has been idle
        (-5, (0, 240), [0.0, 0.0]),
    ],
)
def test_the_power_at_some_ages(at_s: float, ages_s: Sequence[float], powers_w: list[float]) -> None:
    """Each age has the power that was told last before it."""
    log = log_of((0, 0.0), (10, 1000.0), (20, 3000.0), (30, 500.0))
    assert log.before_w(at_s, ages_s) == powers_w


def test_no_power_at_any_age_where_one_is_not_known() -> None:
    """A charger that was never heard, one not heard now, and one not heard for a while within the ages."""
    assert ChargerPowerLog().before_w(0, (0.0, 10.0)) is None
    log = log_of((0, 0.0), (10, 6900.0), (910, 0.0), (920, 0.0))
    assert log.before_w(55, (0.0, 240.0)) == [6900.0, 0.0]
    assert log.before_w(56, (0.0, 240.0)) is None
    assert log.before_w(500, (0.0, 10.0)) is None
    assert log.before_w(920, (0.0, 11.0)) is None
    assert log.before_w(920, (0.0, 10.0)) == [0.0, 0.0]
    assert log.before_w(920, (0.0, 900.0)) is None  # both ends are


@given(
    st.lists(st.tuples(st.integers(1, 25), st.sampled_from([0.0, 1380.0, 4140.0])), min_size=1, max_size=30),
    st.integers(-50, 1500),
    st.lists(st.integers(0, 240), min_size=1, max_size=9).map(sorted),
)
def test_ages_and_instants_agree(steps: list[tuple[int, float]], at_s: int, ages_s: list[int]) -> None:
    """The power at an age is the power at that instant; it is told when each second until now is known."""
    log, now_s = ChargerPowerLog(), 0
    for pause, power_w in steps:
        now_s += 4 * pause  # so that no hole is so short that no second falls into it
        log.add(now_s, power_w)
    by_second = [log.mean_w(second, second) for second in range(at_s - ages_s[-1], at_s + 1)]
    powers_w = log.before_w(at_s, ages_s)
    if powers_w is None:
        assert None in by_second
    else:
        assert powers_w == [by_second[-1 - age_s] for age_s in ages_s]
        assert None not in by_second


# --- what a car has been told, and does not do yet ---


@pytest.mark.parametrize(
    ("told_w", "drawn_w", "reached"),
    [
        (1000.0, 850.0, True),  # 150 W
        (1000.0, 849.0, False),
        (1000.0, 1150.0, True),
        (1000.0, 1151.0, False),
        (6000.0, 5400.0, True),  # or a tenth
        (6000.0, 5399.0, False),
        (0.0, 150.0, True),
        (0.0, 151.0, False),
    ],
)
def test_when_a_car_draws_what_it_was_told(
    told_w: float,
    drawn_w: float,
    reached: bool,  # noqa: FBT001 - a case
) -> None:
    """Within 150 W or a tenth; from then on only what the charger tells is possible."""
    log = log_of((0, 3000.0))
    log.tell(0, told_w)
    log.add(10, drawn_w)
    log.add(20, drawn_w)
    assert (log.range_w(20) == (drawn_w, drawn_w)) is reached


def test_a_car_may_do_at_once_what_it_is_told() -> None:
    """From the very instant it is told, not before."""
    log = log_of((0, 0.0), (10, 0.0), (20, 0.0))
    log.tell(10, 6900.0)
    assert log.range_w(9) == (0.0, 0.0)
    assert log.range_w(10) == (0.0, 6900.0)


# --- what is forgotten ---


def test_what_has_been_forgotten_is_not_known() -> None:
    """The older half goes when there is too much of it; what is left tells nothing of before."""
    log = log_of(*((number, number % 2 * 2000.0) for number in range(REMEMBERED)))
    assert log.mean_w(0, REMEMBERED - 1) == pytest.approx(1000.0, rel=1e-3)
    assert log.mean_w(1, 1) == 2000.0
    log.add(REMEMBERED, 0.0)
    half = REMEMBERED // 2
    assert log.mean_w(half, half) == 0.0
    assert log.mean_w(half + 1, half + 1) == 2000.0
    assert log.mean_w(half - 1, half - 1) is None
    assert log.mean_w(0, half) is None
    assert log.before_w(half + 3, (0.0, 3.0)) == [2000.0, 0.0]
    assert log.before_w(half + 3, (0.0, 4.0)) is None
    assert log.mean_w(half + 10, REMEMBERED) == pytest.approx(1000.0, rel=1e-3)


def test_what_is_not_forgotten_stays_as_it_was() -> None:
    """From the oldest status on, what the charger drew and when it was not heard is known as ever."""
    half = REMEMBERED // 2
    log = log_of(*((number * OUTAGE_S, 1000.0 + number) for number in range(REMEMBERED + 1)))
    for number in (half, half + 1, REMEMBERED - 1):
        heard_s, next_s = number * OUTAGE_S, (number + 1) * OUTAGE_S
        assert log.mean_w(heard_s + HEARD_S, heard_s + HEARD_S) == 1000.0 + number
        assert log.mean_w(heard_s + HEARD_S + 1, heard_s + HEARD_S + 1) is None
        assert log.mean_w(next_s - 1, next_s - 1) is None
        assert log.mean_w(heard_s, heard_s + 2 * HEARD_S) == 1000.0 + number
    oldest_s = half * OUTAGE_S
    assert log.mean_w(oldest_s - 1, oldest_s - 1) is None
    assert log.mean_w(oldest_s - HEARD_S, oldest_s + HEARD_S) == 1000.0 + half


def test_a_meter_is_not_doubted_for_a_time_that_is_forgotten() -> None:
    """Means that come two hours late say nothing against a quick meter."""
    plausibility = Plausibility()
    for second in range(REMEMBERED + 1):
        plausibility.add(second, (2000.0 if second < 4000 else -2000.0) + second % 2)
    for number in range(4):
        plausibility.compare(900.0 * number, 900.0 * (number + 1), 2000.0, 0.0)
    assert plausibility.doubt is None


def test_a_charger_that_is_often_away_does_not_fill_the_memory() -> None:
    """One that rests for weeks with a bad connection leaves a hole each time; they are forgotten, too."""
    log = log_of(*((number * OUTAGE_S, 0.0) for number in range(3 * REMEMBERED)))
    assert len(log._holes) <= REMEMBERED  # noqa: SLF001 - the bound is what is tested
    last_s = (3 * REMEMBERED - 1) * OUTAGE_S
    assert log.mean_w(last_s, last_s) == 0.0
    assert log.mean_w(last_s - 1, last_s - 1) is None
