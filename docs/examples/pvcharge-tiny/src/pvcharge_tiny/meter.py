"""The tiny meter as an inverter: `GET /power` tells production and grid power."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from pvcharge.drivers.base import INVERTERS, Demand, Driver, DriverContext, TransientError
from pvcharge.model import PowerFlow
from pvcharge_tiny.device import Device

IDLE_S = 60.0  # while nobody acts on readings


class MeterSettings(BaseModel):
    """The `[[inverter]]` table."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    driver: Literal["tiny_meter"] = "tiny_meter"
    name: str = "tiny-meter"
    host: str = Field(min_length=1)
    port: int = Field(default=80, ge=1, le=65535)
    interval_s: float = Field(default=10.0, ge=1, le=300)


class TinyMeter:
    """Fulfils `pvcharge.drivers.base.Inverter`."""

    def __init__(self, settings: MeterSettings, context: DriverContext) -> None:
        self.name = settings.name
        self._device = Device(settings.name, settings.host, settings.port)
        self._clock = context.clock
        self._interval_s = settings.interval_s
        self._asked_at: datetime | None = None
        self._count: float | None = None  # of the last reading handed out

    async def read(self) -> tuple[PowerFlow, ...]:
        """Fetch the meter's reading, unless it is the one that we have already."""
        self._asked_at = self._clock.now()
        answer = await self._device.ask("GET", "/power")
        count, age_s = self._device.number(answer, "count"), self._device.number(answer, "age_s")
        if count is None or age_s is None or age_s < 0:
            raise TransientError(f"{self._device.where}: a reading without count or age")
        if count == self._count:
            return ()  # never hand out an old value as a new one
        self._count = count
        at = self._clock.now() - timedelta(seconds=age_s)
        return (
            PowerFlow(
                start=at,
                end=at,
                pv_w=self._device.number(answer, "pv_w"),
                grid_w=self._device.number(answer, "grid_w"),
                source=self.name,
            ),
        )

    def next_read_at(self, now: datetime, demand: Demand) -> datetime:
        """Read often while a car waits for surplus, else rarely."""
        if self._asked_at is None:
            return now
        acted_on = demand.car_plugged and demand.follows_surplus
        return self._asked_at + timedelta(seconds=self._interval_s if acted_on else IDLE_S)

    def health(self) -> Mapping[str, float | str]:
        """Return how many readings the meter has made."""
        return {} if self._count is None else {"readings_made": self._count}

    async def aclose(self) -> None:
        """Close the connection."""
        await self._device.aclose()


DRIVER = Driver(name="tiny_meter", kind=INVERTERS, settings=MeterSettings, create=TinyMeter)
