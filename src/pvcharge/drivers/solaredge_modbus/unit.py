"""One Modbus unit: an inverter with the meters and batteries that are wired to it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from pvcharge.drivers.base import TransientError
from pvcharge.drivers.solaredge_modbus.battery import (
    BATTERY_NUMBERS,
    BatteryReading,
    battery_identity_span,
    battery_values_span,
    parse_battery,
    parse_battery_identity,
)
from pvcharge.drivers.solaredge_modbus.line import AbsentError, Line
from pvcharge.drivers.solaredge_modbus.registers import Block
from pvcharge.drivers.solaredge_modbus.sunspec import (
    AFTER_INVERTER,
    IDENTITY,
    INVERTER,
    METER_NUMBERS,
    Identity,
    InverterReading,
    MeterReading,
    Span,
    meter_identity_span,
    meter_values_span,
    parse_identity,
    parse_inverter,
    parse_meter,
    parse_meter_identity,
    synergy_shift,
)

LOOK_AGAIN = timedelta(minutes=10)  # for meters and batteries that were not there


@dataclass(frozen=True, slots=True)
class UnitReading:
    """What one unit says now; meters and batteries by their numbers."""

    inverter: InverterReading
    meters: Mapping[int, MeterReading] = field(default_factory=dict)
    batteries: Mapping[int, BatteryReading] = field(default_factory=dict)


class Unit:
    """Reads one unit and remembers what is wired to it.

    What was found once is expected from then on: when its registers are gone, its values are not known,
    which is another thing than a house without it.

    Args:
        line: the connection.
        number: the unit id on it.
    """

    def __init__(self, line: Line, number: int) -> None:
        self.where = f"{line.place} unit {number}"
        self.line = line
        self.identity: Identity | None = None
        self.meters: dict[int, Identity] = {}
        self.batteries: dict[int, Identity] = {}
        self._number = number
        self._shift = 0  # of the meters' registers
        self._recognised_on = 0  # which connection
        self._looked_at: datetime | None = None

    @property
    def is_charger(self) -> bool:
        """Whether this is SolarEdge's own car charger, of which nothing can be read."""
        return self.identity is not None and self.identity.is_charger

    @property
    def has_grid_meter(self) -> bool:
        """Whether a meter at the grid is wired to it."""
        return any(meter.measures_grid for meter in self.meters.values())

    async def look(self, now: datetime, *, anew: bool = False) -> None:
        """Make sure who answers, once per connection, and look for what was absent, every ten minutes.

        Args:
            now: the daemon's time.
            anew: look at once.

        Raises:
            TransientError: no answer, or not from an inverter.
        """
        await self.line.open()
        if self._recognised_on != self.line.times_opened:
            await self._recognise()
        if self.is_charger:
            return
        if anew or self._looked_at is None or not timedelta() <= now - self._looked_at < LOOK_AGAIN:
            await self._look_around()
            self._looked_at = now

    async def measure(self, *, all_meters: bool = False) -> UnitReading:
        """Read the inverter, right after it the meters at the grid, and then all else.

        Args:
            all_meters: also those of which nothing is made.

        Raises:
            TransientError: no answer, or not from an inverter.
        """
        try:
            inverter = parse_inverter(await self._read(INVERTER), self.where)
        except TransientError:
            self._recognised_on = 0
            raise
        by_haste = sorted(self.meters, key=lambda number: (not self.meters[number].measures_grid, number))
        meters = {
            number: await self._meter(number)
            for number in by_haste
            if all_meters or self.meters[number].measures_grid or self.meters[number].measures_production
        }
        batteries = {number: await self._battery(number) for number in sorted(self.batteries)}
        return UnitReading(inverter, meters, batteries)

    async def _read(self, span: Span) -> Block:
        return await self.line.read(self._number, span)

    async def _find(self, span: Span) -> Block | None:
        try:
            return await self._read(span)
        except AbsentError:
            return None

    async def _recognise(self) -> None:
        connection = self.line.times_opened
        identity = parse_identity(await self._read(IDENTITY), self.where)
        if identity != self.identity:
            self.meters.clear()
            self.batteries.clear()
            self._looked_at = None
        self.identity = identity
        self._recognised_on = connection

    async def _look_around(self) -> None:
        if head := await self._find(AFTER_INVERTER):
            self._shift = synergy_shift(head)
            for number in METER_NUMBERS:
                block = await self._find(meter_identity_span(number, self._shift))
                if block and (meter := parse_meter_identity(block)):
                    self.meters[number] = meter
        for number in BATTERY_NUMBERS:
            block = await self._find(battery_identity_span(number))
            if block and (battery := parse_battery_identity(block)):
                self.batteries[number] = battery

    async def _meter(self, number: int) -> MeterReading:
        block = await self._find(meter_values_span(number, self._shift))
        return parse_meter(block) if block else MeterReading()

    async def _battery(self, number: int) -> BatteryReading:
        block = await self._find(battery_values_span(number))
        return parse_battery(block) if block else BatteryReading()
