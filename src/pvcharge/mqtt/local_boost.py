"""The boost that the edge itself sees to while there is no cloud."""

from collections.abc import Callable
from datetime import datetime
from math import inf

import structlog

from pvcharge.model import Clock, ModeCommand
from pvcharge.mqtt import topics
from pvcharge.mqtt.bus import Bus
from pvcharge.mqtt.topics import Namespace

log = structlog.get_logger(__name__)


class LocalBoost:
    """Leases full power to the charger until the boost ends or the cloud takes over.

    Args:
        bus: the broker connection; not running yet.
        namespace: where the site's topics stand.
        clock: the edge's time.
        lease_full_power: leases full power from now on for that many seconds; 0 ends such a lease.
        lease_s: how long to lease at a time; renewed at a third of it.
    """

    def __init__(
        self,
        bus: Bus,
        namespace: Namespace,
        clock: Clock,
        lease_full_power: Callable[[float], None],
        lease_s: float,
    ) -> None:
        self._bus = bus
        self._clock = clock
        self._topic = namespace.path(topics.BOOST)
        self._lease_full_power = lease_full_power
        self._lease_s = lease_s
        self._boost: ModeCommand | None = None
        self._renewed_at: datetime | None = None
        self._state: str | None = None  # as told; None while the cloud tells it
        bus.on_connect(self._publish_state)

    async def command(self, boost: ModeCommand) -> None:
        """Begin a boost, change its end, or end it."""
        log.info("boost commanded without the cloud", until=boost.until)
        self._boost, self._renewed_at, self._state = boost, None, "ON"
        self._renew(boost)
        await self._publish_state()

    async def look(self) -> None:
        """Renew the lease when it is time, and end the boost when it is over."""
        if self._boost is not None and not self._renew(self._boost):
            await self._publish_state()

    def hand_over(self) -> None:
        """Leave everything to the cloud, the lease in force too: the cloud's next one takes its place."""
        if self._boost is not None:
            log.info("boost handed over to the cloud")
        self._boost = self._state = None

    def _renew(self, boost: ModeCommand) -> bool:
        """Return whether the boost goes on."""
        now = self._clock.now()
        left_s = (boost.until - now).total_seconds() if boost.until else inf
        if left_s <= 0:
            self._boost, self._state = None, "OFF"
            self._lease_full_power(0.0)
            return False
        if self._renewed_at is None or (now - self._renewed_at).total_seconds() >= self._lease_s / 3:
            self._renewed_at = now
            self._lease_full_power(min(self._lease_s, left_s))
        return True

    async def _publish_state(self) -> None:
        if self._state is not None:
            await self._bus.publish(self._topic, self._state, retain=True)
