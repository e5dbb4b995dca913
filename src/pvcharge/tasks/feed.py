"""The one feed: whatever the daemon learns or decides, published once for everybody who shows or keeps it."""

import asyncio
from collections.abc import AsyncIterator

from pvcharge.model import (
    ChargerStatus,
    Decision,
    DeviceHealth,
    EnergyTotals,
    ForgetCommand,
    Lease,
    LimitsCommand,
    ModeCommand,
    PowerFlow,
    Session,
    SettingsCommand,
)

Event = (
    PowerFlow
    | ChargerStatus
    | Decision
    | ModeCommand
    | LimitsCommand
    | SettingsCommand
    | ForgetCommand
    | Lease
    | DeviceHealth
    | EnergyTotals
    | Session
)


class Subscription:
    """A subscriber's own bounded queue: a slow one loses its oldest events, and slows nobody.

    Attributes:
        dropped: how many events it has lost.
    """

    def __init__(self, capacity: int) -> None:
        self._queue: asyncio.Queue[Event] = asyncio.Queue(capacity)
        self.dropped = 0

    def offer(self, event: Event) -> None:
        """Append an event, dropping the oldest when the subscriber has fallen behind."""
        if self._queue.full():
            self._queue.get_nowait()
            self.dropped += 1
        self._queue.put_nowait(event)

    async def __aiter__(self) -> AsyncIterator[Event]:
        while True:
            yield await self._queue.get()


class Feed:
    """Fans events out to subscriptions; publishing never waits."""

    def __init__(self) -> None:
        self._subscriptions: list[Subscription] = []

    def subscribe(self, capacity: int = 1000) -> Subscription:
        """Return a subscription to all events published from now on."""
        subscription = Subscription(capacity)
        self._subscriptions.append(subscription)
        return subscription

    def unsubscribe(self, subscription: Subscription) -> None:
        """End a subscription."""
        self._subscriptions.remove(subscription)

    def publish(self, event: Event) -> None:
        """Hand an event to every subscriber."""
        for subscription in self._subscriptions:
            subscription.offer(event)
