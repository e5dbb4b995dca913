"""What the rest of the room needs of a broker connection; `link.Link` is the real one."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Message:
    """What came in on a topic."""

    topic: str
    payload: bytes
    retained: bool = False  # it was waiting at the broker, nobody knows for how long


Handler = Callable[[Message], Awaitable[None]]
Hook = Callable[[], Awaitable[None]]


class Bus(Protocol):
    """A connection to a broker that comes and goes; nobody who uses it sees an exception of it."""

    @property
    def connected(self) -> bool:
        """Whether the broker has accepted us; says nothing about who hears us."""
        ...

    def listen(self, topic: str, handler: Handler) -> None:
        """Have a topic's messages handled one after another, the latest of each topic only.

        To be called before the bus runs. An exception of a handler is a bug: logged, and no further.
        """
        ...

    def on_connect(self, hook: Hook) -> None:
        """Have something done after each connect, when all subscriptions stand: publish what is retained."""
        ...

    async def publish(
        self, topic: str, payload: str, *, qos: int = 1, retain: bool = False, expiry_s: float | None = None
    ) -> bool:
        """Publish, and return whether the broker took it.

        Without a connection nothing is queued: False is returned at once, since what is old is void and
        what is retained is published again on connect.
        """
        ...
