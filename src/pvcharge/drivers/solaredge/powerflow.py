"""Reads the power flow of the moment: V1 `currentPowerFlow`, and V2 `power-flow`, which looks alike.

The payload has its oddities. All powers are magnitudes: the direction stands only in `connections`,
spelled "GRID" on one side of an edge and "Grid" on the other. Any part may be missing, an edge of a
power of 0 always is, and nothing says how old the values are.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from pvcharge.drivers.solaredge.fields import as_list, as_mapping, as_number, as_text, unusable
from pvcharge.model import PowerFlow

EMPTY_RETRY_S = 900.0  # a site without meters stays empty: asking each minute would only spend requests
_WATTS = {"w": 1.0, "kw": 1e3, "mw": 1e6}
_NO_DIRECTION_BELOW_W = 20.0  # two digits of a kW: rounding may leave power without an edge
_RESIDUAL_W = 50.0
_RESIDUAL_SHARE = 0.02
_FULL_PCT = 100.0

Edges = frozenset[tuple[str, str]]


def parse_power_flow(document: Any, *, at: datetime, source: str) -> PowerFlow:
    """Return the flow as an instant at the time of receipt, since the payload names none.

    Raises:
        TransientError: the site has no power flow, or the answer contradicts itself.
    """
    flow = as_mapping(document, "the document").get("siteCurrentPowerFlow")
    if not flow:
        raise unusable(
            "no power flow; the site needs meters for import, export and consumption, and a valid key",
            retry_after_s=EMPTY_RETRY_S,
        )
    flow = as_mapping(flow, "siteCurrentPowerFlow")
    unit_w = _unit_w(flow.get("unit"))
    edges = _edges(flow.get("connections"))
    storage = as_mapping(flow.get("STORAGE") or {}, "STORAGE")
    pv_w = _magnitude_w(flow, "PV", unit_w)
    load_w = _magnitude_w(flow, "LOAD", unit_w)
    grid_w = _given_w("grid", _magnitude_w(flow, "GRID", unit_w), edges)
    discharge_w = _given_w("storage", _magnitude_w(flow, "STORAGE", unit_w), edges)
    battery_w = None if discharge_w is None else 0.0 - discharge_w
    _check_status(storage, battery_w)
    if pv_w is None and load_w is None and grid_w is None:
        raise unusable("a power flow without any power", retry_after_s=EMPTY_RETRY_S)
    if battery_w is not None or not storage:
        _check_balance(pv_w, grid_w, load_w, battery_w or 0.0)
    return PowerFlow(
        start=at,
        end=at,
        pv_w=pv_w,
        grid_w=grid_w,
        battery_w=battery_w,
        load_w=load_w,
        battery_soc_pct=_charge_level_pct(storage),
        source=source,
    )


def _unit_w(unit: Any) -> float:
    name = as_text(unit, "unit")
    if (unit_w := _WATTS.get(name.casefold())) is None:
        raise unusable("the unit of the power flow is none of W, kW, MW")
    return unit_w


def _edges(connections: Any) -> Edges:
    """Return (from, to) pairs in lower case."""
    pairs = set()
    for connection in as_list([] if connections is None else connections, "connections"):
        edge = as_mapping(connection, "a connection")
        start, end = (as_text(edge.get(side), "a side of a connection") for side in ("from", "to"))
        pairs.add((start.casefold(), end.casefold()))
    return frozenset(pairs)


def _magnitude_w(flow: Mapping[str, Any], element: str, unit_w: float) -> float | None:
    power = as_number(as_mapping(flow.get(element) or {}, element).get("currentPower"), f"power of {element}")
    if power is None:
        return None
    if power < 0:
        raise unusable(f"negative power of {element}")
    return power * unit_w


def _given_w(element: str, power_w: float | None, edges: Edges) -> float | None:
    """Give a magnitude its sign: + what the element gives to the house, - what it takes."""
    if power_w is None:
        return None
    gives = any(start == element for start, _ in edges)
    takes = any(end == element for _, end in edges)
    if gives == takes:  # neither, or both: the direction is unknown
        if power_w > _NO_DIRECTION_BELOW_W:
            raise unusable(f"{element} has power, but its connections tell no direction")
        return 0.0
    return power_w if gives else -power_w


def _check_status(storage: Mapping[str, Any], battery_w: float | None) -> None:
    """Compare the battery's direction with its status, an open set of words."""
    status = storage.get("status")
    word = status.casefold() if isinstance(status, str) else ""
    if battery_w and word == ("discharging" if battery_w > 0 else "charging"):
        raise unusable("status and connections of STORAGE contradict each other")


def _check_balance(pv_w: float | None, grid_w: float | None, load_w: float | None, battery_w: float) -> None:
    if pv_w is None or grid_w is None or load_w is None:
        return
    residual_w = abs(pv_w + grid_w - load_w - battery_w)
    largest_w = max(pv_w, abs(grid_w), load_w, abs(battery_w))
    if residual_w > max(_RESIDUAL_W, _RESIDUAL_SHARE * largest_w):
        raise unusable(f"the power flow does not balance: {residual_w:.0f} W are missing")


def _charge_level_pct(storage: Mapping[str, Any]) -> float | None:
    level_pct = as_number(storage.get("chargeLevel"), "chargeLevel")
    return level_pct if level_pct is not None and 0 <= level_pct <= _FULL_PCT else None
