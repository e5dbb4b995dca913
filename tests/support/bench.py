"""A controller with a short way to feed and ask it."""

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from pvcharge.control import Controller, ControlSettings
from pvcharge.model import ChargerState, ChargerStatus, Decision, PowerFlow, Setpoint

NOON = datetime(2026, 6, 15, 12, tzinfo=UTC)


@dataclass
class Bench:
    """Drives a controller by seconds after noon; the charger obeys at once unless told otherwise."""

    controller: Controller
    power_w: float = 0.0
    state: ChargerState = ChargerState.READY
    setpoint: Setpoint | None = None
    extras: dict[str, Any] = field(default_factory=dict)

    def at(self, second: float) -> datetime:
        """Return the time so many seconds after noon."""
        return NOON + timedelta(seconds=second)

    def status(self, second: float, **changes: Any) -> None:
        """Report the charger as it is, or changed for good as told."""
        for key, value in changes.items():
            if key in ("power_w", "state", "setpoint"):
                setattr(self, key, value)
            else:
                self.extras[key] = value
        status = ChargerStatus(
            at=self.at(second), state=self.state, power_w=self.power_w, setpoint=self.setpoint, **self.extras
        )
        self.controller.observe(status)

    def grid(self, second: float, grid_w: float, span_s: float = 0.0, **powers: float | None) -> None:
        """Report grid power at an instant, or its mean over the seconds before."""
        flow = PowerFlow(start=self.at(second - span_s), end=self.at(second), grid_w=grid_w, **powers)  # type: ignore[arg-type]
        self.controller.observe(flow)

    def decide(self, second: float) -> Decision:
        """Ask what to do."""
        return self.controller.decide(self.at(second))

    def live(self, seconds: range, surplus_w: float) -> list[Decision]:
        """Let the charger obey every decision while a local meter tells of a constant surplus."""
        decisions = []
        for second in seconds:
            self.status(second)
            # A real meter is never twice the same; a frozen one is.
            self.grid(second, self.power_w - surplus_w + 0.01 * (second % 7))
            decision = self.decide(second)
            decisions.append(decision)
            if self.state is not ChargerState.DISCONNECTED:
                self.obey(decision)
        return decisions

    def obey(self, decision: Decision) -> None:
        """Draw what was decided."""
        self.setpoint = decision.setpoint
        self.power_w = decision.setpoint.power_w(230.0)
        self.state = ChargerState.CHARGING if self.power_w else ChargerState.READY


def make_bench(**settings: Any) -> Bench:
    """Return a bench with these settings and a car plugged in."""
    return Bench(Controller(ControlSettings(**settings)))
