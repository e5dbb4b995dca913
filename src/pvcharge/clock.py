"""Clocks: the system's, and one that runs N times faster for the demo."""

import asyncio
import time
from datetime import UTC, datetime, timedelta


class SystemClock:
    """Wall-clock time that never jumps by itself within a process, even when the system's is set.

    Ages and leases are differences of `now()`; a wall clock that is set back by an hour must not make
    an old reading fresh. So the wall clock is read once and advanced by the monotonic one, and taken
    over again only when both have drifted apart by more than `resync_s` and the wall clock is ahead.
    """

    resync_s = 5.0

    def __init__(self) -> None:
        self._anchor = datetime.now(UTC)
        self._monotonic_s = time.monotonic()

    def now(self) -> datetime:
        """Return the current time, UTC-aware, never earlier than the one returned before."""
        steady = self._anchor + timedelta(seconds=time.monotonic() - self._monotonic_s)
        wall = datetime.now(UTC)
        if (wall - steady).total_seconds() > self.resync_s:
            self._anchor, self._monotonic_s = wall, time.monotonic()
            return wall
        return steady

    @property
    def ahead_s(self) -> float:
        """Seconds by which the wall clock has been set back behind us; only a new clock takes that over."""
        return max(0.0, (self.now() - datetime.now(UTC)).total_seconds())

    async def sleep(self, seconds: float) -> None:
        """Sleep in real seconds."""
        await asyncio.sleep(max(0.0, seconds))


class FastClock:
    """Starts at a chosen time and runs `speed` times as fast as the event loop's own clock.

    Args:
        start: the time it shows at first, UTC-aware.
        speed: its seconds per real second.
        since_unix_s: when it showed `start`, in seconds of the epoch, for clocks that several processes
            share; None = now.
    """

    def __init__(self, start: datetime, speed: float, since_unix_s: float | None = None) -> None:
        if speed <= 0:
            raise ValueError(f"speed must be above 0, not {speed}")
        self.speed = speed
        self._start = start
        elapsed_s = 0.0 if since_unix_s is None else time.time() - since_unix_s
        self._loop_start_s = asyncio.get_running_loop().time() - elapsed_s

    def now(self) -> datetime:
        """Return the accelerated time, UTC-aware."""
        elapsed = asyncio.get_running_loop().time() - self._loop_start_s
        return self._start + timedelta(seconds=elapsed * self.speed)

    async def sleep(self, seconds: float) -> None:
        """Sleep for this many accelerated seconds."""
        await asyncio.sleep(max(0.0, seconds) / self.speed)
