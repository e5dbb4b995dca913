"""Energies by five minutes and by local day, gathered until they are written."""

from collections.abc import Container, Iterator
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta, tzinfo
from typing import TypeVar

from pvcharge.history.energy import Increment, Quantity
from pvcharge.history.store import Energies

K = TypeVar("K")

STEP = timedelta(minutes=5)
NOTHING: Energies = (0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0)

_ORDER = (
    Quantity.PV,
    Quantity.IMPORT,
    Quantity.EXPORT,
    Quantity.BATTERY_IN,
    Quantity.BATTERY_OUT,
    Quantity.CHARGER,
)


@dataclass(slots=True)
class Gathered:
    """Energies by the beginning of their five minutes, and by local day."""

    five_minutes: dict[datetime, Energies] = field(default_factory=dict)
    days: dict[date, Energies] = field(default_factory=dict)


class Buckets:
    """Gathers energies.

    Args:
        zone: of the site, for its days.
    """

    def __init__(self, zone: tzinfo) -> None:
        self._zone = zone
        self._gathered = Gathered()

    def add(self, increment: Increment, leave_out: Container[datetime] = ()) -> None:
        """Add energies, spread evenly over their interval; those of some five minutes may be left out."""
        whole_s = (increment.end - increment.start).total_seconds()
        energies = [increment.energy_wh.get(quantity, 0.0) for quantity in _ORDER]
        covers = Quantity.IMPORT in increment.energy_wh  # it comes of a reading, which told the grid
        for start, end in _pieces(increment.start, increment.end):
            if _five_minutes(start) in leave_out:
                continue
            length_s = (end - start).total_seconds()
            pv, imported, exported, battery_in, battery_out, charger = (
                energy_wh * length_s / whole_s for energy_wh in energies
            )
            covered_s = length_s if covers else 0.0
            piece = pv, imported, exported, battery_in, battery_out, charger, covered_s
            _add(self._gathered.five_minutes, _five_minutes(start), piece)
            # No day of any zone begins within five minutes of the clock.
            _add(self._gathered.days, start.astimezone(self._zone).date(), piece)

    def take(self) -> Gathered:
        """Return what has been gathered, and begin anew."""
        gathered, self._gathered = self._gathered, Gathered()
        return gathered

    def put_back(self, gathered: Gathered) -> None:
        """Add what could not be written."""
        for at, energies in gathered.five_minutes.items():
            _add(self._gathered.five_minutes, at, energies)
        for day, energies in gathered.days.items():
            _add(self._gathered.days, day, energies)


def _five_minutes(at: datetime) -> datetime:
    return at.replace(minute=at.minute - at.minute % 5, second=0, microsecond=0)


def _pieces(start: datetime, end: datetime) -> Iterator[tuple[datetime, datetime]]:
    """Yield the parts of an interval that lie within five minutes of the clock each."""
    while start < end:
        until = min(end, _five_minutes(start) + STEP)
        yield start, until
        start = until


def _add(sums: dict[K, Energies], key: K, more: Energies) -> None:
    pv, imported, exported, battery_in, battery_out, charger, covered_s = sums.get(key, NOTHING)
    sums[key] = (
        pv + more[0],
        imported + more[1],
        exported + more[2],
        battery_in + more[3],
        battery_out + more[4],
        charger + more[5],
        covered_s + more[6],
    )
