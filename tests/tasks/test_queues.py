"""The mailboxes and `first_of`: nothing is lost, nothing is left running."""

import asyncio

import pytest

from pvcharge.tasks.queues import Latest, first_of

pytestmark = pytest.mark.looptime


async def test_latest_hands_out_only_the_newest() -> None:
    """A reader that was busy finds the last of several values, once."""
    mailbox = Latest(0)
    for value in (1, 2, 3):
        mailbox.put(value)
    assert await mailbox.wait() == 3
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(mailbox.wait(), 1)


async def test_latest_wakes_for_an_equal_value() -> None:
    """A value put again is news: a renewed lease is no old lease."""
    mailbox = Latest(1)
    mailbox.put(1)
    assert await asyncio.wait_for(mailbox.wait(), 1) == 1


async def test_latest_keeps_the_news_of_a_cancelled_wait() -> None:
    """A wait that is cancelled in the moment it is woken leaves the value for the next wait."""
    mailbox = Latest(0)
    reader = asyncio.create_task(mailbox.wait())
    await asyncio.sleep(0)
    mailbox.put(1)
    reader.cancel()
    await asyncio.wait([reader])
    assert reader.cancelled()
    assert await asyncio.wait_for(mailbox.wait(), 1) == 1


async def test_latest_is_updated_by_another_value_only() -> None:
    """The reader is woken for what is new to it, not for every word."""
    mailbox = Latest(0)
    mailbox.update(0)
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(mailbox.wait(), 1)
    mailbox.update(1)
    assert mailbox.value == 1
    assert await asyncio.wait_for(mailbox.wait(), 1) == 1


async def test_an_update_that_changes_nothing_keeps_what_was_not_read_yet() -> None:
    """The reader was busy when the value came, and has not seen it."""
    mailbox = Latest(0)
    mailbox.update(1)
    mailbox.update(1)
    assert await asyncio.wait_for(mailbox.wait(), 1) == 1


async def test_first_of_returns_with_the_first_and_cancels_the_others() -> None:
    """The slow one has ended, too, when `first_of` returns."""
    ended: list[str] = []

    async def slow() -> None:
        try:
            await asyncio.sleep(100)
        finally:
            ended.append("slow")

    await first_of(asyncio.sleep(1), slow())
    assert asyncio.get_running_loop().time() == 1
    assert ended == ["slow"]


async def test_first_of_raises_what_the_first_raised() -> None:
    """A failure is nobody's secret."""

    async def fail() -> None:
        await asyncio.sleep(1)
        raise LookupError("gone")

    with pytest.raises(LookupError, match="gone"):
        await first_of(fail(), asyncio.sleep(100))


async def test_first_of_raises_what_a_simultaneous_one_raised() -> None:
    """Of two that end at the same time, the success does not hide the failure."""

    async def fail() -> None:
        await asyncio.sleep(1)
        raise LookupError("gone")

    with pytest.raises(LookupError, match="gone"):
        await first_of(asyncio.sleep(1), fail())


async def test_cancelled_first_of_leaves_no_task() -> None:
    """Whoever stops waiting stops all that was waited for."""
    before = asyncio.all_tasks()
    waiter = asyncio.create_task(first_of(asyncio.sleep(100), asyncio.sleep(200)))
    await asyncio.sleep(1)
    waiter.cancel()
    await asyncio.wait([waiter])
    assert waiter.cancelled()
    assert asyncio.all_tasks() == before


@pytest.mark.parametrize("arrives_s", [4.999, 5.0, 5.001])
async def test_no_item_is_lost_when_it_comes_with_the_tick(arrives_s: float) -> None:
    """An item that arrives in the very moment of the tick is taken now or stays in the queue."""
    inbox: asyncio.Queue[int] = asyncio.Queue()
    taken: list[int] = []

    async def take() -> None:
        taken.append(await inbox.get())

    async def send() -> None:
        for number in range(20):
            await asyncio.sleep(arrives_s)
            inbox.put_nowait(number)

    sender = asyncio.create_task(send())
    while not sender.done() or not inbox.empty():
        await first_of(take(), asyncio.sleep(5.0))
    assert taken == list(range(20))
