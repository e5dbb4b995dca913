"""The store in its thread, with disks and files that fail."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from history.samples import NOON, flow
from pvcharge.history.archive import Archive
from pvcharge.history.errors import StoreError
from pvcharge.history.reading import Reader
from pvcharge.history.store import Batch, Store
from support.disk import small_disk


@asynccontextmanager
async def archive_at(path: Path) -> AsyncIterator[Archive]:
    """Close the archive afterwards."""
    archive = Archive(path)
    try:
        yield archive
    finally:
        await archive.aclose()


async def write(archive: Archive, *seconds: float) -> None:
    """Write a reading for each of these seconds."""
    batch = Batch(NOON, [flow(second) for second in seconds])
    await archive.call(lambda store: store.write(batch))


async def write_until_it_fails(archive: Archive) -> None:
    """Write again and again: a full disk has some room in its last page, a damaged file has good pages."""
    for number in range(1000):
        await write(archive, *range(number, number + 100))


def names(folder: Path) -> list[str]:
    """Return the names of the files in a folder."""
    return sorted(path.name for path in folder.iterdir())


async def count(archive: Archive) -> int:
    """Return how many events there are."""
    return await archive.call(lambda store: sum(1 for _ in store.events()))


async def test_the_file_is_opened_when_it_is_needed(tmp_path: Path) -> None:
    """And closed at the end, so that nothing is left to be merged."""
    async with archive_at(tmp_path / "history.db") as archive:
        assert names(tmp_path) == []
        await write(archive, 0, 1)
        assert [seq for seq, _ in await archive.unsent("influxdb", 10)] == [1, 2]
        await archive.sent("influxdb", 1)
        assert (await archive.backlog("influxdb")).events == 1
    assert names(tmp_path) == ["history.db"]


async def test_after_its_end_it_says_so(tmp_path: Path) -> None:
    """Whoever asks then is being stopped as well."""
    archive = Archive(tmp_path / "history.db")
    await archive.aclose()
    with pytest.raises(StoreError, match="is closed"):
        await write(archive, 0)


async def test_nobody_else_waits_for_the_disk(tmp_path: Path) -> None:
    """The loop goes on while the disk hangs; what is asked for then comes after."""
    async with archive_at(tmp_path / "history.db") as archive:
        hung, go_on = asyncio.Event(), asyncio.Event()
        loop = asyncio.get_running_loop()

        def hang(_: Store) -> None:
            loop.call_soon_threadsafe(hung.set)
            asyncio.run_coroutine_threadsafe(go_on.wait(), loop).result(10)

        hanging = asyncio.create_task(archive.call(hang))
        await hung.wait()
        later = asyncio.create_task(write(archive, 0))
        await asyncio.sleep(0.05)
        assert not later.done()
        go_on.set()
        await hanging
        await later


async def test_a_full_disk_loses_nothing_that_was_stored(tmp_path: Path) -> None:
    """And is written to again as soon as there is room."""
    with small_disk(tmp_path / "disk") as disk:
        async with archive_at(disk.folder / "history.db") as archive:
            await write(archive, 0, 1)
            disk.fill()
            with pytest.raises(StoreError, match=r"history\.db: .*full; see to disk and permissions"):
                await write_until_it_fails(archive)
            stored = await count(archive)
            disk.empty()
            await write(archive, 9000)
            assert await count(archive) == stored + 1


@pytest.mark.fault("disk", "read-only")
async def test_a_disk_that_turns_read_only_is_told_of(tmp_path: Path) -> None:
    """As one does that is worn out; what was stored can still be read."""
    with small_disk(tmp_path / "disk") as disk:
        async with archive_at(disk.folder / "history.db") as archive:
            await write(archive, 0)
        disk.freeze()
        async with archive_at(disk.folder / "history.db") as archive:
            with pytest.raises(StoreError, match="see to"):
                await write(archive, 1)
            disk.thaw()
            await write(archive, 1)
            assert await count(archive) == 2


async def test_a_folder_that_cannot_be_made_is_told_of(tmp_path: Path) -> None:
    """A file stands in its place."""
    (tmp_path / "state").write_text("")
    async with archive_at(tmp_path / "state" / "history.db") as archive:
        with pytest.raises(StoreError, match="see to its folder"):
            await write(archive, 0)


def spoil(path: Path, offset: int) -> None:
    """Overwrite a file from some place on, as a failing disk does."""
    content = path.read_bytes()
    path.write_bytes(content[:offset] + b"\x55" * (len(content) - offset))


@pytest.mark.parametrize("offset", [0, 4096])
@pytest.mark.fault("disk", "garbage")
async def test_a_damaged_file_is_set_aside_and_a_new_one_begun(tmp_path: Path, offset: int) -> None:
    """Be it damaged from its header on or behind it; it is kept as it is for whoever can mend it."""
    path = tmp_path / "history.db"
    async with archive_at(path) as archive:
        for number in range(20):
            await write(archive, *range(100 * number, 100 * number + 100))
    spoil(path, offset)
    spoilt = path.read_bytes()
    async with archive_at(path) as archive:
        with pytest.raises(StoreError, match=r"set aside as history\.db\.damaged-"):
            await write_until_it_fails(archive)
        await write(archive, 0)
        assert await count(archive) == 1
    aside = next(name for name in names(tmp_path) if "damaged" in name)
    assert (tmp_path / aside).read_bytes() == spoilt


async def test_a_file_of_a_later_version_is_told_of_and_left_alone(tmp_path: Path) -> None:
    """It is no damage, and nothing is set aside."""
    path = tmp_path / "history.db"
    store = Store.open(path)
    store._connection.execute("PRAGMA user_version = 99")  # noqa: SLF001 - what another version does
    store.close()
    async with archive_at(path) as archive:
        with pytest.raises(StoreError, match=r"version 99.*; update pvcharge, or move the file away"):
            await write(archive, 0)
    assert names(tmp_path) == ["history.db"]


def test_what_was_committed_survives_the_reader_of_another_process(tmp_path: Path) -> None:
    """A command beside the daemon reads what is there, while it is being written."""
    path = tmp_path / "history.db"
    store = Store.open(path)
    store.write(Batch(NOON, [flow(0)]))
    reader = Reader.open(path)
    store.write(Batch(NOON, [flow(1)]))
    assert reader.last_seq() == 2
    reader.close()
    store.close()
