"""What an inverter answers by Modbus: registers, and the frames that bring them.

`modbus_registers`: five bytes each change the registers of a house with a meter and a battery: four for where
and what, the fifth for how. `modbus_frames`: what comes in on the connection after a request.
"""

import asyncio
from random import Random
from struct import iter_unpack, pack
from typing import cast

from pvcharge.drivers.base import DriverError, TransientError
from pvcharge.drivers.solaredge_modbus.flow import OtherProduction
from pvcharge.drivers.solaredge_modbus.line import AbsentError, Line
from pvcharge.drivers.solaredge_modbus.registers import Block
from pvcharge.drivers.solaredge_modbus.settings import Endpoint, SolarEdgeModbusSettings
from pvcharge.drivers.solaredge_modbus.site import Site
from pvcharge.drivers.solaredge_modbus.sunspec import INVERTER, Span
from pvcharge.drivers.solaredge_modbus.unit import Unit
from pvcharge.model import PowerFlow
from pvcharge.mqtt.payloads import decode_flow, encode_flow
from targets.base import NOON, Target, check_message, check_text, is_number
from targets.base import run as finish

_HOST = "192.0.2.10"
_LARGEST_W = 4e6  # of one house, as the sum of what single devices may say
_NASTY = (0, 1, 0x7FFF, 0x8000, 0xFFFF, 0x7F80, 0xFF80, 0x7FC0, 103, 160, 203, 0x5375, 10, 0xFFF6, 0xFF7F)

Image = dict[int, int]


def _text(address: int, words: str, registers: int) -> Image:
    raw = words.encode().ljust(2 * registers, b"\0")
    return {
        address + place: int.from_bytes(raw[2 * place : 2 * place + 2], "big") for place in range(registers)
    }


def _common(head: int, model: str, serial: str, option: str = "") -> Image:
    image = {head: 1, head + 1: 65, head + 66: 1}
    image |= _text(head + 2, "SolarEdge", 16) | _text(head + 18, model, 16) | _text(head + 34, option, 8)
    return image | _text(head + 42, "4.20.33", 8) | _text(head + 50, serial, 16)


def _float(address: int, value: float) -> Image:
    raw = pack(">f", value)
    return {address: int.from_bytes(raw[2:], "big"), address + 1: int.from_bytes(raw[:2], "big")}


def _house() -> Image:
    """Return an inverter with two meters and a battery."""
    image = dict.fromkeys(range(40069, 40123), 0) | {40000: 0x5375, 40001: 0x6E53}
    image |= _common(40002, "SE10K-RWS48", "7E0A0001") | {40069: 103, 40070: 50, 40083: 400, 40084: 1}
    image |= {40093: 1, 40094: 2, 40100: 410, 40101: 1, 40107: 4, 40121: 0xFFFF}
    for number, option in enumerate(("Export+Import", "Production")):
        head = 40121 + 174 * number
        image |= dict.fromkeys(range(head, head + 174), 0) | _common(head, "WND-3Y-400-MB", "6040001", option)
        image |= {head + 67: 203, head + 68: 105, head + 85: 120, head + 89: 1, head + 105: 9, head + 113: 9}
    image |= dict.fromkeys(range(57600, 57740), 0) | _text(57600, "LG", 16) | _text(57616, "RESU10", 16)
    image |= _text(57632, "1.0", 16) | _text(57648, "R15563P", 16)
    return image | _float(57666, 9300) | _float(57716, -500) | _float(57732, 63.5) | {57734: 4}


_IMAGE = _house()
_ADDRESSES = sorted(_IMAGE)


class _Registers:
    """A line to what stands in memory."""

    place = f"{_HOST}:1502"
    times_opened = 1

    def __init__(self) -> None:
        self.image = dict(_IMAGE)

    def begin(self) -> None:
        """Be ready, as always."""

    async def open(self) -> None:
        """Be open, as always."""

    async def read(self, unit: int, span: Span) -> Block:
        """Return registers as they stand here."""
        address, count = span
        if any(place not in self.image for place in range(address, address + count)):
            raise AbsentError(f"{self.place} unit {unit}: has no registers at {address}; check `units`")
        return Block(address, tuple(self.image[place] for place in range(address, address + count)))

    def spoil(self, data: bytes) -> None:
        """Change registers."""
        for where, what, how in iter_unpack(">HHB", data[: len(data) // 5 * 5]):
            address = _ADDRESSES[where % len(_ADDRESSES)]
            if how < 8:
                self.image.pop(address, None)
            elif address in self.image:
                self.image[address] = what if how % 2 else _NASTY[what % len(_NASTY)]


def run_registers(data: bytes) -> None:
    """Read a house three times, its registers changed by a third of the input each time."""
    line = _Registers()
    site = Site(SolarEdgeModbusSettings(host=_HOST))
    unit = Unit(cast("Line", line), 1)
    site.units, site.lines = (unit,), (cast("Line", line),)
    others, third = OtherProduction(), len(data) // 15 * 5
    for part in (data[:third], data[third : 2 * third], data[2 * third :]):
        line.spoil(part)
        try:
            flow = _drive(site, others)
        except TransientError as error:
            check_message(error)
            assert _HOST in str(error) or site.name in str(error), f"{error} does not say where"
        else:
            _check(flow)


def _drive(site: Site, others: OtherProduction) -> PowerFlow:
    async def read() -> PowerFlow:
        readings = await site.measure(await site.prepare(NOON), NOON)
        house = site.house(readings)
        for unit in site.units:
            for identity in (unit.identity, *unit.meters.values(), *unit.batteries.values()):
                check_text(str(identity))
        for reading in readings.values():
            check_text(reading.inverter.state)
            assert is_number(reading.inverter.lifetime_wh, 0, 1e20)
            for battery in reading.batteries.values():
                check_text(battery.state)
        return house.flow(at=NOON, source="roof", count_production=others.counts(house))

    work = read()
    try:
        work.send(None)
    except StopIteration as ended:
        return cast("PowerFlow", ended.value)
    work.close()
    raise AssertionError("waits for something")


def _check(flow: PowerFlow) -> None:
    for power_w in (flow.pv_w, flow.load_w):
        assert is_number(power_w, 0, _LARGEST_W), f"power {power_w}"
    for power_w in (flow.grid_w, flow.battery_w):
        assert is_number(power_w, -_LARGEST_W, _LARGEST_W), f"power {power_w}"
    assert is_number(flow.battery_soc_pct, 0, 100), f"charge {flow.battery_soc_pct}"
    assert decode_flow(encode_flow(flow).encode()) == flow, "the cloud reads another flow"


class _Sent:
    """A writer into nothing."""

    transport: "_Sent"

    def __init__(self) -> None:
        self.transport = self

    def write(self, data: bytes) -> None:
        """Forget it."""

    async def drain(self) -> None:
        """Have room, as always."""

    def abort(self) -> None:
        """End, as nothing does."""


def run_frames(data: bytes) -> None:
    """Have bytes come in on a connection as answers to three requests, and then its end."""
    finish(_frames(data))


async def _frames(data: bytes) -> None:
    line = _Fed(data)
    for _ in range(3):
        line.begin()
        try:
            block = await line.read(1, INVERTER)
        except DriverError as error:
            check_message(error, line.place)
        else:
            assert len(block.words) == INVERTER[1]
            assert all(0 <= word <= 0xFFFF for word in block.words)
    line.close()


class _Fed(Line):
    """A line on whose only connection these bytes have come in."""

    def __init__(self, data: bytes) -> None:
        super().__init__(Endpoint(host=_HOST), 1.0)
        self._data: bytes | None = data

    async def open(self) -> None:
        """Be connected once."""
        if self._streams is None and self._data is None:
            raise TransientError(f"{self.place}: no connection: there is but one")
        if self._streams is None and self._data is not None:
            reader = asyncio.StreamReader()
            reader.feed_data(self._data)
            reader.feed_eof()
            self._data = None
            self._streams = reader, cast("asyncio.StreamWriter", _Sent())


def _frame(transaction: int, pdu: bytes, unit: int = 1) -> bytes:
    return pack(">HHHB", transaction, 0, len(pdu) + 1, unit) + pdu


_GOOD = bytes((3, 80)) + bytes(range(80))


def mutate_frames(data: bytes, random: Random) -> bytes:
    """Change a byte of the header, put a frame before or behind, or cut."""
    what = random.randrange(4)
    if what == 0:
        at = random.randrange(max(1, min(12, len(data))))
        return data[:at] + bytes((random.choice((0, 1, 2, 3, 0x83, 80, 254, 255)),)) + data[at + 1 :]
    if what == 1:
        return data[: random.randrange(len(data) + 1)]
    pdus = (
        _GOOD,
        b"\x83\x02",
        b"\x83\x06",
        b"\x83",
        b"\x03",
        b"\x03\x00",
        b"\x2b\x0e\x01",
        b"\x18\x00\x06\x00\x02",
    )
    frame = _frame(random.randrange(4), random.choice(pdus), random.choice((0, 1, 1, 1, 2)))
    return frame + data if what == 2 else data + frame


REGISTERS = Target(
    name="modbus_registers",
    run=run_registers,
    seeds=(b"", *(pack(">HHB", 7 * place, place, 9 + place % 2) * 3 for place in range(0, 90, 3))),
    mutate=lambda data, random: (
        data
        + b"".join(
            pack(
                ">HHB",
                random.randrange(len(_ADDRESSES)),
                random.randrange(0x10000),
                random.choice((7, 8, 9, 10, 12, 14)),
            )
            for _ in range(random.choice((1, 1, 3)))
        )
    ),
)
FRAMES = Target(
    name="modbus_frames",
    run=run_frames,
    seeds=(
        b"".join(_frame(number, _GOOD) for number in (1, 2, 3)),
        _frame(1, b"\x83\x02") + _frame(2, b"\x83\x0b") + _frame(3, b"\x83\x06"),
        _frame(9, _GOOD) + _frame(1, _GOOD, unit=2) + _frame(1, _GOOD),
        b"HTTP/1.1 400 Bad Request\r\n\r\n",
        _frame(1, _GOOD)[:20],
    ),
    mutate=mutate_frames,
)
