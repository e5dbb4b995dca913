"""Settings and what was learned, as the page asks for them."""

from collections.abc import Mapping
from typing import Any, Protocol

from pydantic import JsonValue

from pvcharge.control import ControlSettings
from pvcharge.model import ForgetCommand, SettingsCommand
from pvcharge.page.steering import Commander
from pvcharge.tasks.settings_store import SettingsConflictError, SettingsInvalidError, SettingsStore
from pvcharge.web.answers import Scalar, Setting, Settings
from pvcharge.web.ports import ConflictError, RefusedError


class Learner(Protocol):
    """Who learns: the controller."""

    def learned(self) -> dict[str, Any]:
        """Return what has been learned, fit for JSON."""
        ...


class StoredSettings:
    """Settings that are kept and carried out. See `pvcharge.web.ports.SettingsPort`.

    Args:
        store: keeps them.
        commander: hands them to the controller.
    """

    def __init__(self, store: SettingsStore, commander: Commander) -> None:
        self._store = store
        self._commander = commander

    async def settings(self) -> Settings:
        """Return all of them, as they are in force."""
        document = self._store.document()
        return Settings(
            revision=document.revision,
            can_undo=document.can_undo,
            kept=document.kept,
            settings=[Setting.model_validate(entry, from_attributes=True) for entry in document.settings],
        )

    async def change(self, revision: int, changes: Mapping[str, Scalar]) -> Settings:
        """Change some; see the port."""
        try:
            control = await self._store.change(revision, changes)
        except SettingsConflictError as error:
            raise ConflictError(str(error)) from None
        except SettingsInvalidError as error:
            raise RefusedError(error.errors) from None
        return await self._carry_out(control)

    async def undo(self) -> Settings:
        """Take back the last change; see the port."""
        try:
            control = await self._store.undo()
        except SettingsConflictError as error:
            raise ConflictError(str(error)) from None
        return await self._carry_out(control)

    async def _carry_out(self, control: ControlSettings) -> Settings:
        await self._commander.carry_out(SettingsCommand(control.model_dump_json()))
        return await self.settings()


class StoredLearned:
    """What the controller has learned. See `pvcharge.web.ports.LearnedPort`.

    Args:
        controller: has learned it.
        commander: tells it to forget.
    """

    def __init__(self, controller: Learner, commander: Commander) -> None:
        self._controller = controller
        self._commander = commander

    async def learned(self) -> Mapping[str, JsonValue]:
        """Return it."""
        return self._controller.learned()

    async def forget(self) -> None:
        """Forget all of it; returns when that is done."""
        await self._commander.carry_out(ForgetCommand())
