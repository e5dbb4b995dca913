"""The driver against the simulated cloud, over real sockets: the same code on both ends as in the demo."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import aiohttp
import pytest

from pvcharge.drivers.base import AuthError, Demand, DriverContext, PermanentError, TransientError
from pvcharge.drivers.solaredge import SolarEdgeInverter, SolarEdgeSettings, authorize_url, exchange
from pvcharge.sim.house import HouseSample
from pvcharge.sim.solaredge import SolarEdgeServer

KEY = "0123456789ABCDEF"
QUARTER = timedelta(minutes=15)
APP = {"client_id": "test-app", "client_secret": "test-secret"}
NOON = datetime(2026, 6, 10, 10, 7, 30, tzinfo=UTC)


class Roof:
    """A house that exports as many watts as minutes have passed since midnight UTC, and some battery."""

    battery_w: float | None = None

    def sample(self, at: datetime) -> HouseSample:
        """Return the powers of that minute."""
        export_w = float(at.hour * 60 + at.minute)
        battery_w = self.battery_w or 0.0
        return HouseSample(
            at=at,
            pv_w=export_w + 500.0 + battery_w,
            load_w=500.0,
            grid_w=-export_w,
            battery_w=self.battery_w,
            battery_soc_pct=None if self.battery_w is None else 55.0,
            charger_w=0.0,
        )

    def mean(self, start: datetime, end: datetime) -> HouseSample:
        """Return the powers in the middle."""
        return self.sample(start + (end - start) / 2)


@pytest.fixture
def house() -> Roof:
    """Build the house."""
    return Roof()


@pytest.fixture
async def serve(
    house: Roof, context: DriverContext
) -> AsyncIterator[Callable[..., Awaitable[SolarEdgeServer]]]:
    """Start clouds with any options; close them in the end."""
    clouds: list[SolarEdgeServer] = []

    async def start(**options: Any) -> SolarEdgeServer:
        defaults: dict[str, Any] = {"site_id": 4711, "clock": context.clock, "api_key": KEY, **APP}
        clouds.append(SolarEdgeServer(house, **(defaults | options)))
        await clouds[-1].start()
        return clouds[-1]

    yield start
    for cloud in clouds:
        await cloud.aclose()


@pytest.fixture
async def cloud(serve: Callable[..., Awaitable[SolarEdgeServer]]) -> SolarEdgeServer:
    """Start a cloud of the free tier, V1 retired."""
    return await serve()


@pytest.fixture
def roof(inverter: Callable[..., SolarEdgeInverter]) -> Callable[..., SolarEdgeInverter]:
    """Make drivers for a cloud, with its key unless OAuth is asked for."""

    def make(cloud: SolarEdgeServer, **table: Any) -> SolarEdgeInverter:
        credentials = {} if "client_id" in table else {"api_key": KEY}
        return inverter(base_url=cloud.base_url, **(credentials | table))

    return make


Make = Callable[..., SolarEdgeInverter]
Serve = Callable[..., Awaitable[SolarEdgeServer]]


def oauth_settings(cloud: SolarEdgeServer) -> SolarEdgeSettings:
    """Return the configuration of a homeowner."""
    return SolarEdgeSettings.model_validate(
        {
            "site_id": 4711,
            "base_url": cloud.base_url,
            "authorize_url": f"{cloud.base_url}/authorize",
            **APP,
        }
    )


async def log_in(cloud: SolarEdgeServer, context: DriverContext) -> None:
    """Do what the user does: open the page, and paste the address it leads to."""
    table = oauth_settings(cloud)
    url = f"{authorize_url(table)}&redirect_uri=http://127.0.0.1:9/back"
    async with aiohttp.ClientSession() as browser, browser.get(url, allow_redirects=False) as response:
        await exchange(table, context, response.headers["Location"])


def refresh_token(context: DriverContext) -> str:
    """Return the refresh token on disk."""
    path: Path = context.state_dir / "solaredge-4711-tokens.json"
    token: str = json.loads(path.read_text())["refresh_token"]
    return token


async def test_quarters(cloud: SolarEdgeServer, roof: Make, time: SimpleNamespace) -> None:
    """Finished quarters come once, with the means that the house had."""
    driver = roof(cloud)
    first = await driver.read()
    assert len(first) == 12
    assert [flow.grid_w for flow in first] == [-(427.0 + 15 * i) for i in range(12)]
    assert first[-1].end == datetime(2026, 6, 10, 10, 0, tzinfo=UTC)
    assert await driver.read() == ()
    time.now += QUARTER
    (second,) = await driver.read()
    assert (second.start, second.grid_w) == (first[-1].end, -607.0)


async def test_the_past_is_read_by_itself(cloud: SolarEdgeServer, roof: Make) -> None:
    """Whole quarters of an interval, whenever; what the next read brings is not changed by it."""
    driver = roof(cloud)
    await driver.read()
    start = NOON - timedelta(hours=7, minutes=7, seconds=30)
    past = await driver.read_past(start, start + timedelta(hours=1))
    assert [flow.start for flow in past] == [start + number * QUARTER for number in range(4)]
    assert [flow.grid_w for flow in past] == [-(187.0 + 15 * i) for i in range(4)]
    assert await driver.read() == ()


async def test_the_past_does_not_use_up_the_reserve(cloud: SolarEdgeServer, roof: Make) -> None:
    """It is for a car that comes."""
    driver = roof(cloud, calls_per_month=2, reserve_pct=50)
    await driver.read()
    with pytest.raises(TransientError):
        await driver.read_past(NOON - timedelta(hours=7), NOON - timedelta(hours=6))
    assert cloud.calls == 1


async def test_units_and_optional_calls(serve: Serve, roof: Make, house: Roof) -> None:
    """Mixed units, a battery and the site's production: all in watts in the end."""
    house.battery_w = 1500.0
    cloud = await serve()
    cloud.faults.mixed_units = True
    flow = (await roof(cloud, has_battery=True, fetch_production=True).read())[-1]
    assert flow.grid_w == pytest.approx(-592, abs=0.6)
    assert flow.battery_w == pytest.approx(1500.0, abs=0.6)
    assert flow.pv_w == pytest.approx(2592, abs=0.6)
    assert flow.battery_soc_pct == pytest.approx(55.0)
    assert cloud.calls == 3


@pytest.mark.parametrize("fault", ["nulls", "missing_keys"])
async def test_holes_are_no_readings(cloud: SolarEdgeServer, roof: Make, fault: str) -> None:
    """Null or absent values are neither zero nor an error."""
    setattr(cloud.faults, fault, True)
    assert await roof(cloud).read() == ()


async def test_a_frozen_inverter_brings_nothing_new(
    cloud: SolarEdgeServer, roof: Make, time: SimpleNamespace
) -> None:
    """When the inverter stops uploading, the readings end, and come all together when it is back."""
    driver = roof(cloud)
    await driver.read()
    cloud.faults.frozen_at = time.now
    time.now += 4 * QUARTER
    assert await driver.read() == ()
    cloud.faults.frozen_at = None
    assert len(await driver.read()) == 4


async def test_login_rotation_and_recovery(
    cloud: SolarEdgeServer, roof: Make, context: DriverContext, time: SimpleNamespace
) -> None:
    """The life of a login: refreshed when old, when rejected, and renewed by the user when refused."""
    driver = roof(cloud, **APP)
    with pytest.raises(AuthError, match="pvcharge login solaredge"):
        await driver.read()
    await log_in(cloud, context)
    assert await driver.read() != ()
    tokens = [await asyncio.to_thread(refresh_token, context)]

    time.now += timedelta(hours=2)
    assert await driver.read() != ()
    tokens.append(await asyncio.to_thread(refresh_token, context))
    cloud.faults.expire_access_tokens = True
    assert await driver.read() == ()  # worked, but nothing is new
    tokens.append(await asyncio.to_thread(refresh_token, context))
    assert len(set(tokens)) == 3

    cloud.faults.refuse_refresh = True
    cloud.faults.expire_access_tokens = True
    with pytest.raises(AuthError, match="pvcharge login solaredge"):
        await driver.read()
    cloud.faults.refuse_refresh = False
    await log_in(cloud, context)
    time.now += QUARTER
    assert len(await driver.read()) == 1


async def test_live_flow_needs_a_tier(serve: Serve, roof: Make) -> None:
    """The free tier refuses, with advice; the right one gives the powers of the moment."""
    with pytest.raises(PermanentError, match='Business Pro or Enterprise: set data = "quarter"'):
        await roof(await serve(), data="live").read()
    (flow,) = await roof(await serve(tier="pro"), data="live").read()
    assert (flow.start, flow.end) == (NOON, NOON)
    assert (flow.pv_w, flow.grid_w, flow.load_w) == pytest.approx((1110.0, -610.0, 500.0))


async def test_the_minute_is_used_up(cloud: SolarEdgeServer, roof: Make, time: SimpleNamespace) -> None:
    """The first kind of 429: wait for the next minute, then go on."""
    driver = roof(cloud)
    cloud.faults.minute_exhausted = True
    with pytest.raises(TransientError, match="too many requests") as caught:
        await driver.read()
    assert caught.value.retry_after_s == 30
    cloud.faults.minute_exhausted = False
    time.now += timedelta(seconds=30)
    assert await driver.read() != ()


async def test_the_month_is_used_up(cloud: SolarEdgeServer, roof: Make, time: SimpleNamespace) -> None:
    """The second kind of 429: ask again hours later, and send nothing until then."""
    driver = roof(cloud)
    cloud.faults.month_exhausted = True
    for _ in range(2):
        with pytest.raises(TransientError) as caught:
            await driver.read()
        assert caught.value.retry_after_s == 6 * 3600
    assert cloud.calls == 1
    cloud.faults.month_exhausted = False
    time.now += timedelta(hours=6)
    assert await driver.read() != ()


async def test_v1_alive(serve: Serve, roof: Make, time: SimpleNamespace) -> None:
    """The legacy API works as it did, including its 429 without any words."""
    cloud = await serve(v1="alive")
    driver = roof(cloud, api="v1")
    (flow,) = await driver.read()
    assert (flow.start, flow.pv_w, flow.grid_w) == (NOON, 1110.0, -610.0)
    cloud.faults.day_exhausted = True
    with pytest.raises(TransientError) as caught:
        await driver.read()
    assert caught.value.retry_after_s == 16 * 60
    cloud.faults.day_exhausted = False
    time.now += timedelta(minutes=16)
    assert len(await driver.read()) == 1


async def test_v1_retired(cloud: SolarEdgeServer, roof: Make) -> None:
    """Since November every call is 410: the user is told what to do instead."""
    with pytest.raises(PermanentError, match=r'retired.* Use api = "v2"'):
        await roof(cloud, api="v1").read()


@pytest.mark.parametrize("table", [{"api_key": "WRONG"}, {"api_key": "WRONG", "api": "v1"}], ids=["v2", "v1"])
async def test_a_wrong_key(serve: Serve, roof: Make, table: dict[str, str]) -> None:
    """Both APIs refuse it, and the error does not repeat it."""
    with pytest.raises(AuthError, match="check api_key") as caught:
        await roof(await serve(v1="alive"), **table).read()
    assert "WRONG" not in str(caught.value)


async def test_a_foreign_site(cloud: SolarEdgeServer, roof: Make) -> None:
    """A site that is not ours is refused for good."""
    with pytest.raises(PermanentError, match="check site_id"):
        await roof(cloud, site_id=4712).read()


@pytest.mark.parametrize("table", [{}, {"api": "v1"}], ids=["v2", "v1"])
async def test_a_site_without_meters(serve: Serve, roof: Make, table: dict[str, str]) -> None:
    """Without a meter at the grid there is nothing to follow; that is asked for rarely."""
    cloud = await serve(v1="alive")
    cloud.faults.no_meter = True
    with pytest.raises(TransientError, match="meter") as caught:
        await roof(cloud, **table).read()
    assert caught.value.retry_after_s == 900


@pytest.mark.parametrize(
    "fault",
    [{"outage_status": 502}, {"refuse_connections": True}, {"garbage": True}, {"truncated": True}],
    ids=["page", "drop", "garbage", "truncated"],
)
async def test_outage_and_recovery(cloud: SolarEdgeServer, roof: Make, fault: dict[str, Any]) -> None:
    """Whatever an outage looks like, it is transient, and the first good answer ends it."""
    driver = roof(cloud)
    for name, value in fault.items():
        setattr(cloud.faults, name, value)
    for wait_s in (60, 120):
        with pytest.raises(TransientError) as caught:
            await driver.read()
        assert caught.value.retry_after_s == wait_s
    for name in fault:
        setattr(cloud.faults, name, None if name == "outage_status" else False)
    assert len(await driver.read()) == 12


async def test_a_whole_day(cloud: SolarEdgeServer, roof: Make, time: SimpleNamespace) -> None:
    """From midnight to midnight as the poller does it: each sunny quarter once, for about one call each."""
    time.now = datetime(2026, 6, 10, 0, 0, tzinfo=UTC)
    driver, quarters = roof(cloud), []
    while time.now < datetime(2026, 6, 11, 0, 0, tzinfo=UTC):
        quarters += [flow.start for flow in await driver.read()]
        time.now = driver.next_read_at(time.now, Demand())
    sunny = [start for start in quarters if 3 <= start.hour < 19 and start.day == 10]
    assert sunny == [datetime(2026, 6, 10, 3, 0, tzinfo=UTC) + i * QUARTER for i in range(64)]
    assert cloud.calls <= 72
