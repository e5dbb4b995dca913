"""What the charger drew while a reading was taken, and so the surplus that was there for the car.

A reading tells the grid power of its own instant or interval, which may be minutes old. Subtracting what
the charger draws *now* makes a controller swing between full and nothing; what counts is its power
*during that interval*.
"""

from bisect import bisect_right
from collections import deque
from collections.abc import Iterator, Sequence
from math import inf
from statistics import median

from pvcharge.control.settings import BatteryPolicy
from pvcharge.model import PowerFlow

HEARD_S = 45.0  # how long a measurement says at least what the charger draws
HEARD_PAUSES = 3.0  # or so many of the usual pauses between measurements
_PAUSES = 9
_LONGEST_PAUSE_S = 600.0  # a longer one is an outage, not a rhythm
LATE_S = 4.0  # by which a charger may tell its power later than a meter sees it
ANSWER_S = 60.0  # in which a car draws what it is offered, or never will
REACHED_W, REACHED = 150.0, 0.1  # so near to what it was told it draws that, or by this share of it
_COMPACT_AT = 8192  # entries; the list is halved when it has grown beyond, so appending stays cheap


class ChargerPowerLog:
    """The charger's recent power: a step function of time, with its integral for fast means.

    Times are seconds of the epoch. A charger that is found idle is assumed to have been idle before; when
    one that is found charging began is not known. Nor is what one does that is not heard for some minutes,
    nor what is so long ago that it has been forgotten.
    """

    def __init__(self) -> None:
        self._at_s: list[float] = []
        self._power_w: list[float] = []
        self._energy_ws: list[float] = []  # up to the entry's time
        self._holes: list[tuple[float, float]] = []  # in which nothing is known
        self._told: tuple[float, float] | None = None  # when, and which power; None as soon as it draws it
        self._pauses_s: deque[float] = deque(maxlen=_PAUSES)

    def add(self, at_s: float, power_w: float) -> None:
        """Append a measurement; one that is not newer than the last is dropped."""
        if not self._at_s:
            self._at_s.append(at_s)
            self._power_w.append(power_w)
            self._energy_ws.append(0.0)
            if power_w > 0:
                self._holes.append((-inf, at_s))
            return
        elapsed_s = at_s - self._at_s[-1]
        if elapsed_s <= 0:
            return
        if self._told is not None and abs(power_w - self._told[1]) <= max(REACHED_W, REACHED * self._told[1]):
            self._told = None
        heard = elapsed_s <= self.heard_s
        if not heard:
            self._holes.append((self._at_s[-1] + self.heard_s, at_s))
        if elapsed_s <= _LONGEST_PAUSE_S:
            self._pauses_s.append(elapsed_s)
        last_w = self._power_w[-1]
        if heard and self._power_w[-2:] == [power_w, power_w]:
            # A run of equal powers needs only its two ends. A hole ends it: holes are forgotten with entries.
            self._energy_ws[-1] += last_w * elapsed_s
            self._at_s[-1] = at_s
            return
        self._energy_ws.append(self._energy_ws[-1] + last_w * elapsed_s)
        self._at_s.append(at_s)
        self._power_w.append(power_w)
        if len(self._at_s) > _COMPACT_AT:
            self._forget_older_half()

    @property
    def heard_s(self) -> float:
        """How long a measurement says what the charger draws."""
        return max(HEARD_S, HEARD_PAUSES * median(self._pauses_s)) if self._pauses_s else HEARD_S

    def _forget_older_half(self) -> None:
        half = _COMPACT_AT // 2
        del self._at_s[:half], self._power_w[:half], self._energy_ws[:half]
        first_s = self._at_s[0]
        self._holes = [(-inf, first_s), *(hole for hole in self._holes if hole[1] > first_s)]

    def _energy_until(self, at_s: float) -> float:
        i = max(0, bisect_right(self._at_s, at_s) - 1)
        return self._energy_ws[i] + self._power_w[i] * (at_s - self._at_s[i])

    def mean_w(self, start_s: float, end_s: float) -> float | None:
        """Return the mean power over an interval, or the power at an instant; None if it is not known.

        An interval of which at least half is known is taken to have been like that as a whole.
        """
        if not self._at_s:
            return None
        holes = list(self._holes_within(start_s, end_s))
        if end_s <= start_s:
            return None if holes else self._power_w[max(0, bisect_right(self._at_s, end_s) - 1)]
        known_s = end_s - start_s - sum(last_s - first_s for first_s, last_s in holes)
        if known_s < (end_s - start_s) / 2:
            return None
        known_ws = self._energy_between(start_s, end_s) - sum(self._energy_between(*hole) for hole in holes)
        return known_ws / known_s

    def tell(self, at_s: float, power_w: float) -> None:
        """Note to what power the charger is set from now on."""
        self._told = at_s, power_w

    def range_w(self, at_s: float) -> tuple[float, float]:
        """Return the least and the greatest power that may have flowed at an instant.

        What a charger tells comes somewhat later than what the meter sees, and a car may already be doing
        what the charger has just been told.
        """
        at, powers_w = self._at_s, self._power_w
        first = max(0, bisect_right(at, at_s - LATE_S) - 1)
        possible_w = powers_w[first : max(first + 1, bisect_right(at, at_s + LATE_S))]
        if self._told is not None and 0 <= at_s - self._told[0] <= ANSWER_S:
            possible_w.append(self._told[1])
        return min(possible_w), max(possible_w)

    def before_w(self, at_s: float, ages_s: Sequence[float]) -> list[float] | None:
        """Return the power at each of some ages before an instant; None unless all of them are known.

        Args:
            at_s: the instant.
            ages_s: seconds before it, rising.
        """
        start_s = at_s - ages_s[-1]
        if not self._at_s or any(True for _ in self._holes_within(start_s, at_s)):
            return None
        at, power_w, last = self._at_s, self._power_w, bisect_right(self._at_s, at_s)
        first = bisect_right(at, start_s, 0, last)
        if first == last:
            return [power_w[max(0, first - 1)]] * len(ages_s)
        return [power_w[max(0, bisect_right(at, at_s - age_s, first, last) - 1)] for age_s in ages_s]

    def _energy_between(self, start_s: float, end_s: float) -> float:
        return self._energy_until(end_s) - self._energy_until(start_s)

    def _holes_within(self, start_s: float, end_s: float) -> Iterator[tuple[float, float]]:
        """Yield the parts of an interval, or the instant, of which nothing is known."""
        for first_s, last_s in (*self._holes, (self._at_s[-1] + self.heard_s, inf)):
            if first_s < end_s and start_s < last_s:
                yield max(first_s, start_s), min(last_s, end_s)


def after_battery(
    surplus_w: float, flow: PowerFlow, battery: BatteryPolicy, battery_min_soc_pct: float
) -> float:
    """Return what of a surplus is the car's where there is a home battery.

    Args:
        surplus_w: the charger's mean power less the grid power over the reading's interval.
        flow: the reading.
        battery: whether the battery's charging power counts as surplus.
        battery_min_soc_pct: below this the battery goes first whatever the policy.

    Returns:
        The power in W that the car could have drawn; negative when the house alone imports.
    """
    if flow.battery_w is None:
        return surplus_w
    if battery is BatteryPolicy.CAR_FIRST and (flow.battery_soc_pct or 0.0) >= battery_min_soc_pct:
        return surplus_w + flow.battery_w  # the battery yields by itself as soon as the car draws
    return surplus_w + min(flow.battery_w, 0.0)  # discharge is never surplus
