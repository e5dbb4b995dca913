"""When readings become known, per source."""

from datetime import UTC, datetime, timedelta

import pytest

from pvcharge.model import PowerFlow
from pvcharge.sim.battery import Battery
from pvcharge.sim.feed import Feed, Source
from pvcharge.sim.house import House
from pvcharge.sim.trace import Trace

MIDNIGHT = datetime(2026, 6, 1, tzinfo=UTC)
STEP = timedelta(seconds=5)


def house(battery: Battery | None = None) -> House:
    """A house whose household tells the time: step k after midnight draws k watts."""
    trace = Trace(MIDNIGHT, STEP, [5000.0] * 8000, [float(k) for k in range(8000)])
    return House(trace, start=MIDNIGHT, charger_w=lambda: 0.0, battery=battery)


def second(at: datetime) -> float:
    """The second of the day."""
    return (at - MIDNIGHT).total_seconds()


def heard(source: Source, hours: float, seed: int = 1) -> list[tuple[float, PowerFlow]]:
    """Run a house and note when each reading was handed out."""
    home = house()
    feed = Feed(source, home, start=MIDNIGHT, seed=seed)
    readings = []
    for k in range(int(hours * 720) + 1):
        now = MIDNIGHT + k * STEP
        home.advance(now)
        readings += [(second(now), flow) for flow in feed.due(now)]
    return readings


def test_modbus_tells_each_step_a_step_late() -> None:
    """At each step the one before becomes known, with its own time."""
    readings = heard(Source.MODBUS, hours=1)
    assert [now for now, _ in readings] == [5.0 * k for k in range(1, 721)]
    assert [second(flow.start) for _, flow in readings] == [5.0 * k for k in range(720)]
    assert all(flow.start == flow.end for _, flow in readings)
    assert [flow.load_w for _, flow in readings] == [float(k) for k in range(720)]


def test_live_values_are_older_than_they_say() -> None:
    """Every 150 s comes an instant stamped on arrival, whose power is 20..100 s old."""
    readings = heard(Source.LIVE, hours=10)
    assert [now for now, _ in readings] == [125.0 + 150 * k for k in range(240)]
    assert all(second(flow.start) == second(flow.end) == now for now, flow in readings)
    ages_s = [now - 5 * (flow.load_w or 0) for now, flow in readings]
    assert min(ages_s) == 20
    assert max(ages_s) == 100
    assert heard(Source.LIVE, hours=10) == readings
    assert heard(Source.LIVE, hours=10, seed=2) != readings


def test_quarters_come_6_minutes_after_their_end() -> None:
    """The first quarter hour is readable 21 minutes after midnight, as a mean over its 180 steps."""
    readings = heard(Source.QUARTER, hours=1)
    assert [now for now, _ in readings] == [1260, 2160, 3060]
    _, first = readings[0]
    assert (second(first.start), second(first.end)) == (0, 900)
    assert first.pv_w == pytest.approx(5000)
    assert first.load_w == pytest.approx(89.5)
    assert first.grid_w == pytest.approx(89.5 - 5000)


def test_a_known_past_is_readable_at_once() -> None:
    """A feed that begins at 10:10 on a house with a past tells the quarter up to 10:00 first."""
    home = house()
    start = MIDNIGHT + timedelta(hours=10, minutes=10)
    home.advance(start)
    (flow,) = Feed(Source.QUARTER, home, start=start).due(start)
    assert (flow.start, flow.end) == (
        MIDNIGHT + timedelta(hours=9, minutes=45),
        MIDNIGHT + timedelta(hours=10),
    )


def test_nobody_asking_for_a_while_loses_nothing() -> None:
    """What arrived since the last call comes oldest first."""
    home = house()
    hour = MIDNIGHT + timedelta(hours=1)
    quarters, modbus = (Feed(source, home, start=MIDNIGHT) for source in (Source.QUARTER, Source.MODBUS))
    home.advance(hour)
    assert [second(flow.end) for flow in quarters.due(hour)] == [900, 1800, 2700]
    assert [second(flow.end) for flow in modbus.due(hour)] == [5.0 * k for k in range(720)]


def test_readings_name_source_and_battery() -> None:
    """A reading carries where it comes from, and the battery where there is one."""
    home = house(Battery(soc_pct=100))
    home.advance(MIDNIGHT + STEP)
    (flow,) = Feed(Source.MODBUS, home, start=MIDNIGHT).due(MIDNIGHT + STEP)
    assert (flow.source, flow.battery_w, flow.battery_soc_pct) == ("modbus", 0, 100)
