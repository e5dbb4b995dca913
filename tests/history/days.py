"""Short words for what happens in a day, and days in which anything may happen."""

import json
from collections import defaultdict
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Any

from hypothesis import strategies as st

from pvcharge.history.energy import EnergyMeter, Increment, Quantity
from pvcharge.history.sessions import Prices, SessionTracker
from pvcharge.model import (
    NO_CHARGE,
    ChargerState,
    ChargerStatus,
    Decision,
    Mode,
    PowerFlow,
    Reason,
    Session,
)

NOON = datetime(2026, 6, 15, 12, tzinfo=UTC)
PRICES = Prices(import_price=0.30, feed_in_price=0.08)
CHARGING, READY = ChargerState.CHARGING, ChargerState.READY
GONE, ERROR, UNKNOWN = ChargerState.DISCONNECTED, ChargerState.ERROR, ChargerState.UNKNOWN


def at(seconds: float) -> datetime:
    """Return the time so long after noon."""
    return NOON + timedelta(seconds=seconds)


def mean(
    start_s: float,
    end_s: float,
    *,
    pv_w: float | None = None,
    grid_w: float | None = None,
    battery_w: float | None = None,
    source: str = "a",
) -> PowerFlow:
    """Return a mean over these seconds after noon."""
    return PowerFlow(at(start_s), at(end_s), pv_w, grid_w, battery_w, source=source)


def instant(
    at_s: float,
    *,
    pv_w: float | None = None,
    grid_w: float | None = None,
    battery_w: float | None = None,
    source: str = "a",
) -> PowerFlow:
    """Return an instant."""
    return mean(at_s, at_s, pv_w=pv_w, grid_w=grid_w, battery_w=battery_w, source=source)


def status(
    at_s: float,
    state: ChargerState = CHARGING,
    power_w: float = 0.0,
    *,
    phases: int = 0,
    session_wh: float | None = None,
    total_wh: float | None = None,
) -> ChargerStatus:
    """Return what the charger says."""
    return ChargerStatus(at(at_s), state, power_w, phases, session_wh=session_wh, total_wh=total_wh)


def decided(at_s: float, reason: Reason) -> Decision:
    """Return a decision with this reason."""
    return Decision(at(at_s), NO_CHARGE, reason, Mode.SURPLUS)


def increments(events: Iterable[object]) -> list[Increment]:
    """Return what a new meter makes of events."""
    meter = EnergyMeter()
    return [increment for event in events for increment in meter.take(event)]


def energies_wh(events: Iterable[object]) -> dict[Quantity, float]:
    """Return what a new meter counts, without what is zero."""
    sums: dict[Quantity, float] = defaultdict(float)
    for increment in increments(events):
        for quantity, energy_wh in increment.energy_wh.items():
            sums[quantity] += energy_wh
    return {quantity: energy_wh for quantity, energy_wh in sums.items() if energy_wh}


def sessions(events: Iterable[object]) -> list[Session]:
    """Return the sessions that have ended, and then the one that runs, if any."""
    tracker = SessionTracker(PRICES)
    ended = [session for event in events if (session := tracker.take(event)) is not None]
    return [*ended, *([tracker.current] if tracker.current else [])]


def only_session(events: Iterable[object]) -> Session:
    """Return the one session that there was or is."""
    (session,) = sessions(events)
    return session


def restarted(meter: EnergyMeter) -> EnergyMeter:
    """Return the meter of the next daemon, which knows what went through a file."""
    return EnergyMeter(json.loads(json.dumps(meter.state(), allow_nan=False)))


def restarted_tracker(tracker: SessionTracker) -> SessionTracker:
    """Return the tracker of the next daemon."""
    return SessionTracker(PRICES, json.loads(json.dumps(tracker.state(), allow_nan=False)))


_powers = st.one_of(st.none(), st.sampled_from([0.0, -0.0, 5000.0, -5000.0]), st.floats(-15_000, 15_000))
_flows = st.fixed_dictionaries(
    {
        "late_s": st.sampled_from([0.0, 0.0, 3.0, 360.0, 5000.0]),
        "span_s": st.sampled_from([0.0, 0.0, 60.0, 900.0]),
        "pv_w": _powers,
        "grid_w": _powers,
        "battery_w": _powers,
        "source": st.sampled_from("abc"),
    }
)
_counters = st.one_of(st.none(), st.floats(0, 300_000))
_statuses = st.fixed_dictionaries(
    {
        "state": st.sampled_from([*ChargerState, CHARGING, CHARGING, READY]),
        "power_w": st.sampled_from([0.0, 60.0, 11_040.0]),
        "phases": st.integers(0, 3),
        "session_wh": _counters,
        "total_wh": _counters,
    }
)
_reasons = st.fixed_dictionaries({"reason": st.sampled_from(Reason)})
_honest_states = st.fixed_dictionaries(
    {
        "state": st.sampled_from([CHARGING, CHARGING, READY, ERROR, GONE]),
        "charging_w": st.sampled_from([1380.0, 11_040.0]),
    }
)


def _told(now_s: float, late_s: float, span_s: float, **powers: Any) -> PowerFlow:
    """Return a reading that is told now."""
    return mean(now_s - late_s - span_s, now_s - late_s, **powers)


def _happened(day: Iterable[tuple[float, dict[str, Any]]]) -> list[object]:
    """Return the events of a day, of which the pauses before them are given."""
    now_s = 0.0
    events: list[object] = []
    for pause_s, event in day:
        now_s += pause_s
        make = status if "state" in event else decided if "reason" in event else _told
        events.append(make(now_s, **event))
    return events


def _truly_happened(day: Iterable[tuple[float, dict[str, Any]]]) -> list[object]:
    """Return the events of a day with a box of which the counters grow with the power, which is constant."""
    true: list[tuple[float, dict[str, Any]]] = []
    total_wh, session_wh, power_w, state = 70_000.0, 0.0, 0.0, GONE
    for pause_s, event in day:
        grown_wh = power_w * pause_s / 3600
        total_wh, session_wh = total_wh + grown_wh, session_wh + grown_wh
        if "state" not in event:
            true.append((pause_s, event))
            continue
        session_wh = 0.0 if state is GONE else session_wh
        state = event["state"]
        power_w = event["charging_w"] if state is CHARGING else 0.0
        measured = {"power_w": power_w, "session_wh": session_wh, "total_wh": total_wh}
        true.append((pause_s, {"state": state, **measured}))
    return _happened(true)


# Events of any kind in any order; the clock may jump, and the counters are as they like.
anything = st.lists(
    st.tuples(
        st.one_of(st.floats(0.01, 20), st.floats(0.01, 400), st.floats(-1000, 50_000)),
        st.one_of(_flows, _statuses, _statuses, _reasons),
    ),
    max_size=40,
).map(_happened)
# Events of a box that tells the truth.
honest = st.lists(
    st.tuples(
        st.sampled_from([1.0, 5.0, 60.0, 250.0, 4000.0]),
        st.one_of(_flows, _honest_states, _honest_states, _reasons),
    ),
    max_size=60,
).map(_truly_happened)
