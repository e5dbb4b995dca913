"""Changed settings on disk: what a restart brings back, who comes too late, what is taken back."""

import asyncio
import json
import signal
import stat
import subprocess
import sys
import textwrap
import threading
from pathlib import Path
from typing import Any

import pytest
from structlog.testing import capture_logs

from pvcharge.control import ControlSettings, Objective
from pvcharge.storage import write_json
from pvcharge.tasks import kept_file
from pvcharge.tasks.charger_task import OnSilence
from pvcharge.tasks.settings_store import (
    FILE,
    MOST_UNDONE,
    RETRY_S,
    SettingsConflictError,
    SettingsInvalidError,
    SettingsStore,
)
from support.disk import small_disk
from tasks.fakes import VirtualClock, running

pytestmark = pytest.mark.looptime

PRICE, ON_S, SILENCE = "control.import_price", "control.min_on_s", "edge.on_silence"


async def started(folder: Path, **configured: Any) -> SettingsStore:
    """Return the store of a daemon that starts with such a file."""
    store = SettingsStore(folder, VirtualClock(), ControlSettings(**configured), OnSilence.STOP)
    await store.restore()
    return store


def value(store: SettingsStore, key: str) -> Any:
    """Return a setting as it is told."""
    return next(entry.value for entry in store.document().settings if entry.key == key)


def on_disk(folder: Path) -> dict[str, Any]:
    """Return what stands in the file."""
    document: dict[str, Any] = json.loads((folder / FILE).read_text(encoding="utf-8"))
    return document


async def test_without_changes_the_file_rules(tmp_path: Path) -> None:
    """And nothing is written."""
    store = SettingsStore(tmp_path, VirtualClock(), ControlSettings(min_on_s=7), OnSilence.KEEP)
    assert await store.restore() == ControlSettings(min_on_s=7)
    assert store.on_silence is OnSilence.KEEP
    document = store.document()
    assert (document.revision, document.can_undo, document.kept) == (0, False, True)
    assert not (tmp_path / FILE).exists()


async def test_a_change_is_in_force_and_survives(tmp_path: Path) -> None:
    """It lies over the file, of which the rest may be changed later."""
    store = await started(tmp_path)
    changed = await store.change(0, {PRICE: 0.4, "control.objective": "cost"})
    assert changed == ControlSettings(import_price=0.4, objective=Objective.COST) == store.in_force
    assert store.document().revision == 1
    assert stat.S_IMODE((tmp_path / FILE).stat().st_mode) == 0o600
    assert on_disk(tmp_path)["changes"] == {PRICE: 0.4, "control.objective": "cost"}
    again = SettingsStore(tmp_path, VirtualClock(), ControlSettings(min_on_s=7), OnSilence.STOP)
    assert await again.restore() == ControlSettings(import_price=0.4, objective=Objective.COST, min_on_s=7)
    assert again.document().revision == 1


async def test_what_waits_for_a_restart_says_so(tmp_path: Path) -> None:
    """The charger's fallback is told as it will be, and is in force from the next start on."""
    store = await started(tmp_path)
    await store.change(0, {SILENCE: "keep"})
    assert (value(store, SILENCE), store.on_silence) == ("keep", OnSilence.STOP)
    assert (await started(tmp_path)).on_silence is OnSilence.KEEP


async def test_null_is_back_to_the_file(tmp_path: Path) -> None:
    """As is the file's own value, which a later file may change."""
    store = await started(tmp_path, min_on_s=7)
    await store.change(0, {ON_S: 60, PRICE: 0.5})
    await store.change(1, {ON_S: None})
    assert on_disk(tmp_path)["changes"] == {PRICE: 0.5}
    await store.change(2, {PRICE: 0.3})
    assert on_disk(tmp_path)["changes"] == {}
    assert (await started(tmp_path, import_price=0.6)).in_force.import_price == 0.6


async def test_nothing_new_is_no_change(tmp_path: Path) -> None:
    """It neither counts nor can be taken back."""
    store = await started(tmp_path)
    await store.change(0, {ON_S: 60})
    await store.change(1, {ON_S: 60.0, PRICE: 0.3, SILENCE: None})
    assert store.document().revision == 1
    await store.undo()
    assert not store.document().can_undo


async def test_who_has_seen_other_settings_changes_nothing(tmp_path: Path) -> None:
    """Of two who change at once one wins, and the other is told to look again."""
    store = await started(tmp_path)
    both = [store.change(0, {PRICE: price}) for price in (0.4, 0.5)]
    first, second = await asyncio.gather(*both, return_exceptions=True)
    assert isinstance(first, ControlSettings)
    assert isinstance(second, SettingsConflictError)
    assert "at revision 1, not 0" in str(second)
    assert (value(store, PRICE), on_disk(tmp_path)["changes"]) == (0.4, {PRICE: 0.4})
    for revision in (0, 2, -1):
        with pytest.raises(SettingsConflictError):
            await store.change(revision, {PRICE: 0.6})


async def test_what_does_not_fit_changes_nothing(tmp_path: Path) -> None:
    """Not even what would fit beside it, nor the revision."""
    store = await started(tmp_path)
    with pytest.raises(SettingsInvalidError) as caught:
        await store.change(0, {PRICE: 0.4, ON_S: -1, "control.mode": None})
    assert caught.value.errors == {ON_S: "must be at least 0", "control.mode": "cannot be changed here"}
    assert store.in_force == ControlSettings()
    assert (store.document().revision, store.document().can_undo) == (0, False)
    assert not (tmp_path / FILE).exists()


async def test_changes_are_taken_back_one_by_one(tmp_path: Path) -> None:
    """Also after a restart; each counts as a change of its own."""
    store = await started(tmp_path)
    await store.change(0, {PRICE: 0.4})
    await store.change(1, {PRICE: 0.5, ON_S: 1})
    store = await started(tmp_path)
    assert (await store.undo()).import_price == 0.4
    assert (await store.undo()) == ControlSettings()
    assert (store.document().revision, store.document().can_undo) == (4, False)
    with pytest.raises(SettingsConflictError, match="no change to take back"):
        await store.undo()
    assert await (await started(tmp_path)).change(4, {PRICE: 0.6}) == ControlSettings(import_price=0.6)


async def test_so_many_changes_can_be_taken_back_and_no_more(tmp_path: Path) -> None:
    """The file stays small."""
    store = await started(tmp_path)
    for number in range(MOST_UNDONE + 10):
        await store.change(number, {ON_S: number})
    assert len(on_disk(tmp_path)["undo"]) == MOST_UNDONE
    for _ in range(MOST_UNDONE):
        await store.undo()
    assert value(store, ON_S) == 9
    with pytest.raises(SettingsConflictError):
        await store.undo()


async def test_what_no_longer_fits_the_file_is_dropped_once(tmp_path: Path) -> None:
    """With a clear word about each; the rest is kept, and the steps back that still lead somewhere."""
    store = await started(tmp_path)
    await store.change(0, {PRICE: 0.2})
    await store.change(1, {ON_S: 60})
    with capture_logs() as logs:
        store = await started(tmp_path, import_price=0.5, feed_in_price=0.25)
    (warning,) = [line for line in logs if line["log_level"] == "warning"]
    assert "do not fit the configuration any more, and were dropped" in warning["event"]
    assert warning["dropped"] == {
        PRICE: "prices must rise: feed_in_price <= car_energy_price <= import_price"
    }
    assert store.in_force == ControlSettings(import_price=0.5, feed_in_price=0.25, min_on_s=60)
    assert store.document().revision == 3
    with capture_logs() as logs:
        store = await started(tmp_path, import_price=0.5, feed_in_price=0.25)
    assert [line for line in logs if line["log_level"] == "warning"] == []
    assert await store.undo() == ControlSettings(import_price=0.5, feed_in_price=0.25)
    assert not store.document().can_undo


@pytest.mark.parametrize(
    "content",
    [
        "",
        "not JSON",
        "[1, 2]",
        "[" * 100_000,
        '{"v": 2, "revision": 1, "changes": {}, "undo": []}',
        '{"v": 1, "revision": -1}',
        '{"v": 1, "changes": {"control.import_price": [1]}}',
        '{"v": 1, "undo": [{"at": "yesterday", "changes": {}}]}',
        '{"v": 1, "more": 1}',
        '{"tokens": "of something else"}',
    ],
)
async def test_a_file_that_makes_no_sense_is_set_aside(tmp_path: Path, content: str) -> None:
    """It is reported, kept to be looked at, and the next change begins a new one."""
    (tmp_path / FILE).write_text(content, encoding="utf-8")
    with capture_logs() as logs:
        store = await started(tmp_path)
    assert len([line for line in logs if line["log_level"] == "warning"]) == 1
    assert store.in_force == ControlSettings()
    assert (tmp_path / f"{FILE}.corrupt").read_text(encoding="utf-8") == content
    await store.change(0, {PRICE: 0.4})
    assert (await started(tmp_path)).in_force.import_price == 0.4


async def test_a_file_that_cannot_be_read_stops_nobody(tmp_path: Path) -> None:
    """A folder in its place is as bad as a broken disk."""
    (tmp_path / FILE).mkdir()
    with capture_logs() as logs:
        store = await started(tmp_path)
    assert [line["event"] for line in logs] == ["changed settings not restored"]
    await store.change(0, {PRICE: 0.4})
    assert (store.in_force.import_price, store.document().kept) == (0.4, False)


async def test_on_a_full_disk_a_change_holds_until_the_end(tmp_path: Path) -> None:
    """Whoever asks is told, the log says so once, and as soon as there is room it is written."""
    with small_disk(tmp_path / "disk") as disk:
        store = await started(disk.folder)
        await store.change(0, {PRICE: 0.4})
        disk.fill()
        with capture_logs() as logs:
            async with running(store.run()):
                assert (await store.change(1, {PRICE: 0.5})).import_price == 0.5
                assert not store.document().kept
                await asyncio.sleep(3 * RETRY_S)
                assert (store.in_force.import_price, on_disk(disk.folder)["changes"]) == (0.5, {PRICE: 0.4})
                disk.empty()
                await asyncio.sleep(2 * RETRY_S)
        assert store.document().kept
        assert (await started(disk.folder)).in_force.import_price == 0.5
        warnings = [line["event"] for line in logs if line["log_level"] == "warning"]
        assert warnings == ["changed settings would not survive a restart"]


async def test_a_change_that_nobody_waits_for_any_more_is_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And the one after it comes after it, however slow the disk is."""
    store, slow, written = await started(tmp_path), threading.Event(), list[dict[str, Any]]()

    def write(path: Path, document: dict[str, Any]) -> None:
        if not written:
            assert slow.wait(10)
        written.append(document["changes"])
        write_json(path, document)

    monkeypatch.setattr(kept_file, "write_json", write)
    first = asyncio.create_task(store.change(0, {PRICE: 0.4}))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    first.cancel()
    second = asyncio.create_task(store.change(1, {PRICE: 0.5}))
    await asyncio.sleep(0)
    slow.set()
    assert (await second).import_price == 0.5
    assert first.cancelled()
    assert written[-1] == on_disk(tmp_path)["changes"] == {PRICE: 0.5}


CHANGER = textwrap.dedent(
    """
    import asyncio, sys
    from pathlib import Path
    from pvcharge.clock import SystemClock
    from pvcharge.control import ControlSettings
    from pvcharge.tasks.charger_task import OnSilence
    from pvcharge.tasks.settings_store import SettingsStore

    async def main():
        store = SettingsStore(Path(sys.argv[1]), SystemClock(), ControlSettings(), OnSilence.STOP)
        await store.restore()
        while True:
            revision = store.document().revision
            await store.change(revision, {"control.min_on_s": revision + 1})
            print(revision + 1, file=sys.stderr, flush=True)

    asyncio.run(main())
    """
)


def killed_after(number: int, folder: Path) -> list[int]:
    """Have another process make changes, kill it in the midst of them, and return those that it had made."""
    command = [sys.executable, "-c", CHANGER, str(folder)]
    with subprocess.Popen(  # noqa: S603 - our own words
        command, text=True, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE
    ) as process:
        assert process.stderr is not None
        seen = [int(process.stderr.readline()) for _ in range(number)]
        process.send_signal(signal.SIGKILL)
        return seen + [int(line) for line in process.stderr if line.endswith("\n")]


async def test_kill_9_loses_no_change_that_was_acknowledged(tmp_path: Path) -> None:
    """Nor is ever half of one found."""
    for _ in range(2):
        before = (await started(tmp_path)).document().revision
        seen = killed_after(20, tmp_path)
        store = await started(tmp_path)
        assert store.document().revision in (seen[-1], seen[-1] + 1)
        assert value(store, ON_S) == store.document().revision > before


async def test_another_file_while_it_runs(tmp_path: Path) -> None:
    """What the user has changed stays on top; who has seen the old settings must look again."""
    store = await started(tmp_path, min_on_s=7)
    await store.change(0, {PRICE: 0.4})
    in_force = await store.reconfigure(ControlSettings(min_on_s=9, import_price=0.6))
    assert in_force == ControlSettings(min_on_s=9, import_price=0.4) == store.in_force
    assert store.document().revision == 2
    with pytest.raises(SettingsConflictError):
        await store.change(1, {ON_S: 60})
    await store.undo()
    assert (value(store, PRICE), value(store, ON_S)) == (0.6, 9)


async def test_changes_that_do_not_fit_another_file(tmp_path: Path) -> None:
    """They are reported and dropped, as at a start, also from what can be taken back."""
    store = await started(tmp_path)
    await store.change(0, {PRICE: 0.2, ON_S: 60})
    with capture_logs() as logs:
        await store.reconfigure(ControlSettings(feed_in_price=0.25))
    assert [line["dropped"].keys() for line in logs if "dropped" in line] == [{PRICE}]
    assert on_disk(tmp_path)["changes"] == {ON_S: 60.0}
    assert store.in_force == ControlSettings(feed_in_price=0.25, min_on_s=60)


async def test_another_file_without_changes(tmp_path: Path) -> None:
    """Nothing is written."""
    store = await started(tmp_path)
    await store.reconfigure(ControlSettings(min_on_s=9))
    assert store.in_force.min_on_s == 9
    assert not (tmp_path / FILE).exists()
