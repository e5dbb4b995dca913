"""Series of V2: which window a call asks for, and how its answer is spelt."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from typing import Any, NamedTuple

from multidict import MultiMapping

from pvcharge.sim.solaredge.periods import Resolution, local_iso, utc
from pvcharge.sim.solaredge.problems import bad_request
from pvcharge.sim.solaredge.series import Bucket
from pvcharge.sim.solaredge.site import Site

MAX_SPAN = {
    Resolution.QUARTER_HOUR: timedelta(hours=12),
    Resolution.HOUR: timedelta(hours=24),
    Resolution.DAY: timedelta(days=31, hours=1),  # one hour more for the month in which summer time ends
}
PER_UNIT = {
    "W": 1.0,
    "KW": 1e-3,
    "MW": 1e-6,
    "WH": 1.0,
    "KWH": 1e-3,
    "MWH": 1e-6,
    "GWH": 1e-9,
    "PERCENTAGE": 1.0,
}
POWER_UNITS = ("W", "KW", "MW")
ENERGY_UNITS = ("WH", "KWH", "MWH", "GWH")
PERCENTAGE = "PERCENTAGE"


class Metric(NamedTuple):
    """A named quantity of a bucket in its base unit: W, WH or PERCENTAGE."""

    name: str
    unit: str
    value: Callable[[Bucket], float | None]


def power(name: str, energy_wh: Callable[[Bucket], float | None]) -> Metric:
    """Make the mean power that belongs to an energy."""

    def mean_w(bucket: Bucket) -> float | None:
        wh = energy_wh(bucket)
        return None if wh is None else wh / bucket.hours

    return Metric(name, "W", mean_w)


def power_and_energy(stem: str, energy_wh: Callable[[Bucket], float | None]) -> tuple[Metric, Metric]:
    """Make the metrics `<stem>Power` and `<stem>Energy`."""
    return power(f"{stem}Power", energy_wh), Metric(f"{stem}Energy", "WH", energy_wh)


@dataclass(frozen=True, slots=True)
class Window:
    """What a call asks for, in UTC."""

    start: datetime
    end: datetime
    resolution: Resolution

    @classmethod
    def of(
        cls, query: MultiMapping[str], site: Site, default: Resolution = Resolution.QUARTER_HOUR
    ) -> "Window":
        """Read `from`, `to` and `resolution`; without times it is midnight at the site until now.

        The limits of span hold only for a window that is asked for: the default one has been seen to
        work in the afternoon, although its quarters of an hour then span more than 12 hours.

        Raises:
            Problem: a parameter makes no sense, or the window is too long for the resolution.
        """
        now = site.now()
        midnight = datetime.combine(now.astimezone(site.zone).date(), time(), site.zone)
        start = _moment(query, "from", site) or midnight.astimezone(UTC)
        end = _moment(query, "to", site) or now
        try:
            resolution = Resolution(query.get("resolution", default))
        except ValueError:
            raise bad_request(f"resolution must be one of {', '.join(Resolution)}") from None
        if start >= end:
            raise bad_request("from must be before to")
        longest = MAX_SPAN.get(resolution)
        if longest and end - start > longest and ("from" in query or "to" in query):
            raise bad_request(f"The period is too long for resolution {resolution}")
        return cls(start, end, resolution)

    def period(self, site: Site) -> dict[str, str]:
        """Return the window as the answer spells it."""
        return {"from": local_iso(self.start, site.zone), "to": local_iso(self.end, site.zone)}


def unit_of(query: MultiMapping[str], allowed: tuple[str, ...]) -> str:
    """Read `unit`; the first allowed one is the default.

    Raises:
        Problem: no such unit.
    """
    unit = query.get("unit", allowed[0])
    if unit not in allowed:
        raise bad_request(f"unit must be one of {', '.join(allowed)}")
    return unit


def values(site: Site, window: Window, metric: Metric, unit: str) -> list[dict[str, Any]]:
    """Return one series, stamped with the starts of its buckets; null is what the cloud does not have."""
    pairs = []
    for start, bucket in site.history(window.resolution, window.start, window.end):
        value = None if bucket is None or site.faults.nulls else metric.value(bucket)
        pair: dict[str, Any] = {"timestamp": local_iso(start, site.zone)}
        if not site.faults.missing_keys:
            pair["value"] = None if value is None else round(value * PER_UNIT[unit], 6)
        pairs.append(pair)
    return pairs


def metrics(site: Site, window: Window, wanted: Iterable[Metric]) -> dict[str, Any]:
    """Return the series of one device by metric; only energies go on beyond a day's resolution."""
    answer = {}
    for number, metric in enumerate(wanted):
        if metric.unit != "WH" and not window.resolution.within_a_day:
            continue
        unit = metric.unit
        if site.faults.mixed_units and number // 2 % 2 and unit != PERCENTAGE:
            unit = f"K{unit}"
        answer[metric.name] = {"unit": unit, "values": values(site, window, metric, unit)}
    return answer


def _moment(query: MultiMapping[str], name: str, site: Site) -> datetime | None:
    text = query.get(name)
    if text is None:
        return None
    try:
        return utc(datetime.fromisoformat(text), site.zone)
    except ValueError:
        raise bad_request(f"{name} is not an ISO 8601 date and time of this age") from None
