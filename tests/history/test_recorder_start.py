"""A recorder that is stopped before it has begun leaves nothing open."""

import asyncio
from contextlib import suppress
from pathlib import Path

from history.test_recorder import Rig


def open_files(folder: Path) -> list[str]:
    """Return what this process has open in a folder."""
    found = []
    for link in Path("/proc/self/fd").iterdir():
        with suppress(OSError):  # the one by which the list itself is read
            found.append(link.readlink())
    return [path.name for path in found if path.parent == folder]


async def test_a_stop_while_it_loads_closes_the_file(tmp_path: Path) -> None:
    """Python 3.13 warns of a database that nobody has closed."""
    rig = Rig(tmp_path / "history.db")
    task = asyncio.create_task(rig.recorder.run())
    await asyncio.sleep(0)  # it asks the thread, which opens the file while nobody waits for it any more
    task.cancel()
    await asyncio.wait([task])
    assert task.cancelled()
    assert (tmp_path / "history.db").exists()
    assert open_files(tmp_path) == []
