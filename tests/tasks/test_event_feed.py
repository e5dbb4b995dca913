"""The feed: everybody gets everything, and a slow one loses only its own oldest events."""

import asyncio

import pytest

from pvcharge.model import Mode, ModeCommand, PowerFlow
from pvcharge.tasks.feed import Event, Feed, Subscription
from tasks.fakes import START, flow

pytestmark = pytest.mark.looptime


async def _take(subscription: Subscription, count: int) -> list[Event]:
    events: list[Event] = []
    async for event in subscription:
        events.append(event)
        if len(events) == count:
            break
    return events


def _flows(count: int) -> list[PowerFlow]:
    return [flow(START, grid_w=float(number)) for number in range(count)]


async def test_every_subscriber_gets_every_event_in_order() -> None:
    """Events fan out."""
    feed = Feed()
    one, other = feed.subscribe(), feed.subscribe()
    events: list[Event] = [flow(START), ModeCommand(Mode.OFF), flow(START, grid_w=1.0)]
    for event in events:
        feed.publish(event)
    assert await _take(one, 3) == events
    assert await _take(other, 3) == events


async def test_slow_subscriber_loses_its_oldest_events_and_counts_them() -> None:
    """The newest events stay, and the quick subscriber has all of them."""
    feed = Feed()
    slow, quick = feed.subscribe(capacity=3), feed.subscribe()
    flows = _flows(8)
    for event in flows:
        feed.publish(event)
    assert await _take(slow, 3) == flows[-3:]
    assert slow.dropped == 5
    assert await _take(quick, 8) == flows
    assert quick.dropped == 0


async def test_subscriber_waits_for_news() -> None:
    """A subscription begins with what is published after it."""
    feed = Feed()
    feed.publish(flow(START))
    subscription = feed.subscribe()
    reader = asyncio.create_task(_take(subscription, 1))
    await asyncio.sleep(1)
    assert not reader.done()
    feed.publish(later := flow(START, grid_w=1.0))
    assert await reader == [later]


async def test_unsubscribed_gets_no_more() -> None:
    """Who has left costs nothing."""
    feed = Feed()
    gone, stays = feed.subscribe(capacity=1), feed.subscribe()
    feed.unsubscribe(gone)
    for event in _flows(3):
        feed.publish(event)
    assert gone.dropped == 0
    assert len(await _take(stays, 3)) == 3
