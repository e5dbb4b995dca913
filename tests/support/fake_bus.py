"""A broker in memory and the buses connected to it, for tests in virtual time.

    broker = FakeBroker(delay_s=0.05)
    edge, cloud = FakeBus(broker), FakeBus(broker, will=("pvcharge/home/cloud/status", "offline"))
    async with running(edge, cloud):
        edge.cut()

It keeps retained messages, the sessions of buses that were cut, and message expiry, by the loop's clock.
Handlers and hooks run as they do in the real link.
"""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from math import inf

from pvcharge.mqtt.bus import Handler, Hook, Message
from pvcharge.mqtt.dispatcher import Dispatcher


def _now_s() -> float:
    return asyncio.get_running_loop().time()


@dataclass(frozen=True, slots=True)
class Published:
    """A message that the broker took."""

    topic: str
    payload: str
    qos: int = 1
    retain: bool = False
    expiry_s: float | None = None
    at_s: float = field(default_factory=_now_s)  # of the event loop's clock

    @property
    def expired(self) -> bool:
        """Whether nobody gets it any more."""
        return _now_s() >= self.at_s + (inf if self.expiry_s is None else self.expiry_s)


class FakeBroker:
    """Passes messages on.

    Attributes:
        delay_s: how long each message is on its way.
        loses: tells by topic what never arrives, as with a broker whose ACL forbids it.
        published: all that it took, in order.
        retained: by topic what is kept for whoever comes later.
    """

    def __init__(self, *, delay_s: float = 0.0, loses: Callable[[str], bool] = lambda _topic: False) -> None:
        self.delay_s = delay_s
        self.loses = loses
        self.published: list[Published] = []
        self.retained: dict[str, Published] = {}
        self._buses: list[FakeBus] = []

    def add(self, bus: "FakeBus") -> None:
        """Know a bus from now on."""
        self._buses.append(bus)

    def publish(
        self, topic: str, payload: str, *, qos: int = 1, retain: bool = False, expiry_s: float | None = None
    ) -> None:
        """Take a message, also from a test in the place of a user or a script."""
        published = Published(topic, payload, qos, retain, expiry_s)
        self.published.append(published)
        if self.loses(topic):
            return
        if retain:
            self.retained.pop(topic, None)
            if payload:
                self.retained[topic] = published
        for bus in self._buses:
            asyncio.get_running_loop().call_later(self.delay_s, bus.arrive, published)

    def restart_without_state(self) -> None:
        """Cut everybody and lose all that was kept; the buses must be restored one by one."""
        for bus in self._buses:
            bus.cut()
            bus.waiting.clear()
        self.retained.clear()

    def on(self, topic: str) -> list[str]:
        """Return the payloads published on a topic, in order."""
        return [published.payload for published in self.published if published.topic == topic]


class FakeBus:
    """A `Bus` whose connection is in the test's hands; not connected before it runs.

    Args:
        broker: where it connects.
        will: topic and payload, retained when the bus is cut or ends.

    Attributes:
        connected: whether the broker takes and brings messages.
        waiting: what the broker keeps for it while it is cut.
    """

    def __init__(self, broker: FakeBroker, *, will: tuple[str, str] | None = None) -> None:
        self.connected = False
        self.waiting: list[Published] = []
        self._broker = broker
        self._will = will
        self._dispatcher = Dispatcher()
        self._known = False  # to the broker, from a connect before
        broker.add(self)

    def listen(self, topic: str, handler: Handler) -> None:
        """Have a topic's messages handled, the latest only."""
        self._dispatcher.listen(topic, handler)

    def on_connect(self, hook: Hook) -> None:
        """Have something done after each connect."""
        self._dispatcher.on_connect(hook)

    async def publish(
        self, topic: str, payload: str, *, qos: int = 1, retain: bool = False, expiry_s: float | None = None
    ) -> bool:
        """Publish, if connected."""
        if self.connected:
            self._broker.publish(topic, payload, qos=qos, retain=retain, expiry_s=expiry_s)
        return self.connected

    async def run(self) -> None:
        """Be connected, unless cut, until cancelled."""
        self.restore()
        try:
            await self._dispatcher.run()
        finally:
            self.cut()

    def cut(self) -> None:
        """Lose the connection."""
        if self.connected:
            self.connected = False
            if self._will:
                self._broker.publish(*self._will, retain=True)

    def restore(self) -> None:
        """Connect again: first comes what was waiting, then what is retained."""
        if self.connected:
            return
        self.connected = self._known = True
        waiting, self.waiting = self.waiting, []
        for published in waiting:
            self.arrive(published)
        for topic, published in self._broker.retained.items():
            if not published.expired:
                self._dispatcher.put(Message(topic, published.payload.encode(), retained=True))
        self._dispatcher.connected()

    def arrive(self, published: Published) -> None:
        """Take what the broker passes on, or let it keep that for a while."""
        if published.expired or published.topic not in self._dispatcher.topics:
            return
        if self.connected:
            self._dispatcher.put(Message(published.topic, published.payload.encode()))
        elif self._known and published.qos > 0:
            self.waiting.append(published)


@asynccontextmanager
async def running(*buses: FakeBus) -> AsyncIterator[None]:
    """Run buses for as long as the context lasts; all are connected when it begins."""
    tasks = [asyncio.create_task(bus.run()) for bus in buses]
    await asyncio.sleep(0)
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)
    for task in tasks:
        if not task.cancelled():
            task.result()
