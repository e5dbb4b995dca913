"""Simulated devices on loopback for the commands that speak to devices."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from typing import Any, Literal

from pvcharge.clock import SystemClock
from pvcharge.sim.house import HouseSample
from pvcharge.sim.solaredge import SolarEdgeServer
from pvcharge.sim.wattpilot import WattpilotBox, WattpilotServer

SITE_ID = 123456
KEY, CLIENT_SECRET, PASSWORD = "planted-key", "planted-client-secret", "planted-password"


class FlatMeter:
    """A house in which nothing ever changes: 3 kW from the roof, 1 kW used, 2 kW sold."""

    def sample(self, at: datetime) -> HouseSample | None:
        """Return the powers of the house."""
        return HouseSample(at, 3000.0, 1000.0, -2000.0, battery_w=None, battery_soc_pct=None, charger_w=0.0)

    def mean(self, start: datetime, end: datetime) -> HouseSample | None:
        """Return the same powers as a mean."""
        assert end - start > timedelta(0)
        return self.sample(start)


class RecordingBox(WattpilotBox):
    """A Wattpilot that remembers what clients write."""

    def __init__(self) -> None:
        super().__init__()
        self.written: list[str] = []

    def set_value(self, key: str, value: Any) -> None:
        """Note the write, then do it."""
        self.written.append(key)
        super().set_value(key, value)


@asynccontextmanager
async def solaredge(*, v1: Literal["alive", "gone"] = "gone") -> AsyncIterator[SolarEdgeServer]:
    """Run a SolarEdge cloud."""
    cloud = SolarEdgeServer(
        FlatMeter(),
        site_id=SITE_ID,
        clock=SystemClock(),
        api_key=KEY,
        client_id="app",
        client_secret=CLIENT_SECRET,
        v1=v1,
    )
    await cloud.start()
    try:
        yield cloud
    finally:
        await cloud.aclose()


@asynccontextmanager
async def wattpilot() -> AsyncIterator[tuple[WattpilotServer, RecordingBox]]:
    """Run a Wattpilot without a car."""
    box = RecordingBox()
    server = WattpilotServer(box, password=PASSWORD, clock=SystemClock())
    await server.start()
    try:
        yield server, box
    finally:
        await server.aclose()
