"""Small JSON state files (tokens, counters) that a crash or a full disk cannot spoil.

All functions block: call them through `asyncio.to_thread`.
"""

import json
import os
import tempfile
from collections.abc import Mapping
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import structlog
from pydantic import AwareDatetime, Field

log = structlog.get_logger(__name__)

# A time in such a file; within this no conversion to another zone ends beyond the first or the last day.
KeptTime = Annotated[
    AwareDatetime, Field(ge=datetime(1900, 1, 1, tzinfo=UTC), le=datetime(3000, 1, 1, tzinfo=UTC))
]


def read_json(path: Path) -> dict[str, Any] | None:
    """Return the JSON object in the file, or None when there is no file.

    A file that holds anything else is renamed to `*.corrupt`, reported, and counts as absent.

    Raises:
        OSError: the file is there but cannot be read or set aside.
    """
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        return None
    try:
        document = json.loads(content)
    except (ValueError, RecursionError):
        document = None
    if isinstance(document, dict):
        return document
    aside = set_aside(path)
    log.warning("state file is corrupt and was set aside", file=str(path), kept_as=str(aside))
    return None


def set_aside(path: Path) -> Path:
    """Rename a file that makes no sense, so that it can be looked at, and return its new place.

    Raises:
        OSError: it could not be renamed.
    """
    return path.replace(path.with_name(f"{path.name}.corrupt"))


def write_json(path: Path, document: Mapping[str, Any]) -> None:
    """Replace the file by this document, readable by its owner only; either all of it or nothing.

    What root writes, as in a command beside the service, belongs to the owner of the folder like all in it.

    Raises:
        OSError: the file could not be written; the old one is untouched.
    """
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")  # mode 0600
    temporary = Path(name)
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            if os.geteuid() == 0:
                _leave_to_owner_of(path.parent, file.fileno())
            json.dump(document, file)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def _leave_to_owner_of(folder: Path, file: int) -> None:
    owner = folder.stat()
    with suppress(PermissionError):  # root of a container may not be allowed to; then it owns all there
        os.fchown(file, owner.st_uid, owner.st_gid)
