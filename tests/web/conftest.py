"""What the tests of the web room are given."""

from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import pytest

from web.house import House, open_house


@pytest.fixture
def house(tmp_path: Path) -> House:
    """Return a house that is not open yet."""
    return House(tmp_path)


@pytest.fixture
async def api(house: House) -> AsyncIterator[aiohttp.ClientSession]:
    """Return a client at the API of an open house."""
    async with open_house(house) as client:
        yield client
