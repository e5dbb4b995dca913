"""What the cloud has stored: energies per quarter of an hour, learnt from the house's meter."""

from bisect import bisect_left
from dataclasses import dataclass
from datetime import datetime, timedelta, tzinfo
from typing import TYPE_CHECKING, Protocol

from pvcharge.sim.solaredge.periods import HOUR, QUARTER

if TYPE_CHECKING:
    from pvcharge.sim.house import HouseSample

# A real meter counts import and export side by side. Means of pieces this long come close: under
# passing clouds a quarter has both.
PIECE = timedelta(minutes=5)
BACKFILL = timedelta(days=2)  # how far back the archive learns when it is new
DAWN_HOUR = 6  # until then a sleeping inverter uploads nothing; later it uploads zeros
ASLEEP_BELOW_W = 0.5


class Meter(Protocol):
    """The house as its meters see it."""

    def sample(self, at: datetime) -> "HouseSample | None":
        """Return the powers at a moment, None if they are not known."""
        ...

    def mean(self, start: datetime, end: datetime) -> "HouseSample | None":
        """Return the mean powers over an interval, None if it is not known as a whole."""
        ...


@dataclass(frozen=True, slots=True)
class Bucket:
    """Energies over a bucket of time.

    Attributes:
        start: UTC.
        hours: how much of the bucket has data.
        production_wh: None while the inverter sleeps.
        consumption_wh: everything behind the meter, the charger included.
        soc_pct: of the battery at the end, None without one.
    """

    start: datetime
    hours: float
    production_wh: float | None
    consumption_wh: float
    import_wh: float
    export_wh: float
    charge_wh: float
    discharge_wh: float
    soc_pct: float | None

    @property
    def inverter_wh(self) -> float | None:
        """What the inverter gave on its AC side; the battery hangs on its DC side."""
        if self.production_wh is None and not self.discharge_wh:
            return None
        return (self.production_wh or 0.0) + self.discharge_wh - self.charge_wh


class Archive:
    """All quarters that the cloud has heard of, oldest first. It keeps what the house may have forgotten.

    Args:
        meter: where the quarters come from.
        zone: of the site, for the hour at which the inverter wakes.
    """

    def __init__(self, meter: Meter, zone: tzinfo) -> None:
        self._meter = meter
        self._zone = zone
        self._quarters: list[Bucket] = []

    def learn(self, until: datetime) -> None:
        """Take over every quarter that has ended by then; `until` must be the end of a quarter.

        What the meter does not know is asked for again until it knows something later.
        """
        start = self._quarters[-1].start + QUARTER if self._quarters else until - BACKFILL
        while start < until:
            quarter = self._measure(start)
            if quarter is not None:
                self._quarters.append(quarter)
            start += QUARTER

    def bucket(self, start: datetime, end: datetime) -> Bucket | None:
        """Return the sum of all known quarters that begin in [start, end); None if there are none."""
        first = bisect_left(self._quarters, start, key=_start)
        last = bisect_left(self._quarters, end, key=_start)
        return _sum(self._quarters[first:last]) if first < last else None

    def _measure(self, start: datetime) -> Bucket | None:
        pieces: list[Bucket] = []
        while len(pieces) < QUARTER // PIECE:
            at = start + len(pieces) * PIECE
            mean = self._meter.mean(at, at + PIECE)
            if mean is None:
                return None
            may_sleep = at.astimezone(self._zone).hour < DAWN_HOUR
            pieces.append(_bucket(at, mean, may_sleep=may_sleep))
        return _sum(pieces)


def _bucket(start: datetime, mean: "HouseSample", *, may_sleep: bool) -> Bucket:
    hours = PIECE / HOUR
    battery_w = mean.battery_w or 0.0
    return Bucket(
        start=start,
        hours=hours,
        production_wh=None if may_sleep and mean.pv_w < ASLEEP_BELOW_W else mean.pv_w * hours,
        consumption_wh=mean.load_w * hours,
        import_wh=max(0.0, mean.grid_w) * hours,
        export_wh=max(0.0, -mean.grid_w) * hours,
        charge_wh=max(0.0, battery_w) * hours,
        discharge_wh=max(0.0, -battery_w) * hours,
        soc_pct=mean.battery_soc_pct,
    )


def _start(quarter: Bucket) -> datetime:
    return quarter.start


def _sum(parts: list[Bucket]) -> Bucket:
    awake = [part.production_wh for part in parts if part.production_wh is not None]
    return Bucket(
        start=parts[0].start,
        hours=sum(part.hours for part in parts),
        production_wh=sum(awake) if awake else None,
        consumption_wh=sum(part.consumption_wh for part in parts),
        import_wh=sum(part.import_wh for part in parts),
        export_wh=sum(part.export_wh for part in parts),
        charge_wh=sum(part.charge_wh for part in parts),
        discharge_wh=sum(part.discharge_wh for part in parts),
        soc_pct=parts[-1].soc_pct,
    )
