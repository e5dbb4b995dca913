"""What is kept by five minutes and by days, summed up."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, fields
from datetime import date
from itertools import groupby

from pvcharge.history.reading import EnergyRow, Reader

_SUMMED = [field.name for field in fields(EnergyRow) if field.name not in ("start", "filled")]
_SAVED = "SELECT count(*), total(energy_wh), total(solar_wh), total(cost), total(saved) FROM sessions"


def by_month(days: Iterable[EnergyRow]) -> Iterator[EnergyRow]:
    """Yield the energies of months, by their first days, of those of days in order of time."""
    for first, of_month in groupby(days, lambda row: date(row.start.year, row.start.month, 1)):
        rows = list(of_month)
        sums = {name: sum(getattr(row, name) for row in rows) for name in _SUMMED}
        yield EnergyRow(first, any(row.filled for row in rows), **sums)


@dataclass(frozen=True, slots=True)
class Saved:
    """What sessions have brought: energies in Wh, money in the currency of the prices."""

    sessions: int
    energy_wh: float
    solar_wh: float
    cost: float
    saved: float


def saved(reader: Reader, start_us: int) -> Saved:
    """Return what the sessions begun from a time on have brought; blocks like the reader."""
    (row,) = reader.rows(f"{_SAVED} WHERE started_us >= ?", start_us)
    return Saved(*row)
