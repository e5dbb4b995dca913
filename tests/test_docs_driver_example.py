"""The drivers of docs/examples do what docs/drivers.md says of drivers, and pvcharge finds and uses them."""

import asyncio
import importlib
import os
import subprocess
import sys
import tomllib
from collections.abc import AsyncIterator
from datetime import UTC
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from aiohttp import web

from pvcharge.clock import SystemClock
from pvcharge.drivers.base import AuthError, Demand, DriverContext, PermanentError, TransientError
from pvcharge.model import NO_CHARGE, ChargerState, Setpoint
from support.docs import DOCS

EXAMPLE = DOCS / "examples" / "pvcharge-tiny"
SOURCE = EXAMPLE / "src"
NEEDED, IDLE = Demand(), Demand(car_plugged=False)


@pytest.fixture(autouse=True)
def _importable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(SOURCE))


@pytest.fixture
def context(tmp_path: Path) -> DriverContext:
    """Return what a daemon gives to drivers."""
    return DriverContext(
        clock=SystemClock(), state_dir=tmp_path, latitude_deg=48.2, longitude_deg=16.4, timezone=UTC
    )


async def _serve(app: web.Application) -> AsyncIterator[int]:
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    yield runner.addresses[0][1]
    await runner.cleanup()


@pytest.fixture
async def house() -> AsyncIterator[Any]:
    """Return the example's house with the port where it answers."""
    tiny = importlib.import_module("pvcharge_tiny.simulator").TinyHouse()
    async for port in _serve(tiny.app()):
        yield SimpleNamespace(tiny=tiny, port=port)


@pytest.fixture
async def meter(house: Any, context: DriverContext) -> AsyncIterator[Any]:
    """Return the meter's driver."""
    driver = importlib.import_module("pvcharge_tiny.meter").DRIVER
    made = driver.create(driver.settings(host="127.0.0.1", port=house.port), context)
    yield made
    await made.aclose()
    await made.aclose()  # more than once, too


@pytest.fixture
async def charger(house: Any, context: DriverContext) -> AsyncIterator[Any]:
    """Return the charger's driver, opened."""
    driver = importlib.import_module("pvcharge_tiny.charger").DRIVER
    made = driver.create(driver.settings(host="127.0.0.1", port=house.port, interval_s=0.5), context)
    await made.open()
    yield made
    await made.aclose()


async def test_a_reading_is_handed_out_once(house: Any, meter: Any) -> None:
    """What the meter has not measured anew is no new reading, and its age counts."""
    clock = SystemClock()
    (flow,) = await meter.read()
    assert (flow.pv_w, flow.grid_w, flow.source) == (6000.0, -5600.0, "tiny-meter")
    assert (clock.now() - flow.end).total_seconds() >= 0.5
    assert await meter.read() == ()
    house.tiny.count += 1
    assert len(await meter.read()) == 1


async def test_readings_are_planned_by_demand(meter: Any) -> None:
    """At once at first; then more often for a car that waits for surplus than for nobody."""
    now = SystemClock().now()
    assert meter.next_read_at(now, NEEDED) == now
    await meter.read()
    assert meter.next_read_at(now, NEEDED) < meter.next_read_at(now, IDLE)


async def test_a_setpoint_is_written_once_and_read_back(house: Any, charger: Any) -> None:
    """What is so already is not written again; what the charger cannot do is not asked for."""
    await charger.apply(Setpoint(3, 10))
    await charger.apply(Setpoint(3, 10))
    house.tiny.max_amps = 8
    await charger.apply(Setpoint(3, 10))
    house.tiny.max_amps = 3
    await charger.apply(Setpoint(3, 10))
    assert house.tiny.writes == [(3, 10), (3, 8), (0, 0)]
    await charger.apply(NO_CHARGE)
    assert len(house.tiny.writes) == 3


async def test_a_write_that_is_not_taken_is_an_error(house: Any, charger: Any) -> None:
    """An answer alone proves nothing."""
    house.tiny.deaf = True
    with pytest.raises(TransientError, match="did not take it"):
        await charger.apply(Setpoint(1, 6))


async def test_a_hand_at_the_charger_is_noticed(house: Any, charger: Any) -> None:
    """Our own writes are no hand."""
    assert (await charger.next_status()).state is ChargerState.CHARGING
    await charger.apply(Setpoint(3, 10))
    assert (await charger.next_status()).changed_by_hand_at is None
    house.tiny.amps = 16
    status = await charger.next_status()
    assert status.setpoint == Setpoint(3, 16)
    assert status.changed_by_hand_at == status.at


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        (web.json_response({}, status=401), AuthError),
        (web.json_response({}, status=404), PermanentError),
        (web.json_response({}, status=500), TransientError),
        (web.Response(text="hello"), TransientError),
        (web.json_response([1]), TransientError),
        (web.json_response({"count": 1, "age_s": 0, "pv_w": "much"}), TransientError),
        (web.Response(text='{"count": 1, "age_s": NaN}', content_type="application/json"), TransientError),
    ],
    ids=["refused", "unknown", "broken", "no JSON", "no object", "no number", "not finite"],
)
async def test_whatever_comes_is_one_of_three_errors(
    answer: web.Response, error: type[Exception], context: DriverContext
) -> None:
    """A driver raises nothing else, and names the device."""

    async def always(_request: web.Request) -> web.Response:
        return answer

    app = web.Application()
    app.router.add_get("/power", always)
    driver = importlib.import_module("pvcharge_tiny.meter").DRIVER
    async for port in _serve(app):
        made = driver.create(driver.settings(host="127.0.0.1", port=port), context)
        with pytest.raises(error, match="tiny-meter at 127"):
            await made.read()
        await made.aclose()


async def test_pvcharge_finds_and_asks_the_drivers(house: Any, tmp_path: Path) -> None:
    """As it does once the package is installed: its entry points are all that it takes."""
    groups = tomllib.loads((EXAMPLE / "pyproject.toml").read_text())["project"]["entry-points"]
    lines = [line for group, names in groups.items() for line in _section(group, names)]
    installed = tmp_path / "site" / "pvcharge_tiny-0.1.0.dist-info"
    installed.mkdir(parents=True)
    (installed / "METADATA").write_text("Metadata-Version: 2.1\nName: pvcharge-tiny\nVersion: 0.1.0\n")
    (installed / "entry_points.txt").write_text("\n".join(lines))
    config = tmp_path / "pvcharge.toml"
    config.write_text(
        f'state_dir = "{tmp_path}"\n[site]\nlatitude = 48.2\nlongitude = 16.4\ntimezone = "Europe/Vienna"\n'
        f'[[inverter]]\ndriver = "tiny_meter"\nhost = "127.0.0.1"\nport = {house.port}\n'
        f'[charger]\ndriver = "tiny_charger"\nhost = "127.0.0.1"\nport = {house.port}\n'
    )
    command = [sys.executable, "-m", "pvcharge", "check", "--probe", "--config", str(config)]
    path = os.pathsep.join([str(installed.parent), str(SOURCE)])
    done = await asyncio.to_thread(
        subprocess.run,
        command,
        env={**os.environ, "PYTHONPATH": path},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "tiny-meter" in done.stdout
    assert "tiny-charger" in done.stdout


def _section(group: str, names: dict[str, str]) -> list[str]:
    return [f"[{group}]", *(f"{name} = {target}" for name, target in names.items()), ""]
