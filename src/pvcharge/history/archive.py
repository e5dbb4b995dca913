"""The store in a thread of its own: who asks waits for the disk, and nobody else."""

import asyncio
import sqlite3
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import TypeVar

import structlog

from pvcharge.history.errors import StoreError
from pvcharge.history.reading import Backlog, Entry
from pvcharge.history.schema import NewerFileError
from pvcharge.history.store import Store

log = structlog.get_logger(__name__)

FILE = "history.db"
_DAMAGED = {sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB}
# What a connection does not get over: it is opened anew at the next try.
_LOST = {sqlite3.SQLITE_IOERR, sqlite3.SQLITE_READONLY, sqlite3.SQLITE_CANTOPEN, *_DAMAGED}
_PRIMARY = 0xFF  # of an extended error code

T = TypeVar("T")


class Archive:
    """Opens the store when it is first needed, and again after a failure.

    A damaged file is set aside under another name, never deleted, and a new one begun.

    Args:
        path: of the file.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._store: Store | None = None
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="history")

    async def call(self, work: Callable[[Store], T]) -> T:
        """Have something done with the store, after all that was asked before.

        Raises:
            StoreError: file or disk are broken; what was to be written is not.
        """
        loop = asyncio.get_running_loop()
        try:
            return await loop.run_in_executor(self._thread, partial(self._use, work))
        except RuntimeError as error:  # how an executor says that it has been shut down
            raise StoreError(f"{self._path}: is closed") from error

    async def unsent(self, cursor: str, limit: int) -> list[Entry]:
        """Return the events above a cursor, at most so many.

        Raises:
            StoreError: the store cannot be read.
        """
        return await self.call(lambda store: store.unsent(cursor, limit))

    async def sent(self, cursor: str, seq: int) -> None:
        """Move a cursor up to this number; it survives kill -9.

        Raises:
            StoreError: the store cannot be written.
        """
        await self.call(lambda store: store.set_cursor(cursor, seq))

    async def backlog(self, cursor: str) -> Backlog:
        """Return what lies above a cursor.

        Raises:
            StoreError: the store cannot be read.
        """
        return await self.call(lambda store: store.backlog(cursor))

    async def aclose(self) -> None:
        """Close the file after all that was asked for has been done."""
        loop = asyncio.get_running_loop()
        await loop.run_in_executor(self._thread, self._close)
        self._thread.shutdown(wait=False)

    # --- in the thread ---

    def _use(self, work: Callable[[Store], T]) -> T:
        try:
            if self._store is None:
                self._store = Store.open(self._path)
            return work(self._store)
        except sqlite3.Error as error:
            raise self._explained(error) from error
        except NewerFileError as error:
            hint = "update pvcharge, or move the file away"
            raise StoreError(f"{self._path}: {error}; {hint}") from error
        except OSError as error:
            raise StoreError(f"{self._path}: {error.strerror}; see to its folder") from error

    def _explained(self, error: sqlite3.Error) -> StoreError:
        code = getattr(error, "sqlite_errorcode", 0) & _PRIMARY
        if code in _LOST:
            self._close()
        if code not in _DAMAGED:
            return StoreError(f"{self._path}: {error}; see to disk and permissions")
        try:
            aside = self._set_aside()
        except OSError as failure:
            return StoreError(f"{self._path}: {error}, and cannot be set aside: {failure.strerror}")
        log.error("history is damaged and was set aside; a new one is begun", kept_as=str(aside))
        return StoreError(f"{self._path}: {error}; set aside as {aside.name}")

    def _set_aside(self) -> Path:
        """Rename the file together with what has not been merged into it yet."""
        stamp = datetime.now(UTC).strftime("%Y%m%dT%H%M%S")
        aside = self._path.with_name(f"{self._path.name}.damaged-{stamp}")
        for suffix in ("-wal", "-shm", ""):
            source = self._path.with_name(self._path.name + suffix)
            if source.exists():
                source.rename(aside.with_name(aside.name + suffix))
        return aside

    def _close(self) -> None:
        store, self._store = self._store, None
        if store is not None:
            store.close()
