"""Inverters and meters in the SunSpec map of a SolarEdge inverter: where they are and what they say.

Addresses are base 0. Inverters feed with positive and consume with negative power; a meter at the grid
counts export positive and import negative.
"""

from dataclasses import dataclass

from pvcharge.drivers.base import TransientError
from pvcharge.drivers.solaredge_modbus.registers import Block

Span = tuple[int, int]  # first address, number of registers

IDENTITY: Span = (40000, 71)  # from "SunS" to the head of the inverter model
INVERTER: Span = (40069, 40)
AFTER_INVERTER: Span = (40121, 2)  # head of a Synergy's module list, or else of meter 1
GRID_METER = "Export+Import"
PRODUCTION_METER = "Production"
METER_NUMBERS = (1, 2, 3)

_SUNS = 0x53756E53
_COMMON_MODEL = 1
_INVERTER_MODELS = (101, 102, 103)
_METER_MODELS = (201, 202, 203, 204)
_SYNERGY_MODEL = 160
_LONGEST_SYNERGY = 198  # registers of a module list with more modules than were ever built
_METER_DISTANCE = 174
_METER_COMMON = 69  # registers, with the head of the values behind
_METER_VALUES = 67  # offset of the values
_METER_VALUES_COUNT = 55
_CHARGER_PREFIX = "SE-EV-SA"
_LARGEST_W = 1e6

OFF, ASLEEP, THROTTLED = 1, 2, 5
_STATES = {
    OFF: "off",
    ASLEEP: "asleep",
    3: "starting",
    4: "producing",
    THROTTLED: "throttled",
    6: "shutting down",
    7: "fault",
    8: "standby",
}


@dataclass(frozen=True, slots=True)
class Identity:
    """What a device says of itself; empty where it says nothing.

    Attributes:
        option: of a meter, what it measures.
    """

    manufacturer: str
    model: str
    version: str
    serial: str
    option: str = ""

    @property
    def is_charger(self) -> bool:
        """Whether this is SolarEdge's own car charger, which looks like an inverter without values."""
        return self.model.startswith(_CHARGER_PREFIX)

    @property
    def measures_grid(self) -> bool:
        """Whether this is a meter at the grid. Its position on the bus says nothing about that."""
        return self.option.replace(" ", "").casefold() == GRID_METER.casefold()

    @property
    def measures_production(self) -> bool:
        """Whether this is a meter behind inverters, these or others."""
        return self.option.casefold() == PRODUCTION_METER.casefold()

    def __str__(self) -> str:
        parts = [f"{self.manufacturer} {self.model}".strip() or "nameless"]
        parts += [f"firmware {self.version}"] if self.version else []
        parts += [f"serial {self.serial}"] if self.serial else []
        return ", ".join(parts)


@dataclass(frozen=True, slots=True)
class InverterReading:
    """An inverter now.

    Attributes:
        ac_w: + delivered to the house, - taken from it.
        dc_w: + coming from panels and battery, - going into the battery.
        status: by SunSpec.
        lifetime_wh: delivered since it was installed.
    """

    ac_w: float | None
    dc_w: float | None
    status: int | None
    lifetime_wh: float | None

    @property
    def sleeps(self) -> bool:
        """Whether it is too dark to produce."""
        return self.status in (OFF, ASLEEP)

    @property
    def state(self) -> str:
        """The status in a word."""
        return "unknown" if self.status is None else _STATES.get(self.status, f"status {self.status}")


@dataclass(frozen=True, slots=True)
class MeterReading:
    """A meter now; all None while it does not answer.

    Attributes:
        power_w: of a meter at the grid, + export, - import.
        exported_wh: since it was installed.
        imported_wh: the same.
    """

    power_w: float | None = None
    exported_wh: float | None = None
    imported_wh: float | None = None


def parse_identity(block: Block, where: str) -> Identity:
    """Return who answers at `IDENTITY`.

    Raises:
        TransientError: no SolarEdge inverter does.
    """
    start = block.start
    if block.uint32(start) != _SUNS or block.uint16(start + 2) != _COMMON_MODEL:
        raise TransientError(f"{where}: answers, but not as a SunSpec device; check host, port and units")
    identity = _common(block, start + 2)
    model = block.uint16(start + 69)
    if not identity.manufacturer.casefold().startswith("solaredge") or model not in _INVERTER_MODELS:
        raise TransientError(
            f"{where}: says it is {identity} with model {model}, which is no SolarEdge inverter; "
            "check host and units"
        )
    return identity


def parse_inverter(block: Block, where: str) -> InverterReading:
    """Return the values at `INVERTER`.

    Raises:
        TransientError: there is no inverter any more.
    """
    if block.uint16(40069) not in _INVERTER_MODELS:
        raise TransientError(f"{where}: answered with something else than the values of an inverter")
    return InverterReading(
        ac_w=_power_w(block, 40083, 40084),
        dc_w=_power_w(block, 40100, 40101),
        status=block.uint16(40107),
        lifetime_wh=block.scaled(block.acc32(40093), 40095),
    )


def synergy_shift(block: Block) -> int:
    """Return by how many registers the list of a Synergy's modules at `AFTER_INVERTER` shifts the meters."""
    length = block.uint16(40122)
    if block.uint16(40121) != _SYNERGY_MODEL or length is None or length > _LONGEST_SYNERGY:
        return 0
    return length + 2


def meter_identity_span(number: int, shift: int) -> Span:
    """Return where the identity of meter 1, 2 or 3 is."""
    return _meter(number, shift), _METER_COMMON


def meter_values_span(number: int, shift: int) -> Span:
    """Return where its values are."""
    return _meter(number, shift) + _METER_VALUES, _METER_VALUES_COUNT


def parse_meter_identity(block: Block) -> Identity | None:
    """Return which meter this is, None if there is none."""
    if block.uint16(block.start) != _COMMON_MODEL:
        return None
    if block.uint16(block.start + _METER_VALUES) not in _METER_MODELS:
        return None
    return _common(block, block.start)


def parse_meter(block: Block) -> MeterReading:
    """Return the values of a meter."""
    head = block.start
    if block.uint16(head) not in _METER_MODELS:
        return MeterReading()
    return MeterReading(
        power_w=_power_w(block, head + 18, head + 22),
        exported_wh=block.scaled(block.acc32(head + 38), head + 54),
        imported_wh=block.scaled(block.acc32(head + 46), head + 54),
    )


def _common(block: Block, head: int) -> Identity:
    return Identity(
        manufacturer=block.text(head + 2, 16),
        model=block.text(head + 18, 16),
        option=block.text(head + 34, 8),
        version=block.text(head + 42, 8),
        serial=block.text(head + 50, 16),
    )


def _meter(number: int, shift: int) -> int:
    return AFTER_INVERTER[0] + shift + (number - 1) * _METER_DISTANCE


def _power_w(block: Block, address: int, factor_address: int) -> float | None:
    power_w = block.scaled(block.int16(address), factor_address)
    return power_w if power_w is not None and abs(power_w) <= _LARGEST_W else None
