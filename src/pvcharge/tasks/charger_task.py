"""Keeps the charger at its leased setpoint, and falls back by itself when nobody renews the lease."""

import asyncio
from datetime import timedelta
from enum import StrEnum
from typing import Annotated, Literal

import structlog
from pydantic import BaseModel, ConfigDict, Field

from pvcharge.drivers.base import Charger, DriverError
from pvcharge.model import NO_CHARGE, ChargerState, ChargerStatus, Clock, Lease, Setpoint
from pvcharge.tasks.feed import Feed
from pvcharge.tasks.queues import Inbox, Latest, first_of
from pvcharge.tasks.retry import Retry

log = structlog.get_logger(__name__)

GOODBYE_S = 8.0  # real seconds in which a stopping daemon may leave the charger as configured
STATUS_EVERY_S = 1.0  # a charger that talks more often is not listened to more often


class OnSilence(StrEnum):
    """What the charger shall do when the controller is gone, be it stopped, dead or out of reach."""

    STOP = "stop"
    MINIMUM = "minimum"
    KEEP = "keep"
    BOOST = "boost"


class EdgeSettings(BaseModel):
    """The `[edge]` table: how long a setpoint is good for, and what happens after."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    lease_s: Annotated[float, Field(ge=15, le=3600)] = 60.0
    on_silence: OnSilence = OnSilence.STOP


class SetpointRange(BaseModel):
    """The configured limits, which hold at the charger whatever a lease says."""

    model_config = ConfigDict(frozen=True)

    min_current_a: int
    max_current_a: int
    phases: tuple[Literal[1, 3], ...]

    def clamp(self, setpoint: Setpoint) -> Setpoint:
        """Return the setpoint within the limits."""
        if not setpoint.charges:
            return NO_CHARGE
        phases = setpoint.phases if setpoint.phases in self.phases else min(self.phases)
        return Setpoint(phases, min(max(setpoint.current_a, self.min_current_a), self.max_current_a))


class ChargerTask:
    """One charger's task: connects, passes its status on, writes the leased setpoint.

    Nothing is written before a fresh status of this connection, nothing without a lease ever held, and
    nothing decided before the driver of the car last changed something by hand.

    Args:
        charger: the driver; this task alone calls it.
        clock: the daemon's time.
        leases: the control loop's mailbox.
        inbox: where the control loop gets the status from.
        feed: where status and the device's health are published.
        edge: the fallback.
        limits: the configured limits.
    """

    def __init__(
        self,
        charger: Charger,
        clock: Clock,
        leases: Latest[Lease | None],
        inbox: Inbox,
        feed: Feed,
        edge: EdgeSettings,
        limits: SetpointRange,
    ) -> None:
        self._charger = charger
        self._clock = clock
        self._leases = leases
        self._inbox = inbox
        self._feed = feed
        self._limits = limits
        self._silence_setpoint = _silence_setpoint(edge.on_silence, limits)
        self._link = Retry(charger.name, clock, feed)
        self._writes = Retry(f"{charger.name} writes", clock, feed)
        self._status: Latest[ChargerStatus | None] = Latest(None)
        self._told: ChargerStatus | None = None
        self._silent = False
        self._failed: Setpoint | None = None  # the write that did not go through
        self._not_before = clock.now()  # when it may be tried again

    async def run(self) -> None:
        """Serve the charger until cancelled, then leave it as the settings say."""
        while True:
            delay_s = 0.0
            try:
                await self._charger.open()
                await self._serve()
            except* DriverError as group:
                delay_s = self._link.failed(_first(group), dict(self._charger.health()))
            finally:
                await self._leave()
                self._status.put(None)
            await self._clock.sleep(delay_s)

    async def _serve(self) -> None:
        async with asyncio.TaskGroup() as group:
            group.create_task(self._listen(), name=f"{self._charger.name} status")
            group.create_task(self._steer(), name=f"{self._charger.name} setpoint")

    async def _listen(self) -> None:
        while True:
            status = await self._charger.next_status()
            if self._status.value is None:
                self._link.succeeded(dict(self._charger.health()))
            self._status.put(status)
            if self._worth_telling(status):
                self._told = status
                self._feed.publish(status)
                await self._inbox.put(status)

    def _worth_telling(self, status: ChargerStatus) -> bool:
        told = self._told
        if told is None or (status.at - told.at).total_seconds() >= STATUS_EVERY_S:
            return True
        return (status.state, status.setpoint, status.changed_by_hand_at) != (
            told.state,
            told.setpoint,
            told.changed_by_hand_at,
        )

    async def _steer(self) -> None:
        while True:
            wanted, status = self._wanted(), self._status.value
            if wanted is not None and status is not None and status.setpoint != wanted:
                await self._write(wanted)
            lease, now = self._leases.value, self._clock.now()
            remaining_s = (lease.expires - now).total_seconds() if lease and lease.expires > now else 60.0
            await first_of(self._leases.wait(), self._status.wait(), self._clock.sleep(remaining_s))

    def _wanted(self) -> Setpoint | None:
        """Return what the charger shall be set to, None to leave it alone."""
        lease, status = self._leases.value, self._status.value
        if lease is None or status is None or status.state is ChargerState.ERROR:
            return None
        if status.changed_by_hand_at is not None and status.changed_by_hand_at > lease.at:
            return None
        silent = self._clock.now() >= lease.expires
        if silent != self._silent:
            self._silent = silent
            log.warning("controller silent" if silent else "controller back", lease=lease.seq)
        if not silent:
            return self._limits.clamp(lease.setpoint)
        return self._silence_setpoint

    async def _write(self, wanted: Setpoint) -> None:
        if wanted == self._failed and self._clock.now() < self._not_before:
            return
        try:
            await self._charger.apply(wanted)
        except DriverError as error:
            self._failed = wanted
            self._not_before = self._clock.now() + timedelta(seconds=self._writes.failed(error))
        else:
            self._failed = None
            self._writes.succeeded()

    async def _leave(self) -> None:
        """Close the connection; when stopping, put the charger first where silence would put it."""
        stopping = (task := asyncio.current_task()) is not None and task.cancelling() > 0
        setpoint = self._silence_setpoint
        if stopping and setpoint is not None and self._wanted() is not None:
            try:
                async with asyncio.timeout(GOODBYE_S):
                    await self._charger.apply(setpoint)
            except (DriverError, TimeoutError) as error:
                log.warning("charger left as it is", device=self._charger.name, error=str(error))
        await self._charger.aclose()


def _silence_setpoint(on_silence: OnSilence, limits: SetpointRange) -> Setpoint | None:
    return {
        OnSilence.STOP: NO_CHARGE,
        OnSilence.MINIMUM: Setpoint(min(limits.phases), limits.min_current_a),
        OnSilence.KEEP: None,
        OnSilence.BOOST: Setpoint(max(limits.phases), limits.max_current_a),
    }[on_silence]


def _first(group: BaseExceptionGroup[DriverError]) -> DriverError:
    """Return one error of a group: link loss makes reader and writer fail of the same cause."""
    error = group.exceptions[0]
    return _first(error) if isinstance(error, BaseExceptionGroup) else error
