"""What the page asks of the rest of the daemon; whoever wires it up brings what answers."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Literal, Protocol

from pydantic import JsonValue

from pvcharge.model import Mode
from pvcharge.web.answers import Day, Energy, LogEntry, Savings, Scalar, Sessions, Settings

By = Literal["day", "month"]


class PortError(Exception):
    """What was asked for cannot be had; the message says why, and what to do."""


class PastError(PortError):
    """The history cannot be read now."""


class NotInForceError(PortError):
    """A command was passed on, but is not in force within the time for it."""


class RefusedError(PortError):
    """What was asked for is not allowed.

    Attributes:
        errors: what is wrong, by key.
    """

    def __init__(self, errors: Mapping[str, str]) -> None:
        super().__init__("; ".join(f"{key}: {message}" for key, message in errors.items()))
        self.errors = dict(errors)


class ConflictError(PortError):
    """Somebody else has changed it meanwhile, or there is nothing to undo."""


class Past(Protocol):
    """What is remembered. Days and months are those of the site's zone.

    All methods raise `PastError` where the history cannot be read.
    """

    async def day(self, day: date | None) -> Day:
        """Return a day; None is today. A day of which nothing is known has empty or None-filled columns."""
        ...

    async def energy(self, by: By, start: date, end: date) -> Energy:
        """Return energies by day or month from `start` to before `end`."""
        ...

    async def sessions(self, start: date | None, end: date | None, limit: int | None) -> Sessions:
        """Return sessions begun from `start` to before `end`, newest first; None leaves a bound away."""
        ...

    async def savings(self) -> Savings:
        """Return what this month, this year and all of the time have brought."""
        ...


class Steering(Protocol):
    """Takes the user's commands. A method returns when its command is in force.

    All methods raise `NotInForceError` where that takes longer than some real seconds, and `RefusedError`
    for what is not allowed.
    """

    @property
    def can(self) -> Sequence[str]:
        """What there is of "mode", "boost" and "limits"; the other methods are never called."""
        ...

    async def mode(self, mode: Mode) -> None:
        """Set the mode; a boost lasts until further notice."""
        ...

    async def boost(self, *, on: bool, minutes: int | None) -> None:
        """Begin a boost, for some minutes or until further notice, or end it."""
        ...

    async def limits(self, min_current_a: int | None, max_current_a: int | None) -> None:
        """Narrow the limits of the current; None leaves one as it is."""
        ...


class SettingsPort(Protocol):
    """The settings that can be changed while the daemon runs."""

    async def settings(self) -> Settings:
        """Return all of them, as they are in force."""
        ...

    async def change(self, revision: int, changes: Mapping[str, Scalar]) -> Settings:
        """Change some; None is back to what the file says.

        Raises:
            ConflictError: the revision is not the present one.
            RefusedError: a value will not do; nothing was changed.
        """
        ...

    async def undo(self) -> Settings:
        """Take back the last change.

        Raises:
            ConflictError: there is none.
        """
        ...


class LearnedPort(Protocol):
    """What the controller has learned."""

    async def learned(self) -> Mapping[str, JsonValue]:
        """Return it."""
        ...

    async def forget(self) -> None:
        """Forget all of it; returns when that is done.

        Raises:
            NotInForceError: it takes too long.
        """
        ...


class LogPort(Protocol):
    """The log's last lines."""

    def entries(self, limit: int) -> Sequence[LogEntry]:
        """Return up to so many lines, newest first, without secrets."""
        ...


@dataclass(frozen=True, slots=True)
class SupportFile:
    """A file to download."""

    name: str  # such as pvcharge-home-20260615.zip
    content: bytes


class SupportPort(Protocol):
    """Packs what helps somebody else to understand a fault."""

    async def pack(self) -> SupportFile:
        """Return a .zip without secrets."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Ports:
    """All that the page may ask for; None is what there is not."""

    past: Past | None = None
    steering: Steering | None = None
    settings: SettingsPort | None = None
    learned: LearnedPort | None = None
    log: LogPort | None = None
    support: SupportPort | None = None

    @property
    def can(self) -> list[str]:
        """What the page can offer, in the words of the state."""
        extras = {"settings": self.settings, "history": self.past, "learned": self.learned}
        steer = list(self.steering.can) if self.steering else []
        return steer + [word for word, port in extras.items() if port is not None]
