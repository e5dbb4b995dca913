"""The line for `systemctl status`: what it says, and how often."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from pvcharge.model import (
    ChargerState,
    ChargerStatus,
    Decision,
    DeviceHealth,
    Mode,
    PowerFlow,
    Reason,
    Setpoint,
)
from pvcharge.status_line import EVERY_S, StatusLine
from pvcharge.tasks.feed import Event, Feed

pytestmark = pytest.mark.looptime

NOON = datetime(2026, 6, 15, 10, tzinfo=UTC)
FOLLOWING = Decision(NOON, Setpoint(3, 9), Reason.FOLLOWING, Mode.SURPLUS, surplus_w=6210.0)
BOOST = Decision(NOON, Setpoint(3, 16), Reason.BOOST, Mode.BOOST, boost_until=NOON + timedelta(hours=2))
CHARGING = ChargerStatus(NOON, ChargerState.CHARGING, 6200.0, 3, 9.0, Setpoint(3, 9))


class Told:
    """A feed, and the lines that come of it."""

    def __init__(self) -> None:
        self.feed = Feed()
        self.lines: list[str] = []

    async def publish(self, *events: Event) -> None:
        """Publish, and let the line be told."""
        for event in events:
            self.feed.publish(event)
        await asyncio.sleep(0.001)


@asynccontextmanager
async def telling(role: str = "standalone") -> AsyncIterator[Told]:
    """Tell lines for as long as the context lasts."""
    told = Told()
    line = StatusLine(role, told.feed.subscribe(), told.lines.append, ZoneInfo("Europe/Vienna"))
    task = asyncio.create_task(line.run())
    yield told
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


def health(name: str, *, ok: bool) -> DeviceHealth:
    """Return how a device is."""
    return DeviceHealth(name, NOON, ok=ok, since=NOON, error=None if ok else "away\nSTOPPING=1")


async def test_says_what_is_done_and_why() -> None:
    """With times of the house."""
    async with telling() as told:
        await told.publish(health("roof", ok=True), FOLLOWING, BOOST)
    first, _, last = told.lines
    assert first == "standalone: nothing is known yet. All devices answer."
    assert last.startswith("boost: 16 A on 3 phases. ")
    assert "14:00:00" in last


async def test_says_who_fails() -> None:
    """By name alone, until all answer again; a crowd is counted."""
    async with telling() as told:
        await told.publish(FOLLOWING, health("roof", ok=True), health("box", ok=False))
        assert told.lines[-1].endswith(" Failing: box.")
        await told.publish(*(health(f"device{number}", ok=False) for number in range(6)))
        assert told.lines[-1].endswith(" Failing: box, device0, device1, device2, device3 and 2 more.")
        await told.publish(*(health(f"device{number}", ok=True) for number in range(6)))
        await told.publish(health("box", ok=True))
        assert told.lines[-1].endswith(" All devices answer.")


async def test_numbers_alone_are_told_once_a_minute() -> None:
    """A change of what is done at once."""
    async with telling() as told:
        await told.publish(FOLLOWING)
        for amperes in range(6, 17):
            decision = Decision(NOON, Setpoint(3, amperes), Reason.FOLLOWING, Mode.SURPLUS)
            await told.publish(decision, CHARGING, PowerFlow(NOON, NOON, grid_w=1.0))
            await asyncio.sleep(EVERY_S / 10)
        assert len(told.lines) == 2
        await told.publish(BOOST, BOOST, BOOST)
        assert len(told.lines) == 3


async def test_an_edge_tells_of_its_charger() -> None:
    """It decides nothing."""
    async with telling("edge") as told:
        await told.publish(CHARGING)
        await asyncio.sleep(1)
    assert told.lines == ["edge: 9 A on 3 phases, charging, 6.2 kW. No device has answered yet."]
