"""From the box's properties, of which each may be missing or of any type, to typed values."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pvcharge.drivers.wattpilot.codes import CONTROLS

_MODEL_LIMITS_A = {11: 16, 22: 32}  # by rated kW
_CABLE_AND_STATE_LIMITS = (
    # `requestedCurrent` stands there, too, but is only `amp` again: as a limit it could never rise.
    "cableCurrentLimit",
    "currentLimitMax",
    "loadLimit",
    "temperatureCurrentLimit",
    "unsymetryCurrentLimit",
)
# All that is ever looked at: a box that reported new names for ever would else fill the memory.
KEYS = frozenset(
    (
        *CONTROLS,
        *("car", "err", "modelStatus", "alw", "fsp", "nrg", "tpa", "wh", "eto", "psmd", "sumd", "rbc"),
        *("mca", "ama", "cbl", "amt", "var", "cll", "isgo", "adi", "la1", "la3"),
    )
)
_FLOWS_A = 1.0  # less than this is noise of the meter, not a phase in use
_TOTAL_POWER = 11  # places in the list `nrg`
_FIRST_CURRENT, _LAST_CURRENT = 4, 6
_DEFAULT_PAUSE_MS = 10_000.0
_PLAUSIBLE = 1e12
MOST_A = 1000  # beyond this and the next a number is no measurement, of whatever box
_MOST_W = 1e6


@dataclass(frozen=True, slots=True)
class Reading:
    """What the box says at one moment; None where it says nothing.

    Attributes:
        controls: what it is set to, by the names in `CONTROLS`.
        single_phase: what the automatic choice of phases came to.
        phase_currents_a: of the phases that carry current.
        switch_pause_s: how long charging rests while the phases are switched.
        unplug_s: how long the box plays an unplugged car to wake a sleepy one.
    """

    controls: Mapping[str, int | None]
    car: int | None
    error: int
    model_status: int | None
    allowed: bool | None
    single_phase: bool | None
    power_w: float
    phase_currents_a: tuple[float, ...]
    min_current_a: int | None
    max_current_a: int | None
    session_wh: float | None
    total_wh: float | None
    switch_pause_s: float
    unplug_s: float
    reboots: int | None


def read(properties: Mapping[str, Any]) -> Reading:
    """Extract what matters. Never raises, whatever the values are."""
    return Reading(
        controls={key: whole(properties.get(key)) for key in CONTROLS},
        car=whole(properties.get("car")),
        error=whole(properties.get("err")) or 0,
        model_status=whole(properties.get("modelStatus")),
        allowed=flag(properties.get("alw")),
        single_phase=flag(properties.get("fsp")),
        power_w=_power_w(properties),
        phase_currents_a=_phase_currents_a(properties),
        min_current_a=_amps(properties.get("mca")),
        max_current_a=_max_current_a(properties),
        session_wh=_counter_wh(properties.get("wh")),
        total_wh=_counter_wh(properties.get("eto")),
        switch_pause_s=_seconds(properties.get("psmd")),
        unplug_s=_seconds(properties.get("sumd")),
        reboots=whole(properties.get("rbc")),
    )


def number(value: Any) -> float | None:
    """Return a finite number of plausible size, else None; a truth value is no number."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return float(value) if abs(value) < _PLAUSIBLE else None  # NaN is not below anything


def whole(value: Any) -> int | None:
    """Return a number cut down to a whole one, else None."""
    result = number(value)
    return None if result is None else int(result)


def flag(value: Any) -> bool | None:
    """Return a truth value that may also come as 0 or 1, else None."""
    result = float(value) if isinstance(value, bool) else number(value)
    return bool(result) if result in (0.0, 1.0) else None


def _amps(value: Any) -> int | None:
    """Return a limit of the current; 0 stands for "no such limit"."""
    result = whole(value)
    return result if result is not None and 0 < result <= MOST_A else None


def _at_most(value: float | None, most: float) -> float | None:
    return value if value is not None and value <= most else None


def _measured(properties: Mapping[str, Any], index: int, most: float) -> float | None:
    values = properties.get("nrg")
    return _at_most(number(values[index]), most) if isinstance(values, list) and index < len(values) else None


def _power_w(properties: Mapping[str, Any]) -> float:
    power_w = _measured(properties, _TOTAL_POWER, _MOST_W)
    if power_w is None:
        power_w = _at_most(number(properties.get("tpa")), _MOST_W)  # a mean of 30 s is better than nothing
    return max(0.0, power_w or 0.0)


def _phase_currents_a(properties: Mapping[str, Any]) -> tuple[float, ...]:
    currents = (_measured(properties, index, MOST_A) for index in range(_FIRST_CURRENT, _LAST_CURRENT + 1))
    return tuple(current for current in currents if current is not None and current > _FLOWS_A)


def _max_current_a(properties: Mapping[str, Any]) -> int | None:
    """Return the least of all limits that the box reports."""
    limits = [
        _MODEL_LIMITS_A.get(whole(properties.get("var")) or 0),
        *(_amps(properties.get(key)) for key in ("ama", "cbl", "amt")),
    ]
    details = properties.get("cll")
    if isinstance(details, dict):
        limits += [_amps(details.get(key)) for key in _CABLE_AND_STATE_LIMITS]
    if flag(properties.get("isgo")) and flag(properties.get("adi")):  # other models say `adi` without meaning
        limits += [_amps(properties.get("la1")), _amps(properties.get("la3"))]
    return min((limit for limit in limits if limit is not None), default=None)


def _counter_wh(value: Any) -> float | None:
    """Energy counters dip below zero by a few mWh at the start of a session."""
    result = number(value)
    return None if result is None else max(0.0, result)


def _seconds(value: Any) -> float:
    milliseconds = number(value)
    return (_DEFAULT_PAUSE_MS if milliseconds is None else max(0.0, milliseconds)) / 1000
