"""The user's commands on disk: what a restart brings back, and what it does not."""

import asyncio
import json
from collections.abc import AsyncIterator, MutableMapping
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from pvcharge.control import Controller, ControlSettings
from pvcharge.model import (
    NO_CHARGE,
    ChargerState,
    ChargerStatus,
    Decision,
    LimitsCommand,
    Mode,
    ModeCommand,
    Reason,
    Setpoint,
)
from pvcharge.storage import write_json
from pvcharge.tasks import kept_file
from pvcharge.tasks.commands_store import FILE, CommandsStore
from pvcharge.tasks.control_loop import ControlLoop
from pvcharge.tasks.feed import Event, Feed
from pvcharge.tasks.queues import Inbox, Latest
from tasks.fakes import START, RecordingFeed, VirtualClock, running

CONFIGURED = LimitsCommand(6, 16)
BOOST_UNTIL = START + timedelta(hours=1)


def decided(mode: Mode) -> Decision:
    """Return a decision made in this mode."""
    return Decision(START, NO_CHARGE, Reason.NO_CAR, mode)


async def remember(folder: Path, *events: Event) -> None:
    """Let a store follow a feed that brings these events."""

    async def brought() -> AsyncIterator[Event]:
        for event in events:
            yield event

    store = CommandsStore(folder, VirtualClock(), brought(), CONFIGURED)
    await store.restore()
    await store.run()  # ends with the feed, when all has been written


async def restored(folder: Path, later_s: float = 0.0) -> list[ModeCommand | LimitsCommand]:
    """Return what a daemon started some seconds later gets back."""
    clock = VirtualClock()
    clock.jump(later_s)
    return await CommandsStore(folder, clock, Feed().subscribe(), CONFIGURED).restore()


async def test_a_first_start_has_no_commands(tmp_path: Path) -> None:
    """Without a file everything is left to the configuration."""
    assert await restored(tmp_path) == []


@pytest.mark.parametrize("mode", [Mode.OFF, Mode.SURPLUS, Mode.MIN_SURPLUS])
async def test_a_mode_comes_back(tmp_path: Path, mode: Mode) -> None:
    """The last mode commanded is in force again."""
    await remember(tmp_path, ModeCommand(Mode.OFF), ModeCommand(mode), decided(mode))
    assert await restored(tmp_path) == [ModeCommand(mode)]


async def test_a_boost_comes_back_above_its_mode(tmp_path: Path) -> None:
    """It ends when it would have ended, and then the mode before it returns."""
    boost = ModeCommand(Mode.BOOST, BOOST_UNTIL)
    await remember(tmp_path, ModeCommand(Mode.MIN_SURPLUS), boost, decided(Mode.BOOST))
    assert await restored(tmp_path, 3599) == [ModeCommand(Mode.MIN_SURPLUS), boost]


async def test_an_expired_boost_stays_away(tmp_path: Path) -> None:
    """A boost whose time ran out while the daemon was down is over."""
    await remember(tmp_path, ModeCommand(Mode.MIN_SURPLUS), ModeCommand(Mode.BOOST, BOOST_UNTIL))
    assert await restored(tmp_path, 3600) == [ModeCommand(Mode.MIN_SURPLUS)]


async def test_an_endless_boost_comes_back(tmp_path: Path) -> None:
    """Without an end it lasts until somebody ends it."""
    await remember(tmp_path, ModeCommand(Mode.BOOST), decided(Mode.BOOST))
    assert await restored(tmp_path, 86_400) == [ModeCommand(Mode.BOOST)]


async def test_a_boost_that_ended_by_itself_stays_away(tmp_path: Path) -> None:
    """Such as by unplugging: what the controller says counts, not what was once commanded."""
    await remember(tmp_path, ModeCommand(Mode.BOOST), decided(Mode.BOOST), decided(Mode.SURPLUS))
    assert await restored(tmp_path) == []


async def test_a_mode_ends_a_boost(tmp_path: Path) -> None:
    """Whoever chooses another mode has ended the boost."""
    await remember(tmp_path, ModeCommand(Mode.BOOST), ModeCommand(Mode.OFF))
    assert await restored(tmp_path) == [ModeCommand(Mode.OFF)]


async def test_limits_come_back(tmp_path: Path) -> None:
    """Only what differs from the configuration is kept: the rest may be configured anew."""
    await remember(tmp_path, LimitsCommand(6, 10))
    assert await restored(tmp_path) == [LimitsCommand(max_current_a=10)]
    await remember(tmp_path, LimitsCommand(6, 16))
    assert await restored(tmp_path) == []


async def test_the_configured_mode_is_not_kept(tmp_path: Path) -> None:
    """Decisions alone command nothing, and write nothing."""
    await remember(tmp_path, decided(Mode.SURPLUS), decided(Mode.MIN_SURPLUS))
    assert not (tmp_path / FILE).exists()


async def test_nothing_is_written_twice(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Decisions come every few seconds; a memory card does not last for as many writes."""
    written: list[Any] = []
    monkeypatch.setattr(kept_file, "write_json", lambda _path, document: written.append(document))
    await remember(tmp_path, ModeCommand(Mode.OFF), *[decided(Mode.OFF)] * 5, ModeCommand(Mode.OFF))
    assert len(written) == 1


@pytest.mark.parametrize(
    "document",
    [
        {"v": 2},
        {"v": 1, "mode": "fast"},
        {"v": 1, "boost": True, "boost_until": "tomorrow"},
        {"v": 1, "boost": True, "boost_until": "2026-06-15T12:00:00"},
        {"v": 1, "max_current_a": -1},
        {"v": 1, "colour": "blue"},
    ],
)
async def test_nonsense_counts_as_absent(
    tmp_path: Path, logs: list[MutableMapping[str, Any]], document: dict[str, Any]
) -> None:
    """A file of another version, or one that somebody has edited, stops nothing; it is reported."""
    write_json(tmp_path / FILE, document)
    assert await restored(tmp_path) == []
    assert [entry["event"] for entry in logs] == ["commands not restored"]


async def test_a_file_that_cannot_be_read_stops_nothing(
    tmp_path: Path, logs: list[MutableMapping[str, Any]]
) -> None:
    """The daemon starts as configured and says so."""
    (tmp_path / FILE).mkdir()
    assert await restored(tmp_path) == []
    assert [entry["log_level"] for entry in logs] == ["warning"]


async def test_a_full_disk_stops_nothing(
    tmp_path: Path, logs: list[MutableMapping[str, Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is reported once, and the next command that can be written is."""
    disk = {"full": True}

    def write(path: Path, document: dict[str, Any]) -> None:
        if disk["full"]:
            raise OSError(28, "No space left on device")
        write_json(path, document)

    monkeypatch.setattr(kept_file, "write_json", write)
    await remember(tmp_path, ModeCommand(Mode.OFF), ModeCommand(Mode.SURPLUS))
    assert [entry["event"] for entry in logs] == ["commands would not survive a restart"]
    disk["full"] = False
    await remember(tmp_path, ModeCommand(Mode.OFF))
    assert json.loads((tmp_path / FILE).read_text())["mode"] == "off"


async def test_commands_are_in_force_before_the_first_decision(tmp_path: Path) -> None:
    """Put into the inbox before the control loop runs, they count from its first decision on."""
    await remember(tmp_path, LimitsCommand(6, 10), ModeCommand(Mode.BOOST, BOOST_UNTIL))
    clock, feed = VirtualClock(), RecordingFeed()
    inbox: Inbox = asyncio.Queue()
    for command in await restored(tmp_path):
        inbox.put_nowait(command)
    inbox.put_nowait(ChargerStatus(clock.now(), ChargerState.READY, 0.0, setpoint=NO_CHARGE))
    loop = ControlLoop(Controller(ControlSettings()), clock, inbox, Latest(None), [], feed, lease_s=60.0)
    async with running(loop.run()):
        await asyncio.sleep(0.05)
    first = next(event for event in feed.events if isinstance(event, Decision))
    assert (first.mode, first.setpoint, first.boost_until) == (Mode.BOOST, Setpoint(3, 10), BOOST_UNTIL)
