"""A clock that a test moves, settings and drivers made on the spot, and a faked HTTP client."""

from collections.abc import AsyncIterator, Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from unittest.mock import Mock
from zoneinfo import ZoneInfo

import aiohttp
import pytest
from aioresponses import aioresponses

from pvcharge.drivers.base import DriverContext
from pvcharge.drivers.solaredge import SolarEdgeInverter, SolarEdgeSettings
from support.manual_clock import ManualClock

NOON = datetime(2026, 6, 10, 10, 7, 30, tzinfo=UTC)
AIOHTTP_VERSION = tuple(int(part) for part in aiohttp.__version__.split(".")[:2])


class ResponseWithWriter(aiohttp.ClientResponse):
    """Takes the stream_writer that aiohttp >= 3.14 wants and aioresponses 0.7.9 does not give."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        kwargs.setdefault("stream_writer", Mock(output_size=0))
        super().__init__(*args, **kwargs)


@pytest.fixture
def time() -> SimpleNamespace:
    """Hold the daemon's time in `now`; a test may set it. It begins before a summer's noon."""
    return SimpleNamespace(now=NOON)


@pytest.fixture
def context(time: SimpleNamespace, tmp_path: Path) -> DriverContext:
    """Place the site in Linz and its state in a folder of the test."""
    return DriverContext(
        clock=ManualClock(time),
        state_dir=tmp_path / "state",
        latitude_deg=48.37,
        longitude_deg=14.51,
        timezone=ZoneInfo("Europe/Vienna"),
    )


@pytest.fixture
def settings() -> Callable[..., SolarEdgeSettings]:
    """Make settings of site 4711; a fleet key is the default credential."""

    def make(**table: Any) -> SolarEdgeSettings:
        credentials = {} if "client_id" in table else {"api_key": "FLEETKEY123"}
        return SolarEdgeSettings.model_validate({"site_id": 4711} | credentials | table)

    return make


@pytest.fixture
async def inverter(
    settings: Callable[..., SolarEdgeSettings], context: DriverContext
) -> AsyncIterator[Callable[..., SolarEdgeInverter]]:
    """Make drivers of settings; close them in the end."""
    made: list[SolarEdgeInverter] = []

    def make(**table: Any) -> SolarEdgeInverter:
        made.append(SolarEdgeInverter(settings(**table), context))
        return made[-1]

    yield make
    for driver in made:
        await driver.aclose()


@pytest.fixture
def web(monkeypatch: pytest.MonkeyPatch) -> Iterator[aioresponses]:
    """Answer requests without a network."""
    if AIOHTTP_VERSION >= (3, 14):
        monkeypatch.setattr("aioresponses.core.ClientResponse", ResponseWithWriter)
    with aioresponses() as mocked:
        yield mocked
