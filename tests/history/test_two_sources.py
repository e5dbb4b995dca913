"""Two sources that tell of one house: a live meter, and quarter-hour means of a cloud beside it.

They tell different powers here, so that one sees whose count.
"""

from collections.abc import Iterable
from datetime import datetime
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from history.days import CHARGING, at, energies_wh, increments, instant, mean, only_session, status
from history.samples import decided_on
from pvcharge.history.belief import Belief
from pvcharge.history.energy import EnergyMeter, Quantity
from pvcharge.model import Distrust, PowerFlow

QUARTER_S = 900
LATE_S = 360  # after which a mean can be read
LIVE_W, MEAN_W = 3600.0, 1000.0
PV, EXPORT = Quantity.PV, Quantity.EXPORT

Told = tuple[float, PowerFlow]  # when it comes, and what


def live(start_s: int, end_s: int, *, pv_w: float = LIVE_W, grid_w: float = 0.0) -> list[Told]:
    """Return what a meter in the house tells each 5 s, both ends included."""
    return [
        (at_s, instant(at_s, pv_w=pv_w, grid_w=grid_w, source="live"))
        for at_s in range(start_s, end_s + 1, 5)
    ]


def quarters(start_s: int, end_s: int, *, pv_w: float = MEAN_W, grid_w: float = 0.0) -> list[Told]:
    """Return the means of these quarters."""
    return [
        (first_s + QUARTER_S + LATE_S, mean(first_s, first_s + QUARTER_S, pv_w=pv_w, grid_w=grid_w))
        for first_s in range(start_s, end_s, QUARTER_S)
    ]


def in_order(*told: Iterable[Told]) -> list[PowerFlow]:
    """Return readings in the order in which they come."""
    return [flow for _, flow in sorted((each for some in told for each in some), key=lambda it: it[0])]


def covered(events: Iterable[object]) -> list[tuple[datetime, datetime]]:
    """Return the spans of production that were counted, joined where they touch; fail if two overlap."""
    spans = sorted((it.start, it.end) for it in increments(events) if PV in it.energy_wh)
    assert all(before[1] <= after[0] for before, after in pairwise(spans))
    joined: list[tuple[datetime, datetime]] = []
    for start, end in spans:
        first = joined.pop()[0] if joined and joined[-1][1] == start else start
        joined.append((first, end))
    return joined


def test_beside_a_live_meter_means_count_nothing() -> None:
    """Every moment has been told better when they come."""
    flows = in_order(live(0, 7200), quarters(0, 7200))
    assert energies_wh(flows) == pytest.approx({PV: 7200})
    assert covered(flows) == [(at(0), at(7200))]


@pytest.mark.parametrize("dead_s", [3600, 1000, 400])
@pytest.mark.parametrize("dies_s", [7200, 7000, 6305])
def test_a_live_meter_that_is_dead_for_a_while(dies_s: int, dead_s: int) -> None:
    """The means fill just that time, though the last of them come when the meter is back for long."""
    back_s = dies_s + dead_s
    flows = in_order(live(0, dies_s), live(back_s, 18_000), quarters(0, 18_000))
    live_wh = (dies_s + 18_000 - back_s) * LIVE_W / 3600
    assert energies_wh(flows) == pytest.approx({PV: live_wh + dead_s * MEAN_W / 3600})
    assert covered(flows) == [(at(0), at(18_000))]


def test_a_blink_is_bridged_by_the_meter_itself() -> None:
    """Of two minutes a straight line tells more than the mean of a quarter hour."""
    flows = in_order(live(0, 1000), live(1120, 3600), quarters(0, 3600))
    assert energies_wh(flows) == pytest.approx({PV: LIVE_W})


def test_a_live_meter_that_comes_later() -> None:
    """What the means have counted stays, and the time until their next one is theirs, too."""
    flows = in_order(quarters(0, 7200), live(4000, 7200))
    assert energies_wh(flows) == pytest.approx({PV: (4000 * MEAN_W + 3200 * LIVE_W) / 3600})
    assert covered(flows) == [(at(0), at(7200))]


def test_a_restart_in_the_hole() -> None:
    """What waits for a mean is known to the next daemon."""
    flows = in_order(live(0, 900), live(1800, 2700), quarters(0, 2700))
    meter, pv_wh = EnergyMeter(), 0.0
    for flow in flows:
        meter = EnergyMeter(meter.state())
        pv_wh += sum(increment.energy_wh.get(PV, 0.0) for increment in meter.take(flow))
    assert pv_wh == pytest.approx(900 + 250 + 900)


def test_many_holes_take_no_room() -> None:
    """Nobody fills them, and they do not pile up."""
    meter = EnergyMeter()
    for number in range(1000):
        meter.take(mean(1800 * number, 1800 * number + 900, pv_w=1.0))
    assert len(meter.state()["pv"]["holes"]) == 16
    assert meter.state()["pv"]["holes"][-1]["end"] == "2026-07-06T07:30:00Z"


@given(
    st.lists(st.tuples(st.integers(0, 20), st.integers(1, 20)), max_size=20),
    st.lists(st.tuples(st.integers(0, 20), st.integers(1, 20)), max_size=20),
)
def test_whatever_is_told_of_a_steady_house_counts_once(
    first: list[tuple[int, int]], later: list[tuple[int, int]]
) -> None:
    """In any order: the energy is that of the time that is covered, if it lies after what came first."""
    begin = mean(0, 1, grid_w=-3600)
    flows = [begin] + [
        mean(1 + start, 1 + start + span, grid_w=-3600, source=source)
        for source, some in (("a", first), ("b", later))
        for start, span in some
    ]
    told = {second for flow in flows[1:] for second in range(*(_second(it) for it in (flow.start, flow.end)))}
    assert energies_wh(flows)[EXPORT] == pytest.approx(1 + len(told))


def _second(time: datetime) -> int:
    return round((time - at(0)).total_seconds())


def test_the_solar_part_counts_once_too() -> None:
    """All from the sun by the meter, three quarters by the means; a late one is what was assumed anyway."""
    statuses = [(at_s, status(at_s, CHARGING, 3600)) for at_s in range(0, 18_001, 60)]
    means = quarters(0, 18_000, grid_w=900)
    events = [*statuses, *live(0, 7200), *live(10_800, 18_000), *means]
    session = only_session(event for _, event in sorted(events, key=lambda it: it[0]))
    assert session.energy_wh == pytest.approx(18_000)
    assert session.solar_wh == pytest.approx(14_400 + 0.75 * 3600, rel=1e-6)


@pytest.mark.parametrize("distrust", [None, *Distrust])
def test_what_cannot_be_true_is_not_counted(distrust: Distrust | None) -> None:
    """A meter that is mounted backwards is not counted, one that was silent is as soon as it speaks."""
    belief = Belief()
    belief.take(decided_on("cloud", distrust))
    untrue = {Distrust.FROZEN, Distrust.BACKWARDS, Distrust.SCALED, Distrust.OTHER_METER}
    assert belief.counts(instant(0, grid_w=1, source="live")) == (distrust not in untrue)
    assert belief.counts(instant(0, grid_w=1, source="cloud"))


def test_belief_comes_back() -> None:
    """With the first decision that trusts it again; before the first decision everything counts."""
    belief, flow = Belief(), instant(0, grid_w=1, source="live")
    assert belief.counts(flow)
    belief.take(decided_on("cloud", Distrust.BACKWARDS))
    belief.take(decided_on("live", None))
    assert belief.counts(flow)
