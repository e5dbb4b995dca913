"""Keeps the charger at its leased setpoint, and falls back by itself when nobody renews the lease."""

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from enum import StrEnum
from typing import Annotated

import structlog
from pydantic import BaseModel, ConfigDict, Field

from pvcharge.drivers.base import Announced, Charger, DriverError, LeaseHolder
from pvcharge.model import (
    NO_CHARGE,
    ChargerState,
    ChargerStatus,
    Clock,
    Lease,
    Setpoint,
    SetpointLimits,
)
from pvcharge.tasks.feed import Feed
from pvcharge.tasks.queues import Inbox, Latest, first_of
from pvcharge.tasks.retry import Retry
from pvcharge.tasks.wear import Wear, WearLimits

log = structlog.get_logger(__name__)

# Real seconds in which a stopping daemon may leave the charger as configured; see `pvcharge.service.STOP_S`.
GOODBYE_S = 3.5
STUCK_S = 180.0  # real seconds; a driver that is busy for longer has missed every time-out of its own
STATUS_EVERY_S = 1.0  # a charger that talks more often is not listened to more often
LOOK_S = 2.0  # looks at least so often for a lease that has run out or a write to try again
REPEAT_S = (
    5.0  # a charger may be busy, or have a limit of its own, and so show another setpoint after a write
)
GRACE_S = 3.0  # for a controller that was held up as long as this task, or has yet to hear of a new link
USUAL_WEAR = WearLimits.beyond(6, 6)
LOCAL_GRACE_S = 10.0  # for one in this very process, which the supervisor starts again after a crash


class OnSilence(StrEnum):
    """What the charger shall do when the controller is gone, be it stopped, dead or out of reach."""

    STOP = "stop"
    MINIMUM = "minimum"
    KEEP = "keep"
    BOOST = "boost"
    LOCAL = "local"  # lead the charger from here, see `pvcharge.tasks.stand_in`; if that is dead, stop


class EdgeSettings(BaseModel):
    """The `[edge]` table: how long a setpoint is good for, and what happens after."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    lease_s: Annotated[float, Field(ge=15, le=3600)] = 60.0
    on_silence: OnSilence = OnSilence.STOP


class ChargerTask:
    """One charger's task: connects, passes its status on, writes the leased setpoint.

    Nothing is written before a fresh status of this connection, nothing without a lease ever held, and
    nothing decided without knowing of the last change by hand. A charger at the far end of a network is told
    of every lease, so that it runs out there.

    Args:
        charger: the driver; this task alone calls it.
        clock: the daemon's time.
        leases: the control loop's mailbox.
        inbox: where the control loop gets the status from.
        feed: where the device's health is published.
        edge: the fallback.
        limits: the configured limits, which hold at the charger whatever a lease says.
        most: how often it may be started and switched, whatever leases say.

    Attributes:
        complete: adds to a status what the charger does not tell any more; by itself nothing.
    """

    def __init__(
        self,
        charger: Charger,
        clock: Clock,
        leases: Latest[Lease | None],
        inbox: Inbox,
        feed: Feed,
        edge: EdgeSettings,
        limits: SetpointLimits,
        most: WearLimits = USUAL_WEAR,
    ) -> None:
        self._charger = charger
        self._clock = clock
        self._leases = leases
        self._inbox = inbox
        self._limits = limits
        self.complete: Callable[[ChargerStatus], ChargerStatus] = lambda status: status
        self._silence_setpoint = _silence_setpoint(edge.on_silence, limits)
        self._grace_s = LOCAL_GRACE_S if edge.on_silence is OnSilence.LOCAL else GRACE_S
        self._link = Retry(charger.name, clock, feed)
        self._writes = Retry(f"{charger.name} writes", clock, feed)
        self._wear = Wear(charger.name, limits, most)
        self._status: Latest[ChargerStatus | None] = Latest(None)
        self._told: ChargerStatus | None = None
        self._held: Lease | None = None  # passed on last to a charger that holds leases itself
        self._silent = False
        self._tried: Setpoint | None = None  # the last write
        self._not_before = clock.now()  # when it may be made again
        self._busy_since_s: float | None = None  # by the event loop's own time

    @property
    def stuck(self) -> bool:
        """Whether the driver does not return, so that nobody would notice a lease that runs out."""
        since_s = self._busy_since_s
        return since_s is not None and asyncio.get_running_loop().time() - since_s > STUCK_S

    async def run(self) -> None:
        """Serve the charger until cancelled, then leave it as the settings say."""
        while True:
            delay_s = 0.0
            self._status.put(None)  # what an earlier connection said is no ground for a write
            self._held = None
            try:
                with self._busy():
                    await self._charger.open()
                await first_of(self._listen(), self._steer())
            except DriverError as error:
                delay_s = self._link.failed(error, dict(self._charger.health()))
            except asyncio.CancelledError:
                await self._say_goodbye()
                raise
            finally:
                with self._busy():
                    await self._charger.aclose()
            await self._wait(delay_s)

    @contextmanager
    def _busy(self) -> Iterator[None]:
        """Note for how long the driver takes."""
        self._busy_since_s = asyncio.get_running_loop().time()
        try:
            yield
        finally:
            self._busy_since_s = None

    async def _wait(self, delay_s: float) -> None:
        """Wait before the next try, unless the charger says that it is there again."""
        if isinstance(self._charger, Announced):
            await first_of(self._clock.sleep(delay_s), self._charger.comes_back())
        else:
            await self._clock.sleep(delay_s)

    async def _listen(self) -> None:
        while True:
            status = self.complete(await self._charger.next_status())
            if self._status.value is None:
                self._link.succeeded(dict(self._charger.health()))
            if self._worth_telling(status):
                await self._tell(status)
            self._status.put(status)

    def _worth_telling(self, status: ChargerStatus) -> bool:
        told = self._told
        if told is None or (status.at - told.at).total_seconds() >= STATUS_EVERY_S:
            return True
        return (status.state, status.setpoint, status.changed_by_hand_at) != (
            told.state,
            told.setpoint,
            told.changed_by_hand_at,
        )

    async def _tell(self, status: ChargerStatus) -> None:
        self._told = status
        await self._inbox.put(status)

    async def _steer(self) -> None:
        while True:
            await self._notice_silence()
            await self._pass_on()
            status, wanted = self._status.value, self._wanted()
            if status is not None and wanted is not None and status.setpoint != wanted:
                await self._bring(status.setpoint, wanted)
            await first_of(self._leases.wait(), self._status.wait(), self._clock.sleep(LOOK_S))

    async def _pass_on(self) -> None:
        lease = self._lease()
        if isinstance(self._charger, LeaseHolder) and lease is not None and lease is not self._held:
            with self._busy():
                await self._charger.hold(lease)
            self._held = lease

    async def _notice_silence(self) -> None:
        if not self._silent:
            await self._have_patience()
        expired = self._expired()
        if self._lease() is not None and expired != self._silent:
            self._silent = expired
            log.warning("controller silent" if expired else "controller back", device=self._charger.name)

    async def _have_patience(self) -> None:
        """Give a late controller the time to lease anew."""
        ends = self._clock.now() + timedelta(seconds=self._grace_s)
        while self._expired() and (left_s := (ends - self._clock.now()).total_seconds()) > 0:
            await first_of(self._leases.wait(), self._clock.sleep(left_s))

    def _expired(self) -> bool:
        lease = self._lease()
        return lease is not None and self._clock.now() >= lease.expires

    def _lease(self) -> Lease | None:
        """Return the lease to be carried out, None if the charger is to be left alone for now."""
        lease, status = self._leases.value, self._status.value
        if lease is None or status is None or status.state is ChargerState.ERROR:
            return None
        by_hand, known = status.changed_by_hand_at, lease.hand_known_at
        return lease if by_hand is None or (known is not None and by_hand <= known) else None

    def _wanted(self) -> Setpoint | None:
        """Return what the charger shall be set to, None to leave it alone."""
        lease = self._lease()
        if lease is None:
            return None
        return self._silence_setpoint if self._silent else self._limits.clamp(lease.setpoint)

    async def _bring(self, present: Setpoint | None, wanted: Setpoint) -> None:
        """Write what is wanted, as far as the charger is not worn out by it."""
        now = self._clock.now()
        allowed = self._wear.spare(present, wanted, now)
        if allowed == present or (allowed == self._tried and now < self._not_before):
            return
        if allowed != self._tried:
            self._wear.note(present, allowed, now)
        await self._write(allowed)

    async def _write(self, wanted: Setpoint) -> None:
        self._tried, pause_s = wanted, REPEAT_S
        try:
            with self._busy():
                await self._charger.apply(wanted)
        except DriverError as error:
            pause_s = self._writes.failed(error)
        else:
            if self._writes.failing:
                self._writes.succeeded()
        self._not_before = self._clock.now() + timedelta(seconds=pause_s)

    async def _say_goodbye(self) -> None:
        """Put the charger where silence would put it: nobody will speak to it for a while."""
        setpoint = self._silence_setpoint
        if setpoint is None or self._wanted() is None:
            return
        try:
            async with asyncio.timeout(GOODBYE_S):
                await self._charger.apply(setpoint)
        except (DriverError, TimeoutError) as error:
            reason = str(error) or f"did not confirm {setpoint} within {GOODBYE_S:g} s"
            log.warning("charger left as it is", device=self._charger.name, error=reason)


def _silence_setpoint(on_silence: OnSilence, limits: SetpointLimits) -> Setpoint | None:
    return {
        OnSilence.STOP: NO_CHARGE,
        OnSilence.MINIMUM: limits.smallest,
        OnSilence.KEEP: None,
        OnSilence.BOOST: limits.full,
        OnSilence.LOCAL: NO_CHARGE,
    }[on_silence]
