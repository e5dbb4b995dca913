"""The power flow of the moment, with all its oddities."""

from datetime import UTC, datetime
from typing import Any

import pytest

from pvcharge.drivers.base import TransientError
from pvcharge.drivers.solaredge.powerflow import parse_power_flow
from pvcharge.model import PowerFlow

AT = datetime(2026, 6, 10, 10, 0, tzinfo=UTC)


def edges(*pairs: str) -> list[dict[str, str]]:
    """Return connections of "FROM>To" texts."""
    return [dict(zip(("from", "to"), pair.split(">"), strict=True)) for pair in pairs]


def flow(unit: str = "kW", *connections: str, **elements: Any) -> dict[str, Any]:
    """Return a document; an element is a number of its power, or its whole object."""
    objects = {
        name: item if isinstance(item, dict) else {"status": "Active", "currentPower": item}
        for name, item in elements.items()
    }
    return {
        "siteCurrentPowerFlow": {
            "updateRefreshRate": 3,
            "unit": unit,
            "connections": edges(*connections),
            **objects,
        }
    }


def parse(document: Any) -> PowerFlow:
    """Parse as the reading of an inverter named roof."""
    return parse_power_flow(document, at=AT, source="roof")


def test_export_and_charging() -> None:
    """A sunny house exports and charges its battery: grid negative, battery positive, SI units."""
    document = flow(
        "kW",
        "LOAD>Grid",
        "PV>Load",
        "PV>Storage",
        GRID=1.25,
        LOAD=0.5,
        PV=5.75,
        STORAGE={"status": "Charging", "currentPower": 4.0, "chargeLevel": 81, "critical": False},
    )
    assert parse(document) == PowerFlow(
        start=AT,
        end=AT,
        pv_w=5750.0,
        grid_w=-1250.0,
        battery_w=4000.0,
        load_w=500.0,
        battery_soc_pct=81.0,
        source="roof",
    )


@pytest.mark.parametrize(
    ("document", "grid_w", "battery_w"),
    [
        (flow("kW", "GRID>Load", GRID=0.7, LOAD=0.7, PV=0.0), 700.0, None),
        (flow("kw", "grid>load", GRID=0.7, LOAD=0.7, PV=0.0), 700.0, None),
        (flow("W", "GRID>LOAD", GRID=3435.75, LOAD=3435.75, PV=0), 3435.75, None),
        (flow("MW", "LOAD>Grid", GRID=0.002, LOAD=0.001, PV=0.003), -2000.0, None),
        (flow("kW", "PV>Load", GRID=0.0, LOAD=1.2, PV=1.2), 0.0, None),
        (flow("kW", "PV>Load", GRID=0.01, LOAD=1.2, PV=1.2), 0.0, None),
        (flow("kW", "PV>Grid", GRID=1.0, PV=1.0), -1000.0, None),
        (flow("kW", "STORAGE>Load", GRID=0, LOAD=2, PV=0, STORAGE=2.0), 0.0, -2000.0),
        (flow("kW", "STORAGE>Grid", GRID=1.0, LOAD=0, PV=0, STORAGE=1.0), -1000.0, -1000.0),
        (flow("kW", "GRID>Load", "LOAD>STORAGE", GRID=3, LOAD=1, PV=0, STORAGE=2), 3000.0, 2000.0),
        (flow("kW", "PV>Load", GRID=0, LOAD=1, PV=1, STORAGE=0.0), 0.0, 0.0),
        (flow("kW", "PV>Load", GRID=0, LOAD=1, PV=1, STORAGE={"status": "Idle"}), 0.0, None),
    ],
)
def test_directions(document: dict[str, Any], grid_w: float, battery_w: float | None) -> None:
    """The direction stands in the connections, whatever the case of their letters."""
    reading = parse(document)
    assert (reading.grid_w, reading.battery_w) == (grid_w, battery_w)


@pytest.mark.parametrize(
    ("elements", "expected"),
    [
        ({"LOAD": 1.0, "PV": 1.0}, (1000.0, None, 1000.0)),
        ({"GRID": {"status": "Active"}, "LOAD": 1.0, "PV": 1.0}, (1000.0, None, 1000.0)),
        ({"GRID": {"currentPower": None}, "LOAD": 1.0, "PV": 1.0}, (1000.0, None, 1000.0)),
        ({"GRID": 0.0, "LOAD": None}, (None, 0.0, None)),
    ],
)
def test_what_is_missing_is_none(
    elements: dict[str, Any], expected: tuple[float | None, float | None, float | None]
) -> None:
    """An element or its power may be missing; the others still count."""
    reading = parse(flow("kW", "PV>Load", **elements))
    assert (reading.pv_w, reading.grid_w, reading.load_w) == expected


def test_an_unknown_battery_excuses_a_gap() -> None:
    """When the battery's power is missing, nobody can say whether the rest balances."""
    reading = parse(flow("kW", "PV>Load", GRID=0.0, LOAD=1.0, PV=3.0, STORAGE={"status": "Charging"}))
    assert (reading.pv_w, reading.battery_w) == (3000.0, None)


def test_missing_connections_leave_a_still_grid() -> None:
    """Some sites never send connections; with no power at the grid none are needed."""
    document = flow("kW", GRID=0.0, LOAD=1.0, PV=1.0)
    del document["siteCurrentPowerFlow"]["connections"]
    assert parse(document).grid_w == 0.0


@pytest.mark.parametrize("document", [{}, {"siteCurrentPowerFlow": {}}, {"siteCurrentPowerFlow": None}])
def test_a_site_without_meters_is_asked_rarely(document: dict[str, Any]) -> None:
    """Both kinds of emptiness say what is missing and ask for a long wait."""
    with pytest.raises(TransientError, match="needs meters") as caught:
        parse(document)
    assert caught.value.retry_after_s == 900.0


@pytest.mark.parametrize(
    ("document", "words"),
    [
        ([], "the document"),
        (flow("A", GRID=0.0), "unit"),
        ({"siteCurrentPowerFlow": {"GRID": {"currentPower": 0.0}}}, "unit"),
        (flow("kW", GRID=1.0, LOAD=1.0, PV=2.0), "no direction"),
        (flow("kW", "GRID>Load", "LOAD>Grid", GRID=1.0, LOAD=1.0, PV=0.0), "no direction"),
        (flow("kW", "PV>Load", GRID=0, LOAD=1, PV=1, STORAGE=1.0), "no direction"),
        (flow("kW", "GRID>Load", GRID=1.0, LOAD=2.0, PV=0.0), "balance"),
        (flow("kW", "GRID>Load", GRID=-1.0, LOAD=1.0, PV=0.0), "negative"),
        (flow("kW", "GRID>Load", GRID="1", LOAD=1.0, PV=0.0), "no number"),
        (flow("kW", "GRID>Load", GRID=True), "no number"),
        (flow("kW", "GRID>Load", GRID=float("nan")), "beyond reason"),
        (flow("kW", "GRID>Load", GRID=10**400), "beyond reason"),
        (flow("kW", GRID={}, LOAD={}), "without any power"),
        (flow("kW", "GRID>Load", GRID=[1]), "no number"),
        ({"siteCurrentPowerFlow": {"unit": "W", "connections": "GRID>Load"}}, "connections"),
        ({"siteCurrentPowerFlow": {"unit": "W", "connections": [{"from": "GRID"}]}}, "side"),
        (
            flow("kW", "PV>Storage", PV=1, STORAGE={"status": "Discharging", "currentPower": 1}),
            "contradict",
        ),
    ],
)
def test_nonsense_is_refused(document: Any, words: str) -> None:
    """A sample that contradicts itself is an error, never a reading."""
    with pytest.raises(TransientError, match=words):
        parse(document)


@pytest.mark.parametrize(
    ("load_kw", "balances"), [(10.0, True), (10.19, True), (10.21, False), (9.81, True), (9.79, False)]
)
def test_rounding_is_forgiven(load_kw: float, *, balances: bool) -> None:
    """Up to 2 % of the largest power may be missing."""
    document = flow("kW", GRID=0.0, LOAD=load_kw, PV=10.0)
    if balances:
        assert parse(document).load_w == pytest.approx(load_kw * 1000)
    else:
        with pytest.raises(TransientError, match="balance"):
            parse(document)
