"""The days before a demo: decided and counted as a daemon would have, and carried on by the demo's own."""

import asyncio
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest

from pvcharge.app import App
from pvcharge.demo import Demo, DemoOptions, write_past
from pvcharge.history.archive import FILE
from pvcharge.history.reading import Reader
from pvcharge.model import ChargerStatus, Decision, EnergyTotals, Mode, PowerFlow, Reason, Session
from pvcharge.replay import replay
from pvcharge.sim.feed import Source
from pvcharge.sim.trace import Trace

JUNE, JULY = date(2026, 6, 1), date(2026, 7, 1)
DAY = timedelta(days=1)
NINE = datetime(2026, 6, 15, 9, tzinfo=UTC)
GIVE_UP_S = 20.0


@pytest.fixture(scope="module")
def state_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with the past of the demo that a new user sees first."""
    folder = tmp_path_factory.mktemp("past")
    write_past(DemoOptions(), folder)
    return folder


@pytest.fixture
def reader(state_dir: Path) -> Iterator[Reader]:
    """Return that past."""
    reader = Reader.open(state_dir / FILE)
    yield reader
    reader.close()


def sessions_of(reader: Reader) -> list[Session]:
    """Return all that have ended."""
    return [event for _, event in reader.events(kinds=[Session]) if isinstance(event, Session)]


def test_a_week_of_days_is_remembered(reader: Reader) -> None:
    """Whole days, with energies of a house in June, and the beginning of today."""
    *before, today = reader.days(JUNE, JULY)
    assert [row.start for row in before] == [date(2026, 6, day) for day in range(8, 15)]
    assert today.start == date(2026, 6, 15)
    assert all(row.covered_s == pytest.approx(86_400) for row in before)
    assert 0 < today.covered_s < 12 * 3600
    for row in before:
        assert 5_000 < row.pv_wh < 80_000
        used_wh = row.pv_wh + row.import_wh - row.export_wh - row.charger_wh
        assert 3_000 < used_wh < 20_000, "what the household alone uses"


def test_sessions_have_their_energy_and_money(reader: Reader) -> None:
    """What the sessions got is what the days say that was charged; most of it is solar."""
    sessions, days = sessions_of(reader), reader.days(JUNE, JULY)
    assert len(sessions) == 6
    charged_wh = sum(session.energy_wh for session in sessions)
    assert charged_wh == pytest.approx(sum(row.charger_wh for row in days), abs=1)
    assert charged_wh > 50_000
    for session in sessions:
        assert session.ended_at is not None
        assert 0.5 < session.solar_wh / session.energy_wh < 1
        bought_wh = session.energy_wh - session.solar_wh
        assert session.cost == pytest.approx((bought_wh * 0.30 + session.solar_wh * 0.08) / 1000)
        assert session.saved == pytest.approx(session.energy_wh * 0.30 / 1000 - session.cost)


@pytest.mark.parametrize("source", Source)
def test_all_of_it_was_decided_by_the_real_controller(tmp_path: Path, source: Source) -> None:
    """Replayed from what was recorded, it decides the same to the last bit; a boost is among it."""
    write_past(DemoOptions(source=source), tmp_path)
    reader = Reader.open(tmp_path / FILE)
    pairs = list(replay(reader, NINE - 8 * DAY, NINE))
    reader.close()
    assert len(pairs) > 6_000
    assert all(pair.same for pair in pairs)
    assert {pair.recorded.mode for pair in pairs} == {Mode.SURPLUS, Mode.BOOST}
    old = [pair for pair in pairs if pair.recorded.reason is Reason.STALE_STOP]
    assert len(old) < len(pairs) / 100


def test_it_ends_where_the_demo_begins(reader: Reader) -> None:
    """Without a car, as the demo does; nothing is of later."""
    demo_starts = max(event.at for _, event in reader.events(kinds=[Decision]) if isinstance(event, Decision))
    statuses = [event for _, event in reader.events(kinds=[ChargerStatus])]
    assert isinstance(statuses[-1], ChargerStatus)
    assert not statuses[-1].state.plugged
    assert statuses[-1].at == demo_starts
    flows = [event for _, event in reader.events(kinds=[PowerFlow]) if isinstance(event, PowerFlow)]
    assert {flow.source for flow in flows} == {"solaredge"}
    assert max(flow.end for flow in flows) <= demo_starts
    assert reader.totals(NINE).charger_wh > 0


async def totals_beyond(app: App, before: EnergyTotals) -> EnergyTotals:
    """Return the daemon's first in which more is produced and charged than before."""
    async for event in app.feed.subscribe():
        if (
            isinstance(event, EnergyTotals)
            and event.charger_wh > before.charger_wh + 200
            and event.pv_wh > before.pv_wh + 200
        ):
            return event
    raise AssertionError("the feed has ended")


async def test_the_daemon_goes_on_with_it(tmp_path: Path) -> None:
    """In the same store: totals rise from where they were, the demo's own figures begin with the demo."""
    write_past(DemoOptions(), tmp_path)
    reader = Reader.open(tmp_path / FILE)
    before, last_seq = reader.totals(NINE), reader.last_seq()
    async with asyncio.timeout(GIVE_UP_S):
        demo = Demo(DemoOptions(speed=600.0), tmp_path)
        async with demo.running() as app:
            totals = await totals_beyond(app, before)
            summary = demo.summary()
    assert totals.export_wh >= before.export_wh
    assert summary.charged_kwh < 10 < totals.charger_wh / 1000
    assert [run.first_seq for run in reader.runs()] == [1, last_seq + 1]
    assert len(sessions_of(reader)) == 6
    assert demo.stage.start - reader.runs()[1].started_at < timedelta(minutes=1)
    reader.close()


def test_a_trace_has_no_past_before_its_beginning(tmp_path: Path) -> None:
    """There are but the hours until the demo begins."""
    pv_w = [5000.0 if minute >= 540 else 0.0 for minute in range(1440)]
    trace = Trace(NINE - timedelta(hours=9), timedelta(minutes=1), pv_w, [500.0] * 1440)
    write_past(DemoOptions(trace=trace), tmp_path)
    reader = Reader.open(tmp_path / FILE)
    (row,) = reader.days(JUNE, JULY)
    assert (row.start, sessions_of(reader)) == (date(2026, 6, 15), [])
    assert row.import_wh == pytest.approx(500 * row.covered_s / 3600, rel=0.01)
    reader.close()


def test_a_trace_that_begins_with_surplus_has_none(tmp_path: Path) -> None:
    """Then there is nothing to be written."""
    trace = Trace(NINE, timedelta(minutes=1), [5000.0] * 1440, [500.0] * 1440)
    write_past(DemoOptions(trace=trace), tmp_path)
    assert list(tmp_path.iterdir()) == []
