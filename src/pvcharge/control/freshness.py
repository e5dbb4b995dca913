"""How old readings may get. Each source's own rhythm says so: nobody tells which source it is.

A quarter-hour mean is normal at 21 minutes, a local instant is not at one. So the usual pause between
readings and the usual age on arrival are learned, and a reading is late, then stale, by their measure.
"""

from collections import deque
from enum import Enum
from statistics import median

from pvcharge.model import PowerFlow

UNKNOWN_CADENCE_S = 300.0  # until two readings have come
LONGEST_CADENCE_S = 1800.0  # a longer pause is a night or an outage, not a rhythm
RECALLED = 3  # so many readings weigh as much as what was learned in an earlier run
FIRST_READING_S = 900.0  # how long a charge found running at the start goes on without any reading
EQUAL_RUN_S = 600.0  # equal values for longer than this are one old value
EQUAL_RUN_CADENCES = 4.0
CHARGER_MOVED_W = 500.0  # a meter that does not see this much does not see
MOVING_S = 15.0  # after a change of the values, in which the charger may yet tell what the meter saw


class Age(Enum):
    """What a reading is still good for."""

    FRESH = "fresh"
    LATE = "late"  # hold what was decided on it
    STALE = "stale"  # act as if it had never been


class Freshness:
    """Follows the newest reading that says something new; times are seconds of the epoch."""

    def __init__(self) -> None:
        self._newest_s: float | None = None  # end of the newest reading
        self._fresh_s: float | None = None  # end of the first reading with the newest values
        self._values: tuple[float | None, ...] = ()
        self._charger_w: float | None = 0.0
        self._pauses_s: deque[float] = deque(maxlen=9)
        self._arrival_ages_s: deque[float] = deque(maxlen=5)
        self._arrived = True
        self._cadence_s = UNKNOWN_CADENCE_S
        self._usual_age_s = 0.0
        self._waiting_since_s: float | None = None
        self.frozen = False

    @property
    def cadence_s(self) -> float:
        """The usual pause between readings."""
        return self._cadence_s

    @property
    def arrival_age_s(self) -> float:
        """The usual age of readings on arrival, 0 until the first has been looked at."""
        return self._usual_age_s

    @property
    def usual_pause_s(self) -> float | None:
        """The usual pause as far as it has been learned."""
        return self._cadence_s if self._pauses_s else None

    @property
    def usual_age_s(self) -> float | None:
        """The usual age on arrival as far as it has been learned."""
        return self._usual_age_s if self._arrival_ages_s else None

    def recall(self, pause_s: float | None, age_s: float | None) -> None:
        """Take these to be usual, as if heard a few times: a few readings can prove otherwise."""
        if pause_s is not None:
            self._cadence_s = pause_s
            self._pauses_s.extend([pause_s] * RECALLED)
        if age_s is not None:
            self._usual_age_s = age_s
            self._arrival_ages_s.extend([age_s] * RECALLED)

    def forget(self) -> None:
        """Learn anew what is usual; until the next reading tells, the present one is as good as it was."""
        self._pauses_s.clear()
        self._arrival_ages_s.clear()

    def observe(self, flow: PowerFlow, end_s: float, charger_w: float | None) -> None:
        """Take a reading into account that is newer than all before; `charger_w` is None if not known."""
        if self._newest_s is not None:
            pause_s = end_s - self._newest_s
            if pause_s <= LONGEST_CADENCE_S:
                self._pauses_s.append(pause_s)
                self._cadence_s = max(median(self._pauses_s), flow.span_s)
        self._newest_s = end_s
        self._arrived = False
        values = (flow.pv_w, flow.grid_w, flow.battery_w, flow.load_w)
        if values != self._values or self._fresh_s is None:
            self._values, self._fresh_s, self.frozen = values, end_s, False
            self._charger_w = charger_w
            return
        if end_s - self._fresh_s <= MOVING_S:
            self._charger_w = charger_w
        longest_s = max(EQUAL_RUN_S, EQUAL_RUN_CADENCES * self._cadence_s)
        moved = (
            charger_w is not None
            and self._charger_w is not None
            and abs(charger_w - self._charger_w) > CHARGER_MOVED_W
        )
        self.frozen = self.frozen or moved or end_s - self._fresh_s > longest_s

    def age_s(self, now_s: float) -> float | None:
        """Return the age of the newest values, None before the first reading."""
        since_s = self._fresh_s if self.frozen else self._newest_s
        return None if since_s is None else now_s - since_s

    def state(self, now_s: float) -> Age:
        """Return what the newest reading is good for now."""
        age_s = self.age_s(now_s)
        if age_s is None:
            if self._waiting_since_s is None:
                self._waiting_since_s = now_s
            return Age.LATE if now_s - self._waiting_since_s <= FIRST_READING_S else Age.STALE
        if not self._arrived and self._newest_s is not None:
            self._arrived = True
            self._arrival_ages_s.append(max(0.0, now_s - self._newest_s))
            self._usual_age_s = median(self._arrival_ages_s)
        usual_s = self._usual_age_s
        if age_s <= usual_s + 1.5 * self._cadence_s + 15.0:
            return Age.FRESH
        return Age.LATE if age_s <= usual_s + 3.0 * self._cadence_s + 45.0 else Age.STALE
