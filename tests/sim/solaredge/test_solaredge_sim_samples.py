"""The simulated SolarEdge cloud held against documents recorded from the real one, where they are at hand."""

import json
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from aiohttp import ClientResponse

from pvcharge.sim.solaredge import SolarEdgeServer

Get = Callable[..., Awaitable[ClientResponse]]

SAMPLES = Path(__file__).parents[3] / "../shared/facts/samples/solaredge"
QUARTER = {"from_": "2026-08-24T16:45:00", "to": "2026-08-24T17:00:00"}
V1_QUARTER = {"startTime": "2026-08-24 16:45:00", "endTime": "2026-08-24 17:00:00"}


def recorded(name: str) -> Any:
    """Return a recorded document, or skip the test."""
    path = SAMPLES / f"{name}.json"
    if not path.exists():
        pytest.skip("the recorded documents are not at hand")
    return json.loads(path.read_text())


def paths(document: Any, prefix: str = "") -> Iterator[str]:
    """Yield every path of keys in a document; all serial numbers are alike."""
    if isinstance(document, dict):
        for name, part in document.items():
            key = "serial" if sum(map(str.isdigit, name)) > 2 else name
            yield f"{prefix}/{key}"
            yield from paths(part, f"{prefix}/{key}")
    elif isinstance(document, list):
        for part in document:
            yield from paths(part, f"{prefix}/*")


@pytest.mark.parametrize(
    ("name", "path", "query"),
    [
        ("v1/error_401_real_2026-07", "/nothing", {"api_key": "wrong"}),
        ("v1/overview_real_log", "/site/4711/overview", {}),
        ("v1/powerDetails_doc", "/site/4711/powerDetails", V1_QUARTER),
        ("v1/powerflow_real_export_charging", "/site/4711/currentPowerFlow", {}),
        ("v2/devices_meters_doc_shape", "/v2/sites/4711/devices", {"types": "METER"}),
        ("v2/error_404_real", "/v2/nothing", {}),
        ("v2/meters_telemetry_importexport_doc_shape", "/v2/sites/4711/meters/telemetry", QUARTER),
        ("v2/power_real_2026-08-24", "/v2/sites/4711/power", {}),
        ("v2/site_doc_shape", "/v2/sites/4711", {}),
    ],
)
async def test_every_recorded_key_is_there(
    server: SolarEdgeServer, get: Get, name: str, path: str, query: dict[str, str]
) -> None:
    """What clients may have come to rely on, at the same place."""
    document = recorded(name)
    answer = json.loads(await (await get(server, path, **query)).text())
    optional = {"/*/connectedToName"}  # one sample has it beside `connectedTo`
    assert set(paths(document)) - optional <= set(paths(answer))


async def test_the_power_flow_of_a_sunny_day_is_equal(server: SolarEdgeServer, get: Get) -> None:
    """The default powers of these tests are those of that record."""
    document = await (await get(server, "/site/4711/currentPowerFlow")).json()
    assert document == recorded("v1/powerflow_real_export_charging")


async def test_the_power_flow_of_a_night_is_equal(
    server: SolarEdgeServer, get: Get, house: SimpleNamespace
) -> None:
    """A house without battery that imports."""
    house.pv_w, house.load_w, house.grid_w, house.battery_w = 0.0, 700.0, 700.0, None
    document = await (await get(server, "/site/4711/currentPowerFlow")).json()
    assert document == recorded("v1/powerflow_real_night_import")


async def test_the_power_flow_in_watts_has_the_documented_keys(server: SolarEdgeServer, get: Get) -> None:
    """No more and no less, as an older manual shows it."""
    server.faults.mixed_units = True
    document = await (await get(server, "/site/4711/currentPowerFlow")).json()
    assert set(paths(document)) == set(paths(recorded("v1/powerflow_doc_unit_W")))
