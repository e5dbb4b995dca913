"""The demo within this process: the real daemon with real drivers, against simulated devices."""

import asyncio
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from pvcharge.app import App
from pvcharge.demo import Demo, DemoOptions
from pvcharge.demo.stage import SITE_ID
from pvcharge.model import ChargerState, ChargerStatus, PowerFlow
from pvcharge.sim.trace import Trace
from support.settings import charger_settings

DAY = datetime(2026, 6, 15, tzinfo=UTC)
GIVE_UP_S = 20.0
SPEED = 600.0


def sunny() -> Trace:
    """Return a day with 5 kW from nine o'clock on."""
    pv_w = [5000.0 if minute >= 540 else 0.0 for minute in range(1440)]
    return Trace(DAY, timedelta(minutes=1), pv_w, [500.0] * 1440)


async def states_until_charged(demo: Demo, app: App, kwh: float) -> list[ChargerState]:
    """Return the states of the charger that the daemon saw until the car had got some energy."""
    states: list[ChargerState] = []
    async for event in app.feed.subscribe():
        if isinstance(event, ChargerStatus) and event.state not in states:
            states.append(event.state)
        if demo.summary().charged_kwh >= kwh:
            break
    return states


def names_in(folder: Path) -> set[str]:
    """Return the names of the files in a folder."""
    return {path.name for path in folder.iterdir()}


async def first_reading(app: App) -> PowerFlow:
    """Return the first that the daemon hears of the inverter."""
    async for event in app.feed.subscribe():
        if isinstance(event, PowerFlow):
            return event
    raise AssertionError("the feed has ended")


async def test_the_car_comes_and_charges_on_surplus_alone(tmp_path: Path) -> None:
    """The daemon has the charger in hand before there is a car, so hardly anything is bought."""
    async with asyncio.timeout(GIVE_UP_S):
        demo = Demo(DemoOptions(SPEED, sunny(), api="v1"), tmp_path)
        async with demo.running() as app:
            states = await states_until_charged(demo, app, kwh=0.3)
            summary = demo.summary()
    assert demo.stage.start == DAY + timedelta(hours=9)
    assert (states[0], states[-1]) == (ChargerState.DISCONNECTED, ChargerState.CHARGING)
    assert summary.charged_kwh >= 0.3
    assert summary.import_kwh < 0.05
    assert summary.export_kwh > 0
    assert summary.errors == 0
    assert summary.api_calls == demo.stage.cloud.calls > 0
    assert (summary.readings or 0) > 0
    assert summary.setpoints >= 2


async def test_v2_logs_in_and_reads_the_hours_before(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As a new user does; settings of a real daemon in the environment do not reach the demo."""
    monkeypatch.setenv("PVCHARGE_CHARGER__HOST", "192.0.2.99")
    async with asyncio.timeout(GIVE_UP_S):
        demo = Demo(DemoOptions(SPEED), tmp_path)
        async with demo.running() as app:
            assert charger_settings(app.config).host == "127.0.0.1"
            first = await first_reading(app)
    assert first.span_s == 900
    assert first.end <= demo.stage.start
    assert f"solaredge-{SITE_ID}-tokens.json" in names_in(tmp_path)


async def test_a_daemon_that_crashes_ends_the_demo(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Rather than show a view in which nothing moves any more."""

    async def crash(_self: App) -> None:
        raise RuntimeError("out of order")

    monkeypatch.setattr(App, "run", crash)
    demo = Demo(DemoOptions(SPEED, sunny(), api="v1"), tmp_path)
    with pytest.RaisesGroup(pytest.RaisesExc(RuntimeError, match="out of order"), flatten_subgroups=True):
        async with asyncio.timeout(GIVE_UP_S), demo.running():
            await asyncio.Event().wait()
