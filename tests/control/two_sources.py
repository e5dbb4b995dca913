"""A house with a live meter and a cloud that tells means of quarter hours later, in steps of five seconds."""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import pairwise

from pvcharge.control import Controller, ControlSettings
from pvcharge.model import (
    NO_CHARGE,
    ChargerState,
    ChargerStatus,
    Decision,
    PowerFlow,
    Setpoint,
)

NOON = datetime(2026, 6, 15, 12, tzinfo=UTC)
STEP_S = 5.0
QUARTER_S, DELAY_S = 900.0, 360.0
LIVE, CLOUD = "meter", "cloud"


class House:
    """Runs a controller in a closed loop; the test turns its knobs between two steps.

    Attributes:
        surplus_w: what the sun leaves for the car, by the seconds since the start.
        live: makes the meter's reading from the true one; None: it is silent.
        cloud: makes the cloud's; None: it is silent.
        decisions: all of them.
    """

    def __init__(self, surplus_w: Callable[[float], float], **settings: object) -> None:
        self.surplus_w = surplus_w
        self.live: Callable[[PowerFlow], PowerFlow] | None = lambda flow: flow
        self.cloud: Callable[[PowerFlow], PowerFlow] | None = lambda flow: flow
        self.controller = Controller(ControlSettings.model_validate(settings))
        self.decisions: list[Decision] = []
        self.now_s = 0.0
        self.setpoint = NO_CHARGE
        self._grid_w: list[float] = []  # of the steps so far

    @property
    def now(self) -> datetime:
        """The time."""
        return NOON + timedelta(seconds=self.now_s)

    @property
    def decision(self) -> Decision:
        """The last one."""
        return self.decisions[-1]

    def runs(self, minutes: float) -> "House":
        """Let time pass."""
        for _ in range(round(minutes * 60 / STEP_S)):
            self._step()
        return self

    def changes(self, since: int = 0) -> int:
        """Count how often the number of phases changed, from this decision on."""
        phases = [it.setpoint.phases for it in self.decisions[since:]]
        return sum(one != other for one, other in pairwise(phases))

    def _step(self) -> None:
        power_w = self.setpoint.power_w(230)
        grid_w = power_w - self.surplus_w(self.now_s) + self.now_s % 7  # no two readings are equal
        self._grid_w.append(grid_w)
        self.now_s += STEP_S
        self.controller.observe(self._status(power_w))
        if self.live is not None:
            self.controller.observe(self.live(PowerFlow(self.now, self.now, grid_w=grid_w, source=LIVE)))
        if self.cloud is not None and self.now_s % QUARTER_S == DELAY_S and self.now_s > QUARTER_S:
            self.controller.observe(self.cloud(self._mean()))
        self.decisions.append(self.controller.decide(self.now))
        self.setpoint = self.decision.setpoint

    def _status(self, power_w: float) -> ChargerStatus:
        state = ChargerState.CHARGING if self.setpoint.charges else ChargerState.READY
        phases, current_a = self.setpoint.phases, float(self.setpoint.current_a)
        return ChargerStatus(self.now, state, power_w, phases, current_a, setpoint=self.setpoint)

    def _mean(self) -> PowerFlow:
        last, length = round((self.now_s - DELAY_S) / STEP_S), round(QUARTER_S / STEP_S)
        mean_w = sum(self._grid_w[last - length : last]) / length
        end = self.now - timedelta(seconds=DELAY_S)
        start = end - timedelta(seconds=QUARTER_S)
        return PowerFlow(start, end, grid_w=mean_w, source=CLOUD, rank=1)


def scaled(factor: float) -> Callable[[PowerFlow], PowerFlow]:
    """Return how a meter tells that is wrong by a factor."""

    def tell(flow: PowerFlow) -> PowerFlow:
        assert flow.grid_w is not None
        return replace(flow, grid_w=flow.grid_w * factor)

    return tell


def set_to(house: House) -> Setpoint:
    """Return what is charged with."""
    return house.decision.setpoint
