"""Waiting by the daemon's clock."""

import asyncio

from pvcharge.model import Clock


async def set_within(event: asyncio.Event, clock: Clock, seconds: float) -> None:
    """Return when the event is set, at the latest after these seconds of the clock; clear the event."""
    waits = [asyncio.create_task(event.wait()), asyncio.create_task(clock.sleep(seconds))]
    try:
        await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for wait in waits:
            wait.cancel()
        await asyncio.gather(*waits, return_exceptions=True)
    event.clear()
