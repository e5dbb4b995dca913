"""Whoever holds the page can do what the API can: no more current, no other hosts, no secrets, no files."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from pvcharge import config
from pvcharge.cli.api import ApiError
from pvcharge.sim.wattpilot import WattpilotBox
from pvcharge.tasks.settings_overlay import EDITABLE
from service.rig import Daemon, car_at_the_box, devices_at, running

NARROW = "[control]\nmax_current_a = 10\nphases = [1]\n"
# What would let the charge be larger, the daemon speak to others, or others to it.
TEMPTING = {
    *("control.max_current_a", "control.min_current_a", "control.phases", "control.voltage_v"),
    *("charger.host", "charger.port", "charger.password", "charger.password_file", "charger.driver"),
    *("inverter.base_url", "inverter.api_key", "inverter.0.host", "inverter", "charger", "control"),
    *("mqtt.host", "mqtt.password", "mqtt.tls", "mqtt.insecure", "mqtt.ca_file", "influxdb.url"),
    *("influxdb.token", "web.listen", "web.password", "web.hosts", "web.trusted_proxies", "web.embed_in"),
    *("log.level", "state_dir", "role", "edge.lease_s", "history.enabled", "site.name", "__class__"),
}
FILES = (
    *("/../../../../etc/passwd", "/..%2f..%2f..%2f..%2fetc%2fpasswd", "/%2e%2e/%2e%2e/%2e%2e/etc/passwd"),
    *("//etc/passwd", "/words/..%2f..%2fconfig.py", "/words/../../config.py", "/js/..%5c..%5cconfig.py"),
    *("/etc/passwd%00.js", "/api/v1/../../config.py", "/file:///etc/passwd", "/pvcharge.toml", "/web-token"),
)


async def asked(port: int, path: str) -> tuple[int, bytes]:
    """Return the answer, and its status, to a request for a path as it stands, which no client sends."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(f"GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n".encode())
    answer = await reader.read()
    writer.close()
    await writer.wait_closed()
    return int(answer.split(maxsplit=2)[1]), answer


@pytest.fixture
async def taken_over(tmp_path: Path) -> AsyncIterator[tuple[Daemon, WattpilotBox]]:
    """Return a daemon without a password that allows 10 A on one phase, and its box with a car."""
    async with car_at_the_box() as server, running(tmp_path, NARROW, devices=devices_at(server)) as daemon:
        await daemon.tells("READY=1")
        await daemon.has_said(event="web server listens")
        yield daemon, server.box


async def test_only_what_the_api_can(taken_over: tuple[Daemon, WattpilotBox]) -> None:
    """Everything else is refused, and leaves configuration and box as they are."""
    daemon, box = taken_over
    before = daemon.file.read_bytes()
    configured = config.load(daemon.file)
    assert configured.web is not None
    for key in sorted(TEMPTING):
        assert key not in EDITABLE
        with pytest.raises(ApiError, match="cannot be changed here") as refused:
            await daemon.ask("PATCH", "/settings", revision=0, changes={key: 32})
        assert refused.value.status == 422
    with pytest.raises(ApiError):
        await daemon.ask("PUT", "/limits", max_current_a=32)
    with pytest.raises(ApiError):
        await daemon.ask("PUT", "/limits", min_current_a=1)
    await daemon.ask("PUT", "/boost", on=True)
    async with asyncio.timeout(20):
        while (box.properties["amp"], box.properties["psm"]) != (10, 1):  # noqa: ASYNC110 - of another process
            await asyncio.sleep(0.05)
    for path in FILES:
        status, answer = await asked(configured.web.port, path)
        assert status in (400, 404), path
        assert not any(word in answer for word in (b"root:", b"import ", b"password", b'"token"')), path
    assert daemon.file.read_bytes() == before
    assert config.load(daemon.file) == configured


def test_nothing_that_can_be_changed_is_tempting() -> None:
    """A setting that is added to those of the page is looked at here first."""
    assert not set(EDITABLE) & TEMPTING
    assert {key.partition(".")[0] for key in EDITABLE} == {"control", "edge"}
    risky = {"current", "phases", "voltage", "host", "url", "port", "password", "token", "key", "lease"}
    assert [key for key in EDITABLE if risky & set(key.rpartition(".")[2].split("_"))] == []
