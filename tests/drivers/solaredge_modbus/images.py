"""Register images in the shapes that SolarEdge inverters have, and a Modbus server that holds some."""

import asyncio
from collections.abc import Callable
from functools import partial
from struct import pack, unpack
from types import TracebackType
from typing import Self

from pymodbus.constants import ExcCodes
from pymodbus.server import ModbusTcpServer
from pymodbus.simulator import DataType, SimData, SimDevice

Image = dict[int, int]  # contents by address; all others are illegal

NAN = (0x0000, 0x7FC0)  # low word first
FIRST, COUNT = 40000, 25000  # what the server can hold at all


def text(address: int, words: str, registers: int) -> Image:
    """Return a string, filled up with NULs."""
    raw = words.encode().ljust(2 * registers, b"\0")
    return dict(enumerate(unpack(f">{registers}H", raw), address))


def number(address: int, value: int) -> Image:
    """Return a 16-bit number, negative or not."""
    return {address: value & 0xFFFF}


def low_first(address: int, value: float | None) -> Image:
    """Return a float with its low word first, None being no number."""
    high, low = unpack(">HH", pack(">f", value)) if value is not None else reversed(NAN)
    return {address: low, address + 1: high}


def common(head: int, model: str, serial: str, option: str = "", maker: str = "SolarEdge ") -> Image:
    """Return a SunSpec common block."""
    image = {head: 1, head + 1: 65, head + 66: 1}
    image |= text(head + 2, maker, 16) | text(head + 18, model, 16) | text(head + 34, option, 8)
    return image | text(head + 42, "0004.0020.0033", 8) | text(head + 50, serial, 16)


def inverter(
    ac_w: int | None = 4000,
    *,
    dc_w: int | None = 4100,
    status: int = 4,
    model: str = "SE10K-RWS48BEN4",
    serial: str = "7E0A1B2C",
) -> Image:
    """Return an inverter; None is not implemented."""
    image = dict.fromkeys(range(40069, 40121), 0) | {40000: 0x5375, 40001: 0x6E53}
    image |= common(40002, model, serial) | {40069: 103, 40070: 50, 40107: status}
    image |= {40093: 1, 40094: 0, 40095: 0}
    for address, power_w in ((40083, ac_w), (40100, dc_w)):
        image |= number(address, -0x8000 if power_w is None else power_w // 10) | number(address + 1, 1)
    return image | {40121: 0xFFFF, 40122: 0}


def synergy(modules: int) -> tuple[Image, int]:
    """Return the list of a Synergy's modules, and by how much it shifts the meters."""
    length = 8 + 20 * modules
    return dict.fromkeys(range(40121, 40123 + length), 0) | {40121: 160, 40122: length}, length + 2


def meter(
    export_w: int | None,
    *,
    option: str = "Export+Import",
    position: int = 1,
    shift: int = 0,
    model: int = 203,
    factor: int = 0,
) -> Image:
    """Return a meter with its power in steps of 10 W, 1 W, 0.1 W, ... by the factor's exponent."""
    head = 40121 + shift + (position - 1) * 174
    image = dict.fromkeys(range(head, head + 174), 0)
    image |= common(head, "SE-MTR-3Y-400V-A", f"44{position}", option) | {head + 67: model, head + 68: 105}
    image |= number(head + 85, -0x8000 if export_w is None else round(export_w / 10**factor))
    image |= number(head + 89, factor)
    return image | {head + 105: 1, head + 106: 0, head + 113: 1, head + 121: 0}


def battery(
    power_w: float | None,
    charge_pct: float | None = 50.0,
    *,
    capacity_wh: float | None = 10000.0,
    base: int = 57600,
    model: str = "RESU10",
    status: int = 3,
) -> Image:
    """Return a battery; None is NaN."""
    image = dict.fromkeys(range(base, base + 140), 0)
    image |= text(base, "LG" if model else "", 16) | text(base + 16, model, 16)
    image |= low_first(base + 66, capacity_wh) | low_first(base + 116, power_w)
    return image | low_first(base + 132, charge_pct) | {base + 134: status, base + 135: 0}


class Inverters:
    """A Modbus server with the images of some units; all may be changed while it runs.

    Attributes:
        units: the images.
        port: where it listens on this machine.
        requests: unit, function, address and count of each so far.
        wire: what came in.
        mute: units that do not answer.
        on_request: called at each request.
        connections: made so far.
    """

    def __init__(self, units: dict[int, Image]) -> None:
        self.units = units
        self.requests: list[tuple[int, int, int, int]] = []
        self.wire: list[bytes] = []
        self.mute: set[int] = set()
        self.on_request: Callable[[], None] = lambda: None
        self.connections = 0
        self.port = 0
        self._server: ModbusTcpServer

    async def __aenter__(self) -> Self:
        devices = [
            SimDevice(
                id=unit,
                simdata=[SimData(FIRST, count=COUNT, values=0, datatype=DataType.REGISTERS)],
                action=partial(self._answer, unit),
            )
            for unit in self.units
        ]
        self._server = ModbusTcpServer(
            devices, address=("127.0.0.1", 0), trace_packet=self._trace, trace_connect=self._connected
        )
        await self._server.serve_forever(background=True)
        assert isinstance(self._server.transport, asyncio.Server)
        self.port = self._server.transport.sockets[0].getsockname()[1]
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._server.shutdown()  # type: ignore[no-untyped-call]

    def _trace(self, sending: bool, data: bytes) -> bytes:  # noqa: FBT001 - as pymodbus calls it
        if not sending:
            self.wire.append(data)
        return data

    def _connected(self, connected: bool) -> None:  # noqa: FBT001 - as pymodbus calls it
        self.connections += connected

    async def _answer(
        self,
        unit: int,
        function: int,
        start: int,
        address: int,
        count: int,
        registers: list[int],
        values: list[int] | list[bool] | None,
    ) -> ExcCodes | None:
        assert values is None, "somebody writes"
        self.requests.append((unit, function, address, count))
        self.on_request()
        if unit in self.mute:
            await asyncio.Event().wait()
        try:
            words = [self.units[unit][place] for place in range(address, address + count)]
        except KeyError:
            return ExcCodes.ILLEGAL_ADDRESS
        registers[address - start : address - start + count] = words
        return None
