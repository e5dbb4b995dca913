"""What an observer knows: facts from devices, users and the feed, none from a controller's mind."""

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from math import inf
from typing import Any

from pvcharge.control import ControlSettings
from pvcharge.drivers.solaredge.answers import LOGIN_HINT
from pvcharge.model import (
    ChargerStatus,
    Decision,
    DeviceHealth,
    LimitsCommand,
    Mode,
    ModeCommand,
    PowerFlow,
)
from pvcharge.tasks.charger_task import EdgeSettings
from pvcharge.tasks.feed import Event
from year.house import YearBox, YearHouse

CHARGER, CLOUD = "wattpilot", "solaredge"
MOST_VIOLATIONS = 20
LAST_EVENTS = 80
RESTORED_S = 5.0  # after a start, in which what was commanded before it is in force again: no command of now


@dataclass(frozen=True, slots=True)
class Write:
    """A setting that the daemon writes, as the box sees it."""

    at_s: float
    key: str
    value: Any
    before: Any


@dataclass(frozen=True, slots=True)
class Violation:
    """A rule that was broken, and what had happened before."""

    at: datetime
    rule: str
    what: str
    last: tuple[str, ...]

    def __str__(self) -> str:
        return f"{self.at:%Y-%m-%d %H:%M:%S} {self.rule}: {self.what}"


@dataclass
class World:
    """Facts, all times in the loop's seconds.

    Attributes:
        house: the devices.
        control: the daemon's settings.
        edge: the same.
        faults: what is out of order now.
        faulty_s: when something was out of order last.
        daemon_s: when the present daemon was started; inf while none runs.
        leaves: whether it is being stopped, and may have a last word.
        commanded_s: when a user last commanded something that was taken.
        limits: to which the user has narrowed the current.
        limits_s: when they last did.
        hand_s: when somebody last changed something by hand that has still to be respected; None = no more.
        car_s: when a car last came or went.
        touched_s: when a property of the box was last changed by anybody but the daemon.
        booted_s: when the box last did.
        hung_s: since when the control loop hangs; None = it does not.
        jumped_s: when the wall clock was last set.
        health: of the charger.
        status: of the charger, as published last, and when.
        flow_end: the end of the newest reading published, and when it came.
        decision: the last one.
        mode: as commanded last.
        login_ended: whether the page asks for a new login to the inverter's cloud.
        tell: told of each violation at once.
    """

    house: YearHouse
    control: ControlSettings
    edge: EdgeSettings
    faults: set[str] = field(default_factory=set)
    faulty_s: float = -inf
    daemon_s: float = inf
    leaves: bool = False
    commanded_s: float = -inf
    limits: LimitsCommand = field(default_factory=LimitsCommand)
    limits_s: float = -inf
    hand_s: float | None = None
    car_s: float = -inf
    touched_s: dict[str, float] = field(default_factory=dict)
    booted_s: float = -inf
    hung_s: float | None = None
    jumped_s: float = -inf
    health: DeviceHealth | None = None
    healthy_s: float = -inf
    status: ChargerStatus | None = None
    status_s: float = -inf
    flow_end: datetime | None = None
    flow_s: float = -inf
    decision: Decision | None = None
    mode: Mode = Mode.SURPLUS
    login_ended: bool = False
    violations: list[Violation] = field(default_factory=list)
    tell: Callable[[str], None] = lambda _text: None
    journal: deque[str] = field(default_factory=lambda: deque(maxlen=LAST_EVENTS))

    @property
    def now_s(self) -> float:
        """The loop's time."""
        return self.house.clock.seconds()

    @property
    def now(self) -> datetime:
        """The true time."""
        return self.house.clock.now()

    @property
    def box(self) -> YearBox:
        """The charger."""
        return self.house.box

    @property
    def up(self) -> bool:
        """Whether a daemon runs."""
        return self.daemon_s < inf

    def since(self, at_s: float) -> float:
        """Return how long ago that was."""
        return self.now_s - at_s

    def well_for(self, seconds: float) -> bool:
        """Whether a daemon has run, and nothing has been out of order, for so long."""
        quiet = not self.faults and self.since(self.faulty_s) >= seconds
        return quiet and self.up and self.since(self.daemon_s) >= seconds and self.hung_s is None

    def note(self, text: str) -> None:
        """Write a line into the journal."""
        self.journal.append(f"{self.now:%m-%d %H:%M:%S} {text}")

    def broken(self, rule: str, what: str) -> None:
        """Note that a rule was broken."""
        if len(self.violations) < MOST_VIOLATIONS:
            violation = Violation(self.now, rule, what, tuple(self.journal))
            self.violations.append(violation)
            self.tell(str(violation))

    def learn(self, event: Event) -> None:
        """Take over what was published."""
        match event:
            case DeviceHealth(name=name) if name == CHARGER:
                if self.health is None or self.health.ok != event.ok:
                    self.note(f"charger {'well' if event.ok else _words(event.error)}")
                    self.healthy_s = self.now_s
                self.health = event
            case DeviceHealth(name=name) if name == CLOUD:
                self._learn_login(event)
            case ChargerStatus():
                self._learn_status(event)
            case PowerFlow():
                self.flow_end, self.flow_s = max(event.end, self.flow_end or event.end), self.now_s
            case ModeCommand():
                self.note(f"took {event.mode} until {event.until}")
                self.mode = event.mode if event.mode is not Mode.BOOST else self.mode
                if self.since(self.daemon_s) > RESTORED_S:
                    self._commanded()
            case LimitsCommand():
                self.note(f"took limits {event.min_current_a}..{event.max_current_a} A")
                self.limits, self.limits_s = event, self.now_s
            case Decision():
                self._learn_decision(event)

    def _learn_login(self, health: DeviceHealth) -> None:
        ended = not health.ok and LOGIN_HINT in (health.error or "")
        if ended and not self.login_ended:
            self.note(f"the page says: {health.error}")
        self.login_ended = ended

    def _learn_status(self, status: ChargerStatus) -> None:
        before = self.status
        if before is None or (before.state, before.setpoint) != (status.state, status.setpoint):
            self.note(f"charger {status.state} at {status.setpoint}, {status.power_w:.0f} W")
        self.status, self.status_s = status, self.now_s

    def _learn_decision(self, decision: Decision) -> None:
        before = self.decision
        if before is None or (before.setpoint, before.reason) != (decision.setpoint, decision.reason):
            surplus = "?" if decision.surplus_w is None else f"{decision.surplus_w:.0f}"
            self.note(f"decided {decision.setpoint} {decision.reason} {decision.mode}, surplus {surplus} W")
        self.decision = decision

    def _commanded(self) -> None:
        self.commanded_s = self.now_s
        self.hand_s = None


def _words(error: str | None) -> str:
    """Return an error without the address, which is another one each time."""
    return (error or "").partition(": ")[2]
