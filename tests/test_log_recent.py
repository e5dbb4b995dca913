"""The last events are kept in memory, for the page: masked, bounded, newest first."""

import logging
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import structlog

from pvcharge import log


@pytest.fixture(autouse=True)
def _restored() -> Iterator[None]:
    """Leave logging as it was."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    log.set_up(log.LogSettings(level="debug"))
    yield
    structlog.reset_defaults()
    root.handlers[:], root.level = handlers, level


def tell(event: str, **fields: Any) -> None:
    """Log as our modules do."""
    structlog.get_logger("test").info(event, **fields)


def test_what_was_told_is_kept_newest_first() -> None:
    """Numbers, tables and lists become text; the rest is as it was logged."""
    tell("first")
    structlog.get_logger("test").warning("second", power_w=1.5, units=[1, 2], unit=None)
    second, first = log.recent(2)
    assert (first.event, first.level, first.fields) == ("first", "info", {})
    assert (second.event, second.level) == ("second", "warning")
    assert second.fields == {"power_w": "1.5", "units": "[1, 2]", "unit": "None"}
    assert timedelta() <= datetime.now(UTC) - second.at < timedelta(minutes=1)
    assert first.at <= second.at


def test_debugging_is_left_out() -> None:
    """It would push out what matters."""
    tell("worth it")
    structlog.get_logger("test").debug("not worth it")
    assert log.recent(1)[0].event == "worth it"


def test_secrets_are_masked_before() -> None:
    """In fields, in texts, in tracebacks."""
    tell("polled", url="https://h/flow?api_key=planted", settings={"password": "planted"})
    try:
        raise ValueError("GET /flow?api_key=planted")  # noqa: TRY301 - as a library might
    except ValueError:
        structlog.get_logger("test").exception("failed")
    told = str(log.recent(2))
    assert "planted" not in told
    assert told.count("***") >= 3
    assert "Traceback" in log.recent(1)[0].fields["exception"]


def test_libraries_are_kept_too() -> None:
    """With the name of who speaks."""
    logging.getLogger("aiohttp.server").error("Error handling request token=planted")
    (last,) = log.recent(1)
    assert (last.event, last.level) == ("Error handling request token=***", "error")
    assert last.fields["logger"] == "aiohttp.server"


def test_what_is_kept_is_bounded() -> None:
    """In events, in fields, and in the length of each; both ends of a long text stay."""
    for number in range(log.KEPT + 10):
        tell(f"event {number}")
    assert len(log.recent(10_000)) == log.KEPT
    assert [it.event for it in log.recent(2)] == [f"event {log.KEPT + 9}", f"event {log.KEPT + 8}"]
    tell("x" * 5000, **{f"field_{number}": "a" + "y" * 5000 + "b" for number in range(100)})
    (last,) = log.recent(1)
    assert len(last.event) <= log.LONGEST_KEPT + 3
    assert len(last.fields) == log.MOST_KEPT_FIELDS
    text = last.fields["field_0"]
    assert len(text) <= log.LONGEST_KEPT + 3
    assert (text[0], text[-1]) == ("a", "b")


def test_threads_may_log_while_it_is_read() -> None:
    """Nothing is lost, and no reading fails."""
    with ThreadPoolExecutor(4) as pool:
        told = [pool.submit(tell, f"from a thread {number}") for number in range(200)]
        while not all(each.done() for each in told):
            log.recent()
    assert {it.event for it in log.recent(200)} == {f"from a thread {number}" for number in range(200)}


@pytest.mark.parametrize("level", ["warning", "error"])
def test_what_is_not_written_is_kept_all_the_same(level: Any, capsys: pytest.CaptureFixture[str]) -> None:
    """The page shows what happened however quiet the terminal shall be."""
    log.set_up(log.LogSettings(level=level))
    tell("quiet")
    structlog.get_logger("test").error("loud")
    assert [it.event for it in log.recent(2)] == ["loud", "quiet"]
    written = capsys.readouterr().err
    assert "loud" in written
    assert "quiet" not in written
