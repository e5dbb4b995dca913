"""Pages for the tests of access."""

from collections.abc import AsyncIterator, Iterator, MutableMapping
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from structlog.testing import capture_logs

from web.access.rig import PASSWORD, Rig, browser, running


@pytest.fixture
def logs() -> Iterator[list[MutableMapping[str, Any]]]:
    """Return the list to which everything logged is appended."""
    with capture_logs() as captured:
        yield captured


@pytest.fixture
async def rig(tmp_path: Path) -> AsyncIterator[Rig]:
    """Return a page with a password."""
    async with running(Rig(tmp_path, password=PASSWORD)) as rig:
        yield rig


@pytest.fixture
async def client(rig: Rig) -> AsyncIterator[aiohttp.ClientSession]:
    """Return a browser that has yet to log in there."""
    async with browser(rig) as session:
        yield session
