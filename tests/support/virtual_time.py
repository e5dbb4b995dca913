"""An event loop in virtual time: its clock stands still while there is work, and jumps when there is none.

Sockets are real and work as usual; only when no socket is ready and nothing is due does the clock jump to
the next timer. What is given to an executor runs at once, in this thread, and takes no time.
"""

import asyncio
import selectors
from collections.abc import Callable, Coroutine
from concurrent.futures import Executor
from typing import Any, TypeVar, TypeVarTuple

RESOLUTION_S = 1e-6  # a year in seconds has as many digits as a float has left for it
STUCK_S = 5.0  # real seconds without a timer or a byte, after which nothing will ever happen

T = TypeVar("T")
Ts = TypeVarTuple("Ts")


class StandstillError(RuntimeError):
    """Nothing is planned and nothing comes in, so that time would stand still for ever."""


class _Selector(selectors.DefaultSelector):
    """Lets time jump instead of waiting.

    Attributes:
        now_s: the loop's time.
    """

    def __init__(self) -> None:
        super().__init__()
        self.now_s = 0.0

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        """Return the sockets that are ready, else let the time pass at once."""
        ready = super().select(0)
        if ready or (timeout is not None and timeout <= 0):
            return ready
        if timeout is None:
            ready = super().select(STUCK_S)
            if not ready:
                raise StandstillError("no timer is set and no socket has anything to say")
            return ready
        self.now_s += timeout
        return ready


class VirtualLoop(asyncio.SelectorEventLoop):
    """An event loop whose seconds last as long as the work in them."""

    def __init__(self) -> None:
        self._time = _Selector()
        super().__init__(self._time)
        self._clock_resolution = RESOLUTION_S

    def time(self) -> float:
        """Return the virtual seconds since the loop was made."""
        return self._time.now_s

    def run_in_executor(
        self, executor: Executor | None, func: Callable[[*Ts], T], *args: *Ts
    ) -> asyncio.Future[T]:
        """Run it at once, in this thread."""
        del executor
        future: asyncio.Future[T] = self.create_future()
        try:
            future.set_result(func(*args))
        except Exception as error:  # noqa: BLE001 - whoever awaits the future gets it
            future.set_exception(error)
        return future


def run(main: Coroutine[Any, Any, T]) -> T:
    """Run a coroutine to its end in virtual time, as `asyncio.run` does in real time."""
    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        return runner.run(main)
