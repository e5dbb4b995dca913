"""The one table of the values that the daemon publishes; every surface that shows or keeps them reads it.

A value that is not known, or so old that it says nothing of now, is `None` and never 0.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta, tzinfo
from enum import StrEnum

from pvcharge.model import (
    ChargerState,
    ChargerStatus,
    Clock,
    Decision,
    DeviceHealth,
    Distrust,
    EnergyTotals,
    LimitsCommand,
    Mode,
    PowerFlow,
    Reason,
)
from pvcharge.words import explain, explain_source

STATUS_GOOD_S = 180.0  # older than this, nobody knows what the charger does
DECISION_GOOD_S = 60.0  # they come every few seconds, so whoever makes them has gone
FLOW_GOOD_PAUSES = 3.0  # of the source's own rhythm, after the newest reading came
FLOW_GOOD_S = 60.0  # but at least so long
LONGEST_PAUSE_S = 1800.0  # a longer one is a night or an outage, not a rhythm
MOST_SOURCES = 8  # of readings; the names may come from afar
DECIMALS = 3

Scalar = float | int | str | bool | None


@dataclass(frozen=True, slots=True)
class Snapshot:
    """What is known at one moment; what has aged out is None."""

    at: datetime
    flow: PowerFlow | None = None
    status: ChargerStatus | None = None
    decision: Decision | None = None
    limits: LimitsCommand = field(default_factory=LimitsCommand)
    totals: EnergyTotals | None = None
    devices: Mapping[str, DeviceHealth] = field(default_factory=dict)
    trusted: str | None = None  # the name of the source that is trusted most, of those that were heard
    timezone: tzinfo = UTC  # for times within sentences


@dataclass(frozen=True, slots=True)
class _Heard:
    """The newest reading of a source."""

    flow: PowerFlow
    good_until: datetime


class SnapshotKeeper:
    """Follows the feed and keeps the newest of everything.

    Of several sources of readings the one is shown by which it is decided, as long as its reading is good.

    Args:
        clock: the daemon's time.
        limits: the configured limits of the current.
        timezone: of the site.
    """

    def __init__(self, clock: Clock, limits: LimitsCommand, timezone: tzinfo = UTC) -> None:
        self._clock = clock
        self._limits = limits
        self._timezone = timezone
        self._sources: dict[str, _Heard] = {}  # by name, the one last that was heard last
        self._status: ChargerStatus | None = None
        self._decision: Decision | None = None
        self._totals: EnergyTotals | None = None
        self._devices: dict[str, DeviceHealth] = {}

    def take(self, event: object) -> None:
        """Take an event of the feed into account; what is of no interest here is ignored."""
        match event:
            case PowerFlow():
                self._take_flow(event)
            case ChargerStatus() if self._status is None or event.at >= self._status.at:
                self._status = event
            case Decision():
                self._decision = event
            case LimitsCommand():
                self._limits = event
            case EnergyTotals():
                self._totals = event
            case DeviceHealth():
                self._devices[event.name] = event

    def _take_flow(self, flow: PowerFlow) -> None:
        known = self._sources.get(flow.source)
        if known is not None and flow.end <= known.flow.end:
            return
        pause_s = (flow.end - known.flow.end).total_seconds() if known else LONGEST_PAUSE_S
        rhythm_s = max(min(pause_s, LONGEST_PAUSE_S), flow.span_s)
        good_s = max(FLOW_GOOD_PAUSES * rhythm_s, FLOW_GOOD_S)
        self._sources.pop(flow.source, None)
        self._sources[flow.source] = _Heard(flow, self._clock.now() + timedelta(seconds=good_s))
        if len(self._sources) > MOST_SOURCES:
            del self._sources[next(iter(self._sources))]

    def _flow(self, now: datetime, followed: str | None) -> PowerFlow | None:
        good = {name: heard.flow for name, heard in self._sources.items() if now < heard.good_until}
        if followed in good:
            return good[followed]
        return max(good.values(), key=lambda flow: flow.end, default=None)

    def _trusted(self) -> str | None:
        most = min(self._sources.values(), key=lambda heard: heard.flow.rank, default=None)
        return most.flow.source if most else None

    def snapshot(self) -> Snapshot:
        """Return what is known now."""
        now = self._clock.now()
        status, decision = self._status, self._decision
        if decision is not None and _age_s(decision.at, now) >= DECISION_GOOD_S:
            decision = None
        return Snapshot(
            at=now,
            flow=self._flow(now, decision.source if decision else None),
            status=status if status and _age_s(status.at, now) < STATUS_GOOD_S else None,
            decision=decision,
            limits=self._limits,
            totals=self._totals,
            devices=dict(self._devices),
            trusted=self._trusted(),
            timezone=self._timezone,
        )


def _age_s(at: datetime, now: datetime) -> float:
    return (now - at).total_seconds()


class Kind(StrEnum):
    """What a value is, for surfaces that treat numbers, words and times differently."""

    NUMBER = "number"
    ENUM = "enum"
    TEXT = "text"
    TIME = "time"  # ISO 8601, UTC
    FLAG = "flag"


Take = Callable[[Snapshot], Scalar | datetime]


@dataclass(frozen=True, slots=True)
class Value:
    """An entry of the table.

    Attributes:
        key: its name everywhere; the end of it is its unit.
        label: its name for people.
        take: finds it in a snapshot.
        kind: what it is.
        unit: as people write it.
        device_class: Home Assistant's name for what is measured.
        state_class: how Home Assistant may sum it up: `measurement`, or `total_increasing` for a lifetime
            counter that is fit for its energy dashboard.
        precision: the decimals worth showing.
        options: what an enum may be.
        diagnostic: whether it is about the daemon rather than about the house.
    """

    key: str
    label: str
    take: Take
    kind: Kind = Kind.NUMBER
    unit: str | None = None
    device_class: str | None = None
    state_class: str | None = None
    precision: int | None = None
    options: tuple[str, ...] = ()
    diagnostic: bool = False

    def of(self, snapshot: Snapshot) -> Scalar:
        """Return the value as it goes into JSON."""
        taken = self.take(snapshot)
        if isinstance(taken, datetime):
            return taken.astimezone(UTC).isoformat(timespec="seconds")
        return round(taken, DECIMALS) if isinstance(taken, float) else taken


def read(values: Sequence[Value], snapshot: Snapshot) -> dict[str, Scalar]:
    """Return the values of a snapshot by key."""
    return {value.key: value.of(snapshot) for value in values}


def values_for(inverters: Sequence[str], charger: str) -> tuple[Value, ...]:
    """Return the whole table for a house with these devices.

    Args:
        inverters: their configured names, in order.
        charger: its configured name.
    """
    numbered = {f"inverter_{number}_ok": name for number, name in enumerate(inverters, 1)}
    return (*VALUES, *(_health(key, name) for key, name in {**numbered, "charger_ok": charger}.items()))


def _health(key: str, device: str) -> Value:
    def take(snapshot: Snapshot) -> bool | None:
        health = snapshot.devices.get(device)
        return None if health is None else health.ok

    return Value(key, f"{device} works", take, Kind.FLAG, device_class="connectivity", diagnostic=True)


def _flow(take: Callable[[PowerFlow], float | None]) -> Take:
    return lambda snapshot: None if snapshot.flow is None else take(snapshot.flow)


def _status(take: Callable[[ChargerStatus], float | str | None]) -> Take:
    return lambda snapshot: None if snapshot.status is None else take(snapshot.status)


def _decision(take: Callable[[Decision], float | str | datetime | None]) -> Take:
    return lambda snapshot: None if snapshot.decision is None else take(snapshot.decision)


def _total(label: str, key: str, take: Callable[[EnergyTotals], float]) -> Value:
    """Return a lifetime counter, fit for Home Assistant's energy dashboard."""
    return _energy(
        key,
        label,
        lambda snapshot: None if snapshot.totals is None else _kwh(take(snapshot.totals)),
        "total_increasing",
    )


def _fact(name: str) -> Take:
    """Return how to find a number that some device says of itself; the least of several counts."""

    def take(snapshot: Snapshot) -> float | None:
        said = (health.facts.get(name) for health in snapshot.devices.values())
        return min((fact for fact in said if isinstance(fact, int | float)), default=None)

    return take


def _power(key: str, label: str, take: Take) -> Value:
    return Value(key, label, take, Kind.NUMBER, "W", "power", "measurement", 0)


def _energy(key: str, label: str, take: Take, state_class: str | None) -> Value:
    return Value(key, label, take, Kind.NUMBER, "kWh", "energy", state_class, 2)


def _current(key: str, label: str, take: Take, precision: int = 0) -> Value:
    return Value(key, label, take, Kind.NUMBER, "A", "current", "measurement", precision)


def _phases(key: str, label: str, take: Take) -> Value:
    return Value(key, label, take, Kind.NUMBER, state_class="measurement", precision=0)


def _enum(key: str, label: str, take: Take, options: Sequence[str]) -> Value:
    return Value(key, label, take, Kind.ENUM, device_class="enum", options=tuple(options))


def _seconds(key: str, label: str, take: Take) -> Value:
    return Value(key, label, take, Kind.NUMBER, "s", "duration", "measurement", precision=0, diagnostic=True)


def _load_w(flow: PowerFlow) -> float | None:
    """Return what the house draws: told, or what the balance leaves for it."""
    if flow.load_w is not None or flow.pv_w is None or flow.grid_w is None:
        return flow.load_w
    return max(0.0, flow.pv_w + flow.grid_w - (flow.battery_w or 0.0))


def _kwh(energy_wh: float | None) -> float | None:
    return None if energy_wh is None else energy_wh / 1000


def _known_state(status: ChargerStatus) -> str | None:
    return None if status.state is ChargerState.UNKNOWN else status.state.value


def _surplus_w(snapshot: Snapshot) -> float | None:
    """Return the surplus as long as the reading that it comes from is good."""
    decision, flow = snapshot.decision, snapshot.flow
    if decision is None or flow is None or decision.source not in (None, flow.source):
        return None
    return decision.surplus_w


def _reason_text(snapshot: Snapshot) -> str | None:
    decision = snapshot.decision
    return None if decision is None else explain(decision, snapshot.timezone)


def _source_text(snapshot: Snapshot) -> str | None:
    decision = snapshot.decision
    return None if decision is None else explain_source(decision, snapshot.trusted)


VALUES: tuple[Value, ...] = (
    _power("pv_w", "PV power", _flow(lambda flow: flow.pv_w)),
    _power("grid_w", "Grid power", _flow(lambda flow: flow.grid_w)),
    _power("load_w", "House power", _flow(_load_w)),
    _power("battery_w", "Battery power", _flow(lambda flow: flow.battery_w)),
    Value(
        "battery_soc_pct",
        "Battery charge",
        _flow(lambda flow: flow.battery_soc_pct),
        Kind.NUMBER,
        "%",
        "battery",
        "measurement",
        0,
    ),
    Value("production_limited", "Production held back", _flow(lambda flow: flow.limited), Kind.FLAG),
    _power("surplus_w", "Surplus for the car", _surplus_w),
    _power("charger_power_w", "Charger power", _status(lambda status: status.power_w)),
    _current("charger_current_a", "Charger current", _status(lambda status: status.current_a), 1),
    _phases("charger_phases", "Charger phases", _status(lambda status: status.phases)),
    _enum(
        "charger_state",
        "Charger state",
        _status(_known_state),
        [state for state in ChargerState if state is not ChargerState.UNKNOWN],
    ),
    _current(
        "setpoint_a", "Wanted current", _decision(lambda it: it.setpoint.current_a if it.binding else None)
    ),
    _phases(
        "setpoint_phases", "Wanted phases", _decision(lambda it: it.setpoint.phases if it.binding else None)
    ),
    _current("min_current_a", "Minimum current", lambda snapshot: snapshot.limits.min_current_a),
    _current("max_current_a", "Maximum current", lambda snapshot: snapshot.limits.max_current_a),
    _enum("mode", "Mode", _decision(lambda it: it.mode.value), list(Mode)),
    _enum("reason", "Reason", _decision(lambda it: it.reason.value), list(Reason)),
    Value("reason_text", "Reason in words", _reason_text, Kind.TEXT),
    Value("source", "Source of readings", _decision(lambda it: it.source), Kind.TEXT),
    Value("source_text", "Source in words", _source_text, Kind.TEXT),
    _enum(
        "distrust",
        "Doubt about the better source",
        _decision(lambda it: it.distrust and it.distrust.value),
        list(Distrust),
    ),
    Value(
        "boost_until",
        "Boost until",
        _decision(lambda it: it.boost_until),
        Kind.TIME,
        device_class="timestamp",
    ),
    # Without a state class: an energy that starts anew with each car is no meter for the energy dashboard.
    _energy("session_kwh", "Energy of this charge", _status(lambda it: _kwh(it.session_wh)), None),
    _energy(
        "charger_total_kwh",
        "Energy charged in all",
        _status(lambda it: _kwh(it.total_wh)),
        "total_increasing",
    ),
    _total("Energy produced", "pv_total_kwh", lambda it: it.pv_wh),
    _total("Energy bought", "import_total_kwh", lambda it: it.import_wh),
    _total("Energy sold", "export_total_kwh", lambda it: it.export_wh),
    _total("Energy into the battery", "battery_in_total_kwh", lambda it: it.battery_in_wh),
    _total("Energy out of the battery", "battery_out_total_kwh", lambda it: it.battery_out_wh),
    _seconds("reading_age_s", "Age of the newest reading", _decision(lambda it: it.reading_age_s)),
    Value(
        "requests_left",
        "Requests left",
        _fact("requests_left"),
        state_class="measurement",
        precision=0,
        diagnostic=True,
    ),
    _seconds("edge_clock_ahead_s", "Edge's clock ahead by", _fact("edge_clock_ahead_s")),
)
