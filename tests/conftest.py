"""What all tests share."""

import asyncio
import os
from collections.abc import Callable

import pytest
from hypothesis import settings

from support.patient_loop import PatientLoop

# The machines that run this are shared and slow now and then: a deadline would fail good code. CI tries the
# same examples each time, so that it is red for a change, not by chance; elsewhere the search goes on.
settings.register_profile("developer", deadline=None)
settings.register_profile("ci", deadline=None, derandomize=True)
settings.load_profile("ci" if os.environ.get("CI") else "developer")

# Before Python 3.14 asking for the event loop of the main thread creates one, if none was ever set. Pytest's
# plugins ask, nobody closes that loop, and some later test is blamed for the leak.
asyncio.set_event_loop(None)


def pytest_configure(config: pytest.Config) -> None:
    """Register the markers of our own."""
    config.addinivalue_line(
        "markers", "fault(component, fault): proves a cell of the table in docs/reliability.md"
    )


def pytest_asyncio_loop_factories() -> dict[str, Callable[[], asyncio.AbstractEventLoop]]:
    """Run all tests that await anything in a loop that forgives a busy machine."""
    return {"patient": PatientLoop}


def pytest_xdist_auto_num_workers(config: pytest.Config) -> int | None:  # noqa: ARG001 - pytest passes by name
    """Return one more than there are cores: many tests wait for real programs."""
    return None if "PYTEST_XDIST_AUTO_NUM_WORKERS" in os.environ else (os.cpu_count() or 1) + 1


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Let those that take longest begin first, so that none of them is waited for at the end."""
    items.sort(key=lambda item: "tests/processes/" not in item.nodeid)
