"""What holds of energies whatever the readings: nothing twice, nothing invented, nothing forgotten."""

from collections import defaultdict
from collections.abc import Sequence
from datetime import datetime
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from history.days import anything, energies_wh, increments, instant, mean, restarted
from pvcharge.history.energy import EnergyMeter, Quantity
from pvcharge.model import ChargerStatus, PowerFlow

PV, IMPORT, EXPORT = Quantity.PV, Quantity.IMPORT, Quantity.EXPORT

watts = st.floats(-15_000, 15_000)
courses = st.lists(
    st.tuples(st.floats(1, 300), watts), min_size=2, max_size=20
)  # pauses, powers at their ends
parts = st.lists(st.floats(0.01, 0.99), max_size=4).map(lambda cuts: [0.0, *sorted(set(cuts)), 1.0])


def above_wh(start_w: float, end_w: float, span_s: float) -> float:
    """Return the area of a straight line above zero, by the corner points of what is left of it."""
    if start_w <= 0 and end_w <= 0:
        return 0.0
    low, high = sorted((start_w, end_w))
    base_s = span_s if low >= 0 else span_s * high / (high - low)
    return base_s * (max(low, 0.0) + high) / 2 / 3600


@given(courses, st.data())
def test_instants_give_the_integral_however_many(
    course: list[tuple[float, float]], data: st.DataObject
) -> None:
    """More readings along the same course change no energy."""
    at_s, bought_wh, sold_wh = 0.0, 0.0, 0.0
    flows = [instant(0, grid_w=course[0][1])]
    for (_, start_w), (span_s, end_w) in pairwise(course):
        flows += [
            instant(at_s + part * span_s, grid_w=start_w + part * (end_w - start_w))
            for part in data.draw(parts)[1:]
        ]
        at_s += span_s
        bought_wh += above_wh(start_w, end_w, span_s)
        sold_wh += above_wh(-start_w, -end_w, span_s)
    found = energies_wh(flows)
    assert found.get(IMPORT, 0.0) == pytest.approx(bought_wh, abs=0.01)
    assert found.get(EXPORT, 0.0) == pytest.approx(sold_wh, abs=0.01)


@given(courses, st.data())
def test_means_give_the_integral_however_long(course: list[tuple[float, float]], data: st.DataObject) -> None:
    """So do means, which may be of any length."""
    at_s, flows = 0.0, []
    for span_s, power_w in course:
        for start, end in pairwise(data.draw(parts)):
            flows.append(mean(at_s + start * span_s, at_s + end * span_s, grid_w=power_w))
        at_s += span_s
    found = energies_wh(flows)
    assert found.get(IMPORT, 0.0) == pytest.approx(sum(max(0, w) * s for s, w in course) / 3600, abs=0.01)
    assert found.get(EXPORT, 0.0) == pytest.approx(sum(max(0, -w) * s for s, w in course) / 3600, abs=0.01)


readings_by_time = st.lists(
    st.tuples(st.floats(0, 3600), st.sampled_from([0.0, 0.0, 60.0, 900.0]), st.sampled_from("abc")),
    max_size=60,
)


def _of_a_steady_house(readings: list[tuple[float, float, str]]) -> list[PowerFlow]:
    """Return readings, told when they end, of a house that sells 3600 W."""
    ordered = sorted(readings, key=lambda reading: reading[0])
    return [mean(end_s - span_s, end_s, grid_w=-3600, source=source) for end_s, span_s, source in ordered]


@given(readings_by_time)
def test_sources_that_overlap_count_once(readings: list[tuple[float, float, str]]) -> None:
    """Three sources that tell the same give its energy for the time that any of them covers, not thrice."""
    found = increments(_of_a_steady_house(readings))
    covered_s = sum((increment.end - increment.start).total_seconds() for increment in found)
    assert sum(increment.energy_wh[EXPORT] for increment in found) == pytest.approx(covered_s, abs=0.01)
    assert covered_s <= 3600 + 900 + 1e-6


@given(st.lists(st.tuples(st.floats(0, 3600), st.sampled_from([0.0, 900.0])), max_size=30))
def test_the_order_of_sources_does_not_matter(readings: list[tuple[float, float]]) -> None:
    """Of two sources that tell the same at the same time either may be the first."""
    both = [(end_s, span_s, source) for end_s, span_s in readings for source in "ab"]
    swapped = [(end_s, span_s, source) for end_s, span_s in readings for source in "ba"]
    one = [(end_s, span_s, "a") for end_s, span_s in readings]
    found, expected = energies_wh(_of_a_steady_house(both)), energies_wh(_of_a_steady_house(one))
    assert found == pytest.approx(expected)
    assert energies_wh(_of_a_steady_house(swapped)) == pytest.approx(expected)


@given(anything)
def test_nothing_is_negative_and_no_time_counts_twice(events: Sequence[object]) -> None:
    """Of no quantity do two increments overlap, and none holds more than the highest power can give."""
    counted: dict[Quantity, list[tuple[datetime, datetime]]] = defaultdict(list)
    strongest_w = max(
        (
            abs(power_w or 0.0)
            for event in events
            if isinstance(event, PowerFlow)
            for power_w in (event.pv_w, event.grid_w, event.battery_w)
        ),
        default=0.0,
    )
    for increment in increments(events):
        span_s = (increment.end - increment.start).total_seconds()
        assert span_s > 0
        for quantity, energy_wh in increment.energy_wh.items():
            assert energy_wh >= 0
            counted[quantity].append((increment.start, increment.end))
            if quantity is Quantity.CHARGER:
                assert energy_wh <= 50_000 * (events_span_s(events)) / 3600 + 100
            else:
                assert energy_wh <= strongest_w * span_s / 3600 * (1 + 1e-9)
    for spans in counted.values():
        assert all(before[1] <= after[0] for before, after in pairwise(sorted(spans)))


def events_span_s(events: Sequence[object]) -> float:
    """Return the time from the first status to the last."""
    times = [event.at for event in events if isinstance(event, ChargerStatus)]
    return (max(times) - min(times)).total_seconds()


@given(anything, st.sets(st.integers(0, 40)))
def test_restarts_change_nothing(events: Sequence[object], restarts: set[int]) -> None:
    """Whenever the daemon is restarted, each event adds exactly what it would have added, to the last bit."""
    steady, shaken = EnergyMeter(), EnergyMeter()
    for number, event in enumerate(events):
        if number in restarts:
            shaken = restarted(shaken)
        assert shaken.take(event) == steady.take(event)
    assert shaken.state() == steady.state()
