"""The driver against the simulated inverters, over real sockets: each was written without the other."""

import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pvcharge.drivers.base import DriverContext, DriverError
from pvcharge.drivers.solaredge_modbus import SolarEdgeModbusInverter, SolarEdgeModbusSettings, line
from pvcharge.model import PowerFlow
from pvcharge.sim.battery import Battery
from pvcharge.sim.house import House
from pvcharge.sim.solaredge_modbus import Inverter, ModbusHardware, ModbusServer
from sim.solaredge_modbus.conftest import NOON, FlatHouse
from support.manual_clock import ManualClock

Serve = Callable[..., Awaitable[ModbusServer]]
Make = Callable[..., SolarEdgeModbusInverter]

ROUNDING_W = 1.1  # each power is whole watts, in the range of a house
SHORT_S = 0.3  # time-out where the test waits for it
PAIR = ModbusHardware(
    inverters=(Inverter(share=0.6), Inverter(unit=2, serial="B2", phases=1, share=0.4)),
)


@pytest.fixture(autouse=True)
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(line, "REOPEN_PAUSE_S", 0.01)


@pytest.fixture
async def driver(clock: ManualClock, tmp_path: Path) -> AsyncIterator[Make]:
    """Make drivers of a server; close them in the end."""
    made: list[SolarEdgeModbusInverter] = []

    def make(server: ModbusServer, **table: Any) -> SolarEdgeModbusInverter:
        made.append(inverter_at(server, clock, tmp_path, **table))
        return made[-1]

    yield make
    for each in made:
        await each.aclose()


def inverter_at(
    server: ModbusServer, clock: ManualClock, state_dir: Path, **table: Any
) -> SolarEdgeModbusInverter:
    """Make a driver with any settings."""
    context = DriverContext(
        clock=clock,
        state_dir=state_dir,
        latitude_deg=48.37,
        longitude_deg=14.51,
        timezone=ZoneInfo("Europe/Vienna"),
    )
    table = {"host": server.host, "port": server.port} | table
    return SolarEdgeModbusInverter(SolarEdgeModbusSettings.model_validate(table), context)


async def read(inverter: SolarEdgeModbusInverter) -> PowerFlow:
    """Return the one flow of a reading."""
    (flow,) = await inverter.read()
    return flow


def assert_equal(flow: PowerFlow, house: SimpleNamespace) -> None:
    """A flow is what the house does, within rounding."""
    battery_w = house.battery_w or 0.0
    assert flow.pv_w == pytest.approx(house.pv_w, abs=ROUNDING_W)
    assert flow.load_w == pytest.approx(house.load_w, abs=2 * ROUNDING_W)
    assert flow.grid_w == pytest.approx(house.load_w + battery_w - house.pv_w, abs=ROUNDING_W)
    if house.battery_w is None:
        assert flow.battery_w is None
    else:
        assert flow.battery_w == pytest.approx(house.battery_w, abs=0.01)
    assert flow.battery_soc_pct == (
        None if house.battery_soc_pct is None else pytest.approx(house.battery_soc_pct, abs=0.01)
    )
    assert flow.limited == house.limited


@given(
    pv_w=st.just(0.0) | st.floats(1, 15_000),
    load_w=st.floats(0, 15_000),
    battery=st.none() | st.tuples(st.floats(-5000, 5000), st.floats(0, 100)),
    pair=st.booleans(),
)
async def test_flow_is_that_of_the_house(
    pv_w: float,
    load_w: float,
    battery: tuple[float, float] | None,
    pair: bool,  # noqa: FBT001 - drawn by hypothesis
) -> None:
    """Whatever the house does, with one inverter or two, with a battery or without."""
    battery_w, soc_pct = battery or (None, None)
    house = SimpleNamespace(
        pv_w=pv_w,
        load_w=load_w,
        battery_w=battery_w,
        battery_soc_pct=soc_pct,
        charger_w=0.0,
        limited=False,
        unknown=False,
    )
    clock = ManualClock(SimpleNamespace(now=NOON))
    server = ModbusServer(FlatHouse(house), clock=clock, hardware=PAIR if pair else ModbusHardware())
    await server.start()
    try:
        inverter = inverter_at(server, clock, Path(), units=(1, 2) if pair else (1,))
        flow = await read(inverter)
        await inverter.aclose()
    finally:
        await server.aclose()
    assert_equal(flow, house)


@pytest.mark.parametrize("units", [1, 2, 3])
async def test_synergy(serve: Serve, driver: Make, house: SimpleNamespace, units: int) -> None:
    """The meter is found behind the list of units, at whatever position."""
    hardware = ModbusHardware(
        inverters=(Inverter(synergy_units=units),),  # type: ignore[arg-type]
        meters=("Consumption", "Production", "Export+Import"),
    )
    assert_equal(await read(driver(await serve(hardware=hardware))), house)


async def test_foreign_inverter(serve: Serve, driver: Make, house: SimpleNamespace) -> None:
    """A Production meter behind an inverter of another make is counted when exports tell so."""
    hardware = ModbusHardware(inverters=(Inverter(share=0.1),), meters=("Export+Import", "Production"))
    assert_equal(await read(driver(await serve(hardware=hardware))), house)


async def test_charger_unit_is_skipped(serve: Serve, driver: Make, house: SimpleNamespace) -> None:
    """SolarEdge's own car charger among the units changes nothing."""
    server = await serve(hardware=ModbusHardware(charger_unit=3))
    assert_equal(await read(driver(server, units=(1, 3))), house)


async def test_survey_has_no_complaint(serve: Serve, driver: Make, house: SimpleNamespace) -> None:
    """What the inverters lose looks like conversion, and nothing is missing."""
    house.battery_w, house.battery_soc_pct = 2000.0, 40.0
    survey = await driver(await serve(hardware=PAIR), units=(1, 2)).survey()
    assert survey.advice == ()
    assert survey.residual_w == pytest.approx(6340 / 0.975 - 6340, abs=3)


async def test_backwards_meter(serve: Serve, driver: Make, house: SimpleNamespace) -> None:
    """The driver's setting undoes what the knob does; without it, export looks like import."""
    server = await serve()
    server.faults.meter_backwards = True
    backwards = driver(server)
    assert (await read(backwards)).grid_w == pytest.approx(6090)
    await backwards.aclose()
    assert_equal(await read(driver(server, invert_meter=True)), house)


@pytest.mark.parametrize("found_before", [True, False])
async def test_missing_meter(serve: Serve, driver: Make, house: SimpleNamespace, found_before: bool) -> None:  # noqa: FBT001
    """Without the meter, grid and load are not known, production is; it is found again."""
    server = await serve()
    inverter = driver(server)
    if found_before:
        assert_equal(await read(inverter), house)
    server.faults.meter_missing = True
    flow = await read(inverter)
    assert flow.pv_w == pytest.approx(6340)
    assert (flow.grid_w, flow.load_w) == (None, None)
    server.faults.meter_missing = False
    await inverter.aclose()
    assert_equal(await read(inverter if found_before else driver(server)), house)


async def test_battery_that_starts(
    serve: Serve, driver: Make, house: SimpleNamespace, time: SimpleNamespace
) -> None:
    """It is there, but its power is not known, and so neither is production; later it is."""
    house.battery_w, house.battery_soc_pct = 2000.0, 40.0
    server = await serve()
    server.faults.battery_nan_s = 60.0
    inverter = driver(server)
    flow = await read(inverter)
    assert (flow.pv_w, flow.battery_w, flow.battery_soc_pct) == (None, None, None)
    assert flow.grid_w == pytest.approx(250 + 2000 - 6340)
    time.now += timedelta(seconds=61)
    assert_equal(await read(inverter), house)


async def test_throttled_means_limited(serve: Serve, driver: Make, house: SimpleNamespace) -> None:
    """The status tells that more could be produced."""
    house.limited = True
    assert_equal(await read(driver(await serve())), house)


class Noon:
    """A profile of 8 kW of sun and 500 W of household."""

    def pv_w(self, _at: object) -> float:
        """Return the sun."""
        return 8000.0

    def load_w(self, _at: object) -> float:
        """Return the household."""
        return 500.0


async def test_a_real_house_with_export_limit(
    clock: ManualClock, time: SimpleNamespace, driver: Make
) -> None:
    """The house that demo and benches simulate, behind the server: held back to 2 kW of export."""
    battery = Battery(max_charge_w=1000.0)
    house = House(Noon(), start=NOON, charger_w=lambda: 0.0, battery=battery, export_limit_w=2000.0)
    server = ModbusServer(house, clock=clock)
    await server.start()
    try:
        time.now = NOON + timedelta(seconds=5)
        house.advance(time.now)
        flow = await read(driver(server))
    finally:
        await server.aclose()
    assert (flow.pv_w, flow.grid_w, flow.battery_w) == (3500, -2000, 1000)
    assert flow.limited


@pytest.mark.parametrize(
    "knobs",
    [
        {"refuse": True},
        {"hang": True},
        {"drop": True},
        {"garbage": True},
        {"wrong_transaction": True},
        {"wrong_unit": True},
        {"exception_code": 2},
        {"exception_code": 4},
        {"exception_code": 0x0B},
    ],
    ids=str,
)
async def test_faults_are_driver_errors(
    serve: Serve, driver: Make, house: SimpleNamespace, knobs: dict[str, Any]
) -> None:
    """A fault while the driver runs is an error of it, and the next reading after the fault is right."""
    server = await serve()
    inverter = driver(server, request_timeout_s=SHORT_S)
    assert_equal(await read(inverter), house)
    vars(server.faults).update(knobs)
    for _ in range(2):
        with pytest.raises(DriverError):
            await inverter.read()
    vars(server.faults).update(vars(type(server.faults)()))
    house.pv_w = 4000.0
    assert_equal(await read(inverter), house)


async def test_slow_answers(serve: Serve, driver: Make, house: SimpleNamespace) -> None:
    """Answers that come too late fail the readings; the backlog is gone with the third that does."""
    server = await serve()
    inverter = driver(server, request_timeout_s=SHORT_S)
    assert_equal(await read(inverter), house)
    server.faults.slow_s = 0.4
    for _ in range(2):
        with pytest.raises(DriverError):
            await inverter.read()
    server.faults.slow_s = 0.0
    with contextlib.suppress(DriverError):
        await inverter.read()
    assert_equal(await read(inverter), house)


async def test_restart_is_survived(serve: Serve, driver: Make, house: SimpleNamespace) -> None:
    """While it is off, readings fail; then the driver connects again by itself."""
    server = await serve()
    inverter = driver(server)
    assert_equal(await read(inverter), house)
    await server.aclose()
    with pytest.raises(DriverError):
        await inverter.read()
    await server.start()
    assert_equal(await read(inverter), house)


async def test_another_client_holds_the_connection(
    serve: Serve, driver: Make, house: SimpleNamespace
) -> None:
    """The second daemon fails as long as the first is connected."""
    server = await serve()
    first, second = driver(server), driver(server)
    assert_equal(await read(first), house)
    with pytest.raises(DriverError, match="only Modbus connection"):
        await second.read()
    assert server.refused > 0
    await first.aclose()
    assert_equal(await read(second), house)


async def test_silent_for_two_minutes(
    serve: Serve, driver: Make, house: SimpleNamespace, time: SimpleNamespace
) -> None:
    """An inverter that has closed the idle connection costs no reading."""
    inverter = driver(await serve())
    assert_equal(await read(inverter), house)
    time.now += timedelta(minutes=5)
    assert_equal(await read(inverter), house)
    assert inverter.health()["connections_made"] == 2
