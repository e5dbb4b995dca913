"""Documents of V1. Its times are naive: always the site's own, the doubled hour of autumn unmarked."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from aiohttp import web
from multidict import MultiMapping

from pvcharge.sim.solaredge.hardware import (
    ACCOUNT_ID,
    CITY,
    COUNTRY,
    INSTALLED_ON,
    PEAK_POWER_KWP,
    PRODUCED_BEFORE_WH,
    SITE_NAME,
)
from pvcharge.sim.solaredge.periods import Resolution, floor, utc
from pvcharge.sim.solaredge.series import Bucket
from pvcharge.sim.solaredge.site import Site

TIME_FORMAT = "%Y-%m-%d %H:%M:%S"
QUARTERS = "QUARTER_OF_AN_HOUR"
TIME_UNITS = {
    QUARTERS: Resolution.QUARTER_HOUR,
    "HOUR": Resolution.HOUR,
    "DAY": Resolution.DAY,
    "WEEK": Resolution.WEEK,
    "MONTH": Resolution.MONTH,
    "YEAR": Resolution.YEAR,
}
ONE_MONTH = timedelta(days=31)
MAX_SPAN = {
    Resolution.QUARTER_HOUR: ONE_MONTH,
    Resolution.HOUR: ONE_MONTH,
    Resolution.DAY: timedelta(days=366),
}
METERS: dict[str, Callable[[Bucket], float]] = {
    "Production": lambda bucket: bucket.production_wh or 0.0,
    "Consumption": lambda bucket: bucket.consumption_wh,
    "SelfConsumption": lambda bucket: max(0.0, (bucket.production_wh or 0.0) - bucket.export_wh),
    "FeedIn": lambda bucket: bucket.export_wh,
    "Purchased": lambda bucket: bucket.import_wh,
}
BAD_REQUEST_PAGE = "<!doctype html><html><body><h1>HTTP Status 400 - Bad Request</h1><p>{}</p></body></html>"


@dataclass(frozen=True, slots=True)
class Span:
    """What a call asks for, in UTC."""

    start: datetime
    end: datetime
    time_unit: str

    @classmethod
    def of(cls, query: MultiMapping[str], site: Site, time_unit: str) -> "Span":
        """Read `startTime` and `endTime`.

        Raises:
            HTTPBadRequest: a parameter is missing or makes no sense; a page of HTML says which.
            HTTPForbidden: the span is too long for the unit of time.
        """
        if time_unit not in TIME_UNITS:
            raise _bad_request("Unknown timeUnit")
        span = cls(_moment(query, "startTime", site), _moment(query, "endTime", site), time_unit)
        longest = MAX_SPAN.get(span.resolution)
        if longest and span.end - span.start > longest + timedelta(hours=1):  # summer time may end in it
            raise web.HTTPForbidden(
                text=f"The period is too long: at most {longest.days} days for {span.time_unit}"
            )
        return span

    @property
    def resolution(self) -> Resolution:
        """The same unit of time in the words of V2."""
        return TIME_UNITS[self.time_unit]


def site_document(site: Site) -> dict[str, Any]:
    """Return the site's details."""
    base = f"/site/{site.site_id}"
    return {
        "id": site.site_id,
        "name": SITE_NAME,
        "accountId": ACCOUNT_ID,
        "status": "Active",
        "peakPower": PEAK_POWER_KWP,
        "lastUpdateTime": _local(site.last_upload(), site)[:10],
        "installationDate": INSTALLED_ON,
        "ptoDate": None,
        "notes": "",
        "type": "Optimizers & Inverters",
        "location": {
            "country": COUNTRY,
            "city": CITY,
            "address": "Beispielweg 1",
            "zip": "4020",
            "timeZone": str(site.zone),
            "countryCode": "AT",
        },
        "primaryModule": {"manufacturerName": "Simulated", "modelName": "S-410", "maximumPower": 410.0},
        "uris": {"DETAILS": f"{base}/details", "OVERVIEW": f"{base}/overview"},
        "publicSettings": {"isPublic": False},
    }


def overview(site: Site) -> dict[str, Any]:
    """Return the energies of this day, month, year and life, and the power at the last upload."""
    uploaded = site.last_upload()
    energies_wh = {}
    for name, resolution in (
        ("lastYearData", Resolution.YEAR),
        ("lastMonthData", Resolution.MONTH),
        ("lastDayData", Resolution.DAY),
    ):
        bucket = site.total(floor(site.now(), resolution, site.zone), uploaded)
        energies_wh[name] = (bucket.production_wh or 0.0) if bucket else 0.0
    sample = site.at_last_upload()
    power_w = None if sample is None or site.faults.nulls else sample.pv_w
    return {
        "lastUpdateTime": _local(uploaded, site),
        "lifeTimeData": {"energy": PRODUCED_BEFORE_WH + energies_wh["lastYearData"]},
        **{name: {"energy": wh} for name, wh in energies_wh.items()},
        "currentPower": {"power": power_w},
        "measuredBy": "INVERTER",
    }


def meter_details(site: Site, span: Span, wanted: str | None, *, as_power: bool) -> dict[str, Any]:
    """Return the series of the meters, mean powers or energies.

    Args:
        site: whose meters.
        span: which buckets.
        wanted: names of meters joined by commas, None for all.
        as_power: whether mean powers are asked for.
    """
    names = [name for name in METERS if wanted is None or name.upper() in wanted.split(",")]
    if site.faults.no_meter:
        names = [name for name in names if name == "Production"]
    history = site.history(span.resolution, span.start, span.end)
    return {
        "timeUnit": span.time_unit,
        "unit": "W" if as_power else "Wh",
        "meters": [
            {
                "type": name,
                "values": [_pair(site, name, start, bucket, as_power=as_power) for start, bucket in history],
            }
            for name in names
        ],
    }


def _pair(site: Site, name: str, start: datetime, bucket: Bucket | None, *, as_power: bool) -> dict[str, Any]:
    """Return a point of a series; what the cloud does not have (yet) has a date, but no key `value`."""
    pair: dict[str, Any] = {"date": _local(start, site)}
    if site.faults.nulls:
        pair["value"] = None
    elif bucket is not None and not site.faults.missing_keys:
        pair["value"] = round(METERS[name](bucket) / (bucket.hours if as_power else 1.0), 4)
    return pair


def _moment(query: MultiMapping[str], name: str, site: Site) -> datetime:
    text = query.get(name)
    if text is None:
        raise _bad_request(f"Required parameter '{name}' is not present")
    try:
        return utc(datetime.strptime(text, TIME_FORMAT), site.zone)  # noqa: DTZ007 - the zone is the site's
    except ValueError:
        raise _bad_request(f"Parameter '{name}' is no time") from None


def _local(at: datetime, site: Site) -> str:
    return at.astimezone(site.zone).strftime(TIME_FORMAT)


def _bad_request(why: str) -> web.HTTPBadRequest:
    return web.HTTPBadRequest(text=BAD_REQUEST_PAGE.format(why), content_type="text/html")
