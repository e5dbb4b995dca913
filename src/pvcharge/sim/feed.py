"""When the readings of a source become known, in virtual time."""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from random import Random

from pvcharge.model import PowerFlow
from pvcharge.sim.house import House, HouseSample

MODBUS_PERIOD = timedelta(seconds=5)
LIVE_PERIOD = timedelta(seconds=150)
LIVE_AGE_S = (20, 100)  # how old a value of the cloud's live view truly is
LIVE_FIRST = timedelta(seconds=125)  # late enough that the first value was measured after the start
QUARTER = timedelta(minutes=15)
QUARTER_DELAY = timedelta(minutes=6)  # until a mean can be read


class Source(StrEnum):
    """A kind of access to an inverter."""

    MODBUS = "modbus"  # local: an instant every 5 s, one step of the house old
    LIVE = "live"  # cloud: an instant every 150 s, truly 20..100 s old but stamped on arrival
    QUARTER = "quarter"  # cloud: means over quarter hours, readable 6 minutes after their end


class Feed:
    """Hands out what a source would by now have told about a house.

    Args:
        source: how the inverter is read.
        house: where the readings come from; it must be simulated up to the time that is asked for.
        start: the time from which on readings arrive, UTC-aware.
        seed: of the delays of `Source.LIVE`.
    """

    def __init__(self, source: Source, house: House, *, start: datetime, seed: int = 1) -> None:
        self._source = source
        self._house = house
        self._step = timedelta(seconds=house.step_s)
        self._random = Random(seed)
        self._read: Callable[[datetime], PowerFlow | None]
        match source:
            case Source.MODBUS:
                self._read, self._period, self._arrives = self._modbus, MODBUS_PERIOD, start + MODBUS_PERIOD
            case Source.LIVE:
                self._read, self._period, self._arrives = self._live, LIVE_PERIOD, start + LIVE_FIRST
            case Source.QUARTER:
                first = _quarter_at_or_before(start) + QUARTER_DELAY
                self._read, self._period, self._arrives = self._quarter, QUARTER, first

    def due(self, now: datetime) -> Iterator[PowerFlow]:
        """Yield the readings that have arrived since the last call, oldest first."""
        while self._arrives <= now:
            reading = self._read(self._arrives)
            self._arrives += self._period
            if reading:
                yield reading

    def _modbus(self, now: datetime) -> PowerFlow | None:
        sample = self._house.sample(now - self._step)
        return self._flow(sample, sample.at, sample.at) if sample else None

    def _live(self, now: datetime) -> PowerFlow | None:
        steps_old = timedelta(seconds=self._random.randint(*LIVE_AGE_S)) // self._step
        sample = self._house.sample(now - steps_old * self._step)
        return self._flow(sample, now, now) if sample else None

    def _quarter(self, now: datetime) -> PowerFlow | None:
        end = now - QUARTER_DELAY
        sample = self._house.mean(end - QUARTER, end)
        return self._flow(sample, end - QUARTER, end) if sample else None

    def _flow(self, sample: HouseSample, start: datetime, end: datetime) -> PowerFlow:
        return PowerFlow(
            start=start,
            end=end,
            pv_w=sample.pv_w,
            grid_w=sample.grid_w,
            battery_w=sample.battery_w,
            load_w=sample.load_w,
            battery_soc_pct=sample.battery_soc_pct,
            source=self._source,
        )


def _quarter_at_or_before(at: datetime) -> datetime:
    since_midnight = at - at.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    return at - since_midnight % QUARTER
