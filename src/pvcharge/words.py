"""Decisions in plain words: what is done, why, and what would have to change. One table for every surface."""

from datetime import UTC, tzinfo

from pvcharge.model import (
    SINGLE_PHASE,
    UNTRUE,
    ChargerState,
    Decision,
    Distrust,
    PowerFlow,
    Reason,
    Setpoint,
)

STATES = {
    ChargerState.UNKNOWN: "unknown",
    ChargerState.DISCONNECTED: "no car",
    ChargerState.READY: "car plugged in, not charging",
    ChargerState.CHARGING: "charging",
    ChargerState.COMPLETE: "car full or paused",
    ChargerState.ERROR: "fault",
}

# {surplus} and {needed} in kW, {age} of the newest reading, {at} and {until} when a limit or a boost ends.
SENTENCES = {
    Reason.NO_STATUS: "Waiting for the charger: it has not been heard for some time.",
    Reason.CHARGER_FAULT: "Not charging: the charger reports a fault.",
    Reason.CHARGER_LIMIT: "Not charging: cable, temperature or installation allow too little current.",
    Reason.NO_CAR: "No car is plugged in.",
    Reason.SWITCHED_OFF: "Switched off by you.",
    Reason.BOOST: "Boost: full power{until}.",
    Reason.BY_HAND: "Left as you set it at the charger.",
    Reason.NO_DATA: "Waiting for the first usable reading; the charger is left as it was found.",
    Reason.STALE_HOLD: "Holding {setpoint}: the newest reading is {age} old.",
    Reason.STALE_MINIMUM: "Charging at the minimum: no usable reading for {age}.",
    Reason.STALE_STOP: "Not charging: no usable reading for {age}.",
    Reason.FOLLOWING: "Following the surplus of {surplus}.",
    Reason.MINIMUM: "Charging at the minimum: the surplus of {surplus} is below it.",
    Reason.TOO_LITTLE: "Waiting: surplus {surplus}, charging pays from {needed}.",
    Reason.NOT_WORTH_IT: "Surplus {surplus}: waiting to see whether it lasts.",
    Reason.MIN_ON_TIME: "Surplus {surplus}: will stop when the minimum charging time ends{at}.",
    Reason.MIN_OFF_TIME: "Surplus {surplus}: will start when the minimum pause ends{at}.",
    Reason.SWITCH_LIMIT: "Surplus {surplus}: no further start or phase switch{until}.",
}

# What is wrong with a source of readings, after its name.
DOUBTS = {
    Distrust.SILENT: "has been silent",
    Distrust.FROZEN: "tells the same values again and again",
    Distrust.INCOMPLETE: "does not tell all the powers that are needed",
    Distrust.RETURNING: "has come back only just now",
    Distrust.BACKWARDS: "tells grid power of the wrong sign",
    Distrust.SCALED: "tells grid power of the wrong size",
    Distrust.OTHER_METER: "does not see what the charger draws",
    Distrust.CONTRADICTED: "is contradicted by another source",
}
# What is done because of that, though its readings are there.
WITHOUT_READINGS = {
    Reason.STALE_MINIMUM: "Charging at the minimum",
    Reason.STALE_STOP: "Not charging",
}
LONGEST_NAME = 60  # of a source; two of them fit into a sentence of 255 characters


def explain(decision: Decision, timezone: tzinfo = UTC) -> str:
    """Return one sentence that says why a decision is as it is."""
    done, doubt = WITHOUT_READINGS.get(decision.reason), decision.distrust
    if done and doubt in UNTRUE and decision.source is not None:
        return f"{done}: {_name(decision.source)} {DOUBTS[doubt]}."
    end = decision.boost_until if decision.reason is Reason.BOOST else decision.waits_until
    clock = f"{end.astimezone(timezone):%H:%M:%S}" if end else ""
    return SENTENCES[decision.reason].format(
        surplus=kilowatts(decision.surplus_w),
        needed=kilowatts(decision.needed_w),
        age=duration(decision.reading_age_s),
        setpoint=level(decision.setpoint),
        at=f" at {clock}" if clock else "",
        until=f" until {clock}" if clock else "",
    )


def explain_source(decision: Decision, trusted: str | None) -> str | None:
    """Return one sentence that says whose readings are followed, and why not those that are trusted most.

    Args:
        decision: that is made by them.
        trusted: the name of the source that is trusted most, as far as one has been heard.

    Returns:
        The sentence; None as long as there are no readings.
    """
    if decision.source is None:
        return None
    source = _name(decision.source)
    if decision.distrust is None:
        return f"{source} drives."
    doubt = DOUBTS[decision.distrust]
    if trusted is None or trusted == decision.source:
        return f"{source} drives, but it {doubt}."
    return f"{source} drives, since {_name(trusted)} {doubt}."


def _name(source: str) -> str:
    if not source:
        return "a source without a name"
    return source if len(source) <= LONGEST_NAME else f"{source[: LONGEST_NAME - 1]}…"


def powers(flow: PowerFlow) -> list[str]:
    """Return each power that a reading tells."""
    told = {"PV": flow.pv_w, "grid": flow.grid_w, "load": flow.load_w, "battery": flow.battery_w}
    return [f"{name} {value:.0f} W" for name, value in told.items() if value is not None]


def level(setpoint: Setpoint | None) -> str:
    """Return what a charger is set to."""
    if setpoint is None:
        return "unknown"
    if not setpoint.charges:
        return "off"
    phases = "1 phase" if setpoint.phases == SINGLE_PHASE else f"{setpoint.phases} phases"
    return f"{setpoint.current_a} A on {phases}"


def kilowatts(power_w: float | None) -> str:
    """Return a power in kW with one decimal."""
    return "unknown" if power_w is None else f"{power_w / 1000:.1f} kW"


def duration(seconds: float | None) -> str:
    """Return a duration in the unit that suits it."""
    if seconds is None:
        return "a long time"
    if seconds < 120:  # noqa: PLR2004 - two minutes read better in seconds
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 7200 else f"{seconds / 3600:.0f} h"  # noqa: PLR2004
