"""Runs a year, or a part of one, and says what came of it."""

import asyncio
import gc
import os
import random
import tempfile
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random
from types import SimpleNamespace
from typing import Any

import pytest
import structlog

from pvcharge.control import ControlSettings
from pvcharge.model import Mode
from pvcharge.sim.invented import ZONE
from pvcharge.tasks import retry
from pvcharge.tasks.charger_task import EdgeSettings
from pvcharge.tasks.feed import Event
from support import virtual_time
from year.daemon import YearDaemon
from year.faults import Chance, Stage
from year.house import Source, YearHouse
from year.pace import paced
from year.rules import RULES, Rule
from year.users import Users
from year.wall import TrueClock, WallClock
from year.world import Violation, World, Write

CALLS_PER_MONTH = 2000  # of the free tier
NEW_YEAR = datetime(2026, 1, 1, tzinfo=ZONE).astimezone(UTC)
PAGE_KB = 4
MEMORY_DISK = Path("/dev/shm")  # noqa: S108 - for a folder of a name that nobody knows
STOCK_DAYS = 5
SETTLED = 6  # takings of stock, after which caches are full
MOST_MORE_OBJECTS = 5000
MOST_MORE_MB = 40.0  # of which the simulated cloud takes 15 in a year
AFTER_HAND_S = 300.0  # in which what was set by hand is undone
SPARE_TASKS = 12  # a write, a reconnection and an answer that are under way at the moment of counting
SILENCES = ("stop", "minimum", "keep", "stop")
OBJECTIVES = ("balance", "no_import", "cost", "balance")


@dataclass
class Outcome:
    """What came of it.

    Attributes:
        seed: of everything.
        days: that were simulated.
        violations: of the rules.
        starts: of charges, by the daemon.
        switches: of phases, by the daemon.
        charged_kwh: in all.
        solar_kwh: of it, not bought.
        visits: of cars.
        logins: at the inverter's cloud, again since one had ended.
        calls: to the cloud, by month in UTC.
        tasks: of the event loop, each day at the same time.
        rss_mb: memory of the process, every few days; the simulated cloud forgets nothing.
        objects: that hold others, without those of the simulated devices, every few days.
        faults: how often each came.
        journal: the last events.
    """

    seed: int
    days: int
    violations: list[Violation] = field(default_factory=list)
    starts: int = 0
    switches: int = 0
    charged_kwh: float = 0.0
    solar_kwh: float = 0.0
    visits: int = 0
    logins: int = 0
    calls: dict[str, int] = field(default_factory=dict)
    tasks: list[int] = field(default_factory=list)
    rss_mb: list[float] = field(default_factory=list)
    objects: list[int] = field(default_factory=list)
    faults: dict[str, int] = field(default_factory=dict)
    journal: list[str] = field(default_factory=list)

    @property
    def most_calls(self) -> int:
        """The calls of the busiest month."""
        return max(self.calls.values(), default=0)

    @property
    def solar_pct(self) -> float:
        """The share of the energy that was not bought."""
        return 100 * self.solar_kwh / self.charged_kwh if self.charged_kwh else 0.0

    def line(self) -> str:
        """Return it on one line."""
        return (
            f"seed {self.seed:3}: {self.days} days, {len(self.violations)} violations, "
            f"{sum(self.faults.values())} faults, {self.visits} visits, "
            f"{self.charged_kwh:.0f} kWh ({self.solar_pct:.0f} % solar), "
            f"{self.starts} starts, {self.switches} switches, at most {self.most_calls} calls a month, "
            f"{self.logins} new logins, {min(self.tasks, default=0)}..{max(self.tasks, default=0)} tasks, "
            f"{self._memory()}"
        )

    def _memory(self) -> str:
        if not self.rss_mb:
            return "no day"
        settled = min(len(self.rss_mb) - 1, SETTLED)
        return (
            f"{self.rss_mb[settled]:.0f} -> {self.rss_mb[-1]:.0f} MB, "
            f"{self.objects[settled]} -> {self.objects[-1]} objects"
        )


class Year:
    """The rig: house, users, faults, daemon, and who watches.

    Args:
        seed: of everything.
        source: where readings come from.
        start: the first midnight.
        days: how many.
        history: whether the daemon keeps one.
        intensity: how many times as often as in a real year faults come.
        tell: told how it goes, and of each violation at once.
    """

    def __init__(
        self,
        seed: int,
        source: Source,
        start: datetime,
        days: int,
        *,
        history: bool,
        intensity: float,
        tell: Callable[[str], None],
    ) -> None:
        self._intensity, self._tell = intensity, tell
        self.outcome = Outcome(seed, days)
        self._seed, self._source, self._start, self._days = seed, source, start, days
        self._history = history
        self._rules: list[Rule] = []
        self._world: World
        self._calls_before = 0

    async def run(self) -> Outcome:
        """Let it pass."""
        clock = TrueClock(self._start)
        wall = WallClock(clock)
        with (
            tempfile.TemporaryDirectory(prefix="year-", dir=_memory_disk()) as folder,
            wall.as_the_systems(),
            paced() as nudge,
        ):
            house = YearHouse(self._seed, clock, self._source, nudge)
            async with _serving(house):
                await self._pass(house, wall, Path(folder))
        return self.outcome

    async def _pass(self, house: YearHouse, wall: WallClock, folder: Path) -> None:
        control, edge = _settings(self._seed)
        self._world = world = World(house, ControlSettings(**control), EdgeSettings(**edge), tell=self._tell)
        self._rules = [rule(world) for rule in RULES]
        daemon = YearDaemon(house, folder, self._published, control=control, edge=edge, history=self._history)
        house.box.on_write, house.watched = self._wrote, self._looked
        users = Users(self._seed, house, daemon, world)
        stage = Stage(house, daemon, wall, world, Random(f"stage {self._seed}"))  # noqa: S311 - chance
        chance = Chance(self._seed, stage, self._intensity)
        await daemon.log_in()
        with daemon.breakable():
            world.daemon_s = world.now_s
            await daemon.start()
            lives = [asyncio.create_task(run()) for run in (house.live, users.live, chance.run)]
            try:
                await self._days_pass(house, daemon, lives)
            finally:
                daemon.free()
                for life in lives:
                    life.cancel()
                await asyncio.gather(*lives, return_exceptions=True)
                await daemon.stop()
        self._sum_up(house, users, chance)

    async def _days_pass(self, house: YearHouse, daemon: YearDaemon, lives: list[asyncio.Task[None]]) -> None:
        for day in range(1, self._days + 1):
            await house.clock.until(self._start + timedelta(days=day))
            daemon.check()
            for life in lives:
                if life.done():
                    life.result()
            self._take_stock(house)
            if self._world.login_ended:  # who reads that in the evening does so
                await daemon.log_in()
                self.outcome.logins += 1

    def _take_stock(self, house: YearHouse) -> None:
        outcome, now = self.outcome, house.clock.now()
        outcome.tasks.append(len(asyncio.all_tasks()))
        month = f"{now - timedelta(hours=12):%Y-%m}"
        outcome.calls[month] = outcome.calls.get(month, 0) + house.cloud.calls - self._calls_before
        self._calls_before = house.cloud.calls
        if outcome.calls[month] > CALLS_PER_MONTH:
            self._world.broken("budget", f"{outcome.calls[month]} calls in {month}")
        if outcome.tasks[-1] > outcome.tasks[0] + SPARE_TASKS:
            self._world.broken("tasks", f"{outcome.tasks[-1]} tasks, on the first day {outcome.tasks[0]}")
        if len(outcome.tasks) % STOCK_DAYS == 0 or len(outcome.tasks) == self._days:
            gc.collect()
            self._tell(f"{now:%Y-%m-%d}: {len(self._world.violations)} violations")
            outcome.objects.append(_objects())
            outcome.rss_mb.append(_rss_mb())

    def _published(self, event: Event) -> None:
        self._world.learn(event)
        for rule in self._rules:
            rule.published(event)

    def _wrote(self, key: str, value: Any) -> None:
        world = self._world
        write = Write(world.now_s, key, value, world.box.properties.get(key))
        world.note(f"wrote {key}={value}, was {write.before}")
        for rule in self._rules:
            rule.wrote(write)

    def _looked(self) -> None:
        world = self._world
        decision, hand_s = world.decision, world.hand_s
        if hand_s is not None and world.since(hand_s) > world.control.respect_hand_s + AFTER_HAND_S:
            world.hand_s = None
            world.touched_s["hand"] = world.now_s
        if decision is not None and decision.mode in (Mode.BOOST, Mode.MIN_SURPLUS):
            world.house.boosted_s = world.now_s
        for rule in self._rules:
            rule.looked()

    def _compare(self) -> None:
        """Compare the memory at the end with that after caches had filled."""
        outcome = self.outcome
        if len(outcome.objects) <= SETTLED:
            return
        more = outcome.objects[-1] - outcome.objects[SETTLED]
        if more > MOST_MORE_OBJECTS:
            self._world.broken("memory", f"{more} more objects than after {SETTLED * STOCK_DAYS} days")
        more_mb = outcome.rss_mb[-1] - outcome.rss_mb[SETTLED]
        if more_mb > MOST_MORE_MB:
            self._world.broken("memory", f"{more_mb:.0f} MB more than after {SETTLED * STOCK_DAYS} days")

    def _sum_up(self, house: YearHouse, users: Users, chance: Chance) -> None:
        outcome, world = self.outcome, self._world
        self._compare()
        outcome.violations = world.violations
        outcome.journal = list(world.journal)
        outcome.starts, outcome.switches, outcome.visits = house.starts, house.switches, users.visits
        outcome.charged_kwh = house.house.totals.charger_wh / 1000
        outcome.solar_kwh = house.solar_wh / 1000
        outcome.faults = chance.counts


@asynccontextmanager
async def _serving(house: YearHouse) -> AsyncIterator[None]:
    for server in house.servers:
        await server.start()
    try:
        yield
    finally:
        for server in house.servers:
            await server.aclose()


def _settings(seed: int) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return `[control]` and `[edge]`: other houses, other wishes."""
    control = {
        "objective": OBJECTIVES[seed % 4],
        "boost_ends_on_unplug": seed % 2 == 0,
        "respect_hand_s": 3600.0 if seed % 5 == 0 else 7200.0,
    }
    return control, {"lease_s": 300.0, "on_silence": SILENCES[seed // 2 % 4]}


def _memory_disk() -> Path | None:
    """Return where files take no time, if there is such a place."""
    return MEMORY_DISK if os.access(MEMORY_DISK, os.W_OK) else None


def _objects() -> int:
    """Return how many objects there are that hold others, without those of the simulated devices."""
    modules = (str(type(thing).__module__) for thing in gc.get_objects())
    return sum(not module.startswith(("pvcharge.sim", "year")) for module in modules)


def _rss_mb() -> float:
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    return pages * PAGE_KB / 1024


@contextmanager
def _repeatable(seed: int) -> Iterator[None]:
    """Have the same chance each time: also for the jitter of retries; and log nothing."""
    rng = Random(f"retries {seed}")  # noqa: S311 - chance
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(retry, "random", SimpleNamespace(Random=lambda _seed: Random(rng.random())))  # noqa: S311 - chance
        random.seed(seed)
        before = structlog.get_config()
        structlog.configure(
            wrapper_class=structlog.make_filtering_bound_logger(50), cache_logger_on_first_use=False
        )
        try:
            yield
        finally:
            structlog.configure(**before)


def simulate(
    seed: int,
    *,
    source: Source = "quarter",
    start: datetime = NEW_YEAR,
    days: int = 365,
    history: bool = False,
    intensity: float = 1.0,
    tell: Callable[[str], None] = lambda _text: None,
) -> Outcome:
    """Run so many days in virtual time.

    Args:
        seed: of sun, household, users and faults.
        source: where readings come from.
        start: the first midnight.
        days: how many.
        history: whether the daemon keeps one, which costs time.
        intensity: how many times as often as in a real year faults come.
        tell: told how it goes, and of each violation at once.
    """
    with _repeatable(seed):
        year = Year(seed, source, start, days, history=history, intensity=intensity, tell=tell)
        return virtual_time.run(year.run())
