"""The boost that the edge itself sees to while there is no cloud."""

from collections.abc import Callable
from datetime import datetime
from math import inf

import structlog

from pvcharge.model import Clock, ModeCommand
from pvcharge.mqtt import topics
from pvcharge.mqtt.bus import Bus, Message
from pvcharge.mqtt.payloads import decode_boost, encode_boost
from pvcharge.mqtt.topics import Namespace
from pvcharge.mqtt.wire import PayloadError

log = structlog.get_logger(__name__)


class LocalBoost:
    """Leases full power to the charger until the boost ends or the cloud takes over.

    The last command stays at the broker until then: there the cloud finds it at its return, and we do after
    a restart.

    Args:
        bus: the broker connection; not running yet.
        namespace: where the site's topics stand.
        clock: the edge's time.
        lease_full_power: leases full power from now on for that many seconds; 0 ends such a lease.
        lease_s: how long to lease at a time; renewed at a third of it.
        tell: told of each boost and its end, whenever these change, with the time of the command.
    """

    def __init__(
        self,
        bus: Bus,
        namespace: Namespace,
        clock: Clock,
        lease_full_power: Callable[[float], None],
        lease_s: float,
        tell: Callable[[datetime, ModeCommand], None] = lambda _at, _boost: None,
    ) -> None:
        self._bus = bus
        self._clock = clock
        self._state_topic = namespace.path(topics.BOOST)
        self._kept_topic = namespace.path(topics.EDGE_BOOST)
        self._lease_full_power = lease_full_power
        self._lease_s = lease_s
        self._tell = tell
        self._commanded: tuple[datetime, ModeCommand] | None = None  # and not taken over by the cloud
        self._restorable = True  # nothing has happened yet that would outdate what stands at the broker
        self._kept = False  # something may stand there
        self._boosting = False
        self._renewed_at: datetime | None = None
        self._state: str | None = None  # as told; None while the cloud tells it
        bus.listen(self._kept_topic, self._hear_kept)
        bus.on_connect(self._publish)

    @property
    def boosting(self) -> bool:
        """Whether a boost goes on, and nobody has taken it over."""
        return self._boosting

    async def command(self, boost: ModeCommand) -> None:
        """Begin a boost, change its end, or end it."""
        log.info("boost commanded without the cloud", until=boost.until)
        now = self._clock.now()
        self._tell(now, boost)
        self._begin(now, boost)
        self._renew(boost)
        await self._publish()

    def end(self) -> None:
        """End the boost, if there is one, at the next look."""
        if self._boosting and self._commanded is not None:
            at, boost = self._commanded
            now = self._clock.now()
            boost = ModeCommand(boost.mode, until=min(boost.until or now, now))
            self._commanded = at, boost
            self._tell(at, boost)

    async def look(self, *, alone: bool) -> None:
        """Renew the lease when it is time, and end the boost when it is over.

        With a cloud that has not leased anything yet, the lease in force is left to run: its own will come.
        """
        if not alone:
            self._state = None
        elif self._boosting and self._commanded is not None and not self._renew(self._commanded[1]):
            await self._publish()

    async def hand_over(self) -> None:
        """Leave everything to the cloud, whose lease has come."""
        self._restorable = self._boosting = False
        if self._commanded is not None or self._kept:
            log.info("boost handed over to the cloud")
            self._commanded = self._state = None
            await self._publish()
            self._kept = False

    def _begin(self, at: datetime, boost: ModeCommand) -> None:
        self._commanded, self._restorable, self._kept = (at, boost), False, True
        self._boosting, self._renewed_at, self._state = True, None, "ON"

    def _renew(self, boost: ModeCommand) -> bool:
        """Return whether the boost goes on."""
        now = self._clock.now()
        left_s = (boost.until - now).total_seconds() if boost.until else inf
        if left_s <= 0:
            self._boosting, self._state = False, "OFF"
            ended_at = boost.until or now
            self._commanded = ended_at, ModeCommand(boost.mode, ended_at)
            self._lease_full_power(0.0)
            return False
        if self._renewed_at is None or (now - self._renewed_at).total_seconds() >= self._lease_s / 3:
            self._renewed_at, self._state = now, "ON"
            self._lease_full_power(min(self._lease_s, left_s))
        return True

    async def _hear_kept(self, message: Message) -> None:
        """Take up what was commanded before our restart; later messages are our own.

        A boost that should have ended meanwhile is taken up too, so that it is ended.
        """
        if not message.retained or not self._restorable or not message.payload:
            return
        self._kept = True
        try:
            at, boost = decode_boost(message.payload)
        except PayloadError as error:
            log.warning("boost not restored", topic=self._kept_topic, error=str(error))
            return
        if boost.ends_too_late(self._clock.now()):
            log.warning("boost not restored", topic=self._kept_topic, error=f"ends at {boost.until}")
            return
        self._tell(at, boost)
        if boost.until is None or boost.until > at:
            log.info("boost restored", until=boost.until)
            self._begin(at, boost)

    async def _publish(self) -> None:
        if self._state is not None:
            await self._bus.publish(self._state_topic, self._state, retain=True)
        if not self._restorable:
            kept = encode_boost(*self._commanded) if self._commanded else ""
            await self._bus.publish(self._kept_topic, kept, retain=True)
