"""The box as known so far: its merged properties and what was noticed about them."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from pvcharge.drivers.wattpilot.hand import HandWatch
from pvcharge.drivers.wattpilot.plan import Write, plan
from pvcharge.drivers.wattpilot.plug import PlugSense
from pvcharge.drivers.wattpilot.reading import KEYS, Reading, read
from pvcharge.drivers.wattpilot.status import fault_of, setpoint_of
from pvcharge.drivers.wattpilot.words import model_status_words
from pvcharge.model import ChargerState, ChargerStatus, Setpoint


class Box:
    """Merges properties into statuses. Properties belong to a connection, what was noticed outlives it."""

    def __init__(self) -> None:
        self._properties: dict[str, Any] = {}
        self._reading: Reading = read({})
        self._hand = HandWatch()
        self._plug = PlugSense()

    def forget(self) -> None:
        """Begin a new connection: nothing of the last one counts as known."""
        self._properties.clear()
        self._reading = read({})

    def merge(self, properties: Mapping[str, Any]) -> None:
        """Take over what changed of what matters; a property that is not mentioned is as it was."""
        if known := properties.keys() & KEYS:
            self._properties.update({key: properties[key] for key in known})
            self._reading = read(self._properties)

    def status(self, now: datetime) -> ChargerStatus:
        """Return the state at this moment. To be asked after every message: it also notes what changed."""
        reading = self._reading
        self._hand.see(reading, now)
        state = self._plug.see(reading, now)
        currents = reading.phase_currents_a
        return ChargerStatus(
            at=now,
            state=state,
            power_w=reading.power_w,
            phases=len(currents),
            current_a=sum(currents) / len(currents) if currents else 0.0,
            setpoint=setpoint_of(reading),
            min_current_a=reading.min_current_a,
            max_current_a=reading.max_current_a,
            session_wh=reading.session_wh,
            total_wh=reading.total_wh,
            changed_by_hand_at=self._hand.changed_at,
            fault=fault_of(reading) if state is ChargerState.ERROR else None,
        )

    def plan(self, wanted: Setpoint, now: datetime) -> tuple[Write, ...]:
        """Return the writes that may be made now."""
        return plan(self._reading, wanted, switching=self._plug.switching(now))

    def wrote(self, write: Write) -> None:
        """Remember that a change to this value will be ours."""
        self._hand.wrote(write.key, write.value)

    def refused(self, write: Write) -> None:
        """Remember that it will not."""
        self._hand.refused(write.key)

    def holds(self, write: Write) -> bool:
        """Return whether the box has this value."""
        return self._reading.controls[write.key] == write.value

    def health(self) -> dict[str, float | str]:
        """Return what the box says about itself."""
        facts: dict[str, float | str] = {}
        if self._reading.reboots is not None:
            facts["reboots"] = self._reading.reboots
        if self._reading.model_status is not None:
            facts["box_reason"] = model_status_words(self._reading.model_status)
        return facts
