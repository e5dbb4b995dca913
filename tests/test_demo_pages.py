"""The page of a demo: its port, and what it tells while the demo runs."""

import asyncio
import socket
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from pvcharge.demo import Demo, DemoOptions, PortError, choose_ports, pages, until_shown, write_past
from web.scraping import free_port

GIVE_UP_S = 30.0


def taken_port(listener: socket.socket) -> int:
    """Have a socket listen, and return its port."""
    listener.bind((pages.HOST, 0))
    listener.listen()
    port: int = listener.getsockname()[1]
    return port


def test_a_taken_port_is_passed_over(monkeypatch: pytest.MonkeyPatch) -> None:
    """As of another demo, or of whatever else is at 8080."""
    with socket.socket() as listener:
        port = taken_port(listener)
        monkeypatch.setattr(pages, "FIRST_PORT", port)
        monkeypatch.setattr(pages, "LAST_PORT", port + 99)
        first, second = choose_ports(2, None)
    assert port < first < second


def test_a_port_that_was_asked_for_must_be_free() -> None:
    """Rather than a page that is elsewhere; the second page takes the next one."""
    with socket.socket() as listener:
        port = taken_port(listener)
        with pytest.raises(PortError, match=f"port {port} is taken; choose another"):
            choose_ports(1, port)
    assert choose_ports(2, port)[0] == port


def test_there_is_an_end_to_trying(monkeypatch: pytest.MonkeyPatch) -> None:
    """It says what to do."""
    with socket.socket() as listener:
        port = taken_port(listener)
        monkeypatch.setattr(pages, "FIRST_PORT", port)
        monkeypatch.setattr(pages, "LAST_PORT", port)
        with pytest.raises(PortError, match="use --no-page"):
            choose_ports(1, None)


async def test_nobody_waits_for_ever_for_a_page(monkeypatch: pytest.MonkeyPatch) -> None:
    """A demo whose page does not come goes on without."""
    monkeypatch.setattr(pages, "PATIENCE_S", 0.1)
    async with asyncio.timeout(GIVE_UP_S):
        await until_shown([free_port()])


async def test_the_page_tells_of_now_and_of_the_days_before(tmp_path: Path) -> None:
    """Live values while the car charges, and sessions, savings and energies from the first moment on."""
    options = DemoOptions(speed=600.0, ports=(free_port(),))
    write_past(options, tmp_path)
    demo = Demo(options, tmp_path)
    address = demo.pages["page"]
    assert address == f"http://127.0.0.1:{options.ports[0]}/"
    async with (
        asyncio.timeout(GIVE_UP_S),
        demo.running(),
        aiohttp.ClientSession(f"{address}api/v1/") as api,
    ):
        await until_shown(options.ports)
        assert (await told(api, "sessions"))["total"] == 6
        saved = await told(api, "savings")
        assert saved["month"] == saved["all"]
        assert saved["month"]["saved"] > 5
        yesterday = await told(api, "day?date=2026-06-14")
        assert yesterday["sums"]["charger_kwh"] > 5
        assert len(yesterday["reasons"]) > 3
        rows = (await told(api, "energy?by=month&start=2026-06-01&end=2026-07-01"))["rows"]
        assert rows[0]["pv_kwh"] > 100
        values: dict[str, Any] = {}
        while not (values.get("charger_power_w") and values["pv_w"]):
            await asyncio.sleep(0.05)
            values = (await told(api, "state"))["values"]
    assert (values["mode"], values["charger_state"]) == ("surplus", "charging")
    assert values["charger_power_w"] > 1000
    assert values["pv_w"] > 1000


async def told(api: aiohttp.ClientSession, path: str) -> dict[str, Any]:
    """Return what the page's API answers."""
    async with api.get(path) as answer:
        assert answer.status == 200, await answer.text()
        document: dict[str, Any] = await answer.json()
        return document
