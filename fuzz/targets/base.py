"""What a target is, and what all of them need."""

import asyncio
import atexit
import logging
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from datetime import UTC, datetime
from math import isfinite
from pathlib import Path
from random import Random
from shutil import rmtree
from tempfile import mkdtemp
from typing import Any, TypeVar

import structlog

from targets.mutate import mutate_lines

NOON = datetime(2026, 6, 15, 12, tzinfo=UTC)
LARGEST = (
    16_384  # bytes of an input; all parsers have limits of their own, which are below or are tested apart
)
LONGEST_MESSAGE = 4000  # characters of what a person is told

T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """A parser under test.

    Attributes:
        name: of the command line and the corpus.
        run: parses an input and checks what comes of it. Whatever it raises is a finding.
        seeds: inputs in the real shapes, from which everything begins.
        mutate: changes an input so that it stays near those shapes.
    """

    name: str
    run: Callable[[bytes], None]
    seeds: tuple[bytes, ...]
    mutate: Callable[[bytes, Random], bytes] = mutate_lines


class StillClock:
    """A clock that stands at noon."""

    def now(self) -> datetime:
        """Return noon."""
        return NOON

    async def sleep(self, seconds: float) -> None:
        """Return at once, after the others have had their turn."""
        del seconds
        await asyncio.sleep(0)


class _Runner:
    """The one event loop of a process that tries many inputs."""

    def __init__(self) -> None:
        self._runner: asyncio.Runner | None = None
        self.goodbyes: list[Callable[[], Coroutine[Any, Any, None]]] = []

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        if self._runner is None:
            self._runner = asyncio.Runner()
        return self._runner.run(work)

    def close(self) -> None:
        while self.goodbyes:
            self.run(self.goodbyes.pop()())
        runner, self._runner = self._runner, None
        if runner is not None:
            runner.close()


_RUNNER = _Runner()


def run(work: Coroutine[Any, Any, T]) -> T:
    """Run a coroutine to its end."""
    return _RUNNER.run(work)


def at_close(work: Callable[[], Coroutine[Any, Any, None]]) -> None:
    """Have something done before the event loop is closed."""
    _RUNNER.goodbyes.append(work)


def close() -> None:
    """Close the event loop, if there is one."""
    _RUNNER.close()


def folder() -> Path:
    """Return a new folder that goes with the process."""
    path = Path(mkdtemp(prefix="pvcharge-fuzz-"))
    atexit.register(rmtree, path, ignore_errors=True)
    return path


def is_number(value: float | None, least: float, most: float) -> bool:
    """Whether a value is None or a real number within these bounds; a truth value is none."""
    if value is None:
        return True
    return not isinstance(value, bool) and isfinite(value) and least <= value <= most


def check_text(text: str) -> None:
    """Fail unless a text can be shown on any terminal and kept anywhere: printable, bounded and encodable."""
    text.encode()
    assert len(text) <= LONGEST_MESSAGE, "a text is endless"
    assert text.isprintable(), f"a text is not printable: {text!a}"


def check_message(error: Exception, *parts: str, secrets: tuple[str, ...] = ()) -> None:
    """Fail unless an error says something, says where, and gives no secret away."""
    text = str(error)
    for line in text.splitlines():
        check_text(line)
    assert text, f"{type(error).__name__} says nothing"
    for part in parts:
        assert part in text, f"{text!a} does not say {part!a}"
    for secret in secrets:
        assert secret not in text, "a secret in a message"


def be_quiet() -> None:
    """Log nothing that is not a bug, in a process that does nothing but this."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    logging.disable(logging.CRITICAL)
