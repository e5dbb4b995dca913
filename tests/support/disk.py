"""A disk of the test's own, which can be filled and made read-only; needs root, as on CI."""

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from support.services import require


class SmallDisk:
    """A file system in memory.

    Attributes:
        folder: where it is mounted.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def fill(self) -> None:
        """Leave no room for anybody."""
        with (self.folder / "ballast").open("wb", buffering=0) as ballast, suppress(OSError):
            while True:
                ballast.write(bytes(4096))

    def empty(self) -> None:
        """Give the room back."""
        (self.folder / "ballast").unlink()

    def freeze(self) -> None:
        """Make it read-only."""
        self._remount("ro")

    def thaw(self) -> None:
        """Make it writable again."""
        self._remount("rw")

    def _remount(self, mode: str) -> None:
        subprocess.run([require("mount", "mount"), "-o", f"remount,{mode}", str(self.folder)], check=True)  # noqa: S603 - the test's own words


@contextmanager
def small_disk(folder: Path, size_kib: int = 1024) -> Iterator[SmallDisk]:
    """Mount a disk of this size for as long as the context lasts; skip the test where we may not."""
    if os.geteuid() != 0:
        pytest.skip("mounting needs root")
    folder.mkdir()
    mount = [require("mount", "mount"), "-t", "tmpfs", "-o", f"size={size_kib}k", "tmpfs", str(folder)]
    mounted = subprocess.run(mount, check=False, capture_output=True)  # noqa: S603 - the test's own words
    if mounted.returncode:
        pytest.skip(f"mounting is not allowed here: {mounted.stderr.decode().strip()}")
    try:
        yield SmallDisk(folder)
    finally:
        subprocess.run([require("umount", "mount"), "-l", str(folder)], check=True)  # noqa: S603 - the test's own words
