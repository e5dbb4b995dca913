"""A clock that a test moves, drivers of settings, and connections that are made anew without delay."""

import asyncio
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from pvcharge.drivers.base import DriverContext
from pvcharge.drivers.solaredge_modbus import SolarEdgeModbusInverter, SolarEdgeModbusSettings, line
from support.manual_clock import ManualClock

NOON = datetime(2026, 6, 10, 10, 0, tzinfo=UTC)


@pytest.fixture(autouse=True)
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(line, "REOPEN_PAUSE_S", 0.01)


@pytest.fixture
def time() -> SimpleNamespace:
    """Hold the daemon's time in `now`; a test may set it."""
    return SimpleNamespace(now=NOON)


@pytest.fixture
def context(time: SimpleNamespace, tmp_path: Path) -> DriverContext:
    """Place the house in Linz."""
    return DriverContext(
        clock=ManualClock(time),
        state_dir=tmp_path / "state",
        latitude_deg=48.37,
        longitude_deg=14.51,
        timezone=ZoneInfo("Europe/Vienna"),
    )


@pytest.fixture
async def driver(context: DriverContext) -> AsyncIterator[Callable[..., SolarEdgeModbusInverter]]:
    """Make drivers of a port on this machine and other settings; close them in the end."""
    made: list[SolarEdgeModbusInverter] = []

    def make(port: int, **table: Any) -> SolarEdgeModbusInverter:
        settings = SolarEdgeModbusSettings.model_validate({"host": "127.0.0.1", "port": port} | table)
        made.append(SolarEdgeModbusInverter(settings, context))
        return made[-1]

    yield make
    for each in made:
        await each.aclose()


@pytest.fixture
async def unused_port() -> int:
    """Return a port at which nobody listens."""
    server = await asyncio.start_server(lambda _reader, _writer: None, "127.0.0.1", 0)
    port: int = server.sockets[0].getsockname()[1]
    server.close()
    await server.wait_closed()
    return port
