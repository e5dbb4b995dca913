"""The daemon's process is killed, stands still, or has no memory left."""

import asyncio
import random
import sys
from asyncio.subprocess import PIPE
from collections.abc import Iterator, MutableMapping
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from structlog.testing import capture_logs

from faults import writing_process
from faults.home import Home
from faults.steered_clock import AT_10_A, AT_10_A_W, AT_13_A, AT_13_A_W, NAME, ClockHouse
from faults.writing_process import DOCUMENT, LONG, NOON, ROWS
from pvcharge.history import recorder
from pvcharge.history.archive import FILE
from pvcharge.history.reading import Reader
from pvcharge.history.store import Batch, Store
from pvcharge.model import NO_CHARGE, EnergyTotals, Mode, Reason
from pvcharge.storage import read_json
from pvcharge.tasks.hand_store import FILE as HAND
from service.rig import PATIENCE_S, car_at_the_box, devices_at
from service.rig import running as running_daemon
from split.standstill import standing_still

KILLS = 5
FIVE_MINUTES_S = 300.0
READ_S = 30.0
OFF = 1  # of the box's `frc`
PACE_S = 1.0  # no two writes to the charger come closer
ROOM = 3_000_000  # bytes that can still be had
# From the first boost on there is hardly any memory to be had, and a megabyte of it is gone each time.
STARVED = f"""
import os, resource
from pvcharge.tasks.commands_store import CommandsStore
from pvcharge.history.store import Store
hoard, write = [], Store.write
def starve(store, batch):
    if "commands.json" in os.listdir(os.environ["STATE"]) and not hoard:
        with open("/proc/self/statm") as file:
            now = int(file.read().split()[0]) * resource.getpagesize()
        resource.setrlimit(resource.RLIMIT_AS, (now + {ROOM}, now + {ROOM}))
        os.write(2, b'{{"event": "memory is short"}}\\n')
        hoard.append(0)
    if hoard:
        hoard.append(bytearray(1_000_000))
    return write(store, batch)
Store.write = starve
"""

# The wall clock goes back by an hour while the daemon starts.
SET_BACK = """
from pvcharge import service
from pvcharge.clock import SystemClock
service.LOOK_AT_CLOCK_S = 0.5
SystemClock.ahead_s = 3600.0
"""

Logs = list[MutableMapping[str, Any]]


@pytest.fixture
def logs() -> Iterator[Logs]:
    """Return what is logged."""
    with capture_logs() as lines:
        yield lines


@pytest.mark.fault("process", "kill -9")
@pytest.mark.fault("disk", "kill -9")
async def test_files_are_whole_whenever_it_is_killed(tmp_path: Path) -> None:
    """A state file holds the old or the new, the history whole batches with their sums; never half of it."""
    chance = random.Random()  # noqa: S311 - no secret
    for _ in range(KILLS):
        process = await asyncio.create_subprocess_exec(
            sys.executable, writing_process.__file__, str(tmp_path), stdout=PIPE
        )
        assert process.stdout is not None
        assert await process.stdout.readline() == b"ready\n"
        await asyncio.sleep(chance.uniform(0.0, 0.1))
        process.kill()
        await process.wait()
        document = read_json(tmp_path / DOCUMENT)
        assert document is not None
        assert len(document["numbers"]) == LONG
        assert len(set(document["numbers"])) == 1
        reader = Reader.open(tmp_path / FILE)
        (check,) = reader.rows("PRAGMA integrity_check")
        rows, totals = reader.last_seq(), reader.totals(NOON)
        reader.close()
        assert check == ("ok",)
        assert rows % ROWS == 0
        assert totals.pv_wh == rows


@pytest.mark.fault("process", "kill -9")
async def test_a_stop_by_hand_outlasts_it(tmp_path: Path) -> None:
    """The driver stops the charge at the box, then it is killed: the next one knows, and starts nothing."""

    async def shows(reason: Reason) -> None:
        async with asyncio.timeout(PATIENCE_S):
            while (await daemon.ask("GET", "/state"))["values"]["reason"] != reason:  # noqa: ASYNC110
                await asyncio.sleep(0.1)

    async with car_at_the_box() as server:
        async with running_daemon(tmp_path, devices=devices_at(server)) as daemon:
            await daemon.has_said(event="web server listens")
            await daemon.ask("PUT", "/boost", on=True)
            await shows(Reason.BOOST)
            server.box.press("frc", OFF)
            await shows(Reason.BY_HAND)
            async with asyncio.timeout(PATIENCE_S):
                while not (tmp_path / HAND).exists():  # noqa: ASYNC110 - a moment later
                    await asyncio.sleep(0.01)
        async with running_daemon(tmp_path, devices=devices_at(server)) as daemon:
            await daemon.has_said(event="web server listens")
            await shows(Reason.BY_HAND)
            assert server.box.properties["frc"] == OFF


@pytest.mark.fault("process", "SIGSTOP 5 min")
@pytest.mark.looptime(noop_cycles=1)
async def test_after_five_minutes_of_standing_still(tmp_path: Path) -> None:
    """It takes over what it finds, stops once at most until there is a reading, and writes nothing old."""
    async with ClockHouse(tmp_path, read_every_s=READ_S).running() as house:
        await house.charges(AT_10_A_W, AT_10_A)
        with standing_still(NAME):
            house.roof.surplus_w = AT_13_A_W
            stopped_s = house.now_s
            await asyncio.sleep(FIVE_MINUTES_S)
            assert house.writes(stopped_s) == []
        await house.until(lambda: house.box.setpoint == AT_13_A, 180)
        await asyncio.sleep(FIVE_MINUTES_S)
        written = house.writes(stopped_s)
        assert house.newest.reason is Reason.FOLLOWING
    assert [setpoint for _, setpoint in written] in ([AT_13_A], [NO_CHARGE, AT_13_A])
    assert all(later_s - at_s >= PACE_S for (at_s, _), (later_s, _) in pairwise(written))


@pytest.mark.fault("process", "memory pressure")
@pytest.mark.fault("disk", "memory pressure")
async def test_no_memory_for_the_history(tmp_path: Path, logs: Logs, monkeypatch: pytest.MonkeyPatch) -> None:
    """A task that gets no memory is started again while the car is led on; then the history is written."""
    monkeypatch.setattr(recorder, "WRITE_EVERY_S", 0.1)
    write, failures = Store.write, [3]

    def starved(store: Store, batch: Batch) -> EnergyTotals:
        if failures[0] > 0:
            failures[0] -= 1
            raise MemoryError
        return write(store, batch)

    home = Home(tmp_path)
    async with home.running():
        await home.settles()
        monkeypatch.setattr(Store, "write", starved)
        async with asyncio.timeout(20):
            while failures[0]:  # noqa: ASYNC110 - nobody tells
                await asyncio.sleep(0.02)
        home.command(Mode.OFF)
        await home.until(lambda: home.reason is Reason.SWITCHED_OFF and home.box.power_w == 0)
        await home.until(lambda: home.ok("history"))
    home.check_writes()
    assert {line["task"] for line in logs if line["event"] == "task crashed"} <= {"history"}


@pytest.mark.fault("process", "memory pressure")
async def test_no_memory_for_anybody(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """When there is none to be had it either goes on feeding the watchdog, or ends and is started anew."""
    monkeypatch.setenv("STATE", str(tmp_path))
    async with (
        car_at_the_box() as server,
        running_daemon(tmp_path, devices=devices_at(server), patch=STARVED) as daemon,
    ):
        await daemon.has_said(event="web server listens")
        await daemon.ask("PUT", "/boost", on=True)
        await daemon.has_said(event="memory is short")
        daemon.told_meanwhile()
        fed = asyncio.create_task(daemon.tells("WATCHDOG=1"))
        ended = asyncio.create_task(daemon.process.wait())
        done, pending = await asyncio.wait((fed, ended), timeout=15, return_when=asyncio.FIRST_COMPLETED)
        assert done
        for task in pending:
            task.cancel()
        await asyncio.gather(fed, ended, return_exceptions=True)
        assert daemon.process.returncode != 0


@pytest.mark.fault("clock", "clock jump back")
async def test_the_process_ends_when_the_clock_was_set_back(tmp_path: Path) -> None:
    """The process says so in a line and ends with exit code 1, on which systemd starts it anew."""
    async with (
        car_at_the_box() as server,
        running_daemon(tmp_path, devices=devices_at(server), patch=SET_BACK) as daemon,
    ):
        await daemon.has_said(event="the system's clock was set back; beginning anew")
        async with asyncio.timeout(10):
            assert await daemon.process.wait() == 1
