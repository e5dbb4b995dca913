"""When to change between not charging, one phase and three: an online problem with switching costs.

Each state's *work* is the least cost with which a controller that knew the past could stand in that state
now, every change of state paid (the work function of metrical task systems, Borodin, Linial and Saks
1992). It grows by the state's cost of each reading, and never beyond the work of another state plus the
change. What a state costs at present is also the forecast of what it will cost for some time. A change is
made when regret and forecast together outgrow the price of the change: the regret of having stayed, and what
changing is expected to save. A kettle or a dark cloud ends a charge within seconds, a shallow one must last,
and one that is passing is forgiven.

No timers. A single odd reading forecasts nothing: only what all readings of some seconds agree on counts, and
where they do not agree, regret alone decides.
"""

from collections import deque
from collections.abc import Mapping, Sequence
from math import exp, inf

from pvcharge.control.ladder import Ladder

AGREE_S = 15.0  # readings of so long must agree on which of two states is better, and by how much at least
MOST_READINGS = 16  # of them
MEAN_S = 300.0
# The difference in cost that is expected of two states: so many minutes of what the newest readings agree on,
# and of the mean of about the last five minutes; by the larger number of phases. Whether there is enough for
# one phase lasts; how much there is for three changes with every cloud.
FORECAST_MIN = {1: (10.0, 3.0), 3: (0.5, 1.0)}
DEARER = 1.0  # is a change when no other is left of this hour, since it could not be undone


class Regret:
    """Work and forecast of each number of phases, in weighted Wh.

    Args:
        phases: the states, 0 being off.
        start_cost_wh: half the price of a start and the stop after it.
        phase_switch_cost_wh: half the price of a phase switch and the one back.
    """

    def __init__(self, phases: tuple[int, ...], start_cost_wh: float, phase_switch_cost_wh: float) -> None:
        self._phases = phases
        self._work_wh: dict[int, float] = dict.fromkeys(phases, 0.0)
        self._newest: deque[tuple[float, Mapping[int, float]]] = deque(maxlen=MOST_READINGS)  # s each, W
        self._means_w: dict[int, float] = {}  # of each state's cost
        self.reprice(start_cost_wh, phase_switch_cost_wh)

    def reprice(self, start_cost_wh: float, phase_switch_cost_wh: float) -> None:
        """Go on by other prices."""
        self._start_cost_wh = start_cost_wh
        # Stopping and starting on other phases must not look cheaper than the switch itself.
        self._phase_switch_cost_wh = min(phase_switch_cost_wh, 1.5 * start_cost_wh)
        self._pairs = [(a, b, self.price_wh(a, b)) for a in self._phases for b in self._phases if a != b]

    def price_wh(self, phases: int, other: int, scarcity: float = 0.0) -> float:
        """Return half the price of going there and back, when this share of an hour's changes is used up."""
        if phases == other:
            return 0.0
        price_wh = self._phase_switch_cost_wh if phases and other else self._start_cost_wh
        return price_wh * (1.0 + DEARER * scarcity)

    def observe(
        self,
        ladder: Ladder,
        surplus_w: float,
        duration_s: float,
        scarcity: float = 0.0,
        likely_w: Sequence[float] = (),
    ) -> None:
        """Add what each state would have cost at this surplus for so long, or on average over likely ones."""
        likely_w = likely_w or (surplus_w,)
        costs_w = {phases: ladder.best_cost_w(phases, *likely_w) for phases in self._phases}
        self._add_work(costs_w, duration_s / 3600.0, scarcity)
        self._average(costs_w, duration_s)
        self._newest.append((duration_s, costs_w))
        # All but the first of them lie within `AGREE_S`.
        while sum(it[0] for it in self._newest) - self._newest[0][0] >= AGREE_S:
            self._newest.popleft()

    def _add_work(self, costs_w: Mapping[int, float], hours: float, scarcity: float) -> None:
        work, dearer = self._work_wh, 1.0 + DEARER * scarcity
        for phases, cost_w in costs_w.items():
            work[phases] += cost_w * hours
        for phases, other, price_wh in self._pairs:
            work[phases] = min(work[phases], work[other] + price_wh * dearer)
        least = min(work.values())
        for phases in self._phases:
            work[phases] -= least

    def _average(self, costs_w: Mapping[int, float], duration_s: float) -> None:
        weight = 1.0 - exp(-duration_s / MEAN_S)
        for phases, cost_w in costs_w.items():
            mean_w = self._means_w.get(phases, cost_w)
            self._means_w[phases] = mean_w + weight * (cost_w - mean_w)

    def best(self, present: int, allowed: tuple[int, ...], scarcity: float = 0.0) -> int:
        """Return the state to be in: the present one, unless regret and forecast outgrew the price.

        What is best from there is gone on to at once, so that asking again changes nothing.
        """
        for _ in allowed:
            better = self._better(present, allowed, scarcity)
            if better == present:
                break
            present = better
        return present

    def _better(self, present: int, allowed: tuple[int, ...], scarcity: float) -> int:
        # At the cap the regret equals the price up to rounding.
        best, most_wh = present, -1e-9 if present in allowed else -inf
        for phases in allowed:
            if phases != present:
                saving_wh = self.saving_wh(present, phases) - self.price_wh(present, phases, scarcity)
                if saving_wh > most_wh:
                    best, most_wh = phases, saving_wh
        return best

    def saving_wh(self, present: int, other: int) -> float:
        """Return what another state would have saved by now, and is expected to save."""
        return self._work_wh[present] - self._work_wh[other] + self._forecast_wh(present, other)

    def _forecast_wh(self, present: int, other: int) -> float:
        if not self._newest:
            return 0.0
        agreed_min, mean_min = FORECAST_MIN[max(present, other)]
        mean_w = self._means_w[present] - self._means_w[other]
        return (agreed_min * self._agreed_w(present, other) + mean_min * mean_w) / 60.0

    def _agreed_w(self, present: int, other: int) -> float:
        """Return by how much more, at least, all the newest readings say one state costs than another."""
        differences_w = [costs_w[present] - costs_w[other] for _, costs_w in self._newest]
        return max(min(differences_w), 0.0) + min(max(differences_w), 0.0)

    @property
    def work_wh(self) -> Mapping[int, float]:
        """The work of each state above the least, for inspection."""
        return dict(self._work_wh)
