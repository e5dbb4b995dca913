"""A real VictoriaMetrics on a free loopback port, for tests.

    async with running_victoria(tmp_path) as victoria:
        writer = InfluxWriter(victoria.settings(), ...)
        samples = await victoria.samples()

Where it is not installed the test is skipped, or fails if `PVCHARGE_REQUIRE_SERVICES` is set. What the server
has written to its log stays in `victoria.log` in the folder given.
"""

import asyncio
import json
import signal
from asyncio.subprocess import DEVNULL, Process
from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from pvcharge.history.influx.settings import InfluxSettings
from support.broker import HOST, free_port
from support.services import require

PACKAGE = "victoria-metrics"
LOST_S = (
    11.0  # what it has taken within so long before a kill may be lost, see `pvcharge.history.influx.settling`
)
_READY_S = 10.0
_STOP_S = 10.0


@dataclass(frozen=True, slots=True)
class Sample:
    """One value that the server has."""

    name: str  # measurement and field
    tags: frozenset[tuple[str, str]]
    at_ms: int
    value: float


class Victoria:
    """A VictoriaMetrics that can be stopped, killed, paused and started again on the same port and data.

    Attributes:
        url: where it listens.
        log_file: what it has written, over all its lives.
    """

    def __init__(self, folder: Path, port: int) -> None:
        self.url = f"http://{HOST}:{port}"
        self.log_file = folder / "victoria.log"
        self._arguments = [
            f"-storageDataPath={folder / 'data'}",
            f"-httpListenAddr={HOST}:{port}",
            "-retentionPeriod=100y",
            "-dedup.minScrapeInterval=1ms",  # a point that is sent again is the same point
            "-search.disableCache",
            "-search.latencyOffset=0s",
            "-memory.allowedBytes=128MB",
            "-loggerLevel=WARN",
        ]
        self._process: Process | None = None

    def settings(self, **changes: Any) -> InfluxSettings:
        """Return settings for a writer to it, eager ones unless changed."""
        return InfluxSettings.model_validate({"url": self.url, "flush_s": 0.05} | changes)

    def log(self) -> str:
        """Return what the server has written so far."""
        return self.log_file.read_text(encoding="utf-8") if self.log_file.exists() else ""

    async def start(self) -> None:
        """Start it and return when it answers."""
        with self.log_file.open("ab") as log:
            self._process = await asyncio.create_subprocess_exec(
                require(PACKAGE, PACKAGE), *self._arguments, stdout=DEVNULL, stderr=log
            )
        async with asyncio.timeout(_READY_S):
            while not await self._answers():
                if self._process.returncode is not None:
                    pytest.fail(f"{PACKAGE} has ended by itself:\n{self.log()}")
                await asyncio.sleep(0.02)

    async def stop(self) -> None:
        """End it in good order: it saves what it has."""
        await self._end(signal.SIGTERM)

    async def kill(self) -> None:
        """End it at once: connections break, and what it has not saved yet is lost."""
        await self._end(signal.SIGKILL)

    def pause(self) -> None:
        """Freeze it: connections stay, nothing is answered."""
        self._signal(signal.SIGSTOP)

    def resume(self) -> None:
        """Let it go on after `pause`."""
        self._signal(signal.SIGCONT)

    async def samples(self, selector: str = '{__name__!=""}') -> list[Sample]:
        """Return all that it has, as often as it has it."""
        await self._flush()
        text = await self._get("/api/v1/export", {"match[]": selector, "start": "0"})
        return [sample for row in text.splitlines() for sample in _samples(json.loads(row))]

    async def query(self, promql: str, **parameters: str) -> Any:
        """Return the result of a query over a range, or at a time if there is no `step`."""
        await self._flush()
        path = "/api/v1/query_range" if "step" in parameters else "/api/v1/query"
        answer = json.loads(await self._get(path, {"query": promql} | parameters))
        return answer["data"]["result"]

    async def _flush(self) -> None:
        """Have it find what it has taken within the last second, too."""
        await self._get("/internal/force_flush")

    async def _get(self, path: str, parameters: Mapping[str, str] | None = None) -> str:
        async with (
            aiohttp.ClientSession(self.url, raise_for_status=True) as session,
            session.get(path, params=parameters) as response,
        ):
            return await response.text()

    async def _answers(self) -> bool:
        try:
            await self._get("/health")
        except aiohttp.ClientError:
            return False
        return True

    def _signal(self, number: signal.Signals) -> None:
        if self._process is not None and self._process.returncode is None:
            self._process.send_signal(number)

    async def _end(self, number: signal.Signals) -> None:
        if self._process is None:
            return
        if number is not signal.SIGKILL:
            self._signal(signal.SIGCONT)  # a paused one would not notice
        self._signal(number)
        try:
            async with asyncio.timeout(_STOP_S):
                await self._process.wait()
        except TimeoutError:
            self._process.kill()
            await self._process.wait()
        self._process = None


def _samples(row: Mapping[str, Any]) -> list[Sample]:
    tags = dict(row["metric"])
    name = tags.pop("__name__")
    pairs = zip(row["timestamps"], row["values"], strict=True)
    return [Sample(name, frozenset(tags.items()), at_ms, value) for at_ms, value in pairs]


def expected(lines: Iterable[str]) -> set[Sample]:
    """Return what the server makes of lines without escapes: a sample for each field, 0 for a text."""
    samples = set()
    for line in lines:
        series, fields, at_ms = line.split(" ")
        measurement, *tags = series.split(",")
        pairs = frozenset((name, value) for name, _, value in (tag.partition("=") for tag in tags))
        for name, _, value in (field.partition("=") for field in fields.split(",")):
            number = 0.0 if value.startswith('"') else float(value.removesuffix("i"))
            samples.add(Sample(f"{measurement}_{name}", pairs, int(at_ms), number))
    return samples


@asynccontextmanager
async def running_victoria(folder: Path, *, port: int | None = None) -> AsyncIterator[Victoria]:
    """Run a server for as long as the context lasts.

    Args:
        folder: for its files, such as pytest's `tmp_path`.
        port: where to listen, by default a free one.
    """
    require(PACKAGE, PACKAGE)
    folder = folder / "victoria"
    folder.mkdir()
    victoria = Victoria(folder, port or free_port())
    try:
        await victoria.start()
        yield victoria
    finally:
        await victoria.kill()
