"""What has come in and not been handled yet: the latest message of each topic.

Whoever reads the connection puts messages here and never waits. One task does everything that the users of
the bus want done, one thing after another: their hooks after a connect, then their handlers.
"""

import asyncio
from collections.abc import Awaitable

import structlog

from pvcharge.mqtt.bus import Handler, Hook, Message

log = structlog.get_logger(__name__)


class Dispatcher:
    """Holds messages for the handlers that listen to their topics, and runs these."""

    def __init__(self) -> None:
        self._handlers: dict[str, list[Handler]] = {}
        self._hooks: list[Hook] = []
        self._pending: dict[str, Message] = {}
        self._hooks_due = False
        self._news = asyncio.Event()

    @property
    def topics(self) -> list[str]:
        """The topics that somebody listens to."""
        return list(self._handlers)

    def listen(self, topic: str, handler: Handler) -> None:
        """Have a topic's messages handled, of several that are waiting only the latest."""
        self._handlers.setdefault(topic, []).append(handler)

    def on_connect(self, hook: Hook) -> None:
        """Have something done after each call of `connected`."""
        self._hooks.append(hook)

    def connected(self) -> None:
        """Have the hooks run, before any message that is waiting."""
        self._hooks_due = True
        self._news.set()

    def put(self, message: Message) -> None:
        """Keep a message in place of an older one of its topic; one that nobody listens to is dropped."""
        if message.topic in self._handlers:
            # Its place in the row stays that of the older one: a busy topic cannot starve the others.
            self._pending[message.topic] = message
            self._news.set()

    async def run(self) -> None:
        """Run hooks and handlers until cancelled."""
        while True:
            await self._news.wait()
            self._news.clear()
            while self._hooks_due or self._pending:
                if self._hooks_due:
                    await self._run_hooks()
                else:
                    await self._handle_next()

    async def _run_hooks(self) -> None:
        self._hooks_due = False
        for hook in self._hooks:
            await _guard(hook(), after="a connect")

    async def _handle_next(self) -> None:
        topic = next(iter(self._pending))
        message = self._pending.pop(topic)
        for handler in self._handlers[topic]:
            await _guard(handler(message), after=topic)


async def _guard(work: Awaitable[None], *, after: str) -> None:
    """Do it; whatever goes wrong there is a bug that shall not cost us the connection."""
    try:
        await work
    except Exception:
        log.exception("bug while handling what came by mqtt", after=after)
