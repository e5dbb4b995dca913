"""A state file that is written at each change; a disk that does not take it is told of once."""

import asyncio
import errno
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import structlog

from pvcharge.storage import read_json, write_json

log = structlog.get_logger(__name__)

LOAD_S = 5.0  # real seconds for a slow disk


class KeptFile:
    """Writes one state file.

    Args:
        path: where it is.
        what: is lost without it, for the log.
    """

    def __init__(self, path: Path, what: str) -> None:
        self.path = path
        self._what = what
        self._writable = True

    async def read(self) -> Mapping[str, Any] | None:
        """Return what stands there, None if nothing.

        Raises:
            OSError: it cannot be read, or the disk does not answer; `strerror` says which.
        """
        try:
            async with asyncio.timeout(LOAD_S):
                return await asyncio.to_thread(read_json, self.path)
        except TimeoutError as error:
            reason = error.strerror or f"no answer within {LOAD_S:g} s"
            raise OSError(errno.ETIMEDOUT, reason) from error

    async def write(self, document: Mapping[str, Any]) -> bool:
        """Replace what stands there; return whether that was possible. Only the first failure is logged."""
        try:
            await asyncio.to_thread(write_json, self.path, document)
        except OSError as error:
            if self._writable:
                event = f"{self._what} would not survive a restart"
                log.warning(event, file=str(self.path), error=error.strerror)
            self._writable = False
        else:
            self._writable = True
        return self._writable
