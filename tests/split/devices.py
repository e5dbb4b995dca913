"""The devices of the house in memory: they outlive the daemons that speak to them."""

import asyncio
import math
from collections import deque
from collections.abc import Mapping
from datetime import datetime, timedelta

from pvcharge.drivers.base import Demand, TransientError
from pvcharge.model import NO_CHARGE, ChargerState, Clock, PowerFlow, Setpoint
from tasks.fakes import FakeCharger

VOLTAGE_V = 230.0
READ_EVERY_S = 30.0
HOUSE_W = 500.0
RIPPLE_W = 20.0  # so that no two readings are equal, and none makes another setpoint the better one


class Box(FakeCharger):
    """A box with a car that charges as it is set, and says so each second.

    Attributes:
        writes: the setpoints that were written, with the loop's time.
        plugged: whether the car is there.
    """

    def __init__(self, clock: Clock) -> None:
        super().__init__(clock)
        self.writes: list[tuple[float, Setpoint]] = []
        self.plugged = True
        self._powers: deque[tuple[datetime, float]] = deque(maxlen=60)

    async def apply(self, setpoint: Setpoint) -> None:
        """Take the setpoint, if there is a connection, and remember when."""
        await super().apply(setpoint)
        self.writes.append((asyncio.get_running_loop().time(), setpoint))

    async def run(self) -> None:
        """Let the car follow, and tell, each second until cancelled."""
        while True:
            self._tell()
            await asyncio.sleep(1)

    def sever(self) -> None:
        """Let the process at the other end have died: whatever it still tries, it is not connected."""
        self._news = None

    def power_w(self, ago_s: float) -> float:
        """Return what it drew some seconds ago."""
        at = self._clock.now() - timedelta(seconds=ago_s)
        return next((power_w for since, power_w in reversed(self._powers) if since <= at), 0.0)

    @property
    def setpoint(self) -> Setpoint:
        """What it is set to."""
        return self.status.setpoint or NO_CHARGE

    def _tell(self) -> None:
        setpoint = self.setpoint if self.plugged else NO_CHARGE
        state = ChargerState.CHARGING if setpoint.charges else ChargerState.READY
        self.report(
            state=state if self.plugged else ChargerState.DISCONNECTED,
            power_w=setpoint.power_w(VOLTAGE_V),
            phases=setpoint.phases,
            current_a=float(setpoint.current_a),
        )
        self._powers.append((self.status.at, self.status.power_w))


class Roof:
    """An inverter with a meter, which sees what the box really draws.

    Attributes:
        surplus_w: what the sun leaves for the car.
        age_s: how old a reading is when it comes.
        every_s: from one reading to the next.
        answers: whether it can be read.
    """

    def __init__(self, clock: Clock, box: Box, name: str = "roof") -> None:
        self.name = name
        self.surplus_w = 0.0
        self.age_s = 3.0
        self.every_s = READ_EVERY_S
        self.answers = True
        self._clock = clock
        self._box = box
        self._read_at: datetime | None = None

    async def read(self) -> tuple[PowerFlow, ...]:
        """Return a reading of an instant."""
        self._read_at = self._clock.now()
        if not self.answers:
            raise TransientError(f"{self.name}: no answer")
        at = self._read_at - timedelta(seconds=self.age_s)
        surplus_w = self.surplus_w + RIPPLE_W * math.sin(at.timestamp())
        grid_w = self._box.power_w(self.age_s) - surplus_w
        return (PowerFlow(at, at, pv_w=surplus_w + HOUSE_W, grid_w=grid_w, source=self.name),)

    def next_read_at(self, now: datetime, demand: Demand) -> datetime:  # noqa: ARG002 - as the protocol has it
        """Plan by the period, car or not."""
        return now if self._read_at is None else self._read_at + timedelta(seconds=self.every_s)

    def health(self) -> Mapping[str, float | str]:
        """Return nothing of interest."""
        return {}

    async def aclose(self) -> None:
        """Have nothing to let go of."""
