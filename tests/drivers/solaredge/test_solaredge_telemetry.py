"""Series of quarter hours: units, nulls, several devices, and the days on which the clocks change."""

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from pvcharge.drivers.base import TransientError
from pvcharge.drivers.solaredge.telemetry import QUARTER, parse_quarters
from pvcharge.model import PowerFlow

START = datetime(2026, 6, 10, 8, 0, tzinfo=UTC)
NOW = START + 8 * QUARTER
VIENNA = ZoneInfo("Europe/Vienna")


def series(values: Iterable[float | None], unit: str = "W", start: datetime = START) -> dict[str, Any]:
    """Return a series that begins at a time, with Vienna's offsets."""
    points = [
        {"timestamp": (start + i * QUARTER).astimezone(VIENNA).isoformat(), "value": value}
        for i, value in enumerate(values)
    ]
    return {"unit": unit, "values": points}


def meters(**devices: dict[str, Any]) -> dict[str, Any]:
    """Return a telemetry document of meters."""
    return {"unit": "KWH", "resolution": "QUARTER_HOUR", "meters": devices}


def storage(**devices: dict[str, Any]) -> dict[str, Any]:
    """Return a telemetry document of batteries."""
    return {"resolution": "QUARTER_HOUR", "storage": devices}


def grid(imported: Iterable[float | None], exported: Iterable[float | None]) -> dict[str, Any]:
    """Return the document of one meter at the grid."""
    return meters(M1={"importPower": series(imported), "exportPower": series(exported)})


def parse(document: Any, now: datetime = NOW, **others: Any) -> list[PowerFlow]:
    """Parse as the readings of an inverter named roof."""
    return parse_quarters(document, now=now, source="roof", **others)


def test_a_quarter_is_a_mean_over_its_interval() -> None:
    """Import less export, from the stamp of the bucket to a quarter hour later, in UTC."""
    assert parse(grid([0, 100], [1500, 250])) == [
        PowerFlow(start=START, end=START + QUARTER, grid_w=-1500.0, source="roof"),
        PowerFlow(start=START + QUARTER, end=START + 2 * QUARTER, grid_w=-150.0, source="roof"),
    ]


def test_nulls_and_absent_values_are_no_readings() -> None:
    """A bucket counts when both directions are known."""
    document = grid([None, 0, 0, 0], [1, None, 3])
    assert [flow.grid_w for flow in parse(document)] == [-3.0]


def test_unfinished_quarters_wait() -> None:
    """The quarter that is still running is not read, even if it has a value."""
    assert [flow.start for flow in parse(grid([0, 0], [1, 2]), now=START + QUARTER)] == [START]


@pytest.mark.parametrize(("unit", "factor"), [("W", 1.0), ("kW", 1e3), ("KW", 1e3), ("MW", 1e6)])
def test_units_of_power(unit: str, factor: float) -> None:
    """Each series is scaled by its own unit."""
    document = meters(M1={"importPower": series([2], unit), "exportPower": series([500], "W")})
    assert parse(document)[0].grid_w == pytest.approx(2 * factor - 500)


@pytest.mark.parametrize(("unit", "factor"), [("WH", 4.0), ("KWH", 4e3), ("MWH", 4e6), ("GWH", 4e9)])
def test_energies_become_powers(unit: str, factor: float) -> None:
    """Where power series are empty, four times the energy of a quarter is its power."""
    empty = {"unit": "WH", "values": []}
    document = meters(
        M1={
            "importPower": empty,
            "importEnergy": series([3], unit),
            "exportPower": empty,
            "exportEnergy": series([0], "WH"),
        }
    )
    assert parse(document)[0].grid_w == pytest.approx(3 * factor)


def test_meters_are_summed_and_others_add_what_they_measure() -> None:
    """Two grid meters add up; production and consumption come from whichever meter has them."""
    document = meters(
        M1={"importPower": series([10]), "exportPower": series([1])},
        M2={"importPower": series([20]), "exportPower": series([2])},
        M3={"productionPower": series([4], "KW"), "consumptionPower": series([3.5], "KW")},
        M4={"importPower": series([None]), "exportPower": series([])},
    )
    flow = parse(document)[0]
    assert (flow.grid_w, flow.pv_w, flow.load_w) == (27.0, 4000.0, 3500.0)


def test_a_sum_without_one_of_its_meters_is_no_sum() -> None:
    """While the second meter's bucket is missing, the quarter is incomplete."""
    document = meters(
        M1={"importPower": series([10, 10]), "exportPower": series([0, 0])},
        M2={"importPower": series([20, None]), "exportPower": series([0, 0])},
    )
    assert [flow.grid_w for flow in parse(document)] == [30.0]


def test_production_from_the_site() -> None:
    """Without a production meter the site's power fills in; a little below zero is zero."""
    production = {"resolution": "QUARTER_HOUR", **series([-0.4, 2.5], "KW")}
    flows = parse(grid([0, 0, 0], [0, 0, 0]), production=production)
    assert [flow.pv_w for flow in flows] == [0.0, 2500.0, None]


def test_consumption_is_never_negative() -> None:
    """An inverter that the meters do not know can push the computed consumption below zero."""
    document = meters(
        M1={"importPower": series([0]), "exportPower": series([9]), "consumptionPower": series([-5])}
    )
    assert parse(document)[0].load_w == 0.0


def test_batteries() -> None:
    """Charging less discharging, summed; the state of charge is the mean; one direction may be absent."""
    batteries = storage(
        B1={"chargePower": series([3, 0], "KW"), "stateOfEnergy": series([60, 61], "PERCENTAGE")},
        B2={"dischargePower": series([500, None]), "stateOfEnergy": series([40, 41], "PERCENTAGE_100")},
    )
    flows = parse(grid([0, 0], [0, 0]), storage=batteries)
    assert [(flow.battery_w, flow.battery_soc_pct) for flow in flows] == [(2500.0, 50.0), (0.0, 51.0)]


def test_a_quarter_without_its_battery_is_incomplete() -> None:
    """A battery that empties into the car must not look like sunshine."""
    batteries = storage(B1={"chargePower": series([0, None])})
    assert [flow.start for flow in parse(grid([0, 0], [0, 0]), storage=batteries)] == [START]


@pytest.mark.parametrize(
    ("documents", "words"),
    [
        ({"document": None}, "the document"),
        ({"document": {"meters": []}}, "meters"),
        ({"document": meters()}, "neither import nor export"),
        ({"document": meters(M1={"productionPower": series([1])})}, "neither import nor export"),
        ({"document": grid([1], [1]) | {"resolution": "HOUR"}}, "QUARTER_HOUR"),
        ({"document": meters(M1={"importPower": series([1], "A")})}, "units W, KW, MW"),
        ({"document": meters(M1={"importPower": series([1], "WH")})}, "units W, KW, MW"),
        ({"document": meters(M1={"importPower": {"values": [{"timestamp": 1, "value": 1}]}})}, "timestamp"),
        ({"document": grid([0], [0]), "storage": storage()}, "neither charge nor discharge"),
        ({"document": grid([0], [0]), "production": []}, "the document"),
        ({"document": grid([0], [0]), "production": {"resolution": "DAY"}}, "QUARTER_HOUR"),
    ],
)
def test_nonsense_is_refused(documents: dict[str, Any], words: str) -> None:
    """An answer of another shape is an error that says what is wrong."""
    with pytest.raises(TransientError, match=words):
        parse(**documents)


@pytest.mark.parametrize("stamp", ["2026-06-10T08:00:00", "0001-01-01T00:00:00+05:00", "yesterday", ""])
def test_times_need_an_offset_and_this_century(stamp: str) -> None:
    """A time that could mean anything is refused."""
    values = {"unit": "W", "values": [{"timestamp": stamp, "value": 1}]}
    with pytest.raises(TransientError, match="timestamp"):
        parse(meters(M1={"importPower": values, "exportPower": values}))


def test_nanoseconds_are_cut() -> None:
    """Times with nine digits of a second are read."""
    values = {"unit": "W", "values": [{"timestamp": "2026-06-10T10:00:00.000000789+02:00", "value": 1}]}
    assert parse(meters(M1={"importPower": values, "exportPower": values}))[0].start == START


@pytest.mark.fault("solaredge", "DST")
@pytest.mark.parametrize(
    ("first", "quarters", "local_hours"),
    [
        (datetime(2026, 3, 29, 0, 30, tzinfo=UTC), 4, ["01:30", "01:45", "03:00", "03:15"]),
        (datetime(2026, 10, 25, 0, 30, tzinfo=UTC), 8, ["02:30", "02:45", "02:00", "02:15"]),
    ],
    ids=["spring", "autumn"],
)
def test_the_clocks_change(first: datetime, quarters: int, local_hours: list[str]) -> None:
    """Local time jumps or repeats an hour; the quarters in UTC follow one another without gap or overlap."""
    counted = [float(i) for i in range(quarters)]
    document = meters(
        M1={"importPower": series(counted, start=first), "exportPower": series([0.0] * quarters, start=first)}
    )
    stamps = [point["timestamp"] for point in document["meters"]["M1"]["importPower"]["values"]]
    assert [stamp[11:16] for stamp in stamps[:4]] == local_hours
    flows = parse(document, now=first + timedelta(hours=3))
    assert [flow.grid_w for flow in flows] == counted
    assert all(a.end == b.start for a, b in pairwise(flows))
