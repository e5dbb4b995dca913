"""Tells what comes in as it is sent from what was waiting for us."""

from datetime import datetime, timedelta

from pvcharge.model import Clock
from pvcharge.mqtt.bus import Bus
from pvcharge.mqtt.heartbeat import PERIOD_S

SETTLED_S = PERIOD_S + 2.0  # by then a peer that is there has been heard
LAPSE_S = 5.0  # between two looks; longer ones mean that the whole process stood still


class Attention:
    """Whether we have been here all along.

    Who was cut off, or stood still with the whole machine, gets at once what others have sent meanwhile, and
    nothing tells how old it is.

    Args:
        bus: the broker connection; not running yet.
        clock: the daemon's time.
    """

    def __init__(self, bus: Bus, clock: Clock) -> None:
        self._clock = clock
        self._looked_at = clock.now()
        self._since = self._looked_at - timedelta(seconds=SETTLED_S)  # nothing comes in before a connect
        bus.on_connect(self._begin_anew)

    @property
    def settled(self) -> bool:
        """Whether what comes in now is new."""
        return (self.look() - self._since).total_seconds() >= SETTLED_S

    def look(self) -> datetime:
        """Note that we are here; to be called every second or so. Returns the time."""
        now = self._clock.now()
        if (now - self._looked_at).total_seconds() > LAPSE_S:
            self._since = now
        self._looked_at = now
        return now

    async def _begin_anew(self) -> None:
        self._since = self.look()
