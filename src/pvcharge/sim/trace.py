"""Recorded days: production and consumption from a CSV file."""

import csv
import gzip
import zlib
from array import array
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import MAXYEAR, UTC, datetime, timedelta
from math import isfinite, nan
from pathlib import Path
from typing import TextIO

from pvcharge.sim.house import best_start
from pvcharge.sim.household import Household

DAY = timedelta(days=1)
MAX_STEP = timedelta(hours=1)  # slower records hold no surplus that could be followed
MAX_ROWS = 4_000_000  # 231 days of 5 s: enough, and still fits into memory
MAX_LINE = 10_000  # characters
MAX_LINES = 2 * MAX_ROWS  # blank ones too: a few kB of a packed file can be millions of them
SHOWN = 60  # characters of a cell in a message


class TraceError(ValueError):
    """A trace cannot be used; the message says which file and line, what was found, and what to do."""


@dataclass(frozen=True, slots=True)
class Trace:
    """Production and consumption as means over intervals of constant length.

    Before its start and after its end it holds its first and last values. Where whole days are missing from
    a file, the later days move up, each at its own time of day.

    Attributes:
        start: beginning of the first interval, UTC.
        step: length of the intervals.
        pv_means_w: production in each interval, at least one.
        load_means_w: household consumption in each interval; None = not recorded.
        household: consumes instead where no consumption was recorded; without it nobody does.
    """

    start: datetime
    step: timedelta
    pv_means_w: Sequence[float]
    load_means_w: Sequence[float] | None = None
    household: Household | None = None

    @classmethod
    def load(cls, path: Path, household: Household | None = None) -> "Trace":
        """Read a trace from `.csv` or `.csv.gz`.

        Args:
            path: a file with a header and the columns `timestamp` (ISO 8601 with zone: when the interval
                begins), `pv_w` and, if recorded, `load_w`; other columns are ignored.
            household: consumes if the file has no column `load_w`.

        Raises:
            TraceError: the file cannot be read, or is not such a file.
        """
        try:
            with _open(path) as handle:
                return _read(handle, path, household)
        except FileNotFoundError:
            raise TraceError(f"{path}: there is no such file; check the path") from None
        except (gzip.BadGzipFile, EOFError, zlib.error) as error:
            raise TraceError(f"{path}: not a whole gzip file ({error}); compress it again") from error
        except OSError as error:
            raise TraceError(f"{path}: cannot be read ({error.strerror}); choose another file") from error
        except UnicodeDecodeError as error:
            raise TraceError(f"{path}: not a text file ({error.reason}); save it as CSV in UTF-8") from error

    @property
    def step_s(self) -> float:
        """Length of the intervals in seconds."""
        return self.step.total_seconds()

    @property
    def end(self) -> datetime:
        """End of the last interval."""
        return self.start + len(self.pv_means_w) * self.step

    @property
    def days(self) -> float:
        """Length of the trace in days."""
        return (self.end - self.start) / DAY

    def pv_w(self, at: datetime) -> float:
        """Return the production at a time in W, on straight lines between the middles of the intervals."""
        position = (at - self.start) / self.step - 0.5
        last = len(self.pv_means_w) - 1
        if not 0 <= position < last:
            return self.pv_means_w[0 if position < 0 else last]
        index = int(position)
        before_w, after_w = self.pv_means_w[index], self.pv_means_w[index + 1]
        return before_w + (after_w - before_w) * (position - index)

    def load_w(self, at: datetime) -> float:
        """Return the household's consumption at a time in W, the mean of its interval."""
        if self.load_means_w is None:
            return self.household.load_w(at) if self.household else 0.0
        index = (at - self.start) // self.step
        return self.load_means_w[min(max(0, index), len(self.load_means_w) - 1)]

    def crop(self, skip_days: float, days: float) -> "Trace":
        """Return the part that begins `skip_days` after the start and lasts `days`, or until the end.

        Raises:
            TraceError: nothing is left.
        """
        first, last = (int(DAY * day / self.step) for day in (skip_days, skip_days + days))
        if not 0 <= first < min(last, len(self.pv_means_w)):
            raise TraceError(
                f"a trace of {self.days:.2f} days from {self.start} on has nothing in the {days} days"
                f" after the first {skip_days}; skip fewer days"
            )
        load_means_w = None if self.load_means_w is None else self.load_means_w[first:last]
        start = self.start + first * self.step
        return Trace(start, self.step, self.pv_means_w[first:last], load_means_w, self.household)

    def best_start(self, hours: float = 0.5) -> datetime:
        """Return when on day 1 a surplus of 2 kW first holds for some hours, or what comes nearest to it."""
        return best_start(self, self.start, min(self.end, self.start + DAY), hours)


class _Rhythm:
    """Learns start and step from the first two timestamps, and insists on the step from then on."""

    def __init__(self) -> None:
        self.start = datetime.max.replace(tzinfo=UTC)
        self.step = timedelta(0)
        self.count = 0
        self._due = self.start

    def check(self, at: datetime, where: str) -> None:
        if self.count == 0:
            self.start = at
        elif self.count == 1:
            self.step = at - self.start
            if self.step <= timedelta(0):
                raise TraceError(f"{where}: {at} after {self.start}; the rows must go forward in time")
            if self.step > MAX_STEP:
                raise TraceError(
                    f"{where}: {self.step} after the row before; a trace needs a row an hour, or more"
                )
        elif at < self._due or (at - self._due) % DAY:  # whole days may be missing
            raise TraceError(
                f"{where}: irregular step, found {at} where {self._due} was due;"
                f" sort the rows, and fill gaps or cut the file there"
            )
        self._due = at + self.step
        self.count += 1


def _open(path: Path) -> TextIO:
    if path.suffix == ".gz":
        return gzip.open(path, "rt", encoding="utf-8-sig", newline="")
    return path.open(encoding="utf-8-sig", newline="")


def _read(handle: TextIO, path: Path, household: Household | None) -> Trace:
    rows = _rows(handle, path)
    where, names = next(rows, (str(path), []))
    at_column, pv_column = (_column(name, names, where) for name in ("timestamp", "pv_w"))
    load_column = names.index("load_w") if "load_w" in names else None
    rhythm, pv_w, load_w = _Rhythm(), array("d"), array("d")
    for where, cells in rows:
        if len(cells) != len(names):
            raise TraceError(
                f"{where}: {len(cells)} columns instead of {len(names)}; complete or remove the row"
            )
        if rhythm.count == MAX_ROWS:
            raise TraceError(f"{where}: too large, more than {MAX_ROWS} rows; cut the file into shorter ones")
        rhythm.check(_time(cells[at_column], where), where)
        pv_w.append(_power(cells[pv_column], "pv_w", where))
        if load_column is not None:
            load_w.append(_power(cells[load_column], "load_w", where))
    if not rhythm.step:
        raise TraceError(f"{path}: {rhythm.count} rows of data; a trace needs two or more")
    return Trace(rhythm.start, rhythm.step, pv_w, None if load_column is None else load_w, household)


def _rows(handle: TextIO, path: Path) -> Iterator[tuple[str, list[str]]]:
    """Yield the place and the cells of every line that is not blank, the header first."""
    rows = csv.reader(_lines(handle, path), skipinitialspace=True)
    try:
        for cells in rows:
            if cells:
                yield f"{path}, line {rows.line_num}", [cell.strip() for cell in cells]
    except csv.Error as error:
        raise TraceError(f"{path}, line {rows.line_num}: {error}; check the quotes") from error


def _lines(handle: TextIO, path: Path) -> Iterator[str]:
    """Yield the lines of a file that may not be one: no line is ever read whole if it is huge."""
    number = 0
    while line := handle.readline(MAX_LINE + 1):
        number += 1
        if number > MAX_LINES:
            raise TraceError(f"{path}: too large, more than {MAX_LINES} lines; cut it into shorter files")
        if len(line) > MAX_LINE:
            raise TraceError(f"{path}, line {number}: longer than {MAX_LINE} characters; this is no trace")
        yield line


def _column(name: str, names: list[str], where: str) -> int:
    if name not in names:
        found = ", ".join(name if name.isprintable() else ascii(name) for name in names) or "none at all"
        raise TraceError(
            f"{where}: no column {name} among {found[: 10 * SHOWN]}; give the column that holds it this name"
        )
    return names.index(name)


def _time(text: str, where: str) -> datetime:
    with suppress(ValueError, OverflowError):
        at = datetime.fromisoformat(text)
        if at.tzinfo and at.year < MAXYEAR:
            return at.astimezone(UTC)
    raise TraceError(f"{where}: timestamp {text[:SHOWN]!r}; write it in UTC, like 2026-06-01T12:00:00Z")


def _power(text: str, name: str, where: str) -> float:
    try:
        power_w = float(text)
    except ValueError:
        power_w = nan
    if not (isfinite(power_w) and power_w >= 0):
        raise TraceError(f"{where}: {name} is {text[:SHOWN]!r}; write a number of watts, 0 or more")
    return power_w
