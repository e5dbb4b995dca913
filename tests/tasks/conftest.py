"""What the tests of the tasks share."""

from collections.abc import Iterator, MutableMapping
from typing import Any

import pytest
from structlog.testing import capture_logs

from tasks.fakes import RecordingFeed, VirtualClock


@pytest.fixture
def clock() -> VirtualClock:
    """Return a clock that shows the virtual time."""
    return VirtualClock()


@pytest.fixture
def feed() -> RecordingFeed:
    """Return a feed that nobody has subscribed to."""
    return RecordingFeed()


@pytest.fixture(autouse=True)
def logs() -> Iterator[list[MutableMapping[str, Any]]]:
    """Return the list to which everything logged is appended."""
    with capture_logs() as captured:
        yield captured
