"""What joins the tasks: the control loop's inbox, and mailboxes in which only the newest letter counts."""

import asyncio
from collections.abc import Coroutine
from typing import Any, Generic, TypeVar

from pvcharge.model import (
    ChargerStatus,
    ForgetCommand,
    LimitsCommand,
    ModeCommand,
    PowerFlow,
    SettingsCommand,
)

Letter = PowerFlow | ChargerStatus | ModeCommand | LimitsCommand | SettingsCommand | ForgetCommand
Inbox = asyncio.Queue[Letter]

T = TypeVar("T")


class Latest(Generic[T]):
    """Holds the latest value; `wait` returns as soon as one has come since the last `wait`."""

    def __init__(self, value: T) -> None:
        self.value = value
        self._changed = asyncio.Event()

    def put(self, value: T) -> None:
        """Replace the value and wake the reader."""
        self.value = value
        self._changed.set()

    def update(self, value: T) -> None:
        """Replace the value and wake the reader, if it is another one."""
        if value != self.value:
            self.put(value)

    async def wait(self) -> T:
        """Wait until a value has been put since the last call, and return the latest."""
        await self._changed.wait()
        self._changed.clear()
        return self.value


async def first_of(*coroutines: Coroutine[Any, Any, object]) -> None:
    """Return when the first of these is done, cancel the others, and raise what it raised."""
    waits = [asyncio.ensure_future(coroutine) for coroutine in coroutines]
    try:
        await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for wait in waits:
            wait.cancel()
        await asyncio.gather(*waits, return_exceptions=True)
    for wait in waits:
        if not wait.cancelled():
            wait.result()
