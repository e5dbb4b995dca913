"""No registers whatever make the driver raise anything but its own errors, or tell what cannot be."""

import asyncio
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from drivers.solaredge_modbus.images import Image, Inverters, battery, inverter, meter
from pvcharge.drivers.base import DriverContext, DriverError
from pvcharge.drivers.solaredge_modbus import SolarEdgeModbusInverter, SolarEdgeModbusSettings
from pvcharge.model import PowerFlow
from support.manual_clock import ManualClock

HOUSE = inverter() | meter(100) | meter(200, option="Production", position=2) | battery(500.0)
HOUSE |= battery(-200.0, base=57856)
WORDS = st.integers(0, 0xFFFF) | st.sampled_from([0, 1, 2, 160, 203, 0x7FC0, 0x7F7F, 0x8000, 0xFFFF])
# Values, heads and identities alike; None is an address that is gone.
SPOILT = st.dictionaries(st.sampled_from(sorted(HOUSE)), WORDS | st.none(), max_size=30)
VALUES = st.dictionaries(
    st.sampled_from([*range(40070, 40109), *range(40189, 40243), *range(57666, 57736), *range(57922, 57992)]),
    WORDS,
    max_size=60,
)


def spoil(image: Image, changes: dict[int, int | None]) -> Image:
    """Return the image with some registers changed or gone."""
    return {place: word for place, word in (image | changes).items() if word is not None}


async def look(first: Image, later: Image) -> list[PowerFlow | None]:
    """Read and survey a house that turns from one image into another."""
    flows: list[PowerFlow | None] = []
    clock = ManualClock(SimpleNamespace(now=datetime(2026, 6, 10, 10, 0, tzinfo=UTC)))
    async with Inverters({1: first}) as house:
        table = SolarEdgeModbusSettings.model_validate({"host": "127.0.0.1", "port": house.port})
        driver = SolarEdgeModbusInverter(table, DriverContext(clock, Path(), 48.0, 14.0, UTC))
        for image in (first, later):
            house.units[1] = image
            with suppress(DriverError):
                flows += await driver.read()
            with suppress(DriverError):
                flows.append((await driver.survey()).flow)
            driver.health()
        await driver.aclose()
    return flows


def check(flows: list[PowerFlow | None]) -> None:
    """A flow refuses what is not finite by itself; here is what else must hold."""
    for flow in flows:
        if flow is not None:
            assert flow.pv_w is None or 0 <= flow.pv_w < 1e7
            assert flow.load_w is None or 0 <= flow.load_w < 1e7
            assert flow.grid_w is None or abs(flow.grid_w) <= 1e6
            assert flow.battery_w is None or abs(flow.battery_w) < 1e7
            assert flow.battery_soc_pct is None or 0 <= flow.battery_soc_pct <= 100


@settings(max_examples=60, deadline=None)
@given(SPOILT, SPOILT)
def test_any_house(first: dict[int, int | None], later: dict[int, int | None]) -> None:
    """Registers of any kind, there or not."""
    check(asyncio.run(look(spoil(HOUSE, first), spoil(HOUSE, later))))


@pytest.mark.fault("modbus", "wrong type")
@settings(max_examples=60, deadline=None)
@given(VALUES, VALUES)
def test_any_values(first: dict[int, int | None], later: dict[int, int | None]) -> None:
    """Values of any kind in a whole house always make a reading."""
    flows = asyncio.run(look(spoil(HOUSE, first), spoil(HOUSE, later)))
    assert len(flows) == 4
    check(flows)
