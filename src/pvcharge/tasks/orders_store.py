"""The cloud's orders for the time in which it is silent, kept on the edge's disk."""

import asyncio
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from pathlib import Path
from typing import Annotated, Literal, Self

import structlog
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from pvcharge.control import ControlSettings
from pvcharge.model import Clock, LimitsCommand, Mode
from pvcharge.storage import KeptTime, read_json, set_aside
from pvcharge.tasks.kept_file import KeptFile

log = structlog.get_logger(__name__)

FILE = "orders.json"
AHEAD = timedelta(seconds=2)  # that orders may seem to come from the future; clocks are not known better

_Amps = Annotated[int, Field(ge=1, le=1000)]


class Orders(BaseModel):
    """What the cloud wants to be done in its absence; times are those of the edge's clock."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    v: Literal[1] = 1
    at: KeptTime
    told_at: KeptTime  # the same as the cloud wrote it, by which a repeated message is known
    control: ControlSettings
    mode: Mode
    until: KeptTime | None = None  # of a boost
    mode_after: Mode  # a boost, which without an end of its own may be ended by the user
    min_current_a: _Amps
    max_current_a: _Amps

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if self.mode_after is Mode.BOOST:
            raise ValueError("mode_after: no boost follows a boost")
        return self

    @property
    def limits(self) -> LimitsCommand:
        """The limits of the current that the user has commanded."""
        return LimitsCommand(self.min_current_a, self.max_current_a)

    def settings(self, own: ControlSettings) -> ControlSettings:
        """Return how to control here: as the cloud does, within what this house allows.

        Phases and currents are those that both allow; if there are none, the house's. So are minimum times,
        starts and phase switches in an hour.
        """
        phases = tuple(number for number in own.phases if number in self.control.phases) or own.phases
        lowest_a = max(own.min_current_a, self.control.min_current_a)
        highest_a = min(own.max_current_a, self.control.max_current_a)
        if lowest_a > highest_a:
            lowest_a, highest_a = own.min_current_a, own.max_current_a
        within = {"phases": phases, "min_current_a": lowest_a, "max_current_a": highest_a}
        return self.control.model_copy(update=within | self._gentlest(own))

    def _gentlest(self, own: ControlSettings) -> dict[str, float | int]:
        """Return the limits on wear of which each is the stricter of both: whoever orders may be anybody."""
        theirs = self.control
        return {
            "min_on_s": max(own.min_on_s, theirs.min_on_s),
            "min_off_s": max(own.min_off_s, theirs.min_off_s),
            "max_starts_per_hour": min(own.max_starts_per_hour, theirs.max_starts_per_hour),
            "max_phase_switches_per_hour": min(
                own.max_phase_switches_per_hour, theirs.max_phase_switches_per_hour
            ),
        }


class OrdersStore:
    """Judges orders that come in, has them obeyed, and keeps the last ones over a restart.

    Args:
        state_dir: where the file is.
        clock: the edge's time.
        obey: takes good orders, such as the stand-in's `obey`.
    """

    def __init__(self, state_dir: Path, clock: Clock, obey: Callable[[Orders], None]) -> None:
        self._file = KeptFile(state_dir / FILE, "orders")
        self._clock = clock
        self._obey = obey
        self._kept: Orders | None = None
        self._on_disk: Orders | None = None

    async def restore(self) -> None:
        """Have those obeyed that were kept; to be called before anything else is decided.

        A file that cannot be read or makes no sense is reported and counts as absent.
        """
        try:
            document = await asyncio.to_thread(read_json, self._file.path)
            if document is None:
                return
            self._kept = self._on_disk = Orders.model_validate(document)
        except OSError as error:
            log.warning("orders not restored", file=str(self._file.path), error=error.strerror)
            return
        except ValidationError:
            await self._set_aside()
            return
        log.info("orders restored", mode=self._kept.mode.value, told_at=self._kept.told_at)
        self._obey(self._kept)

    async def take(self, values: Mapping[str, object]) -> None:
        """Have orders obeyed that are newer than those kept, and keep them.

        Args:
            values: by name the fields of `Orders`.

        Raises:
            ValueError: they make no sense; the text says where, fit to be sent back.
        """
        try:
            orders = Orders.model_validate(values)
        except ValidationError as error:
            raise ValueError(_first_problem(error)) from None
        if not self._is_news(orders):
            return
        self._kept = orders
        self._obey(orders)
        changed = self._on_disk is None or _meaning(self._on_disk) != _meaning(orders)
        if changed and await self._file.write(orders.model_dump(mode="json")):
            self._on_disk = orders

    def _is_news(self, orders: Orders) -> bool:
        """Whether these are later than those kept, which count as old if the clock was set back since."""
        kept = self._kept
        if kept is None:
            return True
        if orders.told_at == kept.told_at:
            return False
        return orders.at > kept.at or kept.at > self._clock.now() + AHEAD

    async def _set_aside(self) -> None:
        try:
            aside = await asyncio.to_thread(set_aside, self._file.path)
        except OSError as error:
            log.warning("orders not restored", file=str(self._file.path), error=error.strerror)
        else:
            log.warning(
                "orders make no sense and were set aside", file=str(self._file.path), kept_as=str(aside)
            )


def same_time(one: datetime | None, other: datetime | None) -> bool:
    """Whether two ends of a boost are the same one, converted from the cloud's time at two occasions."""
    if one is None or other is None:
        return one is other
    return abs(one - other) <= AHEAD


def _meaning(orders: Orders) -> tuple[object, ...]:
    """Return what is to be obeyed, without the time of the message."""
    return orders.control, orders.mode, orders.until, orders.mode_after, orders.limits


def _first_problem(error: ValidationError) -> str:
    problem = error.errors(include_url=False, include_context=False, include_input=False)[0]
    place = ".".join(str(part) for part in problem["loc"])
    reason = problem["msg"].removeprefix("Value error, ")
    return f"{place!a}: {reason}" if place else reason
