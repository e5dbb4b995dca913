"""A bad line between a client and a server: it swallows, drips, floods, cuts in mid-packet, or passes on."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Self

from support.broker import HOST

CHUNK = 65_536
FLOOD_PAUSE_S = 0.001  # real seconds: some 50 MB/s, half of what a wire in the house carries


class Relay:
    """Passes bytes on between whoever connects and a server on this machine.

    Args:
        target_port: of the server.

    Attributes:
        port: where to connect.
        swallows: whether all bytes vanish, while connections stay: a half-open socket.
        cut_after: after so many more bytes to the client its connection breaks; None: never.
        cuts_each_after: the same for each connection anew.
        drip_s: real seconds before each single byte to the client.
        floods_with: how an answer begins that never ends, instead of the server's.
        connections: how many have been made.
        floods: how many such answers have begun.
    """

    def __init__(self, target_port: int) -> None:
        self.port = 0
        self.mend()
        self.connections = 0
        self.floods = 0
        self._target_port = target_port

    def mend(self) -> None:
        """Be a good line again."""
        self.swallows = False
        self.cut_after: int | None = None
        self.cuts_each_after: int | None = None
        self.drip_s = 0.0
        self.floods_with = b""

    @asynccontextmanager
    async def running(self) -> AsyncIterator[Self]:
        """Serve for as long as the context lasts."""
        server = await asyncio.start_server(self._serve, HOST, 0)
        self.port = server.sockets[0].getsockname()[1]
        try:
            yield self
        finally:
            server.close()
            for task in asyncio.all_tasks():
                if task.get_name().startswith("relay"):
                    task.cancel()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        try:
            far_reader, far_writer = await asyncio.open_connection(HOST, self._target_port)
        except OSError:
            writer.close()
            return
        ways = [
            asyncio.create_task(self._pass_up(reader, far_writer), name="relay up"),
            asyncio.create_task(self._pass_down(far_reader, writer), name="relay down"),
        ]
        with suppress(asyncio.CancelledError):
            await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
        for way in ways:
            way.cancel()
        for end in (writer, far_writer):
            end.close()

    async def _pass_up(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError):
            while data := await reader.read(CHUNK):
                if not self.swallows:
                    writer.write(data)
                    await writer.drain()

    async def _pass_down(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        passed = 0
        with suppress(OSError):
            while data := await reader.read(CHUNK):
                if self.floods_with:
                    await self._flood(writer)
                    return
                if self.swallows:
                    continue
                data = data[: self.cut_after]
                if self.cuts_each_after is not None:
                    data = data[: max(0, self.cuts_each_after - passed)]
                passed += len(data)
                await self._send(writer, data)
                if self._is_cut(passed, len(data)):
                    return

    def _is_cut(self, passed: int, now: int) -> bool:
        if self.cut_after is not None:
            self.cut_after -= now
            if self.cut_after <= 0:
                self.cut_after = None
                return True
        return self.cuts_each_after is not None and passed >= self.cuts_each_after

    async def _send(self, writer: asyncio.StreamWriter, data: bytes) -> None:
        if not self.drip_s:
            writer.write(data)
            await writer.drain()
            return
        for byte in data:
            writer.write(bytes([byte]))
            await writer.drain()
            await asyncio.sleep(self.drip_s)

    async def _flood(self, writer: asyncio.StreamWriter) -> None:
        self.floods += 1
        writer.write(self.floods_with)
        while not writer.is_closing():
            writer.write(bytes(CHUNK))
            await writer.drain()
            await asyncio.sleep(FLOOD_PAUSE_S)
