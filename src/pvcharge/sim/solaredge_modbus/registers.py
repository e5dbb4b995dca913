"""The register maps: SunSpec's blocks of inverters and meters, and SolarEdge's own of batteries.

Written from the published maps, and knowing nothing of the driver that reads them: one checks the other.
Addresses are base 0. In the SunSpec part a number is value times ten to a factor that stands beside it and
changes with the magnitude; in the batteries' part numbers have their low word first.
"""

import math
from collections.abc import Iterable
from struct import pack, unpack

Image = dict[int, int]  # contents by address; all others are illegal

NO_INT16 = 0x8000  # the patterns of "not implemented"
NO_UINT16 = 0xFFFF
NO_FLOAT = 0x7FC0_0000
INVERTER_AT = 40069
AFTER_INVERTER_AT = 40121
BATTERY_AT = (57600, 62720)  # the second is a mirror of the first

_COMMON_LENGTH, _INVERTER_LENGTH, _METER_LENGTH, _BATTERY_LENGTH = 65, 50, 105, 154
_METER_DISTANCE = 174
_SYNERGY_MODEL, _SYNERGY_HEAD, _SYNERGY_UNIT = 160, 8, 20
_LEAST_EXPONENT = {True: -2, False: -4}  # signed: powers; else currents and voltages
_VOLTAGE_V, _FREQUENCY_HZ, _DC_V = 230.0, 50.0, 750.0
_VERSION = "0004.0020.0033"


def word(address: int, value: int) -> Image:
    """Return a 16-bit number, negative or not."""
    return {address: value & 0xFFFF}


def words(address: int, value: int) -> Image:
    """Return a 32-bit number, high word first."""
    return {address: value >> 16 & 0xFFFF, address + 1: value & 0xFFFF}


def low_first(address: int, value: int, registers: int = 2) -> Image:
    """Return a number of several registers, lowest word first."""
    return {address + place: value >> 16 * place & 0xFFFF for place in range(registers)}


def float_low_first(address: int, value: float | None) -> Image:
    """Return a float, low word first; None is NaN."""
    return low_first(address, NO_FLOAT if value is None else unpack(">I", pack(">f", value))[0])


def text(address: int, letters: str, registers: int) -> Image:
    """Return a string, filled up with NULs, cut to its place."""
    raw = letters.encode("ascii")[: 2 * registers].ljust(2 * registers, b"\0")
    return dict(enumerate(unpack(f">{registers}H", raw), address))


def scaled(address: int, values: Iterable[float | None], factor_at: int, *, signed: bool = True) -> Image:
    """Return numbers with one factor, as fine as the largest of them allows.

    Args:
        address: of the first.
        values: the numbers; None is not implemented, and so is the factor if all are.
        factor_at: address of the exponent.
        signed: whether they may be negative.
    """
    numbers = list(values)
    known = [abs(number) for number in numbers if number is not None]
    nothing = NO_INT16 if signed else NO_UINT16
    if not known:
        return dict.fromkeys(range(address, address + len(numbers)), nothing) | word(factor_at, NO_INT16)
    room = 0x7FFF if signed else 0xFFFE
    exponent = _LEAST_EXPONENT[signed]
    while round(max(known) / 10.0**exponent) > room:
        exponent += 1
    image = word(factor_at, exponent)
    for place, number in enumerate(numbers, address):
        image |= word(place, nothing if number is None else round(number / 10.0**exponent))
    return image


def common(head: int, model: str, serial: str, unit: int, option: str = "") -> Image:
    """Return a common block: who a device is.

    Args:
        head: where it begins.
        model: its name.
        serial: its serial number.
        unit: its Modbus unit id.
        option: of a meter, what it measures.
    """
    image = word(head, 1) | word(head + 1, _COMMON_LENGTH) | text(head + 2, "SolarEdge ", 16)
    image |= text(head + 18, model, 16) | text(head + 34, option, 8) | text(head + 42, _VERSION, 8)
    return image | text(head + 50, serial, 16) | word(head + 66, unit)


def identity(model: str, serial: str, unit: int) -> Image:
    """Return what is at the very beginning: the mark of SunSpec, and who this is."""
    return text(40000, "SunS", 2) | common(40002, model, serial, unit)


def inverter(
    phases: int, *, ac_w: float | None, dc_w: float | None, lifetime_wh: float | None, status: int
) -> Image:
    """Return the block of an inverter's values.

    Args:
        phases: 1 or 3.
        ac_w: + delivered, - taken; None is not implemented, and so is then all that follows from it.
        dc_w: + from panels and battery, - into the battery.
        lifetime_wh: delivered since it was installed.
        status: by SunSpec.
    """
    head = INVERTER_AT
    image = dict.fromkeys(range(head, head + 2 + _INVERTER_LENGTH), NO_UINT16)
    image |= word(head, 100 + phases) | word(head + 1, _INVERTER_LENGTH)
    on = ac_w is not None
    each_a = abs(ac_w) / phases / _VOLTAGE_V if ac_w is not None else None
    absent: list[float | None] = [None] * (3 - phases)
    total_a = None if each_a is None else phases * each_a
    image |= scaled(head + 2, [total_a, *[each_a] * phases, *absent], head + 6, signed=False)
    line_v = _VOLTAGE_V * math.sqrt(3) if phases > 1 else _VOLTAGE_V
    volts = [*[line_v] * phases, *absent, *[_VOLTAGE_V] * phases, *absent]
    image |= scaled(head + 7, volts if on else [None] * 6, head + 13, signed=False)
    image |= scaled(head + 14, [ac_w], head + 15)
    image |= scaled(head + 16, [_FREQUENCY_HZ if on else None], head + 17, signed=False)
    image |= scaled(head + 18, [abs(ac_w) if ac_w is not None else None], head + 19)
    image |= scaled(head + 20, [0.0 if on else None], head + 21)
    image |= scaled(head + 22, [100.0 if on else None], head + 23)
    if lifetime_wh is None:
        image |= words(head + 24, 0xFFFF_FFFF) | word(head + 26, NO_INT16)
    else:
        image |= words(head + 24, int(lifetime_wh)) | word(head + 26, 0)
    image |= scaled(head + 27, [abs(dc_w) / _DC_V if dc_w is not None else None], head + 28, signed=False)
    image |= scaled(head + 29, [_DC_V if on else None], head + 30, signed=False)
    image |= scaled(head + 31, [dc_w], head + 32)
    # Of the four temperatures only that of the heat sink exists.
    image |= scaled(head + 33, [None, 40.0 if on else None, None, None], head + 37)
    image |= word(head + 38, status) | word(head + 39, 0)
    return image | low_first(head + 44, 0)  # on grid


def synergy(units: int) -> tuple[Image, int]:
    """Return the list of a Synergy inverter's units, and by how many registers it shifts the meters."""
    if units == 1:
        return {}, 0
    head, length = AFTER_INVERTER_AT, _SYNERGY_HEAD + _SYNERGY_UNIT * units
    image = dict.fromkeys(range(head, head + 2 + length), 0)
    image |= word(head, _SYNERGY_MODEL) | word(head + 1, length) | word(head + 8, units)
    for number in range(units):
        at = head + 2 + _SYNERGY_HEAD + _SYNERGY_UNIT * number
        image |= word(at, number) | text(at + 1, f"Unit {number}", 8)
    return image, 2 + length


def meter(
    position: int,
    shift: int,
    *,
    option: str,
    unit: int,
    power_w: float | None,
    exported_wh: float,
    imported_wh: float,
) -> Image:
    """Return a three-phase meter: who it is, and its values.

    Args:
        position: 1..3.
        shift: by how many registers a Synergy inverter shifts it.
        option: what it measures.
        unit: Modbus unit id of its inverter.
        power_w: of a meter at the grid + export, - import.
        exported_wh: since it was installed.
        imported_wh: the same.
    """
    first = AFTER_INVERTER_AT + shift + (position - 1) * _METER_DISTANCE
    head = first + 67
    image = dict.fromkeys(range(first, first + _METER_DISTANCE), 0)
    image |= common(first, "SE-MTR-3Y-400V-A", f"53008{position}", unit, option)
    image |= word(head, 203) | word(head + 1, _METER_LENGTH)
    phase_w = None if power_w is None else power_w / 3
    phase_a = None if phase_w is None else phase_w / _VOLTAGE_V
    image |= scaled(head + 2, [None if phase_a is None else 3 * phase_a, *[phase_a] * 3], head + 6)
    image |= scaled(head + 7, [*[_VOLTAGE_V] * 4, *[_VOLTAGE_V * math.sqrt(3)] * 4], head + 15)
    image |= scaled(head + 16, [_FREQUENCY_HZ], head + 17)
    for at in (head + 18, head + 23):
        image |= scaled(at, [power_w, *[phase_w] * 3], at + 4)
    for at, energy_wh in ((head + 38, exported_wh), (head + 46, imported_wh)):
        image |= words(at, int(energy_wh))
        for phase in (1, 2, 3):
            image |= words(at + 2 * phase, int(energy_wh / 3))
    return image


def battery(
    *, power_w: float | None, charge_pct: float | None, capacity_wh: float, charged_wh: float, out_wh: float
) -> Image:
    """Return a battery at both its places.

    Args:
        power_w: + charging, - discharging; None while it starts and none of its values is known.
        charge_pct: state of charge, 0..100.
        capacity_wh: rated energy.
        charged_wh: since it was installed.
        out_wh: discharged, the same.
    """
    image: Image = {}
    for base in BATTERY_AT:
        image |= dict.fromkeys(range(base, base + _BATTERY_LENGTH), 0)
        image |= text(base, "SolarEdge", 16) | text(base + 16, "BAT-10K1P", 16)
        image |= text(base + 32, "DCDC 2.2.65", 16) | text(base + 48, "BT9700012", 16) | word(base + 64, 15)
        rest_wh = None if charge_pct is None else capacity_wh * charge_pct / 100
        values = {66: capacity_wh, 68: 5000.0, 70: 5000.0, 72: 7500.0, 74: 7500.0, 108: 25.0, 110: 26.0}
        values |= {112: 400.0, 114: (power_w or 0.0) / 400, 126: capacity_wh, 130: 98.0}
        known = power_w is not None
        for offset, value in values.items():
            image |= float_low_first(base + offset, value if known else None)
        image |= float_low_first(base + 116, power_w) | float_low_first(base + 132, charge_pct)
        image |= float_low_first(base + 128, rest_wh)
        image |= low_first(base + 118, int(out_wh), 4) | low_first(base + 122, int(charged_wh), 4)
        image |= low_first(base + 134, _battery_status(power_w))
    return image


def _battery_status(power_w: float | None) -> int:
    if power_w is None:
        return 2  # starts
    if abs(power_w) < 1:
        return 7  # idle
    return 3 if power_w > 0 else 4
