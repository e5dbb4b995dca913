"""Reads V2 series of quarter hours: meters, batteries and the power of the site.

A telemetry document maps serial number -> metric -> {unit, values: [{timestamp, value or null}]}, each
series with its own unit; a timestamp names the start of its bucket. The site's power is one such series.
"""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from pvcharge.drivers.solaredge.fields import as_list, as_mapping, as_number, as_text, as_time, unusable
from pvcharge.drivers.solaredge.powerflow import EMPTY_RETRY_S
from pvcharge.model import PowerFlow

QUARTER = timedelta(minutes=15)
_POWER_W = {"W": 1.0, "KW": 1e3, "MW": 1e6}
_ENERGY_W = {"WH": 4.0, "KWH": 4e3, "MWH": 4e6, "GWH": 4e9}  # Wh in a quarter hour -> mean W
_PERCENT = {"PERCENTAGE": 1.0, "PERCENTAGE_100": 1.0}
_FULL_PCT = 100.0

Series = dict[datetime, float]  # start of the quarter, UTC -> value; nulls are left out


def quarter_start(at: datetime) -> datetime:
    """Return the begin of the quarter hour that holds `at`; quarters are the same in all time zones."""
    seconds = int(at.timestamp())
    return datetime.fromtimestamp(seconds - seconds % int(QUARTER.total_seconds()), UTC)


def parse_quarters(
    meters: Any, *, storage: Any = None, production: Any = None, now: datetime, source: str
) -> list[PowerFlow]:
    """Return the mean flow of each finished quarter that is complete, oldest first.

    Args:
        meters: answer of `meters/telemetry`.
        storage: answer of `storage/telemetry`; when given, a quarter without the battery is incomplete.
        production: answer of `power`, for sites whose meters do not measure the production.
        now: quarters that end later are still being averaged and are left out.
        source: name of the inverter.

    Raises:
        TransientError: the site has no meter at the grid, no battery, or the answer makes no sense.
    """
    devices = _devices(meters, "meters", ("import", "export"))
    imported_w, exported_w = _total_w(devices, "import"), _total_w(devices, "export")
    pv_w = _total_w(devices, "production") or _site_power_w(production)
    load_w = _total_w(devices, "consumption")
    batteries = _devices(storage, "storage", ("charge", "discharge")) if storage is not None else {}
    battery_w, soc_pct = _battery_w(batteries), _soc_pct(batteries)
    complete = imported_w.keys() & exported_w.keys()
    if storage is not None:
        complete &= battery_w.keys()
    return [
        PowerFlow(
            start=start,
            end=start + QUARTER,
            pv_w=max(0.0, pv_w[start]) if start in pv_w else None,
            grid_w=imported_w[start] - exported_w[start],
            battery_w=battery_w.get(start),
            load_w=max(0.0, load_w[start]) if start in load_w else None,
            battery_soc_pct=soc_pct.get(start),
            source=source,
        )
        for start in sorted(complete)
        if start + QUARTER <= now
    ]


def _devices(document: Any, kind: str, needed: tuple[str, str]) -> Mapping[str, Mapping[str, Any]]:
    """Return metrics by serial number, after a check that these are quarters of what is needed."""
    answer = as_mapping(document, "the document")
    _check_resolution(answer)
    devices = {
        serial: as_mapping(metrics, f"a device of {kind}")
        for serial, metrics in as_mapping(answer.get(kind), kind).items()
    }
    if not any(metric.startswith(needed) for metrics in devices.values() for metric in metrics):
        raise unusable(f"{kind} report neither {needed[0]} nor {needed[1]}", retry_after_s=EMPTY_RETRY_S)
    return devices


def _check_resolution(answer: Mapping[str, Any]) -> None:
    if answer.get("resolution", "QUARTER_HOUR") != "QUARTER_HOUR":
        raise unusable("the resolution is not QUARTER_HOUR")


def _total_w(devices: Mapping[str, Mapping[str, Any]], metric: str) -> Series:
    """Sum a metric over all devices, from its powers or else from its energies."""
    powers = _all_series(devices, f"{metric}Power", _POWER_W)
    return _sum(powers or _all_series(devices, f"{metric}Energy", _ENERGY_W))


def _site_power_w(production: Any) -> Series:
    if production is None:
        return {}
    answer = as_mapping(production, "the document")
    _check_resolution(answer)
    return _series(answer, "power", _POWER_W)


def _battery_w(batteries: Mapping[str, Mapping[str, Any]]) -> Series:
    """Return charging minus discharging; a battery at rest may report only one of the two."""
    charged_w, discharged_w = _total_w(batteries, "charge"), _total_w(batteries, "discharge")
    starts = charged_w.keys() | discharged_w.keys()
    return {start: charged_w.get(start, 0.0) - discharged_w.get(start, 0.0) for start in starts}


def _soc_pct(batteries: Mapping[str, Mapping[str, Any]]) -> Series:
    """Return the mean over all batteries."""
    levels = _all_series(batteries, "stateOfEnergy", _PERCENT)
    means = {start: total / len(levels) for start, total in _sum(levels).items()}
    return {start: pct for start, pct in means.items() if 0 <= pct <= _FULL_PCT}


def _all_series(
    devices: Mapping[str, Mapping[str, Any]], metric: str, scale: Mapping[str, float]
) -> list[Series]:
    """Return the series of this metric that hold at least one number."""
    found = (_series(metrics.get(metric), metric, scale) for metrics in devices.values())
    return [series for series in found if series]


def _sum(columns: list[Series]) -> Series:
    """Add up what all columns know: a sum without one of the meters would be wrong."""
    if not columns:
        return {}
    starts = set.intersection(*(set(column) for column in columns))
    return {start: sum(column[start] for column in columns) for start in starts}


def _series(series: Any, metric: str, scale: Mapping[str, float]) -> Series:
    """Return the numbers of one series in the scale's unit; an absent or empty one is empty."""
    if series is None:
        return {}
    answer = as_mapping(series, metric)
    values: Series = {}
    for item in as_list(answer.get("values") or [], f"values of {metric}"):
        point = as_mapping(item, f"a value of {metric}")
        number = as_number(point.get("value"), f"a value of {metric}")
        if number is not None:
            values[as_time(point.get("timestamp"), f"a timestamp of {metric}")] = number
    if not values:
        return {}
    unit = as_text(answer.get("unit"), f"unit of {metric}").upper()
    if unit not in scale:
        raise unusable(f"{metric} comes in none of the units {', '.join(scale)}")
    return {start: number * scale[unit] for start, number in values.items()}
