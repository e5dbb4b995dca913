"""What the simulated V1 of SolarEdge answers while it lives, and after."""

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import pytest
from aiohttp import ClientResponse, ClientSession

from pvcharge.sim.house import HouseSample
from pvcharge.sim.solaredge import SolarEdgeServer

Get = Callable[..., Awaitable[ClientResponse]]
Serve = Callable[..., Awaitable[SolarEdgeServer]]

SITE = "/site/4711"


class Sunrise:
    """A house whose roof gives 10 W more every second."""

    def __init__(self, since: datetime) -> None:
        self._since = since

    def sample(self, at: datetime) -> HouseSample | None:
        """Return the powers at a moment; nothing but the roof and the grid."""
        pv_w = 10 * (at - self._since).total_seconds()
        return HouseSample(at, pv_w, 0.0, -pv_w, None, None, 0.0)

    def mean(self, start: datetime, _end: datetime) -> HouseSample | None:
        """Return the powers at the start."""
        return self.sample(start)


async def flow(server: SolarEdgeServer, get: Get) -> dict[str, Any]:
    """Return the power flow."""
    document = await (await get(server, f"{SITE}/currentPowerFlow")).json()
    inner: dict[str, Any] = document["siteCurrentPowerFlow"]
    return inner


async def test_power_flow_of_a_sunny_day(server: SolarEdgeServer, get: Get) -> None:
    """The roof feeds house, battery and grid: powers in kW with two decimals."""
    document = await flow(server, get)
    assert (document["unit"], document["updateRefreshRate"]) == ("kW", 3)
    assert {name: part for name, part in document.items() if name.isupper()} == {
        "GRID": {"status": "Active", "currentPower": 1.09},
        "LOAD": {"status": "Active", "currentPower": 0.25},
        "PV": {"status": "Active", "currentPower": 6.34},
        "STORAGE": {"status": "Charging", "currentPower": 5.0, "chargeLevel": 93, "critical": False},
    }


async def test_power_flow_of_a_night(server: SolarEdgeServer, get: Get, house: SimpleNamespace) -> None:
    """Without battery there is no STORAGE; PV idles."""
    house.pv_w, house.load_w, house.grid_w, house.battery_w = 0.0, 700.0, 700.0, None
    document = await flow(server, get)
    assert document["PV"] == {"status": "Idle", "currentPower": 0.0}
    assert "STORAGE" not in document


@pytest.mark.parametrize(
    ("pv_w", "grid_w", "battery_w", "edges", "status"),
    [
        (1000, 0, 0, ["PV>Load"], "Idle"),
        (1000, 4.9, 0, ["PV>Load"], "Idle"),
        (1000, 500, 0, ["GRID>Load", "PV>Load"], "Idle"),
        (1000, -500, 0, ["LOAD>Grid", "PV>Load"], "Idle"),
        (0, 500, -800, ["GRID>Load", "STORAGE>Load"], "Discharging"),
        (0, 500, 400, ["GRID>Load", "LOAD>Storage"], "Charging"),
        (1000, -100, 400, ["LOAD>Grid", "PV>Load", "PV>Storage"], "Charging"),
    ],
)
async def test_directions_stand_in_the_connections(
    server: SolarEdgeServer,
    get: Get,
    house: SimpleNamespace,
    pv_w: float,
    grid_w: float,
    battery_w: float,
    edges: list[str],
    status: str,
) -> None:
    """No power is negative; a grid below 5 W has no connection; `from` is in capitals, `to` is not."""
    house.pv_w, house.grid_w, house.battery_w = pv_w, grid_w, battery_w
    document = await flow(server, get)
    assert [f"{edge['from']}>{edge['to']}" for edge in document["connections"]] == edges
    assert document["STORAGE"]["status"] == status
    assert (document["GRID"]["currentPower"], document["STORAGE"]["currentPower"]) == (
        round(abs(grid_w) / 1000, 2),
        round(abs(battery_w) / 1000, 2),
    )


@pytest.mark.parametrize(("soc_pct", "critical"), [(9.4, "critical"), (10.0, "")])
async def test_a_low_battery_is_critical(
    server: SolarEdgeServer, get: Get, house: SimpleNamespace, soc_pct: float, critical: str
) -> None:
    """Below 10 %."""
    house.battery_soc_pct = soc_pct
    storage = (await flow(server, get))["STORAGE"]
    assert (storage["chargeLevel"], storage["critical"]) == (round(soc_pct), bool(critical))


async def test_the_power_flow_of_a_frozen_site_is_no_error(
    serve: Serve, get: Get, time: SimpleNamespace
) -> None:
    """The live values stay those of the moment; nothing tells that they are old."""
    server = await serve(meter=Sunrise(since=time.now))
    server.faults.frozen_at = time.now + timedelta(minutes=2)
    live_kw = []
    for _ in range(4):
        live_kw.append((await flow(server, get))["PV"]["currentPower"])
        time.now += timedelta(minutes=1)
    assert live_kw == [0.0, 0.6, 1.2, 1.2]


async def test_details(server: SolarEdgeServer, get: Get) -> None:
    """The time zone is what all naive times are in; the last update is only a date."""
    details = (await (await get(server, f"{SITE}/details")).json())["details"]
    assert (details["id"], details["location"]["timeZone"]) == (4711, "Europe/Vienna")
    assert details["lastUpdateTime"] == "2026-08-24"
    listed = (await (await get(server, "/sites/list")).json())["sites"]
    assert listed == {"count": 1, "site": [details]}


async def test_overview(server: SolarEdgeServer, get: Get) -> None:
    """The values of the last upload, minutes ago; life >= year >= month >= day."""
    overview = (await (await get(server, f"{SITE}/overview")).json())["overview"]
    life, year, month, day = (
        overview[f"{span}Data"]["energy"] for span in ("lifeTime", "lastYear", "lastMonth", "lastDay")
    )
    assert overview["lastUpdateTime"] == "2026-08-24 17:00:00"
    assert overview["currentPower"] == {"power": 6340.0}
    assert day == pytest.approx(17 * 6340)
    assert life > year >= month >= day


async def test_power_details(server: SolarEdgeServer, get: Get) -> None:
    """Naive times of the site, five meters; what is not uploaded yet has no value."""
    window = {"startTime": "2026-08-24 16:45:00", "endTime": "2026-08-24 17:15:00"}
    document = await (await get(server, f"{SITE}/powerDetails", **window)).json()
    assert {meter["type"]: meter["values"] for meter in document["powerDetails"]["meters"]} == {
        name: [{"date": "2026-08-24 16:45:00", "value": watts}, {"date": "2026-08-24 17:00:00"}]
        for name, watts in {
            "Production": 6340.0,
            "Consumption": 250.0,
            "SelfConsumption": 5250.0,
            "FeedIn": 1090.0,
            "Purchased": 0.0,
        }.items()
    }


async def test_energy_details(server: SolarEdgeServer, get: Get) -> None:
    """Meters and unit of time may be chosen; days are the default."""
    window = {"startTime": "2026-08-24 00:00:00", "endTime": "2026-08-24 23:59:59"}
    query = window | {"meters": "FEEDIN,PURCHASED", "timeUnit": "HOUR"}
    hours = (await (await get(server, f"{SITE}/energyDetails", **query)).json())["energyDetails"]
    days = (await (await get(server, f"{SITE}/energyDetails", **window)).json())["energyDetails"]
    assert (hours["timeUnit"], hours["unit"]) == ("HOUR", "Wh")
    assert [meter["type"] for meter in hours["meters"]] == ["FeedIn", "Purchased"]
    assert hours["meters"][0]["values"][16] == {"date": "2026-08-24 16:00:00", "value": pytest.approx(1090)}
    assert days["meters"][0]["values"] == [{"date": "2026-08-24 00:00:00", "value": pytest.approx(17 * 6340)}]


@pytest.mark.parametrize(
    ("day", "quarters", "twice"), [("2026-03-29", 92, 0), ("2026-07-01", 96, 0), ("2026-10-25", 100, 4)]
)
async def test_days_on_which_clocks_change(
    server: SolarEdgeServer, get: Get, time: SimpleNamespace, day: str, quarters: int, twice: int
) -> None:
    """They have 92 or 100 quarters; in autumn four naive times come twice, and nothing marks them."""
    time.now = datetime.fromisoformat(f"{day}T23:30:00Z") + timedelta(hours=1)
    window = {"startTime": f"{day} 00:00:00", "endTime": f"{day} 23:59:59", "meters": "PRODUCTION"}
    details = (await (await get(server, f"{SITE}/powerDetails", **window)).json())["powerDetails"]
    values = details["meters"][0]["values"]
    assert len(values) == quarters
    assert len(values) - len({pair["date"] for pair in values}) == twice
    assert all(pair["value"] == pytest.approx(6340) for pair in values)


@pytest.mark.parametrize(
    ("path", "unit", "start", "status"),
    [
        ("powerDetails", None, "2026-07-24 12:00:00", 200),
        ("powerDetails", None, "2026-07-22 12:00:00", 403),
        ("energyDetails", "HOUR", "2026-07-22 12:00:00", 403),
        ("energyDetails", "DAY", "2026-07-22 12:00:00", 200),
        ("energyDetails", "DAY", "2025-08-01 12:00:00", 403),
        ("energyDetails", "WEEK", "2024-08-01 12:00:00", 200),
        ("energyDetails", "DECADE", "2026-08-24 12:00:00", 400),
        ("energyDetails", "DAY", "2026-08-24T12:00:00", 400),
        ("energyDetails", "DAY", None, 400),
    ],
)
async def test_spans(
    server: SolarEdgeServer, get: Get, path: str, unit: str | None, start: str | None, status: int
) -> None:
    """Spans that are too long are forbidden; nonsense is answered with a page of HTML."""
    query = {"startTime": start, "endTime": "2026-08-24 12:00:00", "timeUnit": unit}
    response = await get(server, f"{SITE}/{path}", **{name: text for name, text in query.items() if text})
    assert response.status == status
    assert (response.content_type == "text/html") == (status == 400)


async def test_times_in_the_power_details_are_quarters_always(server: SolarEdgeServer, get: Get) -> None:
    """A unit of time that is asked for does not matter there."""
    query = {"startTime": "2026-08-24 16:00:00", "endTime": "2026-08-24 17:00:00", "timeUnit": "DAY"}
    document = await (await get(server, f"{SITE}/powerDetails", **query)).json()
    assert document["powerDetails"]["timeUnit"] == "QUARTER_OF_AN_HOUR"


@pytest.mark.parametrize("path", [f"{SITE}/overview", "/nothing"])
async def test_a_wrong_key_is_told_first(server: SolarEdgeServer, session: ClientSession, path: str) -> None:
    """Every path answers the problem of the wrong key, with the trace under properties."""
    async with session.get(server.base_url + path, params={"api_key": "wrong"}) as response:
        problem = await response.json(content_type="application/problem+json")
    assert (response.status, problem["detail"]) == (401, "Invalid API key")
    assert (problem["instance"], len(problem["properties"]["traceId"])) == (None, 32)


@pytest.mark.parametrize(("path", "status"), [("/site/4712/overview", 403), (f"{SITE}/nothing", 404)])
async def test_what_the_key_does_not_open(server: SolarEdgeServer, get: Get, path: str, status: int) -> None:
    """Foreign sites are forbidden, unknown paths are not found."""
    assert (await get(server, path)).status == status


async def test_v1_is_gone_by_default(session: ClientSession, serve: Serve) -> None:
    """Since its end every call answers 410 before anybody looks at the key; V2 lives on."""
    retired = await serve(v1="gone")
    for path, status in ((f"{SITE}/overview", 410), ("/v2/sites/4711", 401)):
        async with session.get(retired.base_url + path) as response:
            assert response.status == status


async def test_the_knobs_for_values(server: SolarEdgeServer, get: Get) -> None:
    """Nulls, missing keys, watts instead of kilowatts, no meter."""
    server.faults.nulls = True
    assert (await flow(server, get))["LOAD"] == {"status": "Active", "currentPower": None}
    server.faults.nulls, server.faults.missing_keys = False, True
    bare = await flow(server, get)
    assert (bare["LOAD"], "connections" in bare) == ({"status": "Active"}, False)
    server.faults.missing_keys, server.faults.mixed_units = False, True
    in_watts = await flow(server, get)
    assert (in_watts["unit"], in_watts["GRID"]["currentPower"]) == ("W", 1090.0)
    server.faults.no_meter = True
    assert await flow(server, get) == {}


async def test_the_knobs_for_series(server: SolarEdgeServer, get: Get) -> None:
    """Null values, points without value, and only the inverter's own series without a meter."""
    window = {"startTime": "2026-08-24 16:45:00", "endTime": "2026-08-24 17:00:00"}
    faults, points = server.faults, []
    for knob in ("nulls", "missing_keys", "no_meter"):
        setattr(faults, knob, True)
        details = (await (await get(server, f"{SITE}/powerDetails", **window)).json())["powerDetails"]
        setattr(faults, knob, False)
        points.append((len(details["meters"]), details["meters"][0]["values"]))
    date = "2026-08-24 16:45:00"
    assert points == [
        (5, [{"date": date, "value": None}]),
        (5, [{"date": date}]),
        (1, [{"date": date, "value": 6340.0}]),
    ]
    faults.nulls = True
    overview = await (await get(server, f"{SITE}/overview")).json()
    assert overview["overview"]["currentPower"] == {"power": None}


async def test_times_are_those_of_the_site(serve: Serve, get: Get, time: SimpleNamespace) -> None:
    """The zone of the site is used everywhere, not the machine's."""
    server = await serve(timezone="Pacific/Auckland")
    time.now = datetime(2026, 8, 24, 15, 5, 51, tzinfo=UTC)
    overview = (await (await get(server, f"{SITE}/overview")).json())["overview"]
    assert overview["lastUpdateTime"] == "2026-08-25 03:00:00"
