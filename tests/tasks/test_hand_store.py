"""A change by hand on disk: it counts on after a restart, where the charger is found as it was left."""

import asyncio
import json
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from structlog.testing import capture_logs

from pvcharge.model import NO_CHARGE, ChargerState, ChargerStatus, Setpoint
from pvcharge.tasks.feed import Feed
from pvcharge.tasks.hand_store import FILE, TOO_OLD, HandStore
from support.disk import small_disk
from tasks.fakes import START, VirtualClock, running

pytestmark = pytest.mark.looptime

AT_10_A = Setpoint(3, 10)


def heard(setpoint: Setpoint | None, **details: Any) -> ChargerStatus:
    """Return what a charger tells."""
    details.setdefault("state", ChargerState.READY)
    return ChargerStatus(START, power_w=0.0, setpoint=setpoint, **details)


class Daemon:
    """A store with its surroundings."""

    def __init__(self, folder: Path, later: timedelta = timedelta(0)) -> None:
        self.path = folder / FILE
        self.clock = VirtualClock()
        self.clock.jump(later.total_seconds())
        self.feed = Feed()
        self.store = HandStore(folder, self.clock, self.feed.subscribe())

    async def hear(self, status: ChargerStatus) -> ChargerStatus:
        """Let the daemon hear a status, and return it as all others see it."""
        completed = self.store.complete(status)
        self.feed.publish(completed)
        await asyncio.sleep(1)
        return completed


async def after_a_restart(folder: Path, later: timedelta = timedelta(minutes=5)) -> Daemon:
    """Return a daemon that begins anew."""
    daemon = Daemon(folder, later)
    await daemon.store.restore()
    return daemon


@pytest.fixture
def changed(tmp_path: Path) -> Path:
    """Return the folder of a daemon that has seen somebody set the charger to 10 A."""
    document = {"v": 1, "changed_at": START.isoformat(), "phases": 3, "current_a": 10}
    (tmp_path / FILE).write_text(json.dumps(document), encoding="utf-8")
    return tmp_path


async def test_it_counts_on(changed: Path) -> None:
    """From the first status that tells what the charger is set to, whatever that is later."""
    daemon = await after_a_restart(changed)
    unknown = heard(None)
    assert daemon.store.complete(unknown) is unknown
    assert daemon.store.complete(heard(AT_10_A)) == heard(AT_10_A, changed_by_hand_at=START)
    assert daemon.store.complete(heard(NO_CHARGE)).changed_by_hand_at == START


async def test_it_is_kept_as_soon_as_the_charger_tells_what_it_is_set_to(tmp_path: Path) -> None:
    """Before that there is nothing that it could be known by again."""
    daemon = Daemon(tmp_path)
    async with running(daemon.store.run()):
        await daemon.hear(heard(None, changed_by_hand_at=START))
        assert not daemon.path.exists()
        await daemon.hear(heard(AT_10_A, changed_by_hand_at=START))
        assert daemon.path.stat().st_mode & 0o777 == 0o600
        await daemon.hear(heard(NO_CHARGE, changed_by_hand_at=START))  # by us, later
    daemon = await after_a_restart(tmp_path)
    assert daemon.store.complete(heard(AT_10_A)).changed_by_hand_at == START


async def test_it_counts_over_many_restarts(changed: Path) -> None:
    """It is written once, and read each time."""
    for _ in range(3):
        before = (changed / FILE).stat()
        daemon = await after_a_restart(changed)
        async with running(daemon.store.run()):
            assert (await daemon.hear(heard(AT_10_A))).changed_by_hand_at == START
        assert (changed / FILE).stat().st_mtime_ns == before.st_mtime_ns


@pytest.mark.parametrize(
    "status", [heard(NO_CHARGE), heard(Setpoint(1, 10)), heard(AT_10_A, state=ChargerState.DISCONNECTED)]
)
async def test_it_is_over_where_the_charger_is_not_as_it_was_left(
    changed: Path, status: ChargerStatus
) -> None:
    """Somebody has gone on since, or driven away; it does not come back, whatever is found later."""
    daemon = await after_a_restart(changed)
    async with running(daemon.store.run()):
        assert await daemon.hear(status) is status
        assert (await daemon.hear(heard(AT_10_A))).changed_by_hand_at is None
    daemon = await after_a_restart(changed)
    assert daemon.store.complete(heard(AT_10_A)).changed_by_hand_at is None


async def test_the_next_change_takes_its_place(changed: Path) -> None:
    """In what is told and on the disk."""
    daemon = await after_a_restart(changed)
    later = START + timedelta(minutes=6)
    async with running(daemon.store.run()):
        await daemon.hear(heard(AT_10_A))
        assert (await daemon.hear(heard(NO_CHARGE, changed_by_hand_at=later))).changed_by_hand_at == later
    daemon = await after_a_restart(changed, timedelta(minutes=7))
    assert daemon.store.complete(heard(NO_CHARGE)).changed_by_hand_at == later


@pytest.mark.parametrize(
    ("later", "counts"),
    [
        (timedelta(0), True),
        (TOO_OLD - timedelta(seconds=1), True),
        (TOO_OLD, False),
        (-timedelta(seconds=1), False),
    ],
)
async def test_what_is_too_old_or_yet_to_come_counts_no_more(
    changed: Path,
    later: timedelta,
    counts: bool,  # noqa: FBT001 - what is expected
) -> None:
    """A clock that was ahead has told of it, or it is long over."""
    daemon = Daemon(changed)
    daemon.clock.jump((START + later - daemon.clock.now()).total_seconds())
    await daemon.store.restore()
    assert (daemon.store.complete(heard(AT_10_A)).changed_by_hand_at is not None) is counts


@pytest.mark.parametrize(
    "content",
    [
        '{"v": 2}',
        '{"v": 1, "changed_at": "2026-06-15T10:00:00", "phases": 3, "current_a": 10}',
        '{"v": 1, "changed_at": "2026-06-15T10:00:00Z", "phases": 2, "current_a": 10}',
        '{"v": 1, "changed_at": "2026-06-15T10:00:00Z", "phases": 3, "current_a": 0}',
        '{"v": 1, "changed_at": "2026-06-15T10:00:00Z", "phases": 3, "current_a": 10, "more": 1}',
        "[]",
    ],
)
async def test_a_file_that_makes_no_sense_is_told_of(tmp_path: Path, content: str) -> None:
    """And counts as absent."""
    (tmp_path / FILE).write_text(content, encoding="utf-8")
    with capture_logs() as logs:
        daemon = await after_a_restart(tmp_path)
    assert [line["log_level"] for line in logs] == ["warning"]
    assert daemon.store.complete(heard(AT_10_A)).changed_by_hand_at is None


async def test_a_file_that_cannot_be_read_is_told_of(tmp_path: Path) -> None:
    """And stops nobody."""
    (tmp_path / FILE).mkdir()
    with capture_logs() as logs:
        await after_a_restart(tmp_path)
    assert [line["error"] for line in logs] == ["Is a directory"]


async def test_a_disk_that_does_not_answer_stops_nobody(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The charger is more important than what was before."""

    async def hang(*_: object) -> None:
        await asyncio.Event().wait()

    monkeypatch.setattr("asyncio.to_thread", hang)
    with capture_logs() as logs:
        await after_a_restart(tmp_path)
    assert [line["error"] for line in logs] == ["no answer within 5 s"]


async def test_a_full_disk_is_told_of_once(tmp_path: Path) -> None:
    """And the change is written as soon as there is room."""
    with small_disk(tmp_path / "disk") as disk:
        daemon = Daemon(disk.folder)
        disk.fill()
        with capture_logs() as logs:
            async with running(daemon.store.run()):
                await daemon.hear(heard(AT_10_A, changed_by_hand_at=START))
                await daemon.hear(heard(AT_10_A, changed_by_hand_at=START))
                disk.empty()
                await daemon.hear(heard(AT_10_A, changed_by_hand_at=START))
        assert [line["event"] for line in logs] == ["a change by hand would not survive a restart"]
        assert json.loads(daemon.path.read_text(encoding="utf-8"))["current_a"] == 10
