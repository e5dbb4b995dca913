"""Remembers what the user has commanded, so that a restart of the daemon does not undo it."""

import asyncio
from collections.abc import AsyncIterable
from datetime import datetime
from pathlib import Path
from typing import Annotated

import structlog
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, ValidationError

from pvcharge.model import Clock, Decision, LimitsCommand, Mode, ModeCommand
from pvcharge.storage import read_json
from pvcharge.tasks.feed import Event
from pvcharge.tasks.kept_file import KeptFile

log = structlog.get_logger(__name__)

FILE = "commands.json"

_Amps = Annotated[int, Field(ge=1, le=1000)] | None


class _Commanded(BaseModel):
    """What stands in the file; what was never commanded is None, and left to the configuration."""

    model_config = ConfigDict(extra="forbid", validate_assignment=True)

    v: Annotated[int, Field(ge=1, le=1)] = 1
    mode: Mode | None = None  # the one to return to, where there is a boost
    boost: bool = False
    boost_until: AwareDatetime | None = None
    min_current_a: _Amps = None
    max_current_a: _Amps = None

    def take(self, event: Event, configured: LimitsCommand) -> None:
        """Take an event of the feed into account; limits as configured count as never commanded."""
        match event:
            case ModeCommand(mode=Mode.BOOST):
                self.boost, self.boost_until = True, event.until
            case ModeCommand():
                self.mode, self.boost, self.boost_until = event.mode, False, None
            case Decision() if event.mode is not Mode.BOOST:
                self.boost, self.boost_until = False, None  # it has ended by itself
            case LimitsCommand():
                lowest_a, highest_a = event.min_current_a, event.max_current_a
                self.min_current_a = None if lowest_a == configured.min_current_a else lowest_a
                self.max_current_a = None if highest_a == configured.max_current_a else highest_a

    def commands(self, now: datetime) -> list[ModeCommand | LimitsCommand]:
        """Return what is still in force, in an order in which it can be carried out."""
        commands: list[ModeCommand | LimitsCommand] = []
        if self.min_current_a is not None or self.max_current_a is not None:
            commands.append(LimitsCommand(self.min_current_a, self.max_current_a))
        if self.mode is not None:
            commands.append(ModeCommand(self.mode))
        boost = ModeCommand(Mode.BOOST, self.boost_until)
        is_over = boost.until is not None and boost.until <= now
        if self.boost and not is_over and not boost.ends_too_late(now):
            commands.append(boost)
        return commands


class CommandsStore:
    """Follows the feed and keeps the user's commands on disk.

    Args:
        state_dir: where the file is.
        clock: the daemon's time.
        events: a subscription of the feed.
        configured: the configured limits of the current.
    """

    def __init__(
        self, state_dir: Path, clock: Clock, events: AsyncIterable[Event], configured: LimitsCommand
    ) -> None:
        self._file = KeptFile(state_dir / FILE, "commands")
        self._clock = clock
        self._events = events
        self._configured = configured
        self._commanded = _Commanded()

    async def restore(self) -> list[ModeCommand | LimitsCommand]:
        """Return the commands still in force; to be carried out before the first decision.

        A file that cannot be read or makes no sense is reported and counts as absent.
        """
        try:
            document = await asyncio.to_thread(read_json, self._file.path)
            self._commanded = _Commanded.model_validate(document or {})
        except OSError as problem:
            log.warning("commands not restored", file=str(self._file.path), error=problem.strerror)
        except ValidationError:
            log.warning(
                "commands not restored", file=str(self._file.path), error="not what pvcharge writes there"
            )
        commands = self._commanded.commands(self._clock.now())
        if commands:
            log.info("commands restored", commands=[str(command) for command in commands])
        return commands

    async def run(self) -> None:
        """Write down each change, until cancelled."""
        async for event in self._events:
            before = self._commanded.model_copy()
            self._commanded.take(event, self._configured)
            if self._commanded != before:
                await self._file.write(self._commanded.model_dump(mode="json"))
