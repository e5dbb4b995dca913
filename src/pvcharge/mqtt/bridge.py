"""The edge's end: judges the setpoints that come in, sends up what the devices say, boosts while alone."""

import asyncio
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime

from pvcharge.model import (
    ChargerState,
    ChargerStatus,
    Clock,
    Lease,
    ModeCommand,
    PowerFlow,
    Setpoint,
    SetpointLimits,
)
from pvcharge.mqtt import topics
from pvcharge.mqtt.attention import Attention
from pvcharge.mqtt.bus import Bus, Message
from pvcharge.mqtt.errors import Refusals
from pvcharge.mqtt.heartbeat import PERIOD_S, PERIODS
from pvcharge.mqtt.local_boost import LocalBoost
from pvcharge.mqtt.payloads import decode_lease, parse_boost
from pvcharge.mqtt.peer import Peer, own_time, time_of
from pvcharge.mqtt.topics import Namespace
from pvcharge.mqtt.uplink import Uplink
from pvcharge.mqtt.waits import set_within
from pvcharge.mqtt.wire import RefusedError

LOOK_S = 1.0  # between two looks at what is due
AHEAD_S = 2.0  # that a setpoint may seem to come from the future; clocks are not known better


class EdgeBridge:
    """Joins the house to the cloud.

    Args:
        bus: the broker connection; not running yet.
        cloud: the cloud's heartbeat.
        namespace: where the site's topics stand.
        clock: the edge's time.
        put_lease: takes accepted leases, in the edge's time; the charger task's mailbox.
        limits: the setpoints that this house allows.
        lease_s: how long a lease of our own is good for, during a boost without the cloud.
        boost_ends_on_unplug: whether such a boost is for the car that is there only.

    Attributes:
        on_boost: called with the time of the command when a boost without the cloud begins or ends early,
            before anything is leased for it.
        on_refusal: called when a setpoint of the cloud has been refused.
    """

    def __init__(
        self,
        bus: Bus,
        cloud: Peer,
        namespace: Namespace,
        clock: Clock,
        *,
        put_lease: Callable[[Lease], None],
        limits: SetpointLimits,
        lease_s: float = 60.0,
        boost_ends_on_unplug: bool = False,
    ) -> None:
        self.on_boost: list[Callable[[datetime, ModeCommand], None]] = []
        self.on_refusal: list[Callable[[], None]] = []
        self._cloud = cloud
        self._clock = clock
        self._put_lease = put_lease
        self._limits = limits
        self._boost_ends_on_unplug = boost_ends_on_unplug
        self._plugged = False
        self._seq = 0  # of the last setpoint accepted
        self._good_until = clock.now()  # for which it was leased
        self._hand_at: datetime | None = None  # the last change by hand
        self._boost_knows: datetime | None = None  # the last one before the boost was commanded here
        self._news = asyncio.Event()
        self._attention = Attention(bus, clock)
        self._held_boost: tuple[datetime, ModeCommand] | None = None  # when it came in, and it
        self._uplink = Uplink(bus, namespace, clock)
        self._boost = LocalBoost(
            bus, namespace, clock, self._lease_full_power, lease_s, tell=self._tell_of_boost
        )
        self._setpoint_refusals = Refusals(bus, namespace, topics.SETPOINT, clock)
        self._boost_refusals = Refusals(bus, namespace, topics.BOOST_SET, clock)
        bus.listen(namespace.path(topics.SETPOINT), self._hear_setpoint)
        bus.listen(namespace.path(topics.BOOST_SET), self._hear_boost)

    @property
    def alone(self) -> bool:
        """Whether the cloud is silent, so that a boost is the edge's own matter."""
        return not self._cloud.alive

    @property
    def boosting(self) -> bool:
        """Whether the edge sees to a boost itself."""
        return self._boost.boosting

    async def boost(self, command: ModeCommand) -> None:
        """Begin a boost, change its end, or end it; only while `alone`, and with or without the broker.

        The cloud takes it over at its return.
        """
        self._held_boost = None  # it came before
        self._boost_knows = self._hand_at
        await self._boost.command(command)

    def send_status(self, status: ChargerStatus) -> None:
        """Have a status sent up: at once if something has changed, measurements once per second at most."""
        self._hand_at = status.changed_by_hand_at
        unplugged = self._plugged and status.state is ChargerState.DISCONNECTED
        self._plugged = status.state.plugged or (self._plugged and not unplugged)
        if unplugged and self._boost_ends_on_unplug:
            self._boost.end()
        self._uplink.add_status(status)
        self._news.set()

    def send_flow(self, flow: PowerFlow) -> None:
        """Have a reading sent up."""
        self._uplink.add_flow(flow)
        self._news.set()

    async def run(self) -> None:
        """Send what is due and see to the boost, until cancelled."""
        while True:
            self._attention.look()
            await self._see_to_held_boost()
            await self._boost.look(alone=not self._cloud.alive)
            await self._uplink.send()
            await set_within(self._news, self._clock, LOOK_S)

    async def _hear_setpoint(self, message: Message) -> None:
        try:
            lease = self._accept(message)
        except RefusedError as error:
            for hook in self.on_refusal:
                hook()
            await self._setpoint_refusals.refuse(error)
            return
        self._seq, self._good_until = lease.seq, lease.expires
        if self._held_boost is not None and self._held_boost[0] <= lease.at:
            self._held_boost = None
        self._put_lease(lease)
        await self._boost.hand_over()

    def _accept(self, message: Message) -> Lease:
        """Return the lease in the edge's time.

        Raises:
            RefusedError: it is not to be followed.
        """
        if message.retained:
            raise RefusedError("retained", "a retained setpoint may be of any age; publish without retain")
        lease = decode_lease(message.payload)
        skew_s = self._cloud.skew_s
        if not self._cloud.alive or skew_s is None:
            raise RefusedError("unheard", "the cloud's heartbeat is not heard, so the age is not known")
        if lease.seq <= self._last_seq():
            raise RefusedError("order", f"seq {lease.seq} does not follow {self._seq}")
        check_setpoint(lease.setpoint, self._limits)
        return replace(lease, at=self._decided_at(lease, skew_s))

    def _last_seq(self) -> int:
        """Return the number that the next one must exceed.

        One far ahead of our clock would shut the cloud out for good: be it that our clock was set back, or
        that somebody else has spoken in the cloud's name. It counts for as long as its lease; what is older
        than that is refused for its age.
        """
        now = self._clock.now()
        if now >= self._good_until and (time_of(self._seq) - now).total_seconds() > AHEAD_S:
            self._seq = 0
        return self._seq

    def _decided_at(self, lease: Lease, skew_s: float) -> datetime:
        """Return when a setpoint was decided by the edge's clock.

        Of two measurements the earlier counts: the skew as it is known here may be that of another cloud
        than the one which sent this, and a heartbeat that was held up makes things look younger. The
        sequence number was made with the skew known there, which makes them look older if anything.

        Raises:
            RefusedError: the lease has run out.
        """
        now, by_cloud = self._clock.now(), own_time(lease.at, skew_s)
        ahead_s = (by_cloud - now).total_seconds()
        if ahead_s > AHEAD_S:
            raise RefusedError("ahead", f"{ahead_s:.0f} s ahead of the cloud's clock as last measured")
        decided_at = min(by_cloud, time_of(lease.seq), now)
        age_s = (now - decided_at).total_seconds()
        if age_s >= lease.duration_s:
            raise RefusedError("old", f"{age_s:.0f} s old, and was good for {lease.duration_s:g} s")
        return decided_at

    async def _hear_boost(self, message: Message) -> None:
        try:
            command = self._read_boost(message)
        except RefusedError as error:
            if not self._cloud.alive:  # else the cloud answers
                await self._boost_refusals.refuse(error)
            return
        if self._attention.settled and not self._cloud.alive:
            await self.boost(command)
        else:
            self._held_boost = self._clock.now(), command

    async def _see_to_held_boost(self) -> None:
        """Obey a command for which there may be a cloud, as soon as we know that there is none.

        A cloud has heard it too, and what came after; but one that died a moment ago seems to be there yet.
        """
        if self._held_boost is None:
            return
        came_at, command = self._held_boost
        if self._cloud.alive:
            if (self._clock.now() - came_at).total_seconds() > PERIODS * PERIOD_S + LOOK_S:
                self._held_boost = None
        elif self._attention.settled:
            await self.boost(command)

    def _read_boost(self, message: Message) -> ModeCommand:
        if message.retained:
            raise RefusedError("retained", "a retained command would be obeyed at every connect")
        return parse_boost(message.payload, self._clock.now())

    def _tell_of_boost(self, at: datetime, boost: ModeCommand) -> None:
        for hook in self.on_boost:
            hook(at, boost)

    def _lease_full_power(self, duration_s: float) -> None:
        now = self._clock.now()
        self._put_lease(Lease(self._seq, now, duration_s, self._limits.full, self._boost_knows))


def check_setpoint(setpoint: Setpoint, limits: SetpointLimits) -> None:
    """Accept a setpoint within the limits; not to charge always is.

    Raises:
        RefusedError: it is not. It is not clamped, since a cloud with other limits than the house's shall
            be noticed and not be guessed at.
    """
    if not setpoint.charges:
        return
    if setpoint.phases not in limits.phases:
        allowed = " and ".join(str(phases) for phases in limits.phases)
        raise RefusedError("limits", f"{setpoint}: the edge is configured for phases {allowed}")
    if not limits.min_current_a <= setpoint.current_a <= limits.max_current_a:
        allowed = f"{limits.min_current_a} to {limits.max_current_a} A"
        raise RefusedError("limits", f"{setpoint}: the edge is configured for {allowed}")
