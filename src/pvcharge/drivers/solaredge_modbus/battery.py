"""Batteries in SolarEdge's own map, beside SunSpec; numbers have their low word first.

A battery charges with positive and discharges with negative power.
"""

from dataclasses import dataclass

from pvcharge.drivers.solaredge_modbus.registers import Block
from pvcharge.drivers.solaredge_modbus.sunspec import Identity, Span

BATTERY_NUMBERS = (1, 2, 3)

_BASES = {1: 57600, 2: 57856, 3: 58368}
_IDENTITY_COUNT = 68  # up to the rated energy
_VALUES = 66  # offset of the values, which begin with it too
_VALUES_COUNT = 70
_LARGEST_W = 1e6
_FULL_PCT = 100.0
_STATES = {
    0: "off",
    1: "standby",
    2: "starting",
    3: "charging",
    4: "discharging",
    5: "fault",
    6: "preserving charge",
    7: "idle",
    10: "saving power",
}


@dataclass(frozen=True, slots=True)
class BatteryReading:
    """A battery now; all None while it starts or does not answer.

    Attributes:
        power_w: + charging, - discharging.
        charge_pct: state of charge, 0..100.
        capacity_wh: by its rating.
        state: in a word.
        charged_wh: since it was installed.
        discharged_wh: the same.
    """

    power_w: float | None = None
    charge_pct: float | None = None
    capacity_wh: float | None = None
    state: str = "unknown"
    charged_wh: int | None = None
    discharged_wh: int | None = None


def battery_identity_span(number: int) -> Span:
    """Return where the identity of battery 1, 2 or 3 is."""
    return _BASES[number], _IDENTITY_COUNT


def battery_values_span(number: int) -> Span:
    """Return where its values are."""
    return _BASES[number] + _VALUES, _VALUES_COUNT


def parse_battery_identity(block: Block) -> Identity | None:
    """Return which battery this is, None if there is none.

    A battery that starts has a name and no capacity yet; one that is not there has neither.
    """
    base = block.start
    identity = Identity(
        manufacturer=block.text(base, 16),
        model=block.text(base + 16, 16),
        version=block.text(base + 32, 16),
        serial=block.text(base + 48, 16),
    )
    named = bool(identity.manufacturer or identity.model or identity.serial)
    return identity if named or _capacity_wh(block, base + _VALUES) is not None else None


def parse_battery(block: Block) -> BatteryReading:
    """Return the values of a battery."""
    head = block.start
    power_w = block.float32_low_first(head + 50)
    charge_pct = block.float32_low_first(head + 66)
    status = block.uint32_low_first(head + 68)
    return BatteryReading(
        power_w=power_w if power_w is not None and abs(power_w) <= _LARGEST_W else None,
        charge_pct=charge_pct if charge_pct is not None and 0 <= charge_pct <= _FULL_PCT else None,
        capacity_wh=_capacity_wh(block, head),
        state="unknown" if status is None else _STATES.get(status, f"status {status}"),
        discharged_wh=block.uint64_low_first(head + 52),
        charged_wh=block.uint64_low_first(head + 56),
    )


def _capacity_wh(block: Block, address: int) -> float | None:
    capacity_wh = block.float32_low_first(address)
    return capacity_wh if capacity_wh is not None and capacity_wh > 0 else None
