"""What can be commanded at an edge: a boost, which the cloud obeys, or the edge itself while it is alone."""

import asyncio

from pvcharge.model import Clock, Mode
from pvcharge.mqtt import topics
from pvcharge.mqtt.bridge import EdgeBridge
from pvcharge.mqtt.bus import Bus, Message
from pvcharge.mqtt.payloads import decode_refusal, parse_boost
from pvcharge.mqtt.topics import Namespace
from pvcharge.mqtt.wire import PayloadError
from pvcharge.page.steering import PATIENCE_S
from pvcharge.web.ports import NotInForceError, RefusedError

EXPIRY_S = 10.0  # nobody shall obey it later


class EdgeSteering:
    """Commands a boost by way of the broker, as anybody else in the house. See `pvcharge.web.ports.Steering`.

    Without a broker there is no cloud either, and the edge obeys its own page.

    Args:
        bus: the edge's broker connection; not running yet.
        namespace: where the site's topics stand.
        clock: the edge's time.
        bridge: sees to a boost while there is no cloud.
    """

    can = ("boost",)

    def __init__(self, bus: Bus, namespace: Namespace, clock: Clock, bridge: EdgeBridge) -> None:
        self._bus = bus
        self._clock = clock
        self._bridge = bridge
        self._topic = namespace.path(topics.BOOST_SET)
        self._told: bool | None = None  # whether a boost goes on, by the broker's last word
        self._refused: str | None = None
        self._news = asyncio.Event()
        bus.listen(namespace.path(topics.BOOST), self._hear_boost)
        bus.listen(namespace.error(topics.BOOST_SET), self._hear_error)

    @property
    def shown(self) -> dict[str, str]:
        """The mode as far as it is known here, where nothing is decided."""
        boosting = self._bridge.boosting if self._bridge.alone else self._told
        return {"mode": Mode.BOOST.value} if boosting else {}

    async def boost(self, *, on: bool, minutes: int | None) -> None:
        """Begin a boost, for some minutes or until further notice, or end it."""
        self._refused = None
        payload = "OFF" if not on else str(minutes or "ON")
        try:
            async with asyncio.timeout(PATIENCE_S):
                # Subscriptions stand before anything is published, so no answer can be missed.
                self._news.clear()
                if not await self._bus.publish(self._topic, payload, expiry_s=EXPIRY_S):
                    await self._boost_here(payload)
                    return
                while self._told is not on and self._refused is None:
                    await self._news.wait()
                    self._news.clear()
        except TimeoutError:
            raise NotInForceError(
                f"neither cloud nor edge have obeyed within {PATIENCE_S:.0f} s; shortly after the cloud has "
                "fallen silent it may take half a minute"
            ) from None
        if self._refused is not None:
            raise RefusedError({"on": self._refused})

    async def _boost_here(self, payload: str) -> None:
        if not self._bridge.alone:
            raise NotInForceError(
                "the connection to the broker has broken just now; the edge boosts by itself once the cloud "
                "has been silent for half a minute"
            )
        await self._bridge.boost(parse_boost(payload.encode(), self._clock.now()))

    async def mode(self, mode: Mode) -> None:
        """Refuse: only the cloud has modes."""
        raise RefusedError({"mode": f"{mode.value} can be set in the cloud only"})

    async def limits(self, min_current_a: int | None, max_current_a: int | None) -> None:
        """Refuse: only the cloud has limits that the user can narrow."""
        raise RefusedError({"limits": f"{min_current_a} to {max_current_a} can be set in the cloud only"})

    async def _hear_boost(self, message: Message) -> None:
        self._told = {b"ON": True, b"OFF": False}.get(message.payload, self._told)
        self._news.set()

    async def _hear_error(self, message: Message) -> None:
        if message.retained:
            return
        try:
            self._refused = decode_refusal(message.payload)
        except PayloadError:
            return  # whoever sent that is none of ours
        self._news.set()
