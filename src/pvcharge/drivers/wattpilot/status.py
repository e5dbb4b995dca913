"""What a reading means in the project's own words."""

from pvcharge.drivers.wattpilot.codes import (
    CURRENT,
    FORCE,
    LOGIC,
    PHASES,
    Car,
    Force,
    Logic,
    ModelStatus,
    PhaseMode,
)
from pvcharge.drivers.wattpilot.reading import MOST_A, Reading
from pvcharge.drivers.wattpilot.words import error_words, model_status_words
from pvcharge.model import NO_CHARGE, SINGLE_PHASE, THREE_PHASE, ChargerState, Setpoint

_STANDBY_W = 50.0  # a plugged car's electronics, not charging


def state_of(reading: Reading) -> ChargerState:
    """Return the state as the box reports it at this moment."""
    if reading.error or reading.model_status == ModelStatus.FAULT or reading.car == Car.ERROR:
        return ChargerState.ERROR
    match reading.car:
        case Car.AWAY:
            return ChargerState.DISCONNECTED
        case Car.CHARGING:
            # Some firmware goes on saying "charging" after charging was forbidden.
            rests = reading.allowed is False and reading.power_w < _STANDBY_W
            return ChargerState.READY if rests else ChargerState.CHARGING
        case Car.WAITING:
            return ChargerState.READY
        case Car.COMPLETE:
            return ChargerState.COMPLETE
    return ChargerState.UNKNOWN


def fault_of(reading: Reading) -> str | None:
    """Return what is wrong, in words, or None if nothing is."""
    if state_of(reading) is not ChargerState.ERROR:
        return None
    return error_words(reading.error) if reading.error else model_status_words(ModelStatus.FAULT)


def phases_of(reading: Reading) -> int | None:
    """Return the phases that the box is set to use, 1 or 3; None if that cannot be known."""
    match reading.controls[PHASES]:
        case PhaseMode.SINGLE:
            return SINGLE_PHASE
        case PhaseMode.THREE:
            return THREE_PHASE
    if reading.single_phase is not None:
        return SINGLE_PHASE if reading.single_phase else THREE_PHASE
    if reading.phase_currents_a:
        return SINGLE_PHASE if len(reading.phase_currents_a) == 1 else THREE_PHASE
    return None


def setpoint_of(reading: Reading) -> Setpoint | None:
    """Return what the box is set to; None if its own logic decides (Eco, Next Trip) or it does not say."""
    force = reading.controls[FORCE]
    if force == Force.OFF:
        return NO_CHARGE
    obeys = force == Force.ON or (force == Force.NEUTRAL and reading.controls[LOGIC] == Logic.DEFAULT)
    current_a, phases = reading.controls[CURRENT], phases_of(reading)
    if not obeys or phases is None or current_a is None or not 0 < current_a <= MOST_A:
        return None
    return Setpoint(phases, current_a)
