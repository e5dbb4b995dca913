"""Remembers a change by hand at the charger, so that a restart of the daemon does not undo it.

Only the driver's process that runs notices such a change; after a restart the charger just stands as it does.
So it is kept when it was and what the charger was set to by then. If it is found set so again, the change
still counts; if not, somebody has gone on since.
"""

import asyncio
from collections.abc import AsyncIterable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Literal, Self

import structlog
from pydantic import AwareDatetime, BaseModel, ConfigDict, ValidationError, model_validator

from pvcharge.model import ChargerState, ChargerStatus, Clock, Setpoint
from pvcharge.tasks.feed import Event
from pvcharge.tasks.kept_file import KeptFile

log = structlog.get_logger(__name__)

FILE = "hand.json"
TOO_OLD = timedelta(days=7)  # no change can be respected for longer


class _Kept(BaseModel):
    """What stands in the file."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    v: Literal[1] = 1
    changed_at: AwareDatetime
    phases: int
    current_a: int

    @model_validator(mode="after")
    def _legal(self) -> Self:
        self.setpoint  # noqa: B018 - raises what the caller is told
        return self

    @property
    def setpoint(self) -> Setpoint:
        """What the charger was set to."""
        return Setpoint(self.phases, self.current_a)


class HandStore:
    """Follows the feed and keeps the last change by hand on disk; tells of it until there is another one.

    Args:
        state_dir: where the file is.
        clock: the daemon's time.
        events: a subscription of the feed.
    """

    def __init__(self, state_dir: Path, clock: Clock, events: AsyncIterable[Event]) -> None:
        self._file = KeptFile(state_dir / FILE, "a change by hand")
        self._clock = clock
        self._events = events
        self._before: _Kept | None = None  # from before the restart, as long as it may count
        self._outdated = False  # what stands in the file
        self._found = False  # the charger was found as that change has left it

    async def restore(self) -> None:
        """Read the file; one that cannot be read or makes no sense is reported and counts as absent."""
        try:
            document = await self._file.read()
            if document is not None:
                self._take(_Kept.model_validate(document))
        except OSError as problem:
            self._not_restored(problem.strerror)
        except ValidationError:
            self._not_restored("not what pvcharge writes there")

    def _not_restored(self, problem: str | None) -> None:
        log.warning("change by hand not restored", file=str(self._file.path), error=problem)

    def _take(self, kept: _Kept) -> None:
        if timedelta(0) <= self._clock.now() - kept.changed_at < TOO_OLD:
            self._before = kept

    def complete(self, status: ChargerStatus) -> ChargerStatus:
        """Return a status with the change from before the restart, where the charger tells of none."""
        before = self._before
        if before is None:
            return status
        if status.changed_by_hand_at is not None:
            self._before = None
            return status
        if not self._found and not self._look(status, before):
            return status
        return replace(status, changed_by_hand_at=before.changed_at)

    def _look(self, status: ChargerStatus, before: _Kept) -> bool:
        """See whether the charger still is as it was left, as soon as it tells."""
        if status.setpoint is None and status.state is not ChargerState.DISCONNECTED:
            return False
        is_same = status.setpoint == before.setpoint
        self._found = is_same and status.state is not ChargerState.DISCONNECTED
        if not self._found:
            self._before, self._outdated = None, True
        return self._found

    async def run(self) -> None:
        """Write down each change, until cancelled."""
        written = self._before.changed_at if self._before else None
        async for event in self._events:
            if not isinstance(event, ChargerStatus) or event.setpoint is None:
                continue
            if self._outdated:
                self._outdated = False
                await self._remove()
            changed_at, setpoint = event.changed_by_hand_at, event.setpoint
            if changed_at is not None and changed_at != written:
                kept = _Kept(changed_at=changed_at, phases=setpoint.phases, current_a=setpoint.current_a)
                if await self._file.write(kept.model_dump(mode="json")):
                    written = changed_at

    async def _remove(self) -> None:
        try:
            await asyncio.to_thread(self._file.path.unlink, missing_ok=True)
        except OSError as problem:
            file, error = str(self._file.path), problem.strerror
            log.warning("a change by hand that is over may be remembered", file=file, error=error)
