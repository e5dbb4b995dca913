"""The only file with a socket: one WebSocket to the box, and one task that reads it.

Time-outs here are real seconds: a socket does not get faster when the clock does.
"""

import asyncio
from collections.abc import Callable
from typing import Self, TypeVar

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, WebSocketException

from pvcharge.drivers.base import TransientError
from pvcharge.drivers.wattpilot.messages import printable

_CLOSE_S = 1.0
_LARGEST_FRAME = 2**20  # bytes; a full status has about 12,000

T = TypeVar("T")


class _Direct(connect):
    """A connection to the address that was configured: a box sends nobody elsewhere."""

    def process_redirect(self, exc: Exception) -> Exception | str:
        """Follow no redirect, lest whoever stands in for the box has us speak to any other host."""
        return exc


class Link:
    """A connection whose every failure is a `TransientError`, told to everybody who waits for news."""

    def __init__(self, socket: ClientConnection, device: str) -> None:
        self._socket = socket
        self._device = device  # name and address, for messages
        self._reader: asyncio.Task[None] | None = None
        self._failure: BaseException | None = None
        self._news = asyncio.Event()  # a new one after each frame, so that everybody hears of each

    @classmethod
    async def dial(cls, url: str, device: str) -> Self:
        """Connect; the caller limits the time.

        Raises:
            TransientError: refused, unreachable, or no WebSocket there.
        """
        try:
            socket = await _Direct(
                url,
                compression=None,
                max_size=_LARGEST_FRAME,
                open_timeout=None,
                close_timeout=_CLOSE_S,
                proxy=None,  # the box is in the house
            )
        except (OSError, WebSocketException) as error:
            raise TransientError(
                f"{device}: no connection ({printable(str(error))}); is the box on, and is the address right?"
            ) from error
        return cls(socket, device)

    async def receive(self) -> str | bytes:
        """Return the next frame. For the login, before `listen`."""
        try:
            return await self._socket.recv()
        except ConnectionClosed as error:
            raise self._dropped(error) from error

    async def send(self, text: str) -> None:
        """Send one frame."""
        try:
            await self._socket.send(text)
        except ConnectionClosed as error:
            raise self._dropped(error) from error

    def listen(self, take: Callable[[str | bytes], None], silence_s: float) -> None:
        """Give each frame to `take`, from now on until the link ends or is silent for too long."""
        self._reader = asyncio.create_task(self._listen(take, silence_s), name=f"{self._device} reader")
        self._reader.add_done_callback(self._reader_ended)

    async def until(self, get: Callable[[], T | None]) -> T:
        """Return the first true value of `get`, asked again after every frame.

        Raises:
            TransientError: the link has ended.
        """
        self._raise_failure()
        while not (value := get()):
            await self._news.wait()
            self._raise_failure()
        return value

    def give_up(self, failure: TransientError) -> None:
        """Use this link no longer: whoever waits now or later gets this failure, if it is the first."""
        self._failure = self._failure or failure
        self._publish()

    async def close(self) -> None:
        """Stop reading and close the connection properly, since the box can hold but a few."""
        self.give_up(TransientError(f"{self._device}: not connected any more"))
        if self._reader is not None:
            self._reader.cancel()
            await asyncio.wait([self._reader])
        await self._socket.close()

    async def _listen(self, take: Callable[[str | bytes], None], silence_s: float) -> None:
        while True:
            try:
                async with asyncio.timeout(silence_s):
                    frame = await self.receive()
            except TimeoutError as error:
                raise TransientError(
                    f"{self._device}: silent for {silence_s:g} s; restart the box if this goes on"
                ) from error
            take(frame)
            self._publish()
            await asyncio.sleep(0)  # or thousands that have come at once would be read before anybody's turn

    def _reader_ended(self, reader: asyncio.Task[None]) -> None:
        if not reader.cancelled():
            self._failure = self._failure or reader.exception()
            self._publish()

    def _publish(self) -> None:
        self._news.set()
        self._news = asyncio.Event()

    def _raise_failure(self) -> None:
        if self._failure is not None:
            raise self._failure

    def _dropped(self, error: ConnectionClosed) -> TransientError:
        return TransientError(f"{self._device}: the box closed the connection ({printable(str(error))})")
