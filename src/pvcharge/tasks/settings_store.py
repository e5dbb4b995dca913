"""The settings that the user has changed: checked, kept over a restart, taken back one by one."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

import structlog
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, ValidationError

from pvcharge.control import ControlSettings
from pvcharge.model import Clock
from pvcharge.storage import read_json, set_aside
from pvcharge.tasks.charger_task import OnSilence
from pvcharge.tasks.kept_file import KeptFile
from pvcharge.tasks.settings_overlay import EDITABLE, Entry, Overlay, Scalar, SettingsInvalidError

__all__ = ["SettingsConflictError", "SettingsDocument", "SettingsInvalidError", "SettingsStore"]

log = structlog.get_logger(__name__)

FILE = "settings.json"
MOST_UNDONE = 20  # changes that can be taken back
RETRY_S = 60.0  # after the disk did not take them

_Changes = dict[str, Scalar]  # by key, as JSON has them


class _Step(BaseModel):
    """The changes as they were before one was made."""

    model_config = ConfigDict(extra="forbid", strict=True)

    at: Annotated[AwareDatetime, Field(strict=False)]  # when it was made
    changes: _Changes


class _Kept(BaseModel):
    """What stands in the file."""

    model_config = ConfigDict(extra="forbid", strict=True)

    v: Literal[1] = 1
    revision: Annotated[int, Field(ge=0)] = 0
    changes: _Changes = {}
    undo: list[_Step] = []  # the newest last


class SettingsConflictError(Exception):
    """Somebody else was faster, or there is nothing to take back; the message says which."""


@dataclass(frozen=True, slots=True)
class SettingsDocument:
    """All settings that can be changed.

    Attributes:
        revision: rises with each change; to be named by whoever makes the next one.
        can_undo: whether there is a change that can be taken back.
        kept: whether the disk has taken all changes; else they hold until the daemon ends.
        settings: one by one.
    """

    revision: int
    can_undo: bool
    kept: bool
    settings: tuple[Entry, ...]


class SettingsStore:
    """Keeps what the user has changed beside the configuration file, which is never written.

    Args:
        state_dir: where the file is.
        clock: the daemon's time.
        configured: `[control]` as it stands in the configuration.
        on_silence: that of `[edge]`.

    Attributes:
        on_silence: in force since the start.
    """

    def __init__(
        self, state_dir: Path, clock: Clock, configured: ControlSettings, on_silence: OnSilence
    ) -> None:
        self.on_silence = on_silence
        self._file = KeptFile(state_dir / FILE, "changed settings")
        self._clock = clock
        self._overlay = Overlay(configured, on_silence)
        self._state = _Kept()
        self._kept = True
        self._saving = asyncio.Lock()

    async def restore(self) -> ControlSettings:
        """Return the settings to begin with: those of the file with the user's changes.

        A file that cannot be read or makes no sense is reported and counts as absent; changes that do not fit
        the configuration any more are reported and dropped.
        """
        state = await self._read()
        changes = self._fitting(state.changes)
        self._state = _Kept(
            revision=state.revision, changes=changes, undo=self._possible(state.undo, changes)
        )
        if self._state != state:
            self._state.revision += 1
            await self._save()
        if changes:
            log.info("changed settings restored", changes=changes)
        in_force = self._overlay.apply(changes)
        self.on_silence = in_force.on_silence
        return in_force.control

    async def reconfigure(self, configured: ControlSettings) -> ControlSettings:
        """Lay the user's changes over another `[control]`, and return what comes of it.

        Changes that do not fit it are reported and dropped, as at a start.
        """
        self._overlay = Overlay(configured, self._overlay.configured.on_silence)
        state = self._state
        changes = self._fitting(state.changes)
        undo = self._possible(state.undo, changes)
        # What the user has seen of the settings is another now, even where the changes are the same.
        self._state = _Kept(revision=state.revision + 1, changes=changes, undo=undo)
        if (changes, undo) != (state.changes, state.undo):
            await self._save()
        return self.in_force

    @property
    def in_force(self) -> ControlSettings:
        """The settings of the controller as they are wanted now."""
        return self._overlay.apply(self._state.changes).control

    def document(self) -> SettingsDocument:
        """Return all settings that can be changed, as they are wanted now."""
        state = self._state
        entries = self._overlay.entries(state.changes)
        return SettingsDocument(state.revision, bool(state.undo), self._kept, entries)

    async def change(self, revision: int, changes: Mapping[str, Scalar]) -> ControlSettings:
        """Change some settings, and return all of them; if the disk does not take it, it holds nevertheless.

        Args:
            revision: that of the settings which the user has seen.
            changes: by key; None is back to what the configuration says.

        Raises:
            SettingsConflictError: the settings have changed since.
            SettingsInvalidError: they do not fit; nothing has been changed.
        """
        state = self._state
        if revision != state.revision:
            raise SettingsConflictError(
                f"the settings have been changed meanwhile: they are at revision {state.revision}, "
                f"not {revision}; look at them again"
            )
        removed = {key for key, value in changes.items() if value is None and key in EDITABLE}
        wanted = {key: value for key, value in {**state.changes, **changes}.items() if key not in removed}
        normal = self._overlay.normal(wanted)
        if normal == state.changes:
            return self.in_force
        return await self._move_to(normal, [*state.undo, _Step(at=self._clock.now(), changes=state.changes)])

    async def undo(self) -> ControlSettings:
        """Take back the last change that has not been taken back, and return all settings.

        Raises:
            SettingsConflictError: there is none.
        """
        if not self._state.undo:
            raise SettingsConflictError("there is no change to take back")
        *undo, last = self._state.undo
        return await self._move_to(last.changes, undo)

    async def run(self) -> None:
        """Try again where the disk has not taken a change, until cancelled."""
        while True:
            await self._clock.sleep(RETRY_S)
            if not self._kept:
                await self._save()

    async def _move_to(self, changes: _Changes, undo: list[_Step]) -> ControlSettings:
        before = self._state
        undo = undo[-MOST_UNDONE:]
        self._state = _Kept(revision=before.revision + 1, changes=changes, undo=undo)
        log.info("settings changed", revision=self._state.revision, changes=changes)
        await self._save()
        return self.in_force

    async def _save(self) -> None:
        """Write all down; what has begun goes on to its end when we are cancelled, lest it comes too late."""
        writing = asyncio.create_task(self._write(), name="settings: write")
        await asyncio.shield(writing)

    async def _write(self) -> None:
        async with self._saving:
            self._kept = await self._file.write(self._state.model_dump(mode="json"))

    async def _read(self) -> _Kept:
        path = str(self._file.path)
        try:
            document = await asyncio.to_thread(read_json, self._file.path)
            return _Kept.model_validate(document or {})
        except OSError as error:
            log.warning("changed settings not restored", file=path, error=error.strerror)
        except ValidationError:
            await self._set_aside()
        return _Kept()

    async def _set_aside(self) -> None:
        path = str(self._file.path)
        try:
            aside = await asyncio.to_thread(set_aside, self._file.path)
        except OSError as error:
            log.warning("changed settings not restored", file=path, error=error.strerror)
        else:
            log.warning("changed settings make no sense and were set aside", file=path, kept_as=str(aside))

    def _fitting(self, changes: Mapping[str, Scalar]) -> _Changes:
        """Return the changes that fit the configuration; the others are reported."""
        fitting, dropped = self._overlay.fitting(changes)
        if dropped:
            log.warning(
                "changed settings do not fit the configuration any more, and were dropped", dropped=dropped
            )
        return fitting

    def _possible(self, undo: list[_Step], changes: Mapping[str, Scalar]) -> list[_Step]:
        """Return the steps back that lead somewhere, as far as they fit the configuration."""
        possible: list[_Step] = []
        after: Mapping[str, Scalar] = changes
        for step in reversed(undo[-MOST_UNDONE:]):
            before = self._overlay.fitting(step.changes)[0]
            if before != after:
                possible.append(_Step(at=step.at, changes=before))
                after = before
        return possible[::-1]
