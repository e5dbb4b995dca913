"""Takes the pictures of the page: `python docs/screenshots.py [--out docs/images]`.

Needs Playwright's Python package, and a Chromium that is found on the path or named by `--browser`.
The page is that of `pvcharge demo`, which runs so fast that its day has something to show after a minute.
"""

import argparse
import json
import shutil
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from playwright.sync_api import Browser, Page, sync_playwright

SPEED = 300  # a second is five minutes: from the morning to the afternoon in a minute
AFTERNOON_H = 15  # local; then the pictures are taken
GIVE_UP_S = 120.0
SETTLED_MS = 1500  # for charts to be drawn, and a value or two to come
SIZES = {"phone": (390, 844), "desktop": (1280, 800)}
# The view, and the part of its file's name.
VIEWS = {"live": "live", "history": "day", "sessions": "sessions", "settings": "settings"}


def main() -> None:
    """Start a demo, take the pictures of its page, and end it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=Path(__file__).parent / "images", help="the folder")
    parser.add_argument("--browser", default=shutil.which("chromium") or shutil.which("chromium-browser"))
    args = parser.parse_args()
    with demo() as address, sync_playwright() as playwright:
        wait_for_afternoon(address)
        browser = playwright.chromium.launch(executable_path=args.browser, args=["--no-sandbox"])
        for path in take(browser, address, args.out):
            print(f"{path}: {path.stat().st_size / 1000:.0f} kB")
        browser.close()


@contextmanager
def demo() -> Iterator[str]:
    """Yield the address of a demo's page, for as long as the demo runs."""
    command = [sys.executable, "-m", "pvcharge", "demo", "--speed", str(SPEED), "--source", "modbus"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:  # noqa: S603 - ourselves
        try:
            if process.stdout is None:
                raise RuntimeError("the demo has no output")
            yield process.stdout.readline().removeprefix("Page: ").strip()
        finally:
            process.send_signal(signal.SIGINT)  # as by Ctrl-C: it clears up behind itself


def wait_for_afternoon(address: str) -> None:
    """Return when the day in the demo is old enough, and the car is being charged."""
    ends = time.monotonic() + GIVE_UP_S
    while time.monotonic() < ends:
        values = ask(address, "state")["values"]
        hours = (ask(address, "day")["now"] - ask(address, "day")["start"]) / 3600
        if hours >= AFTERNOON_H and (values["charger_power_w"] or 0) > 0:
            return
        time.sleep(0.2)
    raise TimeoutError("nothing was charged in the afternoon")


def ask(address: str, path: str) -> dict[str, Any]:
    """Return what the page's API answers."""
    with urllib.request.urlopen(f"{address}api/v1/{path}") as answer:  # noqa: S310 - of the demo
        document: dict[str, Any] = json.load(answer)
        return document


def take(browser: Browser, address: str, folder: Path) -> Iterator[Path]:
    """Take all pictures, and yield where they are."""
    folder.mkdir(parents=True, exist_ok=True)
    for size, (width, height) in SIZES.items():
        for theme in ("light", "dark"):
            context = browser.new_context(
                viewport={"width": width, "height": height}, color_scheme=theme, locale="en-GB"
            )
            page = context.new_page()
            for view, name in VIEWS.items():
                if theme == "light" or view == "live":
                    path = folder / f"page-{name}-{size}{'-dark' if theme == 'dark' else ''}.png"
                    picture(page, f"{address}#/{view}", path)
                    yield path
            context.close()


def picture(page: Page, address: str, path: Path) -> None:
    """Take one picture, of what is seen without scrolling."""
    page.goto(address)
    page.wait_for_timeout(SETTLED_MS)
    page.screenshot(path=path)


if __name__ == "__main__":
    main()
