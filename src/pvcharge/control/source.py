"""One source of readings: whether it is there, whether it can be true, and what it tells of the surplus."""

from math import inf
from typing import Annotated, Self

from pydantic import Field, model_validator

from pvcharge.control.clear_day import DAY_S
from pvcharge.control.forecast import Forecast, KeptForecast
from pvcharge.control.freshness import Age, Freshness
from pvcharge.control.hidden import HiddenSurplus
from pvcharge.control.learned import Kept, Moment, fitting, moment
from pvcharge.control.plausibility import Plausibility
from pvcharge.control.response import KeptAges, KeptGain, Response
from pvcharge.control.spread import Spread
from pvcharge.model import UNTRUE, Distrust, PowerFlow

RETURNED = 3  # so many instants prove that a source is back; of means each one does
MOVING_W = 150.0  # the charger's power moves if it may have been anything within more than this
STEADY_S = 60.0  # what the house drew longer ago says nothing
FIRST_INSTANT_S = 5.0  # the time an instant stands for while the rhythm is unknown
GAIN_TOLERANCE = 0.5  # what noise never did to a right meter's gain of 1
NO_GAIN = 0.25


# With these a reading is stale after 89 minutes. A source that is slower has to be learned anew.
SLOWEST_S, OLDEST_S = 1200.0, 1700.0


class KeptSource(Kept):
    """What is kept of a source, whatever its rank will be; None is what is not known or not believed."""

    name: Annotated[str, Field(max_length=100)]
    heard_at: Moment  # until when it was learned
    usual_pause_s: Annotated[float, Field(gt=0, le=SLOWEST_S)] | None
    usual_age_s: Annotated[float, Field(ge=0, le=OLDEST_S)] | None
    ages: KeptAges | None
    gain: KeptGain | None
    forecast: KeptForecast | None

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if self.gain and self.gain.stepped_at > self.heard_at:
            raise ValueError("gain.stepped_at is after heard_at")
        if self.forecast and self.forecast.clear_day and self.forecast.clear_day.since > self.heard_at:
            raise ValueError("forecast.clear_day.since is after heard_at")
        return self


class Source:
    """One source, as far as it has been heard; times are seconds of the epoch."""

    def __init__(self, name: str, rank: int) -> None:
        self.name = name
        self.rank = rank
        self.freshness = Freshness()
        self.plausibility = Plausibility()
        self.hidden = HiddenSurplus()
        self.response = Response()
        self.forecast = Forecast()
        self.spread = Spread()
        self.heard_s = -inf  # end of its newest reading, usable or not
        self.end_s = -inf  # of its newest usable reading
        self.expected_w: float | None = None  # surplus in the time for which its newest reading is acted on
        self.incomplete = False
        self._returned = 0  # readings since it was stale
        self._house_w, self._house_s = 0.0, -inf  # what the rest of the house drew, and when

    def learned(self) -> KeptSource | None:
        """Return what is to be kept, None if it is nothing."""
        pause_s, age_s = self.freshness.usual_pause_s, self.freshness.usual_age_s
        ages, gain = self.response.learned_ages(), self.response.learned_gain()
        forecast = self.forecast.learned(self.heard_s)
        if (pause_s, age_s, ages, gain, forecast) == (None,) * 5:
            return None
        return fitting(
            KeptSource,
            name=self.name,
            heard_at=moment(self.heard_s),
            usual_pause_s=pause_s if pause_s is None or pause_s <= SLOWEST_S else None,
            usual_age_s=age_s if age_s is None or age_s <= OLDEST_S else None,
            ages=ages,
            gain=gain,
            forecast=forecast,
        )

    def recall(self, kept: KeptSource, now_s: float) -> None:
        """Go on from what was kept at a time before now, unless it is of a future that cannot be."""
        silent_s = now_s - kept.heard_at.timestamp()
        if silent_s < -DAY_S:
            return
        self.freshness.recall(kept.usual_pause_s, kept.usual_age_s)
        self.response.recall(kept.ages, kept.gain)
        if kept.forecast is not None:
            self.forecast.recall(kept.forecast)
            self.forecast.rest(now_s, max(0.0, silent_s))

    def forget(self) -> None:
        """Begin to learn anew; what was told last stays."""
        self.freshness.forget()
        self.plausibility, self.response, self.forecast = Plausibility(), Response(), Forecast()
        self.spread = Spread()

    @property
    def doubt(self) -> Distrust | None:
        """Why its readings cannot be true, by what others tell, else by how they answer the charger."""
        return self.plausibility.doubt or _doubt_of(self.response.gain)

    @property
    def usable(self) -> bool:
        """Whether its readings may be followed at all."""
        return self.doubt not in UNTRUE

    @property
    def surplus_w(self) -> float | None:
        """The surplus to go by, from its newest usable reading."""
        return None if self.expected_w is None else self.hidden.estimate_w(self.expected_w)

    def measure(self, flow: PowerFlow, start_s: float, end_s: float, surplus_w: float | None) -> None:
        """Take over the surplus of a usable reading, None if it cannot be told, and look ahead from it."""
        self.expected_w = surplus_w
        if surplus_w is None or flow.limited:
            self.forecast.pause()
            return
        middle_s = (start_s + end_s) / 2 if start_s < end_s else end_s - self.response.age_s
        # What is produced may go to a battery first; then only what is left over tells how it goes on.
        pv_w = flow.pv_w if flow.battery_w is None else None
        acted_on_s = end_s + self.freshness.arrival_age_s + self.freshness.cadence_s / 2
        self.forecast.observe(middle_s, self.freshness.cadence_s, surplus_w, pv_w)
        self.spread.compare(middle_s, self.freshness.cadence_s, surplus_w)
        self.expected_w = self.forecast.surplus_w(acted_on_s, surplus_w)
        self.spread.expect(acted_on_s, self.expected_w)

    def count(self, flow: PowerFlow) -> None:
        """Count a reading towards the proof that the source is back, and the time towards forgetting."""
        self.response.expire(self.end_s)
        self._returned += RETURNED if flow.span_s else 1

    def age(self, now_s: float) -> Age:
        """Return what its newest reading is good for now."""
        age = self.freshness.state(now_s)
        if age is Age.STALE:
            self._returned = 0
        return age

    @property
    def is_back(self) -> bool:
        """Whether it has told enough since it was stale."""
        return self._returned >= RETURNED

    def steady_w(self, at_s: float, total_w: float, charger_w: float, range_w: tuple[float, float]) -> float:
        """Return the charger's power behind a reading with which the house goes on most steadily.

        While the charger moves, meter and charger do not tell of quite the same moment, and what is only a
        difference in time would look like a change of the surplus.

        Args:
            at_s: when it was taken.
            total_w: grid power, and production where it is told.
            charger_w: the power as the charger told it.
            range_w: within which the charger's power may have been.
        """
        lowest_w, highest_w = range_w
        if highest_w - lowest_w > MOVING_W and at_s - self._house_s <= STEADY_S:
            charger_w = min(max(total_w - self._house_w, lowest_w), highest_w)
        self._house_w, self._house_s = total_w - charger_w, at_s
        return charger_w

    def stands_for_s(self, start_s: float, end_s: float, since_s: float) -> float:
        """Return for how long a reading tells the surplus: its interval, or since the instant before."""
        if start_s < end_s:
            return min(end_s - start_s, end_s - since_s)
        return FIRST_INSTANT_S if since_s == -inf else min(end_s - since_s, 2 * self.freshness.cadence_s)


def _doubt_of(gain: float | None) -> Distrust | None:
    """Return what a meter is suspected of whose grid power moves so much for each W of the charger."""
    if gain is None or abs(gain - 1.0) <= GAIN_TOLERANCE:
        return None
    if gain <= -GAIN_TOLERANCE:
        return Distrust.BACKWARDS
    return Distrust.OTHER_METER if abs(gain) <= NO_GAIN else Distrust.SCALED
