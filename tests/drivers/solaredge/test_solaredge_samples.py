"""Published answers of the real cloud, where a copy of them lies beside the checkout."""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from pvcharge.drivers.base import TransientError
from pvcharge.drivers.solaredge.powerflow import parse_power_flow
from pvcharge.drivers.solaredge.telemetry import parse_quarters

SAMPLES = Path(__file__).parents[3] / "../shared/facts/samples/solaredge"
AT = datetime(2026, 8, 24, 16, 5, 51, tzinfo=UTC)

pytestmark = pytest.mark.skipif(not SAMPLES.is_dir(), reason="the samples are not part of the project")


def sample(name: str) -> Any:
    """Return a sample."""
    return json.loads((SAMPLES / name).read_text())


@pytest.mark.parametrize(
    ("name", "pv_w", "grid_w", "load_w", "battery_w", "soc_pct"),
    [
        ("v1/powerflow_real_export_charging.json", 6340, -1090, 250, 5000, 93),
        ("v1/powerflow_real_night_import.json", 0, 700, 700, None, None),
        ("v1/powerflow_doc_unit_W.json", 0, 3435.78, 3435.78, 0, 27),
    ],
)
def test_power_flows(
    name: str, pv_w: float, grid_w: float, load_w: float, battery_w: float | None, soc_pct: float | None
) -> None:
    """Powers and directions are as their publisher understood them."""
    flow = parse_power_flow(sample(name), at=AT, source="roof")
    assert (flow.pv_w, flow.grid_w, flow.load_w) == pytest.approx((pv_w, grid_w, load_w), abs=0.01)
    assert (flow.battery_w, flow.battery_soc_pct) == (battery_w, soc_pct)


def test_a_site_without_meters() -> None:
    """The documented empty answer is told as such."""
    with pytest.raises(TransientError, match="needs meters"):
        parse_power_flow(sample("v1/powerflow_no_meter_empty_DOC.json"), at=AT, source="roof")


def test_meters_with_empty_power_series() -> None:
    """Empty powers in a wrong unit do no harm: the energies count."""
    document = sample("v2/meters_telemetry_importexport_doc_shape.json")
    (flow,) = parse_quarters(document, now=AT, source="roof")
    assert (flow.start, flow.grid_w) == (datetime(2023, 12, 31, 23, 0, tzinfo=UTC), 0.0)


def test_a_day_of_production() -> None:
    """The real series of a day: nothing at night, watts by day, the newest quarter not there yet."""
    production = sample("v2/power_real_2026-08-24.json")
    zeros = [{"timestamp": point["timestamp"], "value": 0.0} for point in production["values"]]
    series = {"unit": "W", "values": zeros}
    meters = {"resolution": "QUARTER_HOUR", "meters": {"M1": {"importPower": series, "exportPower": series}}}
    flows = parse_quarters(meters, production=production, now=AT, source="roof")
    known = [flow for flow in flows if flow.pv_w is not None]
    assert known[0].start == datetime(2026, 8, 24, 5, 0, tzinfo=UTC)
    assert known[-1].end == datetime(2026, 8, 24, 16, 0, tzinfo=UTC)
    assert len(known) == 44


def test_a_battery() -> None:
    """Three series in three units; only charging is reported while it charges."""
    storage = sample("v2/storage_telemetry_doc_shape.json")
    stamps = [point["timestamp"] for point in storage["storage"]["BATT-001"]["chargePower"]["values"]]
    series = {"unit": "W", "values": [{"timestamp": stamp, "value": 0.0} for stamp in stamps]}
    meters = {"resolution": "QUARTER_HOUR", "meters": {"M1": {"importPower": series, "exportPower": series}}}
    now = datetime(2026, 9, 29, 18, 0, tzinfo=UTC)
    flows = parse_quarters(meters, storage=storage, now=now, source="roof")
    assert [(flow.battery_w, flow.battery_soc_pct) for flow in flows] == [(3000.0, None), (2750.0, 67.8)]
