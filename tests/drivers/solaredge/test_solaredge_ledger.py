"""The request counter on disk: it survives restarts, and no trouble with it stops the charging."""

import asyncio
import json
import threading
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from structlog.testing import capture_logs

from pvcharge.drivers.base import PermanentError, TransientError
from pvcharge.drivers.solaredge import SolarEdgeSettings, ledger
from pvcharge.drivers.solaredge.ledger import Ledger
from pvcharge.storage import write_json

NOON = datetime(2026, 6, 10, 10, 0, tzinfo=UTC)
VIENNA = ZoneInfo("Europe/Vienna")

Open = Callable[..., Ledger]


@pytest.fixture
def opened(settings: Callable[..., SolarEdgeSettings], tmp_path: Path) -> Open:
    """Make ledgers in the test's folder."""
    return lambda **table: Ledger(settings(**table), tmp_path, VIENNA)


@pytest.mark.parametrize(("api", "limit"), [("v2", 2000), ("v1", 300)])
async def test_a_restart_forgets_nothing(opened: Open, api: str, limit: int) -> None:
    """Each API has its own limit and its own counter, which the next process finds."""
    first = opened(api=api)
    assert not first.loaded
    for _ in range(3):
        await first.spend(NOON, urgent=False)
    second = opened(api=api)
    await second.spend(NOON, urgent=False)
    assert second.budget.left(NOON) == limit - 4


@pytest.mark.fault("solaredge", "kill -9")
async def test_a_request_is_counted_before_it_is_sent(opened: Open, tmp_path: Path) -> None:
    """When `spend` returns, the count is on disk: a crash cannot overspend."""
    await opened().spend(NOON, urgent=False)
    assert json.loads((tmp_path / "solaredge-4711-v2-budget.json").read_text())["used"] == 1


async def test_an_empty_budget_names_the_wait(opened: Open) -> None:
    """The error says what is left and when the next request is possible; nothing is counted."""
    book = opened(calls_per_month=10, reserve_pct=10)
    for _ in range(9):
        await book.spend(NOON, urgent=False)
    with pytest.raises(TransientError, match="1 of 10 left") as caught:
        await book.spend(NOON, urgent=False)
    month_end = datetime(2026, 6, 30, 22, 0, tzinfo=UTC)
    assert caught.value.retry_after_s == (month_end - NOON).total_seconds()
    await book.spend(NOON, urgent=True)
    assert book.budget.left(NOON) == 0


async def test_the_servers_word_is_kept(opened: Open) -> None:
    """`exhaust` returns the wait and survives a restart."""
    book = opened()
    await book.spend(NOON, urgent=False)
    assert await book.exhaust(NOON) == 6 * 3600
    with pytest.raises(TransientError):
        await opened().spend(NOON, urgent=True)


@pytest.mark.parametrize("content", ['{"used": -1}', '{"recent": ["soon"]}', '{"recent": 5}', "garbage"])
async def test_a_senseless_counter_starts_anew(opened: Open, tmp_path: Path, content: str) -> None:
    """A spoilt file is reported and costs the count, not the service."""
    (tmp_path / "solaredge-4711-v2-budget.json").write_text(content)
    book = opened()
    with capture_logs() as logs:
        await book.spend(NOON, urgent=False)
    assert [entry["log_level"] for entry in logs] == ["warning"]
    assert book.budget.left(NOON) == 1999


async def test_an_unreadable_counter_is_the_users_to_mend(
    opened: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Wrong permissions are named with the path."""

    def denied(_path: Path) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(ledger, "read_json", denied)
    with pytest.raises(PermanentError, match=r"budget\.json: Permission denied"):
        await opened().spend(NOON, urgent=False)


@pytest.mark.fault("solaredge", "full disk")
async def test_a_full_disk_is_reported_once(opened: Open, monkeypatch: pytest.MonkeyPatch) -> None:
    """Requests go on, counted in memory; the log says so once."""

    def full(_path: Path, _document: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(ledger, "write_json", full)
    book = opened()
    with capture_logs() as logs:
        for _ in range(3):
            await book.spend(NOON, urgent=False)
    assert [entry["error"] for entry in logs] == ["No space left on device"]
    assert book.budget.left(NOON) == 1997


async def test_a_disk_that_hangs_holds_up_no_request(
    opened: Open, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One thread waits for it, and one line says so; when it goes on, the count is written with the next."""
    go_on, writes = threading.Event(), list[int]()

    def hang(path: Path, document: Mapping[str, Any]) -> None:
        writes.append(document["used"])
        go_on.wait(10)
        write_json(path, document)

    monkeypatch.setattr(ledger, "write_json", hang)
    monkeypatch.setattr(ledger, "PATIENCE_S", 0.02)
    book = opened()
    with capture_logs() as logs:
        try:
            for _ in range(3):
                await book.spend(NOON, urgent=False)
        finally:
            go_on.set()
        while not (tmp_path / "solaredge-4711-v2-budget.json").exists():  # noqa: ASYNC110 - a thread's doing
            await asyncio.sleep(0.01)
        monkeypatch.setattr(ledger, "PATIENCE_S", 10.0)
        await asyncio.sleep(0.01)
        await book.spend(NOON, urgent=False)
    assert writes == [1, 4]
    assert [entry["error"] for entry in logs] == ["the disk hangs"]
    await (other := opened()).spend(NOON, urgent=False)
    assert other.budget.left(NOON) == 1995
