"""The recorded house: what is recorded of a house gives its production and its household back."""

from collections.abc import Iterator, Sequence
from datetime import timedelta
from itertools import pairwise
from pathlib import Path
from statistics import fmean

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from history.recording import MORNING, record, sunny_and_cloudy
from pvcharge.history.rows import Event
from pvcharge.history.store import Batch, Store
from pvcharge.model import NO_CHARGE, ChargerState, ChargerStatus, PowerFlow, Setpoint
from pvcharge.recorded import NothingRecordedError, RecordedHouse, recorded_house
from pvcharge.sim.feed import Source
from pvcharge.sim.household import SyntheticProfile
from pvcharge.simulation import Visit

HOUR = timedelta(hours=1)
MINUTE = timedelta(minutes=1)
SECOND = timedelta(seconds=1)
CHARGING, READY = ChargerState.CHARGING, ChargerState.READY
FULL = Setpoint(3, 16)
GONE, COMPLETE = ChargerState.DISCONNECTED, ChargerState.COMPLETE


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    """Return a new store."""
    opened = Store.open(tmp_path / "history.db")
    yield opened
    opened.close()


# --- round trips ---


def recorded_by(source: Source, path: Path, profile: SyntheticProfile) -> RecordedHouse:
    """Return what five simulated hours with a car look like in the records of a source."""
    record(
        path,
        MORNING,
        5.0,
        lambda house: {0.5: house.charger.plug_in, 4.6: house.charger.unplug},
        source,
        profile=profile,
    )
    store = Store.open(path)
    house = recorded_house(store, MORNING, MORNING + 5 * HOUR)
    store.close()
    return house


def true_means(profile: SyntheticProfile, house: RecordedHouse) -> tuple[list[float], list[float]]:
    """Return production and household by the minutes of a recorded house, as they were simulated."""
    starts = [house.trace.start + number * MINUTE for number in range(len(house.trace.pv_means_w))]
    parts = [5 * SECOND * number for number in range(12)]
    return (
        [fmean(profile.pv_w(start + part) for part in parts) for start in starts],
        [fmean(profile.load_w(start + part) for part in parts) for start in starts],
    )


def errors(found: Sequence[float], true: Sequence[float]) -> list[float]:
    """Return how far each minute is off."""
    return [abs(one - other) for one, other in zip(found, true, strict=True)]


def test_a_device_in_the_house_tells_every_minute(tmp_path: Path) -> None:
    """An instant each 5 s gives the very means, within a watt on the average, while a car charges."""
    profile = sunny_and_cloudy()
    house = recorded_by(Source.MODBUS, tmp_path / "history.db", profile)
    trace = house.trace
    pv_w, load_w = true_means(profile, house)
    assert (trace.start, trace.end) == (MORNING, MORNING + 5 * HOUR)
    assert trace.load_means_w is not None
    assert fmean(errors(trace.pv_means_w, pv_w)) < 1
    assert fmean(errors(trace.load_means_w, load_w)) < 1
    assert (house.source, house.covered, house.battery) == (Source.MODBUS, 1.0, False)


def test_live_values_of_a_cloud_give_the_energies(tmp_path: Path) -> None:
    """They are up to 100 s late and 150 s apart: minutes are lost, the sums are right within 3 %."""
    profile = sunny_and_cloudy()
    house = recorded_by(Source.LIVE, tmp_path / "history.db", profile)
    pv_w, load_w = true_means(profile, house)
    assert house.trace.load_means_w is not None
    assert fmean(house.trace.pv_means_w) == pytest.approx(fmean(pv_w), rel=0.03)
    assert fmean(house.trace.load_means_w) == pytest.approx(fmean(load_w), rel=0.03)
    assert house.source is Source.LIVE
    assert house.covered > 0.99


def test_quarter_hours_give_their_own_means(tmp_path: Path) -> None:
    """Though the car has moved within them: what it drew is taken off by the same interval."""
    profile = sunny_and_cloudy()
    house = recorded_by(Source.QUARTER, tmp_path / "history.db", profile)
    pv_w, load_w = true_means(profile, house)
    trace = house.trace
    assert trace.load_means_w is not None
    assert trace.end >= MORNING + 4.5 * HOUR
    for first in range(0, 4 * 60, 15):
        quarter = slice(first, first + 15)
        assert fmean(trace.pv_means_w[quarter]) == pytest.approx(fmean(pv_w[quarter]), rel=1e-6)
        assert fmean(trace.load_means_w[quarter]) == pytest.approx(fmean(load_w[quarter]), rel=1e-6)
    assert house.source is Source.QUARTER


def test_the_car_is_found_too(tmp_path: Path) -> None:
    """When it came and left, and what it drew."""
    house = recorded_by(Source.MODBUS, tmp_path / "history.db", sunny_and_cloudy())
    (visit,) = house.visits
    assert abs(visit.start - (MORNING + 0.5 * HOUR)) < 10 * SECOND
    assert abs(visit.end - (MORNING + 4.6 * HOUR)) < 10 * SECOND
    assert visit.wanted_wh is None
    chart = house.chart()
    assert len(chart.at) == 300
    assert chart.at[1] - chart.at[0] == MINUTE
    assert sum(chart.charger_w) / 60 == pytest.approx(sum(house.charger_w) / 60)
    assert 1000 < sum(chart.charger_w) / 60 < 30_000
    for k in range(0, 300, 7):
        assert chart.pv_w[k] + chart.grid_w[k] == pytest.approx(chart.load_w[k] + chart.charger_w[k])


# --- readings ---


def instant(second: float, pv_w: float | None, grid_w: float | None, source: str = "roof") -> PowerFlow:
    """Return a reading of an instant."""
    at = MORNING + second * SECOND
    return PowerFlow(at, at, pv_w, grid_w, source=source)


def mean(first_s: float, last_s: float, pv_w: float, grid_w: float, source: str = "cloud") -> PowerFlow:
    """Return a mean."""
    return PowerFlow(MORNING + first_s * SECOND, MORNING + last_s * SECOND, pv_w, grid_w, source=source)


def status(
    second: float, state: ChargerState = GONE, power_w: float = 0.0, setpoint: Setpoint | None = NO_CHARGE
) -> ChargerStatus:
    """Return what the charger says."""
    return ChargerStatus(MORNING + second * SECOND, state, power_w, setpoint=setpoint)


def idle(minutes: int) -> list[Event]:
    """Return what an idle charger says."""
    return [status(second) for second in range(-20, 60 * minutes + 60, 20)]


def made(store: Store, events: Sequence[Event], minutes: int) -> RecordedHouse:
    """Record events, and return the house of them in these minutes."""
    store.write(Batch(MORNING - MINUTE, events))
    return recorded_house(store, MORNING, MORNING + minutes * MINUTE)


def kilowatts(values: Sequence[float] | None) -> list[float]:
    """Return powers in kW, to the watt."""
    return [round(value / 1000, 3) for value in values or ()]


def test_an_instant_holds_until_the_next_one(store: Store) -> None:
    """Within a minute each counts for its time."""
    house = made(store, [*idle(5), instant(0, 1000, 0), instant(75, 5000, 0), instant(240, 2000, 0)], 4)
    assert kilowatts(house.trace.pv_means_w) == [1.0, 4.0, 5.0, 5.0]
    assert kilowatts(house.trace.load_means_w) == [1.0, 4.0, 5.0, 5.0]
    assert (house.source, house.covered) == (Source.LIVE, 1.0)


def test_a_hole_is_held_and_told(store: Store) -> None:
    """An instant stands for five minutes at most; where nobody knows better, its value is held on."""
    house = made(store, [*idle(21), instant(0, 1000, 0), instant(1200, 3000, 0)], 20)
    assert kilowatts(house.trace.pv_means_w) == [1.0] * 20
    assert house.covered == pytest.approx(5 / 20)


def test_a_slow_source_may_be_slow(store: Store) -> None:
    """Three of its usual pauses are no hole, even if that is more than five minutes."""
    readings: list[Event] = [instant(240 * number, 1000, 0) for number in range(5)]
    house = made(store, [*idle(40), *readings, instant(960 + 700, 2000, 0)], 27)
    assert kilowatts(house.trace.pv_means_w) == [1.0] * 27
    assert house.covered == pytest.approx(1.0)


def test_what_is_not_known_at_the_beginning_is_as_it_was_first_known(store: Store) -> None:
    """Nothing begins with zeros."""
    early = instant(-3000, 500, 0)
    house = made(store, [status(-3001), early, *idle(10), instant(420, 2000, 0)], 8)
    assert kilowatts(house.trace.pv_means_w) == [2.0] * 8
    assert house.covered == pytest.approx(1 / 8)


def test_the_finer_source_wins_where_it_tells_something(store: Store) -> None:
    """A cloud's means fill the holes of the device in the house, and nothing else."""
    local: list[Event] = [instant(5 * number, 4000, 0, "local") for number in range(120)]
    cloud: list[Event] = [mean(900 * number, 900 * (number + 1), 1000, 500) for number in range(2)]
    house = made(store, [*idle(35), *local, *cloud], 30)
    pv_kw = kilowatts(house.trace.pv_means_w)
    assert pv_kw[:10] == [4.0] * 10
    assert pv_kw[16:] == [1.0] * 14
    assert kilowatts(house.trace.load_means_w)[16:] == [1.5] * 14
    assert house.covered == pytest.approx(1.0)


def test_a_mean_that_is_told_again_counts_once(store: Store) -> None:
    """A cloud is asked for the same quarters more than once."""
    quarters: list[Event] = [mean(0, 900, 1000, 0), mean(0, 900, 9000, 0), mean(600, 1200, 2000, 0)]
    house = made(store, [*idle(25), *quarters], 20)
    assert kilowatts(house.trace.pv_means_w) == [1.0] * 15 + [2.0] * 5


def test_without_production_the_grid_says_what_it_can(store: Store) -> None:
    """What is exported was produced, what is imported was consumed; the car is taken off before."""
    events: list[Event] = [
        status(-5),
        instant(0, None, -3000),
        status(55, CHARGING, 2000.0),
        instant(60, None, 2500),
    ]
    house = made(store, [*events, status(120, CHARGING, 2000.0), instant(120, None, 0)], 2)
    assert kilowatts(house.trace.pv_means_w) == [3.0, 0.0]
    assert kilowatts(house.trace.load_means_w) == [0.0, 0.5]


def test_without_a_meter_the_inverters_own_sum_will_do(store: Store) -> None:
    """Production and consumption are all that is needed; production alone tells nothing of the house."""
    at = [MORNING + number * MINUTE for number in range(4)]
    events = [
        PowerFlow(at[0], at[0], pv_w=3000.0, load_w=2500.0),
        PowerFlow(at[1], at[1], pv_w=9000.0),
        PowerFlow(at[2], at[2], pv_w=1000.0, load_w=2200.0),
    ]
    house = made(store, [status(-5, CHARGING, 2000.0), status(100, CHARGING, 2000.0), *events], 3)
    assert kilowatts(house.trace.pv_means_w) == [3.0, 3.0, 1.0]
    assert kilowatts(house.trace.load_means_w) == [0.5, 0.5, 0.2]


def test_a_battery_is_neither_roof_nor_household(store: Store) -> None:
    """What it takes or gives is left out, and a reading that is silent about it is left out too."""
    at = [MORNING + number * MINUTE for number in range(3)]
    events = [
        PowerFlow(at[0], at[0], pv_w=4000.0, grid_w=-1000.0, battery_w=2000.0),
        PowerFlow(at[1], at[1], pv_w=4000.0, grid_w=-1000.0),
        PowerFlow(at[2], at[2], pv_w=0.0, grid_w=0.0, battery_w=-700.0),
    ]
    house = made(store, [*idle(4), *events], 3)
    assert kilowatts(house.trace.pv_means_w) == [4.0, 4.0, 0.0]
    assert kilowatts(house.trace.load_means_w) == [1.0, 1.0, 0.7]
    assert house.battery


def test_nothing_is_below_zero(store: Store) -> None:
    """An inverter's own consumption at night is no production, and old values may not fit together."""
    house = made(store, [*idle(3), instant(0, -4, 300), instant(60, 1000, -1500), instant(120, 0, 0)], 2)
    assert kilowatts(house.trace.pv_means_w) == [0.0, 1.0]
    assert kilowatts(house.trace.load_means_w) == [0.3, 0.0]


def test_while_the_charger_is_not_heard_nothing_is_known(store: Store) -> None:
    """The house's meter sees the car too."""
    unheard: list[Event] = [instant(0, 0, 7500), instant(30, 0, 7500), instant(600, 0, 500)]
    heard: list[Event] = [status(900), instant(900, 0, 400), instant(960, 0, 400)]
    house = made(store, [status(0, CHARGING, 7000.0), *unheard, *heard], 16)
    assert kilowatts(house.trace.load_means_w) == [0.5] * 15 + [0.4]
    assert house.covered == pytest.approx((30 + 300 + 60) / 960)


def test_there_is_no_house_of_nothing(store: Store) -> None:
    """No reading at all, none in the range, none with a charger, or none that tells enough."""
    with pytest.raises(NothingRecordedError, match="no reading of the grid"):
        recorded_house(store, MORNING, MORNING + HOUR)
    store.write(Batch(MORNING, [instant(0, 1000, 0), *idle(3), instant(60, 1000, None)]))
    for start in (MORNING, MORNING + 5 * HOUR, MORNING - 5 * HOUR):
        with pytest.raises(NothingRecordedError, match="none while the charger was heard"):
            recorded_house(store, start, start + HOUR)


def test_a_range_is_cut_to_what_is_kept(store: Store) -> None:
    """Nobody wants ten years of held values."""
    store.write(Batch(MORNING, [*idle(10), *(instant(60 * minute, 1000, 0) for minute in range(1, 8))]))
    house = recorded_house(store, MORNING - 5000 * HOUR, MORNING + 5000 * HOUR)
    assert (house.trace.start, house.trace.end) == (MORNING + MINUTE, MORNING + 8 * MINUTE)
    assert house.covered == 1.0


@given(
    lengths_s=st.lists(st.floats(1, 2000), min_size=1, max_size=12),
    powers_w=st.lists(st.floats(0, 9000), min_size=12, max_size=12),
)
@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_no_energy_is_lost_between_the_minutes(
    tmp_path_factory: pytest.TempPathFactory, lengths_s: list[float], powers_w: list[float]
) -> None:
    """Means over any intervals, one after the other, come to the same energy by minutes."""
    store = Store.open(tmp_path_factory.mktemp("means") / "history.db")
    ends_s = [sum(lengths_s[: number + 1]) for number in range(len(lengths_s))]
    readings = [
        mean(first_s, last_s, pv_w, 0.0)
        for (first_s, last_s), pv_w in zip(pairwise([0.0, *ends_s]), powers_w, strict=False)
    ]
    minutes = int(ends_s[-1] // 60) + 1
    seen: list[Event] = [*idle(minutes), *readings]
    house = made(store, seen, minutes)
    store.close()
    true_wh = sum((it.pv_w or 0.0) * it.span_s for it in readings) / 3600
    rest_s = house.trace.step_s * len(house.trace.pv_means_w) * house.covered
    assert rest_s == pytest.approx(ends_s[-1], abs=1e-3)
    held_wh = (60 * minutes - ends_s[-1]) * house.trace.pv_means_w[-1] / 3600
    assert sum(house.trace.pv_means_w) / 60 - held_wh == pytest.approx(true_wh, abs=0.01)


# --- cars ---


def test_cars_come_and_go(store: Store) -> None:
    """Also one that was there before, and one that is still there; a fault does not send it away."""
    events: list[Event] = [
        status(-10, READY),
        instant(0, 0, 400),
        status(300, ChargerState.ERROR),
        status(400, READY),
        status(600),
        status(900, CHARGING, 4000.0),
        status(1000, ChargerState.UNKNOWN),
        status(1100, CHARGING, 4000.0),
        instant(1100, 0, 4400),
        instant(3600, 0, 400),
    ]
    house = made(store, events, 60)
    assert house.visits == (
        Visit(MORNING, MORNING + 600 * SECOND),
        Visit(MORNING + 900 * SECOND, MORNING + HOUR),
    )


def full_after(idle_s: float, setpoint: Setpoint = FULL) -> list[Event]:
    """Return a car that draws 6 kW for ten minutes, then nothing."""
    draws: list[Event] = [status(60 * minute, CHARGING, 6000.0, setpoint) for minute in range(10)]
    rests = [status(600, COMPLETE, 5.0, setpoint), status(600 + idle_s, COMPLETE, 0.0, setpoint)]
    readings: list[Event] = [instant(0, 0, 400), instant(905, 0, 400)]
    return [status(-1), *draws, *rests, *readings, status(1200, GONE), instant(1300, 0, 400)]


def test_a_car_that_was_full_wants_no_more_than_it_took(store: Store) -> None:
    """A simulated one shall not take more either."""
    (visit,) = made(store, full_after(130), 20).visits
    assert visit.wanted_wh == pytest.approx(1000, rel=0.02)
    assert visit.end == MORNING + 1200 * SECOND


@pytest.mark.parametrize(
    "events",
    [full_after(100), full_after(500, NO_CHARGE)],
    ids=["rests for a moment", "is not allowed to draw"],
)
def test_a_car_that_merely_rests_is_not_full(store: Store, events: list[Event]) -> None:
    """Nobody knows what it would have taken."""
    (visit,) = made(store, events, 20).visits
    assert visit.wanted_wh is None


def test_a_car_that_came_full_wants_next_to_nothing(store: Store) -> None:
    """What it took before the range is not its to take again."""
    store.write(Batch(MORNING - HOUR, full_after(130)))
    later = MORNING + 15 * MINUTE
    (visit,) = recorded_house(store, later, MORNING + 20 * MINUTE).visits
    assert visit == Visit(later, MORNING + 20 * MINUTE, 1.0)
