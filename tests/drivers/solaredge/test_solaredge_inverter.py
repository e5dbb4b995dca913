"""The driver as its task sees it, over a faked HTTP client: what is asked for, what is new, what fails."""

import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any
from urllib.parse import parse_qs

import aiohttp
import pytest
from aioresponses import CallbackResult, aioresponses
from structlog.testing import capture_logs

from pvcharge.drivers.base import AuthError, Demand, DriverContext, PermanentError, TransientError
from pvcharge.drivers.solaredge import DRIVER, SolarEdgeInverter, SolarEdgeSettings
from pvcharge.storage import write_json

BASE = "https://monitoringapi.solaredge.com"
QUARTER = timedelta(minutes=15)
METERS = re.compile(rf"{BASE}/v2/sites/4711/meters/telemetry.*")
STORAGE = re.compile(rf"{BASE}/v2/sites/4711/storage/telemetry.*")
POWER = re.compile(rf"{BASE}/v2/sites/4711/power\?.*")
LIVE_V2 = re.compile(rf"{BASE}/v2/sites/4711/power-flow.*")
LIVE_V1 = re.compile(rf"{BASE}/site/4711/currentPowerFlow.*")
WANTED = Demand()

Make = Callable[..., SolarEdgeInverter]


def quarters(kind: str, first: datetime, **metrics: list[float | None]) -> dict[str, Any]:
    """Return a telemetry document with one device."""
    device = {
        metric: {
            "unit": "W",
            "values": [
                {"timestamp": (first + i * QUARTER).isoformat(), "value": value}
                for i, value in enumerate(values)
            ],
        }
        for metric, values in metrics.items()
    }
    return {"resolution": "QUARTER_HOUR", kind: {"D1": device}}


def meters(first: datetime, *exported_w: float | None) -> dict[str, Any]:
    """Return the document of a meter that only exports."""
    imported = [None if watts is None else 0.0 for watts in exported_w]
    return quarters("meters", first, importPower=imported, exportPower=list(exported_w))


def flow(pv_kw: float) -> dict[str, Any]:
    """Return a power flow in which the house takes all."""
    power = {"currentPower": pv_kw}
    edges = [{"from": "PV", "to": "Load"}]
    return {
        "siteCurrentPowerFlow": {
            "unit": "kW",
            "connections": edges,
            "PV": power,
            "LOAD": power,
            "GRID": {"currentPower": 0},
        }
    }


def queries(web: aioresponses) -> list[dict[str, str]]:
    """Return the query of each request, in the order of their addresses."""
    return [
        {key: values[0] for key, values in parse_qs(url.query_string).items()}
        for (_, url), calls in web.requests.items()
        for _ in calls
    ]


def at(clock: str) -> datetime:
    """Return a time of the test's day."""
    return datetime.fromisoformat(f"2026-06-10T{clock}+00:00")


async def test_quarters_since_the_last_read(inverter: Make, web: aioresponses, time: SimpleNamespace) -> None:
    """The first read asks for three hours, the next from the newest bucket on; only new ones come back."""
    roof = inverter(name="roof")
    web.get(METERS, payload=meters(at("09:30:00"), 100, 200))
    first = await roof.read()
    assert [(flow.start, flow.grid_w, flow.source) for flow in first] == [
        (at("09:30:00"), -100.0, "roof"),
        (at("09:45:00"), -200.0, "roof"),
    ]
    time.now += QUARTER
    web.get(METERS, payload=meters(at("09:45:00"), 200, 300))
    assert [flow.grid_w for flow in await roof.read()] == [-300.0]
    assert queries(web) == [
        {"resolution": "QUARTER_HOUR", "from": "2026-06-10T07:00:00Z", "to": "2026-06-10T10:07:30Z"},
        {"resolution": "QUARTER_HOUR", "from": "2026-06-10T10:00:00Z", "to": "2026-06-10T10:22:30Z"},
    ]


async def test_a_window_is_never_longer_than_allowed(
    inverter: Make, web: aioresponses, time: SimpleNamespace
) -> None:
    """After a night without reads only the last eleven hours are asked for."""
    roof = inverter()
    web.get(METERS, payload=meters(at("09:45:00"), 100))
    await roof.read()
    time.now += timedelta(hours=20)
    web.get(METERS, payload=meters(at("09:45:00"), 100))
    assert await roof.read() == ()
    assert queries(web)[1]["from"] == "2026-06-10T19:00:00Z"


async def test_a_missing_quarter_is_asked_for_once_more(
    inverter: Make, web: aioresponses, time: SimpleNamespace
) -> None:
    """Not yet published: one retry after three and a half minutes, then the next quarter."""
    roof = inverter(site_id=4711)
    web.get(METERS, payload=meters(at("09:30:00"), 100, None), repeat=True)
    planned = []
    for _ in range(3):
        await roof.read()
        time.now = roof.next_read_at(time.now, WANTED)
        planned.append(time.now)
    # 4711 % 91 = 70 s after 10:06:00; the first read was before that.
    assert planned == [at("10:10:40"), at("10:22:10"), at("10:25:40")]


@pytest.mark.fault("solaredge", "clock jump forth")
async def test_a_cloud_whose_clock_is_ahead(inverter: Make, web: aioresponses) -> None:
    """Quarters that have not ended yet are none; those that come when its clock is right again are read."""
    roof = inverter()
    web.get(METERS, payload=meters(at("10:30:00"), 1, 2, 3))
    assert await roof.read() == ()
    web.get(METERS, payload=meters(at("09:30:00"), 1, 2))
    assert [flow.end for flow in await roof.read()] == [at("09:45:00"), at("10:00:00")]


@pytest.mark.fault("solaredge", "clock jump back")
@pytest.mark.fault("solaredge", "reorder")
async def test_a_cloud_whose_clock_is_behind(inverter: Make, web: aioresponses) -> None:
    """What it dates before the last reading is no new one, so that readings age as if it said nothing."""
    roof = inverter()
    web.get(METERS, payload=meters(at("09:45:00"), 1))
    await roof.read()
    web.get(METERS, payload=meters(at("08:30:00"), 1, 2, 3))
    assert await roof.read() == ()


async def test_the_battery_is_part_of_a_reading(inverter: Make, web: aioresponses) -> None:
    """With a battery its power comes with each quarter."""
    web.get(METERS, payload=meters(at("09:30:00"), 0, 0))
    web.get(STORAGE, payload=quarters("storage", at("09:30:00"), dischargePower=[700.0, None]))
    flows = await inverter(has_battery=True).read()
    assert [(flow.start, flow.battery_w) for flow in flows] == [(at("09:30:00"), -700.0)]


async def test_no_reading_without_the_battery(inverter: Make, web: aioresponses) -> None:
    """When the battery cannot be read, the read fails: it could be what feeds the car."""
    web.get(METERS, payload=meters(at("09:30:00"), 0))
    web.get(STORAGE, status=503)
    with pytest.raises(TransientError):
        await inverter(has_battery=True).read()


async def test_the_production_is_optional(inverter: Make, web: aioresponses, time: SimpleNamespace) -> None:
    """It is shown when it comes; when it fails, readings go on and the log says so once."""
    roof = inverter(fetch_production=True)
    first = at("09:45:00")
    series = {"unit": "KW", "values": [{"timestamp": first.isoformat(), "value": 2.5}]}
    web.get(METERS, payload=meters(first, 100))
    web.get(POWER, payload={"resolution": "QUARTER_HOUR", **series})
    assert [flow.pv_w for flow in await roof.read()] == [2500.0]
    with capture_logs() as logs:
        for _ in range(2):
            time.now += QUARTER
            first += QUARTER
            web.get(METERS, payload=meters(first, 100))
            web.get(POWER, status=500)
            assert [flow.pv_w for flow in await roof.read()] == [None]
    assert [entry["event"] for entry in logs] == ["reading on without the production"]


@pytest.mark.parametrize(
    ("table", "url", "shortest_s"),
    [
        ({"api": "v1", "api_key": "K"}, LIVE_V1, 120),
        ({"data": "live", "calls_per_month": 10**6}, LIVE_V2, 30),
    ],
    ids=["v1", "v2"],
)
async def test_live_flows(
    inverter: Make, web: aioresponses, table: dict[str, Any], url: re.Pattern[str], shortest_s: int
) -> None:
    """V1 and V2's live data give an instant at the time of receipt."""
    roof = inverter(**table)
    web.get(url, payload=flow(2.5))
    (reading,) = await roof.read()
    assert (reading.start, reading.span_s, reading.pv_w) == (at("10:07:30"), 0.0, 2500.0)
    assert (roof.next_read_at(at("10:07:30"), WANTED) - at("10:07:30")).total_seconds() >= shortest_s


async def test_an_equal_answer_is_not_a_fresh_one(
    inverter: Make, web: aioresponses, time: SimpleNamespace
) -> None:
    """In daylight the third repetition of the same powers is no reading any more; another value is."""
    roof = inverter(api="v1", api_key="K")
    web.get(LIVE_V1, payload=flow(2.5), repeat=5)
    counts = []
    for _ in range(5):
        counts.append(len(await roof.read()))
        time.now += timedelta(minutes=3)
    web.get(LIVE_V1, payload=flow(2.51))
    counts.append(len(await roof.read()))
    assert counts == [1, 1, 1, 0, 0, 1]


async def test_nights_may_be_equal(inverter: Make, web: aioresponses, time: SimpleNamespace) -> None:
    """A sleeping house draws the same for hours: that is no sign of age."""
    time.now = at("22:00:00")
    roof = inverter(api="v1", api_key="K")
    web.get(LIVE_V1, payload=flow(0.0), repeat=True)
    assert [len(await roof.read()) for _ in range(5)] == [1] * 5


async def test_headers_and_keys(inverter: Make, web: aioresponses) -> None:
    """The fleet key travels in a header, V1's in the query."""
    web.get(METERS, payload=meters(at("09:45:00"), 1))
    web.get(LIVE_V1, payload=flow(1.0))
    await inverter().read()
    await inverter(api="v1", api_key="SITEKEY").read()
    by_path = {url.path: (url, calls[0].kwargs) for (_, url), calls in web.requests.items()}
    _, v2 = by_path["/v2/sites/4711/meters/telemetry"]
    url, v1 = by_path["/site/4711/currentPowerFlow"]
    assert v2["headers"]["X-API-Key"] == "FLEETKEY123"
    assert "api_key" not in v2["params"]
    assert v1["params"] == {"api_key": "SITEKEY"}
    assert not v1["allow_redirects"]
    assert url.query["api_key"] == "SITEKEY"


async def test_a_token_that_dies_early_is_replaced(
    inverter: Make, web: aioresponses, context: DriverContext
) -> None:
    """One 401 renews the token and asks again, with the new one."""
    write_tokens(context)
    web.get(METERS, status=401)
    web.post(f"{BASE}/v2/oauth2/token", payload={"access_token": "A2", "refresh_token": "R2"})
    web.get(METERS, payload=meters(at("09:45:00"), 1))
    assert len(await inverter(client_id="app", client_secret="shh").read()) == 1
    sent = [calls.kwargs["headers"].get("Authorization") for call in web.requests.values() for calls in call]
    assert sent == ["Bearer A1", "Bearer A2", None]


async def test_a_second_401_is_final(inverter: Make, web: aioresponses, context: DriverContext) -> None:
    """When the new token is refused, too, the user has to log in."""
    write_tokens(context)
    web.get(METERS, status=401, repeat=True)
    web.post(f"{BASE}/v2/oauth2/token", payload={"access_token": "A2", "refresh_token": "R2"})
    with pytest.raises(AuthError, match="pvcharge login solaredge"):
        await inverter(client_id="app", client_secret="shh").read()


def write_tokens(context: DriverContext) -> None:
    """Store a pair that is good for two hours."""
    pair = {"access_token": "A1", "refresh_token": "R1", "expires_at": "2026-06-10T12:07:30+00:00"}
    write_json(context.state_dir / "solaredge-4711-tokens.json", pair)


async def test_failures_wait_longer_each_time(inverter: Make, web: aioresponses) -> None:
    """Each try costs a request: one, two, four minutes, up to a quarter of an hour; a success starts over."""
    roof = inverter()
    web.get(METERS, status=502, repeat=6)
    assert [await wait_s(roof) for _ in range(6)] == [60, 120, 240, 480, 900, 900]
    web.get(METERS, payload=meters(at("09:45:00"), 1))
    await roof.read()
    web.get(METERS, exception=aiohttp.ServerDisconnectedError())
    assert await wait_s(roof) == 60


@pytest.mark.fault("solaredge", "429")
@pytest.mark.parametrize("named", ["0", "-5", "Wed, 10 Jun 2026 09:00:00 GMT"])
async def test_a_server_that_always_says_soon(inverter: Make, web: aioresponses, named: str) -> None:
    """It is believed once; in a row the waits grow as for any failure, since each try costs a request."""
    roof = inverter()
    web.get(METERS, status=429, headers={"retry-after": named}, repeat=6)
    assert [await wait_s(roof) for _ in range(6)] == [1, 120, 240, 480, 900, 900]


async def wait_s(roof: SolarEdgeInverter) -> float | None:
    """Read in vain; return the wait that the error asks for."""
    with pytest.raises(TransientError) as caught:
        await roof.read()
    return caught.value.retry_after_s


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"exception": aiohttp.ClientConnectionError()}, "ClientConnectionError"),
        ({"exception": aiohttp.ServerTimeoutError()}, "no answer within 30 s"),
        ({"exception": TimeoutError()}, "no answer within 30 s"),
        ({"status": 500, "body": "<html>"}, "answered 500"),
        ({"status": 200, "body": "<html>maintenance"}, "without JSON"),
        ({"status": 302, "headers": {"Location": "https://example.org"}}, "answered 302"),
    ],
)
async def test_what_passes_is_transient(
    inverter: Make, web: aioresponses, options: dict[str, Any], words: str
) -> None:
    """Whatever the network or a gateway does, it is an error that says where."""
    web.get(METERS, **options)
    with pytest.raises(TransientError, match=words) as caught:
        await inverter().read()
    assert "/v2/sites/4711/meters/telemetry at https://monitoringapi.solaredge.com" in str(caught.value)


@pytest.mark.parametrize(
    ("status", "error", "words"),
    [
        (403, AuthError, "check api_key"),
        (401, AuthError, "check api_key"),
        (410, PermanentError, 'api = "v2"'),
    ],
)
async def test_v1_refusals(
    inverter: Make, web: aioresponses, status: int, error: type[Exception], words: str
) -> None:
    """A wrong V1 key was once 403, later 401; now everything is 410."""
    web.get(LIVE_V1, status=status)
    with pytest.raises(error, match=words):
        await inverter(api="v1", api_key="K").read()


@pytest.mark.parametrize(
    ("table", "url", "headers", "pause_s"),
    [
        ({"api": "v1", "api_key": "K"}, LIVE_V1, {}, 16 * 60),
        ({}, METERS, {"x-ratelimit-remaining-minute": "8"}, 6 * 3600),
    ],
    ids=["v1", "v2"],
)
async def test_a_spent_budget_is_believed(
    inverter: Make,
    web: aioresponses,
    time: SimpleNamespace,
    table: dict[str, Any],
    url: re.Pattern[str],
    headers: dict[str, str],
    pause_s: int,
) -> None:
    """The server says that nothing is left: nothing is sent until the pause is over, also after a restart."""
    web.get(url, status=429, headers=headers)
    roof = inverter(**table)
    assert await wait_s(roof) == pause_s
    assert roof.health()["requests_left"] == 0
    assert roof.next_read_at(time.now, WANTED) == time.now + timedelta(seconds=pause_s)
    assert await wait_s(inverter(**table)) == pause_s
    assert len(queries(web)) == 1


async def test_the_servers_minute_is_respected(
    inverter: Make, web: aioresponses, time: SimpleNamespace
) -> None:
    """When an answer leaves nothing for this minute, the next request waits for the next one."""
    roof = inverter(has_battery=True)
    web.get(METERS, payload=meters(at("09:45:00"), 1), headers={"x-ratelimit-remaining-minute": "0"})
    assert await wait_s(roof) == 30
    assert len(queries(web)) == 1
    time.now += timedelta(seconds=30)
    web.get(METERS, payload=meters(at("09:45:00"), 1), headers={"x-ratelimit-remaining-minute": "9"})
    web.get(STORAGE, payload=quarters("storage", at("09:45:00"), chargePower=[0.0]))
    assert len(await roof.read()) == 1


async def test_the_minute_limit_of_the_server(inverter: Make, web: aioresponses) -> None:
    """A 429 with a time to come back is obeyed, and costs nothing of the month."""
    headers = {"x-ratelimit-remaining-minute": "0", "retry-after": "17"}
    web.get(METERS, status=429, headers=headers)
    roof = inverter()
    assert await wait_s(roof) == 17
    assert roof.health()["requests_left"] == 1999


@pytest.mark.parametrize(
    ("table", "minutes"),
    [
        ({}, 15),
        ({"has_battery": True}, 30),
        ({"fetch_production": True}, 30),
        ({"has_battery": True, "fetch_production": True}, 45),
    ],
)
async def test_reads_of_several_requests_are_rarer(
    inverter: Make, web: aioresponses, time: SimpleNamespace, table: dict[str, Any], minutes: int
) -> None:
    """1,600 requests a month bear each quarter of June once, but not twice."""
    roof = inverter(calls_per_month=1600, **table)
    web.get(METERS, payload=meters(at("09:45:00"), 1))
    web.get(STORAGE, payload=quarters("storage", at("09:45:00"), chargePower=[0.0]))
    web.get(POWER, payload=quarters("power", at("09:45:00")))
    roof.next_read_at(time.now, WANTED)
    await roof.read()
    assert roof.next_read_at(time.now, WANTED) == at("10:07:10") + timedelta(minutes=minutes)


async def test_the_reserve_serves_the_first_read_after_a_plug_in(
    inverter: Make, web: aioresponses, time: SimpleNamespace
) -> None:
    """With only the reserve left a start and each plug-in still get one read."""
    roof = inverter(calls_per_month=4, reserve_pct=50)
    web.get(METERS, payload=meters(at("09:45:00"), 1), repeat=True)
    await roof.read()
    await roof.read()
    july = datetime(2026, 6, 30, 22, 0, tzinfo=UTC)
    roof.next_read_at(time.now, Demand(car_plugged=False))
    later = time.now + timedelta(hours=1)
    assert roof.next_read_at(later, WANTED) == later  # plugged in
    time.now = later
    await roof.read()
    assert roof.next_read_at(later, WANTED) == july  # still plugged in
    with pytest.raises(TransientError, match="1 of 4 left"):
        await roof.read()


async def test_health(inverter: Make, web: aioresponses) -> None:
    """What is left is known after the first request."""
    roof = inverter()
    assert roof.health() == {"api": "v2"}
    web.get(METERS, payload=meters(at("09:45:00"), 1))
    await roof.read()
    assert roof.health() == {"api": "v2", "requests_left": 1999, "requests_limit": 2000}


async def test_closing_twice_and_reading_again(inverter: Make, web: aioresponses) -> None:
    """A closed driver holds nothing; a later read opens a new session."""
    roof = inverter()
    await roof.aclose()
    web.get(METERS, payload=meters(at("09:45:00"), 1), repeat=True)
    await roof.read()
    await roof.aclose()
    await roof.aclose()
    await roof.read()


async def test_an_injected_session_stays_open(
    settings: Callable[..., SolarEdgeSettings], context: DriverContext, web: aioresponses
) -> None:
    """Who brings a session closes it."""
    async with aiohttp.ClientSession() as session:
        roof = SolarEdgeInverter(settings(), context, session)
        web.get(METERS, payload=meters(at("09:45:00"), 1))
        await roof.read()
        await roof.aclose()
        assert not session.closed


async def test_the_registry_makes_the_driver(
    settings: Callable[..., SolarEdgeSettings], context: DriverContext
) -> None:
    """`create` takes settings and context, and opens nothing."""
    roof = DRIVER.create(settings(name="roof"), context)
    assert roof.name == "roof"
    assert roof.next_read_at(at("10:07:30"), WANTED) == at("10:07:30")


@pytest.mark.parametrize(
    "table",
    [
        {"api_key": "PLANTED+/="},
        {"api_key": "PLANTED+/=", "api": "v1"},
        {"client_id": "app", "client_secret": "PLANTED+/="},
    ],
    ids=["fleet", "v1", "oauth"],
)
@pytest.mark.parametrize("status", [None, 400, 401, 403, 404, 410, 429, 500])
async def test_secrets_stay_secret(
    inverter: Make,
    web: aioresponses,
    context: DriverContext,
    table: dict[str, Any],
    status: int | None,
) -> None:
    """However the server echoes them and aiohttp fails, no error and no log holds key, secret or token."""
    pair = {"access_token": "PLANTED-A", "refresh_token": "PLANTED-R", "expires_at": "2026-06-10T10:00:00Z"}
    write_json(context.state_dir / "solaredge-4711-tokens.json", pair)

    def echo(url: Any, **kwargs: Any) -> CallbackResult:
        if status is None:
            info = SimpleNamespace(real_url=f"{url}?api_key={kwargs.get('params')}")
            raise aiohttp.ClientResponseError(info, (), message="bad header")  # type: ignore[arg-type]
        said = f"{url} {kwargs.get('params')} {kwargs.get('headers')} {kwargs.get('json')}"
        return CallbackResult(status=status, payload={"detail": said[-150:], "error": "invalid_grant"})

    web.get(re.compile(f"{BASE}.*"), callback=echo)
    web.post(re.compile(f"{BASE}.*"), callback=echo)
    with capture_logs() as logs, pytest.raises((TransientError, AuthError, PermanentError)) as caught:
        await inverter(**table).read()
    shown = f"{logs} {caught.value} {caught.value!r} {caught.value.__cause__!r}"
    assert "PLANTED" not in shown
