"""No secret gets into the log, on a terminal or in the journal, from us or from a library."""

import json
import logging
import sys
from collections.abc import Iterator
from typing import Any, Literal

import pytest
import structlog
from pydantic import SecretStr

from pvcharge import log

Form = Literal["json", "console"]


@pytest.fixture(params=["json", "console"])
def form(request: pytest.FixtureRequest) -> Form:
    """Return each of the two forms of the log."""
    chosen: Form = request.param
    return chosen


@pytest.fixture(autouse=True)
def _restored() -> Iterator[None]:
    """Leave logging as it was."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    structlog.reset_defaults()
    root.handlers[:], root.level = handlers, level


SECRETS: dict[str, Any] = {
    "a key": {"password": "planted"},
    "a key that ends so": {"wattpilot_password": "planted"},
    "a number": {"access_token": 1234567},
    "a table": {"settings": {"name": "w", "client_secret": "planted"}},
    "a table within a list": {"devices": [{"api_key": "planted"}]},
    "a tuple under a secret key": {"refresh_tokens": ("planted", "planted")},
    "a query": {"url": "https://h/site/1/flow?api_key=planted&x=1"},
    "a login": {"url": "https://h/back?code=planted&site_id=1"},
    "a password in an address": {"url": "mqtt://user:plan@ted:planted@h:1883"},
    "a header": {"text": "Authorization: Bearer planted"},
    "another header": {"text": "{'X-API-Key': 'planted planted'}"},
    "basic login": {"text": "authorization=Basic planted"},
    "JSON": {"text": '{"refresh_token": "planted", "client_secret":"planted,planted"}'},
    "TOML": {"text": "password = 'planted planted'"},
    "YAML": {"text": "password: planted"},
    "an assignment": {"text": "token=planted,planted}"},
    "an exception": {"error": ValueError("GET /x?api_key=planted")},
    "bytes": {"body": b"password=planted"},
    "a secret of the settings": {"setting": SecretStr("planted")},
}


@pytest.mark.parametrize("fields", SECRETS.values(), ids=SECRETS)
def test_secrets_of_fields_are_masked(
    form: Form, fields: dict[str, Any], capsys: pytest.CaptureFixture[str]
) -> None:
    """Whatever form they have."""
    log.set_up(log.LogSettings(format=form))
    structlog.get_logger("test").info("something happened", **fields)
    written = capsys.readouterr().err
    assert "something happened" in written
    assert "***" in written
    assert "planted" not in written
    assert "1234567" not in written


def fail(message: str) -> None:
    """Raise an error as a library might that shows what it was given."""
    raise ValueError(message)


def test_tracebacks_are_masked(form: Form, capsys: pytest.CaptureFixture[str]) -> None:
    """Both of the exception that is logged and of the one that caused it."""
    log.set_up(log.LogSettings(format=form))
    try:
        try:
            fail("https://h/?api_key=planted1")
        except ValueError:
            fail("password='planted2'")
    except ValueError:
        structlog.get_logger("test").exception("failed")
    written = capsys.readouterr().err
    assert "Traceback" in written
    assert "During handling" in written
    assert "api_key=***" in written
    assert "planted" not in written


def test_libraries_are_masked(form: Form, capsys: pytest.CaptureFixture[str]) -> None:
    """A library's message, its arguments and its traceback go the same way as ours."""
    log.set_up(log.LogSettings(format=form))
    try:
        fail("client_secret=planted3")
    except ValueError:
        logging.getLogger("library.http").warning("at %s", "u?api_key=planted1", exc_info=True)
    logging.getLogger("library.http").error("token=planted2")
    logging.getLogger("library.http").info("chatter")
    written = capsys.readouterr().err
    assert "library.http" in written
    assert "client_secret=***" in written
    assert "planted" not in written
    assert "LogRecord" not in written
    assert "chatter" not in written


@pytest.mark.parametrize(
    "text",
    [
        "exit code: 5",
        "code = 404",
        "token: expired, log in again",
        "the key of the site is wrong",
        "wrong password, says the box",
        "https://h/path?site=1&from=2026-06-01T12:00:00Z",
        "http://192.0.2.20:80/ws for 12:30@home",
        "secretary = nobody",
    ],
)
def test_what_is_no_secret_stays_readable(text: str) -> None:
    """A log that is masked too much helps nobody."""
    assert log.scrub(text) == text


def test_numbers_and_tables_stay_what_they_are(capsys: pytest.CaptureFixture[str]) -> None:
    """JSON is for machines: what is no text must not become one."""
    log.set_up(log.LogSettings(format="json"))
    fields = {"code": 404, "ratio": 0.5, "on": True, "nothing": None, "table": {"key": [1, "x"]}}
    structlog.get_logger("test").warning("numbers", **fields)
    event = json.loads(capsys.readouterr().err)
    assert {key: event[key] for key in fields} == fields
    assert (event["event"], event["level"]) == ("numbers", "warning")
    assert event["timestamp"].endswith("Z")


def test_the_level_is_obeyed(capsys: pytest.CaptureFixture[str]) -> None:
    """What is below the level is not written."""
    log.set_up(log.LogSettings(level="warning", format="json"))
    logger = structlog.get_logger("test")
    logger.info("quiet")
    logger.warning("loud")
    assert [json.loads(line)["event"] for line in capsys.readouterr().err.splitlines()] == ["loud"]


@pytest.mark.parametrize(
    ("terminal", "journal", "is_json"), [(True, False, False), (True, True, True), (False, False, True)]
)
def test_auto_is_for_people_on_a_terminal_only(
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    *,
    terminal: bool,
    journal: bool,
    is_json: bool,
) -> None:
    """The journal and a pipe get JSON."""
    monkeypatch.setattr(sys.stderr, "isatty", lambda: terminal)
    monkeypatch.delenv("JOURNAL_STREAM", raising=False)
    if journal:
        monkeypatch.setenv("JOURNAL_STREAM", "8:1")
    log.set_up(log.LogSettings())
    structlog.get_logger("test").info("hello")
    assert capsys.readouterr().err.startswith("{") == is_json


@pytest.mark.parametrize("no_color", [True, False])
def test_no_color_is_respected(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, *, no_color: bool
) -> None:
    """Colours are for terminals whose owner wants them."""
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    monkeypatch.delenv("NO_COLOR", raising=False)
    if no_color:
        monkeypatch.setenv("NO_COLOR", "1")
    log.set_up(log.LogSettings(format="console"))
    structlog.get_logger("test").info("hello")
    assert ("\x1b[" in capsys.readouterr().err) != no_color
