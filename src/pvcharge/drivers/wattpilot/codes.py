"""The names and numbers that the box uses for what it can be set to, and for the car."""

from enum import IntEnum

FORCE = "frc"  # a `Force`
LOGIC = "lmo"  # a `Logic`
CURRENT = "amp"  # per phase, in whole amps
PHASES = "psm"  # a `PhaseMode`
CONTROLS = (FORCE, LOGIC, CURRENT, PHASES)


class Force(IntEnum):
    """Whether charging is forced on or off; the box falls back to neutral when the car is unplugged."""

    NEUTRAL = 0  # the logic decides
    OFF = 1
    ON = 2


class Logic(IntEnum):
    """Who decides while the force state is neutral."""

    DEFAULT = 3  # nobody: charge
    ECO = 4  # the box's own surplus and price logic
    NEXT_TRIP = 5


class PhaseMode(IntEnum):
    """How many phases to use."""

    AUTOMATIC = 0
    SINGLE = 1
    THREE = 2


class Car(IntEnum):
    """The car as the box sees it."""

    UNKNOWN = 0
    AWAY = 1
    CHARGING = 2
    WAITING = 3
    COMPLETE = 4  # also after a pause of ours
    ERROR = 5


class ModelStatus(IntEnum):
    """The reasons for charging or not that mean more to us than their words."""

    SWITCHES_PHASES = 23
    FAULT = 26
