"""Logging: for people on a terminal, as JSON in the journal; secrets are masked in both."""

import logging
import os
import re
import sys
from collections import deque
from collections.abc import Mapping, MutableMapping
from dataclasses import dataclass
from datetime import datetime
from itertools import islice
from threading import Lock
from typing import Any, Literal

import structlog
from pydantic import BaseModel, ConfigDict

from pvcharge.concealed import MASK, conceal_known

KEPT = 500  # events in memory
LONGEST_KEPT = 2000  # characters of a text among them, such as a traceback
MOST_KEPT_FIELDS = 30
_NO_FIELDS = {"level", "timestamp", "event"}
_SECRET_KEY = re.compile(r"password|secret|token|api_?key|authorization|hmac", re.IGNORECASE)
_SECRET_IN_TEXT = re.compile(
    r"""
    (?P<name>
        (?: api[_-]?key | (?<![a-z])[a-z]+_token | client_secret | password | hmac ) ["']? \s* [=:] \s*
        | \b (?: token | secret ) ["']? \s* = \s*  # no colon: "token: expired" is a sentence
        | [?&] code =                                # an exit code is no secret, that of a login is
        | authorization ["']? \s* [=:] \s* ["']? (?: \w+ \s+ )?
        | \b bearer \s+
    )
    (?: "[^"]*" | '[^']*' | [^\s"'&]+ )
    """,
    re.IGNORECASE | re.VERBOSE,
)
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069]")
_MAY_HAVE_LINES = {"event", "exception", "stack"}
_PASSWORD_IN_URL = re.compile(r"(?P<user>://[^/\s:@]*:)[^/\s]+@")


class LogSettings(BaseModel):
    """The `[log]` table."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    level: Literal["debug", "info", "warning", "error"] = "info"
    format: Literal["auto", "console", "json"] = "auto"


@dataclass(frozen=True, slots=True)
class Happened:
    """An event as it was logged, secrets masked; whatever its fields were, they are text now."""

    at: datetime
    level: str
    event: str
    fields: Mapping[str, str]


_kept: deque[Happened] = deque(maxlen=KEPT)
_keeping = Lock()  # threads log too


def recent(limit: int = KEPT) -> list[Happened]:
    """Return the last events but those for debugging, newest first; at most so many."""
    with _keeping:
        return list(islice(reversed(_kept), limit))


def scrub(text: str) -> str:
    """Mask what is known to be a secret, or looks like one, in a text of unknown origin."""
    text = conceal_known(text)
    return _PASSWORD_IN_URL.sub(rf"\g<user>{MASK}@", _SECRET_IN_TEXT.sub(rf"\g<name>{MASK}", text))


def _masked(key: str, value: Any) -> Any:
    """Return a value that may be written under this key; what is neither number nor table becomes text."""
    if _SECRET_KEY.search(key):
        return MASK
    if value is None or isinstance(value, bool | int | float):
        return value
    if isinstance(value, Mapping):
        return {str(inner): _masked(str(inner), its) for inner, its in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [_masked(key, each) for each in value]
    return _tamed(scrub(str(value)), has_lines=key in _MAY_HAVE_LINES)


def _tamed(text: str, *, has_lines: bool) -> str:
    """Show control characters as such: a device's word must neither steer a terminal nor pass for a line."""
    return _CONTROL.sub(lambda it: it[0] if has_lines and it[0] in "\n\t" else ascii(it[0])[1:-1], text)


def _mask(_logger: Any, _method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    return {key: _masked(key, value) for key, value in event.items()}


def _keep(_logger: Any, _method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Remember an event; its secrets have been masked before."""
    level = str(event["level"])
    if level != "debug":
        fields = (item for item in event.items() if item[0] not in _NO_FIELDS)
        told = {key: _shortened(str(value)) for key, value in islice(fields, MOST_KEPT_FIELDS)}
        at = datetime.fromisoformat(event["timestamp"])
        happened = Happened(at, level, _shortened(str(event.get("event", ""))), told)
        with _keeping:
            _kept.append(happened)
    return event


def _only_from(least: int) -> Any:
    """Return what lets pass only events of this level and above."""

    def only_from(_logger: Any, _method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
        if logging.getLevelNamesMapping()[str(event["level"]).upper()] < least:
            raise structlog.DropEvent
        return event

    return only_from


def _shortened(text: str) -> str:
    """Return both ends of a long text: a traceback says at its end what went wrong."""
    half = LONGEST_KEPT // 2
    return text if len(text) <= LONGEST_KEPT else f"{text[:half]} … {text[-half:]}"


def set_up(settings: LogSettings) -> None:
    """Configure structlog and the standard library's logging to write to stderr."""
    stamp: list[Any] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    # Tracebacks become text before masking, since a foreign exception may hold a URL with a key.
    keep: list[Any] = [structlog.processors.format_exc_info, _mask, _keep]
    render, least = _renderer(settings.format), logging.getLevelNamesMapping()[settings.level.upper()]
    structlog.configure(
        processors=[*stamp, *keep, _only_from(least), render],
        # What is kept for the page does not depend on how much is written.
        wrapper_class=structlog.make_filtering_bound_logger(min(least, logging.INFO)),
        logger_factory=structlog.WriteLoggerFactory(sys.stderr),
        cache_logger_on_first_use=False,
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[*stamp, structlog.stdlib.add_logger_name],
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *keep, render],
        )
    )
    # Libraries are heard only when something is wrong; what they say is masked like our own.
    logging.basicConfig(handlers=[handler], level=logging.WARNING, force=True)


def _renderer(form: str) -> Any:
    on_terminal = sys.stderr.isatty()
    if form == "json" or (form == "auto" and (not on_terminal or "JOURNAL_STREAM" in os.environ)):
        return structlog.processors.JSONRenderer()
    return structlog.dev.ConsoleRenderer(
        colors=on_terminal and "NO_COLOR" not in os.environ,
        exception_formatter=structlog.dev.plain_traceback,
    )
