"""Tells an unplugged car from one that the box loses sight of while it switches phases."""

from datetime import datetime

from pvcharge.drivers.wattpilot.codes import PHASES, ModelStatus
from pvcharge.drivers.wattpilot.reading import Reading
from pvcharge.drivers.wattpilot.status import state_of
from pvcharge.model import ChargerState

_CONTACT_S = 3.0  # a plug that comes out stays out for longer than this
_CAR_RETURNS_S = 10.0  # after the switch and the simulated unplug


class PlugSense:
    """Debounces the plug. During a phase switch the box may report "no car" or "complete" for 10 s or more.

    Time is passed in; it knows none of its own.
    """

    def __init__(self) -> None:
        self._reported: ChargerState | None = None
        self._away_since: datetime | None = None
        self._switched_at: datetime | None = None
        self._switch_s = 0.0  # longest time a phase switch may take until the car is back
        self._marks: tuple[int | None, bool | None, bool] | None = None

    def see(self, reading: Reading, now: datetime) -> ChargerState:
        """Take in the newest reading and return the state to believe."""
        self._note_switch(reading, now)
        state = state_of(reading)
        self._reported = self._held(state, now) or state
        return self._reported

    def switching(self, now: datetime) -> bool:
        """Return whether a phase switch of a charging car may still be going on."""
        return self._switched_at is not None and (now - self._switched_at).total_seconds() < self._switch_s

    def _note_switch(self, reading: Reading, now: datetime) -> None:
        """Note the beginning of a phase switch under load; any other is done at once, without a pause."""
        marks = (
            reading.controls[PHASES],
            reading.single_phase,
            reading.model_status == ModelStatus.SWITCHES_PHASES,
        )
        # Only the change to "switches phases" counts: an idle box may show that for ever.
        phases_changed = self._marks is not None and marks[:2] != self._marks[:2]
        begins = self._marks is not None and marks[2] and not self._marks[2]
        if (phases_changed or begins) and self._reported is ChargerState.CHARGING:
            self._switched_at = now
        self._marks = marks
        self._switch_s = reading.switch_pause_s + reading.unplug_s + _CAR_RETURNS_S

    def _held(self, state: ChargerState, now: datetime) -> ChargerState | None:
        """Return the state that still counts instead of the new one, or None."""
        if state is not ChargerState.DISCONNECTED:
            self._away_since = None
        if self._reported is None or not self._reported.plugged:
            return None
        if state is ChargerState.COMPLETE and self.switching(now):
            return self._reported
        if state is ChargerState.DISCONNECTED:
            self._away_since = self._away_since or now
            patience_s = self._switch_s if self.switching(self._away_since) else _CONTACT_S
            if (now - self._away_since).total_seconds() < patience_s:
                return self._reported
        return None
