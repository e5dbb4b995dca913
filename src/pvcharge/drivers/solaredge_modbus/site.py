"""All units of a house, read one after the other; one that is not vital may be missing for a while."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

import structlog

from pvcharge.drivers.base import TransientError
from pvcharge.drivers.solaredge_modbus.flow import House
from pvcharge.drivers.solaredge_modbus.line import Line
from pvcharge.drivers.solaredge_modbus.settings import SolarEdgeModbusSettings
from pvcharge.drivers.solaredge_modbus.sunspec import Identity, MeterReading
from pvcharge.drivers.solaredge_modbus.unit import Unit, UnitReading

log = structlog.get_logger(__name__)

TRY_MISSING_AGAIN = timedelta(seconds=60)  # each try costs a time-out


@dataclass(frozen=True, slots=True)
class Meter:
    """A meter and the unit that it is wired to."""

    unit: Unit
    number: int
    identity: Identity

    def among(self, readings: Mapping[Unit, UnitReading]) -> MeterReading:
        """Return what it says, which is nothing if its unit was not read."""
        reading = readings.get(self.unit)
        return reading.meters.get(self.number, MeterReading()) if reading else MeterReading()


class Site:
    """The inverters that the configuration names.

    Args:
        settings: where they are.
    """

    def __init__(self, settings: SolarEdgeModbusSettings) -> None:
        self.name = settings.name
        self._invert_meter = settings.invert_meter
        self.lines = tuple(Line(endpoint, settings.request_timeout_s) for endpoint in settings.endpoints)
        self.units = tuple(
            Unit(line, number)
            for line, endpoint in zip(self.lines, settings.endpoints, strict=True)
            for number in endpoint.units
        )
        self.missing: dict[Unit, datetime] = {}  # those without answer, and when they were asked last

    @property
    def meters(self) -> list[Meter]:
        """All meters of all units."""
        return [
            Meter(unit, number, meter) for unit in self.units for number, meter in sorted(unit.meters.items())
        ]

    @property
    def grid_meters(self) -> list[Meter]:
        """Those at the grid, of which the first counts."""
        return [meter for meter in self.meters if meter.identity.measures_grid]

    def house(self, readings: Mapping[Unit, UnitReading]) -> House:
        """Put the readings of all units together."""
        grid = next(iter(self.grid_meters), None)
        return House(
            readings=list(readings.values()),
            grid=grid.among(readings) if grid else None,
            production=[meter.among(readings) for meter in self.meters if meter.identity.measures_production],
            invert_meter=self._invert_meter,
            complete=all(unit in readings or unit.is_charger for unit in self.units),
        )

    async def prepare(self, now: datetime) -> list[Unit]:
        """Connect, and find out who is there, as far as that is not known; return the inverters to read.

        Raises:
            TransientError: a unit does not answer that must, or there is no inverter at all.
        """
        for line in self.lines:
            line.begin()
        present = []
        for unit in self.units:
            if unit.is_charger or self._is_given_up(unit, now):
                continue
            try:
                await unit.look(now)
            except TransientError as error:
                self._miss(unit, now, error)
            else:
                present.append(unit)
        inverters = [unit for unit in present if not unit.is_charger]
        if not inverters:
            raise TransientError(f"{self.name}: no inverter among the units; check host and `units`")
        return inverters

    async def measure(self, units: list[Unit], now: datetime) -> dict[Unit, UnitReading]:
        """Read inverters with their meters at the grid and batteries; those without answer are left out.

        Raises:
            TransientError: a unit does not answer that must.
        """
        readings: dict[Unit, UnitReading] = {}
        for unit in units:
            try:
                readings[unit] = await unit.measure()
            except TransientError as error:
                self._miss(unit, now, error)
            else:
                self._welcome(unit)
        return readings

    def close(self) -> None:
        """Drop all connections."""
        for line in self.lines:
            line.close()

    def _is_given_up(self, unit: Unit, now: datetime) -> bool:
        tried_at = self.missing.get(unit)
        return tried_at is not None and abs(now - tried_at) < TRY_MISSING_AGAIN

    def _miss(self, unit: Unit, now: datetime, error: TransientError) -> None:
        """Go on without a unit, if it is known to have neither the grid's meter nor a battery.

        Raises:
            TransientError: it is needed.
        """
        elsewhere = any(meter.unit is not unit for meter in self.grid_meters)
        if unit.identity is None or unit.has_grid_meter or unit.batteries or not elsewhere:
            raise error
        if unit not in self.missing:
            log.warning("reading on without an inverter", inverter=self.name, error=str(error))
        self.missing[unit] = now

    def _welcome(self, unit: Unit) -> None:
        if self.missing.pop(unit, None) is not None:
            log.info("an inverter is back", inverter=self.name, unit=unit.where)
