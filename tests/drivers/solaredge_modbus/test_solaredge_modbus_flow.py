"""What all readings together say, whatever they are."""

from datetime import UTC, datetime

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from pvcharge.drivers.solaredge_modbus.battery import BatteryReading
from pvcharge.drivers.solaredge_modbus.flow import House
from pvcharge.drivers.solaredge_modbus.sunspec import InverterReading, MeterReading
from pvcharge.drivers.solaredge_modbus.unit import UnitReading
from pvcharge.model import PowerFlow

POWERS = st.none() | st.floats(-1e5, 1e5)
INVERTERS = st.builds(
    InverterReading, ac_w=POWERS, dc_w=POWERS, status=st.none() | st.integers(1, 8), lifetime_wh=st.none()
)
BATTERIES = st.builds(
    BatteryReading,
    power_w=POWERS,
    charge_pct=st.none() | st.floats(0, 100),
    capacity_wh=st.none() | st.floats(1e-3, 1e5),
)
UNITS = st.builds(UnitReading, INVERTERS, batteries=st.dictionaries(st.integers(1, 3), BATTERIES, max_size=3))
METERS = st.builds(MeterReading, power_w=POWERS)


def flow_of(house: House) -> PowerFlow:
    """Return the flow of a house."""
    at = datetime(2026, 6, 10, 10, 0, tzinfo=UTC)
    return house.flow(at=at, source="roof", count_production=house.others_produce)


@given(st.lists(UNITS, min_size=1, max_size=3), METERS, st.lists(METERS, max_size=2))
def test_balance(readings: list[UnitReading], grid: MeterReading, production: list[MeterReading]) -> None:
    """What comes in goes out, unless production or load were held at 0."""
    flow = flow_of(House(readings, grid, production))
    if flow.pv_w and flow.load_w and flow.grid_w is not None:
        out_w = flow.load_w + (flow.battery_w or 0.0)
        assert flow.pv_w + flow.grid_w == pytest.approx(out_w, abs=1e-6)


@given(st.lists(BATTERIES, min_size=1, max_size=3))
@example(
    [BatteryReading(charge_pct=32.2, capacity_wh=each) for each in (2000.0, 12000.0, 3000.0)]
)  # rounds up
def test_charge_lies_between_those_of_the_batteries(batteries: list[BatteryReading]) -> None:
    """The mean is a mean, and not known where one of them is not."""
    inverter = InverterReading(ac_w=0.0, dc_w=0.0, status=4, lifetime_wh=None)
    house = House([UnitReading(inverter, batteries=dict(enumerate(batteries)))], None)
    levels = [battery.charge_pct for battery in batteries if battery.charge_pct is not None]
    charge_pct = flow_of(house).battery_soc_pct
    assert (charge_pct is None) == (len(levels) < len(batteries))
    assert charge_pct is None or min(levels) <= charge_pct <= max(levels)


@given(st.lists(UNITS, min_size=1, max_size=3), METERS)
def test_what_is_not_known_makes_no_number(readings: list[UnitReading], grid: MeterReading) -> None:
    """A sum of which a part is missing is missing."""
    flow = flow_of(House(readings, grid, complete=False))
    assert (flow.pv_w, flow.load_w) == (None, None)
    assert (flow.grid_w is None) == (grid.power_w is None)
    known = [battery.power_w is not None for reading in readings for battery in reading.batteries.values()]
    assert (flow.battery_w is not None) == (bool(known) and all(known))
