"""Says what is wrong with messages: in the log once, and to their sender on `<topic>/error`."""

from datetime import datetime, timedelta

import structlog

from pvcharge.model import Clock
from pvcharge.mqtt.bus import Bus
from pvcharge.mqtt.payloads import encode_refusal
from pvcharge.mqtt.topics import Namespace, Topic
from pvcharge.mqtt.wire import RefusedError

log = structlog.get_logger(__name__)

QUIET = timedelta(minutes=10)  # a repeat is news again when there was none for so long
ANSWER_EVERY = timedelta(seconds=1)  # whoever floods a topic is not helped by as many answers


class Repeats:
    """Tells what is new from what goes on."""

    def __init__(self) -> None:
        self._last: dict[str, datetime] = {}

    def is_news(self, kind: str, now: datetime) -> bool:
        """Note that it has happened, and return whether it had not for ten minutes."""
        last = self._last.get(kind)
        self._last[kind] = now
        return last is None or now - last >= QUIET


class Refusals:
    """The refused messages of one topic.

    Args:
        bus: the broker connection.
        namespace: where the topic stands there.
        topic: whose messages are refused.
        clock: the daemon's time.
    """

    def __init__(self, bus: Bus, namespace: Namespace, topic: Topic, clock: Clock) -> None:
        self._bus = bus
        self._topic = namespace.path(topic)
        self._answers_on = namespace.error(topic)
        self._clock = clock
        self._repeats = Repeats()
        self._answered: datetime | None = None

    async def refuse(self, error: RefusedError) -> None:
        """Log the first refusal of its kind, and answer at most once per second."""
        now = self._clock.now()
        if self._repeats.is_news(error.kind, now):
            log.warning("message refused", topic=self._topic, error=str(error))
        if self._answered is None or now - self._answered >= ANSWER_EVERY:
            self._answered = now
            await self._bus.publish(self._answers_on, encode_refusal(now, str(error)))
