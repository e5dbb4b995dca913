"""What was learned on disk: recalled if it makes sense, written from time to time, forgotten when told so."""

import asyncio
import json
from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from structlog.testing import capture_logs

from pvcharge.model import (
    NO_CHARGE,
    Decision,
    ForgetCommand,
    LimitsCommand,
    Mode,
    ModeCommand,
    Reason,
    Setpoint,
)
from pvcharge.tasks.feed import Event, Feed
from pvcharge.tasks.learned_store import FILE, TOO_OLD, WRITE_EVERY_S, LearnedStore
from support.disk import small_disk
from tasks.fakes import START, VirtualClock, running

pytestmark = pytest.mark.looptime


class Pupil:
    """Learns what the test wants, and understands version 1 only."""

    def __init__(self) -> None:
        self.known: dict[str, Any] = {"v": 1, "car": {"watts": [690.1]}}

    def learned(self) -> dict[str, Any]:
        """Return it, with parts that go on to change."""
        return self.known

    def recall(self, document: Mapping[str, Any]) -> None:
        """Recall, or say what is wrong."""
        if document.get("v") != 1:
            raise ValueError(f"learned: version {document.get('v')} is none of ours")
        self.known = dict(document)


class Daemon:
    """A store with its surroundings."""

    def __init__(self, folder: Path, later: timedelta = timedelta(0)) -> None:
        self.path = folder / FILE
        self.clock = VirtualClock()
        self.clock.jump(later.total_seconds())
        self.feed = Feed()
        self.pupil = Pupil()
        self.store = LearnedStore(folder, self.clock, self.pupil, self.feed.subscribe())

    def on_disk(self) -> Any:
        """Return what has been kept, None if nothing."""
        return json.loads(self.path.read_text(encoding="utf-8"))["learned"] if self.path.exists() else None


def keep(folder: Path, learned: Any, **more: Any) -> None:
    """Write a file as a daemon before would have."""
    document = {"v": 1, "at": START.isoformat(), "learned": learned, **more}
    (folder / FILE).write_text(json.dumps(document), encoding="utf-8")


async def test_a_first_start_knows_nothing(tmp_path: Path) -> None:
    """Which nobody needs to be told."""
    daemon = Daemon(tmp_path)
    with capture_logs() as logs:
        await daemon.store.restore()
    assert (daemon.store.recalled, logs) == (None, [])


async def test_what_was_learned_is_recalled_to_the_last_bit(tmp_path: Path) -> None:
    """And told as it was, for the record of the run."""
    known = {"v": 1, "clear": [0.1 + 0.2, 1e-300, -0.0, 3, None], "deep": {"a": [[True]]}}
    keep(tmp_path, known)
    daemon = Daemon(tmp_path)
    await daemon.store.restore()
    assert daemon.pupil.known == known
    assert daemon.store.recalled == json.dumps(known)


async def test_it_is_written_from_time_to_time_and_at_the_end(tmp_path: Path) -> None:
    """If it has changed, also deep inside."""
    daemon = Daemon(tmp_path)
    async with running(daemon.store.run()):
        await asyncio.sleep(WRITE_EVERY_S - 1)
        assert daemon.on_disk() is None
        await asyncio.sleep(2)
        assert daemon.on_disk() == {"v": 1, "car": {"watts": [690.1]}}
        daemon.pupil.known["car"]["watts"].append(1380.0)
        await asyncio.sleep(WRITE_EVERY_S)
        assert daemon.on_disk() == {"v": 1, "car": {"watts": [690.1, 1380.0]}}
        daemon.pupil.known["car"]["watts"].append(2070.0)
    assert daemon.on_disk() == {"v": 1, "car": {"watts": [690.1, 1380.0, 2070.0]}}
    assert daemon.path.stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize(
    ("event", "written"),
    [
        (Decision(START, Setpoint(3, 6), Reason.FOLLOWING, Mode.SURPLUS), True),
        (Decision(START, NO_CHARGE, Reason.TOO_LITTLE, Mode.SURPLUS), True),
        (Decision(START, Setpoint(1, 16), Reason.FOLLOWING, Mode.SURPLUS), False),
        (ModeCommand(Mode.BOOST), True),
        (LimitsCommand(max_current_a=10), False),
    ],
)
async def test_what_is_switched_or_commanded_is_kept_at_once(
    tmp_path: Path, event: Event, *, written: bool
) -> None:
    """The next moment the power may be cut; another current is no matter for the limits."""
    daemon = Daemon(tmp_path)
    async with running(daemon.store.run()):
        daemon.feed.publish(Decision(START, Setpoint(1, 6), Reason.FOLLOWING, Mode.SURPLUS))
        await asyncio.sleep(1)
        assert daemon.on_disk() is None  # this is what it was found doing
        daemon.feed.publish(event)
        await asyncio.sleep(1)
        assert (daemon.on_disk() is not None) is written


async def test_what_has_not_changed_is_not_written(tmp_path: Path) -> None:
    """An SD card is spared, by day and by night."""
    keep(tmp_path, Pupil().known)
    daemon = Daemon(tmp_path)
    await daemon.store.restore()
    before = daemon.path.read_bytes()
    async with running(daemon.store.run()):
        await asyncio.sleep(4 * WRITE_EVERY_S)
    assert daemon.path.read_bytes() == before


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("not JSON", None),
        ('{"v": 1}', "not what pvcharge writes there"),
        ('{"v": 2, "at": "2026-06-15T10:00:00+00:00", "learned": {}}', "not what pvcharge writes there"),
        ('{"v": 1, "at": "2026-06-15T10:00:00", "learned": {}}', "not what pvcharge writes there"),
        ('{"v": 1, "at": "2026-06-15T10:00:00Z", "learned": {"v": 7}}', "version 7 is none of ours"),
        ('{"v": 1, "at": "2026-04-01T10:00:00Z", "learned": {"v": 1}}', "75 days old"),
    ],
)
async def test_what_makes_no_sense_is_set_aside(tmp_path: Path, content: str, said: str | None) -> None:
    """It is reported once, kept to be looked at, and counts as nothing."""
    (tmp_path / FILE).write_text(content, encoding="utf-8")
    daemon = Daemon(tmp_path)
    with capture_logs() as logs:
        await daemon.store.restore()
        await Daemon(tmp_path).store.restore()
    (line,) = logs
    assert line["log_level"] == "warning"
    assert said is None or said in line["error"]
    assert daemon.pupil.known == Pupil().known
    assert daemon.store.recalled is None
    assert (tmp_path / f"{FILE}.corrupt").read_text(encoding="utf-8") == content


@pytest.mark.parametrize(("later", "recalled"), [(TOO_OLD, False), (TOO_OLD - timedelta(seconds=1), True)])
async def test_it_is_good_for_a_season(tmp_path: Path, later: timedelta, *, recalled: bool) -> None:
    """After two months the sun goes another way."""
    keep(tmp_path, {"v": 1})
    daemon = Daemon(tmp_path, later)
    await daemon.store.restore()
    assert (daemon.store.recalled is not None) is recalled


async def test_a_clock_that_was_set_back_forgets_nothing(tmp_path: Path) -> None:
    """A machine without a clock of its own starts in the past."""
    keep(tmp_path, {"v": 1, "learned": 1})
    daemon = Daemon(tmp_path, timedelta(days=-400))
    await daemon.store.restore()
    assert daemon.pupil.known == {"v": 1, "learned": 1}


async def test_a_file_that_cannot_be_read_stops_nobody(tmp_path: Path) -> None:
    """Nor one that cannot be set aside."""
    (tmp_path / FILE).mkdir()
    with capture_logs() as logs:
        await Daemon(tmp_path).store.restore()
    assert [line["error"] for line in logs] == ["Is a directory"]


async def test_a_disk_that_does_not_answer_stops_nobody(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither at the start nor at the end."""

    async def hang(*_: object) -> None:
        await asyncio.Event().wait()

    monkeypatch.setattr("asyncio.to_thread", hang)
    daemon = Daemon(tmp_path)
    with capture_logs() as logs:
        await daemon.store.restore()
        run = asyncio.create_task(daemon.store.run())
        await asyncio.sleep(1)
        run.cancel()
        await asyncio.wait([run])
    assert run.cancelled()
    hanging = asyncio.all_tasks() - {asyncio.current_task()}
    assert [task.cancel() for task in hanging] == [True]  # as whoever ends the loop does
    assert [line["log_level"] for line in logs] == ["warning", "warning"]
    assert "no answer within 5 s" in logs[0]["error"]
    assert logs[1]["event"] == "what was learned last is not kept"


async def test_what_is_forgotten_does_not_come_back(tmp_path: Path) -> None:
    """The file goes at once, and holds from then on what is learned anew."""
    keep(tmp_path, {"v": 1, "old": True})
    daemon = Daemon(tmp_path)
    await daemon.store.restore()
    async with running(daemon.store.run()):
        await asyncio.sleep(1)
        daemon.pupil.known = {"v": 1}
        daemon.feed.publish(ModeCommand(Mode.OFF))
        daemon.feed.publish(ForgetCommand())
        await asyncio.sleep(1)
        assert daemon.on_disk() == {"v": 1}


async def test_a_full_disk_forgets_all_the_same(tmp_path: Path) -> None:
    """And takes what is learned later, when there is room; the log says once that there is none."""
    with small_disk(tmp_path / "disk") as disk:
        keep(disk.folder, {"v": 1, "old": True})
        daemon = Daemon(disk.folder)
        await daemon.store.restore()
        disk.fill()
        with capture_logs() as logs:
            async with running(daemon.store.run()):
                await asyncio.sleep(1)
                daemon.pupil.known = {"v": 1, "new": "x" * 10_000}
                daemon.feed.publish(ForgetCommand())
                await asyncio.sleep(3 * WRITE_EVERY_S)
                assert daemon.on_disk() is None
                disk.empty()
                await asyncio.sleep(WRITE_EVERY_S)
        assert daemon.on_disk() == {"v": 1, "new": "x" * 10_000}
        assert [line["event"] for line in logs] == ["what was learned would not survive a restart"]


async def test_a_disk_that_cannot_forget_says_so(tmp_path: Path) -> None:
    """A read-only one: after a restart it would all be there again."""
    with small_disk(tmp_path / "disk") as disk:
        keep(disk.folder, {"v": 1, "old": True})
        daemon = Daemon(disk.folder)
        await daemon.store.restore()
        disk.freeze()
        with capture_logs() as logs:
            async with running(daemon.store.run()):
                await asyncio.sleep(1)
                daemon.feed.publish(ForgetCommand())
                await asyncio.sleep(1)
        disk.thaw()
        assert "what was learned is forgotten until a restart only" in [line["event"] for line in logs]
