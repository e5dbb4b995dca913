"""The one connection to an inverter's Modbus server. Only "read holding registers" can be sent on it.

The frames are pymodbus'; the socket is held here, since such an inverter needs more care than a client
for any device takes: it accepts a single connection, closes a silent one after two minutes, refuses a new
one just after the old one was closed, and now and then goes on to hold a connection without answering.
Times are real seconds of the event loop, whatever clock the daemon runs on.
"""

import asyncio
import errno
import logging

from pymodbus.framer import FramerSocket
from pymodbus.pdu import DecodePDU
from pymodbus.pdu.register_message import ReadHoldingRegistersRequest, ReadHoldingRegistersResponse

from pvcharge.drivers.base import TransientError
from pvcharge.drivers.solaredge_modbus.registers import Block
from pvcharge.drivers.solaredge_modbus.settings import MOST_IDLE_S, Endpoint
from pvcharge.drivers.solaredge_modbus.sunspec import Span

REOPEN_PAUSE_S = 1.0
MOST_TIMEOUTS = 3  # in a row, after which the connection is taken for dead

_FUNCTION, _REFUSED_FUNCTION = 3, 0x83
_ILLEGAL_ADDRESS = 2
_REFUSALS = {
    1: "it does not know how to read registers",
    3: "it does not like the request",
    4: "it failed to read the registers; check `units`",
    6: "it is busy",
    10: "it has no path to this unit; check `units`",
    11: "this unit does not answer it; check `units`, and whether the follower is on",
}
_HEADER = 6  # bytes before unit and message: transaction, protocol, length
_SHORTEST, _LONGEST = 3, 254  # of unit and message in bytes
_CHUNK = 1024
_MOST_RECEIVED = 8 * _CHUNK  # bytes until the answer comes: some late ones may come before it, not many
_ONE_CONNECTION = (
    "another program holds the inverter's only Modbus connection, or Modbus TCP is off. See SetApp -> Site "
    "Communication -> Modbus TCP; its port is 1502, or 502 at inverters with a display"
)

# What pymodbus says of frames that it cannot read is said here too, once and with the place.
if (_pymodbus_log := logging.getLogger("pymodbus")).level == logging.NOTSET:
    _pymodbus_log.setLevel(logging.CRITICAL)


class AbsentError(TransientError):
    """There are no such registers."""


class _NoModbusError(Exception):
    """What came in is not the answer to what was asked."""


class Line:
    """A connection that is made when something is to be read, and made again when it was lost.

    Args:
        endpoint: where to.
        timeout_s: how long connecting, and how long one answer may take.
    """

    def __init__(self, endpoint: Endpoint, timeout_s: float) -> None:
        self.place = f"{endpoint.host}:{endpoint.port}"
        self.times_opened = 0
        self._endpoint = endpoint
        self._timeout_s = timeout_s
        self._turn = asyncio.Lock()
        self._streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None
        self._frames = FramerSocket(DecodePDU(is_server=False))
        self._received = bytearray()
        self._transaction = 0
        self._timeouts = 0
        self._may_reopen = True
        self._closed_at_s: float | None = None
        self._idle: asyncio.TimerHandle | None = None

    def begin(self) -> None:
        """Allow that the connection is lost once more."""
        self._may_reopen = True

    async def open(self) -> None:
        """Connect, unless that is done; a second after the last connection at the earliest.

        Raises:
            TransientError: there is no connection to be had.
        """
        if self._streams is not None:
            return
        if self._closed_at_s is not None:
            await asyncio.sleep(self._closed_at_s + REOPEN_PAUSE_S - asyncio.get_running_loop().time())
        try:
            async with asyncio.timeout(self._timeout_s):
                self._streams = await asyncio.open_connection(self._endpoint.host, self._endpoint.port)
        except TimeoutError as error:
            raise TransientError(
                f"{self.place}: no connection within {self._timeout_s:g} s; is it on, and in this network?"
            ) from error
        except OSError as error:
            raise TransientError(f"{self.place}: {_no_connection(error)}") from error
        self.times_opened += 1

    async def read(self, unit: int, span: Span) -> Block:
        """Read registers, at most 125.

        Raises:
            AbsentError: the unit has no such registers.
            TransientError: no answer, or one that makes no sense.
        """
        async with self._turn:
            message = await self._request(unit, span)
        return self._understand(message, unit, span)

    def close(self) -> None:
        """Drop the connection; the next read makes a new one."""
        if self._idle is not None:
            self._idle.cancel()
        self._received.clear()
        self._timeouts = 0
        streams, self._streams = self._streams, None
        if streams is not None:
            streams[1].transport.abort()
            self._closed_at_s = asyncio.get_running_loop().time()

    async def _request(self, unit: int, span: Span) -> bytes:
        """Send a request and return the answer; over a new connection, if the old one turns out as closed."""
        while True:
            await self.open()
            try:
                async with asyncio.timeout(self._timeout_s):
                    message = await self._exchange(unit, span)
            except TimeoutError as error:
                raise self._timed_out(unit) from error
            except _NoModbusError as error:
                raise self._no_modbus(unit) from error
            except OSError as error:
                self.close()
                if not self._may_reopen:
                    raise TransientError(
                        f"{self.place}: closes each connection; {_ONE_CONNECTION}"
                    ) from error
                self._may_reopen = False
            else:
                self._timeouts = 0
                return message

    async def _exchange(self, unit: int, span: Span) -> bytes:
        """Send a request and wait for its answer; answers to earlier ones are skipped."""
        if self._streams is None:
            raise ConnectionResetError("closed by another task")
        reader, writer = self._streams
        self._stay()
        self._transaction = self._transaction % 0xFFFF + 1
        address, count = span
        request = ReadHoldingRegistersRequest(
            dev_id=unit, transaction_id=self._transaction, address=address, count=count
        )
        writer.write(self._frames.buildFrame(request))
        await writer.drain()
        received = 0
        while (message := self._message(unit)) is None:
            chunk = await reader.read(_CHUNK)
            if not chunk:
                raise ConnectionResetError("closed by the inverter")
            received += len(chunk)
            if received > _MOST_RECEIVED:
                raise _NoModbusError("answers to nothing, without end")
            self._received += chunk
        return message

    def _message(self, unit: int) -> bytes | None:
        """Take frames out of what was received, until one is the answer; None if that is not there yet."""
        while len(self._received) >= _HEADER:
            length = int.from_bytes(self._received[4:_HEADER], "big")
            if any(self._received[2:4]) or not _SHORTEST <= length <= _LONGEST:
                raise _NoModbusError("no Modbus header")
            used, from_unit, transaction, message = self._frames.decode(bytes(self._received))
            if not used:
                return None
            del self._received[:used]
            if (from_unit, transaction) == (unit, self._transaction):
                return message
        return None

    def _understand(self, message: bytes, unit: int, span: Span) -> Block:
        address, count = span
        answer = None
        if message[0] in (_FUNCTION, _REFUSED_FUNCTION):
            answer = self._frames.decoder.decode(message)
        if answer is not None and answer.isError():
            if answer.exception_code == _ILLEGAL_ADDRESS:
                raise AbsentError(f"{self.place} unit {unit}: has no registers at {address}; check `units`")
            reason = _REFUSALS.get(answer.exception_code, f"Modbus exception {answer.exception_code}")
            raise TransientError(f"{self.place} unit {unit}: refuses to read {address}: {reason}")
        if not isinstance(answer, ReadHoldingRegistersResponse) or len(answer.registers) != count:
            raise self._no_modbus(unit)
        return Block(address, tuple(answer.registers))

    def _timed_out(self, unit: int) -> TransientError:
        self._timeouts += 1
        dead = self._timeouts >= MOST_TIMEOUTS
        if dead:
            self.close()
        return TransientError(
            f"{self.place} unit {unit}: no answer within {self._timeout_s:g} s"
            + ("; connecting anew" if dead else "; check `units` if this goes on")
        )

    def _no_modbus(self, unit: int) -> TransientError:
        self.close()
        return TransientError(
            f"{self.place} unit {unit}: the answer is none of Modbus TCP to this request; check host and port"
        )

    def _stay(self) -> None:
        """Close by ourselves before the inverter does."""
        if self._idle is not None:
            self._idle.cancel()
        self._idle = asyncio.get_running_loop().call_later(MOST_IDLE_S, self.close)


def _no_connection(error: OSError) -> str:
    # With several addresses of one name, asyncio puts all errors into the text of one without a number.
    if f"[Errno {errno.ECONNREFUSED}]" in str(error):
        return f"connection refused: {_ONE_CONNECTION}"
    return f"no connection: {error.strerror or error}; check host and network"
