"""One of the two daemons as a process: it can be started, stopped, killed, and made to stand still."""

import asyncio
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from contextvars import copy_context
from typing import Any, TypeVar

from pvcharge.app import App
from pvcharge.config import Config
from pvcharge.model import Clock
from pvcharge.mqtt.settings import MqttSettings
from pvcharge.tasks.feed import Event, Feed
from split.standstill import process, standing_still
from support.fake_bus import FakeBroker, FakeBus

DROPPED_AFTER_S = 45.0  # a broker gives up a silent client after one and a half of its keepalives

E = TypeVar("E", bound=Event)


class Timeline(Feed):
    """A feed whose events are remembered with the loop's time, over restarts of the daemon."""

    def __init__(self, events: list[tuple[float, Event]]) -> None:
        super().__init__()
        self._events = events

    def publish(self, event: Event) -> None:
        """Remember, then publish."""
        self._events.append((asyncio.get_running_loop().time(), event))
        super().publish(event)


class AtOnce(ThreadPoolExecutor):
    """Does in the loop's own thread what is meant for another one, which knows nothing of virtual time."""

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        """Do it, and return the outcome."""
        future = Future[Any]()
        try:
            future.set_result(fn(*args, **kwargs))
        except Exception as error:  # noqa: BLE001 - as an executor does
            future.set_exception(error)
        return future


class Side:
    """A daemon with its clock and its line to the broker.

    Args:
        config: its configuration, which says the role.
        clock: its time.
        broker: where it connects.
        sever: cuts it off from its devices.

    Attributes:
        events: all that its feed has seen, with the loop's time.
        started_s: when it was started last, by the loop's time.
    """

    def __init__(
        self, config: Config, clock: Clock, broker: FakeBroker, sever: Callable[[], Any] = lambda: None
    ) -> None:
        self.config = config
        self.clock = clock
        self.events: list[tuple[float, Event]] = []
        self.started_s = 0.0
        self._broker = broker
        self._sever = sever
        self._reachable = True
        self._bus: FakeBus | None = None
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Start it, unless it runs."""
        if self._task is not None:
            return
        context = copy_context()
        context.run(process.set, self.config.role)
        app = App(self.config, self.clock, connect=self._connect)
        app.feed = Timeline(self.events)
        loop = asyncio.get_running_loop()
        self.started_s = loop.time()
        self._task = loop.create_task(app.run(), context=context)

    async def stop(self) -> None:
        """Stop it well, if it runs.

        Raises:
            BaseExceptionGroup: it had ended by itself.
        """
        if self._task is None:
            return
        task, self._task = self._task, None
        ended = task.done()
        task.cancel()
        await asyncio.wait([task])
        assert not ended, f"{self.config.role} has ended by itself"

    async def kill(self) -> None:
        """Let it end as by SIGKILL: before it can do anything, it is cut off from all the world."""
        if self._bus is not None:
            self._bus.cut()
        self._sever()
        await self.stop()

    async def restart(self) -> None:
        """Kill it and start it again."""
        await self.kill()
        self.start()

    def cut(self) -> None:
        """Take it off the network, also after a restart."""
        self._reachable = False
        if self._bus is not None:
            self._bus.cut()

    def restore(self) -> None:
        """Put it on the network again."""
        self._reachable = True
        self.reconnect()

    def reconnect(self) -> None:
        """Connect again after a loss, if it runs and is on the network."""
        if self._bus is not None and self._task is not None and self._reachable:
            self._bus.restore()

    async def stand_still(self, seconds: float, *, dropped: bool = True) -> None:
        """Let it do nothing for a while, as by SIGSTOP; in the end it finds all that has come in between.

        Args:
            seconds: how long.
            dropped: whether the broker notices, and keeps for a new connection what comes after that.
        """
        bus = self._bus
        with standing_still(self.config.role):
            await asyncio.sleep(min(seconds, DROPPED_AFTER_S))
            if dropped and bus is not None and seconds >= DROPPED_AFTER_S:
                bus.cut()
            await asyncio.sleep(max(0.0, seconds - DROPPED_AFTER_S))
        await asyncio.sleep(0.1)  # what is in the socket's buffer comes before the end of the connection
        self.reconnect()

    def all(self, kind: type[E], since_s: float = 0.0) -> list[tuple[float, E]]:
        """Return all events of a kind from a time on, with their times."""
        return [(at_s, event) for at_s, event in self.events if isinstance(event, kind) and at_s >= since_s]

    def newest(self, kind: type[E]) -> E:
        """Return the newest event of a kind."""
        return next(event for _, event in reversed(self.events) if isinstance(event, kind))

    @property
    def runs(self) -> bool:
        """Whether it has been started, and not been stopped since."""
        return self._task is not None

    @property
    def topics(self) -> list[str]:
        """What it listens to."""
        assert self._bus is not None
        return self._bus.topics

    def _connect(
        self,
        settings: MqttSettings,  # noqa: ARG002 - as `Link` has it
        *,
        client_id: str,
        will: tuple[str, str] | None,
        clock: Clock,  # noqa: ARG002 - as `Link` has it
    ) -> FakeBus:
        self._bus = FakeBus(self._broker, will=will, client_id=client_id, reachable=self._reachable)
        return self._bus
