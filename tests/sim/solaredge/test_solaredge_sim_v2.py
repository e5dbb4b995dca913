"""What the simulated V2 of SolarEdge answers."""

from collections.abc import Awaitable, Callable, Mapping
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import pytest
from aiohttp import ClientResponse, ClientSession

from pvcharge.sim.solaredge import SolarEdgeServer

Get = Callable[..., Awaitable[ClientResponse]]
Serve = Callable[..., Awaitable[SolarEdgeServer]]

SITE = "/v2/sites/4711"
QUARTER = {"from_": "2026-08-24T16:45:00", "to": "2026-08-24T17:00:00"}


def series(document: Mapping[str, Any]) -> list[Any]:
    """Return the bare values of a series."""
    return [pair["value"] for pair in document["values"]]


@pytest.mark.parametrize("headers", [{}, {"X-API-Key": "wrong"}, {"Authorization": "Bearer wrong"}])
async def test_a_credential_is_needed(
    server: SolarEdgeServer, session: ClientSession, headers: dict[str, str]
) -> None:
    """Without a good one the answer is a 401 problem, even for an unknown endpoint."""
    async with session.get(f"{server.base_url}/v2/nothing", headers=headers) as response:
        assert (response.status, response.content_type) == (401, "application/problem+json")


async def test_unknown_endpoint(server: SolarEdgeServer, get: Get) -> None:
    """The 404 is the real one's problem document."""
    problem = await (await get(server, f"{SITE}/powerFlow")).json(content_type="application/problem+json")
    assert (problem["detail"], problem["status"], len(problem["traceId"])) == ("Unknown endpoint", 404, 32)


async def test_site(server: SolarEdgeServer, get: Get) -> None:
    """The list has the site; its own document says more, and when it was last heard of."""
    listed = (await (await get(server, "/v2/sites")).json())["sites"]
    site = await (await get(server, SITE)).json()
    assert (listed["count"], listed["site"][0]["siteId"]) == (1, 4711)
    assert site["lastUpdateTime"] == "2026-08-24T17:00:00+02:00"
    assert site["location"]["timezone"] == "Europe/Vienna"


async def test_devices(serve: Serve, get: Get, session: ClientSession) -> None:
    """By default inverters only; types may be repeated."""
    server = await serve(production_meter=True)
    assert [device["type"] for device in await (await get(server, f"{SITE}/devices")).json()] == ["INVERTER"]
    url = f"{server.base_url}{SITE}/devices?types=METER&types=BATTERY"
    async with session.get(url, headers={"X-API-Key": server.api_key}) as response:
        devices = await response.json()
    assert [device.get("meterType") for device in devices] == [
        "Consumption",
        "FeedIn",
        "Purchased",
        "SelfConsumption",
        "Production",
        None,
    ]
    assert devices[1]["serialNumber"] == devices[2]["serialNumber"]


async def test_meters(server: SolarEdgeServer, get: Get) -> None:
    """One meter carries import and export as series of their own, none below zero."""
    answer = await (await get(server, f"{SITE}/meters/telemetry", **QUARTER)).json()
    (meter,) = answer["meters"].values()
    assert {name: (metric["unit"], series(metric)) for name, metric in meter.items()} == {
        "importPower": ("W", [0.0]),
        "importEnergy": ("WH", [0.0]),
        "exportPower": ("W", [1090.0]),
        "exportEnergy": ("WH", [272.5]),
    }


async def test_production_meter(serve: Serve, get: Get) -> None:
    """A second serial number measures the roof, where there is such a meter."""
    server = await serve(production_meter=True)
    answer = await (await get(server, f"{SITE}/meters/telemetry", **QUARTER)).json()
    _, roof = answer["meters"].values()
    assert {name: series(metric) for name, metric in roof.items()} == {
        "productionPower": [6340.0],
        "productionEnergy": [1585.0],
    }


async def test_storage(server: SolarEdgeServer, get: Get) -> None:
    """Charge and discharge are series of their own; the level is a percentage."""
    answer = await (await get(server, f"{SITE}/storage/telemetry", **QUARTER)).json()
    (battery,) = answer["storage"].values()
    assert {name: (metric["unit"], series(metric)) for name, metric in battery.items()} == {
        "chargePower": ("W", [5000.0]),
        "chargeEnergy": ("WH", [1250.0]),
        "dischargePower": ("W", [0.0]),
        "dischargeEnergy": ("WH", [0.0]),
        "stateOfEnergy": ("PERCENTAGE", [93.0]),
    }


async def test_a_house_without_a_battery(server: SolarEdgeServer, get: Get, house: SimpleNamespace) -> None:
    """It has no storage at all, not a battery of zeros."""
    house.battery_w = house.battery_soc_pct = None
    answer = await (await get(server, f"{SITE}/storage/telemetry", **QUARTER)).json()
    assert answer["storage"] == {}


async def test_inverters(server: SolarEdgeServer, get: Get) -> None:
    """What the inverter gives is what the roof gives less what goes into the battery behind it."""
    answer = await (await get(server, f"{SITE}/inverters/telemetry", **QUARTER)).json()
    (inverter,) = answer["inverters"].values()
    assert (series(inverter["power"]), series(inverter["energy"])) == ([1340.0], [335.0])


async def test_overview(server: SolarEdgeServer, get: Get) -> None:
    """From midnight on: where the energy went, in 17 hours of uploads."""
    answer = await (await get(server, f"{SITE}/overview")).json()
    production = {name: part / 17 for name, part in answer["production"].items() if name != "unit"}
    consumption = {name: part / 17 for name, part in answer["consumption"].items() if name != "unit"}
    assert production == pytest.approx(
        {"total": 6340, "toSelfConsumption": 250, "toStorage": 5000, "toGrid": 1090}
    )
    assert consumption == pytest.approx({"total": 250, "fromPv": 250, "fromStorage": 0, "fromGrid": 0})


async def test_overview_without_meter(server: SolarEdgeServer, get: Get) -> None:
    """Then only the production is known."""
    server.faults.no_meter = True
    answer = await (await get(server, f"{SITE}/overview")).json()
    assert answer["production"]["total"] > 0
    assert answer["production"]["toGrid"] is None
    assert answer["consumption"]["total"] is None


async def test_default_window(server: SolarEdgeServer, get: Get, time: SimpleNamespace) -> None:
    """Midnight until now, with nanoseconds; the quarter under way is there, but null."""
    time.now += timedelta(microseconds=160789)
    answer = await (await get(server, f"{SITE}/power")).json()
    assert answer["period"] == {
        "from": "2026-08-24T00:00:00+02:00",
        "to": "2026-08-24T17:05:51.160789237+02:00",
    }
    assert datetime.fromisoformat(answer["period"]["to"]) == time.now
    assert (answer["values"][0]["timestamp"], len(answer["values"])) == ("2026-08-24T00:00:00+02:00", 69)
    assert answer["values"][-1] == {"timestamp": "2026-08-24T17:00:00+02:00", "value": None}
    assert answer["values"][-2]["value"] == 6340.0


@pytest.mark.parametrize(("second", "value"), [(329, None), (330, 6340.0)])
async def test_a_quarter_can_be_read_some_minutes_after_its_end(
    server: SolarEdgeServer, get: Get, time: SimpleNamespace, second: int, value: float | None
) -> None:
    """Before that it is present and null."""
    time.now = datetime(2026, 8, 24, 15, 0, tzinfo=UTC) + timedelta(seconds=second)
    answer = await (await get(server, f"{SITE}/power", **QUARTER)).json()
    assert answer["values"] == [{"timestamp": "2026-08-24T16:45:00+02:00", "value": value}]


async def test_the_delay_can_be_set(serve: Serve, get: Get, time: SimpleNamespace) -> None:
    """Without a delay a quarter can be read as soon as it ends."""
    server = await serve(publish_delay_s=0.0)
    time.now = datetime(2026, 8, 24, 15, 0, tzinfo=UTC)
    assert series(await (await get(server, f"{SITE}/power", **QUARTER)).json()) == [6340.0]


async def test_an_hour_can_be_read_when_it_is_complete(server: SolarEdgeServer, get: Get) -> None:
    """At 17:05:51 the hour to 17:00 is there, the next is null."""
    window = {"from_": "2026-08-24T15:00:00", "to": "2026-08-24T17:05:00"}
    answer = await (await get(server, f"{SITE}/power", resolution="HOUR", **window)).json()
    assert series(answer) == [6340.0, 6340.0, None]


async def test_nothing_lies_in_the_future(server: SolarEdgeServer, get: Get) -> None:
    """A window that ends later has no buckets that have not begun."""
    window = {"from_": "2026-08-24T16:45:00", "to": "2026-08-24T23:00:00"}
    assert len(series(await (await get(server, f"{SITE}/power", **window)).json())) == 2


async def test_the_inverter_sleeps_at_night(
    server: SolarEdgeServer, get: Get, house: SimpleNamespace, time: SimpleNamespace
) -> None:
    """Dark quarters are null until 6:00 and 0.0 after; the grid meter goes on measuring."""
    house.pv_w, house.battery_w, house.grid_w = 0.0, 0.0, 250.0
    time.now = datetime(2026, 8, 24, 4, 30, tzinfo=UTC)
    window = {"from_": "2026-08-24T05:30:00", "to": "2026-08-24T06:15:00"}
    power = await (await get(server, f"{SITE}/power", **window)).json()
    meters = await (await get(server, f"{SITE}/meters/telemetry", **window)).json()
    inverters = await (await get(server, f"{SITE}/inverters/telemetry", **window)).json()
    (meter,), (inverter,) = meters["meters"].values(), inverters["inverters"].values()
    assert series(power) == [None, None, 0.0]
    assert series(inverter["power"]) == [None, None, 0.0]
    assert series(meter["importPower"]) == [250.0, 250.0, 250.0]


@pytest.mark.parametrize(
    "window",
    [
        QUARTER,
        {"from_": "2026-08-24T16:45:00+02:00", "to": "2026-08-24T17:00:00+02:00"},
        {"from_": "2026-08-24T14:45:00Z", "to": "2026-08-24T15:00:00.000Z"},
    ],
)
async def test_times_may_be_local_or_with_offset(
    server: SolarEdgeServer, get: Get, window: dict[str, str]
) -> None:
    """All three spellings mean the same quarter."""
    answer = await (await get(server, f"{SITE}/power", **window)).json()
    assert answer["values"] == [{"timestamp": "2026-08-24T16:45:00+02:00", "value": 6340.0}]


@pytest.mark.parametrize(
    ("resolution", "start", "status"),
    [
        ("QUARTER_HOUR", "2026-08-24T05:00:00", 200),
        ("QUARTER_HOUR", "2026-08-24T04:59:00", 400),
        ("HOUR", "2026-08-23T17:00:00", 200),
        ("HOUR", "2026-08-23T16:59:00", 400),
        ("DAY", "2026-07-24T17:00:00", 200),
        ("DAY", "2026-07-23T15:00:00", 400),
        ("MONTH", "2020-01-01T00:00:00", 200),
        ("YEAR", "2020-01-01T00:00:00", 200),
        ("MINUTE", "2026-08-24T16:45:00", 400),
        ("HOUR", "2026-08-24T17:00:00", 400),
        ("HOUR", "yesterday", 400),
        ("YEAR", "0001-01-01T00:00:00", 400),
    ],
)
async def test_each_resolution_has_its_longest_window(
    server: SolarEdgeServer, get: Get, resolution: str, start: str, status: int
) -> None:
    """Longer windows, empty ones and nonsense are 400 problems."""
    query = {"from_": start, "to": "2026-08-24T17:00:00", "resolution": resolution}
    response = await get(server, f"{SITE}/energy", **query)
    problem = response.content_type == "application/problem+json"
    assert (response.status, problem) == (status, status == 400)


async def test_units_of_the_site_series(server: SolarEdgeServer, get: Get) -> None:
    """The unit may be chosen among those of the quantity."""
    energy = await (await get(server, f"{SITE}/energy", unit="KWH", **QUARTER)).json()
    assert (energy["unit"], series(energy)) == ("KWH", [1.585])
    assert (await get(server, f"{SITE}/power", unit="KWH", **QUARTER)).status == 400


async def test_only_energy_has_a_total(server: SolarEdgeServer, get: Get) -> None:
    """The total is one bucket from end to end."""
    window = {"from_": "2026-08-24T08:00:00", "to": "2026-08-24T10:00:00", "resolution": "TOTAL"}
    assert series(await (await get(server, f"{SITE}/energy", **window)).json()) == [12680.0]
    assert (await get(server, f"{SITE}/power", **window)).status == 400


async def test_days_have_no_power_telemetry(server: SolarEdgeServer, get: Get) -> None:
    """Metrics that a resolution does not support are absent."""
    window = {"from_": "2026-08-23T00:00:00", "to": "2026-08-24T00:00:00", "resolution": "DAY"}
    answer = await (await get(server, f"{SITE}/meters/telemetry", **window)).json()
    (meter,) = answer["meters"].values()
    assert set(meter) == {"importEnergy", "exportEnergy"}


async def test_the_day_on_which_summer_time_ends(
    server: SolarEdgeServer, get: Get, time: SimpleNamespace
) -> None:
    """It has 25 hours, and offsets that change."""
    time.now = datetime(2026, 10, 26, 11, 0, tzinfo=UTC)
    days = {"from_": "2026-10-25T00:00:00", "to": "2026-10-27T00:00:00", "resolution": "DAY"}
    answer = await (await get(server, f"{SITE}/energy", **days)).json()
    assert [pair["timestamp"] for pair in answer["values"]] == [
        "2026-10-25T00:00:00+02:00",
        "2026-10-26T00:00:00+01:00",
    ]
    assert answer["values"][0]["value"] == pytest.approx(25 * 6340)
    night = {"from_": "2026-10-25T00:15:00Z", "to": "2026-10-25T01:30:00Z"}
    answer = await (await get(server, f"{SITE}/power", **night)).json()
    assert [pair["timestamp"][11:] for pair in answer["values"]] == [
        "02:15:00+02:00",
        "02:30:00+02:00",
        "02:45:00+02:00",
        "02:00:00+01:00",
        "02:15:00+01:00",
    ]


@pytest.mark.parametrize(("tier", "status"), [("basic", 403), ("pro", 200)])
async def test_live_power_flow_is_for_the_paid_tiers(serve: Serve, get: Get, tier: str, status: int) -> None:
    """In the basic tier it is a 403 problem."""
    response = await get(await serve(tier=tier), f"{SITE}/power-flow")
    assert response.status == status
    if status == 200:
        assert (await response.json())["siteCurrentPowerFlow"]["PV"]["currentPower"] == 6.34


async def test_a_frozen_site(server: SolarEdgeServer, get: Get, time: SimpleNamespace) -> None:
    """Later quarters stay null until the inverter uploads again; then they are all there."""
    server.faults.frozen_at = time.now
    time.now += timedelta(minutes=30)
    window = {"from_": "2026-08-24T16:45:00", "to": "2026-08-24T17:30:00"}
    assert series(await (await get(server, f"{SITE}/power", **window)).json()) == [6340.0, None, None]
    server.faults.frozen_at = None
    assert series(await (await get(server, f"{SITE}/power", **window)).json()) == [6340.0] * 3


async def test_the_knob_for_nulls(server: SolarEdgeServer, get: Get) -> None:
    """All values are null, the document is whole."""
    server.faults.nulls = True
    assert series(await (await get(server, f"{SITE}/power", **QUARTER)).json()) == [None]


async def test_the_knob_for_missing_keys(server: SolarEdgeServer, get: Get) -> None:
    """Points come without their value."""
    server.faults.missing_keys = True
    answer = await (await get(server, f"{SITE}/power", **QUARTER)).json()
    assert answer["values"] == [{"timestamp": "2026-08-24T16:45:00+02:00"}]


async def test_the_knob_for_mixed_units(server: SolarEdgeServer, get: Get) -> None:
    """Within one answer import is in W and Wh, export in kW and kWh."""
    server.faults.mixed_units = True
    answer = await (await get(server, f"{SITE}/meters/telemetry", **QUARTER)).json()
    (meter,) = answer["meters"].values()
    assert {name: (metric["unit"], series(metric)) for name, metric in meter.items()} == {
        "importPower": ("W", [0.0]),
        "importEnergy": ("WH", [0.0]),
        "exportPower": ("KW", [1.09]),
        "exportEnergy": ("KWH", [0.2725]),
    }


async def test_the_knob_for_a_site_without_meter(server: SolarEdgeServer, get: Get) -> None:
    """No meter, no series."""
    server.faults.no_meter = True
    assert (await (await get(server, f"{SITE}/meters/telemetry", **QUARTER)).json())["meters"] == {}
