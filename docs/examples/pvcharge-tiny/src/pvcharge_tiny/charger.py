"""The tiny charger: `GET /status` tells how it is, `PUT /setpoint` sets it."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from pvcharge.drivers.base import CHARGERS, Driver, DriverContext, TransientError
from pvcharge.model import NO_CHARGE, ChargerState, ChargerStatus, Setpoint
from pvcharge_tiny.device import Device

LEAST_A = 6  # below which no car charges
STATES = {
    "none": ChargerState.DISCONNECTED,
    "waiting": ChargerState.READY,
    "charging": ChargerState.CHARGING,
    "done": ChargerState.COMPLETE,
    "fault": ChargerState.ERROR,
}


class ChargerSettings(BaseModel):
    """The `[charger]` table."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    driver: Literal["tiny_charger"] = "tiny_charger"
    name: str = "tiny-charger"
    host: str = Field(min_length=1)
    port: int = Field(default=80, ge=1, le=65535)
    interval_s: float = Field(default=2.0, ge=0.5, le=30)


class TinyCharger:
    """Fulfils `pvcharge.drivers.base.Charger`."""

    def __init__(self, settings: ChargerSettings, context: DriverContext) -> None:
        self.name = settings.name
        self._device = Device(settings.name, settings.host, settings.port)
        self._clock = context.clock
        self._interval_s = settings.interval_s
        self._status: ChargerStatus | None = None  # the latest, until it is handed out
        self._seen: Setpoint | None = None  # what it was set to when we last looked
        self._wrote: Setpoint | None = None
        self._by_hand_at: datetime | None = None

    async def open(self) -> None:
        """Wait for one status."""
        await self.aclose()
        self._status = await self._ask()

    async def next_status(self) -> ChargerStatus:
        """Return the status that `open` has found, then a new one at each interval."""
        status, self._status = self._status, None
        if status is None:
            await self._clock.sleep(self._interval_s)
            status = await self._ask()
        return status

    async def apply(self, setpoint: Setpoint) -> None:
        """Set the charger to what it can do of this, unless it is already, and see whether it took it."""
        status = await self._ask()
        wanted = _possible(setpoint, status)
        if wanted == status.setpoint:
            return
        self._wrote = wanted
        await self._device.ask("PUT", "/setpoint", {"phases": wanted.phases, "amps": wanted.current_a})
        if (await self._ask()).setpoint != wanted:
            raise TransientError(f"{self._device.where}: accepted {wanted} but did not take it")

    def health(self) -> Mapping[str, float | str]:
        """Return nothing: the charger tells no more of itself."""
        return {}

    async def aclose(self) -> None:
        """Close the connection, and leave the charger as it is set."""
        await self._device.aclose()

    async def _ask(self) -> ChargerStatus:
        return self._read(await self._device.ask("GET", "/status"))

    def _read(self, answer: Mapping[str, Any]) -> ChargerStatus:
        state, number = STATES.get(str(answer.get("car"))), self._device.number
        power_w = number(answer, "power_w")
        if state is None or power_w is None:
            raise TransientError(f"{self._device.where}: a status without car or power_w")
        at, setpoint, most_a = self._clock.now(), self._setpoint(answer), number(answer, "max_amps")
        if self._seen is not None and setpoint not in (self._seen, self._wrote):
            self._by_hand_at = at
        self._seen = setpoint
        return ChargerStatus(
            at=at,
            state=state,
            power_w=power_w,
            phases=int(number(answer, "phases") or 0),
            current_a=number(answer, "amps") or 0.0,
            setpoint=setpoint,
            max_current_a=None if most_a is None else int(most_a),
            session_wh=number(answer, "session_wh"),
            changed_by_hand_at=self._by_hand_at,
            fault="see its display" if state is ChargerState.ERROR else None,
        )

    def _setpoint(self, answer: Mapping[str, Any]) -> Setpoint:
        phases, amps = self._device.number(answer, "set_phases"), self._device.number(answer, "set_amps")
        try:
            return Setpoint(int(phases or 0), int(amps or 0))
        except ValueError as error:
            raise TransientError(f"{self._device.where}: is set to something impossible: {error}") from error


def _possible(setpoint: Setpoint, status: ChargerStatus) -> Setpoint:
    """Return a setpoint within what the charger says is possible now."""
    if not setpoint.charges or status.max_current_a is None:
        return setpoint
    if status.max_current_a < LEAST_A:
        return NO_CHARGE
    return Setpoint(setpoint.phases, min(setpoint.current_a, status.max_current_a))


DRIVER = Driver(name="tiny_charger", kind=CHARGERS, settings=ChargerSettings, create=TinyCharger)
