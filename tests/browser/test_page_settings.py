"""Settings that are changed in the page: in force at once, refused where they do not fit, taken back."""

import re
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from playwright.async_api import Browser, Locator, expect

from browser.house import ShownHouse, kept_open, shown_house
from browser.visit import Visit, visit

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def house(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[ShownHouse]:
    """Yield a house in the sun."""
    async with kept_open(shown_house(tmp_path_factory.mktemp("house"))) as house:
        yield house


@pytest_asyncio.fixture(loop_scope="module")
async def seen(browser: Browser, house: ShownHouse) -> AsyncIterator[Visit]:
    """Yield the settings; what they refuse is told by the browser, too."""
    async with visit(browser, house.url, provoked=r"status of 4(09|22)") as seen:
        await seen.open("settings")
        yield seen


def field(seen: Visit, name: str) -> Locator:
    """Return the field of a setting."""
    return seen.page.locator(f"#setting-control-{name}")


async def value(house: ShownHouse, name: str) -> object:
    """Return what is in force."""
    document = await house.ask("settings")
    return next(it["value"] for it in document["settings"] if it["key"] == f"control.{name}")


async def test_a_change_and_its_end(seen: Visit, house: ShownHouse) -> None:
    """It is marked until it is saved, survives a reload, and is taken back by one tap."""
    price = field(seen, "import_price")
    await expect(price).to_have_value("0.3")
    await expect(seen.part("save")).to_be_hidden()
    await price.fill("0.31")
    await expect(seen.part("unsaved")).to_have_text("1 change")
    await seen.part("save").click()
    await expect(seen.part("toast")).to_have_text("Saved and in force.")
    assert await value(house, "import_price") == 0.31
    await seen.page.reload()
    await expect(price).to_have_value("0.31")
    await expect(seen.part("setting-control-import_price-reset")).to_have_text("Back to 0.3 /kWh")
    await seen.part("undo").click()
    await expect(price).to_have_value("0.3")
    assert await value(house, "import_price") == 0.3
    await expect(seen.part("setting-control-import_price-reset")).to_be_hidden()


async def test_a_change_that_is_thrown_away(seen: Visit, house: ShownHouse) -> None:
    """Before it was saved."""
    await field(seen, "objective").select_option("cost")
    await field(seen, "boost_ends_on_unplug").click()
    await expect(seen.part("unsaved")).to_have_text("2 changes")
    await seen.part("discard").click()
    await expect(field(seen, "objective")).to_have_value("balance")
    await expect(seen.part("save")).to_be_hidden()
    assert await value(house, "objective") == "balance"


@pytest.mark.parametrize(
    ("locale", "name", "typed", "said"),
    [
        ("en-GB", "min_on_s", "-5", "At least 0."),
        ("de-AT", "min_on_s", "-5", "Mindestens 0."),
        ("en-GB", "max_starts_per_hour", "2.5", "A whole number, please."),
        ("de-AT", "feed_in_price", "0.9", "Verkauf ≤ Energie im Auto ≤ Bezug"),
    ],
)
async def test_a_value_that_will_not_do(
    browser: Browser, house: ShownHouse, locale: str, name: str, typed: str, said: str
) -> None:
    """Is refused at its field, in the language of the page, and nothing is changed."""
    async with visit(browser, house.url, locale=locale, provoked="status of 422") as seen:
        await seen.open("settings")
        before = await value(house, name)
        await field(seen, name).fill(typed)
        await seen.part("save").click()
        error = seen.page.locator(f"#setting-control-{name}-error")
        await expect(error).to_contain_text(said)
        await expect(field(seen, name)).to_have_attribute("aria-invalid", "true")
        assert await value(house, name) == before
        await field(seen, name).fill(str(before))
        await expect(error).to_be_empty()


async def test_somebody_else_was_faster(seen: Visit, house: ShownHouse) -> None:
    """What they have changed is shown, what was typed here is kept, and a second try saves it."""
    await field(seen, "min_off_s").fill("90")
    revision = (await house.ask("settings"))["revision"]
    await house.ask("settings", "PATCH", {"revision": revision, "changes": {"control.min_on_s": 180}})
    await seen.part("save").click()
    await expect(seen.part("toast")).to_contain_text("Somebody else has changed settings meanwhile.")
    await expect(field(seen, "min_on_s")).to_have_value("180")
    await expect(field(seen, "min_off_s")).to_have_value("90")
    await seen.part("save").click()
    await expect(seen.part("toast").last).to_have_text("Saved and in force.")
    assert (await value(house, "min_on_s"), await value(house, "min_off_s")) == (180, 90)
    await expect(seen.part("setting-control-min_on_s")).to_have_text(re.compile(r"s = 3 min"))
