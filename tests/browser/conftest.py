"""Fixtures of all tests in a browser."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest_asyncio
from playwright.async_api import Browser, async_playwright

from browser.house import kept_open
from support.services import require


@asynccontextmanager
async def running_browser() -> AsyncIterator[Browser]:
    """Run Debian's Chromium, without a window."""
    path = require("chromium", "chromium")
    async with async_playwright() as playwright:
        # Without a sandbox since tests may run as root; it shows nothing but our own page.
        browser = await playwright.chromium.launch(executable_path=path, args=["--no-sandbox"])
        yield browser
        await browser.close()


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def browser() -> AsyncIterator[Browser]:
    """Yield a browser for all tests of a file."""
    async with kept_open(running_browser()) as browser:
        yield browser
