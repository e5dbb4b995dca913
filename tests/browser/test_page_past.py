"""What has been: days, months, charges, and files to take away."""

import csv
import io
import re
import zipfile
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from playwright.async_api import Browser, Locator, expect

from browser.house import ShownHouse, kept_open, shown_house
from browser.visit import Visit, visit

pytestmark = pytest.mark.asyncio(loop_scope="module")
# Whether anything is drawn upon a canvas.
DRAWN = """it => {
    const { data } = it.getContext("2d").getImageData(0, 0, it.width, it.height);
    return new Set(new Uint32Array(data.buffer)).size > 10;
}"""


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def house(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[ShownHouse]:
    """Yield a house that remembers a week."""
    async with kept_open(shown_house(tmp_path_factory.mktemp("house"), remembers=True)) as house:
        yield house


@pytest_asyncio.fixture(loop_scope="module")
async def seen(browser: Browser, house: ShownHouse) -> AsyncIterator[Visit]:
    """Yield a visit."""
    async with visit(browser, house.url) as seen:
        yield seen


async def is_drawn(canvas: Locator) -> bool:
    """Whether there is a chart."""
    await expect(canvas).to_be_visible()
    drawn: bool = await canvas.evaluate(DRAWN)
    return drawn


async def test_today_and_the_day_before(seen: Visit) -> None:
    """A chart with a time line of reasons, sums above; values under the pointer; another day by a tap."""
    await seen.open("history")
    chart = seen.page.locator(".plot canvas")
    assert await is_drawn(chart)
    await expect(seen.part("date")).to_have_text("Mon, 15 June 2026")
    await expect(seen.part("next")).to_be_disabled()
    await seen.part("prev").click()
    await expect(seen.part("date")).to_have_text("Sun, 14 June 2026")
    await expect(seen.part("sums")).to_contain_text(re.compile(r"Into the car\s*\d+\.\d kWh"))
    await expect(seen.page.locator(".band-piece").nth(3)).to_be_visible()
    assert await is_drawn(chart)
    await seen.page.locator(".u-over").hover()
    await expect(seen.part("readout-time")).to_have_text(re.compile(r"^\d\d:\d\d . \d\d:\d\d$"))
    await expect(seen.part("series-pv")).to_have_text(re.compile(r"^Solar\d+\.\d$"))
    await seen.page.locator(".band-piece").nth(1).focus()
    await seen.page.keyboard.press("ArrowRight")
    await expect(seen.page.locator(".band-piece").nth(2)).to_be_focused()
    await expect(seen.part("reason-told")).to_have_text(re.compile(r"^\d\d:\d\d . \d\d:\d\d · .+ · "))
    await seen.part("series-house").click()
    await expect(seen.part("series-house")).to_have_attribute("aria-pressed", "false")
    assert await is_drawn(chart)
    await seen.part("next").click()
    await expect(seen.part("date")).to_have_text("Mon, 15 June 2026")


async def test_month_and_year(seen: Visit) -> None:
    """As bars; each tells its figures when it is touched."""
    await seen.open("history")
    await seen.part("span-month").click()
    await expect(seen.part("date")).to_have_text("June 2026")
    bars = seen.page.locator(".bars-slot")
    await expect(bars).to_have_count(30)
    await bars.nth(13).click()
    await expect(seen.part("bars-told")).to_have_text(re.compile(r"^Sun,? 14 Jun.*Into the car \d+\.\d kWh"))
    await bars.nth(13).focus()
    await seen.page.keyboard.press("ArrowRight")
    await expect(seen.part("bars-told")).to_have_text(re.compile(r"^Mon,? 15 Jun"))
    await seen.part("span-year").click()
    await expect(bars).to_have_count(12)
    await expect(seen.part("date")).to_have_text("2026")


async def test_charges(seen: Visit) -> None:
    """All of them in a table, the one that goes on first; and as a file for a spreadsheet."""
    await seen.open("sessions")
    rows = seen.part("sessions").locator("tbody tr")
    await expect(rows).to_have_count(7)
    await expect(rows.first).to_contain_text("now")
    await expect(rows.nth(1)).to_contain_text("Sun, 14 Jun 2026")
    await rows.nth(1).get_by_text("Details").click()
    await expect(rows.nth(1)).to_contain_text("Starts: ")
    await seen.part("range").select_option("last_year")
    await expect(seen.page.get_by_text("No car has been charged in this span.")).to_be_visible()
    await seen.part("range").select_option("all")
    await expect(rows).to_have_count(7)
    name, content = await seen.download("csv")
    assert name.endswith(".csv")
    lines = list(csv.DictReader(content.decode("utf-8-sig").splitlines()))
    assert len(lines) >= 6
    assert float(lines[0]["energy_kwh"]) >= 0


async def test_the_support_file(seen: Visit) -> None:
    """Is a .zip."""
    await seen.open("health")
    name, content = await seen.download("support")
    assert re.fullmatch(r"pvcharge-.*\.zip", name)
    with zipfile.ZipFile(io.BytesIO(content)) as packed:
        assert packed.testzip() is None
        assert len(packed.namelist()) > 2


async def test_what_was_learned_can_be_forgotten(seen: Visit) -> None:
    """After a question that can be answered with no."""
    await seen.open("health")
    learned = seen.part("learned")
    await expect(learned).to_contain_text("solaredge-modbus")
    await expect(seen.page.get_by_role("heading", name="Last events")).to_be_visible()
    await seen.part("forget").click()
    await seen.page.get_by_role("button", name="Cancel").click()
    await expect(learned).to_contain_text("A reading comes every")
    await seen.part("forget").click()
    async with seen.page.expect_response(lambda it: it.request.method == "DELETE") as caught:
        await seen.part("confirm").click()
    assert (await caught.value).ok
    await expect(seen.part("toast")).to_contain_text("Forgotten.")
