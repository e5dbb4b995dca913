"""The devices of the simulated site: inverters, and what is wired to the first of them."""

from dataclasses import dataclass
from typing import Literal

GRID_METER = "Export+Import"
PRODUCTION_METER = "Production"
CONSUMPTION_METER = "Consumption"
MOST_METERS = 3

_HIGHEST_UNIT = 247
_TOLERANCE = 1e-9


@dataclass(frozen=True, slots=True, kw_only=True)
class Inverter:
    """One inverter.

    Attributes:
        unit: its Modbus unit id, 1..247.
        model: its name.
        serial: its serial number.
        phases: 1 or 3; SunSpec's model 101 or 103.
        share: of the roof's power, 0..1.
        synergy_units: 2 or 3 for a Synergy inverter, which lists its units before the meters; else 1.
    """

    unit: int = 1
    model: str = "SE10K-RWS48BEN4"
    serial: str = "7E0A11C4"
    phases: Literal[1, 3] = 3
    share: float = 1.0
    synergy_units: Literal[1, 2, 3] = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class ModbusHardware:
    """The devices behind one socket.

    Attributes:
        inverters: the leader first, then its RS485 followers. Where their shares of the roof make less than
            1, inverters of another make produce the rest.
        meters: what the leader's meters measure, by their positions: "Export+Import", "Production",
            "Consumption"; at most 3.
        battery: whether a battery is wired to the leader; None = if the house has one.
        battery_wh: its rated energy.
        charger_unit: unit id of SolarEdge's own car charger, which tells nothing but its name; None = none.

    Raises:
        ValueError: such devices cannot be put together.
    """

    inverters: tuple[Inverter, ...] = (Inverter(),)
    meters: tuple[str, ...] = (GRID_METER,)
    battery: bool | None = None
    battery_wh: float = 9700.0
    charger_unit: int | None = None

    def __post_init__(self) -> None:
        units = [inverter.unit for inverter in self.inverters]
        units += [] if self.charger_unit is None else [self.charger_unit]
        if not self.inverters:
            raise ValueError("there must be an inverter, the leader")
        if len(set(units)) < len(units) or not all(1 <= unit <= _HIGHEST_UNIT for unit in units):
            raise ValueError(f"unit ids must differ and lie in 1..{_HIGHEST_UNIT}, not be {units}")
        shares = [inverter.share for inverter in self.inverters]
        if min(shares) < 0 or sum(shares) > 1 + _TOLERANCE:
            raise ValueError(f"shares of the roof are 0 or more and make 1 at most, not {shares}")
        strangers = set(self.meters) - {GRID_METER, PRODUCTION_METER, CONSUMPTION_METER}
        if strangers or len(self.meters) > MOST_METERS:
            raise ValueError(f"{self.meters} cannot be meters; at most {MOST_METERS}, not {strangers or ''}")
