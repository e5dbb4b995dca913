"""How the page looks and feels: on the phone and the desktop, light and dark, calm, and for everybody."""

import re
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from playwright.async_api import Browser, expect

from browser.house import ShownHouse, kept_open, shown_house
from browser.visit import DESKTOP, PHONE, Visit, visit

pytestmark = pytest.mark.asyncio(loop_scope="module")
VIEWS = ("live", "history", "sessions", "settings", "health")
# What shows that the answers of a view are there.
FULL = {
    "live": "[data-testid=sentence]:not(:empty)",
    "history": ".plot canvas",
    "sessions": ".sessions tbody tr",
    "settings": ".setting",
    "health": ".device",
}
AXE = (Path(__file__).parent / "vendor" / "axe" / "axe.min.js").read_text(encoding="utf-8")
WCAG = "axe.run(document, { resultTypes: ['violations'] }).then(it => it.violations)"
GRAVE = {"serious", "critical"}
# Whatever can be tapped and is smaller than a finger, 44 by 44; text within a line may be, as WCAG has it.
SMALL = """() => [...document.querySelectorAll("button, a[href], select, input, summary, [tabindex='0']")]
    .filter(it => it.checkVisibility())
    .filter(it => !it.closest(".skip, .sr-only, [aria-hidden=true], .scroll, svg, .band"))
    .filter(it => it.tabIndex >= 0 || it.matches("button"))
    .map(it => [it.dataset.testid ?? it.className, it.getBoundingClientRect()])
    .filter(([, box]) => box.width < 43.5 || box.height < 43.5)
    .map(([name, box]) => `${name} ${box.width.toFixed()} x ${box.height.toFixed()}`)"""
OVERFLOW = "document.documentElement.scrollWidth - document.documentElement.clientWidth"
DARK = "getComputedStyle(document.body).backgroundColor === 'rgb(15, 18, 22)'"


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def house(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[ShownHouse]:
    """Yield a house with something to show in every view."""
    folder = tmp_path_factory.mktemp("house")
    async with kept_open(shown_house(folder, remembers=True)) as house:
        yield house


async def violations(seen: Visit) -> list[str]:
    """Return what axe finds to be grave."""
    await seen.page.evaluate(AXE)
    found: list[dict[str, Any]] = await seen.page.evaluate(WCAG)
    return [
        f"{it['id']}: {[node['target'] for node in it['nodes']]}" for it in found if it["impact"] in GRAVE
    ]


@pytest.mark.parametrize("size", [PHONE, DESKTOP], ids=["phone", "desktop"])
@pytest.mark.parametrize("theme", ["light", "dark"])
async def test_every_view_is_for_everybody(
    browser: Browser, house: ShownHouse, size: tuple[int, int], theme: str
) -> None:
    """Nothing that axe calls serious, nothing beyond the window's edge; in the dark all of it is dark."""
    async with visit(browser, house.url, size=size, color_scheme=theme) as seen:
        for view in VIEWS:
            await seen.open(view)
            await expect(seen.page.locator(FULL[view]).first).to_be_visible()
            assert await violations(seen) == [], view
            assert await seen.value(OVERFLOW) <= 0, view
            assert await seen.value(DARK) is (theme == "dark")


@pytest.mark.parametrize("locale", ["en-GB", "de-AT"])
async def test_a_finger_hits_everything(browser: Browser, house: ShownHouse, locale: str) -> None:
    """On a phone all that can be tapped is at least 44 pixels wide and high, and nothing sticks out."""
    async with visit(browser, house.url, size=PHONE, has_touch=True, locale=locale) as seen:
        for view in VIEWS:
            await seen.open(view)
            await expect(seen.page.locator(FULL[view]).first).to_be_visible()
            assert await seen.page.evaluate(SMALL) == [], view
            assert await seen.value(OVERFLOW) <= 0, view


async def test_a_theme_can_be_chosen(browser: Browser, house: ShownHouse) -> None:
    """Whatever the system says; the choice stays, and is there before anything is drawn."""
    async with visit(browser, house.url, color_scheme="light") as seen:
        await seen.open()
        await seen.part("menu").click()
        await seen.part("theme-dark").click()
        assert await seen.value(DARK)
        await seen.page.reload()
        assert await seen.value("document.documentElement.dataset.theme") == "dark"
        await expect(seen.part("sentence")).not_to_be_empty()
        await seen.part("menu").click()
        await seen.part("theme-auto").click()
        assert not await seen.value(DARK)
        await seen.page.emulate_media(color_scheme="dark")
        await expect(seen.page.locator("html")).to_have_attribute("data-theme", "dark")
        assert await seen.value(DARK)


async def test_reduced_motion(browser: Browser, house: ShownHouse) -> None:
    """Nothing moves for those who do not want it; elsewhere the flow does."""
    moving = "document.getAnimations().filter(it => it.playState === 'running').length"
    for wish, moves in (("no-preference", True), ("reduce", False)):
        async with visit(browser, house.url, reduced_motion=wish) as seen:
            await seen.open()
            await expect(seen.part("flow-pv")).to_have_text(re.compile(r"\d"))
            assert (await seen.value(moving) > 0) is moves
            assert await seen.page.locator(".flow-arrow").first.is_visible() is not moves


async def test_by_keyboard_alone(browser: Browser, house: ShownHouse) -> None:
    """The first Tab leads past the menus; a view that was chosen has the focus."""
    async with visit(browser, house.url) as seen:
        await seen.open()
        await seen.page.keyboard.press("Tab")
        await expect(seen.page.get_by_text("Skip to content")).to_be_focused()
        await seen.page.keyboard.press("Enter")
        await expect(seen.page.locator("main")).to_be_focused()
        await seen.part("tab-health").focus()
        await seen.page.keyboard.press("Enter")
        await expect(seen.page.get_by_role("heading", name="Health", level=1)).to_be_focused()


async def test_a_dead_line_is_for_everybody(browser: Browser, house: ShownHouse) -> None:
    """The page says so at once, grey in grey, and still nothing that axe calls serious. Ends the daemon."""
    for theme in ("light", "dark"):
        provoked = r"WebSocket|ERR_CONNECTION"
        async with visit(browser, house.url, size=PHONE, color_scheme=theme, provoked=provoked) as seen:
            await seen.open()
            await expect(seen.part("sentence")).not_to_be_empty()
            await house.stop()
            await expect(seen.part("banner")).to_be_visible()
            assert await violations(seen) == []
            await house.start()
