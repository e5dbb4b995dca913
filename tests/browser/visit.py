"""Somebody who looks at the page, and notices whatever a page must never do."""

import asyncio
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any
from urllib.parse import urlsplit

from playwright.async_api import Browser, ConsoleMessage, Locator, Page, Request, expect

PATIENCE_MS = 15_000  # only a test that fails takes so long
PHONE, DESKTOP = (390, 844), (1280, 800)
MOST_SHIFT = 0.1  # what is thought to be good
# Adds up by how much things jump, unless that was an answer to the visitor.
WATCH_SHIFTS = """
globalThis.shifted = 0;
new PerformanceObserver((list) => {
    for (const it of list.getEntries()) if (!it.hadRecentInput) globalThis.shifted += it.value;
}).observe({ type: "layout-shift", buffered: true });
"""

expect.set_options(timeout=PATIENCE_MS)


class Visit:
    """A page in a browser.

    Attributes:
        page: in Playwright's hands.
        url: the address of the page's root.
        complaints: what was wrong, but for what the test has provoked.
    """

    def __init__(self, page: Page, url: str, provoked: str) -> None:
        self.page = page
        self.url = url
        self.complaints: list[str] = []
        self._provoked = re.compile(provoked) if provoked else None
        page.on("console", self._hear_console)
        page.on("pageerror", lambda error: self.complaints.append(f"uncaught: {error}"))
        page.on("request", self._see_request)

    def _hear_console(self, message: ConsoleMessage) -> None:
        text = f"{message.type}: {message.text}"
        provoked = self._provoked is not None and self._provoked.search(text)
        if message.type in ("error", "warning") and not provoked:
            self.complaints.append(f"{text} ({message.location.get('url')})")

    def _see_request(self, request: Request) -> None:
        there, here = urlsplit(request.url), urlsplit(self.url)
        if there.scheme not in ("data", "blob") and there.netloc != here.netloc:
            self.complaints.append(f"asks another host: {request.url}")

    def part(self, name: str) -> Locator:
        """Return the part of the page that has a name for tests."""
        return self.page.get_by_test_id(name)

    async def open(self, view: str = "live") -> None:
        """Show a view, and return when it is there."""
        await self.page.goto(f"{self.url}#/{view}")
        await expect(self.page.locator(f"body[data-view={view}]")).to_be_attached()

    async def download(self, name: str) -> tuple[str, bytes]:
        """Click at a part that downloads something, and return its name and content."""
        async with self.page.expect_download() as caught:
            await self.part(name).click()
        download = await caught.value
        path = await download.path()
        return download.suggested_filename, await asyncio.to_thread(path.read_bytes)

    async def value(self, script: str) -> Any:
        """Return what an expression is worth in the page."""
        return await self.page.evaluate(script)


@asynccontextmanager
async def visit(
    browser: Browser,
    url: str,
    *,
    size: tuple[int, int] = DESKTOP,
    provoked: str = "",
    most_shift: float = MOST_SHIFT,
    **context: Any,
) -> AsyncIterator[Visit]:
    """Visit a page; fails at the end if it did what no page must.

    Args:
        browser: that shows it.
        url: of the page's root.
        size: of the window.
        provoked: a pattern for what the browser will complain about, since the test refuses or breaks it.
        most_shift: of the layout, where what is shown comes and goes by itself.
        context: of the browser, such as `color_scheme` or `locale`.
    """
    options = {"viewport": {"width": size[0], "height": size[1]}, "locale": "en-GB", **context}
    opened = await browser.new_context(**options)
    opened.set_default_timeout(PATIENCE_MS)
    await opened.add_init_script(WATCH_SHIFTS)
    seen = Visit(await opened.new_page(), url, provoked)
    try:
        yield seen
        shifted = await seen.value("globalThis.shifted")
    finally:
        await opened.close()
    assert seen.complaints == []
    assert shifted < most_shift, "the page jumps"
