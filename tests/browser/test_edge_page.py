"""The small page of an edge: the charger, the way to the controller, and what happens without it."""

import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
import pytest_asyncio
from playwright.async_api import Browser, expect

from browser.house import FULL_POWER_W, ShownHouse, kept_open, shown_house
from browser.visit import PHONE, visit
from support.broker import running_broker

pytestmark = pytest.mark.asyncio(loop_scope="module")
ELSEWHERE = ("mode-off", "max_current_a-less", "tab-history", "tab-sessions", "tab-settings")


@asynccontextmanager
async def edge_and_broker(folder: Path) -> AsyncIterator[ShownHouse]:
    """Run an edge, and a broker."""
    async with running_broker(folder) as broker:
        mqtt = {"host": broker.host, "port": broker.port, "tls": False}
        alone = {"on_silence": "minimum"}
        async with shown_house(folder / "edge", role="edge", mqtt=mqtt, edge=alone) as house:
            yield house


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def edge(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[ShownHouse]:
    """Yield an edge, without a controller as yet."""
    async with kept_open(edge_and_broker(tmp_path_factory.mktemp("edge"))) as edge:
        yield edge


async def test_an_edge(browser: Browser, edge: ShownHouse, tmp_path: Path) -> None:
    """Shows the way to the controller, and the charger; what else there is, is on the controller's page."""
    async with visit(browser, edge.url, size=PHONE, most_shift=0.5) as seen:
        await seen.open()
        await expect(seen.part("link-state")).to_have_text("lost")
        async with edge.controller(tmp_path):
            await expect(seen.part("link-state")).to_have_text("connected")
            await edge.until(lambda: 4000 < edge.power_w < 5000, "charging by surplus")
            await expect(seen.part("charger-power")).to_have_text(re.compile(r"4\.\d"))
            await expect(seen.part("edge-alone")).to_have_text("It charges at the minimum.")
            for part in ELSEWHERE:
                await expect(seen.part(part)).to_be_hidden()
            await seen.part("boost-button").click()
            await edge.until(lambda: edge.power_w > FULL_POWER_W, "full power")
            await expect(seen.part("boost-button")).to_have_text("Stop boost")
            await seen.part("boost-button").click()
            await edge.until(lambda: 4000 < edge.power_w < 5000, "the end of it")
        await expect(seen.part("link-state")).to_have_text("lost")
        await edge.until(lambda: 0 < edge.power_w < 2000, "the minimum")
        await seen.part("menu").click()
        await seen.part("language").select_option("de")
        await expect(seen.part("link-state")).to_have_text("getrennt")
        await expect(seen.part("edge-alone")).to_have_text("Sie lädt mit dem Minimum.")
