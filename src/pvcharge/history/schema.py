"""How a new or an older file becomes one of today: by the SQL files of the folder `migrations`, in order."""

import sqlite3
from importlib.resources import files

APPLICATION_ID = 0x70766368  # "pvch", by which `file` and we know such a file


class NewerFileError(Exception):
    """The file was written by a later version of pvcharge; it is left alone."""


def migrations() -> list[str]:
    """Return the scripts; a file of version N has had the first N. None is ever changed once released."""
    folder = files("pvcharge.history") / "migrations"
    return [path.read_text(encoding="utf-8") for path in sorted(folder.iterdir(), key=lambda it: it.name)]


def version_of(connection: sqlite3.Connection) -> int:
    """Return the version of a file, 0 for an empty one.

    Raises:
        NewerFileError: the file is from a later version.
        sqlite3.Error: it cannot be read, or is no database of ours.
    """
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    (application,) = connection.execute("PRAGMA application_id").fetchone()
    if version > len(migrations()):
        raise NewerFileError(f"it is of version {version}, and we know {len(migrations())}")
    if version and application != APPLICATION_ID:
        raise sqlite3.DatabaseError("file is not a database of pvcharge")
    return int(version)


def migrate(connection: sqlite3.Connection) -> None:
    """Bring a file up to date, each step in a transaction of its own; a new file gets all of them in one.

    Raises:
        NewerFileError: the file is from a later version.
        sqlite3.Error: it cannot be read or written, or is no database of ours.
    """
    scripts = migrations()
    version = version_of(connection)
    if not version:
        connection.execute("PRAGMA auto_vacuum = INCREMENTAL")  # can be chosen for an empty file only
        _take_steps(connection, scripts, len(scripts))
        return
    for number, script in enumerate(scripts[version:], version + 1):
        _take_steps(connection, [script], number)


def _take_steps(connection: sqlite3.Connection, scripts: list[str], version: int) -> None:
    stamp = f"PRAGMA application_id = {APPLICATION_ID}; PRAGMA user_version = {version};"
    connection.executescript("\n".join(["BEGIN IMMEDIATE;", *scripts, stamp, "COMMIT;"]))
