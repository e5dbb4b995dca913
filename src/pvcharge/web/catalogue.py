"""The catalogue of metrics: how each is called, and what it is.

A value has its name of the table, with Prometheus' base unit at its end: `grid_w` is `pvcharge_grid_watts`.
Energies are joules, as Prometheus advises, and not kWh: the `rate()` of joules is watts. Ages are told rather
than times, since the daemon's clock need not be that of Prometheus, and runs away from it in a demo.

Labels come from the configuration and from enums, so that the number of series has a bound.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum

from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    InfoMetricFamily,
    Metric,
)

from pvcharge.texts import sendable
from pvcharge.values import VALUES, Kind, Value

# The end of a key: what Prometheus calls the unit, and how many of those one of ours is.
_UNITS = {
    "w": ("watts", 1.0),
    "a": ("amperes", 1.0),
    "s": ("seconds", 1.0),
    "pct": ("ratio", 0.01),
    "kwh": ("energy_joules", 3_600_000.0),
}
_BY_DEVICE = {"requests_left", "edge_clock_ahead_s"}  # values that facts tell, with the device's name
# What devices say of themselves.
_GAUGE_FACTS = {
    "requests_left": "Requests left in the present period",
    "requests_limit": "Requests allowed in a period",
    "waiting": "Events that wait to be written",
    "lag_events": "Events that wait to be sent",
    "lag_s": "Age of the oldest event that waits to be sent",
    "edge_clock_ahead_s": "How far the edge's clock is ahead",
    "cloud_clock_ahead_s": "How far the cloud's clock is ahead",
}
_COUNTER_FACTS = {
    "sent": "Events sent",
    "dropped": "Events lost",
    "reconnects": "Connections made anew",
    "reboots": "Starts of the device itself",
}


class Type(StrEnum):
    """How Prometheus treats a metric."""

    GAUGE = "gauge"
    COUNTER = "counter"
    HISTOGRAM = "histogram"
    INFO = "info"


Sample = tuple[Sequence[str], float]  # the labels' values, and the number


@dataclass(frozen=True, slots=True)
class Entry:
    """An entry of the catalogue.

    Attributes:
        name: as queries use it.
        what: it is, for people.
        type: how Prometheus treats it.
        labels: their names.
    """

    name: str
    what: str
    type: Type = Type.GAUGE
    labels: tuple[str, ...] = ()

    def family(self, samples: Iterable[Sample] = ()) -> Metric:
        """Return it as the client library has it; a counter's or a gauge's with these samples."""
        if self.type is Type.HISTOGRAM:
            return HistogramMetricFamily(self.name, self.what, labels=self.labels)
        if self.type is Type.INFO:
            return InfoMetricFamily(self.name.removesuffix("_info"), self.what, labels=self.labels)
        made = CounterMetricFamily if self.type is Type.COUNTER else GaugeMetricFamily
        family = made(self.name, self.what, labels=self.labels)
        for labels, number in samples:
            if number >= 0 or self.type is not Type.COUNTER:
                family.add_metric([sendable(label) for label in labels], number)
        return family


def _entry(
    key: str, what: str, type_: Type = Type.GAUGE, labels: tuple[str, ...] = ()
) -> tuple[Entry, float]:
    """Return the entry for one of our keys, and how many of its units one of ours is."""
    base, _, end = key.rpartition("_")
    unit, factor = _UNITS.get(end, ("", 1.0))
    if base and unit:
        # Where a key says `total`, Prometheus wants it at the very end.
        key = f"{base.removesuffix('_total')}_{unit}"
    name = f"pvcharge_{key}_total" if type_ is Type.COUNTER else f"pvcharge_{key}"
    return Entry(name, what, type_, labels), factor


def _value_entry(value: Value) -> tuple[Value, Entry, float]:
    if value.kind is Kind.ENUM:
        label = value.key.rpartition("_")[2]
        return value, *_entry(value.key, f"{value.label}: 1 for the one that it is", labels=(label,))
    if value.kind is Kind.FLAG:
        return value, *_entry(value.key, f"{value.label}: 1 if so, else 0")
    type_ = Type.COUNTER if value.state_class == "total_increasing" else Type.GAUGE
    return value, *_entry(value.key, value.label, type_)


def _fact_entry(key: str, what: str, type_: Type) -> tuple[Entry, float]:
    return _entry(f"device_{key}", what, type_, ("device",))


SHOWN = [
    _value_entry(value)
    for value in VALUES
    if value.kind in (Kind.NUMBER, Kind.ENUM, Kind.FLAG) and value.key not in _BY_DEVICE
]
FACTS = {
    **{key: _fact_entry(key, what, Type.GAUGE) for key, what in _GAUGE_FACTS.items()},
    **{key: _fact_entry(key, what, Type.COUNTER) for key, what in _COUNTER_FACTS.items()},
}
OTHER_FACT = Entry("pvcharge_device_fact", "What else a device says of itself", labels=("device", "fact"))
UP = Entry("pvcharge_device_up", "Whether the device works", labels=("device",))
STATE_AGE = Entry(
    "pvcharge_device_state_age_seconds", "Time since the device came or went", labels=("device",)
)
ERRORS = Entry(
    "pvcharge_device_errors_total", "Reports that the device does not work", Type.COUNTER, ("device",)
)
READINGS = Entry("pvcharge_readings_total", "Readings of the house", Type.COUNTER, ("source",))
FOLLOWED = Entry(
    "pvcharge_source_followed",
    "Whether these readings are the ones that drive: 1 if so, else 0",
    labels=("source",),
)
DECISIONS = Entry("pvcharge_decisions_total", "Decisions", Type.COUNTER, ("reason",))
LEASES = Entry("pvcharge_leases_total", "Setpoints leased to the charger", Type.COUNTER)
CHANGES = Entry(
    "pvcharge_setpoint_changes_total",
    "Leases whose setpoint differs from the one before",
    Type.COUNTER,
    ("change",),
)
SESSIONS = Entry("pvcharge_sessions_total", "Cars that have come and gone", Type.COUNTER)
LAG = Entry(
    "pvcharge_event_loop_lag_seconds", "How late the event loop wakes who has slept a second", Type.HISTOGRAM
)
BUILD = Entry("pvcharge_build_info", "Version of pvcharge", Type.INFO, ("version",))

CATALOGUE: tuple[Entry, ...] = (
    *(entry for _, entry, _ in SHOWN),
    *(FOLLOWED, UP, STATE_AGE),
    *(entry for entry, _ in FACTS.values()),
    *(OTHER_FACT, ERRORS, READINGS, DECISIONS, LEASES, CHANGES, SESSIONS, LAG, BUILD),
)
