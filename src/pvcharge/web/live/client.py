"""One who looks on, over a WebSocket."""

import asyncio
import socket
from collections import deque
from collections.abc import Callable

from aiohttp import WSCloseCode, WSMsgType, web

READS_S = 30.0  # real seconds in which a client must have read something
CHECK_S = 5.0  # real seconds between two looks at whether a client still may look on
MINUTE_S = 60.0
QUEUE = 8  # messages that wait for a client; then it gets a snapshot instead
LARGEST = 4096  # bytes of a message that a client may send
MOST_SAID = 100  # messages, pings and pongs that a client may send in a minute; it has nothing to say
SEND_BUFFER = 32_768  # bytes that the system keeps for a client; what it does not read stays here


class Client:
    """Sends what it is offered, at the client's own pace.

    Args:
        request: the client's, for a WebSocket.
        snapshot: returns the message that tells all.
        still: whether the client may still look on.
    """

    def __init__(
        self, request: web.Request, snapshot: Callable[[], str], still: Callable[[], bool] = lambda: True
    ) -> None:
        self._request = request
        self._snapshot = snapshot
        self._still = still
        self._queue: deque[str] = deque()
        self._behind = True  # a snapshot is due, before anything else
        self._news = asyncio.Event()
        self._closing = False
        self._checked_s = asyncio.get_running_loop().time()
        self._socket = web.WebSocketResponse(
            # A ping after two thirds of the time, a pong within one third: only who reads answers.
            heartbeat=READS_S * 2 / 3,
            autoping=False,  # lest a flood of them is answered behind our back
            compress=False,
            max_msg_size=LARGEST,
            timeout=1.0,
        )
        self._transport = request.transport
        self._news.set()

    @property
    def waiting(self) -> int:
        """How many messages wait for the client to read."""
        return len(self._queue)

    def offer(self, message: str) -> None:
        """Have a message sent when its turn comes; never waits."""
        if self._behind:
            return  # the snapshot that comes will tell
        if len(self._queue) >= QUEUE:
            self._queue.clear()
            self._behind = True
        else:
            self._queue.append(message)
        self._news.set()

    def close(self) -> None:
        """Have the connection closed after what is being sent."""
        self._closing = True
        self._news.set()

    async def serve(self) -> web.StreamResponse:
        """Send, until the client goes, does not read any more, or may not look on any more."""
        if self._transport is not None:
            line = self._transport.get_extra_info("socket")
            if line is not None:
                line.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SEND_BUFFER)
        await self._socket.prepare(self._request)
        tasks = [asyncio.create_task(self._send()), asyncio.create_task(self._listen())]
        try:
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            # What still waits to be sent would keep the connection, and its memory, for as long as it likes.
            if self._transport is not None and not self._socket.closed:
                self._transport.abort()
        return self._socket

    async def _send(self) -> None:
        while True:
            await self._news.wait()
            if self._closing or not self._may():
                code = WSCloseCode.GOING_AWAY if self._closing else WSCloseCode.POLICY_VIOLATION
                async with asyncio.timeout(READS_S):
                    await self._socket.close(code=code)
                return
            message = self._next()
            if message is None:
                self._news.clear()
                continue
            async with asyncio.timeout(READS_S):
                await self._socket.send_str(message)

    def _may(self) -> bool:
        now_s = asyncio.get_running_loop().time()
        if now_s - self._checked_s < CHECK_S:
            return True
        self._checked_s = now_s
        return self._still()

    def _next(self) -> str | None:
        if self._behind:
            self._behind = False
            return self._snapshot()
        return self._queue.popleft() if self._queue else None

    async def _listen(self) -> None:
        """Answer pings and ignore all else that the client says, until it goes or says too much."""
        loop = asyncio.get_running_loop()
        said, since_s = 0, loop.time()
        async for message in self._socket:
            if loop.time() - since_s > MINUTE_S:
                said, since_s = 0, loop.time()
            said += 1
            if said > MOST_SAID:
                return
            if message.type is WSMsgType.PING:
                await self._socket.pong(message.data)
