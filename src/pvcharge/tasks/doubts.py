"""Tells people that a source of readings cannot be right, and what is probably wrong with it."""

from collections.abc import Mapping

import structlog

from pvcharge.model import Clock, DeviceHealth, Distrust
from pvcharge.tasks.feed import Feed

log = structlog.get_logger(__name__)

PROBABLE_CAUSES = {
    Distrust.BACKWARDS: (
        "grid power comes with the wrong sign, import as export; the current transformers are probably "
        "mounted backwards: have them turned, or set invert_meter for this inverter. Not followed until then."
    ),
    Distrust.SCALED: (
        "grid power is too large or too small by a constant factor; see whether the meter has a current "
        "transformer on each phase, and their ratio in the inverter's set-up. Not followed until then."
    ),
    Distrust.OTHER_METER: (
        "grid power does not move with the charger; the meter probably sits in another branch and not at the "
        "grid connection, or a home battery covers the car whose power is not told. Not followed."
    ),
    Distrust.CONTRADICTED: (
        "differs for long from what another source tells of the same time, for no known reason; "
        "see which of the two is right. Followed all the same."
    ),
}


class Doubts:
    """Follows what the controller finds implausible; each change is told once, as health of the readings.

    Args:
        clock: the daemon's time.
        feed: where it is published.
    """

    def __init__(self, clock: Clock, feed: Feed) -> None:
        self._clock = clock
        self._feed = feed
        self._told: dict[str, Distrust] = {}

    def tell(self, doubts: Mapping[str, Distrust]) -> None:
        """Tell what has changed."""
        for source, doubt in doubts.items():
            if self._told.get(source) is not doubt:
                self._raise(source, doubt)
        for source in self._told.keys() - doubts.keys():
            del self._told[source]
            log.info("readings plausible again", source=source)
            now = self._clock.now()
            self._feed.publish(DeviceHealth(_name(source), now, ok=True, since=now))

    def _raise(self, source: str, doubt: Distrust) -> None:
        now = self._clock.now()
        self._told[source] = doubt
        cause = PROBABLE_CAUSES.get(doubt, doubt.value)
        log.warning("readings not plausible", source=source, cause=cause)
        self._feed.publish(DeviceHealth(_name(source), now, ok=False, since=now, error=f"{source}: {cause}"))


def _name(source: str) -> str:
    return f"{source} readings"
