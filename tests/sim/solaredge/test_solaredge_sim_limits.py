"""How many calls the simulated SolarEdge cloud allows."""

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace

import pytest
from aiohttp import ClientResponse, ClientSession

from pvcharge.sim.solaredge import SolarEdgeLimits, SolarEdgeServer

Get = Callable[..., Awaitable[ClientResponse]]
Serve = Callable[..., Awaitable[SolarEdgeServer]]

LIMIT = "x-ratelimit-limit-minute"
LEFT = "x-ratelimit-remaining-minute"


async def test_the_eleventh_call_of_a_minute_is_refused(
    server: SolarEdgeServer, get: Get, time: SimpleNamespace
) -> None:
    """Ten calls pass and count down; then 429 names the seconds to the next clock minute."""
    left = [(await get(server, "/v2/sites/4711")).headers[LEFT] for _ in range(10)]
    refused = await get(server, "/v2/sites/4711")
    assert left == [str(number) for number in range(9, -1, -1)]
    assert (refused.status, refused.content_type) == (429, "application/problem+json")
    assert (refused.headers[LIMIT], refused.headers[LEFT], refused.headers["retry-after"]) == ("10", "0", "9")
    time.now += timedelta(seconds=9)
    assert (await get(server, "/v2/sites/4711")).headers[LEFT] == "9"


@pytest.mark.parametrize(
    ("path", "status"), [("/v2/sites/4711/powerFlow", 404), ("/v2/sites/4712", 403), ("/v2/nothing", 404)]
)
async def test_useless_calls_count_too(server: SolarEdgeServer, get: Get, path: str, status: int) -> None:
    """An unknown endpoint or a foreign site costs a call of the minute."""
    response = await get(server, path)
    assert (response.status, response.headers[LEFT]) == (status, "9")


async def test_a_call_without_credential_costs_nothing(
    server: SolarEdgeServer, session: ClientSession
) -> None:
    """Nobody's minute is charged for a 401, but the headers are there."""
    async with session.get(f"{server.base_url}/v2/sites/4711") as response:
        assert (response.status, response.headers[LEFT]) == (401, "10")


async def test_the_months_credits_run_out(serve: Serve, get: Get, time: SimpleNamespace) -> None:
    """Then 429 comes with calls left in the minute and no time to wait; the 1st brings new credits."""
    server = await serve(limits=SolarEdgeLimits(calls_per_month=2))
    assert [(await get(server, "/v2/sites/4711")).status for _ in range(2)] == [200, 200]
    refused = await get(server, "/v2/sites/4711")
    assert (refused.status, refused.headers[LEFT], "retry-after" in refused.headers) == (429, "8", False)
    time.now = datetime(2026, 9, 1, tzinfo=UTC)
    assert (await get(server, "/v2/sites/4711")).status == 200


async def test_the_knob_for_an_exhausted_minute(server: SolarEdgeServer, get: Get) -> None:
    """Turned on it refuses like a full minute, turned off nothing is left of it."""
    server.faults.minute_exhausted = True
    refused = await get(server, "/v2/sites/4711")
    assert (refused.status, refused.headers[LEFT], refused.headers["retry-after"]) == (429, "0", "9")
    server.faults.minute_exhausted = False
    assert (await get(server, "/v2/sites/4711")).headers[LEFT] == "9"


async def test_the_knob_for_an_exhausted_month(server: SolarEdgeServer, get: Get) -> None:
    """Turned on it refuses like an account without credits."""
    server.faults.month_exhausted = True
    refused = await get(server, "/v2/sites/4711")
    assert (refused.status, refused.headers[LEFT], "retry-after" in refused.headers) == (429, "10", False)


async def test_v1_counts_the_last_24_hours(serve: Serve, get: Get, time: SimpleNamespace) -> None:
    """By default each V1 call comes back 24 hours after it was made, not at midnight."""
    server = await serve(limits=SolarEdgeLimits(v1_calls_per_day=2))
    statuses = []
    for hours in (0, 1, 1, 9, 13, 0):
        time.now += timedelta(hours=hours)
        statuses.append((await get(server, "/site/4711/overview")).status)
    assert statuses == [200, 200, 429, 429, 200, 429]


async def test_v1_may_count_from_midnight_at_the_site(serve: Serve, get: Get, time: SimpleNamespace) -> None:
    """With the other reset all calls are back at midnight in Vienna, which is 22:00 UTC in summer."""
    server = await serve(limits=SolarEdgeLimits(v1_calls_per_day=1, v1_reset="midnight"))
    statuses = []
    for hour, minute in ((16, 0), (21, 59), (22, 0), (22, 1)):
        time.now = datetime(2026, 8, 24, hour, minute, tzinfo=UTC)
        statuses.append((await get(server, "/site/4711/overview")).status)
    assert statuses == [200, 429, 200, 429]


async def test_a_refusal_of_v1_says_nothing_more(server: SolarEdgeServer, get: Get) -> None:
    """The knob for an exhausted day: 429, an empty body, no hint when to come back."""
    server.faults.day_exhausted = True
    refused = await get(server, "/site/4711/overview")
    assert (refused.status, await refused.text(), "retry-after" in refused.headers) == (429, "", False)


async def test_calls_are_counted(server: SolarEdgeServer, get: Get) -> None:
    """Both APIs count, good or bad; the page of consent does not."""
    for path in ("/v2/sites", "/v2/nothing", "/sites/list", "/authorize"):
        await get(server, path)
    assert server.calls == 3
