"""The clocks of a simulated house: that of the sun, and the system's, which is set now and then."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta, tzinfo
from types import SimpleNamespace

import pytest

from pvcharge import clock


class TrueClock:
    """Time as it passes: that of sun, cars, devices and clouds; the loop's seconds since a start.

    Args:
        start: when the loop's time is 0, UTC-aware.
    """

    def __init__(self, start: datetime) -> None:
        self._start = start

    def now(self) -> datetime:
        """Return the time."""
        return self._start + timedelta(seconds=self.seconds())

    def seconds(self) -> float:
        """Return the seconds since the start."""
        return asyncio.get_running_loop().time()

    async def sleep(self, seconds: float) -> None:
        """Let so many seconds pass."""
        await asyncio.sleep(max(0.0, seconds))

    async def until(self, at: datetime) -> None:
        """Let time pass until then."""
        await self.sleep((at - self.now()).total_seconds())


class WallClock:
    """The computer's clock, on which the daemon's real `SystemClock` runs; it goes wrong and is set right.

    Attributes:
        ahead_s: by how much it is ahead of the true time.
    """

    def __init__(self, true: TrueClock) -> None:
        self.ahead_s = 0.0
        self._true = true

    def now(self, zone: tzinfo = UTC) -> datetime:
        """Return what the clock on the wall shows."""
        return (self._true.now() + timedelta(seconds=self.ahead_s)).astimezone(zone)

    @contextmanager
    def as_the_systems(self) -> Iterator[None]:
        """Have `SystemClock` read this clock, and the loop's time for its monotonic one."""
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(clock, "datetime", self)
            patch.setattr(clock, "time", SimpleNamespace(monotonic=self._true.seconds))
            yield
