"""Questions to the store of what is remembered, beside the daemon that writes it."""

import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from pvcharge.history.reading import Reader
from pvcharge.history.schema import NewerFileError

# What a question may end with: a file that others have written to, or a disk has spoiled, can hold anything.
UNREADABLE = (
    *(sqlite3.Error, NewerFileError, OSError),
    *(ValueError, OverflowError, TypeError, AttributeError, RecursionError),
)

T = TypeVar("T")


def ask(path: Path, question: Callable[[Reader], T]) -> T | None:
    """Return the answer of a store that is opened for this question only; blocks.

    Args:
        path: of the store.
        question: is not asked where there is no store yet, and the answer is None.

    Raises:
        UNREADABLE: the store cannot be read, or something in it makes no sense.
    """
    if not path.exists():
        return None
    reader = Reader.open(path)
    try:
        return question(reader)
    finally:
        reader.close()
