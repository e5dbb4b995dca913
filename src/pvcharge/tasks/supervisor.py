"""Runs the long-lived tasks in one group; an unexpected return is as much a fault as an exception."""

import asyncio
from collections.abc import Callable, Coroutine, Mapping
from typing import Any

import structlog

from pvcharge.model import Clock, DeviceHealth
from pvcharge.tasks.feed import Feed
from pvcharge.tasks.queues import first_of

Run = Callable[[], Coroutine[Any, Any, None]]
Tasks = dict[str, Run]  # by name

log = structlog.get_logger(__name__)

RESTART_S = 5.0
MAX_CRASHES = 5  # of one task within the window; then the process ends and its supervisor starts it afresh
WINDOW_S = 600.0
STEPS_TO_RUN = 2  # of the event loop: a guard begins, and then what it guards


class TaskCrashedError(Exception):
    """A task crashed again and again; the daemon ends rather than pretend to work."""


async def supervise(
    tasks: Mapping[str, Run], clock: Clock, feed: Feed, started: Callable[[], object] = lambda: None
) -> None:
    """Run all tasks until cancelled.

    A task that returns or raises is logged with its traceback, published as unhealthy and started again
    after a while, since a bug in one device's task must not stop the others.

    Args:
        tasks: by name.
        clock: the daemon's time.
        feed: where crashes are published.
        started: called once, when all of them run.

    Raises:
        TaskCrashedError: one task crashed too often.
    """
    async with asyncio.TaskGroup() as group:
        for name, run in tasks.items():
            group.create_task(_guard(name, run, clock, feed), name=name)
        for _ in range(STEPS_TO_RUN):
            await asyncio.sleep(0)
        started()


async def _guard(name: str, run: Run, clock: Clock, feed: Feed) -> None:
    crashes_s: list[float] = []
    while True:
        # In a task of its own, so that a clean-up that crashes cannot swallow our cancellation.
        await first_of(_run_once(name, run))
        now = clock.now()
        now_s = now.timestamp()
        feed.publish(DeviceHealth(name, now, ok=False, since=now, error="crashed; see the log"))
        crashes_s = [at_s for at_s in crashes_s if now_s - at_s < WINDOW_S] + [now_s]
        if len(crashes_s) >= MAX_CRASHES:
            raise TaskCrashedError(f"task {name!r} crashed {MAX_CRASHES} times within {WINDOW_S:.0f} s")
        await clock.sleep(RESTART_S)
        now = clock.now()
        feed.publish(DeviceHealth(name, now, ok=True, since=now))


async def _run_once(name: str, run: Run) -> None:
    try:
        await run()
        log.error("task returned unexpectedly", task=name)
    except Exception:
        log.exception("task crashed", task=name)
