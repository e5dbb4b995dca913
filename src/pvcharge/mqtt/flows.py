"""Readings of inverters in the house, as they come in at the cloud."""

from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import datetime

from pvcharge.model import Clock, PowerFlow
from pvcharge.mqtt import topics
from pvcharge.mqtt.bus import Bus, Message
from pvcharge.mqtt.errors import Refusals
from pvcharge.mqtt.payloads import decode_flow
from pvcharge.mqtt.peer import Peer, own_time
from pvcharge.mqtt.topics import Namespace
from pvcharge.mqtt.wire import RefusedError

MOST_SOURCES = 64  # whose last readings are known; whoever may write here could make up any number of them
AHEAD_S = 2.0  # that a reading may seem to come from the future; clocks are not known better


class FlowListener:
    """Passes the edge's readings on, each once, in the cloud's time; what is wrong is answered.

    How old a reading may be is the controller's business: means over a quarter of an hour are old when they
    come, and good for something all the same.

    Args:
        bus: the broker connection; not running yet.
        edge: the edge's heartbeat.
        namespace: where the site's topics stand.
        clock: the cloud's time.
        on_flow: takes a reading.
    """

    def __init__(
        self,
        bus: Bus,
        edge: Peer,
        namespace: Namespace,
        clock: Clock,
        on_flow: Callable[[PowerFlow], Awaitable[None]],
    ) -> None:
        self._edge = edge
        self._clock = clock
        self._on_flow = on_flow
        self._refusals = Refusals(bus, namespace, topics.FLOW, clock)
        self._newest: dict[str, datetime] = {}  # by source, the end of its last reading; the edge's time
        bus.listen(namespace.path(topics.FLOW), self._hear)

    async def _hear(self, message: Message) -> None:
        try:
            told = self._accept(message)
            flow = self._in_own_time(told)
        except RefusedError as error:
            await self._refusals.refuse(error)
            return
        newest = self._newest.get(told.source)
        # One that lies in the future has been told before the edge's clock was set back.
        if newest is None or newest < told.end or self._ahead_s(newest) > AHEAD_S:
            self._newest.pop(told.source, None)
            self._newest[told.source] = told.end
            if len(self._newest) > MOST_SOURCES:
                del self._newest[next(iter(self._newest))]
            await self._on_flow(flow)

    def _ahead_s(self, told: datetime) -> float:
        return (own_time(told, self._edge.skew_s or 0.0) - self._clock.now()).total_seconds()

    def _accept(self, message: Message) -> PowerFlow:
        if message.retained:
            raise RefusedError("retained", "a retained reading may be of any age; publish without retain")
        return decode_flow(message.payload)

    def _in_own_time(self, told: PowerFlow) -> PowerFlow:
        skew_s = self._edge.skew_s
        if not self._edge.alive or skew_s is None:
            raise RefusedError("unheard", "the edge's heartbeat is not heard, so the age is not known")
        ahead_s = self._ahead_s(told.end)
        if ahead_s > AHEAD_S:
            raise RefusedError("ahead", f"{ahead_s:.0f} s ahead of the edge's clock as last measured")
        start, end, now = own_time(told.start, skew_s), own_time(told.end, skew_s), self._clock.now()
        return replace(told, start=min(start, now), end=min(end, now))
