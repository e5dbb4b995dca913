"""What a survey makes of an installation: a line for each device, and advice where something looks wrong."""

from collections.abc import Iterator, Mapping

from pvcharge.drivers.base import Finding, Survey, TransientError
from pvcharge.drivers.solaredge_modbus.battery import BatteryReading
from pvcharge.drivers.solaredge_modbus.flow import NOTICEABLE_W, House, total
from pvcharge.drivers.solaredge_modbus.site import Meter, Site
from pvcharge.drivers.solaredge_modbus.sunspec import (
    GRID_METER,
    PRODUCTION_METER,
    InverterReading,
    MeterReading,
)
from pvcharge.drivers.solaredge_modbus.unit import Unit, UnitReading
from pvcharge.model import Clock, PowerFlow

NO_GRID_METER = f"none with the function {GRID_METER}"

_LOSS_SHARE = 0.1  # of the power that goes through the inverters; more is no conversion loss
_LOSS_W = 150.0


async def survey_site(site: Site, clock: Clock) -> Survey:
    """Read all there is and judge it.

    Args:
        site: the inverters.
        clock: dates the reading.

    Raises:
        TransientError: none of the units answers.
    """
    for line in site.lines:
        line.begin()
    begun_at = clock.now()
    readings: dict[Unit, UnitReading] = {}
    errors: dict[Unit, TransientError] = {}
    for unit in site.units:
        try:
            await unit.look(begun_at, anew=True)
            if not unit.is_charger:
                readings[unit] = await unit.measure(all_meters=True)
        except TransientError as error:
            errors[unit] = error
    if len(errors) == len(site.units):
        raise next(iter(errors.values()))
    house = site.house(readings)
    at = begun_at + (clock.now() - begun_at) / 2
    flow = None
    if readings and not errors:
        flow = house.flow(at=at, source=site.name, count_production=house.others_produce)
    residual_w = _residual_w(house, flow)
    return Survey(
        findings=tuple(_findings(site, readings, errors, house)),
        flow=flow,
        residual_w=residual_w,
        advice=(*_unit_advice(site, errors), *_house_advice(house, residual_w)),
    )


def _residual_w(house: House, flow: PowerFlow | None) -> float | None:
    """Return pv + grid - load - battery with the production as measured on the DC side.

    That is DC + battery; so what remains is what the inverters lose, unless something is not seen.
    """
    others_w = house.production_w if house.others_produce else 0.0
    pv_less_battery_w = total([house.dc_w, others_w])
    if pv_less_battery_w is None or flow is None or flow.grid_w is None or flow.load_w is None:
        return None
    return pv_less_battery_w + flow.grid_w - flow.load_w


def _findings(
    site: Site,
    readings: Mapping[Unit, UnitReading],
    errors: Mapping[Unit, TransientError],
    house: House,
) -> Iterator[Finding]:
    for unit in site.units:
        what = str(unit.identity or "unknown")
        if unit in errors:
            yield Finding(unit.where, what, "not used: it cannot be read", str(errors[unit]))
        elif unit.is_charger:
            yield Finding(unit.where, what, "not used: a car charger, it tells no values here", "nothing")
        else:
            reading = readings[unit]
            yield Finding(
                unit.where, what, "production, and load with the meter", _inverter_says(reading.inverter)
            )
            yield from _meters(site, unit, reading, house)
            yield from _batteries(unit, reading)


def _meters(site: Site, unit: Unit, reading: UnitReading, house: House) -> Iterator[Finding]:
    for meter in site.meters:
        if meter.unit is unit:
            says = _meter_says(reading.meters.get(meter.number, MeterReading()))
            role = _meter_role(meter, site, house)
            yield Finding(f"{unit.where}, meter {meter.number}", str(meter.identity), role, says)


def _batteries(unit: Unit, reading: UnitReading) -> Iterator[Finding]:
    for number, battery in sorted(unit.batteries.items()):
        says = _battery_says(reading.batteries.get(number, BatteryReading()))
        yield Finding(
            f"{unit.where}, battery {number}", str(battery), "battery power and state of charge", says
        )


def _meter_role(meter: Meter, site: Site, house: House) -> str:
    if [meter] == site.grid_meters[:1]:
        return "grid power"
    if meter.identity.measures_grid:
        return "not used: another meter at the grid comes first"
    if meter.identity.measures_production and house.others_produce:
        return "production of other inverters"
    return f"not used: its function is {meter.identity.option or 'not told'}, not {GRID_METER}"


def _inverter_says(inverter: InverterReading) -> str:
    return f"{inverter.state}, AC {_watts(inverter.ac_w)}, DC {_watts(inverter.dc_w)}" + _energy(
        inverter.lifetime_wh, "delivered"
    )


def _meter_says(meter: MeterReading) -> str:
    return (
        f"{_watts(meter.power_w)} (+ export)"
        + _energy(meter.exported_wh, "exported")
        + _energy(meter.imported_wh, "imported")
    )


def _battery_says(battery: BatteryReading) -> str:
    level = "unknown" if battery.charge_pct is None else f"{battery.charge_pct:.0f} %"
    return (
        f"{battery.state}, {_watts(battery.power_w)} (+ charging), charge {level}"
        + _energy(battery.capacity_wh, "capacity")
        + _energy(battery.charged_wh, "charged")
        + _energy(battery.discharged_wh, "discharged")
    )


def _watts(power_w: float | None) -> str:
    return "unknown power" if power_w is None else f"{power_w:.0f} W"


def _energy(energy_wh: float | None, what: str) -> str:
    return "" if energy_wh is None else f", {energy_wh / 1000:.1f} kWh {what}"


def _unit_advice(site: Site, errors: Mapping[Unit, TransientError]) -> Iterator[str]:
    for unit in errors:
        yield f"{unit.where} cannot be read; check `units`, and whether it is on and connected."
    meters = site.grid_meters
    if not meters:
        yield (
            f"No meter with the function {GRID_METER} was found, so the grid power is not known and no "
            "surplus can be followed; set the meter's function in SetApp -> Site Communication, or list the "
            "unit at which it is connected."
        )
    if len(meters) > 1:
        yield f"There are {len(meters)} meters with the function {GRID_METER}; only the first is used."


def _house_advice(house: House, residual_w: float | None) -> Iterator[str]:
    if any(battery.power_w is None for battery in house.batteries):
        yield (
            "A battery tells no power; while that is so, these readings cannot be used to follow the "
            "surplus. It may be starting: look again in some minutes."
        )
    if house.grid is not None and house.export_w is None:
        yield (
            "The meter at the grid tells no power, so no surplus can be followed; see whether SetApp shows "
            "its power, and update the inverter's firmware."
        )
    exports = (
        f"{house.export_w or 0.0:.0f} W go into the grid, but the inverters deliver only "
        f"{house.ac_w or 0.0:.0f} W"
    )
    if house.others_produce:
        yield f"{exports}; so the {PRODUCTION_METER} meter is counted as that of other inverters."
    elif house.unexplained_w > NOTICEABLE_W:
        inverted = "false" if house.invert_meter else "true"
        yield (
            f"{exports}: the meter looks backwards, set invert_meter = {inverted}; "
            "or an inverter is missing here."
        )
    elif residual_w is not None and _is_no_loss(residual_w, house):
        yield (
            f"{residual_w:.0f} W are not accounted for, more than conversion loses: "
            "an inverter or battery may be missing here, or be counted twice."
        )


def _is_no_loss(residual_w: float, house: House) -> bool:
    through_w = sum(abs(reading.inverter.dc_w or 0.0) for reading in house.readings)
    return abs(residual_w) > max(_LOSS_W, _LOSS_SHARE * through_w)
