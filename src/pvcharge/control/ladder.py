"""The powers a charger can attain: off, and whole amps on one or three phases; and what each costs."""

from collections.abc import Mapping, Sequence
from functools import lru_cache
from math import isclose

from pvcharge.model import NO_CHARGE, Setpoint

ALL_PHASES = (0, 1, 3)  # a charger may be found at what is not allowed


@lru_cache(maxsize=256)
def setpoint(phases: int, current_a: int) -> Setpoint:
    """Return the one setpoint object of these values: decisions are made far more often than changed."""
    return Setpoint(phases, current_a) if phases else NO_CHARGE


class Ladder:
    """The rungs of each phase count between two currents, with the cost of standing on one.

    Cost is a rate: W of import times `import_weight`, or W of export times `export_weight`.

    Args:
        phases: numbers of phases that may be used.
        current_a: the lowest and the highest current.
        voltage_v: nominal, between phase and neutral.
        weights: of import and export.
        rungs_w: by number of phases, what the car draws for each ampere, as far as that is known better.
    """

    def __init__(
        self,
        phases: Sequence[int],
        current_a: tuple[int, int],
        voltage_v: float,
        weights: tuple[float, float],
        rungs_w: Mapping[int, float] | None = None,
    ) -> None:
        self.min_current_a, self.max_current_a = current_a
        self.phases = (0, *sorted(phases))
        self._rung_w = {number: number * voltage_v for number in {*self.phases, *ALL_PHASES}}
        self._rung_w |= rungs_w or {}
        self.import_weight, self.export_weight = weights
        self._share = self.export_weight / (self.import_weight + self.export_weight)

    @property
    def leans(self) -> bool:
        """Whether one side of the balance is dearer, so that more counts than the surplus to be expected."""
        return not isclose(self.import_weight, self.export_weight)

    def cost_w(self, power_w: float, surplus_w: float) -> float:
        """Return the weighted grid exchange of charging at this power while this much surplus is there."""
        excess_w = power_w - surplus_w
        return excess_w * self.import_weight if excess_w > 0 else -excess_w * self.export_weight

    def best_current_a(self, phases: int, *likely_w: float) -> int:
        """Return the whole amps of least cost on so many phases, 0 for no phases.

        Args:
            phases: on which it charges.
            likely_w: one surplus, or several that are equally likely, in rising order.
        """
        if not phases:
            return 0
        rung_w = self._rung_w[phases]
        # The best power is a quantile: as often below it as a Wh sold costs, beside one bought.
        at_w = likely_w[min(int(self._share * len(likely_w)), len(likely_w) - 1)]
        lower_a = int(at_w // rung_w)
        if lower_a < self.min_current_a:
            return self.min_current_a
        if lower_a >= self.max_current_a:
            return self.max_current_a
        lower_w = self._mean_cost_w(lower_a * rung_w, likely_w)
        return lower_a if lower_w <= self._mean_cost_w((lower_a + 1) * rung_w, likely_w) else lower_a + 1

    def best_cost_w(self, phases: int, *likely_w: float) -> float:
        """Return the least cost that so many phases can attain, on average over equally likely surpluses."""
        return self._mean_cost_w(self._rung_w[phases] * self.best_current_a(phases, *likely_w), likely_w)

    def _mean_cost_w(self, power_w: float, likely_w: Sequence[float]) -> float:
        return sum(self.cost_w(power_w, surplus_w) for surplus_w in likely_w) / len(likely_w)

    def power_w(self, level: Setpoint) -> float:
        """Return what the car draws at a level."""
        return self._rung_w[level.phases] * level.current_a

    def break_even_w(self) -> float:
        """Return the surplus from which charging at the lowest rung beats not charging."""
        lowest_w = self._rung_w[self.phases[1]] * self.min_current_a
        return lowest_w * self.import_weight / (self.import_weight + self.export_weight)
