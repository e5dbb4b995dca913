"""Any history of events around a controller, and books of what it may switch, for rules that always hold."""

import json
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from hypothesis import strategies as st

from pvcharge.control import Controller, ControlSettings
from pvcharge.model import (
    NO_CHARGE,
    ChargerState,
    ChargerStatus,
    Decision,
    Mode,
    PowerFlow,
    Reason,
    Setpoint,
)

NOON = datetime(2026, 6, 15, 12, tzinfo=UTC)
HOUR_S = 3600
SAFETY_STOPS = {Reason.STALE_STOP, Reason.STALE_MINIMUM, Reason.CHARGER_FAULT, Reason.CHARGER_LIMIT}
BY_THE_USER = {Reason.BY_HAND, Reason.SWITCHED_OFF, Reason.NO_CAR}

setpoints = st.one_of(st.just(NO_CHARGE), st.builds(Setpoint, st.sampled_from([1, 3]), st.integers(6, 32)))
# What may be changed at any time without a change of what the charger may be set to.
changeable = {
    "objective": st.sampled_from(["balance", "no_import", "cost"]),
    "on_stale": st.sampled_from(["stop", "minimum"]),
    "battery": st.sampled_from(["car_first", "battery_first"]),
    "min_on_s": st.integers(0, 900),
    "min_off_s": st.integers(0, 900),
    "max_starts_per_hour": st.integers(1, 6),
    "max_phase_switches_per_hour": st.integers(0, 6),
    "start_cost_wh": st.sampled_from([1.0, 5.0, 30.0]),
    "phase_switch_cost_wh": st.sampled_from([1.0, 5.0, 45.0]),
    "mode": st.sampled_from(["off", "surplus", "min_surplus"]),
}
control_settings = st.fixed_dictionaries(
    {
        "min_current_a": st.integers(6, 10),
        "max_current_a": st.integers(10, 32),
        "phases": st.sampled_from([(1, 3), (1,), (3,)]),
        **changeable,
    }
)
powers = st.one_of(st.none(), st.floats(-15_000, 15_000))
events = st.one_of(
    st.tuples(
        st.just("flow"),
        st.fixed_dictionaries(
            {
                "age_s": st.integers(0, 2000),
                "span_s": st.sampled_from([0, 0, 0, 60, 900]),
                "grid_w": powers,
                "battery_w": st.one_of(st.none(), st.none(), powers),
            }
        ),
    ),
    st.tuples(
        st.just("status"),
        st.fixed_dictionaries(
            {
                "state": st.sampled_from([*ChargerState, ChargerState.CHARGING, ChargerState.READY]),
                "max_current_a": st.one_of(st.none(), st.integers(0, 32)),
                "min_current_a": st.one_of(st.none(), st.integers(6, 8)),
            }
        ),
    ),
    st.tuples(st.just("hand"), st.fixed_dictionaries({"setpoint": setpoints})),
    st.tuples(st.just("mode"), st.fixed_dictionaries({"mode": st.sampled_from(list(Mode))})),
    st.tuples(st.just("restart"), st.fixed_dictionaries({"stops": st.booleans()})),
)
histories = st.lists(st.tuples(st.integers(0, 900), events), max_size=80)


@dataclass
class Watched:
    """A controller with the world around it, and every decision it made."""

    settings: ControlSettings
    controller: Controller
    now: datetime = NOON
    status: ChargerStatus = field(
        default_factory=lambda: ChargerStatus(
            at=NOON, state=ChargerState.READY, power_w=0.0, setpoint=NO_CHARGE
        )
    )
    decisions: list[Decision] = field(default_factory=list)
    commands: list[datetime] = field(default_factory=list)
    mode: Mode | None = None  # commanded last, but for a boost
    in_force: list[ControlSettings] = field(default_factory=list)  # at each decision

    def tell(self, kind: str, details: dict[str, Any]) -> None:
        """Let one event happen, then a fresh status, as a charger talks all the time."""
        match kind:
            case "flow":
                end = self.now - timedelta(seconds=details["age_s"])
                self.controller.observe(
                    PowerFlow(
                        start=end - timedelta(seconds=details["span_s"]),
                        end=end,
                        grid_w=details["grid_w"],
                        battery_w=details["battery_w"],
                    )
                )
            case "mode":
                self.controller.set_mode(details["mode"])
                self.commands.append(self.now)
                self.mode = self.mode if details["mode"] is Mode.BOOST else details["mode"]
            case "restart":
                self._restart(**details)
            case "configure":
                self.settings = ControlSettings.model_validate(dict(self.settings) | details)
                self.controller.configure(self.settings)
            case "hand":
                self.status = replace(self.status, changed_by_hand_at=self.now, **details)
            case "status":
                self.status = replace(self.status, **details)
        self._report()

    def _restart(self, *, stops: bool) -> None:
        """Begin anew, with what the daemon keeps; it may have stopped the charge before."""
        if stops:
            self.status = replace(self.status, setpoint=NO_CHARGE)
            self.commands.append(self.now)  # that stop is free
        document = json.loads(json.dumps(self.controller.learned()))
        self.controller = Controller(self.settings)
        self.controller.recall(document)
        boosts = bool(self.decisions) and self.decisions[-1].mode is Mode.BOOST
        for mode in (self.mode, Mode.BOOST if boosts else None):
            if mode is not None:
                self.controller.set_mode(mode)

    def _report(self) -> None:
        drawn = self.status.setpoint if self.status.state is ChargerState.CHARGING else None
        power_w = drawn.power_w(230.0) if drawn else 0.0
        self.status = replace(self.status, at=self.now, power_w=power_w)
        self.controller.observe(self.status)

    def decide(self) -> Decision:
        """Decide, and let the charger obey."""
        decision = self.controller.decide(self.now)
        self.decisions.append(decision)
        self.in_force.append(self.settings)
        self.status = replace(self.status, setpoint=decision.setpoint)
        return decision


class Audit:
    """Keeps its own books of starts, stops and phase switches, and checks each against the settings."""

    def __init__(self, settings: ControlSettings, commands: set[datetime], phases: int) -> None:
        self.settings = settings
        self.commands = commands
        self.phases = phases
        self.last_phases = 0  # charged with, by this car
        self.starts: list[datetime] = []
        self.switches: list[datetime] = []
        self.started = NOON - timedelta(days=1)
        self.stopped: datetime | None = None

    def check(self, decision: Decision) -> None:
        """Compare with the decision before."""
        before, phases = self.phases, decision.setpoint.phases
        self.phases = phases
        if decision.reason is Reason.NO_CAR:
            self.last_phases, self.stopped = 0, None
            return
        free = decision.reason in SAFETY_STOPS | BY_THE_USER or decision.at in self.commands
        if phases and not before:
            self._check_start(decision.at, free)
        if before and not phases:
            assert free or (decision.at - self.started).total_seconds() >= self.settings.min_on_s
            self.stopped = decision.at
        if phases and phases != (before or self.last_phases or phases):
            recent = _within_the_hour(self.switches, decision.at)
            assert free or recent < self.settings.max_phase_switches_per_hour
            self.switches.append(decision.at)
        self.last_phases = phases or self.last_phases

    def _check_start(self, now: datetime, free: bool) -> None:  # noqa: FBT001 - private
        rested = self.stopped is None or (now - self.stopped).total_seconds() >= self.settings.min_off_s
        assert free or rested
        assert free or _within_the_hour(self.starts, now) < self.settings.max_starts_per_hour
        self.starts.append(now)
        self.started = now


def _within_the_hour(times: list[datetime], now: datetime) -> int:
    return sum((now - then).total_seconds() < HOUR_S for then in times)


def live(
    settings: dict[str, Any],
    history: list[tuple[int, Any]],
    recalled: dict[str, Any] | None = None,
    controller: Controller | None = None,
) -> Watched:
    """Run a history; decide after every event, and again in the middle of the pause before the next."""
    made = ControlSettings.model_validate(settings)
    world = Watched(made, controller or Controller(made))
    if recalled is not None:
        world.controller.recall(recalled)
    world.tell("status", {})
    world.decide()
    for pause_s, (kind, details) in history:
        world.now += timedelta(seconds=pause_s / 2)
        world.tell("status", {})
        world.decide()
        world.now += timedelta(seconds=pause_s / 2)
        world.tell(kind, details)
        world.decide()
    return world
