"""What to write, and in which order, to bring the box from what it is set to to what is wanted."""

from typing import NamedTuple

from pvcharge.drivers.wattpilot.codes import CURRENT, FORCE, LOGIC, PHASES, Force, Logic, PhaseMode
from pvcharge.drivers.wattpilot.reading import Reading
from pvcharge.drivers.wattpilot.status import phases_of
from pvcharge.model import SINGLE_PHASE, Setpoint

LOWEST_A = 6  # the least that a car can be offered
HIGHEST_A = 32  # the most that any Wattpilot can give


class Write(NamedTuple):
    """One property and the value it shall have."""

    key: str
    value: int

    def __str__(self) -> str:
        return f"{self.key}={self.value}"


def plan(reading: Reading, wanted: Setpoint, *, switching: bool) -> tuple[Write, ...]:
    """Return the writes that may be made now, in an order that is safe wherever it breaks off.

    What must wait is left out and comes with a later call: everything while a running charge switches
    phases (`switching`), and a phase switch until a fault has passed.
    """
    current_a = legal_current_a(reading, wanted.current_a)
    if not wanted.charges or current_a is None:
        steps = [Write(FORCE, Force.OFF)]  # works in any mode, so nothing else need be touched
    else:
        steps = _steps_to_run(reading, wanted.phases, current_a, switching=switching)
    return tuple(step for step in steps if reading.controls[step.key] != step.value)


def legal_current_a(reading: Reading, wanted_a: int) -> int | None:
    """Return the current nearest to the wanted one that the box allows, or None if it allows none."""
    lowest_a = max(LOWEST_A, reading.min_current_a or LOWEST_A)
    highest_a = min(HIGHEST_A, reading.max_current_a or HIGHEST_A)
    return min(max(wanted_a, lowest_a), highest_a) if lowest_a <= highest_a else None


def _steps_to_run(reading: Reading, phases: int, current_a: int, *, switching: bool) -> list[Write]:
    """Return the steps to charging, never through a state with more power than both ends have.

    The mode and the force state, which can start a charge, come last. The current comes before the
    phases, since it must not change during the pause that a phase switch makes. There is one exception:
    from three phases to one with more current, raising the current first would leave the car at three
    times the power if the phase switch failed. Then the current follows after the pause.
    """
    runs = reading.controls[FORCE] != Force.OFF
    phases_now, current_now_a = phases_of(reading), reading.controls[CURRENT]
    switches = phases_now != phases
    if (switching and runs) or (switches and reading.error):
        return []
    falls_to_one = phases == SINGLE_PHASE != phases_now
    rises = current_now_a is None or current_a > current_now_a
    steps = [] if runs and falls_to_one and rises else [Write(CURRENT, current_a)]
    if switches:
        steps.append(Write(PHASES, PhaseMode.SINGLE if phases == SINGLE_PHASE else PhaseMode.THREE))
    return [*steps, Write(LOGIC, Logic.DEFAULT), Write(FORCE, Force.NEUTRAL)]
