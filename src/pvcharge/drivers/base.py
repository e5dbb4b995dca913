"""What a driver is: two protocols, the errors it may raise, and the registry that finds it.

A driver raises nothing but `DriverError`s: every lower error is chained with `from`, and no message
holds a secret. Which class it raises decides how its task goes on; see `pvcharge.tasks.retry`.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, tzinfo
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

from pydantic import BaseModel

from pvcharge.model import ChargerStatus, Clock, Lease, PowerFlow, Setpoint

INVERTERS = "pvcharge.inverters"
CHARGERS = "pvcharge.chargers"


class DriverError(Exception):
    """Something a device or its cloud did; the message says what, where, and what to do."""


class TransientError(DriverError):
    """Likely to pass: refused, timed out, dropped, overloaded, an answer that makes no sense.

    Args:
        message: what happened, where, and what to do.
        retry_after_s: the least wait before the next try, where the device named one.
    """

    def __init__(self, message: str, *, retry_after_s: float | None = None) -> None:
        super().__init__(message)
        self.retry_after_s = retry_after_s


class AuthError(DriverError):
    """The device refuses our credentials: trying again soon only locks accounts."""


class PermanentError(DriverError):
    """Will not pass without a change by the user: a retired API, a site that does not exist."""


@dataclass(frozen=True, slots=True)
class Demand:
    """What a reading would be good for; a driver with a request budget spends by it."""

    car_plugged: bool = True
    follows_surplus: bool = True  # the mode makes use of readings


class Inverter(Protocol):
    """A source of power flows. One task owns it; calls never overlap."""

    name: str

    async def read(self) -> tuple[PowerFlow, ...]:
        """Fetch the readings that are new since the last call, oldest first; empty if there are none yet.

        Raises:
            DriverError: the read failed.
        """
        ...

    def next_read_at(self, now: datetime, demand: Demand) -> datetime:
        """Return when the next read is worth its cost. Asked again whenever the demand changes."""
        ...

    def health(self) -> Mapping[str, float | str]:
        """Return facts for the user, such as the requests left; keys in snake_case with units."""
        ...

    async def aclose(self) -> None:
        """Release connections; may be called at any time and more than once."""
        ...


@dataclass(frozen=True, slots=True)
class Finding:
    """A part of an installation, as a survey found it; all texts are for people.

    Attributes:
        where: how it is reached, such as "unit 1, meter 2".
        what: maker, model, version, serial number, as far as it says.
        role: what its values are used for, or why they are not.
        says: its main values now.
    """

    where: str
    what: str
    role: str
    says: str


@dataclass(frozen=True, slots=True)
class Survey:
    """All that was found behind one address.

    Attributes:
        findings: the parts, in the order in which they were found.
        flow: what the driver makes of them; None if that is no usable reading.
        residual_w: pv + grid - load - battery where all of them are measured, which losses explain or not.
        advice: what the user should see to, a sentence each.
    """

    findings: tuple[Finding, ...]
    flow: PowerFlow | None
    residual_w: float | None
    advice: tuple[str, ...]


@runtime_checkable
class Surveyor(Protocol):
    """What an inverter can do besides that is an installation of several parts."""

    async def survey(self) -> Survey:
        """Look at everything there is, reading only. Not to be called while `read` is under way.

        Raises:
            DriverError: it cannot be reached.
        """
        ...


@runtime_checkable
class PastReader(Protocol):
    """What an inverter can do besides whose cloud remembers."""

    async def read_past(self, start: datetime, end: datetime) -> tuple[PowerFlow, ...]:
        """Fetch means over the quarter hours of an interval that has passed, as far as there are any.

        It may take requests from the budget, but never its reserve. The interval is 11 hours at most.

        Raises:
            DriverError: the read failed.
        """
        ...


class Charger(Protocol):
    """A car charger. `next_status` and `apply` are called by two tasks that may overlap."""

    name: str

    async def open(self) -> None:
        """Connect, log in and wait for one complete fresh status. May be called again after `aclose`.

        Raises:
            DriverError: no connection could be made.
        """
        ...

    async def next_status(self) -> ChargerStatus:
        """Wait until the charger has said something newer than the last status handed out.

        Raises:
            DriverError: the connection is lost or silent for too long.
        """
        ...

    async def apply(self, setpoint: Setpoint) -> None:
        """Write what differs from what the charger reports, and return when it has read back as written.

        Currents are limited to what the charger reports as possible. Nothing is written that is already so.

        Raises:
            DriverError: the charger refused the write, or did not take it.
        """
        ...

    def health(self) -> Mapping[str, float | str]:
        """Return facts for the user; keys in snake_case with units."""
        ...

    async def aclose(self) -> None:
        """Close the connection and leave the charger as it is; may be called more than once."""
        ...


@runtime_checkable
class LeaseHolder(Protocol):
    """What a charger at the far end of a network can do besides: the lease runs out there, not here."""

    async def hold(self, lease: Lease) -> None:
        """Pass on a lease. To be told of every one, also of those that change nothing.

        Raises:
            DriverError: the far end is not there.
        """
        ...


@runtime_checkable
class Announced(Protocol):
    """What a device can do besides that makes itself known when it comes back."""

    async def comes_back(self) -> None:
        """Return when the device has come back after it was gone, which is worth a try at once."""
        ...


@dataclass(frozen=True, slots=True)
class DriverContext:
    """What a driver gets from the daemon besides its own settings."""

    clock: Clock
    state_dir: Path  # for tokens and counters that must survive a restart
    latitude_deg: float
    longitude_deg: float
    timezone: tzinfo


@dataclass(frozen=True, slots=True)
class Driver:
    """An entry of the registry: how a driver is configured and made.

    Attributes:
        name: what `driver = "…"` in the configuration says.
        settings: the pydantic model of its table; unknown keys must be forbidden there.
        create: makes the driver from its validated settings. Opens nothing yet.
        kind: `INVERTERS` or `CHARGERS`.
    """

    name: str
    kind: str
    settings: type[BaseModel]
    create: Callable[[Any, DriverContext], Any]


class UnknownDriverError(LookupError):
    """No installed driver has this name; the message lists those that exist."""


def names(kind: str) -> list[str]:
    """Return the names of all installed drivers of a kind, without importing any of them."""
    return sorted({entry.name for entry in entry_points(group=kind)})


def find(kind: str, name: str) -> Driver:
    """Import the driver of that name; only drivers that the configuration names are ever imported.

    Raises:
        UnknownDriverError: nothing of that name is installed.
    """
    for entry in entry_points(group=kind):
        if entry.name == name:
            driver: Driver = entry.load()
            return driver
    raise UnknownDriverError(f"unknown driver {name!r}; installed are: {', '.join(names(kind))}")
