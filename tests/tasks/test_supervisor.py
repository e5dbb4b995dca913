"""The supervisor: a crash is said and mended, a task that cannot be mended ends the process."""

import asyncio
from collections.abc import MutableMapping
from typing import Any

import pytest

from pvcharge.tasks.supervisor import MAX_CRASHES, RESTART_S, WINDOW_S, TaskCrashedError, supervise
from tasks.fakes import RecordingFeed, VirtualClock, running

pytestmark = pytest.mark.looptime

Logs = list[MutableMapping[str, Any]]


class Worker:
    """A task that ends as its script says, then runs for ever.

    Attributes:
        starts_s: when it was started, in seconds of the loop.
        cancelled: whether it was cancelled in the end.
    """

    def __init__(self, *ends: Exception | None, lives_s: float = 1.0) -> None:
        self.starts_s: list[float] = []
        self.cancelled = False
        self._ends = list(ends)
        self._lives_s = lives_s

    async def run(self) -> None:
        """Live for a while, then return or raise."""
        self.starts_s.append(asyncio.get_running_loop().time())
        try:
            if not self._ends:
                await asyncio.sleep(1e9)
            await asyncio.sleep(self._lives_s)
        except asyncio.CancelledError:
            self.cancelled = True
            raise
        end = self._ends.pop(0)
        if end is not None:
            raise end


async def test_crashed_task_is_started_again_and_others_run_on(
    clock: VirtualClock, feed: RecordingFeed, logs: Logs
) -> None:
    """The traceback is logged once, and everybody who shows health hears of crash and restart."""
    crashing, steady = Worker(ZeroDivisionError("a bug")), Worker()
    async with running(supervise({"poll": crashing.run, "control": steady.run}, clock, feed)):
        await asyncio.sleep(60)
    assert crashing.starts_s == [0.0, 1.0 + RESTART_S]
    assert steady.starts_s == [0.0]
    assert [(line["event"], line["task"], line["exc_info"]) for line in logs] == [
        ("task crashed", "poll", True)
    ]
    assert [health.ok for health in feed.health("poll")] == [False, True]
    assert feed.health("control") == []


async def test_unexpected_return_is_a_fault(clock: VirtualClock, feed: RecordingFeed, logs: Logs) -> None:
    """A task that ends without a word is no less dead."""
    worker = Worker(None)
    async with running(supervise({"poll": worker.run}, clock, feed)):
        await asyncio.sleep(60)
    assert len(worker.starts_s) == 2
    assert [(line["log_level"], line["event"]) for line in logs] == [("error", "task returned unexpectedly")]


async def test_too_many_crashes_end_all(clock: VirtualClock, feed: RecordingFeed) -> None:
    """The other tasks are cancelled, so that they can say goodbye to their devices."""
    crashing, steady = Worker(*[ZeroDivisionError("a bug")] * 99), Worker()
    before = asyncio.all_tasks()
    with pytest.RaisesGroup(pytest.RaisesExc(TaskCrashedError, match="'poll' crashed 5 times")):
        await supervise({"poll": crashing.run, "control": steady.run}, clock, feed)
    assert len(crashing.starts_s) == MAX_CRASHES
    assert steady.cancelled
    assert asyncio.all_tasks() == before


async def test_rare_crashes_are_forgotten(clock: VirtualClock, feed: RecordingFeed) -> None:
    """A crash now and then is no reason to give up."""
    worker = Worker(*[ZeroDivisionError("a bug")] * (3 * MAX_CRASHES), lives_s=WINDOW_S / 3)
    async with running(supervise({"poll": worker.run}, clock, feed)) as task:
        await asyncio.sleep(100 * WINDOW_S)
        assert not task.done()
    assert len(worker.starts_s) == 3 * MAX_CRASHES + 1


async def test_cancellation_reaches_every_task(clock: VirtualClock, feed: RecordingFeed, logs: Logs) -> None:
    """A stop is no crash."""
    workers = [Worker(), Worker()]
    async with running(supervise({str(number): w.run for number, w in enumerate(workers)}, clock, feed)):
        await asyncio.sleep(1)
    assert all(worker.cancelled for worker in workers)
    assert logs == []


async def test_crash_while_stopping_does_not_stop_the_stop(clock: VirtualClock, feed: RecordingFeed) -> None:
    """A task whose clean-up fails is not started again, and the stop goes on."""
    starts = 0

    async def cannot_clean_up() -> None:
        nonlocal starts
        starts += 1
        try:
            await asyncio.sleep(1e9)
        finally:
            raise ZeroDivisionError("a bug")

    async with running(supervise({"poll": cannot_clean_up}, clock, feed)) as task:
        await asyncio.sleep(1)
        task.cancel()
        await asyncio.sleep(100)
        assert task.done()
    assert starts == 1


async def test_cancelled_between_crash_and_restart(clock: VirtualClock, feed: RecordingFeed) -> None:
    """A stop need not wait for the restart."""
    worker = Worker(ZeroDivisionError("a bug"))
    async with running(supervise({"poll": worker.run}, clock, feed)):
        await asyncio.sleep(1 + RESTART_S / 2)
    assert len(worker.starts_s) == 1
