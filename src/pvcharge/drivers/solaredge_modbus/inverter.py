"""The `Inverter` of a house with SolarEdge inverters in the local network: when it is read, and into what."""

from collections.abc import Mapping
from datetime import datetime, timedelta

from pvcharge.drivers.base import Demand, DriverContext, DriverError, Survey
from pvcharge.drivers.solaredge_modbus.flow import OtherProduction
from pvcharge.drivers.solaredge_modbus.settings import SolarEdgeModbusSettings
from pvcharge.drivers.solaredge_modbus.site import Site
from pvcharge.drivers.solaredge_modbus.survey import NO_GRID_METER, survey_site
from pvcharge.drivers.solaredge_modbus.unit import Unit, UnitReading
from pvcharge.model import PowerFlow

IDLE_S = 30.0  # while nobody acts on readings; keeps the page alive and the connection ours


class SolarEdgeModbusInverter:
    """Reads the inverters of one house, and never writes to them.

    Args:
        settings: the table of the configuration.
        context: what the daemon offers.
    """

    def __init__(self, settings: SolarEdgeModbusSettings, context: DriverContext) -> None:
        self.name = settings.name
        self._settings = settings
        self._clock = context.clock
        self._site = Site(settings)
        self._read_at: datetime | None = None
        self._readings: Mapping[Unit, UnitReading] = {}
        self._others = OtherProduction()
        self._failures = 0

    async def read(self) -> tuple[PowerFlow, ...]:
        """Fetch one reading, an instant in the middle of the time that it took.

        Raises:
            TransientError: an inverter that must answer did not, or not in a way that makes sense.
        """
        self._read_at = self._clock.now()
        try:
            units = await self._site.prepare(self._clock.now())
            begun_at = self._clock.now()
            readings = await self._site.measure(units, begun_at)
        except DriverError:
            self._failures += 1
            raise
        self._readings = readings
        house = self._site.house(readings)
        flow = house.flow(
            at=begun_at + (self._clock.now() - begun_at) / 2,
            source=self.name,
            count_production=self._others.counts(house),
        )
        return (flow,)

    def next_read_at(self, now: datetime, demand: Demand) -> datetime:
        """Return when the next read is worth its cost. Asked again whenever the demand changes."""
        if self._read_at is None:
            return now
        acted_on = demand.car_plugged and demand.follows_surplus
        pause_s = self._settings.interval_s if acted_on else max(IDLE_S, self._settings.interval_s)
        return self._read_at + timedelta(seconds=pause_s)

    def health(self) -> Mapping[str, float | str]:
        """Return what was found, how the inverters do, and how reliably they answer."""
        facts: dict[str, float | str] = {
            "failed_reads": self._failures,
            "connections_made": sum(line.times_opened for line in self._site.lines),
        }
        if self._readings:
            facts |= self._equipment()
        if self._site.missing:
            facts["silent_units"] = ", ".join(unit.where for unit in self._site.missing)
        return facts

    async def survey(self) -> Survey:
        """Look at everything behind all addresses, reading only. Not to be called while `read` is under way.

        Raises:
            DriverError: none of the units answers.
        """
        return await survey_site(self._site, self._clock)

    async def aclose(self) -> None:
        """Close the connections; a later read would open new ones."""
        self._site.close()

    def _equipment(self) -> dict[str, float | str]:
        models = [unit.identity.model for unit in self._readings if unit.identity]
        versions = {unit.identity.version for unit in self._readings if unit.identity}
        return {
            "inverters": len(self._readings),
            "batteries": sum(len(reading.batteries) for reading in self._readings.values()),
            "inverter_model": ", ".join(models),
            "firmware": ", ".join(sorted(versions - {""})),
            "inverter_state": ", ".join(reading.inverter.state for reading in self._readings.values()),
            "grid_meter": self._grid_meter(),
        }

    def _grid_meter(self) -> str:
        meter = next(iter(self._site.grid_meters), None)
        if meter is None:
            return NO_GRID_METER
        name = f"{meter.identity.model or 'nameless'} at {meter.unit.where}"
        return f"{name}, which tells no power" if meter.among(self._readings).power_w is None else name
