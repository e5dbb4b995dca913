"""The watchdog is fed by progress alone: what hangs starves it, so that systemd starts the daemon again."""

import asyncio
from pathlib import Path

import pytest

from service.rig import CHARGER, car_at_the_box, devices_at, running

HUNGRY_S = 1.5  # real seconds; a watchdog that lives would have been fed three times
# The daemon lives fast, so that control turns many times within the watchdog's second.
FAST = """
import asyncio, os, time
from pvcharge.tasks import charger_task, control_loop, relay
control_loop.TICK_S = relay.TICK_S = 0.1
turns = 0
def hangs_after(most):
    global turns
    turns += 1
    if turns == most:
        os.write(2, b'{"event": "hangs"}\\n')
    return turns >= most
"""
# Somebody in the daemon does not give control back.
EVENT_LOOP = """
from pvcharge.control import Controller
decide = Controller.decide
def hang(controller, now):
    if hangs_after(20):
        time.sleep(1e6)
    return decide(controller, now)
Controller.decide = hang
"""
# The control loop, and it alone, waits for something that never comes.
CONTROL_LOOP = """
first_of = control_loop.first_of
async def hang(*coroutines):
    await first_of(*coroutines)
    if hangs_after(20):
        await asyncio.Event().wait()
control_loop.first_of = hang
"""
RELAY = CONTROL_LOOP.replace("control_loop", "relay")
# The driver never comes back from a write, though it has a time-out of its own.
DRIVER = """
from pvcharge.drivers.wattpilot.driver import WattpilotCharger
charger_task.STUCK_S = 0.5
async def hang(*_):
    hangs_after(1)
    await asyncio.Event().wait()
WattpilotCharger.apply = hang
"""
DRIVER_AT_THE_START = DRIVER.replace("WattpilotCharger.apply", "WattpilotCharger.open")
MQTT = '[mqtt]\nhost = "127.0.0.1"\nport = 9\ntls = false\n'


@pytest.mark.parametrize("hang", [EVENT_LOOP, CONTROL_LOOP, DRIVER_AT_THE_START])
@pytest.mark.fault("process", "hang")
async def test_what_hangs_in_a_controller(tmp_path: Path, hang: str) -> None:
    """While event loop, control loop or charger hang, the watchdog is not fed: systemd starts us anew."""
    async with (
        car_at_the_box() as server,
        running(tmp_path, devices=devices_at(server), patch=FAST + hang) as daemon,
    ):
        await daemon.tells("WATCHDOG=1")
        await daemon.has_said(event="hangs")
        await asyncio.sleep(HUNGRY_S / 2)  # until the last food is eaten
        daemon.told_meanwhile()
        await asyncio.sleep(HUNGRY_S)
        assert "WATCHDOG=1" not in daemon.told_meanwhile()
        assert daemon.process.returncode is None


async def test_write_that_hangs(tmp_path: Path) -> None:
    """A lease that runs out would not be noticed by a charger task that waits for its driver."""
    async with (
        car_at_the_box() as server,
        running(tmp_path, devices=devices_at(server), patch=FAST + DRIVER) as daemon,
    ):
        await daemon.has_said(event="web server listens")
        await daemon.ask("PUT", "/mode", mode="off")
        await daemon.has_said(event="hangs")
        await asyncio.sleep(HUNGRY_S / 2)
        daemon.told_meanwhile()
        await asyncio.sleep(HUNGRY_S)
        assert "WATCHDOG=1" not in daemon.told_meanwhile()


@pytest.mark.parametrize("hang", [RELAY, DRIVER_AT_THE_START])
async def test_what_hangs_at_an_edge(tmp_path: Path, hang: str) -> None:
    """What goes up, or the charger."""
    devices = CHARGER.format(host="127.0.0.1", port=9)
    async with running(tmp_path, MQTT, top='role = "edge"\n', devices=devices, patch=FAST + hang) as daemon:
        await daemon.tells("WATCHDOG=1")
        await daemon.has_said(event="hangs")
        await asyncio.sleep(HUNGRY_S / 2)
        daemon.told_meanwhile()
        await asyncio.sleep(HUNGRY_S)
        assert "WATCHDOG=1" not in daemon.told_meanwhile()


async def test_what_does_not_hang(tmp_path: Path) -> None:
    """The same haste without a fault: it is fed again and again."""
    async with running(tmp_path, patch=FAST) as daemon:
        for _ in range(4):
            await daemon.tells("WATCHDOG=1")
