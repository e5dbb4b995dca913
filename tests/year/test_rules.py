"""Each rule of the observer can be broken: what must not happen is seen when it happens."""

from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any, cast

import pytest

from pvcharge.control import ControlSettings
from pvcharge.control.settings import Objective
from pvcharge.drivers.solaredge.answers import LOGIN_HINT
from pvcharge.model import (
    ChargerState,
    ChargerStatus,
    Decision,
    DeviceHealth,
    Lease,
    LimitsCommand,
    Mode,
    ModeCommand,
    PowerFlow,
    Reason,
    Setpoint,
)
from pvcharge.sim.car import Car
from pvcharge.tasks.charger_task import EdgeSettings
from year.house import YearBox, YearHouse
from year.rules import RULES, Rule
from year.world import World, Write

START = datetime(2026, 6, 1, 10, tzinfo=UTC)
HOUR_S = 3600.0


@dataclass
class Clock:
    """A clock that a test moves."""

    now_s: float = 0.0

    def seconds(self) -> float:
        """Return the seconds since the start."""
        return self.now_s

    def now(self) -> datetime:
        """Return the time."""
        return START + timedelta(seconds=self.now_s)


@dataclass
class Stub:
    """A house of which a test says how it is."""

    clock: Clock = field(default_factory=Clock)
    box: YearBox = field(default_factory=lambda: YearBox(flex=False))
    cable_a: int | None = 16
    charges: bool = False
    plenty_w: float = 0.0
    bright_s: float = 0.0
    boosted_s: float = 0.0
    starts: int = 0
    switches: int = 0

    def surplus_w(self) -> float:
        """Return what the sun leaves."""
        return self.plenty_w


class Watch:
    """A world with all rules in it, well since long ago."""

    def __init__(self) -> None:
        self.house = Stub()
        self.house.box.plug(Car(), cable_a=16)
        self.world = World(cast("YearHouse", self.house), ControlSettings(), EdgeSettings())
        self.world.daemon_s = 0.0
        self.rules: list[Rule] = [rule(self.world) for rule in RULES]
        self.house.clock.now_s = 10 * HOUR_S
        self.hear()
        self.read()

    @property
    def broken(self) -> set[str]:
        """The rules that were broken."""
        return {violation.rule for violation in self.world.violations}

    def later(self, seconds: float) -> None:
        """Let time pass, and look."""
        self.house.clock.now_s += seconds
        for rule in self.rules:
            rule.looked()

    def publish(self, event: Any) -> None:
        """Publish an event."""
        self.world.learn(event)
        for rule in self.rules:
            rule.published(event)

    def hear(self) -> None:
        """Have the charger heard."""
        now = self.world.now
        self.publish(DeviceHealth("wattpilot", now, ok=True, since=now))
        self.publish(ChargerStatus(now, ChargerState.READY, 0.0))

    def read(self, pv_w: float = 5000.0) -> None:
        """Have a reading come."""
        now = self.world.now
        self.publish(PowerFlow(now - timedelta(minutes=22), now - timedelta(minutes=7), pv_w, -3000.0))

    def decide(self, reason: Reason, mode: Mode = Mode.SURPLUS, **more: Any) -> None:
        """Have it decided."""
        self.publish(Decision(self.world.now, Setpoint(1, 6), reason, mode, **more))

    def write(self, key: str, value: int) -> None:
        """Have it written, and taken."""
        write = Write(self.world.now_s, key, value, self.house.box.properties[key])
        for rule in self.rules:
            rule.wrote(write)
        self.house.box.properties[key] = value


@pytest.fixture
def watch() -> Watch:
    """Return a world in which all is well."""
    return Watch()


def test_a_usual_charge_breaks_nothing(watch: Watch) -> None:
    """A charge that starts, changes and stops in good time is no violation."""
    watch.decide(Reason.FOLLOWING)
    for key, value in (("frc", 1), ("amp", 8), ("psm", 1), ("frc", 0)):
        watch.later(200)
        watch.hear()
        watch.write(key, value)
    watch.later(HOUR_S)
    watch.hear()
    watch.write("frc", 1)
    assert not watch.world.violations


@pytest.mark.parametrize(("key", "value"), [("amp", 17), ("amp", 5), ("psm", 3), ("frc", 2), ("lmo", 4)])
def test_values_that_are_never_written(watch: Watch, key: str, value: int) -> None:
    """Other currents, phases, force states and modes than the legal ones are seen."""
    watch.write(key, value)
    assert watch.broken == {"limits"}


def test_more_than_the_cable_carries(watch: Watch) -> None:
    """A cable of 10 A is known after a while, and 13 A are too much for it."""
    watch.house.cable_a = 10
    watch.write("amp", 13)
    assert watch.broken == {"limits"}


def test_more_than_the_user_wants(watch: Watch) -> None:
    """What the user has narrowed the current to holds soon after."""
    watch.publish(LimitsCommand(6, 8))
    watch.later(300)
    watch.hear()
    watch.write("amp", 12)
    assert watch.broken == {"limits"}


def test_a_lease_beyond_the_settings(watch: Watch) -> None:
    """A lease of more than the settings allow is seen."""
    watch.publish(Lease(1, watch.world.now, 60.0, Setpoint(3, 20)))
    assert watch.broken == {"limits"}


def test_a_write_without_a_fresh_status(watch: Watch) -> None:
    """A write long after the last word of the charger is seen."""
    watch.house.clock.now_s += HOUR_S
    watch.write("amp", 8)
    assert watch.broken == {"status"}


def test_a_write_of_what_is_already_so(watch: Watch) -> None:
    """A write that changes nothing is seen."""
    watch.write("amp", watch.house.box.properties["amp"])
    assert watch.broken == {"status"}


def test_old_readings_that_are_followed(watch: Watch) -> None:
    """Following a reading of hours ago is seen, and so is an age that is too small."""
    watch.house.clock.now_s += 3 * HOUR_S
    watch.decide(Reason.FOLLOWING, reading_age_s=60.0)
    assert watch.broken == {"stale"}
    assert len(watch.world.violations) == 2


def test_equal_values_that_are_followed(watch: Watch) -> None:
    """Values that stand still for hours are old, however new their stamps are."""
    for _ in range(8):
        watch.later(1800)
        watch.hear()
        watch.read()
    watch.decide(Reason.FOLLOWING)
    assert watch.broken == {"stale"}


def test_a_charge_by_surplus_that_nobody_sees(watch: Watch) -> None:
    """A car that charges on for hours without a reading is seen."""
    watch.decide(Reason.STALE_HOLD)
    watch.house.charges = True
    watch.later(3 * HOUR_S)
    assert "stale" in watch.broken


def test_a_charge_without_a_controller(watch: Watch) -> None:
    """A box that goes on charging while the control loop hangs is seen."""
    watch.world.hung_s = watch.world.now_s
    watch.house.charges = True
    watch.later(100)
    assert not watch.broken
    watch.later(HOUR_S)
    assert watch.broken == {"lease"}


def test_a_start_that_stops_a_charge(watch: Watch) -> None:
    """A daemon that stops a charge before it knows anything is seen."""
    watch.later(HOUR_S)
    watch.world.daemon_s = watch.world.now_s
    watch.later(30)
    watch.hear()
    watch.decide(Reason.NO_DATA)
    watch.write("frc", 1)
    assert watch.broken == {"start"}


def test_a_hand_that_is_not_respected(watch: Watch) -> None:
    """A write after a change by hand is seen, and that it is not shown; a command ends the respect."""
    watch.world.hand_s = watch.world.now_s
    watch.later(300)
    watch.hear()
    watch.write("amp", 8)
    watch.decide(Reason.FOLLOWING)
    watch.later(1)
    assert watch.broken == {"hand"}
    watch.world.violations.clear()
    watch.publish(ModeCommand(Mode.SURPLUS))
    watch.write("amp", 9)
    assert not watch.broken


def test_what_was_commanded_before_a_start_is_no_command_after_it(watch: Watch) -> None:
    """A daemon that was started anew respects the hand on, though the mode is in force again."""
    watch.world.hand_s = watch.world.now_s
    watch.later(300)
    watch.world.daemon_s = watch.world.now_s
    watch.publish(ModeCommand(Mode.SURPLUS))
    watch.hear()
    watch.write("amp", 8)
    assert watch.broken == {"hand"}


def test_switching_too_fast(watch: Watch) -> None:
    """A stop right after a start, and a start right after that, are seen."""
    watch.write("frc", 1)
    watch.later(HOUR_S)
    watch.hear()
    watch.write("frc", 0)
    watch.later(20)
    watch.write("frc", 1)
    watch.later(2)
    watch.write("frc", 0)
    assert watch.broken == {"switching"}
    assert len(watch.world.violations) == 2


@pytest.mark.parametrize(("key", "values"), [("frc", (1, 0)), ("psm", (1, 2))])
def test_switching_too_often(watch: Watch, key: str, values: tuple[int, int]) -> None:
    """A seventh start or phase switch within an hour is seen, unless a user has just commanded something."""
    for _ in range(7):
        for value in values:
            watch.later(200)
            watch.hear()
            watch.write(key, value)
    assert watch.broken == {"switching"}
    watch.world.violations.clear()
    watch.publish(ModeCommand(Mode.SURPLUS))
    for value in values:
        watch.write(key, value)
    assert not watch.broken


def test_a_boost_that_does_not_end(watch: Watch) -> None:
    """A boost beyond its end is seen."""
    watch.decide(Reason.BOOST, Mode.BOOST, boost_until=watch.world.now - timedelta(seconds=30))
    assert watch.broken == {"boost"}


def test_a_boost_that_does_not_begin(watch: Watch) -> None:
    """A box that is still off minutes after the command is seen."""
    watch.house.box.properties["frc"] = 1
    watch.publish(ModeCommand(Mode.BOOST))
    watch.decide(Reason.BOOST, Mode.BOOST)
    watch.later(600)
    assert watch.broken == {"boost"}


def test_a_charge_in_the_dark(watch: Watch) -> None:
    """A car that charges by surplus long after sunset is seen."""
    watch.decide(Reason.FOLLOWING)
    watch.house.charges = True
    watch.later(60)
    assert watch.broken == {"boost"}


def test_a_car_that_gets_nothing(watch: Watch) -> None:
    """Hours of plenty and an idle car are seen."""
    watch.decide(Reason.TOO_LITTLE)
    watch.house.plenty_w = 6000.0
    for _ in range(4):
        watch.later(HOUR_S)
    assert "idle" in watch.broken


def test_a_wary_car_may_get_nothing(watch: Watch) -> None:
    """Where no import counts above all, plenty that may be gone in a moment is not worth it; else it is."""
    watch.world.control = ControlSettings(objective=Objective.NO_IMPORT)
    watch.decide(Reason.NOT_WORTH_IT)
    watch.house.plenty_w = 6000.0
    for _ in range(4):
        watch.later(HOUR_S)
    assert not watch.broken
    watch.world.control = ControlSettings()
    for _ in range(4):
        watch.later(HOUR_S)
    assert watch.broken == {"idle"}


def test_a_car_gets_nothing_until_somebody_logs_in(watch: Watch) -> None:
    """Where a login has ended, the page asks for another; that nothing is read till then is no fault."""
    now = watch.world.now
    ended = DeviceHealth("solaredge", now, ok=False, since=now, error=f"the login has ended; {LOGIN_HINT}")
    watch.publish(ended)
    watch.decide(Reason.TOO_LITTLE)
    watch.house.plenty_w = 6000.0
    for _ in range(4):
        watch.later(HOUR_S)
    assert not watch.broken
    watch.publish(replace(ended, ok=True, error=None))
    for _ in range(4):
        watch.later(HOUR_S)
    assert watch.broken == {"idle"}
