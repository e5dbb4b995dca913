"""Follows the feed, and tells Prometheus at each scrape what is known then.

What is not known, or so old that it says nothing of now, is absent and never 0.
"""

import asyncio
import time
from bisect import bisect_left
from collections import Counter
from collections.abc import AsyncIterable, Iterator, Mapping
from datetime import datetime
from enum import StrEnum
from itertools import accumulate, islice
from math import isfinite

from prometheus_client import CollectorRegistry, ProcessCollector
from prometheus_client.core import HistogramMetricFamily, InfoMetricFamily, Metric
from prometheus_client.registry import Collector

from pvcharge import __version__
from pvcharge.model import (
    Decision,
    DeviceHealth,
    Lease,
    PowerFlow,
    Reason,
    Session,
    Setpoint,
)
from pvcharge.values import DECISION_GOOD_S, Kind, Snapshot, SnapshotKeeper, Value
from pvcharge.web.catalogue import (
    BUILD,
    CATALOGUE,
    CHANGES,
    DECISIONS,
    ERRORS,
    FACTS,
    FOLLOWED,
    LAG,
    LEASES,
    OTHER_FACT,
    READINGS,
    SESSIONS,
    SHOWN,
    STATE_AGE,
    UP,
    Sample,
)

LAG_EVERY_S = 1.0
MOST_SOURCES = 20  # of readings; their names may come from the far end
MOST_FACTS = 20  # of a device that have no metric of their own


class Change(StrEnum):
    """How one leased setpoint differs from the one before."""

    START = "start"
    STOP = "stop"
    PHASES = "phases"
    CURRENT = "current"


class LoopLag:
    """Measures how late the event loop wakes a sleeper, which is how long it was held up."""

    bounds_s = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)

    def __init__(self) -> None:
        self._counts = [0] * (len(self.bounds_s) + 1)
        self._sum_s = 0.0

    async def run(self) -> None:
        """Measure until cancelled."""
        loop = asyncio.get_running_loop()
        while True:
            due_s = loop.time() + LAG_EVERY_S
            await asyncio.sleep(LAG_EVERY_S)
            self.observe(loop.time() - due_s)

    def observe(self, lag_s: float) -> None:
        """Take a measurement into account."""
        lag_s = max(0.0, lag_s)
        self._counts[bisect_left(self.bounds_s, lag_s)] += 1
        self._sum_s += lag_s

    def family(self) -> Metric:
        """Return the histogram."""
        names = (*map(str, self.bounds_s), "+Inf")
        buckets = list(zip(names, accumulate(self._counts), strict=True))
        return HistogramMetricFamily(LAG.name, LAG.what, buckets=buckets, sum_value=self._sum_s)


class _Process(ProcessCollector):
    """The library's metrics of the process, also where systemd's ProcSubset=pid hides /proc/stat."""

    def _boot_time(self) -> float:
        return time.time() - time.clock_gettime(time.CLOCK_BOOTTIME)


class Metrics(Collector):
    """Follows the feed, and tells at each scrape what is known then.

    Args:
        keeper: turns events into a snapshot; this task feeds it.
        events: a subscription of the feed.

    Attributes:
        registry: all that there is to tell.
        lag: of the event loop.
    """

    def __init__(self, keeper: SnapshotKeeper, events: AsyncIterable[object]) -> None:
        self._keeper = keeper
        self._events = events
        self.lag = LoopLag()
        self._errors: Counter[str] = Counter()
        self._readings: Counter[str] = Counter()
        self._decisions: dict[Reason, int] = {}
        self._leases = 0
        self._leased: Setpoint | None = None
        self._changes = dict.fromkeys(Change, 0)
        self._sessions = 0
        self.registry = CollectorRegistry()
        self.registry.register(self)
        _Process(registry=self.registry)

    async def run(self) -> None:
        """Follow the feed, and measure the event loop's lag, until cancelled."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._follow(), name="metrics: follow")
            group.create_task(self.lag.run(), name="metrics: lag")

    async def _follow(self) -> None:
        async for event in self._events:
            self.take(event)

    def trouble(self) -> str | None:
        """Return why the daemon does not do its work, None if it does."""
        if self._keeper.snapshot().decision is not None:
            return None
        return f"no decision within the last {DECISION_GOOD_S:.0f} s"

    def take(self, event: object) -> None:
        """Take an event of the feed into account; what is of no interest here is ignored."""
        self._keeper.take(event)
        match event:
            case PowerFlow():
                self._readings[self._source(event.source)] += 1
            case Decision():
                # From the first decision on, since an edge makes none, with all reasons, as rates need a 0.
                self._decisions = self._decisions or dict.fromkeys(Reason, 0)
                self._decisions[event.reason] += 1
            case Lease():
                self._take_lease(event)
            case DeviceHealth():
                self._errors[event.name] += int(not event.ok)
            case Session(ended_at=datetime()):
                self._sessions += 1

    def _take_lease(self, lease: Lease) -> None:
        self._leases += 1
        before, self._leased = self._leased, lease.setpoint
        if before is not None and before != lease.setpoint:
            self._changes[_change(before, lease.setpoint)] += 1

    def _source(self, name: str) -> str:
        """Return what a source of readings is called here."""
        name = name or "unnamed"
        return name if name in self._readings or len(self._readings) < MOST_SOURCES else "other"

    def describe(self) -> Iterator[Metric]:
        """Return the whole catalogue, without numbers."""
        return (entry.family() for entry in CATALOGUE)

    def collect(self) -> Iterator[Metric]:
        """Return what is known now."""
        snapshot = self._keeper.snapshot()
        for family in (*self._house(snapshot), *self._devices(snapshot), *self._counts()):
            if family.samples:
                yield family
        yield self.lag.family()
        yield InfoMetricFamily("pvcharge_build", BUILD.what, value={"version": __version__})

    def _house(self, snapshot: Snapshot) -> Iterator[Metric]:
        for value, entry, factor in SHOWN:
            yield entry.family(_samples(value, snapshot, factor))
        followed = snapshot.decision.source if snapshot.decision else None
        if followed is not None:
            name = self._source(followed)
            yield FOLLOWED.family(((source,), float(source == name)) for source in self._readings)

    def _devices(self, snapshot: Snapshot) -> Iterator[Metric]:
        devices = snapshot.devices.values()
        yield UP.family(((device.name,), float(device.ok)) for device in devices)
        yield STATE_AGE.family(
            ((device.name,), max(0.0, (snapshot.at - device.since).total_seconds())) for device in devices
        )
        facts = {device.name: _numbers(device.facts) for device in devices}
        for key, (entry, factor) in FACTS.items():
            yield entry.family(
                ((name,), numbers[key] * factor) for name, numbers in facts.items() if key in numbers
            )
        yield OTHER_FACT.family(
            ((name, key), number)
            for name, numbers in facts.items()
            for key, number in islice(sorted(it for it in numbers.items() if it[0] not in FACTS), MOST_FACTS)
        )

    def _counts(self) -> Iterator[Metric]:
        yield ERRORS.family(((name,), count) for name, count in self._errors.items())
        yield READINGS.family(((source,), count) for source, count in self._readings.items())
        yield DECISIONS.family(((reason.value,), count) for reason, count in self._decisions.items())
        yield LEASES.family([((), self._leases)])
        yield CHANGES.family(((change.value,), count) for change, count in self._changes.items())
        yield SESSIONS.family([((), self._sessions)])


def _samples(value: Value, snapshot: Snapshot, factor: float) -> Iterator[Sample]:
    taken = value.take(snapshot)
    if value.kind in (Kind.NUMBER, Kind.FLAG):
        number = _number(taken)
        if number is not None:
            yield (), number * factor
    elif taken is not None:
        for option in value.options:
            yield (str(option),), float(option == taken)


def _numbers(facts: Mapping[str, object]) -> dict[str, float]:
    """Return those facts that are numbers."""
    numbers = {key: _number(fact) for key, fact in facts.items()}
    return {key: number for key, number in numbers.items() if number is not None}


def _number(value: object) -> float | None:
    """Return what Prometheus can do with as a number, None if it is none."""
    if not isinstance(value, int | float):
        return None
    try:
        number = float(value)
    except OverflowError:
        return None
    return number if isfinite(number) else None


def _change(before: Setpoint, after: Setpoint) -> Change:
    """Return how two setpoints differ, which they do."""
    if not before.charges:
        return Change.START
    if not after.charges:
        return Change.STOP
    return Change.CURRENT if before.phases == after.phases else Change.PHASES
