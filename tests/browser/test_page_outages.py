"""What the page does when something is lost: a message, the daemon, the readings."""

import re
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from playwright.async_api import Browser, WebSocketRoute, expect

from browser.house import ShownHouse, kept_open, shown_house
from browser.visit import visit

pytestmark = pytest.mark.asyncio(loop_scope="module")
LOST_LINE = r"WebSocket|ERR_CONNECTION"


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def house(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[ShownHouse]:
    """Yield a house in the sun."""
    async with kept_open(shown_house(tmp_path_factory.mktemp("house"))) as house:
        yield house


async def test_a_message_that_is_missing(browser: Browser, house: ShownHouse) -> None:
    """A gap in the numbers of messages has the page connect anew, for all that was in between."""
    connections, dropped = [0], [0]

    def lose_one(ws: WebSocketRoute) -> None:
        server = ws.connect_to_server()
        connections[0] += 1
        messages = [0]

        def pass_on(message: str | bytes) -> None:
            messages[0] += 1
            if connections[0] == 1 and messages[0] == 2:
                dropped[0] += 1
            else:
                ws.send(message)

        server.on_message(pass_on)

    async with visit(browser, house.url) as seen:
        await seen.page.route_web_socket("**/api/v1/live", lose_one)
        await seen.open()
        await house.until(lambda: connections[0] == 2, "another connection")
        await expect(seen.part("line")).to_contain_text("live")
        await expect(seen.part("banner")).to_be_hidden()
        house.shine(4000.0)
        await expect(seen.part("flow-pv")).to_contain_text("4.0 kW")
        house.shine(5000.0)
    assert (connections, dropped) == ([2], [1])


async def test_a_restart_of_the_daemon(browser: Browser, house: ShownHouse) -> None:
    """The page says that nobody is there, takes no commands, and comes back by itself."""
    async with visit(browser, house.url, provoked=LOST_LINE) as seen:
        await seen.open()
        await expect(seen.part("charger-state")).to_have_text("charging")
        await seen.value("globalThis.same = true")
        await house.stop()
        await expect(seen.part("banner")).to_have_text(re.compile(r"^No connection since \d\d:\d\d"))
        await expect(seen.part("boost-button")).to_be_disabled()
        await expect(seen.part("mode-off")).to_be_disabled()
        await house.start()
        await expect(seen.part("banner")).to_be_hidden()
        await expect(seen.part("charger-state")).to_have_text("charging")
        house.shine(4000.0)
        await expect(seen.part("flow-pv")).to_contain_text("4.0 kW")
        house.shine(5000.0)
        await expect(seen.part("boost-button")).to_be_enabled()
        assert await seen.value("globalThis.same")


async def test_old_readings_look_old(browser: Browser, house: ShownHouse) -> None:
    """The sentence tells their age, and the picture loses its colours. Comes last: it breaks the house."""
    inverter = house.stage.inverter
    assert inverter is not None
    async with visit(browser, house.url) as seen:
        await seen.open()
        await expect(seen.part("age")).to_have_text(re.compile(r"^Readings \d+ s old$"))
        await inverter.aclose()
        await expect(seen.part("age")).to_have_class(re.compile("is-stale"))
        await expect(seen.part("age")).to_have_text(re.compile(r"^Outdated: \d+ (s|min|h).* old$"))
        card = seen.page.locator(".flow-card")
        await expect(card).to_have_class(re.compile("is-stale"))
        assert "grayscale" in await card.locator(".flow").evaluate("it => getComputedStyle(it).filter")
        await house.until(lambda: house.power_w == 0, "the end of the charge")
        await seen.open("health")
        trouble = seen.part("device-solaredge-modbus")
        await expect(trouble).to_contain_text("trouble")
        await expect(trouble).to_contain_text("See whether the inverter is on and in the network")
