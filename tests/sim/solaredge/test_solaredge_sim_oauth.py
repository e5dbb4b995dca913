"""The simulated OAuth of SolarEdge: consent, tokens, rotation, revocation."""

from collections.abc import Awaitable, Callable
from datetime import timedelta
from types import SimpleNamespace
from typing import Any

import pytest
from aiohttp import ClientResponse, ClientSession
from yarl import URL

from pvcharge.sim.solaredge import SolarEdgeServer

Get = Callable[..., Awaitable[ClientResponse]]

CLIENT = {"client_id": "test-app", "client_secret": "test-secret"}
CALLBACK = "http://127.0.0.1:9/callback?kept=1"


async def authorize(session: ClientSession, server: SolarEdgeServer, **query: str) -> URL:
    """Return where the page of consent sends the browser."""
    query = {"client_id": "test-app", "redirect_uri": CALLBACK} | query
    url = f"{server.base_url}/authorize"
    async with session.get(url, params=query, allow_redirects=False) as response:
        assert response.status == 302
        return URL(response.headers["Location"])


async def token(session: ClientSession, server: SolarEdgeServer, **body: Any) -> tuple[int, dict[str, Any]]:
    """Ask the token endpoint; return status and document."""
    async with session.post(f"{server.base_url}/v2/oauth2/token", json=CLIENT | body) as response:
        return response.status, await response.json()


async def log_in(session: ClientSession, server: SolarEdgeServer) -> dict[str, Any]:
    """Return the first pair of tokens."""
    code = (await authorize(session, server)).query["code"]
    status, tokens = await token(session, server, grant_type="authorization_code", code=code)
    assert status == 200
    return tokens


async def status_with(
    session: ClientSession, server: SolarEdgeServer, access_token: str, path: str = "/v2/sites/4711"
) -> int:
    """Return the status of a call with an access token."""
    headers = {"Authorization": f"Bearer {access_token}"}
    async with session.get(server.base_url + path, headers=headers) as response:
        return response.status


async def test_consent_redirects_with_code_and_site(server: SolarEdgeServer, session: ClientSession) -> None:
    """The browser comes back with code, site and external_id; state is not echoed."""
    url = await authorize(session, server, external_id="abc", state="xyz")
    assert {name: url.query.get(name) for name in ("kept", "site_id", "external_id", "state")} == {
        "kept": "1",
        "site_id": "4711",
        "external_id": "abc",
        "state": None,
    }
    assert url.query["code"]


async def test_consent_without_a_way_back_shows_the_code(
    server: SolarEdgeServer, session: ClientSession
) -> None:
    """Without redirect_uri the page shows a code that works."""
    async with session.get(f"{server.base_url}/authorize", params={"client_id": "test-app"}) as response:
        code = (await response.text()).rsplit("Code: ", 1)[1].removesuffix("</p>")
    assert (await token(session, server, grant_type="authorization_code", code=code))[0] == 200


async def test_consent_refuses_a_stranger(server: SolarEdgeServer, session: ClientSession) -> None:
    """An unknown application gets a page of refusal and no redirect."""
    async with session.get(f"{server.base_url}/authorize", params={"client_id": "who"}) as response:
        assert response.status == 400


async def test_tokens_open_the_site(server: SolarEdgeServer, session: ClientSession) -> None:
    """A code gives a pair of tokens; the access token reads the site."""
    tokens = await log_in(session, server)
    assert (tokens["token_type"], tokens["expires_in"]) == ("Bearer", 7200)
    assert await status_with(session, server, tokens["access_token"]) == 200


@pytest.mark.parametrize("path", ["/v2/sites", "/v2/alerts"])
async def test_fleet_endpoints_refuse_oauth(
    server: SolarEdgeServer, session: ClientSession, path: str
) -> None:
    """The list of sites and the alerts are for API keys only."""
    tokens = await log_in(session, server)
    assert await status_with(session, server, tokens["access_token"], path) == 403


async def test_a_code_works_once(server: SolarEdgeServer, session: ClientSession) -> None:
    """The second use of a code is an invalid grant."""
    code = (await authorize(session, server)).query["code"]
    await token(session, server, grant_type="authorization_code", code=code)
    status, error = await token(session, server, grant_type="authorization_code", code=code)
    assert (status, error["error"]) == (400, "invalid_grant")


async def test_a_refresh_token_works_once(server: SolarEdgeServer, session: ClientSession) -> None:
    """A refresh rotates: the new pair works, the old refresh token is dead at once."""
    old = await log_in(session, server)
    refresh = {"grant_type": "refresh_token", "refresh_token": old["refresh_token"]}
    status, new = await token(session, server, **refresh)
    assert (status, new["refresh_token"] != old["refresh_token"]) == (200, True)
    assert await status_with(session, server, new["access_token"]) == 200
    status, error = await token(session, server, **refresh)
    assert (status, error["error"]) == (400, "invalid_grant")


async def test_an_access_token_lives_two_hours(
    server: SolarEdgeServer, session: ClientSession, time: SimpleNamespace
) -> None:
    """In the clock's time, to the second."""
    access = (await log_in(session, server))["access_token"]
    time.now += timedelta(seconds=7199)
    assert await status_with(session, server, access) == 200
    time.now += timedelta(seconds=1)
    assert await status_with(session, server, access) == 401


@pytest.mark.parametrize(("days", "status"), [(29, 200), (30, 400)])
async def test_a_refresh_token_lives_30_days(
    server: SolarEdgeServer, session: ClientSession, time: SimpleNamespace, days: int, status: int
) -> None:
    """After that only a new consent helps."""
    refresh = (await log_in(session, server))["refresh_token"]
    time.now += timedelta(days=days)
    assert (await token(session, server, grant_type="refresh_token", refresh_token=refresh))[0] == status


@pytest.mark.parametrize(
    ("body", "error"),
    [
        ({"grant_type": "authorization_code", "code": "made up"}, "invalid_grant"),
        ({"grant_type": "authorization_code"}, "invalid_grant"),
        ({"grant_type": "refresh_token"}, "invalid_grant"),
        ({"grant_type": "password"}, "unsupported_grant_type"),
        ({"grant_type": "refresh_token", "client_secret": "wrong"}, "invalid_client"),
    ],
)
async def test_bad_token_requests(
    server: SolarEdgeServer, session: ClientSession, body: dict[str, str], error: str
) -> None:
    """Each is a 400 with the RFC's error word and a description."""
    status, document = await token(session, server, **body)
    assert (status, document["error"]) == (400, error)
    assert document["error_description"]


@pytest.mark.parametrize("body", ["grant_type=refresh_token&refresh_token=x", "[]", ""])
async def test_the_token_endpoint_takes_only_json_objects(
    server: SolarEdgeServer, session: ClientSession, body: str
) -> None:
    """A form, as the RFC would have it, is refused."""
    async with session.post(f"{server.base_url}/v2/oauth2/token", data=body) as response:
        assert (response.status, (await response.json())["error"]) == (400, "invalid_request")


async def test_revoking_kills_a_token(server: SolarEdgeServer, session: ClientSession) -> None:
    """A revoked token is dead; revoking nonsense is no error, revoking nothing is."""
    tokens = await log_in(session, server)
    statuses = []
    for body in ({"token": tokens["access_token"]}, {"token": tokens["refresh_token"]}, {"token": "x"}, {}):
        async with session.post(f"{server.base_url}/v2/oauth2/revoke-token", json=body) as response:
            statuses.append(response.status)
    assert statuses == [200, 200, 200, 400]
    assert await status_with(session, server, tokens["access_token"]) == 401
    refresh = {"grant_type": "refresh_token", "refresh_token": tokens["refresh_token"]}
    assert (await token(session, server, **refresh))[0] == 400


async def test_the_knob_that_expires_access_tokens(server: SolarEdgeServer, session: ClientSession) -> None:
    """It works once: a refresh helps, and the knob is back by itself."""
    tokens = await log_in(session, server)
    server.faults.expire_access_tokens = True
    assert await status_with(session, server, tokens["access_token"]) == 401
    _, new = await token(session, server, grant_type="refresh_token", refresh_token=tokens["refresh_token"])
    assert await status_with(session, server, new["access_token"]) == 200
    assert server.faults.expire_access_tokens is False


async def test_the_knob_that_refuses_refreshes(server: SolarEdgeServer, session: ClientSession) -> None:
    """While it is on no refresh works; the token survives it."""
    refresh = {
        "grant_type": "refresh_token",
        "refresh_token": (await log_in(session, server))["refresh_token"],
    }
    server.faults.refuse_refresh = True
    status, error = await token(session, server, **refresh)
    assert (status, error["error"]) == (400, "invalid_grant")
    server.faults.refuse_refresh = False
    assert (await token(session, server, **refresh))[0] == 200
