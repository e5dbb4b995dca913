"""Documents of V2 about the site as a whole: itself, its devices, and where its energy went."""

from collections.abc import Callable
from typing import Any

from pvcharge.sim.solaredge.hardware import (
    ACCOUNT_ID,
    BATTERY_SERIAL,
    CITY,
    COUNTRY,
    GRID_METER_SERIAL,
    INSTALLED_ON,
    INVERTER_SERIAL,
    PEAK_POWER_KWP,
    PRODUCTION_METER_SERIAL,
    SITE_NAME,
)
from pvcharge.sim.solaredge.periods import local_iso
from pvcharge.sim.solaredge.series import Bucket
from pvcharge.sim.solaredge.site import Site
from pvcharge.sim.solaredge.v2_series import Window

PRODUCTION_WH: dict[str, Callable[[Bucket], float]] = {
    "total": lambda bucket: bucket.production_wh or 0.0,
    "toSelfConsumption": lambda bucket: max(
        0.0, (bucket.production_wh or 0.0) - bucket.export_wh - bucket.charge_wh
    ),
    "toStorage": lambda bucket: bucket.charge_wh,
    "toGrid": lambda bucket: bucket.export_wh,
}
CONSUMPTION_WH: dict[str, Callable[[Bucket], float]] = {
    "total": lambda bucket: bucket.consumption_wh,
    "fromPv": lambda bucket: max(0.0, bucket.consumption_wh - bucket.discharge_wh - bucket.import_wh),
    "fromStorage": lambda bucket: bucket.discharge_wh,
    "fromGrid": lambda bucket: bucket.import_wh,
}


def site_document(site: Site) -> dict[str, Any]:
    """Return the site as the list of sites shows it."""
    return {
        "siteId": site.site_id,
        "name": SITE_NAME,
        "peakPower": PEAK_POWER_KWP,
        "installationDate": f"{INSTALLED_ON}T00:00:00+02:00",
        "location": {"city": CITY, "country": COUNTRY, "timezone": str(site.zone)},
        "activationStatus": "ACTIVE",
    }


def account_document(site: Site) -> dict[str, Any]:
    """Return what the document of a single site has beyond that."""
    return {"accountId": ACCOUNT_ID, "lastUpdateTime": local_iso(site.last_upload(), site.zone)}


def inventory(site: Site) -> list[dict[str, Any]]:
    """Return all devices. Meters that are only reckoned have no serial number."""
    devices = [{"type": "INVERTER", "serialNumber": INVERTER_SERIAL, "active": True, "name": "Inverter 1"}]
    if not site.faults.no_meter:
        devices += [
            _meter("Consumption", "Consumption Meter", None),
            _meter("FeedIn", "Export Meter", GRID_METER_SERIAL),
            _meter("Purchased", "Import Meter", GRID_METER_SERIAL),
            _meter("SelfConsumption", "Self Consumption", None),
        ]
    if site.has_production_meter:
        devices.append(_meter("Production", "Production Meter", PRODUCTION_METER_SERIAL))
    if site.has_battery:
        devices.append(
            {"type": "BATTERY", "serialNumber": BATTERY_SERIAL, "active": True, "name": "Battery 1.1"}
        )
    return devices


def energy_flows(site: Site, window: Window) -> dict[str, Any]:
    """Return production and consumption with their parts; without a meter only the production is known."""
    bucket = None if site.faults.nulls else site.total(window.start, window.end)
    metered = None if site.faults.no_meter else bucket
    production = {name: part(metered) if metered else None for name, part in PRODUCTION_WH.items()}
    consumption = {name: part(metered) if metered else None for name, part in CONSUMPTION_WH.items()}
    production["total"] = (bucket.production_wh or 0.0) if bucket else None
    return {"production": {**production, "unit": "WH"}, "consumption": {**consumption, "unit": "WH"}}


def _meter(meter_type: str, name: str, serial: str | None) -> dict[str, Any]:
    return {
        "type": "METER",
        "serialNumber": serial,
        "connectedTo": INVERTER_SERIAL,
        "active": True,
        "name": name,
        "meterType": meter_type,
    }
