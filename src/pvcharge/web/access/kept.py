"""A JSON file of the state directory that one part of the daemon keeps in step with what it knows."""

import asyncio
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import structlog

from pvcharge.storage import read_json, write_json

log = structlog.get_logger(__name__)


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
        self._failing = False

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
                if not self._failing:
                    log.warning("state file cannot be written", file=str(self._path), error=error.strerror)
                self._failing = True
                raise
            if self._failing:
                log.info("state file can be written again", file=str(self._path))
            self._failing = False

    async def try_write(self) -> bool:
        """Write the file, and return whether that worked; a restart loses what was not written."""
        try:
            await self.write()
        except OSError:
            return False
        return True
