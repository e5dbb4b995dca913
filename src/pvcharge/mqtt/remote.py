"""The charger as the cloud sees it: statuses come from the edge, setpoints go there as leases."""

import asyncio
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime, timedelta

import structlog

from pvcharge.drivers.base import TransientError
from pvcharge.model import ChargerStatus, Clock, Lease, Setpoint
from pvcharge.mqtt import topics
from pvcharge.mqtt.bus import Bus, Message
from pvcharge.mqtt.errors import Refusals, Repeats
from pvcharge.mqtt.payloads import decode_refusal, decode_status, encode_lease
from pvcharge.mqtt.peer import STATUS_GOOD_S, Peer, own_time, seq_at
from pvcharge.mqtt.topics import Namespace
from pvcharge.mqtt.waits import set_within
from pvcharge.mqtt.wire import PayloadError

log = structlog.get_logger(__name__)

OPEN_S = 30.0  # real seconds for the edge's heartbeat and a status, which both come every 10 s
LOOK_S = 1.0  # how soon a dead heartbeat is noticed


class RemoteCharger:
    """A charger behind the edge. See `Charger`, `LeaseHolder` and `Announced` in `pvcharge.drivers.base`.

    Args:
        bus: the broker connection; not running yet.
        edge: the edge's heartbeat.
        namespace: where the site's topics stand.
        clock: the cloud's time, which all times handed out are in.
        name: the charger's name for the user.
    """

    def __init__(
        self, bus: Bus, edge: Peer, namespace: Namespace, clock: Clock, name: str = "charger"
    ) -> None:
        self.name = name
        self._bus = bus
        self._edge = edge
        self._clock = clock
        self._setpoint_topic = namespace.path(topics.SETPOINT)
        self._refusals = Refusals(bus, namespace, topics.CHARGER, clock)
        self._repeats = Repeats()
        self._heard: ChargerStatus | None = None  # in the edge's time, until it is handed out
        self._news = asyncio.Event()
        self._told: ChargerStatus | None = None  # in the edge's time, as handed out last
        self._told_at: datetime | None = None  # its time in ours
        self._by_hand: tuple[datetime, datetime] | None = None  # the last change, in the edge's time and ours
        self._seq = 0
        bus.listen(namespace.path(topics.CHARGER), self._hear_status)
        bus.listen(namespace.error(topics.SETPOINT), self._hear_refusal)

    async def open(self) -> None:
        """Wait for the edge's heartbeat, and for a status that comes in from now on.

        Raises:
            TransientError: one of them has not come within 30 s.
        """
        await self.aclose()
        try:
            async with asyncio.timeout(OPEN_S):
                while self._obstacle() or not self._fresh():
                    await set_within(self._news, self._clock, LOOK_S)
        except TimeoutError:
            raise TransientError(self._obstacle() or self._silence()) from None

    async def next_status(self) -> ChargerStatus:
        """Wait for a status newer than the last one handed out; its times are in the cloud's time.

        Raises:
            TransientError: the edge is gone, or its charger says nothing.
        """
        since = self._clock.now()
        while True:
            obstacle = self._obstacle()
            if obstacle:
                raise TransientError(obstacle)
            heard, self._heard = self._fresh(), None
            if heard is not None:
                return self._in_own_time(heard)
            if (self._clock.now() - since).total_seconds() >= STATUS_GOOD_S:
                raise TransientError(self._silence())
            await set_within(self._news, self._clock, LOOK_S)

    async def comes_back(self) -> None:
        """Return when the edge is heard again after it was not; while it is heard, never."""
        while not self._obstacle():
            await self._clock.sleep(LOOK_S)
        while self._obstacle():
            await self._clock.sleep(LOOK_S)

    async def hold(self, lease: Lease) -> None:
        """Send a lease to the edge, unless it has run out before.

        Each message gets a higher sequence number than the one before, see `pvcharge.mqtt.peer.seq_at`.

        Raises:
            TransientError: the edge is gone, or the broker did not take the message.
        """
        obstacle, skew_s = self._obstacle(), self._edge.skew_s
        if obstacle or skew_s is None:
            raise TransientError(obstacle)
        left_s = (lease.expires - self._clock.now()).total_seconds()
        if left_s <= 0:
            return
        self._seq = max(self._seq + 1, seq_at(lease.at + timedelta(seconds=skew_s)))
        by_hand = self._hand_in_edge_time(lease.hand_known_at, skew_s)
        payload = encode_lease(replace(lease, seq=self._seq, hand_known_at=by_hand))
        if not await self._bus.publish(self._setpoint_topic, payload, expiry_s=left_s):
            raise TransientError(f"{self.name}: the broker did not take the setpoint")

    async def apply(self, setpoint: Setpoint) -> None:
        """Do nothing: the edge writes what the lease held there says, and confirms it by its status."""

    def health(self) -> Mapping[str, float | str]:
        """Return nothing: what there is to say of the edge, the line to it says."""
        return {}

    async def aclose(self) -> None:
        """Forget what has been heard; the edge goes on by itself."""
        self._heard = self._told = None

    def _obstacle(self) -> str:
        """Return why there is no word from the edge, empty if there is."""
        if not self._bus.connected:
            return f"{self.name}: no connection to the broker; its own message says why"
        if not self._edge.alive or self._edge.skew_s is None:
            return (
                f"{self.name}: the edge is offline or not heard; see whether it runs and is connected, "
                "and whether the broker lets each side read the other's heartbeat"
            )
        return ""

    def _silence(self) -> str:
        return f"{self.name}: the edge is there, but tells nothing new of its charger; see the edge's own log"

    def _fresh(self) -> ChargerStatus | None:
        """Return what has been heard, if it is new; retained or held up on its way, it may be old."""
        heard, skew_s = self._heard, self._edge.skew_s
        if heard is None or skew_s is None or (self._told and heard.at <= self._told.at):
            return None
        age_s = (self._clock.now() - own_time(heard.at, skew_s)).total_seconds()
        return heard if abs(age_s) < STATUS_GOOD_S else None

    def _in_own_time(self, heard: ChargerStatus) -> ChargerStatus:
        skew_s = self._edge.skew_s or 0.0
        at = min(own_time(heard.at, skew_s), self._clock.now())
        if self._told_at is not None:
            at = max(at, self._told_at)  # a skew measured anew turns no newer status into an older one
        self._told, self._told_at = heard, at
        return replace(heard, at=at, changed_by_hand_at=self._hand_in_own_time(heard, skew_s))

    def _hand_in_own_time(self, heard: ChargerStatus, skew_s: float) -> datetime | None:
        """Convert the time of a change once only: the same change must not look like another one later."""
        changed_at = heard.changed_by_hand_at
        if changed_at is None:
            return None
        if self._by_hand is None or self._by_hand[0] != changed_at:
            self._by_hand = changed_at, own_time(changed_at, skew_s)
        return self._by_hand[1]

    def _hand_in_edge_time(self, known_at: datetime | None, skew_s: float) -> datetime | None:
        """Convert back: the edge must find the very time that it told, whatever the skew is by now."""
        if known_at is None:
            return None
        if self._by_hand is not None and self._by_hand[1] == known_at:
            return self._by_hand[0]
        return known_at + timedelta(seconds=skew_s)

    async def _hear_status(self, message: Message) -> None:
        try:
            self._heard = decode_status(message.payload)
        except PayloadError as error:
            await self._refusals.refuse(error)
        else:
            self._news.set()

    async def _hear_refusal(self, message: Message) -> None:
        try:
            reason = decode_refusal(message.payload)
        except PayloadError:
            return  # errors answered by errors would never end
        if self._repeats.is_news("refused", self._clock.now()):
            log.warning("edge refused a setpoint", device=self.name, error=reason)
