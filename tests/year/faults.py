"""What goes wrong in a year, and how often: faults that come by chance at realistic rates."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from math import exp, log
from random import Random

from year.daemon import YearDaemon
from year.house import YearHouse
from year.wall import WallClock
from year.world import World

MINUTE_S, HOUR_S, DAY_S = 60.0, 3600.0, 86_400.0
MONTH_S, YEAR_S = 30.4 * DAY_S, 365 * DAY_S
TEMPERATURE = 13  # of `err`
NOTICED_S = 240.0  # a change by hand is noticed, and kept, within this time
RESTART_S = 12.0  # as the service manager waits, and Python starts


class Stage:
    """All that can be broken.

    Args:
        house: the devices.
        daemon: the daemon.
        wall: the computer's clock.
        world: what an observer is told.
        rng: draws what is open.
    """

    def __init__(
        self, house: YearHouse, daemon: YearDaemon, wall: WallClock, world: World, rng: Random
    ) -> None:
        self.house, self.daemon, self.wall, self.world, self.rng = house, daemon, wall, world, rng

    # --- the cloud ---

    @asynccontextmanager
    async def cloud_out(self) -> AsyncIterator[None]:
        """Every call is answered 5xx, or dropped."""
        faults = self.house.cloud.faults
        if self.rng.random() < 0.3:
            faults.refuse_connections = True
        else:
            faults.outage_status = self.rng.choice((500, 502, 503, 504))
        yield
        faults.refuse_connections, faults.outage_status = False, None

    @asynccontextmanager
    async def cloud_garbage(self) -> AsyncIterator[None]:
        """Answers are cut or no JSON."""
        faults = self.house.cloud.faults
        faults.garbage = self.rng.random() < 0.5
        faults.truncated = not faults.garbage
        yield
        faults.garbage = faults.truncated = False

    @asynccontextmanager
    async def cloud_busy(self) -> AsyncIterator[None]:
        """Too many requests, the cloud says."""
        self.house.cloud.faults.minute_exhausted = True
        yield
        self.house.cloud.faults.minute_exhausted = False

    @asynccontextmanager
    async def token_dead(self) -> AsyncIterator[None]:
        """All access tokens end before their time."""
        self.house.cloud.faults.expire_access_tokens = True
        yield

    @asynccontextmanager
    async def uploads_stop(self) -> AsyncIterator[None]:
        """The inverter restarts, or has lost its way to the cloud: nothing newer comes."""
        self.house.cloud.faults.frozen_at = self.house.clock.now()
        if self.house.modbus is not None and self.rng.random() < 0.5:
            self.house.modbus.faults.refuse = True
        yield
        self.house.cloud.faults.frozen_at = None
        if self.house.modbus is not None:
            self.house.modbus.faults.refuse = False

    @asynccontextmanager
    async def registers_stand(self) -> AsyncIterator[None]:
        """The inverter answers, and its values stand still."""
        modbus = self.house.modbus
        if modbus is not None:
            modbus.faults.frozen_at = self.house.clock.now()
        yield
        if modbus is not None:
            modbus.faults.frozen_at = None

    # --- the box ---

    @asynccontextmanager
    async def wifi_lost(self) -> AsyncIterator[None]:
        """The box is cut off."""
        faults = self.house.server.faults
        faults.refuse = True
        faults.drop()
        yield
        faults.refuse = False

    @asynccontextmanager
    async def box_frozen(self) -> AsyncIterator[None]:
        """The connection stays open and nothing comes: half-dead."""
        faults = self.house.server.faults
        faults.freeze = True
        yield
        faults.freeze = False

    @asynccontextmanager
    async def box_restarts(self) -> AsyncIterator[None]:
        """A new firmware, or the old one again."""
        self.house.box.tick(self.house.clock.now())
        self.house.box.reboot()
        self.world.booted_s = self.world.now_s
        yield

    @asynccontextmanager
    async def box_fault(self) -> AsyncIterator[None]:
        """Too hot: it charges nothing until it has cooled down."""
        self.house.box.fail(TEMPERATURE)
        yield
        self.house.box.fail(0)

    @asynccontextmanager
    async def writes_refused(self) -> AsyncIterator[None]:
        """The box refuses writes, or takes them and does nothing."""
        faults = self.house.server.faults
        faults.ignore_writes = self.rng.random() < 0.5
        faults.reject_every = 0 if faults.ignore_writes else 1
        yield
        faults.ignore_writes, faults.reject_every = False, 0

    # --- the computer ---

    @asynccontextmanager
    async def clock_set(self) -> AsyncIterator[None]:
        """The wall clock is found wrong by seconds or a minute, and set."""
        ahead_s = self.rng.choice((-1, 1)) * exp(self.rng.uniform(log(2), log(70)))
        self.wall.ahead_s = ahead_s
        self.world.jumped_s = self.world.now_s
        yield
        self.wall.ahead_s = 0.0
        self.world.jumped_s = self.world.now_s

    @asynccontextmanager
    async def daemon_restarts(self) -> AsyncIterator[None]:
        """An update or a boot: it is stopped and started."""
        await self._restart(kill=False)
        yield

    @asynccontextmanager
    async def daemon_killed(self) -> AsyncIterator[None]:
        """Out of memory, or a power cut: it is gone at once, and started again."""
        await self._restart(kill=True)
        yield

    @asynccontextmanager
    async def loop_hangs(self) -> AsyncIterator[None]:
        """The control loop decides nothing any more."""
        self.daemon.hang()
        self.world.hung_s = self.world.now_s
        yield
        self.daemon.free()
        self.world.hung_s = None

    async def _restart(self, *, kill: bool) -> None:
        world = self.world
        hand_s, found = world.hand_s, self._set_to()
        since_s = 0.0 if hand_s is None else world.since(hand_s)
        noticed = since_s > NOTICED_S and world.well_for(since_s)
        world.leaves = True
        await self.daemon.stop(kill=kill)
        world.leaves, world.daemon_s = False, float("inf")
        await asyncio.sleep(RESTART_S if kill else self.rng.choice((RESTART_S, 120.0, 1200.0)))
        if world.hand_s != hand_s or not noticed or self._set_to() != found:
            world.hand_s = None  # nobody could know of it, or it is over
        world.daemon_s, world.decision, world.flow_end = world.now_s, None, None
        await self.daemon.start()

    def _set_to(self) -> tuple[object, ...]:
        return tuple(self.world.box.properties[key] for key in ("frc", "amp", "psm", "lmo"))


@dataclass(frozen=True, slots=True)
class Fault:
    """A kind of fault.

    Attributes:
        name: as reports call it.
        per_year: how often it comes.
        lasts_s: from .. to; in between, all orders of magnitude are equally likely.
        breaks: what is done.
    """

    name: str
    per_year: float
    lasts_s: tuple[float, float]
    breaks: Callable[[Stage], AbstractAsyncContextManager[None]]


FAULTS = (
    Fault("cloud out of service", 40, (3 * MINUTE_S, 5 * HOUR_S), Stage.cloud_out),
    Fault("cloud answers garbage", 12, (MINUTE_S, 40 * MINUTE_S), Stage.cloud_garbage),
    Fault("cloud too busy (429)", 24, (MINUTE_S, HOUR_S), Stage.cloud_busy),
    Fault("access token dead", 24, (1, 2), Stage.token_dead),
    Fault("inverter restarts, uploads stop", 24, (5 * MINUTE_S, 6 * HOUR_S), Stage.uploads_stop),
    Fault("registers stand still", 6, (5 * MINUTE_S, 3 * HOUR_S), Stage.registers_stand),
    Fault("box out of reach (Wi-Fi)", 365, (5, 20 * MINUTE_S), Stage.wifi_lost),
    Fault("box half-dead", 24, (MINUTE_S, 30 * MINUTE_S), Stage.box_frozen),
    Fault("box restarts (firmware)", 12, (MINUTE_S, 2 * MINUTE_S), Stage.box_restarts),
    Fault("box too hot", 10, (2 * MINUTE_S, HOUR_S), Stage.box_fault),
    Fault("box refuses or ignores writes", 10, (30, 20 * MINUTE_S), Stage.writes_refused),
    Fault("wall clock wrong, then set", 6, (MINUTE_S, DAY_S), Stage.clock_set),
    Fault("daemon stopped and started", 26, (1, 2), Stage.daemon_restarts),
    Fault("daemon killed", 12, (1, 2), Stage.daemon_killed),
    Fault("control loop hangs", 12, (MINUTE_S, HOUR_S), Stage.loop_hangs),
)


RESTARTS = (Stage.daemon_restarts, Stage.daemon_killed)


class Chance:
    """Lets faults come, each kind for itself; never two of those that restart or hang the daemon at once.

    Args:
        seed: of chance.
        stage: what they break.
        intensity: how many times as often as in a real year.
    """

    def __init__(self, seed: int, stage: Stage, intensity: float = 1.0) -> None:
        self._intensity = intensity
        self.counts: dict[str, int] = {}
        self._seed, self._stage = seed, stage
        self._one_at_a_time = asyncio.Lock()

    async def run(self) -> None:
        """Let them come until cancelled."""
        async with asyncio.TaskGroup() as group:
            for fault in FAULTS:
                group.create_task(self._come(fault), name=fault.name)

    async def _come(self, fault: Fault) -> None:
        rng = Random(f"{self._seed} {fault.name}")  # noqa: S311 - chance
        while True:
            await asyncio.sleep(rng.expovariate(self._intensity * fault.per_year / YEAR_S))
            low_s, high_s = fault.lasts_s
            lasts_s = exp(rng.uniform(log(low_s), log(high_s)))
            if fault.breaks in (*RESTARTS, Stage.loop_hangs):
                async with self._one_at_a_time:
                    await self._happen(fault, lasts_s)
            else:
                await self._happen(fault, lasts_s)

    async def _happen(self, fault: Fault, lasts_s: float) -> None:
        world = self._stage.world
        world.note(f"FAULT {fault.name} for {lasts_s:.0f} s")
        self.counts[fault.name] = self.counts.get(fault.name, 0) + 1
        excuses = fault.breaks not in RESTARTS  # after them the daemon goes on as if there had been none
        if excuses:
            world.faults.add(fault.name)
        async with fault.breaks(self._stage):
            await asyncio.sleep(lasts_s)
        if excuses:
            world.faults.discard(fault.name)
            world.faulty_s = world.now_s
        world.note(f"over: {fault.name}")
