"""How old readings may get, by each source's own rhythm."""

from datetime import UTC, datetime, timedelta

import pytest

from pvcharge.control.freshness import Age, Freshness
from pvcharge.model import PowerFlow

START = datetime(2026, 6, 15, 12, tzinfo=UTC)
START_S = START.timestamp()


def feed(
    fresh: Freshness,
    cadence_s: float,
    span_s: float,
    delay_s: float,
    count: int = 8,
    grid_w: float | None = None,
) -> float:
    """Feed readings of one source; return the second at which the last one arrived."""
    end = START
    for number in range(count):
        end = START + timedelta(seconds=number * cadence_s)
        flow = PowerFlow(
            start=end - timedelta(seconds=span_s), end=end, grid_w=float(number) if grid_w is None else grid_w
        )
        fresh.observe(flow, end.timestamp(), 0.0)
        fresh.state(end.timestamp() + delay_s)
    return end.timestamp() + delay_s


@pytest.mark.parametrize(
    ("cadence_s", "span_s", "delay_s", "fresh_s", "late_s", "stale_s"),
    [
        (5, 0, 5, 15, 30, 120),  # a local meter
        (150, 0, 1, 200, 300, 700),  # a cloud's live value
        (900, 900, 360, 1200, 1500, 3000),  # quarter-hour means
    ],
)
def test_each_rhythm_has_its_own_patience(
    cadence_s: float, span_s: float, delay_s: float, fresh_s: float, late_s: float, stale_s: float
) -> None:
    """Seconds after the last arrival at which a source's reading is still fresh, late, and stale."""
    fresh = Freshness()
    arrived_s = feed(fresh, cadence_s, span_s, delay_s)
    assert fresh.state(arrived_s + fresh_s) is Age.FRESH
    assert fresh.state(arrived_s + late_s) is Age.LATE
    assert fresh.state(arrived_s + stale_s) is Age.STALE


def test_before_any_reading_it_is_late_and_then_stale() -> None:
    """What was found goes on for a quarter of an hour without any reading, not for ever."""
    fresh = Freshness()
    assert fresh.age_s(START_S) is None
    assert fresh.state(START_S) is Age.LATE
    assert fresh.state(START_S + 899) is Age.LATE
    assert fresh.state(START_S + 901) is Age.STALE


def test_an_equal_value_is_not_a_fresh_value() -> None:
    """A cloud that repeats one value for ever grows stale, however often it repeats it."""
    fresh = Freshness()
    arrived_s = feed(fresh, 5, 0, 0, count=200, grid_w=-3210.0)
    assert fresh.frozen
    assert fresh.age_s(arrived_s) == pytest.approx(199 * 5)
    assert fresh.state(arrived_s) is Age.STALE


def test_a_meter_that_does_not_see_the_charger_is_frozen() -> None:
    """Equal values while the charger's power changed by kilowatts come from a cache, once that is sure."""
    fresh = Freshness()
    feed(fresh, 5, 0, 0, count=2, grid_w=-3210.0)
    assert not fresh.frozen
    for second, charger_w in ((10, 4140.0), (15, 0.0), (20, 4140.0)):
        assert not fresh.frozen  # so soon after a change of the values the charger may only tell of it late
        later = START + timedelta(seconds=second)
        fresh.observe(PowerFlow(start=later, end=later, grid_w=-3210.0), later.timestamp(), charger_w)
    assert fresh.frozen


def test_a_new_value_ends_the_frost() -> None:
    """The first value that differs is fresh again."""
    fresh = Freshness()
    feed(fresh, 5, 0, 0, count=200, grid_w=-3210.0)
    later = START + timedelta(seconds=1000)
    fresh.observe(PowerFlow(start=later, end=later, grid_w=-3000.0), later.timestamp(), 0.0)
    assert not fresh.frozen
    assert fresh.state(later.timestamp()) is Age.FRESH


def test_a_night_is_no_rhythm() -> None:
    """A pause of hours does not teach patience of hours."""
    fresh = Freshness()
    feed(fresh, 5, 0, 0)
    morning = START + timedelta(hours=10)
    fresh.observe(PowerFlow(start=morning, end=morning, grid_w=7.0), morning.timestamp(), 0.0)
    assert fresh.cadence_s == 5
    assert fresh.state(morning.timestamp() + 120) is Age.STALE
