"""A history that cannot be read: each question says so, and the log says it once."""

import asyncio
import os
import sqlite3
from collections.abc import Awaitable, Callable, Iterator, MutableMapping
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from structlog.testing import capture_logs

from page.past_rig import NOON, STEP, Remembered, energies, remembered, session
from pvcharge.history.archive import FILE
from pvcharge.history.schema import migrations
from pvcharge.page.past import MOST_WAITING, StoredPast
from pvcharge.web.ports import PastError

Logs = list[MutableMapping[str, Any]]
QUESTIONS: list[Callable[[StoredPast], Awaitable[object]]] = [
    lambda past: past.day(None),
    lambda past: past.energy("month", date(2026, 1, 1), date(2027, 1, 1)),
    lambda past: past.sessions(None, None, None),
    lambda past: past.savings(),
]


@pytest.fixture
def house(tmp_path: Path) -> Iterator[Remembered]:
    """Return a store of which something is known."""
    house = remembered(tmp_path / "state")
    house.write(session(NOON - 24 * STEP), five_minutes={NOON - STEP: energies(pv=10)})
    yield house
    house.store.close()


@pytest.fixture
def logs() -> Iterator[Logs]:
    """Return the list to which everything logged is appended."""
    with capture_logs() as captured:
        yield captured


def spoil(house: Remembered, content: bytes) -> None:
    """Put something else in the place of the store."""
    house.store.close()
    for path in house.folder.glob(f"{FILE}*"):
        path.unlink()
    (house.folder / FILE).write_bytes(content)


@pytest.mark.parametrize("content", [b"SQLite format 3\0" + os.urandom(8000), b"text", b"\0" * 4096])
async def test_a_file_that_is_none(house: Remembered, logs: Logs, content: bytes) -> None:
    """It is told of once, however often it is asked for, and again when it is back."""
    spoil(house, content)
    for _ in range(3):
        for question in QUESTIONS:
            with pytest.raises(PastError, match="cannot be read now"):
                await question(house.past)
    assert [line["event"] for line in logs] == ["history cannot be read for the page"]
    (house.folder / FILE).unlink()
    again = remembered(house.folder)
    for question in QUESTIONS:
        await question(house.past)
    again.store.close()
    assert [line["log_level"] for line in logs] == ["warning", "info"]


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE sessions SET pauses_s = '{'",
        "UPDATE sessions SET started_us = 4611686018427387000",
        "UPDATE days SET day = '2026-06-31'",
        "UPDATE days SET pv_wh = 'much'",
        "UPDATE sessions SET energy_wh = x'ff'",
        "UPDATE sessions SET pauses_s = '7'",
        "UPDATE sessions SET ended_us = 'late'",
        f"PRAGMA user_version = {len(migrations()) + 1}",
    ],
)
async def test_a_file_with_nonsense_in_it(house: Remembered, logs: Logs, statement: str) -> None:
    """A question that meets it is refused like one that meets no store, and told of once beside others."""
    list(house.store.rows(statement))
    results = await asyncio.gather(*(it(house.past) for it in QUESTIONS * 2), return_exceptions=True)
    faults = [result for result in results if isinstance(result, BaseException)]
    assert faults
    assert all(isinstance(fault, PastError) for fault in faults), faults
    assert [line["log_level"] for line in logs] == ["warning"]


async def test_a_folder_in_its_place(house: Remembered) -> None:
    """Whatever stands there."""
    house.store.close()
    for path in house.folder.glob(f"{FILE}*"):
        path.unlink()
    (house.folder / FILE).mkdir()
    with pytest.raises(PastError):
        await house.past.savings()


async def test_too_many_questions(house: Remembered, monkeypatch: pytest.MonkeyPatch) -> None:
    """So many wait for a store that is slow, more are refused at once, and later all is well."""
    opened = asyncio.Event()

    async def slow(*_question: object) -> None:
        await opened.wait()
        raise sqlite3.OperationalError("database is locked")

    with monkeypatch.context() as patched:
        patched.setattr("pvcharge.page.past.asyncio.to_thread", slow)
        waiting = [asyncio.create_task(house.past.savings()) for _ in range(MOST_WAITING)]
        await asyncio.sleep(0)
        with pytest.raises(PastError, match="too many questions"):
            await house.past.savings()
        opened.set()
        results = await asyncio.gather(*waiting, return_exceptions=True)
        assert {str(result) for result in results} == {"the history cannot be read now: database is locked"}
    assert (await house.past.savings()).all.sessions == 1
