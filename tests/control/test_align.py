"""What the charger drew during a reading's own interval, and the surplus that follows."""

from datetime import UTC, datetime
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pvcharge.control.align import HEARD_S, ChargerPowerLog, after_battery
from pvcharge.control.settings import BatteryPolicy
from pvcharge.model import PowerFlow

NOON = datetime(2026, 6, 15, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("start_s", "end_s", "mean_w"),
    [
        (0, 0, 1000.0),  # the instant a value begins, it holds
        (9, 9, 1000.0),
        (10, 10, 3000.0),
        (0, 20, 2000.0),
        (5, 15, 2000.0),
        (20, 40, 1500.0),  # 3000 W until 30, nothing after
        (40, 70, 0.0),  # after the last: still so
    ],
)
def test_means_of_a_step_function(start_s: float, end_s: float, mean_w: float) -> None:
    """The log is a step function, constant beyond both ends."""
    log = ChargerPowerLog()
    for at_s, power_w in ((0, 1000), (10, 3000), (30, 0)):
        log.add(at_s, power_w)
    assert log.mean_w(start_s, end_s) == pytest.approx(mean_w)


def test_nothing_is_known_of_an_unheard_charger() -> None:
    """Without any status there is no power, not 0."""
    assert ChargerPowerLog().mean_w(0, 10) is None


def test_the_time_before_the_first_status() -> None:
    """An idle charger has been idle; when a running charge began, nobody knows."""
    idle, running = ChargerPowerLog(), ChargerPowerLog()
    idle.add(1000, 0.0)
    running.add(1000, 4140.0)
    assert idle.mean_w(0, 900) == 0.0
    assert running.mean_w(0, 900) is None
    assert running.mean_w(500, 500) is None
    assert running.mean_w(900, 1000) is None
    assert running.mean_w(980, 1040) == 4140.0  # known for the better part


@given(
    st.lists(
        st.tuples(st.floats(0.1, HEARD_S), st.sampled_from([0.0, 1380.0, 4140.0, 11040.0])),
        min_size=1,
        max_size=60,
    ),
    st.floats(-500.0, 9000.0),
    st.floats(1.0, 3000.0),
)
def test_means_equal_a_plain_sum(steps: list[tuple[float, float]], start_s: float, span_s: float) -> None:
    """Merging runs of equal power and the running integral change no mean."""
    log, at_s, entries = ChargerPowerLog(), 0.0, []
    for pause_s, power_w in steps:
        at_s += pause_s
        log.add(at_s, power_w)
        entries.append((at_s, power_w))
    start_s, end_s = min(start_s, at_s), min(start_s + max(span_s, 0.1), at_s + HEARD_S)
    asked_s, span_s = start_s, end_s - start_s
    if entries[0][1] > 0 and start_s < entries[0][0]:  # nothing is known of its past
        unknown_s = entries[0][0] - start_s
        if span_s - unknown_s < span_s / 2:
            assert log.mean_w(asked_s, end_s) is None
            return
        start_s, span_s = entries[0][0], span_s - unknown_s
    edges = sorted({start_s, end_s, *(at for at, _ in entries if start_s < at < end_s)})
    energy = 0.0
    for left, right in pairwise(edges):
        before = [power for at, power in entries if at <= left]
        energy += (before[-1] if before else entries[0][1]) * (right - left)
    assert log.mean_w(asked_s, end_s) == pytest.approx(energy / span_s, abs=1e-3)


def test_what_an_unheard_charger_does_is_not_known() -> None:
    """Neither now nor in a hole of the past; an interval that is known for its better part is."""
    log = ChargerPowerLog()
    for at_s, power_w in ((0, 0.0), (10, 6900.0), (910, 0.0), (920, 0.0)):
        log.add(at_s, power_w)
    assert log.mean_w(50, 50) == 6900.0
    assert log.mean_w(60, 60) is None  # 45 s after the last word
    assert log.mean_w(910, 910) == 0.0
    assert log.mean_w(0, 800) is None
    assert log.mean_w(10, 80) == 6900.0  # 45 s of 70
    assert log.mean_w(860, 950) is None
    assert log.mean_w(890, 950) == pytest.approx(0.0)
    assert log.mean_w(970, 970) is None
    assert log.mean_w(910, 1000) == 0.0


def test_a_charger_that_speaks_seldom_is_believed_for_longer() -> None:
    """What it does in between is known as well as ever it is."""
    log = ChargerPowerLog()
    for number in range(10):
        log.add(60.0 * number, 1000.0 + number)
    assert log.heard_s == 180.0
    assert log.mean_w(700, 700) == 1009.0
    assert log.mean_w(730, 730) is None


def test_memory_is_bounded_and_the_recent_past_is_exact() -> None:
    """A charger that talks ten times a second neither fills the memory nor loses the last minutes."""
    log = ChargerPowerLog()
    for tick in range(100_000):
        log.add(tick / 10, tick % 2 * 2000.0)
    assert len(log._at_s) <= 8193  # noqa: SLF001 - the bound is what is tested
    assert log.mean_w(9900, 9990) == pytest.approx(1000.0)


def test_an_older_status_changes_nothing() -> None:
    """Time only goes on."""
    log = ChargerPowerLog()
    log.add(10, 1000)
    log.add(5, 9999)
    assert log.mean_w(0, 20) == 1000


CAR, BATTERY = BatteryPolicy.CAR_FIRST, BatteryPolicy.BATTERY_FIRST


@pytest.mark.parametrize(
    ("grid_w", "battery_w", "soc_pct", "policy", "min_soc_pct", "expected_w"),
    [
        (-1000.0, None, None, BATTERY, 0.0, 3000.0),  # no battery: charger - grid
        (500.0, None, None, BATTERY, 0.0, 1500.0),
        (0.0, -1500.0, 80.0, BATTERY, 0.0, 500.0),  # discharge is never surplus
        (0.0, -1500.0, 80.0, CAR, 0.0, 500.0),
        (0.0, 1500.0, 80.0, BATTERY, 0.0, 2000.0),  # what the battery takes is its own
        (0.0, 1500.0, 80.0, CAR, 0.0, 3500.0),  # the car goes first
        (0.0, 1500.0, 40.0, CAR, 50.0, 2000.0),  # not below the battery's minimum
        (0.0, 1500.0, None, CAR, 50.0, 2000.0),  # nor if the state of charge is unknown
        (0.0, 1500.0, None, CAR, 0.0, 3500.0),
    ],
)
def test_surplus_with_a_battery(
    grid_w: float,
    battery_w: float | None,
    soc_pct: float | None,
    policy: BatteryPolicy,
    min_soc_pct: float,
    expected_w: float,
) -> None:
    """The home battery's discharge never counts, its charging as the policy says."""
    flow = PowerFlow(start=NOON, end=NOON, grid_w=grid_w, battery_w=battery_w, battery_soc_pct=soc_pct)
    assert after_battery(2000.0 - grid_w, flow, policy, min_soc_pct) == expected_w
