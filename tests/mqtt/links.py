"""What the tests of the link against a real broker share."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

from pvcharge.clock import SystemClock
from pvcharge.mqtt.bus import Message
from pvcharge.mqtt.connection import Timing
from pvcharge.mqtt.link import Link
from support.broker import Broker

FAST = Timing(answer_s=2.0, goodbye_s=1.0, will_delay_s=0, first_retry_s=0.02, retry_cap_s=0.1)
WILL_TOPIC = "pvcharge/home/edge/status"
TOPIC = "pvcharge/home/edge/charger"


def make_link(
    broker: Broker,
    client_id: str = "edge",
    *,
    user: str | None = None,
    settings: dict[str, Any] | None = None,
    **timing: Any,
) -> Link:
    """Return a link that retries fast and leaves `offline` behind; it does not run yet."""
    return Link(
        broker.settings(user, **(settings or {})),
        client_id=client_id,
        will=(WILL_TOPIC, "offline"),
        clock=SystemClock(),
        timing=replace(FAST, **timing),
    )


class Ear:
    """Listens to topics of a link and remembers what it has heard."""

    def __init__(self, link: Link, *topics: str) -> None:
        self.messages: list[Message] = []
        for topic in topics:
            link.listen(topic, self._hear)

    async def _hear(self, message: Message) -> None:
        self.messages.append(message)

    @property
    def payloads(self) -> list[str]:
        """What has been heard, in order."""
        return [message.payload.decode() for message in self.messages]


async def until(condition: Callable[[], object], seconds: float = 8.0) -> None:
    """Return when something holds; fail if that takes far longer than it should."""
    give_up_s = asyncio.get_running_loop().time() + seconds
    while not condition():
        assert asyncio.get_running_loop().time() < give_up_s, "it did not come about"
        await asyncio.sleep(0.005)


@asynccontextmanager
async def running(*links: Link, connected: bool = True) -> AsyncIterator[None]:
    """Run links for as long as the context lasts; they must leave no task behind."""
    before = len(asyncio.all_tasks())
    tasks = [asyncio.create_task(link.run()) for link in links]
    try:
        if connected:
            await until(lambda: all(link.connected for link in links))
        yield
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)
    assert len(asyncio.all_tasks()) == before
    for task in tasks:
        assert task.cancelled()
