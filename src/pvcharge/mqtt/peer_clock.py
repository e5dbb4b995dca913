"""How far another machine's clock is ahead of ours, from messages that went there and back."""

from collections import deque
from dataclasses import dataclass
from datetime import datetime

MOST_S = 100 * 365 * 86400.0  # more than a machine is off that woke up in 1970; no sum of it overflows
_SAMPLES = 8


@dataclass(frozen=True, slots=True)
class Sample:
    """One measurement; the true skew lies within half the round trip of `skew_s`."""

    skew_s: float
    round_trip_s: float

    def agrees(self, other: "Sample") -> bool:
        """Whether one and the same skew can be behind both."""
        return abs(self.skew_s - other.skew_s) <= (self.round_trip_s + other.round_trip_s) / 2


class PeerClock:
    """Keeps the best of the latest measurements, as NTP does: the one with the shortest round trip."""

    def __init__(self) -> None:
        self._samples: deque[Sample] = deque(maxlen=_SAMPLES)

    @property
    def skew_s(self) -> float | None:
        """How far the peer's clock is ahead of ours; None before the first measurement."""
        return self._best.skew_s if self._best else None

    @property
    def round_trip_s(self) -> float | None:
        """How long a message and its answer were on their way; None before the first measurement."""
        return self._best.round_trip_s if self._best else None

    def measure(self, sent: datetime, received: datetime, answered: datetime, heard: datetime) -> None:
        """Take a measurement.

        Args:
            sent: when our message left, by our clock.
            received: when it came in at the peer, by its clock.
            answered: when the peer's answer left, by its clock.
            heard: when that came in, by our clock.
        """
        out_s, back_s = (received - sent).total_seconds(), (answered - heard).total_seconds()
        sample = Sample(skew_s=(out_s + back_s) / 2, round_trip_s=out_s - back_s)
        if sample.round_trip_s < 0 or abs(sample.skew_s) > MOST_S:
            return  # one of the clocks was set in the meantime, or shows no time at all
        # A clock that was set, or runs at another speed, makes what was measured before void.
        agreeing = [other for other in self._samples if other.agrees(sample)]
        self._samples = deque([*agreeing, sample], maxlen=_SAMPLES)

    @property
    def _best(self) -> Sample | None:
        return min(self._samples, key=lambda sample: sample.round_trip_s, default=None)
