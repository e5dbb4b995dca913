"""What a demo is asked to show, and what came of it."""

from dataclasses import dataclass
from typing import Any, Literal

from pvcharge.sim.feed import Source
from pvcharge.sim.trace import Trace


@dataclass(frozen=True, slots=True)
class DemoOptions:
    """What is simulated, and how fast.

    Attributes:
        speed: seconds of the house per second of the wall clock.
        trace: recorded weather and household; invented ones without it.
        charger: old hardware, or Flex with its bcrypt login.
        api: which API of SolarEdge's cloud is read.
        source: what of it: quarter-hour means, or with V2 the live power flow that costs extra. With `MODBUS`
            the inverter itself is read in the house, and the cloud's means stand by.
        seed: of the invented weather and household.
        mqtt: the `[mqtt]` table of a broker that a standalone daemon shall talk to as well.
        ports: where pages are shown: the controller's, then the edge's; empty = there are none.
    """

    speed: float = 60.0
    trace: Trace | None = None
    charger: Literal["old", "flex"] = "old"
    api: Literal["v2", "v1"] = "v2"
    source: Source = Source.QUARTER
    seed: int = 7
    mqtt: dict[str, Any] | None = None
    ports: tuple[int, ...] = ()


@dataclass(slots=True)
class Summary:
    """What came of a demo; `readings` is None where the demo has not seen them."""

    simulated_s: float = 0.0
    readings: int | None = None
    setpoints: int = 0
    charged_kwh: float = 0.0
    import_kwh: float = 0.0
    export_kwh: float = 0.0
    api_calls: int = 0
    errors: int = 0
