"""A clock that a test moves."""

import asyncio
from datetime import datetime, timedelta
from types import SimpleNamespace


class ManualClock:
    """Reads `time.now`; sleeping moves it."""

    def __init__(self, time: SimpleNamespace) -> None:
        self._time = time

    def now(self) -> datetime:
        """Return the time that the test has set."""
        now: datetime = self._time.now
        return now

    async def sleep(self, seconds: float) -> None:
        """Move the time, and let others run."""
        self._time.now += timedelta(seconds=seconds)
        await asyncio.sleep(0)
