"""Makes the targets of fuzz/ known, and ends what they have begun."""

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

FUZZ = Path(__file__).parents[2] / "fuzz"
sys.path.append(str(FUZZ))


@pytest.fixture(autouse=True, scope="module")
def _end() -> Iterator[None]:
    """Close the event loop that the targets share."""
    yield
    from targets import base  # noqa: PLC0415 - after the path to it is known

    base.close()
