"""What the controller has learned, kept over a restart: a hint for the next one, never a condition.

With it goes what was switched lately and which change by hand a command came after, so that the limits on
switching and the driver's hand outlast a restart, too.
"""

import asyncio
import json
from collections.abc import AsyncIterable, Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any, Literal, Protocol

import structlog
from pydantic import AwareDatetime, BaseModel, ConfigDict, ValidationError

from pvcharge.model import Clock, Decision, ForgetCommand, ModeCommand
from pvcharge.storage import set_aside
from pvcharge.tasks.feed import Event
from pvcharge.tasks.kept_file import KeptFile

log = structlog.get_logger(__name__)

FILE = "learned.json"
WRITE_EVERY_S = 900.0
GOODBYE_S = 3.0  # real seconds for the last write
TOO_OLD = timedelta(days=60)  # by then the sun and the household go other ways


class Learner(Protocol):
    """Who learns: the controller."""

    def learned(self) -> dict[str, Any]:
        """Return what has been learned, fit for JSON."""
        ...

    def recall(self, document: Mapping[str, Any]) -> None:
        """Know from now on what was learned before.

        Raises:
            ValueError: it makes no sense; nothing was changed.
        """
        ...


class _Kept(BaseModel):
    """What stands in the file."""

    model_config = ConfigDict(extra="forbid")

    v: Literal[1]
    at: AwareDatetime
    learned: dict[str, Any]


class LearnedStore:
    """Has the controller recall what an earlier one had learned, and writes down what this one learns.

    An edge has none, also where it may stand in for its cloud.

    Args:
        state_dir: where the file is.
        clock: the daemon's time.
        controller: of this daemon.
        events: a subscription of the feed, which tells what is switched, and when all shall be forgotten.

    Attributes:
        recalled: what the controller has recalled, as JSON; None if nothing.
    """

    def __init__(
        self, state_dir: Path, clock: Clock, controller: Learner, events: AsyncIterable[Event]
    ) -> None:
        self.recalled: str | None = None
        self._file = KeptFile(state_dir / FILE, "what was learned")
        self._clock = clock
        self._controller = controller
        self._events = events
        self._on_disk: str | None = None
        self._phases: int | None = None  # as decided last
        self._saving = asyncio.Lock()

    async def restore(self) -> None:
        """Have the controller recall what stands in the file, before it sees or decides anything.

        A file that cannot be read, makes no sense or is too old is reported and counts as absent.
        """
        try:
            document = await self._file.read()
        except OSError as error:
            self._not_recalled(error.strerror)
            return
        if document is None:
            return
        try:
            kept = _Kept.model_validate(document)
            self._check_age(kept)
            self._controller.recall(kept.learned)
        except ValidationError:
            await self._set_aside("not what pvcharge writes there")
        except ValueError as error:
            await self._set_aside(str(error))
        else:
            self.recalled = self._on_disk = json.dumps(kept.learned)
            log.info("recalled what was learned", written_at=kept.at.isoformat(timespec="seconds"))

    async def run(self) -> None:
        """Write down what is learned, from time to time, when something is switched, and at the end."""
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(self._follow(), name="learned: follow")
                group.create_task(self._write_at_times(), name="learned: write")
        except asyncio.CancelledError:
            await self._say_goodbye()
            raise

    async def _follow(self) -> None:
        async for event in self._events:
            if isinstance(event, ForgetCommand):
                await self._forget()
            elif self._is_to_be_kept_at_once(event):
                await self._save()

    def _is_to_be_kept_at_once(self, event: Event) -> bool:
        """Whether a restart a moment later must know of it: something was switched, or commanded."""
        if not isinstance(event, Decision):
            return isinstance(event, ModeCommand)
        before, self._phases = self._phases, event.setpoint.phases
        return before not in (None, self._phases)

    async def _forget(self) -> None:
        """Have nothing on the disk that is older than the command, even if it is full."""
        async with self._saving:
            self._on_disk = None
            try:
                await asyncio.to_thread(self._file.path.unlink, missing_ok=True)
            except OSError as error:
                path = str(self._file.path)
                log.warning(
                    "what was learned is forgotten until a restart only", file=path, error=error.strerror
                )
        await self._save()

    async def _write_at_times(self) -> None:
        while True:
            await self._clock.sleep(WRITE_EVERY_S)
            await self._save()

    async def _say_goodbye(self) -> None:
        try:
            async with asyncio.timeout(GOODBYE_S):
                await self._save()
        except TimeoutError:
            log.warning("what was learned last is not kept", file=str(self._file.path))

    async def _save(self) -> None:
        """Write what has changed; what has begun goes on to its end when we are cancelled."""
        writing = asyncio.create_task(self._write(), name="learned: save")
        await asyncio.shield(writing)

    async def _write(self) -> None:
        async with self._saving:
            learned = json.dumps(self._controller.learned())  # now: the controller goes on learning meanwhile
            if learned == self._on_disk:
                return
            at = self._clock.now().isoformat()
            if await self._file.write({"v": 1, "at": at, "learned": json.loads(learned)}):
                self._on_disk = learned

    def _check_age(self, kept: _Kept) -> None:
        days = (self._clock.now() - kept.at) // timedelta(days=1)
        if days >= TOO_OLD.days:
            raise ValueError(f"{days} days old")

    async def _set_aside(self, problem: str) -> None:
        try:
            aside = await asyncio.to_thread(set_aside, self._file.path)
        except OSError as error:
            self._not_recalled(f"{problem}; {error.strerror}")
        else:
            self._not_recalled(problem, kept_as=str(aside))

    def _not_recalled(self, problem: str | None, **more: str) -> None:
        log.warning(
            "what was learned is not recalled; it begins anew",
            file=str(self._file.path),
            error=problem,
            **more,
        )
