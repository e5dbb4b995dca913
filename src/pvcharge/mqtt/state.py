"""Tells what the daemon knows and does: one JSON of all values, and the user's settings one by one."""

import asyncio
import json
from collections.abc import AsyncIterable, Iterator, Sequence

from pvcharge.model import Clock, LimitsCommand, Mode, ModeCommand
from pvcharge.mqtt import topics
from pvcharge.mqtt.bus import Bus
from pvcharge.mqtt.topics import Namespace, Topic
from pvcharge.mqtt.waits import set_within
from pvcharge.mqtt.wire import VERSION
from pvcharge.values import Snapshot, SnapshotKeeper, Value, read

LEAST_S = 1.0  # between two states that differ in nothing but measurements
MOST_S = 10.0  # a state comes at least so often
GOOD_S = 3 * MOST_S  # nobody should make use of one that is older


class StatePublisher:
    """Publishes `state`, `boost`, `mode`, `min_current` and `max_current`, all of them retained.

    Args:
        bus: the broker connection; not running yet.
        namespace: where the site's topics stand.
        clock: the daemon's time.
        keeper: turns events into a snapshot; this task feeds it.
        values: the table of what stands in `state`.
        events: a subscription of the feed.
    """

    def __init__(
        self,
        bus: Bus,
        namespace: Namespace,
        clock: Clock,
        keeper: SnapshotKeeper,
        values: Sequence[Value],
        events: AsyncIterable[object],
    ) -> None:
        self._bus = bus
        self._namespace = namespace
        self._clock = clock
        self._keeper = keeper
        self._values = values
        self._events = events
        self._meaning = _meaning(keeper.snapshot())
        self._news = False  # something has changed since the last state
        self._urgent = asyncio.Event()
        self._published_at = clock.now()
        self._told: dict[Topic, str] = {}  # settings as the broker has them
        bus.on_connect(self._greet_broker)

    async def run(self) -> None:
        """Publish what the feed brings, until cancelled."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._follow(), name="mqtt state: follow")
            group.create_task(self._publish(), name="mqtt state: publish")

    async def _follow(self) -> None:
        async for event in self._events:
            self._keeper.take(event)
            self._news = True
            before, self._meaning = self._meaning, _meaning(self._keeper.snapshot())
            # Whoever commands something waits for an answer, even if nothing had to change.
            if self._meaning != before or isinstance(event, ModeCommand | LimitsCommand):
                self._urgent.set()

    def note_peer(self, alive: bool) -> None:  # noqa: FBT001 - as the heartbeat tells it
        """Tell all again when the other side comes back: it may have told other things while it was alone."""
        if alive:
            self._tell_all_again()

    async def _greet_broker(self) -> None:
        self._tell_all_again()

    def _tell_all_again(self) -> None:
        self._told.clear()
        self._news = True
        self._urgent.set()

    async def _publish(self) -> None:
        while True:
            await set_within(self._urgent, self._clock, LEAST_S)
            now = self._clock.now()
            if not self._news and (now - self._published_at).total_seconds() < MOST_S:
                continue
            self._news, self._published_at = False, now
            snapshot = self._keeper.snapshot()
            await self._tell_settings(snapshot)
            await self._bus.publish(
                self._namespace.path(topics.STATE),
                encode_state(snapshot, self._values),
                retain=True,
                expiry_s=GOOD_S,
            )

    async def _tell_settings(self, snapshot: Snapshot) -> None:
        for topic, payload in _settings(snapshot):
            if self._told.get(topic) == payload:
                continue
            if await self._bus.publish(self._namespace.path(topic), payload, retain=True):
                self._told[topic] = payload


def encode_state(snapshot: Snapshot, values: Sequence[Value]) -> str:
    """Return the payload of `state`: the version, the time, and every value by its key."""
    document = {"v": VERSION, "at": snapshot.at.isoformat(), **read(values, snapshot)}
    return json.dumps(document, allow_nan=False)


def _settings(snapshot: Snapshot) -> Iterator[tuple[Topic, str]]:
    """Yield what the user can set, as it is in force, as far as that is known."""
    if snapshot.decision is not None:
        mode = snapshot.decision.mode
        yield topics.BOOST, "ON" if mode is Mode.BOOST else "OFF"
        yield topics.MODE, mode.value
    if snapshot.limits.min_current_a is not None:
        yield topics.MIN_CURRENT, str(snapshot.limits.min_current_a)
    if snapshot.limits.max_current_a is not None:
        yield topics.MAX_CURRENT, str(snapshot.limits.max_current_a)


def _meaning(snapshot: Snapshot) -> tuple[object, ...]:
    """Return what is told at once when it changes."""
    decision, status = snapshot.decision, snapshot.status
    decided = decision and (decision.setpoint, decision.reason, decision.mode, decision.boost_until)
    return decided, status and status.state, snapshot.limits
