"""The cloud's end of a boost that was commanded while only the edge was there to hear it."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import datetime

import structlog

from pvcharge.model import Clock, Mode, ModeCommand
from pvcharge.mqtt import topics
from pvcharge.mqtt.attention import Attention
from pvcharge.mqtt.bus import Bus, Message
from pvcharge.mqtt.commands import Command
from pvcharge.mqtt.errors import Refusals
from pvcharge.mqtt.payloads import decode_boost
from pvcharge.mqtt.peer import Peer, own_time
from pvcharge.mqtt.topics import Namespace
from pvcharge.mqtt.waits import set_within
from pvcharge.mqtt.wire import PayloadError

LOOK_S = 2.0  # the edge may be alive for a while before its skew is known

log = structlog.get_logger(__name__)


class EdgeBoost:
    """Makes the edge's command the controller's, once, unless the user has said something later.

    The user's other commands come through here, on their way to the controller.

    Args:
        bus: the broker connection; not running yet.
        edge: the edge's heartbeat, without which its times mean nothing here.
        namespace: where the site's topics stand.
        clock: the cloud's time.
        on_command: takes a command, such as the control loop's `inbox.put`.
    """

    def __init__(
        self,
        bus: Bus,
        edge: Peer,
        namespace: Namespace,
        clock: Clock,
        on_command: Callable[[Command], Awaitable[None]],
    ) -> None:
        self._edge = edge
        self._clock = clock
        self._on_command = on_command
        self._attention = Attention(bus, clock)
        self._refusals = Refusals(bus, namespace, topics.EDGE_BOOST, clock)
        self._waiting: tuple[datetime, ModeCommand] | None = None  # in the edge's time
        self._taken_at: datetime | None = None  # when the last one taken was commanded, in the edge's time
        self._commanded_at: datetime | None = None  # when the user last told the cloud itself
        self._news = asyncio.Event()
        bus.listen(namespace.path(topics.EDGE_BOOST), self._hear)

    async def pass_on(self, command: Command) -> None:
        """Pass on what the user commands here; it outdates what the edge was told before.

        A boost that may have waited for us at the broker does not: the edge has heard it when it was sent.
        """
        if isinstance(command, ModeCommand) and (command.mode is not Mode.BOOST or self._attention.settled):
            self._commanded_at = self._clock.now()
        await self._on_command(command)

    def note_edge(self, alive: bool) -> None:  # noqa: FBT001 - as the heartbeat tells it
        """Be told that the edge is there, or not any more."""
        if alive:
            self._news.set()

    async def run(self) -> None:
        """Take commands over until cancelled."""
        while True:
            await set_within(self._news, self._clock, LOOK_S)
            self._attention.look()
            skew_s = self._edge.skew_s
            if self._waiting is not None and self._edge.alive and skew_s is not None:
                (at, boost), self._waiting = self._waiting, None
                self._taken_at = at
                await self._take(own_time(at, skew_s), boost, skew_s)

    async def _take(self, at: datetime, boost: ModeCommand, skew_s: float) -> None:
        if self._commanded_at is not None and at < self._commanded_at:
            return
        until = None if boost.until is None else own_time(boost.until, skew_s)
        command = ModeCommand(boost.mode, until)
        if command.ends_too_late(self._clock.now()):
            log.warning("boost not taken over from the edge", error=f"ends at {until}")
            return
        log.info("boost taken over from the edge", until=until)
        await self._on_command(command)

    async def _hear(self, message: Message) -> None:
        if not message.payload:
            self._waiting = None
            return
        try:
            at, boost = decode_boost(message.payload)
        except PayloadError as error:
            await self._refusals.refuse(error)
            return
        if at != self._taken_at:
            self._waiting = at, boost
            self._news.set()
