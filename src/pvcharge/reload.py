"""SIGHUP: the configuration is read again; what can change while the daemon runs does, the rest is named."""

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import structlog
from pydantic import BaseModel

from pvcharge import config
from pvcharge import log as logging
from pvcharge.config import Config, ConfigError, Device
from pvcharge.control import ControlSettings
from pvcharge.log import LogSettings
from pvcharge.tasks.settings_overlay import EDITABLE

log = structlog.get_logger(__name__)

READ_S = 10.0  # real seconds for the disk
# Limits of the current, phases and voltage are known to more than the controller: they wait for a restart.
LIVE = frozenset(EDITABLE) - {"edge.on_silence"}
LIVE_AT_AN_EDGE: frozenset[str] = frozenset()  # which has its settings from its beginning, or from the cloud
LEVEL = "log.level"

Reconfigure = Callable[[ControlSettings], Awaitable[None]]


class Reloader:
    """Reads the configuration file again, and has carried out what can be.

    Args:
        path: of the file.
        running: what the daemon was started with.
        reconfigure: has the controller go on by another `[control]`.
    """

    def __init__(self, path: Path, running: Config, reconfigure: Reconfigure) -> None:
        self._path = path
        self._running = running
        self._reconfigure = reconfigure
        self._live = LIVE_AT_AN_EDGE if running.role == "edge" else LIVE

    async def reload(self) -> None:
        """Go on by what the file says now; a broken one is reported, and changes nothing."""
        try:
            async with asyncio.timeout(READ_S):
                wanted = await asyncio.to_thread(config.load, self._path)
        except ConfigError as error:
            log.error("configuration not taken, all goes on as before", problems=error.problems)  # noqa: TRY400 - no crash
            return
        except TimeoutError:
            log.error("configuration not taken, all goes on as before", problems=["the disk does not answer"])  # noqa: TRY400
            return
        different = list(differences(self._running, wanted))
        changed = [key for key in different if key in self._live or key == LEVEL]
        await self._take(wanted, changed)
        log.info("configuration read again", changed=changed)
        waiting = [key for key in different if key not in changed]
        if waiting:
            log.warning("needs a restart", settings=", ".join(waiting))

    async def _take(self, wanted: Config, changed: list[str]) -> None:
        running = self._running
        names = [key.removeprefix("control.") for key in changed if key != LEVEL]
        if names:
            values = running.control.model_dump() | wanted.control.model_dump(include=set(names))
            control = ControlSettings.model_validate(values)
            await self._reconfigure(control)
            self._running = replace(self._running, control=control)
        if LEVEL in changed:
            settings = LogSettings(level=wanted.log.level, format=running.log.format)
            logging.set_up(settings)
            self._running = replace(self._running, log=settings)


def differences(before: Config, after: Config) -> Iterator[str]:
    """Yield the keys in which two configurations differ, such as `control.min_on_s`; never a value."""
    for name in ("role", "state_dir"):
        if getattr(before, name) != getattr(after, name):
            yield name
    devices = [device.settings.name for device in before.inverters]
    if devices != [device.settings.name for device in after.inverters]:
        yield "inverter"
    else:
        for name, was, now in zip(devices, before.inverters, after.inverters, strict=True):
            yield from _between(f"inverter {name}", was, now)
    for table in ("site", "charger", "control", "edge", "mqtt", "history", "influxdb", "web", "log"):
        yield from _between(table, getattr(before, table), getattr(after, table))


def _between(table: str, before: Any, after: Any) -> Iterator[str]:
    """Yield the keys of a table that differ; the table itself where it came, went, or is of another kind."""
    if isinstance(before, Device) and isinstance(after, Device) and before.driver == after.driver:
        before, after = before.settings, after.settings
    if isinstance(before, BaseModel) and type(before) is type(after):
        for key in type(before).model_fields:
            if getattr(before, key) != getattr(after, key):
                yield f"{table}.{key}"
    elif before != after:
        yield table
