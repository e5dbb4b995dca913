"""The vocabulary that every room speaks; it imports nothing of ours.

Units stand in the names (`_w`, `_wh`, `_a`, `_v`, `_s`, `_pct`); times are UTC-aware datetimes.
`None` means "the device does not say"; a failed read is an error, never `None` or 0.
Signs: `grid_w` + import / - export, `battery_w` + charging / - discharging, all else >= 0,
so that pv + grid = load + battery.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from math import isfinite
from typing import Protocol

SINGLE_PHASE = 1
THREE_PHASE = 3
LONGEST_BOOST = timedelta(days=2)  # with an end: none is commanded for more than one, and clocks may differ


class Clock(Protocol):
    """Where time comes from: the system, an accelerated demo, or a test."""

    def now(self) -> datetime:
        """Return the current time, UTC-aware."""
        ...

    async def sleep(self, seconds: float) -> None:
        """Return after this many seconds of this clock's time."""
        ...


class Mode(StrEnum):
    """What the driver of the car wants."""

    OFF = "off"
    SURPLUS = "surplus"
    MIN_SURPLUS = "min_surplus"  # at least the smallest current, more with surplus
    BOOST = "boost"  # full power now, whatever it costs


class ChargerState(StrEnum):
    """The car as the charger sees it."""

    UNKNOWN = "unknown"
    DISCONNECTED = "disconnected"
    READY = "ready"  # plugged in, draws nothing
    CHARGING = "charging"
    COMPLETE = "complete"  # drew power and ended by itself, or was paused
    ERROR = "error"

    @property
    def plugged(self) -> bool:
        """Whether a car is at the cable, as far as the charger knows."""
        return self in (ChargerState.READY, ChargerState.CHARGING, ChargerState.COMPLETE)


@dataclass(frozen=True, slots=True)
class PowerFlow:
    """Powers of the house at an instant (start == end) or as means over [start, end].

    Raises:
        ValueError: end before start, a naive time, or a number that is not finite.
    """

    start: datetime
    end: datetime
    pv_w: float | None = None
    grid_w: float | None = None  # + import, - export
    battery_w: float | None = None  # + charging, - discharging
    load_w: float | None = None  # everything behind the meter, the charger included
    battery_soc_pct: float | None = None
    source: str = ""  # name of the configured inverter
    rank: int = 0  # of the source among those of this house, 0 being trusted most
    limited: bool = False  # production is held back, so that the grid power hides some of the surplus

    def __post_init__(self) -> None:
        if self.start.tzinfo is None or not self.start <= self.end:
            raise ValueError(f"{self.source or 'reading'}: {self.start} .. {self.end} is no interval of time")
        for value in (self.pv_w, self.grid_w, self.battery_w, self.load_w, self.battery_soc_pct):
            if value is not None and not isfinite(value):
                raise ValueError(f"{self.source or 'reading'}: {value} is not a finite number")

    @property
    def span_s(self) -> float:
        """Length of the interval in seconds, 0 for an instant."""
        return (self.end - self.start).total_seconds()


@dataclass(frozen=True, slots=True)
class Setpoint:
    """What the charger shall do: 0 phases = do not charge, else 1 or 3 phases and whole amps each.

    Raises:
        ValueError: a current without phases, phases without a current, or 2 phases.
    """

    phases: int
    current_a: int

    def __post_init__(self) -> None:
        legal = self.current_a > 0 if self.phases in (SINGLE_PHASE, THREE_PHASE) else not self.current_a
        if not legal or self.phases not in (0, SINGLE_PHASE, THREE_PHASE):
            raise ValueError(f"no such setpoint: {self.phases} phases, {self.current_a} A")

    @property
    def charges(self) -> bool:
        """Whether the car may draw power."""
        return self.phases > 0

    def power_w(self, voltage_v: float) -> float:
        """Nominal power at this phase voltage."""
        return self.phases * self.current_a * voltage_v

    def __str__(self) -> str:
        return f"{self.phases}p {self.current_a} A" if self.phases else "off"


NO_CHARGE = Setpoint(0, 0)


@dataclass(frozen=True, slots=True)
class SetpointLimits:
    """What the house allows, as configured, whoever decides."""

    phases: tuple[int, ...]
    min_current_a: int
    max_current_a: int

    @property
    def full(self) -> Setpoint:
        """The setpoint of a boost."""
        return Setpoint(max(self.phases), self.max_current_a)

    @property
    def smallest(self) -> Setpoint:
        """The least with which a car charges."""
        return Setpoint(min(self.phases), self.min_current_a)

    def clamp(self, setpoint: Setpoint) -> Setpoint:
        """Return the setpoint within the limits, never on more phases than it says."""
        phases = [number for number in self.phases if number <= setpoint.phases]
        if not phases:
            return NO_CHARGE
        return Setpoint(max(phases), min(max(setpoint.current_a, self.min_current_a), self.max_current_a))


@dataclass(frozen=True, slots=True)
class ChargerStatus:
    """One measurement of the charger, with the limits it reports and what it is set to."""

    at: datetime
    state: ChargerState
    power_w: float  # drawn now, over all phases
    phases: int = 0  # that carry current now
    current_a: float = 0.0  # per phase, measured
    setpoint: Setpoint | None = None  # what the box is set to, whoever set it
    min_current_a: int | None = None  # the charger's own lower limit
    max_current_a: int | None = None  # least of installation, cable, adapter, temperature, load balancing
    session_wh: float | None = None  # since plug-in
    total_wh: float | None = None  # lifetime counter
    changed_by_hand_at: datetime | None = None  # last change that was not ours (box button, maker's app)
    fault: str | None = None  # the charger's own words, in the ERROR state


class Reason(StrEnum):
    """Why a decision is as it is; every surface can put it into words."""

    NO_STATUS = "no_status"  # the charger has not been heard yet
    CHARGER_FAULT = "charger_fault"
    CHARGER_LIMIT = "charger_limit"  # cable, temperature or installation allow less than the minimum
    NO_CAR = "no_car"
    SWITCHED_OFF = "switched_off"  # mode off
    BOOST = "boost"
    BY_HAND = "by_hand"  # the driver changed something at the box
    NO_DATA = "no_data"  # no reading yet
    STALE_HOLD = "stale_hold"  # readings are late, the last level is kept for a while
    STALE_MINIMUM = "stale_minimum"
    STALE_STOP = "stale_stop"
    FOLLOWING = "following"  # the level follows the surplus
    MINIMUM = "minimum"  # mode min_surplus, surplus below the minimum
    TOO_LITTLE = "too_little"  # not enough surplus to charge
    NOT_WORTH_IT = "not_worth_it"  # another state fits better, but not yet for long enough
    MIN_ON_TIME = "min_on_time"
    MIN_OFF_TIME = "min_off_time"
    SWITCH_LIMIT = "switch_limit"  # too many starts or phase switches within the hour


class Distrust(StrEnum):
    """Why a source of readings does not drive, although it is trusted more than the one that does."""

    SILENT = "silent"  # nothing new for too long, by its own rhythm
    FROZEN = "frozen"  # equal values for too long, or while the charger's power moved
    INCOMPLETE = "incomplete"  # no grid power, or no battery power where there is a battery
    RETURNING = "returning"  # back, but not for long enough yet
    BACKWARDS = "backwards"  # grid power of the wrong sign: current transformers, or a setting
    SCALED = "scaled"  # grid power too large or small by a constant factor: a unit, or a missing phase
    OTHER_METER = "other_meter"  # does not see the charger
    CONTRADICTED = "contradicted"  # by another source, for no known reason; followed all the same


# Why readings that come, and are new, cannot be true; nobody knows which of two that differ is wrong.
UNTRUE = frozenset({Distrust.BACKWARDS, Distrust.SCALED, Distrust.OTHER_METER})


@dataclass(frozen=True, slots=True)
class Decision:
    """What shall be done from `at` on, and why."""

    at: datetime
    setpoint: Setpoint
    reason: Reason
    mode: Mode
    surplus_w: float | None = None  # for the car, as expected now
    needed_w: float | None = None  # surplus from which charging would be worth it
    reading_age_s: float | None = None  # since the end of the newest usable reading
    waits_until: datetime | None = None  # when the limit named by `reason` allows the next change
    boost_until: datetime | None = None
    source: str | None = None  # of the readings that are followed
    distrust: Distrust | None = None  # why not of the one that is trusted most; None if it is followed

    @property
    def binding(self) -> bool:
        """Whether the charger may be set to it.

        Nothing is written before the charger has been heard; nor during a fault, lest it be carried out when
        the fault ends; nor what the driver of the car set by hand: a box in a mode of its own has no setpoint
        that could be written without changing it.
        """
        return self.reason not in (Reason.NO_STATUS, Reason.CHARGER_FAULT, Reason.BY_HAND)


@dataclass(frozen=True, slots=True)
class ModeCommand:
    """The user's own command; `until` ends a boost by itself."""

    mode: Mode
    until: datetime | None = None

    def ends_too_late(self, now: datetime) -> bool:
        """Whether its end was told by a clock that was ahead: by the right one it may be years away."""
        return self.until is not None and self.until > now + LONGEST_BOOST


@dataclass(frozen=True, slots=True)
class LimitsCommand:
    """The user's own limits of the current, within the configured ones; None leaves one as it is."""

    min_current_a: int | None = None
    max_current_a: int | None = None


@dataclass(frozen=True, slots=True)
class SettingsCommand:
    """The settings of the controller as the user wants them from now on: all of `[control]`, as JSON."""

    document: str


@dataclass(frozen=True, slots=True)
class ForgetCommand:
    """The user wants the controller to forget all that it has learned."""


@dataclass(frozen=True, slots=True)
class Lease:
    """A setpoint that is good for a while: unless renewed, the edge falls back to its own settings."""

    seq: int  # rises with each lease
    at: datetime  # of the decision behind it
    duration_s: float
    setpoint: Setpoint
    hand_known_at: datetime | None = None  # the last change by hand that the decision knew of

    @property
    def expires(self) -> datetime:
        """When the setpoint is void."""
        return self.at + timedelta(seconds=self.duration_s)


@dataclass(frozen=True, slots=True)
class EnergyTotals:
    """Energies in Wh since the daemon first ran here; none of them ever falls."""

    at: datetime
    pv_wh: float = 0.0
    import_wh: float = 0.0
    export_wh: float = 0.0
    battery_in_wh: float = 0.0
    battery_out_wh: float = 0.0
    charger_wh: float = 0.0


@dataclass(frozen=True, slots=True)
class Session:
    """One car, from plug-in to unplug; while it is there `ended_at` is None.

    Money is in the currency of the configured prices: what the energy cost, solar energy at the feed-in
    price that was forgone, and what was saved against buying all of it.
    """

    started_at: datetime
    ended_at: datetime | None
    energy_wh: float
    solar_wh: float  # of it, not bought
    cost: float
    saved: float
    charging_s: float
    starts: int
    phase_switches: int
    pauses_s: Mapping[str, float]  # seconds without charging, by the decision's reason


@dataclass(frozen=True, slots=True)
class DeviceHealth:
    """How a device is doing, for every surface that shows it."""

    name: str
    at: datetime
    ok: bool
    since: datetime  # when `ok` last changed
    error: str | None = None  # the device's or driver's last words while not ok
    facts: Mapping[str, float | str] = field(default_factory=dict)  # such as the requests left
