"""What the tests of the bridge share."""

from collections.abc import Iterator, MutableMapping
from typing import Any

import pytest
from structlog.testing import capture_logs


@pytest.fixture
def logs() -> Iterator[list[MutableMapping[str, Any]]]:
    """Return the list to which everything logged is appended."""
    with capture_logs() as captured:
        yield captured
