"""A state file that is written at each change; a disk that does not take it is told of once."""

import asyncio
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import structlog

from pvcharge.storage import write_json

log = structlog.get_logger(__name__)


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
