"""A stop takes less than five seconds, whatever hangs, and leaves the charger as the configuration says."""

import asyncio
import signal
import socket
from collections.abc import Callable
from pathlib import Path

import pytest

from pvcharge.model import Reason
from pvcharge.sim.wattpilot import WattpilotServer
from service.rig import Daemon, car_at_the_box, devices_at, running
from support.broker import running_broker

SOON_S = 5.0  # is the promise; from the signal to the end of the process
# Every write of a state file waits for ever, once there is a boost.
HANGING_FSYNC = """
import os, time
fsync = os.fsync
def hang(file):
    if "commands" in os.readlink(f"/proc/self/fd/{file}"):
        os.write(2, b'{"event": "disk hangs"}\\n')
        time.sleep(1e6)
    fsync(file)
os.fsync = hang
"""
# So does the thread of the store, from its second write on.
HANGING_STORE = """
import os, time
from pvcharge.history.store import Store
write = Store.write
def hang(store, batch):
    os.write(2, b'{"event": "disk hangs"}\\n')
    time.sleep(1e6)
def first(store, batch):
    Store.write = hang
    return write(store, batch)
Store.write = first
"""


async def boosts(daemon: Daemon, server: WattpilotServer) -> None:
    """Have full power."""
    await daemon.says(event="decided", reason=Reason.NO_DATA)
    await daemon.has_said(event="web server listens")
    await daemon.ask("PUT", "/boost", on=True)
    await until(lambda: server.box.power_w > 10_000)


async def until(condition: Callable[[], bool]) -> None:
    """Wait until something is so at the box."""
    async with asyncio.timeout(30):
        while not condition():  # noqa: ASYNC110 - the box tells nobody
            await asyncio.sleep(0.02)


async def stop(daemon: Daemon) -> None:
    """Stop it, and check that it ends in time and well."""
    daemon.process.send_signal(signal.SIGTERM)
    assert await daemon.ended(SOON_S) == 0
    assert not [line for line in daemon.lines if line.get("level") == "error"]


@pytest.mark.parametrize(
    ("on_silence", "charges", "least_w", "most_w"),
    [("stop", 1, 0, 0), ("minimum", 0, 1, 2_000), ("keep", 0, 10_000, 12_000), ("boost", 0, 10_000, 12_000)],
)
async def test_during_a_boost(
    tmp_path: Path, on_silence: str, charges: int, least_w: float, most_w: float
) -> None:
    """What `[edge] on_silence` says holds for a boost as for anything else."""
    async with (
        car_at_the_box() as server,
        running(tmp_path, f'[edge]\non_silence = "{on_silence}"\n', devices=devices_at(server)) as daemon,
    ):
        await boosts(daemon, server)
        await stop(daemon)
        assert server.box.properties["frc"] == charges
        await until(lambda: least_w <= server.box.power_w <= most_w)


async def test_charger_hangs(tmp_path: Path) -> None:
    """It is told what it shall do, its answer is not waited for, and a line says so."""
    async with car_at_the_box() as server, running(tmp_path, devices=devices_at(server)) as daemon:
        await boosts(daemon, server)
        server.faults.freeze = True
        await stop(daemon)
        left = [line for line in daemon.lines if line["event"] == "charger left as it is"]
        assert [line["error"] for line in left] == ["did not confirm off within 3.5 s"]


async def test_cloud_hangs(tmp_path: Path) -> None:
    """A server that takes connections and says nothing holds nobody up."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        address = f"http://127.0.0.1:{silent.getsockname()[1]}"
        async with (
            car_at_the_box() as server,
            running(
                tmp_path, f'[influxdb]\nurl = "{address}"\n', devices=devices_at(server, address)
            ) as daemon,
        ):
            await boosts(daemon, server)
            await stop(daemon)
            assert server.box.properties["frc"] == 1


async def test_broker_hangs(tmp_path: Path) -> None:
    """As does one that has let us in and then fell silent."""
    async with running_broker(tmp_path) as broker, car_at_the_box() as server:
        mqtt = f'[mqtt]\nhost = "{broker.host}"\nport = {broker.port}\ntls = false\n'
        async with running(tmp_path, mqtt, devices=devices_at(server)) as daemon:
            await boosts(daemon, server)
            await daemon.has_said(event="broker connected")
            broker.pause()
            await stop(daemon)
            assert server.box.properties["frc"] == 1


@pytest.mark.parametrize("patch", [HANGING_FSYNC, HANGING_STORE])
@pytest.mark.fault("disk", "hang")
async def test_disk_hangs(tmp_path: Path, patch: str) -> None:
    """A thread that waits for a disk cannot be ended: the process ends without it."""
    async with (
        car_at_the_box() as server,
        running(tmp_path, devices=devices_at(server), patch=patch) as daemon,
    ):
        await boosts(daemon, server)
        await daemon.has_said(event="disk hangs")
        await stop(daemon)
        assert daemon.lines[-1]["event"] == "stopped without waiting any longer"
        assert server.box.properties["frc"] == 1


async def test_everything_hangs(tmp_path: Path) -> None:
    """Charger and disk at once: the times to wait do not add up."""
    async with (
        car_at_the_box() as server,
        running(tmp_path, devices=devices_at(server), patch=HANGING_FSYNC) as daemon,
    ):
        await boosts(daemon, server)
        await daemon.has_said(event="disk hangs")
        server.faults.freeze = True
        await stop(daemon)


async def test_stop_during_the_start(tmp_path: Path) -> None:
    """Before anything is ready."""
    async with running(tmp_path) as daemon:
        await daemon.tells("READY=1")
        await stop(daemon)
