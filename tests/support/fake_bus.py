"""A broker in memory and the buses connected to it, for tests in virtual time.

    broker = FakeBroker(delay_s=0.05)
    edge, cloud = FakeBus(broker), FakeBus(broker, will=("pvcharge/home/cloud/status", "offline"))
    async with running(edge, cloud):
        edge.cut()

It keeps retained messages, the sessions of buses that were cut, and message expiry, by the loop's clock.
Handlers and hooks run as they do in the real link. Bytes that are no UTF-8 stand in payloads as surrogates,
see `text_of`.
"""

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from contextvars import copy_context
from dataclasses import dataclass, field
from math import inf

from pvcharge.mqtt.bus import Handler, Hook, Message
from pvcharge.mqtt.dispatcher import Dispatcher

SESSION_S = 300.0  # that the broker keeps messages for a bus that is away, as the real link asks it to


def text_of(payload: bytes) -> str:
    """Return any bytes as a payload of this broker."""
    return payload.decode(errors="surrogateescape")


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
        """Whether the broker passes it on no more."""
        return _now_s() >= self.at_s + (inf if self.expiry_s is None else self.expiry_s)

    def message(self, *, retained: bool = False) -> Message:
        """Return it as it comes in."""
        return Message(self.topic, self.payload.encode(errors="surrogateescape"), retained)


class FakeBroker:
    """Passes messages on.

    Attributes:
        delay_s: how long each message is on its way; none overtakes another one.
        loses: tells by topic what never arrives, as with a broker whose ACL forbids it.
        published: all that it took, in order.
        retained: by topic what is kept for whoever comes later.
    """

    def __init__(self, *, delay_s: float = 0.0, loses: Callable[[str], bool] = lambda _topic: False) -> None:
        self.delay_s = delay_s
        self.loses = loses
        self.published: list[Published] = []
        self.retained: dict[str, Published] = {}
        self._sessions: list[Session] = []
        self._context = copy_context()  # what is on its way does not care what becomes of its sender

    def session_of(self, bus: "FakeBus") -> "Session":
        """Return a new session, or that of another bus with the same client id, which is let go of."""
        for session in self._sessions:
            if bus.client_id and session.bus.client_id == bus.client_id:
                session.bus.cut()
                session.bus = bus
                return session
        self._sessions.append(Session(bus))
        return self._sessions[-1]

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
        for session in self._sessions:
            due_s = session.send(published, _now_s() + self.delay_s)
            asyncio.get_running_loop().call_at(due_s, session.arrive, context=self._context)

    def restart_without_state(self) -> None:
        """Cut everybody and lose all that was kept; the buses must be restored one by one."""
        for session in self._sessions:
            session.bus.cut()
            session.forget()
        self.retained.clear()

    def on(self, topic: str) -> list[str]:
        """Return the payloads published on a topic, in order."""
        return [published.payload for published in self.published if published.topic == topic]


class Session:
    """What the broker has for a client, be it there or away.

    Attributes:
        bus: the client's present bus.
    """

    def __init__(self, bus: "FakeBus") -> None:
        self.bus = bus
        self._known = False  # to the broker, from a connect before
        self._left_at_s = 0.0
        self._on_the_way: deque[tuple[float, Published]] = deque()
        self._waiting: list[Published] = []

    def send(self, published: Published, due_s: float) -> float:
        """Put a message on its way, and return when it will `arrive`."""
        if self._on_the_way:
            due_s = max(due_s, self._on_the_way[-1][0])
        self._on_the_way.append((due_s, published))
        return due_s

    def arrive(self) -> None:
        """Hand over the next message on the way, or keep it for a while."""
        _, published = self._on_the_way.popleft()
        if published.topic not in self.bus.topics:
            return
        if self.bus.connected:
            self.bus.take(published.message())
        elif self._known and published.qos > 0:
            self._waiting.append(published)

    def leave(self) -> None:
        """Note that the client has gone."""
        self._left_at_s = _now_s()

    def enter(self) -> list[Published]:
        """Return what is to be handed over first to the client who is back."""
        waiting = [published for published in self._waiting if not published.expired]
        in_time = _now_s() - self._left_at_s <= SESSION_S
        self.forget()
        self._known = True
        return waiting if in_time else []

    def forget(self) -> None:
        """Lose all that was kept."""
        self._known = False
        self._waiting.clear()


class FakeBus:
    """A `RunningBus` whose connection is in the test's hands; not connected before it runs.

    Args:
        broker: where it connects.
        will: topic and payload, retained when the bus is cut or ends.
        client_id: under which the broker keeps a session, for the next bus of this name.
        reachable: whether it connects by itself when it runs, and not only when it is restored.

    Attributes:
        client_id: as given.
        connected: whether the broker takes and brings messages.
    """

    def __init__(
        self,
        broker: FakeBroker,
        *,
        will: tuple[str, str] | None = None,
        client_id: str = "",
        reachable: bool = True,
    ) -> None:
        self.client_id = client_id
        self.connected = False
        self._broker = broker
        self._will = will
        self._reachable = reachable
        self._dispatcher = Dispatcher()
        self._unread: asyncio.Queue[Message] = asyncio.Queue()
        self._session = broker.session_of(self)

    @property
    def topics(self) -> list[str]:
        """The topics that somebody listens to."""
        return self._dispatcher.topics

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

    def health(self) -> Mapping[str, float | str]:
        """Return why there is no connection, if there is none."""
        return {} if self.connected else {"last_error": "cut by the test"}

    async def run(self) -> None:
        """Be connected, unless cut, until cancelled."""
        if self._reachable:
            self.restore()
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(self._read())
                await self._dispatcher.run()
        finally:
            self.cut()

    async def _read(self) -> None:
        """Read one message after another, as from a socket, so that there is time to handle each."""
        while True:
            self._dispatcher.put(await self._unread.get())
            await asyncio.sleep(0)

    def cut(self) -> None:
        """Lose the connection, until it is restored."""
        if self.connected:
            self.connected = False
            self._session.leave()
            if self._will:
                self._broker.publish(*self._will, retain=True)

    def restore(self) -> None:
        """Connect again: first comes what was waiting, then what is retained."""
        if self.connected:
            return
        self.connected = True
        self._dispatcher.connected()
        for published in self._session.enter():
            self.take(published.message())
        for published in self._broker.retained.values():
            if not published.expired:
                self.take(published.message(retained=True))

    def take(self, message: Message) -> None:
        """Take what the broker passes on; a process that stands still will read it later."""
        if message.topic in self.topics:
            self._unread.put_nowait(message)


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
