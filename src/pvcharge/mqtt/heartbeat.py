"""Proves the way to the peer and back, and measures how its clock differs from ours.

A broker denies subscriptions and messages in silence, so that a connection to it proves nothing. Each side
sends a heartbeat that carries back what it heard last of the other: who finds its own recent heartbeat in the
peer's knows that both directions work.
"""

from collections import deque
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Annotated, Literal

import structlog
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, ValidationError

from pvcharge.model import Clock
from pvcharge.mqtt.bus import Bus, Message
from pvcharge.mqtt.peer_clock import PeerClock

log = structlog.get_logger(__name__)

PERIOD_S = 10.0
PERIODS = 3  # that a heartbeat may take there and back, and that may pass until the next one
ANSWERS = 3  # in a period, to a peer that was not heard
_REMEMBERED = 32  # own heartbeats; more than are sent within the periods above, answers included
_LARGEST = 2048  # bytes

_Seq = Annotated[int, Field(ge=0, lt=2**53)]


class _Model(BaseModel):
    model_config = ConfigDict(frozen=True, strict=True)


class Echo(_Model):
    """What a side heard last of the other."""

    seq: _Seq
    at: AwareDatetime  # as the other side wrote it
    received: AwareDatetime  # by the own clock


class Beat(_Model):
    """A heartbeat on the wire; keys that we do not know are left alone."""

    v: Literal[1] = 1
    seq: _Seq
    at: AwareDatetime
    echo: Echo | None = None


class Heartbeat:
    """Our heartbeat and what the peer's tells.

    In a standalone daemon both topics are the same: the own heartbeat that comes back proves the link.

    Args:
        bus: the broker connection; not running yet.
        own_topic: where we publish.
        peer_topic: where the peer publishes.
        clock: the daemon's time.
        period_s: from one heartbeat to the next, in the clock's time.
        on_change: told of each change of `alive`; of an end at most one period late.
    """

    def __init__(
        self,
        bus: Bus,
        own_topic: str,
        peer_topic: str,
        clock: Clock,
        period_s: float = PERIOD_S,
        on_change: Callable[[bool], None] | None = None,
    ) -> None:
        self._bus = bus
        self._own_topic = own_topic
        self._peer_topic = peer_topic
        self._clock = clock
        self._period_s = period_s
        self._on_change = on_change
        self._patience = timedelta(seconds=PERIODS * period_s)
        self._peer_clock = PeerClock()
        self._seq = 0
        self._sent: deque[Beat] = deque(maxlen=_REMEMBERED)
        self._echo: Echo | None = None
        self._proved_at: datetime | None = None
        self._told_alive = False
        self._answers = 0  # in this period
        bus.listen(peer_topic, self._hear)
        bus.on_connect(self._beat)

    @property
    def alive(self) -> bool:
        """Whether within the last three periods the peer has shown that it hears us now."""
        return self._proved_at is not None and self._clock.now() - self._proved_at < self._patience

    @property
    def skew_s(self) -> float | None:
        """How far the peer's clock is ahead of ours, in seconds; None while that is not known."""
        return self._peer_clock.skew_s

    @property
    def round_trip_s(self) -> float | None:
        """How long a message takes to the peer and back, in seconds; None while that is not known."""
        return self._peer_clock.round_trip_s

    async def run(self) -> None:
        """Send a heartbeat each period, until cancelled."""
        while True:
            self._answers = 0
            await self._beat()
            await self._clock.sleep(self._period_s)
            self._tell()

    async def _beat(self) -> None:
        self._seq += 1
        beat = Beat(seq=self._seq, at=self._clock.now(), echo=self._echo)
        self._sent.append(beat)
        # Not worth keeping for a peer that is away, and not worth waiting for.
        await self._bus.publish(self._own_topic, beat.model_dump_json(), qos=0)

    async def _hear(self, message: Message) -> None:
        now = self._clock.now()
        beat = _parse(message)
        if beat is None:
            return
        self._echo = Echo(seq=beat.seq, at=beat.at, received=now)
        alive_before = self.alive
        self._judge(beat, now)
        self._tell()
        # So that both sides know at once, and not after their next periods; but two that hear each other
        # late shall not answer answers without end.
        if not alive_before and self._answers < ANSWERS:
            self._answers += 1
            await self._beat()

    def _judge(self, beat: Beat, now: datetime) -> None:
        """Take a peer's heartbeat for a proof, if it answers one that we sent a short time ago.

        Only our own clock is asked: a heartbeat that was held up for long, here or on its way, answers an old
        one of ours. The number alone would not do, since it may come from before our last restart.
        """
        echo = beat.echo
        if echo is None:
            return
        answered = next((own for own in self._sent if own.seq == echo.seq and own.at == echo.at), None)
        if answered is None or now - answered.at >= self._patience:
            return
        self._proved_at = now
        self._peer_clock.measure(answered.at, echo.received, beat.at, now)

    def _tell(self) -> None:
        alive = self.alive
        if alive is self._told_alive:
            return
        self._told_alive = alive
        if alive:
            log.info("peer is heard, and hears us", topic=self._peer_topic)
        else:
            log.warning("peer is not heard, or does not hear us", topic=self._peer_topic)
        if self._on_change:
            self._on_change(alive)


def _parse(message: Message) -> Beat | None:
    """Return the heartbeat, None if it is none: there is nobody who would do something about it."""
    if message.retained or len(message.payload) > _LARGEST:
        return None
    try:
        return Beat.model_validate_json(message.payload)
    except ValidationError:
        return None
