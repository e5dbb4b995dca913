"""Notices what somebody changed at the box or in the maker's app."""

from datetime import datetime

from pvcharge.drivers.wattpilot.codes import CONTROLS, FORCE, Car, Force
from pvcharge.drivers.wattpilot.reading import Reading

_MOST_AWAITED = 2  # a slow box may report what was written before after the next write was sent
_PLUGGING_S = 10.0  # the box resets its force state within this time of an unplug or plug-in
_NEW_SESSION_WH = 1.0  # the session's counter falls by more than noise only when a new session begins


class HandWatch:
    """Compares what the box is set to with what it was and with what we wrote.

    It outlives connections: what changed while there was none is noticed on the next one. Not by hand
    are our own writes, what a reboot brings, and the reset of the force state when a car leaves or comes.

    Attributes:
        changed_at: time of the last change by hand, or None.
    """

    def __init__(self) -> None:
        self.changed_at: datetime | None = None
        self._known: dict[str, int] = {}
        self._sent: dict[str, list[int]] = {key: [] for key in CONTROLS}
        self._reboots: int | None = None
        self._session_wh = 0.0
        self._was_away = False
        self._away_at: datetime | None = None

    def wrote(self, key: str, value: int) -> None:
        """Expect this value, now or later."""
        self._sent[key] = [*self._sent[key], value][-_MOST_AWAITED:]

    def refused(self, key: str) -> None:
        """Expect it no longer: the box said no."""
        del self._sent[key][-1:]

    def see(self, reading: Reading, now: datetime) -> None:
        """Take in the newest reading."""
        replugged = self._replugged(reading, now)
        rebooted = self._rebooted(reading)
        for key in CONTROLS:
            value = reading.controls[key]
            if value is None:
                continue
            changed = self._known.get(key, value) != value
            resets = key == FORCE and value == Force.NEUTRAL and replugged
            if value in self._sent[key]:
                del self._sent[key][: self._sent[key].index(value) + 1]
            elif changed and not resets and not rebooted:
                self.changed_at = now
            self._known[key] = value

    def _rebooted(self, reading: Reading) -> bool:
        before, self._reboots = self._reboots, reading.reboots
        return None not in (before, reading.reboots) and before != reading.reboots

    def _replugged(self, reading: Reading, now: datetime) -> bool:
        """Whether the car is away, was a moment ago, or was in a time that nobody watched."""
        away, was_away = reading.car == Car.AWAY, self._was_away
        self._was_away = away
        if away:
            self._away_at = now
        lately = self._away_at is not None and (now - self._away_at).total_seconds() <= _PLUGGING_S
        session_wh = self._session_wh if reading.session_wh is None else reading.session_wh
        restarted = session_wh < self._session_wh - _NEW_SESSION_WH
        self._session_wh = session_wh
        return lately or was_away or restarted
