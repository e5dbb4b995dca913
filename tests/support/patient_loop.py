"""An event loop in real time whose clock stands still while the machine does.

Where tests let a minute pass in a tenth of a second, a process that the machine leaves without a core for
half a second has lost five minutes: readings are stale and devices mute by no fault of theirs. Here such a
gap counts as a moment for all that runs in the loop: clocks, time-outs and simulated devices alike. Waiting
for a timer or for other processes takes its time as ever.
"""

import asyncio
import selectors
import time

MOMENT_S = 0.02  # the most that a gap counts


class _Selector(selectors.DefaultSelector):
    """Counts how much of the time was waited for.

    Attributes:
        now_s: the loop's time.
    """

    def __init__(self) -> None:
        super().__init__()
        self.now_s = 0.0
        self._seen_s = time.monotonic()

    def count(self, awaited_s: float) -> float:
        """Count what has passed since the last call, but hardly more than was waited for; return the time."""
        seen_s = time.monotonic()
        self.now_s += min(seen_s - self._seen_s, awaited_s + MOMENT_S)
        self._seen_s = seen_s
        return self.now_s

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        """Return the sockets that are ready, as soon as there are any or the time is over."""
        self.count(0.0)
        ready = super().select(timeout)
        self.count(float("inf") if timeout is None else max(0.0, timeout))
        return ready


class PatientLoop(asyncio.SelectorEventLoop):
    """An event loop for which gaps count no more than a moment."""

    def __init__(self) -> None:
        self._time = _Selector()
        super().__init__(self._time)

    def time(self) -> float:
        """Return the seconds since the loop was made, without the gaps."""
        return self._time.count(0.0)
