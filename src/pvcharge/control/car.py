"""What the car at the cable makes of an ampere: its real power, on one phase and on all that it uses.

A car that uses one phase only draws a third of what three would; offered three, it would be taken to leave
nothing for the grid while it leaves most. And hardly any car draws quite 230 W for each ampere and phase.
"""

from collections.abc import Mapping

from pvcharge.model import SINGLE_PHASE, ChargerState, ChargerStatus

STEADY_S = 20.0  # the power has not changed for so long
STEADY = 0.04  # by more than this share
LEAST_A = 4.0  # measured; below, a small error is a large share
RATE = 0.1  # weight of one measurement
EACH_S = 10.0  # between two
LOWEST, HIGHEST = 0.8, 1.1  # of the nominal voltage: what lies beyond is no car, but a wrong meter
NEWS = 0.02  # a change that is worth other rungs


class Car:
    """Learns the W per A for each number of phases that is offered; forgets them with the car.

    Args:
        voltage_v: the nominal one, which holds until something is measured.
    """

    def __init__(self, voltage_v: float) -> None:
        self._voltage_v = voltage_v
        self._learned_w: dict[int, float] = {}  # by phases offered
        self._told_w: dict[int, float] = {}
        self._offer: object = None
        self._power_w = 0.0
        self._steady_from_s = 0.0
        self._next_s = 0.0

    @property
    def rungs_w(self) -> Mapping[int, float]:
        """The learned W per A, by the number of phases that is offered."""
        return self._told_w

    def observe(self, status: ChargerStatus, at_s: float) -> bool:
        """Take a measurement into account; return whether the rungs have changed noticeably."""
        if status.state is ChargerState.DISCONNECTED:
            return self.forget()
        offer, power_w = status.setpoint, status.power_w
        steady = abs(power_w - self._power_w) <= STEADY * max(power_w, self._power_w)
        if offer != self._offer or not steady or status.state is not ChargerState.CHARGING:
            self._offer, self._power_w, self._steady_from_s = offer, power_w, at_s
            return False
        if at_s - self._steady_from_s < STEADY_S or at_s < self._next_s or status.current_a < LEAST_A:
            return False
        if offer is None or not offer.charges:
            return False
        self._next_s = at_s + EACH_S
        return self._learn(offer.phases, power_w / status.current_a)

    def forget(self) -> bool:
        """Forget the car, since the next one may be another; return whether that changes the rungs."""
        knew = bool(self._told_w)
        self._learned_w, self._told_w, self._offer = {}, {}, None
        return knew

    def _learn(self, phases: int, rung_w: float) -> bool:
        used = round(rung_w / self._voltage_v)
        if not SINGLE_PHASE <= used <= phases:
            return False
        if not LOWEST <= rung_w / (used * self._voltage_v) <= HIGHEST:
            return False
        learned_w = self._learned_w.get(phases, rung_w)
        if abs(rung_w - learned_w) > 0.5 * self._voltage_v:
            learned_w = rung_w  # it uses another number of phases now
        self._learned_w[phases] = learned_w = learned_w + RATE * (rung_w - learned_w)
        told_w = self._told_w.get(phases, phases * self._voltage_v)
        if abs(learned_w - told_w) <= NEWS * told_w:
            return False
        self._told_w = {**self._told_w, phases: learned_w}
        return True
