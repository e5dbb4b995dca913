"""The live power flow, with the oddities of the real one."""

from typing import TYPE_CHECKING, Any

from pvcharge.sim.solaredge.site import Site

if TYPE_CHECKING:
    from pvcharge.sim.house import HouseSample

CRITICAL_BELOW_PCT = 10


def power_flow(site: Site) -> dict[str, Any]:
    """Return the document `siteCurrentPowerFlow`.

    No power has a sign: directions stand in `connections` alone, `from` in capitals and `to` capitalised.
    A grid at zero has no connection. The battery is there only if the house has one. There is no time stamp.
    """
    sample, faults = site.live(), site.faults
    if sample is None or faults.no_meter:
        return {"siteCurrentPowerFlow": {}}
    head: dict[str, Any] = {"unit": "W"} if faults.mixed_units else {"updateRefreshRate": 3, "unit": "kW"}
    elements = _elements(sample, in_kw=not faults.mixed_units)
    if faults.nulls:
        for element in elements.values():
            element["currentPower"] = None
    if faults.missing_keys:
        for element in elements.values():
            del element["currentPower"]
    else:
        head["connections"] = _connections(sample)
    return {"siteCurrentPowerFlow": {**head, **elements}}


def _elements(sample: "HouseSample", *, in_kw: bool) -> dict[str, dict[str, Any]]:
    def power(watts: float) -> float:
        return round(abs(watts) / 1000, 2) if in_kw else abs(watts)

    elements: dict[str, dict[str, Any]] = {
        "GRID": {"status": "Active", "currentPower": power(sample.grid_w)},
        "LOAD": {"status": "Active", "currentPower": power(sample.load_w)},
        "PV": {"status": "Active" if _steps(sample.pv_w) else "Idle", "currentPower": power(sample.pv_w)},
    }
    if sample.battery_w is not None:
        level_pct = round(sample.battery_soc_pct or 0.0)
        steps = _steps(sample.battery_w)
        elements["STORAGE"] = {
            "status": "Charging" if steps > 0 else "Discharging" if steps < 0 else "Idle",
            "currentPower": power(sample.battery_w),
            "chargeLevel": level_pct,
            "critical": level_pct < CRITICAL_BELOW_PCT,
        }
    return elements


def _connections(sample: "HouseSample") -> list[dict[str, str]]:
    grid, pv, battery = _steps(sample.grid_w), _steps(sample.pv_w), _steps(sample.battery_w or 0.0)
    edges = {
        ("LOAD", "Grid"): grid < 0,
        ("GRID", "Load"): grid > 0,
        ("PV", "Load"): pv > 0,
        ("PV", "Storage"): battery > 0 and pv > 0,
        ("LOAD", "Storage"): battery > 0 and pv == 0,
        ("STORAGE", "Load"): battery < 0,
    }
    return [{"from": source, "to": sink} for (source, sink), flows in edges.items() if flows]


def _steps(watts: float) -> int:
    """Return a power in the 10 W steps in which the cloud thinks."""
    return round(watts / 10)
