"""What is seen at a glance, and what can be done about it: the live view."""

import re
from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio
from playwright.async_api import Browser, Route, expect

from browser.house import FULL_POWER_W, ShownHouse, kept_open, shown_house
from browser.visit import Visit, visit

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def house(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[ShownHouse]:
    """Yield a house in the sun."""
    async with kept_open(shown_house(tmp_path_factory.mktemp("house"))) as house:
        yield house


@pytest_asyncio.fixture(loop_scope="module")
async def seen(browser: Browser, house: ShownHouse) -> AsyncIterator[Visit]:
    """Yield the live view."""
    async with visit(browser, house.url) as seen:
        await seen.open()
        yield seen


async def follows_surplus(seen: Visit, house: ShownHouse) -> None:
    """Wait until the car takes what is left of 5 kW."""
    await house.until(lambda: 4000 < house.power_w < 5000, "charging by surplus")
    await expect(seen.part("charger-power")).to_have_text(re.compile(r"4\.\d"))


async def test_live_values_move(seen: Visit, house: ShownHouse) -> None:
    """The picture and the charger follow the sun without a reload."""
    await follows_surplus(seen, house)
    await expect(seen.part("flow-pv")).to_contain_text("5.0 kW")
    await expect(seen.part("flow-house")).to_contain_text("0.5 kW")
    await expect(seen.part("charger-state")).to_have_text("charging")
    await expect(seen.part("line")).to_contain_text("live")
    house.shine(3000.0)
    await expect(seen.part("flow-pv")).to_contain_text("3.0 kW")
    await expect(seen.part("charger-power")).to_have_text(re.compile(r"2\.\d"))
    house.shine(5000.0)


@pytest.mark.parametrize(
    ("locale", "sentence", "title"),
    [
        ("en-GB", r"^Following the surplus of \d\.\d.kW", "Live"),
        ("de-AT", r"Überschuss.* \d,\d.kW", "Verlauf"),
    ],
)
async def test_the_sentence_is_there(
    browser: Browser, house: ShownHouse, locale: str, sentence: str, title: str
) -> None:
    """In the language of the browser."""
    async with visit(browser, house.url, locale=locale) as seen:
        await seen.open()
        await expect(seen.part("sentence")).to_have_text(re.compile(sentence))
        await expect(seen.page.get_by_role("link", name=title)).to_be_visible()


async def test_the_language_can_be_chosen(seen: Visit) -> None:
    """And stays chosen."""
    await seen.part("menu").click()
    await seen.part("language").select_option("de")
    await expect(seen.part("sentence")).to_contain_text("Überschuss")
    await seen.page.reload()
    await expect(seen.part("sentence")).to_contain_text("Überschuss")
    assert await seen.value("document.documentElement.lang") == "de"


async def test_boost(seen: Visit, house: ShownHouse) -> None:
    """A tap has the charger give all it has, another one ends that."""
    await seen.part("boost-button").click()
    await house.until(lambda: house.power_w > FULL_POWER_W, "full power")
    await expect(seen.part("charger-power")).to_have_text(re.compile(r"1[01]\.\d"))
    await expect(seen.part("boost-button")).to_have_text("Stop boost")
    await expect(seen.part("mode-boost")).to_be_checked()
    await expect(seen.part("boost-left")).to_have_text("until you stop it")
    await seen.part("boost-button").click()
    await follows_surplus(seen, house)
    await expect(seen.part("boost-button")).to_have_text("Start boost")
    await expect(seen.part("mode-surplus")).to_be_checked()


async def test_a_boost_for_a_time(seen: Visit, house: ShownHouse) -> None:
    """It tells how much is left of it, and that becomes less."""
    await seen.part("boost-length").select_option("30")
    await seen.part("boost-button").click()
    await house.until(lambda: house.power_w > FULL_POWER_W, "full power")
    left = seen.part("boost-left")
    await expect(left).to_have_text(re.compile(r"^\d\d:\d\d$"))
    before = await left.inner_text()
    assert before < "30:01"
    await expect(left).not_to_have_text(before)
    await expect(left).to_have_text(re.compile(r"^\d?\d:\d\d$"))
    assert (await left.inner_text()).zfill(5) < before
    await seen.part("boost-button").click()
    await follows_surplus(seen, house)


async def test_modes_by_keyboard(seen: Visit, house: ShownHouse) -> None:
    """As with all radio buttons: Tab leads there, arrows choose."""
    await expect(seen.part("mode-surplus")).to_be_checked()
    await seen.part("mode-surplus").focus()
    await seen.page.keyboard.press("ArrowLeft")
    await expect(seen.part("mode-off")).to_be_focused()
    await expect(seen.part("sentence")).to_have_text(re.compile("switched off", re.IGNORECASE))
    await house.until(lambda: house.power_w == 0, "the end of the charge")
    assert (await house.ask("state"))["values"]["mode"] == "off"
    await seen.page.keyboard.press("ArrowRight")
    await follows_surplus(seen, house)
    assert (await house.ask("state"))["values"]["mode"] == "surplus"


async def test_limits(seen: Visit, house: ShownHouse) -> None:
    """Narrower by taps that count together, and never wider than the configuration has them."""
    for _ in range(2):
        await seen.part("max_current_a-less").click()
    await expect(seen.part("max_current_a")).to_have_text("14 A")
    await expect(seen.part("max_current_a")).not_to_have_class(re.compile("is-pending"))
    assert (await house.ask("state"))["values"]["max_current_a"] == 14
    for _ in range(2):
        await seen.part("max_current_a-more").click()
    await expect(seen.part("max_current_a")).not_to_have_class(re.compile("is-pending"))
    assert (await house.ask("state"))["values"]["max_current_a"] == 16
    await expect(seen.part("max_current_a-more")).to_be_disabled()
    await expect(seen.part("min_current_a-less")).to_be_disabled()


async def test_what_is_refused_is_said(seen: Visit) -> None:
    """In words, and what was wished for is not shown as done."""

    async def refuse(route: Route) -> None:
        problem: dict[str, Any] = {
            "title": "not in force",
            "status": 503,
            "detail": "The controller is busy.",
        }
        await route.fulfill(status=503, json=problem, headers={"Content-Type": "application/problem+json"})

    await seen.page.route("**/api/v1/mode", refuse)
    await seen.part("mode-off").click()
    await expect(seen.part("toast")).to_have_text("The controller is busy.")
    await expect(seen.part("mode-surplus")).to_be_checked()
    assert "503" in seen.complaints.pop()
