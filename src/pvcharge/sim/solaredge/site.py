"""The one site behind the account, as far as the cloud knows it."""

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta, tzinfo
from typing import TYPE_CHECKING

from pvcharge.model import Clock
from pvcharge.sim.solaredge.faults import SolarEdgeFaults
from pvcharge.sim.solaredge.periods import Resolution, buckets, floor
from pvcharge.sim.solaredge.series import Archive, Bucket, Meter

if TYPE_CHECKING:
    from pvcharge.sim.house import HouseSample


@dataclass(eq=False, repr=False)
class Site:
    """A house with an inverter, a grid meter and perhaps a battery.

    Attributes:
        site_id: its number.
        zone: its time zone.
        meter: measures it.
        clock: the cloud's time.
        faults: the knobs.
        publish_delay_s: from the end of a quarter of an hour until the cloud has it.
        has_production_meter: whether a meter of its own measures what the roof gives.
    """

    site_id: int
    zone: tzinfo
    meter: Meter
    clock: Clock
    faults: SolarEdgeFaults
    publish_delay_s: float
    has_production_meter: bool
    _archive: Archive = field(init=False)

    def __post_init__(self) -> None:
        self._archive = Archive(self.meter, self.zone)

    @property
    def has_battery(self) -> bool:
        """Whether the house has a home battery, as far as the cloud has heard."""
        sample = self.live()
        return sample is not None and sample.battery_w is not None

    def now(self) -> datetime:
        """Return the time in UTC."""
        return self.clock.now().astimezone(UTC)

    def live(self) -> "HouseSample | None":
        """Return what the inverter has last sent over its live channel."""
        return self.meter.sample(self._heard_until())

    def last_upload(self) -> datetime:
        """Return the end of the newest quarter of an hour that the cloud has."""
        heard = self._heard_until() - timedelta(seconds=self.publish_delay_s)
        return floor(heard, Resolution.QUARTER_HOUR, self.zone)

    def at_last_upload(self) -> "HouseSample | None":
        """Return the powers as they were when the newest quarter of an hour ended."""
        return self.meter.sample(self.last_upload())

    def total(self, start: datetime, end: datetime) -> Bucket | None:
        """Return the sum of what the cloud has of [start, end)."""
        self._archive.learn(self.last_upload())
        return self._archive.bucket(start, end)

    def history(
        self, resolution: Resolution, start: datetime, end: datetime
    ) -> list[tuple[datetime, Bucket | None]]:
        """Return the start of every bucket in [start, end) that has begun, with what the cloud has of it.

        Buckets within a day come when they are complete, longer ones grow.
        """
        uploaded = self.last_upload()
        self._archive.learn(uploaded)
        return [
            (
                first,
                None if resolution.within_a_day and last > uploaded else self._archive.bucket(first, last),
            )
            for first, last in buckets(resolution, start, min(end, self.now()), self.zone)
        ]

    def _heard_until(self) -> datetime:
        now, frozen_at = self.now(), self.faults.frozen_at
        return now if frozen_at is None else min(now, frozen_at.astimezone(UTC))
