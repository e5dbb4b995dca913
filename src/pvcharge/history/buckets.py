"""Energies by five minutes, gathered until they are written."""

from collections.abc import Container, Iterator, Mapping
from datetime import datetime, timedelta

from pvcharge.history.energy import Increment, Quantity
from pvcharge.history.store import NOTHING, Energies, plus

STEP = timedelta(minutes=5)

_ORDER = (
    Quantity.PV,
    Quantity.IMPORT,
    Quantity.EXPORT,
    Quantity.BATTERY_IN,
    Quantity.BATTERY_OUT,
    Quantity.CHARGER,
)


class Buckets:
    """Gathers energies."""

    def __init__(self) -> None:
        self._gathered: dict[datetime, Energies] = {}

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
            self._add(_five_minutes(start), piece)

    def take(self) -> dict[datetime, Energies]:
        """Return what has been gathered by the beginning of the five minutes, and begin anew."""
        gathered, self._gathered = self._gathered, {}
        return gathered

    def put_back(self, gathered: Mapping[datetime, Energies]) -> None:
        """Add what could not be written."""
        for at, energies in gathered.items():
            self._add(at, energies)

    def _add(self, at: datetime, energies: Energies) -> None:
        self._gathered[at] = plus(self._gathered.get(at, NOTHING), energies)


def _five_minutes(at: datetime) -> datetime:
    return at.replace(minute=at.minute - at.minute % 5, second=0, microsecond=0)


def _pieces(start: datetime, end: datetime) -> Iterator[tuple[datetime, datetime]]:
    """Yield the parts of an interval that lie within five minutes of the clock each."""
    while start < end:
        until = min(end, _five_minutes(start) + STEP)
        yield start, until
        start = until
