"""Who gets in and what they see then; behind a proxy, and within a page of somebody else."""

import re
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio
from aiohttp import web
from playwright.async_api import Browser, expect

from browser.house import ShownHouse, kept_open, shown_house
from browser.proxy import Proxy, served
from browser.visit import Visit, visit
from web.scraping import free_port

pytestmark = pytest.mark.asyncio(loop_scope="module")
PASSWORD = "open, sesame"
REFUSED = r"status of 401"
CONTROLS = ("mode-off", "boost-button", "max_current_a-less")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def locked(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[ShownHouse]:
    """Yield a house with a password."""
    folder = tmp_path_factory.mktemp("locked")
    async with kept_open(shown_house(folder, web={"password": PASSWORD})) as house:
        yield house


async def log_in(seen: Visit, password: str) -> None:
    """Type a password, and send it."""
    await seen.part("password").fill(password)
    await seen.part("login").click()


async def test_the_password(browser: Browser, locked: ShownHouse) -> None:
    """A wrong one is refused, the right one lets in, over a reload too; signing out ends that."""
    async with visit(browser, locked.url, provoked=REFUSED) as seen:
        await seen.page.goto(seen.url)
        await expect(seen.part("password")).to_be_focused()
        await log_in(seen, "close, sesame")
        await expect(seen.part("login-error")).to_have_text("That is not the password.")
        await expect(seen.part("sentence")).to_have_count(0)
        await log_in(seen, PASSWORD)
        await expect(seen.part("flow-pv")).to_contain_text("5.0 kW")
        await seen.page.reload()
        await expect(seen.part("flow-pv")).to_contain_text("5.0 kW")
        await expect(seen.part("boost-button")).to_be_enabled()
        await seen.part("menu").click()
        await seen.part("logout").click()
        await expect(seen.part("password")).to_be_visible()
        await expect(seen.part("sentence")).to_have_count(0)


async def test_tokens_for_programs(browser: Browser, locked: ShownHouse) -> None:
    """Made once, shown once, and gone when they are deleted."""
    async with visit(browser, locked.url) as seen:
        await seen.page.goto(f"{seen.url}#/health")
        await log_in(seen, PASSWORD)
        await seen.part("token-name").fill("Home Assistant")
        await seen.part("token-make").click()
        await expect(seen.part("token-secret")).to_have_text(re.compile(r"^\S{20,}$"))
        await expect(seen.part("tokens")).to_contain_text("Home Assistant")
        await seen.page.get_by_role("button", name="Delete Home Assistant").click()
        await seen.part("confirm").click()
        await expect(seen.part("tokens")).not_to_contain_text("Home Assistant")


async def test_a_guest(browser: Browser, tmp_path: Path) -> None:
    """Sees what goes on, without anything to touch; may sign in."""
    web_table = {"password": PASSWORD, "guest_view": True}
    async with (
        shown_house(tmp_path, web=web_table) as house,
        visit(browser, house.url, provoked=REFUSED) as seen,
    ):
        await seen.open()
        await expect(seen.part("flow-pv")).to_contain_text("5.0 kW")
        for control in CONTROLS:
            await expect(seen.part(control)).to_be_hidden()
        await expect(seen.part("tab-history")).to_be_visible()
        await expect(seen.part("tab-settings")).to_be_hidden()
        await seen.open("health")
        await expect(seen.part("version")).to_have_text(re.compile(r"\d+\.\d+"))
        await expect(seen.part("support")).to_have_count(0)
        await seen.part("menu").click()
        await seen.part("sign-in").click()
        await log_in(seen, PASSWORD)
        await expect(seen.part("support")).to_be_visible()
        await expect(seen.part("tab-settings")).to_be_visible()


async def test_behind_a_proxy_and_in_a_frame(browser: Browser, tmp_path: Path) -> None:
    """Below a path of another server, live values and commands arrive; in a frame where that is allowed."""
    frame_port = free_port()
    table = {
        "base_path": "/pvcharge",
        "trusted_proxies": ["127.0.0.1"],
        "embed_in": [f"http://127.0.0.1:{frame_port}"],
    }
    async with shown_house(tmp_path, web=table) as house:
        proxy = Proxy(f"http://127.0.0.1:{house.port}")
        async with served(proxy.handle) as origin:
            async with visit(browser, f"{origin}/pvcharge/") as seen:
                await seen.open()
                await expect(seen.part("flow-pv")).to_contain_text("5.0 kW")
                house.shine(4000.0)
                await expect(seen.part("flow-pv")).to_contain_text("4.0 kW")
                await seen.part("mode-off").click()
                await house.until(lambda: house.power_w == 0, "the end of the charge")
            assert "/pvcharge/api/v1/live" in proxy.seen
            assert all(path.startswith("/pvcharge/") for path in proxy.seen)
            await in_a_frame(browser, f"{origin}/pvcharge/", frame_port, shown=True)
            await in_a_frame(browser, f"{origin}/pvcharge/", free_port(), shown=False)


async def in_a_frame(browser: Browser, url: str, port: int, *, shown: bool) -> None:
    """Look at a page of somebody else with ours in it."""

    async def frame(_request: web.Request) -> web.Response:
        text = f'<!doctype html><title>home</title><link rel=icon href="data:,"><iframe src="{url}"></iframe>'
        return web.Response(text=text, content_type="text/html")

    async with served(frame, port) as origin, visit(browser, url, provoked="frame-ancestors") as seen:
        await seen.page.goto(f"{origin}/")
        if shown:
            await expect(seen.page.frame_locator("iframe").get_by_test_id("flow-pv")).to_contain_text("kW")
        else:
            frames = [it for it in seen.page.frames if it.parent_frame]
            assert [it.url for it in frames] == ["chrome-error://chromewebdata/"]
        seen.complaints = [it for it in seen.complaints if origin not in it]
