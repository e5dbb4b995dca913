"""When to change between not charging, one phase and three: an online problem with switching costs.

Each state's *work* is the least cost with which a controller that knew the past could stand in that state
now, every change of state paid (the work function of metrical task systems, Borodin, Linial and Saks
1992). It grows by the state's cost of each reading, and never beyond the work of another state plus the
change. A change is made when the work of the present state has outgrown that of another by the price of
the change: that is, when the regret of having stayed has. A short cloud cannot do that; a long one can,
the sooner the darker it is. No timers, and never worse than a constant factor of the optimum.
"""

from collections.abc import Mapping
from math import inf

from pvcharge.control.ladder import Ladder


class Regret:
    """Work of each number of phases in weighted Wh, relative to the least."""

    def __init__(self, phases: tuple[int, ...], start_cost_wh: float, phase_switch_cost_wh: float) -> None:
        self._start_cost_wh = start_cost_wh
        # Stopping and starting on other phases must not look cheaper than the switch itself.
        self._phase_switch_cost_wh = min(phase_switch_cost_wh, 1.5 * start_cost_wh)
        self._phases = phases
        self._work_wh: dict[int, float] = dict.fromkeys(phases, 0.0)
        self._pairs = [(a, b, self.price_wh(a, b)) for a in phases for b in phases if a != b]

    def price_wh(self, phases: int, other: int) -> float:
        """Return half the price of going there and back."""
        if phases == other:
            return 0.0
        return self._phase_switch_cost_wh if phases and other else self._start_cost_wh

    def observe(self, ladder: Ladder, surplus_w: float, duration_s: float) -> None:
        """Add what each state would have cost at this surplus for so long."""
        work, hours = self._work_wh, duration_s / 3600.0
        for phases in self._phases:
            work[phases] += ladder.best_cost_w(phases, surplus_w) * hours
        for phases, other, price_wh in self._pairs:
            work[phases] = min(work[phases], work[other] + price_wh)
        least = min(work.values())
        for phases in self._phases:
            work[phases] -= least

    def best(self, present: int, allowed: tuple[int, ...]) -> int:
        """Return the state to be in: the present one, unless the regret of staying outgrew the price."""
        # At the cap the regret equals the price up to rounding.
        present_wh = self._work_wh[present] + 1e-9 if present in allowed else inf
        best, best_wh = present, present_wh
        for phases in allowed:
            if phases != present:
                total_wh = self._work_wh[phases] + self.price_wh(present, phases)
                if total_wh < best_wh or (best not in allowed and total_wh <= best_wh):
                    best, best_wh = phases, total_wh
        return best

    @property
    def work_wh(self) -> Mapping[int, float]:
        """The work of each state above the least, for inspection."""
        return dict(self._work_wh)
