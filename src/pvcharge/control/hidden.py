"""Surplus that no meter shows: an inverter that may not feed in holds production back instead.

What it could give is only known by drawing more. So while production is held back the surplus is taken to
be a little more than measured, ever more until the charger follows; as long as the inverter then still
holds back, there is more. If it does not any more, the attempt has found the end, and the next one waits.
"""

from math import inf

RISE_W_PER_S = 10.0
MOST_W = 4000.0  # beyond what is measured: enough for a start on three phases
SETTLE_S = 30.0  # after a change of the setpoint, for the car and the inverter to answer it
SHORTEST_WAIT_S = 120.0  # after an attempt that found no more
LONGEST_WAIT_S = 1800.0
BLAME_S = 180.0  # an end that is found so soon after a rise was found by it


class HiddenSurplus:
    """How much may be there while production is held back; times are seconds of the epoch."""

    def __init__(self) -> None:
        self._rises_from_s = inf  # finite while production is held back
        self._rise_w = 0.0
        self._power_w = 0.0  # what the charger was set to before the newest reading
        self._decided: tuple[float, float] | None = None  # when it was set to another power, and to which
        self._rose_s = -inf  # when the charger last followed an attempt that has not been proved yet
        self._wait_s = SHORTEST_WAIT_S
        self._not_before_s = -inf

    def decided(self, at_s: float, power_w: float) -> None:
        """Take into account what the charger is set to; the next reading will show what came of it."""
        last_w = self._decided[1] if self._decided else self._power_w
        if power_w != last_w:
            self._decided = at_s, power_w

    def observe(self, at_s: float, *, limited: bool) -> None:
        """Take into account whether production is held back at this time."""
        self._answer()
        if not limited:
            self._end(at_s)
            return
        if self._rises_from_s == inf:
            self._rises_from_s = max(at_s, self._not_before_s)
        if at_s - self._rose_s > BLAME_S:
            if self._rose_s > -inf:  # there was more, indeed
                self._wait_s = SHORTEST_WAIT_S
            self._rose_s = -inf
        self._rise_w = min(MOST_W, RISE_W_PER_S * max(0.0, at_s - self._rises_from_s))

    def _answer(self) -> None:
        """Begin anew from what was decided; more, while an attempt runs, is its answer."""
        if self._decided is None:
            return
        (at_s, power_w), self._decided = self._decided, None
        if self._rises_from_s < inf:
            self._rises_from_s, self._rise_w = max(at_s + SETTLE_S, self._not_before_s), 0.0
            if power_w > self._power_w:
                self._rose_s = at_s
        self._power_w = power_w

    def _end(self, at_s: float) -> None:
        if at_s - self._rose_s <= BLAME_S:
            self._not_before_s = at_s + self._wait_s
            self._wait_s = min(2 * self._wait_s, LONGEST_WAIT_S)
        self._rises_from_s, self._rose_s, self._rise_w = inf, -inf, 0.0

    def estimate_w(self, measured_w: float) -> float:
        """Return the surplus to go by: as measured, or more while there may be more.

        What the charger is set to is taken to be there until the inverter stops holding back.
        """
        if self._rises_from_s == inf:
            return measured_w
        return max(measured_w, self._power_w) + self._rise_w
