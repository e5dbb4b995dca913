"""The disk under a whole daemon is full, read-only, hangs or has spoilt its files: the car is led on."""

import asyncio
import os
import threading
from collections.abc import Callable, Iterator, MutableMapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from structlog.testing import capture_logs

from faults.home import SITE_ID, Home
from pvcharge.drivers.solaredge import ledger
from pvcharge.history import recorder
from pvcharge.history.archive import FILE
from pvcharge.history.reading import Reader
from pvcharge.history.store import Batch, Store
from pvcharge.model import Decision, EnergyTotals, Mode, PowerFlow, Reason
from support.broker import free_port
from support.disk import small_disk

LOST, BACK = "history is not written; control goes on, events wait in memory", "history is written again"
STATE_FILES = (
    "commands.json",
    "settings.json",
    "learned.json",
    f"solaredge-{SITE_ID}-v2-budget.json",
    f"solaredge-{SITE_ID}-tokens.json",
    "web-sessions.json",
    "web-tokens.json",
)
MANY = 50  # decisions, some for each of the statuses that come meanwhile
BLOCKED_S = 2.0  # real seconds, in which twenty minutes pass in the house

Logs = list[MutableMapping[str, Any]]


@pytest.fixture(autouse=True)
def logs(monkeypatch: pytest.MonkeyPatch) -> Iterator[Logs]:
    """Return what is logged; what waits for the disk is tried again soon."""
    monkeypatch.setattr(recorder, "WRITE_EVERY_S", 0.1)
    monkeypatch.setattr(recorder, "RETRY_CAP_S", 0.4)
    with capture_logs() as lines:
        yield lines


async def check_control(home: Home) -> None:
    """Check that the user is obeyed, and the sun followed again."""
    home.command(Mode.OFF)
    await home.until(lambda: home.reason is Reason.SWITCHED_OFF and home.box.power_w == 0)
    home.command(Mode.SURPLUS)
    await home.charges_by_surplus()


def of_history(logs: Logs) -> list[str]:
    """Return the lines about the history that everybody sees."""
    return [line["event"] for line in logs if "history is" in line["event"] and line["log_level"] != "debug"]


async def until(happens: Callable[[], object]) -> None:
    """Wait for something that nobody tells."""
    async with asyncio.timeout(15):
        while not happens():  # noqa: ASYNC110 - see above
            await asyncio.sleep(0.02)


def stored(folder: Path) -> list[PowerFlow]:
    """Return the readings that the history holds."""
    reader = Reader.open(folder / FILE)
    try:
        return [event for _, event in reader.events(kinds=[PowerFlow]) if isinstance(event, PowerFlow)]
    finally:
        reader.close()


@pytest.mark.fault("disk", "full disk")
async def test_a_disk_that_fills_up(tmp_path: Path, logs: Logs) -> None:
    """The car is led and the user obeyed; a line tells of it; with room again all is written that waited."""
    with small_disk(tmp_path / "disk", 4096) as disk:
        home = Home(disk.folder)
        async with home.running():
            await home.settles()
            disk.fill()
            await until(lambda: LOST in of_history(logs))
            await check_control(home)
            disk.empty()
            await until(lambda: BACK in of_history(logs))
            told = [event.end for event in home.all(PowerFlow)]
            await until(lambda: len(stored(disk.folder)) >= len(told))
        assert [event.end for event in stored(disk.folder)][: len(told)] == told
    home.check_writes()
    assert of_history(logs) == [LOST, BACK]


@pytest.mark.fault("disk", "read-only")
@pytest.mark.fault("disk", "refuse")
async def test_a_disk_that_is_read_only_from_the_start(tmp_path: Path, logs: Logs) -> None:
    """The daemon starts, leads the car and says once for each file what is not kept; later it keeps it."""
    with small_disk(tmp_path / "disk", 4096) as disk:
        disk.freeze()
        home = Home(disk.folder)
        async with home.running():
            await home.settles()
            await until(lambda: LOST in of_history(logs))
            await check_control(home)
            disk.thaw()
            await until(lambda: BACK in of_history(logs))
            home.command(Mode.MIN_SURPLUS)
            await until((disk.folder / "commands.json").exists)
    home.check_writes()
    assert of_history(logs) == [LOST, BACK]
    said = [line["event"] for line in logs if "would not survive" in line["event"]]
    assert len(said) == len(set(said)) >= 1


class Blocker:
    """A disk on which every write and every fsync waits until it is let go.

    Attributes:
        waits: how many have been made to wait.
    """

    def __init__(self, patch: pytest.MonkeyPatch) -> None:
        self.waits = 0
        self._free = threading.Event()
        self._free.set()
        write, fsync = Store.write, os.fsync

        def slow_write(store: Store, batch: Batch) -> EnergyTotals:
            self._wait()
            return write(store, batch)

        def slow_fsync(file: int) -> None:
            self._wait()
            fsync(file)

        patch.setattr(Store, "write", slow_write)
        patch.setattr(os, "fsync", slow_fsync)

    @contextmanager
    def blocked(self) -> Iterator[None]:
        """Let everybody wait for as long as the context lasts."""
        self._free.clear()
        try:
            yield
        finally:
            self._free.set()

    def _wait(self) -> None:
        self.waits += not self._free.is_set()
        self._free.wait(30)


@pytest.mark.fault("disk", "hang")
@pytest.mark.fault("disk", "slow")
@pytest.mark.fault("disk", "SIGSTOP 5 min")
async def test_a_disk_that_blocks_for_seconds(
    tmp_path: Path, logs: Logs, monkeypatch: pytest.MonkeyPatch
) -> None:
    """While every write hangs the car is led on and the user obeyed; then all is written, in order."""
    monkeypatch.setattr(ledger, "PATIENCE_S", 0.02)
    blocker, home = Blocker(monkeypatch), Home(tmp_path)
    async with home.running():
        await home.settles()
        with blocker.blocked():
            await until(lambda: blocker.waits)
            began = len(home.all(Decision))
            await check_control(home)
            await asyncio.sleep(BLOCKED_S)
            assert len(home.all(Decision)) - began > MANY
        told = [event.end for event in home.all(PowerFlow)]
        await until(lambda: len(stored(tmp_path)) >= len(told))
    home.check_writes()
    assert [event.end for event in stored(tmp_path)][: len(told)] == told
    assert of_history(logs) == []


SPOILT = {
    "emptied": b"",
    "cut off": b'{"v": 1, "mode": "boo',
    "noise": bytes(range(256)) * 40,
    "another type": b'["v", 1]',
    "other types within": b'{"v": "1", "mode": 7, "boost": [], "changes": "no", "sources": 5, "day": {}, '
    b'"access_token": [], "sessions": 3, "tokens": {}, "month": [1], "learned": "all"}',
    "nested without end": b"[" * 100_000,
}


@pytest.mark.fault("disk", "garbage")
@pytest.mark.fault("disk", "wrong type")
@pytest.mark.fault("disk", "drop mid-message")
@pytest.mark.parametrize("content", SPOILT.values(), ids=SPOILT.keys())
async def test_spoilt_files_stop_nothing(tmp_path: Path, logs: Logs, content: bytes) -> None:
    """Whatever stands in the files of the daemon's state, it starts, leads the car, and keeps them aside."""
    for name in (*STATE_FILES, FILE):
        (tmp_path / name).write_bytes(content)
    home = WithPage(tmp_path)
    async with home.running():
        await home.settles()
        await check_control(home)
        await until(lambda: (tmp_path / FILE).exists() and stored(tmp_path))
    home.check_writes()
    assert [line for line in logs if "crashed" in line["event"]] == []
    assert sum("commands.json" in str(line.get("file")) for line in logs) == 1
    assert not content or any("damaged" in name for name in os.listdir(tmp_path))  # noqa: PTH208 - names will do


class WithPage(Home):
    """A house whose daemon shows a page, too."""

    def tables(self) -> dict[str, Any]:
        """Return the configuration with the page."""
        return super().tables() | {"web": {"listen": f"127.0.0.1:{free_port()}"}}
