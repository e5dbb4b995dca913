"""What the inverters, meters and batteries of a house say together. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from pvcharge.drivers.solaredge_modbus.battery import BatteryReading
from pvcharge.drivers.solaredge_modbus.sunspec import THROTTLED, InverterReading, MeterReading
from pvcharge.drivers.solaredge_modbus.unit import UnitReading
from pvcharge.model import PowerFlow

NOTICEABLE_W = 200.0  # more than what changes between two requests
_SURE_AFTER = 3  # readings in a row


@dataclass(frozen=True, slots=True)
class House:
    """The readings of a house, taken as nearly at once as the connection allows.

    What the inverters deliver (AC) is the one thing that both sides of the balance are made of:
    production = AC + what charges the batteries, load = AC + what comes from the grid. So the balance
    pv + grid = load + battery holds exactly, and what the inverters lose by conversion lowers the
    production: it is what the house can use, a few percent below the DC power of the panels. Only where
    nothing is produced, it is held at 0 and the balance lacks what a discharging battery loses.
    All units are summed before that, since one may charge its battery with what another produces.

    A Production meter stands behind these inverters, whose power is known, or behind others; nothing tells
    which. It is counted as others' when more goes into the grid than these inverters deliver.

    Attributes:
        readings: one of each inverter.
        grid: the meter at the grid, None if there is none.
        production: the Production meters.
        invert_meter: whether the meter at the grid counts export as import.
        complete: whether these are all inverters; else production and load are not known.
    """

    readings: Sequence[UnitReading]
    grid: MeterReading | None
    production: Sequence[MeterReading] = ()
    invert_meter: bool = False
    complete: bool = True

    @property
    def batteries(self) -> list[BatteryReading]:
        """The batteries of all units."""
        return [battery for reading in self.readings for battery in reading.batteries.values()]

    @property
    def ac_w(self) -> float | None:
        """What the inverters deliver, less what they take."""
        return total([_ac_w(reading.inverter) for reading in self.readings]) if self.complete else None

    @property
    def dc_w(self) -> float | None:
        """The same on their other side, where panels and batteries are."""
        return total([reading.inverter.dc_w for reading in self.readings]) if self.complete else None

    @property
    def export_w(self) -> float | None:
        """What goes into the grid, negative for what comes from it."""
        if self.grid is None or self.grid.power_w is None:
            return None
        return -self.grid.power_w if self.invert_meter else self.grid.power_w

    @property
    def production_w(self) -> float | None:
        """What the Production meters count, 0 without any."""
        return total([meter.power_w for meter in self.production])

    @property
    def unexplained_w(self) -> float:
        """What goes into the grid beyond what the inverters deliver, as far as that is known."""
        if self.ac_w is None or self.export_w is None:
            return 0.0
        return max(0.0, self.export_w - max(0.0, self.ac_w))

    @property
    def others_produce(self) -> bool:
        """Whether only other inverters behind the Production meters explain what goes into the grid."""
        return NOTICEABLE_W < self.unexplained_w <= (self.production_w or 0.0) + NOTICEABLE_W

    def flow(self, *, at: datetime, source: str, count_production: bool) -> PowerFlow:
        """Return the flow of the house.

        Args:
            at: when it was read.
            source: name of the configured inverter.
            count_production: whether the Production meters stand behind other inverters.
        """
        ac_w, export_w = self.ac_w, self.export_w
        if count_production:
            ac_w = total([ac_w, self.production_w])
        battery_w = total([battery.power_w for battery in self.batteries])
        pv_w = total([ac_w, battery_w])
        # By its status an inverter sleeps too while it charges or discharges a battery.
        dark = all(reading.inverter.sleeps for reading in self.readings) and not self.batteries
        if dark and pv_w is not None and not count_production:
            pv_w = 0.0
        return PowerFlow(
            start=at,
            end=at,
            pv_w=None if pv_w is None else max(0.0, pv_w),
            grid_w=None if export_w is None else 0.0 - export_w,
            battery_w=battery_w if self.batteries else None,
            load_w=None if ac_w is None or export_w is None else max(0.0, ac_w - export_w),
            battery_soc_pct=_charge_pct(self.batteries),
            source=source,
            limited=any(reading.inverter.status == THROTTLED for reading in self.readings),
        )


class OtherProduction:
    """Finds out whether Production meters stand behind other inverters, and sticks to it once it is sure."""

    def __init__(self) -> None:
        self._in_a_row = 0

    def counts(self, house: House) -> bool:
        """Return whether they are to be counted in this reading."""
        sure = self._in_a_row >= _SURE_AFTER
        if not sure:
            self._in_a_row = self._in_a_row + 1 if house.others_produce else 0
        return sure or house.others_produce


def total(parts: Sequence[float | None]) -> float | None:
    """Add up; a sum of which a part is not known is not known either."""
    known = [part for part in parts if part is not None]
    return sum(known) if len(known) == len(parts) else None


def _ac_w(inverter: InverterReading) -> float | None:
    return 0.0 if inverter.ac_w is None and inverter.sleeps else inverter.ac_w


def _charge_pct(batteries: Sequence[BatteryReading]) -> float | None:
    """Return the mean by capacity, or the plain one where a capacity is not known."""
    levels = [battery.charge_pct for battery in batteries if battery.charge_pct is not None]
    if not batteries or len(levels) < len(batteries):
        return None
    capacities = [battery.capacity_wh for battery in batteries]
    weights = [1.0 if total(capacities) is None else capacity or 0.0 for capacity in capacities]
    mean = sum(level * weight for level, weight in zip(levels, weights, strict=True)) / sum(weights)
    return min(max(mean, min(levels)), max(levels))  # rounding must not lead above 100
