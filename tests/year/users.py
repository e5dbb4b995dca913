"""The people: they drive away and come back, with several cars, and press buttons of all kinds."""

from collections.abc import Callable
from datetime import date, datetime, time, timedelta
from random import Random
from typing import NamedTuple

from pvcharge.model import LimitsCommand, Mode, ModeCommand
from pvcharge.sim.car import Car
from pvcharge.sim.invented import ZONE
from pvcharge.sim.wattpilot.writes import WriteRefusedError
from year.daemon import YearDaemon
from year.house import YearHouse
from year.world import World

WEEKEND = 5
NEUTRAL, OFF, ON = 0, 1, 2
PLUGGING_S = 120.0  # nobody presses the button while they plug in

Deed = Callable[[], None]


class Model(NamedTuple):
    """A kind of car, its cable, and what it comes back with."""

    capacity_wh: float
    phases: int
    max_current_a: float
    cable_a: int
    needs_wh: tuple[float, float]
    sleeps_after: int | None = None


FAMILY = Model(62_000, 3, 16, 32, (4_000, 35_000))
SMALL = Model(36_000, 1, 32, 20, (3_000, 15_000))
HYBRID = Model(11_000, 1, 16, 13, (2_000, 9_000), sleeps_after=40)
GUEST = Model(77_000, 3, 16, 10, (10_000, 50_000))

# What is pressed on a day, on average.
BOOSTS, MODES, LIMITS, HANDS = 0.25, 0.12, 0.06, 0.15


class Users:
    """Lives day by day by a plan that is drawn each midnight.

    Args:
        seed: of their habits.
        house: where they live.
        daemon: that they command.
        world: what an observer is told of it.
    """

    def __init__(self, seed: int, house: YearHouse, daemon: YearDaemon, world: World) -> None:
        self._rng = Random(f"users {seed}")  # noqa: S311 - chance
        self._house, self._daemon, self._world = house, daemon, world
        self._deeds = 0  # makes times of the day unique
        self.visits = 0

    async def live(self) -> None:
        """Do what the plan of each day says, until cancelled."""
        clock = self._house.clock
        self.arrive(FAMILY)
        while True:
            today = clock.now().astimezone(ZONE).date()
            for at, _, deed in sorted(self._plan(today)):
                if at >= clock.now():
                    await clock.until(at)
                    deed()
            await clock.until(datetime.combine(today + timedelta(days=1), time(), ZONE))

    def _plan(self, day: date) -> list[tuple[datetime, int, Deed]]:
        rng = self._rng
        midnight = datetime.combine(day, time(), ZONE)
        plan: list[tuple[float, Deed]] = [*self._drives(day), *self._presses()]
        deeds = []
        for hour, deed in plan:
            self._deeds += 1
            at = midnight + timedelta(hours=min(hour, 23.9), seconds=rng.uniform(0, 60))  # by the wall
            deeds.append((at.astimezone(ZONE), self._deeds, deed))
        return deeds

    def _drives(self, day: date) -> list[tuple[float, Deed]]:
        rng = self._rng
        works = day.weekday() < WEEKEND and rng.random() < 0.55
        if works:
            leaves, returns = rng.gauss(7.3, 0.4), rng.gauss(17.0, 0.8)
            plan: list[tuple[float, Deed]] = [(leaves, self.leave)]
            if rng.random() < 0.5:
                other = rng.choice((SMALL, HYBRID, GUEST))
                plan += [(leaves + 1, lambda: self.arrive(other)), (returns - 0.5, self.leave)]
        elif rng.random() < 0.5:
            leaves = rng.uniform(9, 16)
            returns = leaves + rng.uniform(0.5, 5)
            plan = [(leaves, self.leave)]
        else:
            return []
        if rng.random() < 0.85:
            plan.append((returns, lambda: self.arrive(FAMILY)))
        return plan

    def _presses(self) -> list[tuple[float, Deed]]:
        rng = self._rng
        plan: list[tuple[float, Deed]] = []
        if rng.random() < BOOSTS:
            plan += self._boost(rng.uniform(6, 22.5))
        if rng.random() < MODES:
            hour, mode = rng.uniform(6, 20), rng.choice((Mode.OFF, Mode.MIN_SURPLUS))
            plan += [(hour, self._mode(mode)), (hour + rng.uniform(0.2, 8), self._mode(Mode.SURPLUS))]
        if rng.random() < LIMITS:
            hour, most_a = rng.uniform(7, 18), rng.randint(8, 15)
            plan += [(hour, self._limits(6, most_a)), (hour + rng.uniform(0.5, 5), self._limits(6, 16))]
        if rng.random() < HANDS:
            plan.append((rng.uniform(6, 23), self._hand))
        return plan

    def _boost(self, hour: float) -> list[tuple[float, Deed]]:
        lasts_h = self._rng.uniform(0.3, 3)
        if self._rng.random() < 0.25:
            return [(hour, self._endless_boost), (hour + lasts_h, self._mode(Mode.SURPLUS))]

        def boost() -> None:
            until = self._house.clock.now() + timedelta(hours=lasts_h)
            self._daemon.command(ModeCommand(Mode.BOOST, until))

        return [(hour, boost)]

    def _endless_boost(self) -> None:
        self._daemon.command(ModeCommand(Mode.BOOST))

    def _mode(self, mode: Mode) -> Deed:
        return lambda: self._daemon.command(ModeCommand(mode))

    def _limits(self, least_a: int, most_a: int) -> Deed:
        return lambda: self._daemon.command(LimitsCommand(least_a, most_a))

    def arrive(self, model: Model) -> None:
        """Plug a car in, unless another one is there."""
        if self._house.box.car is not None:
            return
        car = Car(
            capacity_wh=model.capacity_wh,
            needs_wh=self._rng.uniform(*model.needs_wh),
            phases=model.phases,
            max_current_a=model.max_current_a,
            sleeps_after=model.sleeps_after,
        )
        self._house.plug(car, model.cable_a)
        self.visits += 1
        self._world.car_s = self._world.now_s
        self._world.note(f"plugged in: {model.phases}p, needs {car.needs_wh:.0f} Wh, cable {model.cable_a} A")

    def leave(self) -> None:
        """Unplug whatever car is there."""
        if self._house.box.car is None:
            return
        self._house.unplug()
        self._world.car_s, self._world.hand_s = self._world.now_s, None
        self._world.touched_s["frc"] = self._world.now_s
        self._world.note("unplugged")

    def _hand(self) -> None:
        """Change something at the box or in the maker's app."""
        key, values = self._rng.choice(
            (("frc", (NEUTRAL, OFF, ON)), ("amp", tuple(range(6, 17))), ("psm", (1, 2)), ("lmo", (3, 4, 5)))
        )
        value = self._rng.choice(values)
        world, box = self._world, self._house.box
        if box.properties[key] == value or world.since(world.car_s) < PLUGGING_S or not box.online:
            return
        try:
            self._house.press(key, value)
        except WriteRefusedError:
            return
        world.touched_s[key] = world.now_s
        if box.car is not None:  # each car starts afresh
            world.hand_s = world.now_s
        world.note(f"by hand: {key}={value}")
