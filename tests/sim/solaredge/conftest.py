"""A simulated cloud on loopback, a house whose powers a test sets, and a clock that a test moves."""

from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

import pytest
from aiohttp import ClientResponse, ClientSession

from pvcharge.sim.house import HouseSample
from pvcharge.sim.solaredge import SolarEdgeServer
from support.manual_clock import ManualClock

API_KEY = "0123456789ABCDEF0123456789ABCDEF"
NOW = datetime(2026, 8, 24, 15, 5, 51, tzinfo=UTC)  # 17:05:51 in Vienna


class FlatHouse:
    """A meter that reads the same powers at all times."""

    def __init__(self, powers: SimpleNamespace) -> None:
        self._powers = powers

    def sample(self, at: datetime) -> HouseSample | None:
        """Return the powers of the day."""
        return HouseSample(at=at, **vars(self._powers))

    def mean(self, start: datetime, end: datetime) -> HouseSample | None:
        """Return the same powers as a mean."""
        assert start < end
        return self.sample(start)


@pytest.fixture
def time() -> SimpleNamespace:
    """Hold the cloud's time in `now`; a test may set it."""
    return SimpleNamespace(now=NOW)


@pytest.fixture
def house() -> SimpleNamespace:
    """Hold the powers of the house; a test may set them. The roof feeds house, battery and grid."""
    return SimpleNamespace(
        pv_w=6340.0, load_w=250.0, grid_w=-1090.0, battery_w=5000.0, battery_soc_pct=93.0, charger_w=0.0
    )


@pytest.fixture
async def serve(
    house: SimpleNamespace, time: SimpleNamespace
) -> AsyncIterator[Callable[..., Awaitable[SolarEdgeServer]]]:
    """Start servers with any options of SolarEdgeServer, V1 alive; close them in the end."""
    servers: list[SolarEdgeServer] = []

    async def start(**options: Any) -> SolarEdgeServer:
        defaults: dict[str, Any] = {
            "site_id": 4711,
            "clock": ManualClock(time),
            "api_key": API_KEY,
            "client_id": "test-app",
            "client_secret": "test-secret",
            "v1": "alive",
        }
        meter = options.pop("meter", FlatHouse(house))
        servers.append(SolarEdgeServer(meter, **(defaults | options)))
        await servers[-1].start()
        return servers[-1]

    yield start
    for server in servers:
        await server.aclose()


@pytest.fixture
async def server(serve: Callable[..., Awaitable[SolarEdgeServer]]) -> SolarEdgeServer:
    """Start a server with the defaults."""
    return await serve()


@pytest.fixture
async def session() -> AsyncIterator[ClientSession]:
    """Open a client that follows no redirect by itself."""
    async with ClientSession() as session:
        yield session


@pytest.fixture
def get(session: ClientSession) -> Callable[..., Awaitable[ClientResponse]]:
    """GET a path with the right key; keyword arguments are query parameters, `from_` is `from`."""

    async def fetch(server: SolarEdgeServer, path: str, **query: str) -> ClientResponse:
        query = {name.rstrip("_"): text for name, text in query.items()}
        headers = {}
        if path.startswith("/v2"):
            headers["X-API-Key"] = API_KEY
        else:
            query.setdefault("api_key", API_KEY)
        async with session.get(server.base_url + path, params=query, headers=headers) as response:
            await response.read()
            return response

    return fetch
