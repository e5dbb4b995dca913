"""The Modbus TCP server of an inverter: frames, and its ways with connections.

The framing is done here, on asyncio's streams, since a device is to be imitated that a library's server is
not: it takes a single client, drops silent ones, and can be made to break each rule of the protocol. Of
Modbus that needs a header of seven bytes and one function. So the sockets and tasks are ours too, and none
is left behind by `aclose`.
"""

import asyncio
import contextlib
from dataclasses import KW_ONLY, dataclass, field
from datetime import datetime, timedelta
from struct import pack, unpack

from pvcharge.model import Clock
from pvcharge.sim.solaredge_modbus.faults import ModbusFaults
from pvcharge.sim.solaredge_modbus.hardware import ModbusHardware
from pvcharge.sim.solaredge_modbus.registers import Image
from pvcharge.sim.solaredge_modbus.site import Meter, Site

IDLE_S = 120.0  # of the clock's time, after which a silent client is dropped
LOOK_S = 0.1  # real seconds between two looks at the clock
GOODBYE_S = 0.02  # real seconds that a client's close may take to be noticed when the next one is at the door

GARBAGE = b"HTTP/1.1 400 Bad Request\r\nServer: \xff\xfe\x00\r\n\r\n"
READ = 3
ILLEGAL_FUNCTION, ILLEGAL_ADDRESS, ILLEGAL_VALUE, NO_RESPONSE = 1, 2, 3, 0x0B
MOST_REGISTERS = 125

_HEADER = 7  # transaction, protocol, length of the rest, unit
_LONGEST = 254  # of unit and message
_READ_LENGTH = 5  # function, address, count

Streams = tuple[asyncio.StreamReader, asyncio.StreamWriter]


@dataclass(frozen=True, slots=True)
class _Request:
    transaction: int
    unit: int
    message: bytes  # function and what follows

    def frame(self, message: bytes, *, transaction: int | None = None, unit: int | None = None) -> bytes:
        """Put an answer into a frame."""
        head = pack(
            ">HHHB",
            self.transaction if transaction is None else transaction,
            0,
            len(message) + 1,
            self.unit if unit is None else unit,
        )
        return head + message

    def refusal(self, code: int) -> bytes:
        """Return the message of an exception."""
        return bytes([self.message[0] | 0x80, code])


@dataclass(eq=False, repr=False)
class ModbusServer:
    """The inverters of one house, over real Modbus TCP.

    Everything runs in the clock's time, except `faults.slow_s`. Registers are those of the house at the
    moment of the request.

    Attributes:
        meter: measures the house.
        clock: the inverter's time.
        host: to listen at.
        port: to listen at; 0 picks a free one, which stands here after `start` and is kept.
        hardware: the devices.
        faults: knobs that may be turned at any time.
        requests: answered so far, with registers or an exception, well or badly.
        refused: connections that were closed without a word.
    """

    meter: Meter
    _: KW_ONLY
    clock: Clock
    host: str = "127.0.0.1"
    port: int = 0
    hardware: ModbusHardware = field(default_factory=ModbusHardware)
    faults: ModbusFaults = field(default_factory=ModbusFaults)
    requests: int = field(default=0, init=False)
    refused: int = field(default=0, init=False)
    _server: asyncio.Server | None = field(default=None, init=False)
    _tasks: set[asyncio.Task[None]] = field(default_factory=set, init=False)
    _client: Streams | None = field(default=None, init=False)
    _closed_at: datetime | None = field(default=None, init=False)

    def __post_init__(self) -> None:
        self._site = Site(self.hardware, self.meter, self.faults)

    async def start(self) -> None:
        """Listen, unless it does so already; from then on `port` is the real one.

        Raises:
            OSError: the port is taken.
        """
        if self._server is not None:
            return
        self._server = await asyncio.start_server(self._meet, self.host, self.port)
        self.port = self._server.sockets[0].getsockname()[1]
        self._site.started_at = self.clock.now()
        self._closed_at = None

    async def aclose(self) -> None:
        """Stop listening and drop all connections; harmless if it is not running."""
        server, self._server = self._server, None
        if server is None:
            return
        server.close()
        tasks = tuple(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await server.wait_closed()

    def _meet(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.create_task(self._attend((reader, writer)), name="simulated inverter's client")
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        # One that is cancelled before it has begun does not close by itself.
        task.add_done_callback(lambda _: writer.transport.abort())

    async def _attend(self, streams: Streams) -> None:
        """Let a client in or not, serve it until it goes, and close."""
        try:
            if await self._admits():
                self._client = streams
                await self._serve(streams)
            else:
                self.refused += 1
        except (OSError, asyncio.IncompleteReadError):
            pass  # the client has gone
        finally:
            if self._client is streams:
                self._client = None
                self._closed_at = self.clock.now()
            writer = streams[1]
            writer.transport.abort()
            with contextlib.suppress(OSError):
                await writer.wait_closed()

    async def _admits(self) -> bool:
        """Whether there is room for a client; if the newest wins, make it."""
        if self.faults.refuse or self._server is None:
            return False
        if self._client is not None and not self.faults.second_client_wins:
            await asyncio.sleep(GOODBYE_S)
        if (first := self._client) is not None:
            gone = first[0].at_eof() or first[1].is_closing()
            if not gone and not self.faults.second_client_wins:
                return False
            first[1].transport.abort()
            return True
        pause = timedelta(seconds=self.faults.refuse_after_close_s)
        return self._closed_at is None or not timedelta() <= self.clock.now() - self._closed_at < pause

    async def _serve(self, streams: Streams) -> None:
        reader, writer = streams
        while self._client is streams and (request := await self._next(reader)) is not None:
            if self.faults.refuse:
                return
            if self.faults.hang:
                continue
            if self.faults.slow_s > 0:
                await asyncio.sleep(self.faults.slow_s)
            message = self._answer(request)
            if message is None:
                continue
            self.requests += 1
            frame = self._spoil(request, message)
            writer.write(frame[: len(frame) // 2] if self.faults.drop else frame)
            await writer.drain()
            if self.faults.drop:
                return

    async def _next(self, reader: asyncio.StreamReader) -> _Request | None:
        """Wait for a request; None if the client is silent for too long, or sends something else."""
        head = await self._hear(reader, _HEADER)
        if head is None:
            return None
        transaction, protocol, length, unit = unpack(">HHHB", head)
        if protocol != 0 or not 1 < length <= _LONGEST:
            return None
        message = await self._hear(reader, length - 1)
        return None if message is None else _Request(transaction, unit, message)

    async def _hear(self, reader: asyncio.StreamReader, size: int) -> bytes | None:
        """Read bytes; None if they take longer than a client may be silent."""
        since = self.clock.now()
        while True:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(LOOK_S):
                    heard = await reader.readexactly(size)
                late = self.clock.now() - since > timedelta(seconds=IDLE_S)
                return None if late else heard
            if self.clock.now() - since > timedelta(seconds=IDLE_S):
                return None

    def _answer(self, request: _Request) -> bytes | None:
        """Return the message that answers a request; None is silence."""
        if self.faults.exception_code is not None:
            return request.refusal(self.faults.exception_code)
        image = self._site.image(request.unit, self.clock.now())
        if image is None:
            return None if self.faults.silent_unknown_units else request.refusal(NO_RESPONSE)
        return _read(request, image)

    def _spoil(self, request: _Request, message: bytes) -> bytes:
        """Return the bytes of an answer, wrong in the ways that the knobs say."""
        faults = self.faults
        if faults.garbage:
            return GARBAGE
        return request.frame(
            message,
            transaction=request.transaction ^ 0x5555 if faults.wrong_transaction else None,
            unit=request.unit ^ 0x55 if faults.wrong_unit else None,
        )


def _read(request: _Request, image: Image) -> bytes:
    """Return the message with the registers that are asked for, or of the exception."""
    if request.message[0] != READ:
        return request.refusal(ILLEGAL_FUNCTION)
    if len(request.message) != _READ_LENGTH:
        return request.refusal(ILLEGAL_VALUE)
    address, count = unpack(">HH", request.message[1:])
    if not 1 <= count <= MOST_REGISTERS:
        return request.refusal(ILLEGAL_VALUE)
    places = range(address, address + count)
    if any(place not in image for place in places):
        return request.refusal(ILLEGAL_ADDRESS)
    return pack(f">BB{count}H", READ, 2 * count, *(image[place] for place in places))
