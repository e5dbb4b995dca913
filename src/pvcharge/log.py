"""Logging: for people on a terminal, as JSON in the journal; secrets are masked in both."""

import logging
import os
import re
import sys
from collections.abc import MutableMapping
from typing import Any, Literal

import structlog
from pydantic import BaseModel, ConfigDict

MASK = "***"
_SECRET_KEY = re.compile(r"password|secret|token|api_?key|authorization|hmac", re.IGNORECASE)
_SECRET_IN_TEXT = re.compile(
    r"(?P<name>api_key|access_token|refresh_token|client_secret|password|code)(?P<equals>[\"']?\s*[=:]\s*[\"']?)"
    r"(?P<value>[^\s\"'&,}]+)",
    re.IGNORECASE,
)


class LogSettings(BaseModel):
    """The `[log]` table."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    level: Literal["debug", "info", "warning", "error"] = "info"
    format: Literal["auto", "console", "json"] = "auto"


def scrub(text: str) -> str:
    """Mask what looks like a secret in a text of unknown origin."""
    return _SECRET_IN_TEXT.sub(rf"\g<name>\g<equals>{MASK}", text)


def _mask(_logger: Any, _method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    for key, value in event.items():
        if _SECRET_KEY.search(key):
            event[key] = MASK
        elif isinstance(value, str):
            event[key] = scrub(value)
    return event


def set_up(settings: LogSettings) -> None:
    """Configure structlog and the standard library's logging to write to stderr."""
    console = settings.format == "console" or (
        settings.format == "auto" and sys.stderr.isatty() and "JOURNAL_STREAM" not in os.environ
    )
    shared: list[Any] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    # Tracebacks become text before masking, since a foreign exception may hold a URL with a key.
    finish: list[Any] = [structlog.processors.format_exc_info, _mask]
    renderer: Any = (
        structlog.dev.ConsoleRenderer(colors="NO_COLOR" not in os.environ and sys.stderr.isatty())
        if console
        else structlog.processors.JSONRenderer()
    )
    structlog.configure(
        processors=[*shared, *finish, renderer],
        wrapper_class=structlog.make_filtering_bound_logger(settings.level),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
        cache_logger_on_first_use=False,
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(foreign_pre_chain=shared, processors=[*finish, renderer])
    )
    # Libraries are heard only when something is wrong; what they say is masked like our own.
    logging.basicConfig(handlers=[handler], level=logging.WARNING, force=True)
