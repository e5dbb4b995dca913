"""Events as rows and back: what is read equals what was written, to the microsecond and the last bit."""

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

from pvcharge.model import (
    ChargerState,
    ChargerStatus,
    Decision,
    DeviceHealth,
    Distrust,
    EnergyTotals,
    ForgetCommand,
    Lease,
    LimitsCommand,
    Mode,
    ModeCommand,
    PowerFlow,
    Reason,
    Session,
    Setpoint,
    SettingsCommand,
)
from pvcharge.texts import sendable

Event = (
    PowerFlow
    | ChargerStatus
    | ModeCommand
    | LimitsCommand
    | SettingsCommand
    | ForgetCommand
    | Decision
    | Lease
    | DeviceHealth
    | EnergyTotals
    | Session
)
Row = tuple[Any, ...]

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


def to_us(at: datetime) -> int:
    """Return a time as the store has it."""
    return (at - _EPOCH) // _MICROSECOND


def from_us(at_us: int) -> datetime:
    """Return a time of the store."""
    return _EPOCH + timedelta(microseconds=at_us)


def _maybe_us(at: datetime | None) -> int | None:
    return None if at is None else to_us(at)


def _maybe_time(at_us: int | None) -> datetime | None:
    return None if at_us is None else from_us(at_us)


def _maybe_text(it: str | None) -> str | None:
    return None if it is None else sendable(it)


def _object(text: str) -> dict[str, Any]:
    document = json.loads(text)
    if not isinstance(document, dict):
        raise ValueError("no JSON object")  # noqa: TRY004 - of the text, not of its type
    return document


def _flow_row(it: PowerFlow) -> Row:
    times = to_us(it.start), to_us(it.end)
    powers = it.pv_w, it.grid_w, it.battery_w, it.load_w
    return (*times, *powers, it.battery_soc_pct, sendable(it.source), it.rank, it.limited)


def _flow(start_us: int, end_us: int, *rest: Any) -> PowerFlow:
    pv_w, grid_w, battery_w, load_w, soc_pct, source, rank, limited = rest
    times = from_us(start_us), from_us(end_us)
    return PowerFlow(*times, pv_w, grid_w, battery_w, load_w, soc_pct, source, rank, bool(limited))


def _status_row(it: ChargerStatus) -> Row:
    setpoint = (it.setpoint.phases, it.setpoint.current_a) if it.setpoint else (None, None)
    measured = to_us(it.at), it.state.value, it.power_w, it.phases, it.current_a
    limits = it.min_current_a, it.max_current_a
    return (
        *measured,
        *setpoint,
        *limits,
        it.session_wh,
        it.total_wh,
        _maybe_us(it.changed_by_hand_at),
        _maybe_text(it.fault),
    )


def _status(at_us: int, state: str, *rest: Any) -> ChargerStatus:
    power_w, phases, current_a, set_phases, set_a, low_a, high_a, session_wh, total_wh, hand_us, fault = rest
    setpoint = None if set_phases is None else Setpoint(set_phases, set_a)
    return ChargerStatus(
        from_us(at_us),
        ChargerState(state),
        power_w,
        phases,
        current_a,
        setpoint,
        low_a,
        high_a,
        session_wh,
        total_wh,
        _maybe_time(hand_us),
        fault,
    )


def _mode_row(it: ModeCommand) -> Row:
    return it.mode.value, _maybe_us(it.until)


def _mode(mode: str, until_us: int | None) -> ModeCommand:
    return ModeCommand(Mode(mode), _maybe_time(until_us))


def _decision_row(it: Decision) -> Row:
    decided = to_us(it.at), it.setpoint.phases, it.setpoint.current_a, it.reason.value, it.mode.value
    ends = _maybe_us(it.waits_until), _maybe_us(it.boost_until)
    distrust = it.distrust and it.distrust.value
    return (*decided, it.surplus_w, it.needed_w, it.reading_age_s, *ends, _maybe_text(it.source), distrust)


def _decision(at_us: int, phases: int, current_a: int, reason: str, mode: str, *rest: Any) -> Decision:
    surplus_w, needed_w, age_s, waits_us, boost_us, source, distrust = rest
    return Decision(
        from_us(at_us),
        Setpoint(phases, current_a),
        Reason(reason),
        Mode(mode),
        surplus_w,
        needed_w,
        age_s,
        _maybe_time(waits_us),
        _maybe_time(boost_us),
        source,
        None if distrust is None else Distrust(distrust),
    )


def _lease_row(it: Lease) -> Row:
    setpoint = it.setpoint.phases, it.setpoint.current_a
    return (it.seq, to_us(it.at), it.duration_s, *setpoint, _maybe_us(it.hand_known_at))


def _lease(number: int, at_us: int, duration_s: float, *rest: Any) -> Lease:
    phases, current_a, hand_us = rest
    return Lease(number, from_us(at_us), duration_s, Setpoint(phases, current_a), _maybe_time(hand_us))


def _health_row(it: DeviceHealth) -> Row:
    words = _maybe_text(it.error), json.dumps(dict(it.facts))
    return (to_us(it.at), sendable(it.name), it.ok, to_us(it.since), *words)


def _health(at_us: int, name: str, ok: int, since_us: int, error: str | None, facts: str) -> DeviceHealth:
    return DeviceHealth(
        name, from_us(at_us), ok=bool(ok), since=from_us(since_us), error=error, facts=_object(facts)
    )


def _totals_row(it: EnergyTotals) -> Row:
    battery_wh = it.battery_in_wh, it.battery_out_wh
    return (to_us(it.at), it.pv_wh, it.import_wh, it.export_wh, *battery_wh, it.charger_wh)


def _totals(at_us: int, *energies: Any) -> EnergyTotals:
    return EnergyTotals(from_us(at_us), *energies)


def _session_row(it: Session) -> Row:
    figures = it.energy_wh, it.solar_wh, it.cost, it.saved, it.charging_s, it.starts, it.phase_switches
    return (to_us(it.started_at), _maybe_us(it.ended_at), *figures, json.dumps(dict(it.pauses_s)))


def _session(started_us: int, ended_us: int | None, *rest: Any) -> Session:
    energy_wh, solar_wh, cost, saved, charging_s, starts, phase_switches, pauses_s = rest
    times = from_us(started_us), _maybe_time(ended_us)
    figures = energy_wh, solar_wh, cost, saved, charging_s, starts, phase_switches
    return Session(*times, *figures, _object(pauses_s))


class Table:
    """Where a kind of event is kept.

    Args:
        name: the table's.
        width: how many columns it has besides `seq`.
        to_row: returns their values.
        from_row: makes an event of them again.

    Attributes:
        insert: the statement that adds a row.
        select: yields rows with numbers from .. to .., so many at most.
        delete: deletes rows with numbers below ..
        delete_but_last: the same, but for the last of them.
        lowest: asks for the least number.
        highest: asks for the greatest number.
    """

    def __init__(
        self, name: str, width: int, to_row: Callable[[Any], Row], from_row: Callable[..., Event]
    ) -> None:
        self.to_row = to_row
        self.from_row = from_row
        self.insert = f"INSERT INTO {name} VALUES ({', '.join('?' * (width + 1))})"
        self.select = f"SELECT * FROM {name} WHERE seq BETWEEN ? AND ? ORDER BY seq LIMIT ?"
        self.delete = f"DELETE FROM {name} WHERE seq < ?"
        self.delete_but_last = f"DELETE FROM {name} WHERE seq < (SELECT max(seq) FROM {name} WHERE seq < ?)"
        self.lowest = f"SELECT min(seq) FROM {name}"
        self.highest = f"SELECT max(seq) FROM {name}"


TABLES: dict[type[Event], Table] = {
    PowerFlow: Table("flows", 10, _flow_row, _flow),
    ChargerStatus: Table("statuses", 13, _status_row, _status),
    ModeCommand: Table("modes", 2, _mode_row, _mode),
    LimitsCommand: Table("limits", 2, lambda it: (it.min_current_a, it.max_current_a), LimitsCommand),
    SettingsCommand: Table("settings", 1, lambda it: (it.document,), SettingsCommand),
    ForgetCommand: Table("forgets", 0, lambda _: (), ForgetCommand),
    Decision: Table("decisions", 12, _decision_row, _decision),
    Lease: Table("leases", 6, _lease_row, _lease),
    DeviceHealth: Table("health", 6, _health_row, _health),
    EnergyTotals: Table("totals", 7, _totals_row, _totals),
    Session: Table("sessions", 10, _session_row, _session),
}

# Of these the retention leaves the last one: what is left of a run is not understood without it.
LAST_IS_KEPT: tuple[type[Event], ...] = (SettingsCommand, ForgetCommand)
OUTLASTING: frozenset[type[Event]] = frozenset({Session, *LAST_IS_KEPT})  # sessions are kept for ever
