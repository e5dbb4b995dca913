"""What InfluxDB gets: the one table of measurements, and events as lines of it.

Times are those of the measurement, in milliseconds: of two points of one series with the same time the later
wins, and a user's command may change a decision twice within a second, but hardly within a millisecond.
Finer than that VictoriaMetrics does not store.

Lines are made here and not by influxdb-client's `Point`, which makes the same ones and takes five times as
long (49 us instead of 11 us for a charger's status on a PC).
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from functools import lru_cache
from math import isfinite

from pvcharge.history.influx.codes import DISTRUST_CODES, MODE_CODES, REASON_CODES, STATE_CODES
from pvcharge.model import (
    ChargerStatus,
    Decision,
    DeviceHealth,
    EnergyTotals,
    PowerFlow,
    Reason,
    Session,
)

SAME_DECISION_S = 10.0  # one that changes nothing but figures makes a point this often


class Kind(StrEnum):
    """The type of a field, which never changes: InfluxDB refuses another one."""

    FLOAT = "float"
    INTEGER = "integer"
    TEXT = "string"


@dataclass(frozen=True, slots=True)
class Field:
    """One value of a point; left out where the device does not say."""

    name: str
    kind: Kind
    unit: str
    meaning: str


@dataclass(frozen=True, slots=True)
class Measurement:
    """Points of one kind; its tags make a series of them."""

    name: str
    meaning: str
    tags: tuple[str, ...]
    fields: tuple[Field, ...]


@dataclass(frozen=True, slots=True)
class Point:
    """A point as it is sent, but for its site; None and "" are left out."""

    measurement: str
    device: str
    at: datetime
    fields: Mapping[str, float | str | None]


TAGS = {
    "site": "name of the site, as configured",
    "device": "name of the device, as configured; none on what is counted for the whole site",
}

_BY_DEVICE = ("site", "device")


def _float(name: str, unit: str, meaning: str) -> Field:
    return Field(name, Kind.FLOAT, unit, meaning)


def _integer(name: str, meaning: str) -> Field:
    return Field(name, Kind.INTEGER, "", meaning)


def _text(name: str, meaning: str) -> Field:
    return Field(name, Kind.TEXT, "", meaning)


_SPAN = _float("span_s", "s", "the power is a mean over so long, up to the point's time; 0 at an instant")

SCHEMA = (
    Measurement(
        "pv",
        "The inverter's production.",
        _BY_DEVICE,
        (
            _float("power_w", "W", "production"),
            _SPAN,
            _integer("limited", "1 = production is held back, 0 = not"),
            _float("energy_total_kwh", "kWh", "produced since the daemon first ran here; without device"),
        ),
    ),
    Measurement(
        "grid",
        "What crosses the house's meter.",
        _BY_DEVICE,
        (
            _float("power_w", "W", "+ import, - export"),
            _float("load_w", "W", "all consumption behind the meter, the charger included"),
            _SPAN,
            _float("import_total_kwh", "kWh", "bought since the daemon first ran here; without device"),
            _float("export_total_kwh", "kWh", "fed in since the daemon first ran here; without device"),
        ),
    ),
    Measurement(
        "battery",
        "The house's battery.",
        _BY_DEVICE,
        (
            _float("power_w", "W", "+ charging, - discharging"),
            _float("soc_pct", "%", "state of charge"),
            _SPAN,
            _float("in_total_kwh", "kWh", "charged since the daemon first ran here; without device"),
            _float("out_total_kwh", "kWh", "discharged since the daemon first ran here; without device"),
        ),
    ),
    Measurement(
        "charger",
        "The charger, at each of its reports.",
        _BY_DEVICE,
        (
            _float("power_w", "W", "drawn by the car"),
            _float("current_a", "A", "drawn by the car on each phase"),
            _integer("phases", "that carry current"),
            _float("setpoint_a", "A", "what the box is set to, whoever set it; 0 = do not charge"),
            _integer("setpoint_phases", "the same; 0 = do not charge"),
            _float("max_current_a", "A", "least of the limits that the charger reports"),
            _text("state", "the car as the charger sees it"),
            _integer("state_code", "the same as a number"),
            _float("session_energy_kwh", "kWh", "since plug-in, as the charger counts"),
            _float("energy_total_kwh", "kWh", "of its lifetime, as the charger counts"),
            _float("counted_total_kwh", "kWh", "charged since the daemon first ran here; without device"),
        ),
    ),
    Measurement(
        "control",
        "What is decided: at once when setpoint, reason, mode or source change, "
        f"else every {SAME_DECISION_S:g} s.",
        ("site",),
        (
            _text("reason", "why"),
            _integer("reason_code", "the same as a number"),
            _text("mode", "what the driver of the car wants"),
            _integer("mode_code", "the same as a number"),
            _float("setpoint_a", "A", "on each phase; 0 = do not charge"),
            _integer("setpoint_phases", "0 = do not charge"),
            _float("surplus_w", "W", "for the car, as expected now"),
            _float("needed_w", "W", "surplus from which charging would be worth it"),
            _float("reading_age_s", "s", "since the end of the newest usable reading"),
            _text("source", "whose readings are followed"),
            _text("distrust", "why not those that are trusted most"),
            _integer("distrust_code", "the same as a number; 0 = these are followed"),
        ),
    ),
    Measurement(
        "link",
        "Whether devices and services answer: when that changes, and now and then.",
        _BY_DEVICE,
        (_integer("ok", "1 = all is well, 0 = not"),),
    ),
    Measurement(
        "session",
        "One car, from plug-in to unplug, at the time of the unplug.",
        _BY_DEVICE,
        (
            _float("duration_s", "s", "from plug-in to unplug"),
            _float("charging_s", "s", "of it with power drawn"),
            _float("energy_kwh", "kWh", "charged"),
            _float("solar_kwh", "kWh", "of it not bought"),
            _float("cost", "currency", "at the configured prices"),
            _float("saved", "currency", "against buying all of it"),
            _integer("starts", "of charging"),
            _integer("phase_switches", "between one phase and three"),
            *(_float(f"paused_{reason}_s", "s", "not charging for this reason") for reason in Reason),
        ),
    ),
)

_KINDS = {of.name: {field.name: field.kind for field in of.fields} for of in SCHEMA}
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND = timedelta(milliseconds=1)


def points(event: object, charger: str) -> Iterator[Point]:
    """Yield the points that an event makes; commands and leases make none.

    Args:
        event: of the feed.
        charger: the charger's configured name, which its events do not bear.
    """
    match event:
        case PowerFlow():
            yield from _flow(event)
        case ChargerStatus():
            yield Point("charger", charger, event.at, _status(event))
        case Decision():
            yield Point("control", "", event.at, _decision(event))
        case DeviceHealth():
            yield Point("link", event.name, event.at, {"ok": int(event.ok)})
        case EnergyTotals():
            yield from _totals(event)
        case Session(ended_at=datetime() as ended_at):
            yield Point("session", charger, ended_at, _session(event, ended_at))


class Lines:
    """Makes the lines of events that come one after another.

    Which decisions are left out depends only on the one before: whoever begins earlier, or sends some again,
    gets the same points, and at most one more.

    Args:
        site: the site's name.
        charger: the charger's configured name.
    """

    def __init__(self, site: str, charger: str) -> None:
        self._site = site
        self._charger = charger
        self._decided: tuple[object, ...] = ()

    def of(self, event: object) -> list[str]:
        """Return the lines of the next event, in line protocol with milliseconds."""
        if isinstance(event, Decision):
            before = self._decided
            slot = event.at.timestamp() // SAME_DECISION_S
            source = event.source, event.distrust
            self._decided = (event.setpoint, event.reason, event.mode, source, slot)
            if self._decided == before:
                return []
        return [text for point in points(event, self._charger) if (text := line(point, self._site))]


def line(point: Point, site: str) -> str:
    """Return a point in line protocol with milliseconds; nothing if no field of it has a value."""
    kinds = _KINDS[point.measurement]
    fields = []
    for name, value in point.fields.items():
        kind = kinds[name]
        if value is None:
            continue
        if kind is Kind.TEXT:
            fields.append(f"{name}={_quoted(str(value))}")
        elif kind is Kind.INTEGER:
            fields.append(f"{name}={int(value)}i")
        elif isfinite(number := float(value)):
            fields.append(f"{name}={number!r}")
    if not fields:
        return ""
    return f"{_series(point.measurement, point.device, site)} {','.join(fields)} {milliseconds(point.at)}"


def milliseconds(at: datetime) -> int:
    """Return a time as it is sent."""
    return (at - _EPOCH) // _MILLISECOND


@lru_cache
def _series(measurement: str, device: str, site: str) -> str:
    tags = (("device", device), ("site", site))
    return "".join([measurement, *(f",{name}={_tag(value)}" for name, value in tags if value)])


def _tag(value: str) -> str:
    """Escape what means something; what line protocol cannot hold, such as a line break, becomes `_`."""
    kept = "".join(each if each.isprintable() and each != "\\" else "_" for each in value)
    return "".join(f"\\{each}" if each in ",= " else each for each in kept)


def _quoted(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{" ".join(escaped.splitlines())}"'


def _flow(it: PowerFlow) -> Iterator[Point]:
    powers = {
        "pv": {"power_w": it.pv_w},
        "grid": {"power_w": it.grid_w, "load_w": it.load_w},
        "battery": {"power_w": it.battery_w, "soc_pct": it.battery_soc_pct},
    }
    for measurement, fields in powers.items():
        if any(value is not None for value in fields.values()):
            limited = {"limited": int(it.limited)} if measurement == "pv" else {}
            yield Point(measurement, it.source, it.end, {**fields, "span_s": it.span_s, **limited})


def _status(it: ChargerStatus) -> dict[str, float | str | None]:
    setpoint = it.setpoint
    return {
        "power_w": it.power_w,
        "current_a": it.current_a,
        "phases": it.phases,
        "setpoint_a": setpoint.current_a if setpoint else None,
        "setpoint_phases": setpoint.phases if setpoint else None,
        "max_current_a": it.max_current_a,
        "state": it.state.value,
        "state_code": STATE_CODES[it.state],
        "session_energy_kwh": _kwh(it.session_wh),
        "energy_total_kwh": _kwh(it.total_wh),
    }


def _decision(it: Decision) -> dict[str, float | str | None]:
    return {
        "reason": it.reason.value,
        "reason_code": REASON_CODES[it.reason],
        "mode": it.mode.value,
        "mode_code": MODE_CODES[it.mode],
        "setpoint_a": it.setpoint.current_a,
        "setpoint_phases": it.setpoint.phases,
        "surplus_w": it.surplus_w,
        "needed_w": it.needed_w,
        "reading_age_s": it.reading_age_s,
        "source": it.source,
        "distrust": it.distrust and it.distrust.value,
        "distrust_code": None if it.source is None else DISTRUST_CODES[it.distrust],
    }


def _totals(it: EnergyTotals) -> Iterator[Point]:
    totals = {
        "pv": {"energy_total_kwh": it.pv_wh},
        "grid": {"import_total_kwh": it.import_wh, "export_total_kwh": it.export_wh},
        "charger": {"counted_total_kwh": it.charger_wh},
    }
    if it.battery_in_wh or it.battery_out_wh:  # else there may be none
        totals["battery"] = {"in_total_kwh": it.battery_in_wh, "out_total_kwh": it.battery_out_wh}
    for measurement, energies in totals.items():
        yield Point(measurement, "", it.at, {name: _kwh(value) for name, value in energies.items()})


def _session(it: Session, ended_at: datetime) -> dict[str, float | str | None]:
    return {
        "duration_s": (ended_at - it.started_at).total_seconds(),
        "charging_s": it.charging_s,
        "energy_kwh": _kwh(it.energy_wh),
        "solar_kwh": _kwh(it.solar_wh),
        "cost": it.cost,
        "saved": it.saved,
        "starts": it.starts,
        "phase_switches": it.phase_switches,
        **{f"paused_{reason}_s": it.pauses_s[reason] for reason in Reason if reason in it.pauses_s},
    }


def _kwh(energy_wh: float | None) -> float | None:
    return None if energy_wh is None else energy_wh / 1000
