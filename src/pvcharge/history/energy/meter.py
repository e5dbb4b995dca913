"""Energies of the house and the charger, integrated once over time. Pure: events in, increments out."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from pydantic import with_config

from pvcharge.history.energy.charged import ChargerEnergy
from pvcharge.history.energy.integral import PowerIntegral
from pvcharge.history.saved import STRICT, Saved
from pvcharge.model import ChargerStatus, PowerFlow

# A counter may have grown since the clock was wrong by years, and increments are cut into five minutes.
LONGEST_INCREMENT = timedelta(days=31)


class Quantity(StrEnum):
    """What is counted."""

    PV = "pv"
    IMPORT = "import"
    EXPORT = "export"
    BATTERY_IN = "battery_in"
    BATTERY_OUT = "battery_out"
    CHARGER = "charger"


@dataclass(frozen=True, slots=True)
class Increment:
    """Energies of a span of time, all >= 0; one that is missing is not known, one of 0 is."""

    start: datetime
    end: datetime
    energy_wh: Mapping[Quantity, float]


@with_config(STRICT)
@dataclass(slots=True)
class _Meters:
    pv: PowerIntegral
    grid: PowerIntegral
    battery: PowerIntegral
    charger: ChargerEnergy


_SAVED = Saved(_Meters)


class EnergyMeter:
    """Counts the energy in readings and statuses, no time of any quantity twice.

    Each of production, grid and battery is followed by itself: where a reading does not tell one, another
    source may count that time, also minutes later. So while a source of instants is silent the means of
    another count. Production below zero, such as an inverter's own use at night, is none.

    Args:
        state: as `state()` returned it; None to start with nothing.

    Raises:
        ValueError: the state is none; the message names the key.
    """

    def __init__(self, state: Mapping[str, Any] | None = None) -> None:
        self._meters = (
            _Meters(PowerIntegral.new(), PowerIntegral.new(), PowerIntegral.new(), ChargerEnergy.new())
            if state is None
            else _SAVED.read(state)
        )

    def state(self) -> dict[str, Any]:
        """Return all that is known, fit for JSON."""
        return _SAVED.write(self._meters)

    @property
    def until(self) -> datetime | None:
        """Up to when anything has been counted; older instants and statuses count no more."""
        meters = self._meters
        integrals = (meters.pv, meters.grid, meters.battery)
        times = [*(integral.newest for integral in integrals), meters.charger.at]
        return max(filter(None, times), default=None)

    def take(self, event: object) -> list[Increment]:
        """Return what an event adds; there are several increments if its quantities cover different times."""
        if isinstance(event, PowerFlow):
            return self._take_flow(event)
        if isinstance(event, ChargerStatus):
            step = self._meters.charger.take(event, with_session=False)
            if step is not None and step.counted:
                start = max(step.start, step.end - LONGEST_INCREMENT)
                return [Increment(start, step.end, {Quantity.CHARGER: step.energy_wh})]
        return []

    def _take_flow(self, flow: PowerFlow) -> list[Increment]:
        meters = self._meters
        found: dict[tuple[datetime, datetime], dict[Quantity, float]] = {}
        for integral, power_w, above, below in (
            (meters.pv, flow.pv_w, Quantity.PV, None),
            (meters.grid, flow.grid_w, Quantity.IMPORT, Quantity.EXPORT),
            (meters.battery, flow.battery_w, Quantity.BATTERY_IN, Quantity.BATTERY_OUT),
        ):
            if power_w is None:
                continue
            for piece in integral.take(flow.source, flow.start, flow.end, power_w):
                energies = found.setdefault((piece.start, piece.end), {})
                energies[above] = piece.above_wh
                if below is not None:
                    energies[below] = piece.below_wh
        return [Increment(start, end, energies) for (start, end), energies in found.items()]
