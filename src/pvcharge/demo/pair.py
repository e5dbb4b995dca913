"""Cloud and edge as two processes on the stage: `pvcharge run` twice, each with its own configuration."""

import asyncio
import os
import sys
from asyncio.subprocess import DEVNULL, Process
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

from pvcharge import config
from pvcharge.demo.pages import web_table
from pvcharge.demo.stage import Stage
from pvcharge.problems import ENV_PREFIX
from pvcharge.toml import toml

ROLES = ("edge", "cloud")
PAGE_ORDER = ("cloud", "edge")  # in which they get their ports
STOP_S = 15.0
LAST_WORDS = 5  # lines of the log of a daemon that has ended by itself
# What is meant for a real daemon beside this one.
OTHERS = (ENV_PREFIX, "NOTIFY_", "WATCHDOG_", "STATE_DIRECTORY", "CREDENTIALS_DIRECTORY")


class Pair:
    """The two daemons.

    Args:
        stage: the devices; to be running when the pair is.
        folder: for configurations, logs and state.
        brokers: the `[mqtt]` table of each role.
        more: further tables of a role, if any.

    Attributes:
        processes: by role, as started last.
    """

    def __init__(
        self,
        stage: Stage,
        folder: Path,
        brokers: Mapping[str, Mapping[str, Any]],
        more: Mapping[str, Mapping[str, Any]] | None = None,
    ) -> None:
        self.processes: dict[str, Process] = {}
        self._stage = stage
        self._folder = folder
        self._brokers = brokers
        self._more = more or {}

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Run both for as long as the context lasts."""
        tables = {"edge": self._edge_tables(), "cloud": {"inverter": self._stage.cloud_inverters()}}
        for role in ROLES:
            self._write_config(role, tables[role])
        await self._stage.log_in(config.load(self.config_file("cloud")))
        try:
            for role in ROLES:
                await self.start(role)
            yield
        finally:
            for role in ROLES:
                await self.stop(role)

    def _edge_tables(self) -> dict[str, Any]:
        """Return the devices in the house; an edge that reads an inverter can stand alone."""
        inverters = self._stage.local_inverters()
        alone: dict[str, Any] = {"inverter": inverters, "edge": {"on_silence": "local"}} if inverters else {}
        return {**self._stage.charger_tables(), **alone}

    async def start(self, role: str) -> None:
        """Start a daemon on the stage's clock."""
        stage = self._stage
        clock = f"{stage.start.isoformat()},{stage.options.speed},{stage.start_unix_s}"
        with self._log_file(role).open("ab") as log:
            self.processes[role] = await asyncio.create_subprocess_exec(
                *(sys.executable, "-m", "pvcharge", "run", "-c", self.config_file(role), "--clock", clock),
                stdout=DEVNULL,
                stderr=log,
                env={name: value for name, value in os.environ.items() if not name.startswith(OTHERS)},
            )

    async def stop(self, role: str) -> int | None:
        """Stop a daemon, the hard way if need be, and return its exit code; None if it was never started."""
        process = self.processes.get(role)
        if process is None:
            return None
        with suppress(ProcessLookupError):
            process.terminate()
        try:
            return await asyncio.wait_for(process.wait(), STOP_S)
        except TimeoutError:
            process.kill()
            return await process.wait()

    def config_file(self, role: str) -> Path:
        """Return where a role's configuration stands."""
        return self._folder / f"{role}.toml"

    def log(self, role: str) -> list[str]:
        """Return what a daemon has logged, over all its lives."""
        return self._log_file(role).read_text(encoding="utf-8", errors="replace").splitlines()

    def last_words(self, role: str) -> str:
        """Return the end of that, for whoever wonders why it has ended."""
        return "\n".join(self.log(role)[-LAST_WORDS:])

    def _log_file(self, role: str) -> Path:
        return self._folder / f"{role}.log"

    def _write_config(self, role: str, devices: Mapping[str, Any]) -> None:
        state_dir = self._folder / role
        state_dir.mkdir(exist_ok=True)  # there may be a past in it already
        path = self.config_file(role)
        path.touch(mode=0o600)
        ports = dict(zip(PAGE_ORDER, self._stage.options.ports, strict=False))
        site = self._stage.site_tables(state_dir)
        mqtt, more = {"mqtt": self._brokers[role]}, self._more.get(role, {})
        tables = {"role": role, **site, **devices, **mqtt, **web_table(ports.get(role)), **more}
        path.write_text(toml(tables), encoding="utf-8")
