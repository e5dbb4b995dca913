"""What others say can neither steer the terminal of whoever reads the log, nor look like a line of ours."""

import json
import logging
from collections.abc import Iterator

import pytest
import structlog

from pvcharge import log
from pvcharge.drivers.solaredge.answers import Answer, problem
from tasks.fakes import START

NASTY = "it\x1b]0;owned\x07 fails\r\n2026-06-15T12:00:00Z [info     ] all is well\x9b2J\u202e\u2028"


@pytest.fixture(autouse=True)
def _restored() -> Iterator[None]:
    """Leave logging as it was."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    structlog.reset_defaults()
    root.handlers[:], root.level = handlers, level


def test_a_terminal_is_not_steered(capsys: pytest.CaptureFixture[str]) -> None:
    """One line stays one line, in which everything can be seen; our own keep their colours elsewhere."""
    log.set_up(log.LogSettings(format="console"))
    structlog.get_logger("test").warning("device failed", error=NASTY, inner={"deep": [NASTY]})
    written = capsys.readouterr().err
    assert written.count("\n") == 1
    assert written.rstrip("\n").isprintable()
    assert "x1b]0;owned" in written


def test_a_traceback_keeps_its_lines(capsys: pytest.CaptureFixture[str]) -> None:
    """But no more than these."""
    log.set_up(log.LogSettings(format="console"))
    try:
        int(NASTY)
    except ValueError:
        structlog.get_logger("test").exception("failed")
    written = capsys.readouterr().err
    assert written.count("\n") > 3
    assert "".join(written.split("\n")).isprintable()


def test_json_and_the_page_have_it_too(capsys: pytest.CaptureFixture[str]) -> None:
    """They are read in terminals as well."""
    log.set_up(log.LogSettings(format="json"))
    structlog.get_logger("test").warning("device failed", error=NASTY)
    assert json.loads(capsys.readouterr().err)["error"].isprintable()
    assert log.recent(1)[0].fields["error"].isprintable()


def test_what_a_cloud_says_is_printable() -> None:
    """Commands print it without a log."""
    body = json.dumps({"detail": NASTY}).encode()
    said = problem(Answer("SolarEdge", START, 500, body=body))
    assert said.isprintable()
    assert "owned" in said
