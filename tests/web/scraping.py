"""What the tests of the web room share: metrics fed by hand, and a server to be scraped."""

import asyncio
import socket
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

from aiohttp import web
from prometheus_client import generate_latest
from prometheus_client.openmetrics.parser import text_string_to_metric_families as parse_openmetrics
from prometheus_client.parser import text_string_to_metric_families as parse_text

from pvcharge.model import (
    ChargerState,
    ChargerStatus,
    Decision,
    DeviceHealth,
    Lease,
    LimitsCommand,
    Mode,
    PowerFlow,
    Reason,
    Setpoint,
)
from pvcharge.values import SnapshotKeeper
from pvcharge.web.metrics import Metrics
from pvcharge.web.problems import answer_problems
from pvcharge.web.server import WebServer
from pvcharge.web.settings import WebSettings
from pvcharge.web.watched import Watched
from support.manual_clock import ManualClock

NOON = datetime(2026, 6, 15, 12, tzinfo=UTC)
LINGER_S = 15.0  # real seconds; only a test that fails takes so long

Samples = dict[tuple[str, frozenset[tuple[str, str]]], float]


class Rig:
    """Metrics with the test in the place of the feed, and a server that has yet to run.

    Args:
        listen: where the server listens; a free port unless given.

    Attributes:
        metrics: what is tested.
        told: the server's health, as it was told.
        running: set as soon as something was told.
        server: what is tested, too.
        url: where it is.
    """

    def __init__(self, listen: str | None = None) -> None:
        self._time = SimpleNamespace(now=NOON)
        self._feed: asyncio.Queue[object] = asyncio.Queue()
        self.clock = ManualClock(self._time)
        keeper = SnapshotKeeper(self.clock, LimitsCommand(6, 16))
        self.metrics = Metrics(keeper, self._events())
        self.told: list[DeviceHealth] = []
        self.running = asyncio.Event()
        settings = WebSettings(listen=listen or f"127.0.0.1:{free_port()}")
        self.port = settings.port
        self.url = f"http://{settings.listen}"
        self.watched = Watched(self.metrics.registry, self.metrics.trouble)
        self.server = WebServer(settings, self.clock, self._app, self._tell)

    async def _app(self) -> web.Application:
        app = web.Application(middlewares=[answer_problems])
        app.router.add_get("/metrics", self.watched.metrics)
        app.router.add_get("/healthz", self.watched.healthz)
        return app

    async def _events(self) -> AsyncIterator[object]:
        while True:
            yield await self._feed.get()

    def _tell(self, event: DeviceHealth) -> None:
        self.told.append(event)
        self.running.set()

    def publish(self, event: object) -> None:
        """Publish an event on the feed that running metrics follow."""
        self._feed.put_nowait(event)

    def pass_time(self, seconds: float) -> None:
        """Let the daemon's time pass."""
        self._time.now += timedelta(seconds=seconds)

    def take(self, *events: object) -> None:
        """Have events taken into account."""
        for event in events:
            self.metrics.take(event)

    def samples(self) -> Samples:
        """Return what a scrape would find now."""
        return text_samples(generate_latest(self.metrics.registry).decode())

    def shown(self, name: str) -> dict[str, float]:
        """Return the samples of a metric by their labels' values, joined by slashes."""
        return {
            "/".join(text for _, text in sorted(labels)): number
            for (sample, labels), number in self.samples().items()
            if sample == name
        }

    def health(self) -> list[tuple[bool, str | None]]:
        """Return whether the server worked, as it was told, and what was wrong."""
        return [(it.ok, it.error) for it in self.told]


@asynccontextmanager
async def serving(rig: Rig) -> AsyncIterator[asyncio.Task[None]]:
    """Run the server for as long as the context lasts, then end it; it must leave no task behind."""
    before = asyncio.all_tasks()
    rig.running.clear()
    task = asyncio.create_task(rig.server.run())
    try:
        await rig.running.wait()
        yield task
    finally:
        task.cancel()
        await asyncio.wait([task])
        await asyncio.sleep(0)
    left = asyncio.all_tasks() - before - {asyncio.current_task()}
    # aiohttp goes on reading for ten seconds at most from a client that has gone with a body unsent.
    assert not left or not (await asyncio.wait(left, timeout=LINGER_S))[1]
    if not task.cancelled():
        task.result()


def free_port() -> int:
    """Return a port that nobody listens on now."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        port: int = server.getsockname()[1]
        return port


def text_samples(text: str) -> Samples:
    """Return the samples of Prometheus' text format; each series may be there once only."""
    return _by_series([sample for family in parse_text(text) for sample in family.samples])


def openmetrics_samples(text: str) -> Samples:
    """Return the samples of OpenMetrics, whose parser also checks what each type demands."""
    families: Any = parse_openmetrics(text)  # type: ignore[no-untyped-call]
    return _by_series([sample for family in families for sample in family.samples])


def _by_series(samples: list[Any]) -> Samples:
    found = {(sample.name, frozenset(sample.labels.items())): sample.value for sample in samples}
    assert len(found) == len(samples)
    return found


def flow(at: datetime = NOON, **changes: Any) -> PowerFlow:
    """Return a reading of an instant."""
    values: dict[str, Any] = {"pv_w": 4000.0, "grid_w": -1500.0, "load_w": 2500.0, "source": "roof"}
    return PowerFlow(at, at, **(values | changes))


def status(at: datetime = NOON, **changes: Any) -> ChargerStatus:
    """Return the status of a car that charges."""
    values: dict[str, Any] = {"state": ChargerState.CHARGING, "power_w": 1400.0, "phases": 1}
    return ChargerStatus(at, **(values | changes))


def decision(at: datetime = NOON, **changes: Any) -> Decision:
    """Return a decision for 1 x 12 A."""
    values: dict[str, Any] = {
        "setpoint": Setpoint(1, 12),
        "reason": Reason.FOLLOWING,
        "mode": Mode.SURPLUS,
        "surplus_w": 2900.0,
        "reading_age_s": 4.5,
    }
    return Decision(at, **(values | changes))


def lease(seq: int, setpoint: Setpoint) -> Lease:
    """Return a lease for a minute."""
    return Lease(seq, NOON, 60.0, setpoint)


def health(name: str, facts: Mapping[str, Any] | None = None, *, ok: bool = True) -> DeviceHealth:
    """Return how a device is since a minute before noon."""
    return DeviceHealth(
        name, NOON, ok, NOON - timedelta(minutes=1), None if ok else "key=SECRET refused", facts or {}
    )
