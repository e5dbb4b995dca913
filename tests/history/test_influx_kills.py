"""Daemon and server are killed at random: in the end the server has what the store holds, once."""

import asyncio
import random
import sqlite3
import sys
from asyncio.subprocess import Process
from contextlib import closing, suppress
from pathlib import Path

import pytest

from history import influx_process
from history.influx_process import AT_ONCE, CHARGER, FILE, SITE, STOP
from pvcharge.history.influx.points import Lines
from pvcharge.history.reading import Reader
from support.victoria import LOST_S, Victoria, expected, running_victoria

BATCHES = 1000
SETTLE_S = LOST_S + 2.0
KILLS = 7


async def start_daemon(folder: Path, victoria: Victoria) -> Process:
    """Start a process that fills a store and sends it on."""
    arguments = [influx_process.__file__, str(folder), victoria.url, str(SETTLE_S)]
    return await asyncio.create_subprocess_exec(sys.executable, *arguments)


async def kill(daemon: Process) -> None:
    """End a process at once."""
    with suppress(ProcessLookupError):
        daemon.kill()
    await daemon.wait()


def cursor(folder: Path) -> int:
    """Return up to where the daemon takes points for settled."""
    with closing(sqlite3.connect(f"{(folder / FILE).as_uri()}?mode=ro", uri=True)) as connection:
        row = connection.execute("SELECT seq FROM cursors WHERE name = 'influxdb'").fetchone()
    return row[0] if row else 0


def lines_of(folder: Path) -> list[str]:
    """Return the lines of all that the store holds."""
    reader, lines = Reader.open(folder / FILE), Lines(SITE, CHARGER)
    try:
        return [line for _, event in reader.events() for line in lines.of(event)]
    finally:
        reader.close()


@pytest.mark.fault("influxdb", "kill -9")
async def test_server_has_once_what_the_store_holds(tmp_path: Path) -> None:
    """Neither what a killed server forgets nor what a killed daemon sends again makes a difference."""
    chance = random.Random()  # noqa: S311 - no secret
    async with running_victoria(tmp_path) as victoria:
        daemon = await start_daemon(tmp_path, victoria)

        async def let_be(seconds: float) -> None:
            await asyncio.sleep(seconds)
            assert daemon.returncode is None

        async def kill_server() -> None:
            await victoria.kill()
            await let_be(chance.uniform(0.0, 0.3))
            await victoria.start()

        try:
            for _ in range(KILLS):
                await let_be(chance.uniform(0.2, 2.0))
                if chance.random() < 0.6:
                    await kill_server()
                else:
                    await kill(daemon)
                    daemon = await start_daemon(tmp_path, victoria)
            while not cursor(tmp_path) or len(lines_of(tmp_path)) < BATCHES * AT_ONCE:
                await let_be(0.5)
            await let_be(chance.uniform(0.0, 2.0))
            await kill_server()
            (tmp_path / STOP).touch()
            async with asyncio.timeout(30):
                assert await daemon.wait() == 0
        finally:
            await kill(daemon)
        samples = await victoria.samples()
    assert len({(it.name, it.tags, it.at_ms) for it in samples}) == len(samples)
    assert set(samples) == expected(lines_of(tmp_path))
