"""A JSON file of the state directory that one part of the daemon keeps in step with what it knows."""

import asyncio
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import structlog

from pvcharge.storage import read_json, write_json

log = structlog.get_logger(__name__)

RETRY_S = 60.0  # real seconds until a disk that failed is tried again


class KeptFile:
    """Reads a file once, and writes it whenever that is asked for, one write after the other.

    Args:
        path: of the file.
        document: returns what belongs into it now.
    """

    def __init__(self, path: Path, document: Callable[[], Mapping[str, Any]]) -> None:
        self._path = path
        self._document = document
        self._one_at_a_time = asyncio.Lock()
        self._has_news = False
        self._failed_s: float | None = None  # when it was tried last, as long as the file is behind

    async def read(self) -> dict[str, Any]:
        """Return what is in the file; nothing where there is none or it cannot be read."""
        try:
            return await asyncio.to_thread(read_json, self._path) or {}
        except OSError as error:
            log.warning("state file cannot be read", file=str(self._path), error=error.strerror)
            return {}

    async def write(self) -> None:
        """Write the file.

        Raises:
            OSError: it could not be written; the old one is untouched.
        """
        async with self._one_at_a_time:
            try:
                await asyncio.to_thread(write_json, self._path, self._document())
            except OSError as error:
                if self._failed_s is None:
                    log.warning("state file cannot be written", file=str(self._path), error=error.strerror)
                self._failed_s = time.monotonic()
                raise
            if self._failed_s is not None:
                log.info("state file can be written again", file=str(self._path))
            self._failed_s = None

    async def try_write(self) -> bool:
        """Write the file, and return whether that worked; if not, it is to be caught up with."""
        try:
            await self.write()
        except OSError:
            return False
        return True

    def note(self) -> None:
        """Have what is known now written with the next flush: it is not worth a write of its own."""
        self._has_news = True

    async def flush(self, *, at_once: bool = False) -> None:
        """Write what has been noted, or the disk has not taken: else who has logged out would be back.

        Args:
            at_once: also what the disk has not taken only just now.
        """
        if self._has_news:
            self._has_news = False
            await self.try_write()
            return
        failed_s = self._failed_s
        if failed_s is not None and (at_once or time.monotonic() - failed_s >= RETRY_S):
            await self.try_write()
