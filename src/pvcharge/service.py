"""The daemon as its service manager sees it: ready, reloading, stopping, and gone in time."""

import asyncio
import gc
import os
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Timer

import structlog

from pvcharge.app import App
from pvcharge.clock import SystemClock
from pvcharge.model import Clock
from pvcharge.reload import Reloader
from pvcharge.status_line import StatusLine
from pvcharge.tasks.notify import Notifier

log = structlog.get_logger(__name__)

STOP_SIGNALS = (signal.SIGTERM, signal.SIGINT)
# Real seconds from the signal to the end, come what may. What the tasks have to finish takes 4.5 s at most;
# longer takes only a thread that waits for a disk, and nothing can interrupt that.
STOP_S = 4.6
# A wall clock that is set back by so much is not followed, see `SystemClock`: what an inverter's cloud tells
# would look old for ever, and stand under wrong times. A new process begins with the right one.
SET_BACK_S = 300.0
LOOK_AT_CLOCK_S = 30.0


class ClockSetBackError(Exception):
    """The system's clock was set back by minutes or more; the process has to begin anew."""


class HangUps:
    """SIGHUPs from the very start of the process: they wait until somebody can act on them."""

    def __init__(self) -> None:
        self._on_terminal = sys.stdin is not None and sys.stdin.isatty()
        self._early = False

    @contextmanager
    def kept(self) -> Iterator[None]:
        """Keep a SIGHUP from killing the process for as long as the context lasts."""
        before = signal.signal(signal.SIGHUP, self._note)
        try:
            yield
        finally:
            signal.signal(signal.SIGHUP, before)

    def _note(self, _number: int, _frame: object) -> None:
        self._early = True

    def take_early(self) -> bool:
        """Return whether there was one, and forget it."""
        early, self._early = self._early, False
        return early

    @property
    def terminal_gone(self) -> bool:
        """Whether it was the hang-up of the terminal that the daemon was started in, and no request."""
        return self._on_terminal and not sys.stdin.isatty()


async def serve(
    app: App, notifier: Notifier, reloader: Reloader | None = None, hang_ups: HangUps | None = None
) -> None:
    """Run a daemon until SIGTERM or SIGINT; a second signal kills it, SIGHUP has it read its configuration.

    From the first signal on the process ends within `STOP_S`, with exit code 0, whatever hangs.

    Raises:
        BaseExceptionGroup: a fault ended it, or a clock that was set back.
    """
    loop, hung_up, hang_ups = asyncio.get_running_loop(), asyncio.Event(), hang_ups or HangUps()
    async with asyncio.TaskGroup() as group:
        tasks = [
            group.create_task(app.run(), name="daemon"),
            group.create_task(_attend(app, notifier, reloader, hung_up), name="service"),
            group.create_task(_watch_clock(app.clock), name="clock"),
        ]

        def stop() -> None:
            for number in STOP_SIGNALS:
                loop.remove_signal_handler(number)
                signal.signal(number, signal.SIG_DFL)
            notifier.stopping("leaving the charger as [edge] on_silence says")
            log.info("stopping")
            _end_in_time()
            for task in tasks:
                task.cancel()

        def hang_up() -> None:
            if hang_ups.terminal_gone:
                loop.remove_signal_handler(signal.SIGHUP)
                signal.signal(signal.SIGHUP, signal.SIG_IGN)
                stop()
            else:
                hung_up.set()

        for number in STOP_SIGNALS:
            loop.add_signal_handler(number, stop)
        loop.add_signal_handler(signal.SIGHUP, hang_up)
        if hang_ups.take_early():
            hang_up()


async def _watch_clock(clock: Clock) -> None:
    """End the process when the wall clock has been behind for two looks; one may be a slip.

    Raises:
        ClockSetBackError: it has.
    """
    if not isinstance(clock, SystemClock):
        return
    behind = False
    while True:
        await asyncio.sleep(LOOK_AT_CLOCK_S)
        before, behind = behind, clock.ahead_s > SET_BACK_S
        if before and behind:
            log.warning("the system's clock was set back; beginning anew", by_s=round(clock.ahead_s))
            raise ClockSetBackError("the system's clock was set back; a new start begins with the right time")


async def _attend(app: App, notifier: Notifier, reloader: Reloader | None, hung_up: asyncio.Event) -> None:
    """Tell the service manager how things are, and read the configuration again when it asks for that."""
    config = app.config
    line = StatusLine(config.role, app.feed.subscribe(), notifier.status, config.site.zone)
    await app.started.wait()
    # What there is by now stays: the collector would look through all of it at any moment, for 60 ms.
    gc.collect()
    gc.freeze()
    notifier.ready(f"running as {config.role}")
    log.info("started", role=config.role, site=config.site.name)
    async with asyncio.TaskGroup() as group:
        group.create_task(_tell(line), name="service: status")
        while True:
            await hung_up.wait()
            hung_up.clear()
            notifier.reloading()
            await _reload(reloader)
            notifier.ready()


async def _tell(line: StatusLine) -> None:
    try:
        await line.run()
    except Exception:
        log.exception("status not told any more")


async def _reload(reloader: Reloader | None) -> None:
    if reloader is None:
        return
    try:
        await reloader.reload()
    except Exception:
        log.exception("configuration not read again")


def _end_in_time() -> None:
    """End the process after `STOP_S`, unless it has ended by then; by a thread that outlives the loop."""

    def end() -> None:
        log.warning("stopped without waiting any longer", after_s=STOP_S)
        os._exit(0)

    timer = Timer(STOP_S, end)
    timer.daemon = True
    timer.start()
