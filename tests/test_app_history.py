"""What a daemon remembers of a charge: the demo's, read back from its state directory."""

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from pvcharge.control import ControlSettings
from pvcharge.demo import Demo, DemoOptions
from pvcharge.history import backfill
from pvcharge.history.reading import EnergyRow, Reader
from pvcharge.history.store import Store
from pvcharge.model import ChargerStatus, Decision, Lease, PowerFlow
from pvcharge.sim.trace import Trace

DAY = datetime(2026, 6, 15, tzinfo=UTC)
PATIENCE_S = 30.0


def sunny() -> Trace:
    """Return a day with 5 kW from nine o'clock on."""
    pv_w = [5000.0 if minute >= 540 else 0.0 for minute in range(1440)]
    return Trace(DAY, timedelta(minutes=1), pv_w, [500.0] * 1440)


async def until(condition: Callable[[], bool]) -> None:
    """Wait until something is so that nobody tells about."""
    async with asyncio.timeout(PATIENCE_S):
        while not condition():  # noqa: ASYNC110 - there is no event to wait for
            await asyncio.sleep(0.05)


async def charge(state_dir: Path, kwh: float) -> Demo:
    """Run a daemon until the car has got some energy."""
    demo = Demo(DemoOptions(300.0, sunny(), api="v1"), state_dir)
    async with demo.running():
        await until(lambda: demo.summary().charged_kwh >= kwh)
    return demo


async def test_a_charge_is_remembered(tmp_path: Path) -> None:
    """Every reading, status and decision; the energies as the house has counted them."""
    demo = await charge(tmp_path, kwh=1.0)
    reader = Reader.open(tmp_path / "history.db")
    events = [event for _, event in reader.events()]
    kinds = {type(event) for event in events}
    assert {PowerFlow, ChargerStatus, Decision, Lease} <= kinds
    decisions = [event for event in events if isinstance(event, Decision)]
    assert decisions == sorted(decisions, key=lambda decision: decision.at)
    (run,) = reader.runs()
    assert run.first_seq == 1
    assert ControlSettings.model_validate_json(run.settings) == ControlSettings()
    totals, house = reader.totals(DAY), demo.stage.house.totals
    assert abs(totals.charger_wh - house.charger_wh) < 0.1 * house.charger_wh
    # Readings that come late on a busy machine leave holes, and holes are not counted.
    assert 0.25 * house.pv_wh < totals.pv_wh < 1.1 * house.pv_wh
    five_minutes = reader.five_minutes(DAY, DAY + timedelta(days=1))
    assert abs(sum(row.charger_wh for row in five_minutes) - totals.charger_wh) < 0.01
    reader.close()


async def test_a_restart_goes_on_counting(tmp_path: Path) -> None:
    """Energies never fall, and numbers go on."""
    await charge(tmp_path, kwh=0.3)
    reader = Reader.open(tmp_path / "history.db")
    before, last = reader.totals(DAY), reader.last_seq()
    reader.close()
    await charge(tmp_path, kwh=0.3)
    reader = Reader.open(tmp_path / "history.db")
    assert [run.first_seq for run in reader.runs()] == [1, last + 1]
    assert reader.totals(DAY).charger_wh >= before.charger_wh
    assert reader.totals(DAY).pv_wh >= before.pv_wh
    reader.close()


async def test_what_was_missed_is_filled_from_the_inverters_cloud(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Hours in which the daemon was down, with what the house has really produced, and marked."""
    monkeypatch.setattr(backfill, "FIRST_S", 60.0)
    demo = Demo(DemoOptions(300.0), tmp_path)
    start = demo.stage.start
    path = tmp_path / "history.db"
    store = Store.open(path)
    store.begin_run(start - timedelta(hours=6), "0.1", ControlSettings().model_dump_json())
    store.close()

    def filled() -> list[EnergyRow]:
        reader = Reader.open(path)
        rows = reader.five_minutes(start - timedelta(hours=6), start)
        reader.close()
        return [row for row in rows if row.filled]

    async with demo.running():
        await until(lambda: bool(filled()))
    rows = filled()
    assert all(row.covered_s == 300 for row in rows)
    for row in rows:
        assert isinstance(row.start, datetime)
        quarter = row.start.replace(minute=row.start.minute - row.start.minute % 15)
        mean = demo.stage.house.mean(quarter, quarter + timedelta(minutes=15))
        assert mean is not None
        assert row.export_wh - row.import_wh == pytest.approx(-mean.grid_w / 12, abs=0.1)
