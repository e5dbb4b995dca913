"""One car from plug-in to unplug: its energy, where that came from, why it paused. Pure, like the meter."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from pydantic import with_config

from pvcharge.history.energy.charged import ChargerEnergy, Mark, Step
from pvcharge.history.energy.integral import PowerIntegral
from pvcharge.history.saved import STRICT, NotNegative, Saved, Time
from pvcharge.history.sessions.running import Running, Unplugged
from pvcharge.history.sessions.solar import EnergyCurve, SolarPart
from pvcharge.model import ChargerState, ChargerStatus, Decision, PowerFlow, Session, SettingsCommand

UNKNOWN_REASON = "unknown"  # of a pause before the first decision
MERGED_S = 300.0  # imports that wait for a silent charger become one up to this length
MOST_WAITING = 60  # five hours
MOST_REASONS = 32  # between two statuses
_WH_PER_KWH = 1000.0


@dataclass(frozen=True, slots=True)
class Prices:
    """Money per kWh: what bought energy costs, and what sold energy brings."""

    import_price: float
    feed_in_price: float

    @classmethod
    def of(cls, command: SettingsCommand) -> "Prices":
        """Return those of settings."""
        settings = json.loads(command.document)
        return cls(settings["import_price"], settings["feed_in_price"])


@with_config(STRICT)
@dataclass(slots=True)
class _Import:
    """What was bought in a span of time; times are of the epoch."""

    start_s: float
    end_s: float
    energy_wh: NotNegative


@with_config(STRICT)
@dataclass(slots=True)
class _Known:
    charger: ChargerEnergy
    curve: EnergyCurve  # of what the charger gave, whichever the car
    grid: PowerIntegral
    waiting: list[_Import]  # until the curve is known as far
    reason: str  # in force at the last status
    reasons: list[tuple[Time, str]]  # that came into force since
    unplugged: Unplugged | None
    running: Running | None


_SAVED = Saved(_Known)


class SessionTracker:
    """Follows the car by charger statuses, readings and decisions.

    * A car is there from the first status that says so until the first that says DISCONNECTED; UNKNOWN and
      ERROR say nothing about it. A status older than the last is ignored.
    * The energy is that of the box's counter since plug-in as far as it is plausible; of a car that was found
      plugged in, all of it. Without that counter it is what the lifetime counter or the power say. What was
      charged between the last status without the car and the first with it is the car's.
    * If the counter since plug-in falls, there is another car, such as one that was swapped while the daemon
      was down: the old session ends at its last status. A box that resets that counter late shows at first
      still what the car before got; this neither counts nor ends a session.
    * The solar part is known as far as the readings go; see `SolarPart` for what is assumed of the rest, such
      as the end of a session, of which the reading comes minutes later.
    * Within a hole, a time longer than the statuses at its ends can speak for, there is neither charging time
      nor pause.
    * A start with another number of phases than before the pause is a phase switch, too, for a box rests
      while it switches.

    Args:
        prices: what energy costs, until settings say otherwise; a session ends at those in force then.
        state: as `state()` returned it; None to start with nothing.

    Raises:
        ValueError: the state is none; the message names the key.
    """

    def __init__(self, prices: Prices, state: Mapping[str, Any] | None = None) -> None:
        self._prices = prices
        if state is not None:
            self._known = _SAVED.read(state)
            return
        self._known = _Known(
            charger=ChargerEnergy.new(),
            curve=EnergyCurve([]),
            grid=PowerIntegral.new(),
            waiting=[],
            reason=UNKNOWN_REASON,
            reasons=[],
            unplugged=None,
            running=None,
        )

    def state(self) -> dict[str, Any]:
        """Return all that is known, fit for JSON."""
        return _SAVED.write(self._known)

    @property
    def current(self) -> Session | None:
        """The session of the car that is there; None while there is none."""
        running = self._known.running
        return None if running is None else self._session(running, None)

    @property
    def until(self) -> datetime | None:
        """Up to when the charger has been followed; older statuses count no more."""
        return self._known.charger.at

    def take(self, event: object) -> Session | None:
        """Take an event into account; return the session that it ended."""
        if isinstance(event, ChargerStatus):
            return self._take_status(event)
        if isinstance(event, PowerFlow):
            self._take_flow(event)
        elif isinstance(event, Decision):
            self._take_decision(event)
        elif isinstance(event, SettingsCommand):
            self._prices = Prices.of(event)
        return None

    def _take_decision(self, decision: Decision) -> None:
        known = self._known
        newest = known.reasons[-1][1] if known.reasons else known.reason
        if decision.reason.value != newest:
            if len(known.reasons) == MOST_REASONS:
                known.reasons.pop()
            known.reasons.append((decision.at, decision.reason.value))

    def _take_flow(self, flow: PowerFlow) -> None:
        known = self._known
        if flow.grid_w is None:
            return
        until = known.grid.until
        pieces = known.grid.take(flow.source, flow.start, flow.end, flow.grid_w)
        if not pieces or (until is not None and pieces[-1].start < until):
            return
        piece = pieces[-1]  # those before it fill holes, of which the share has been assumed already
        start_s, end_s = piece.start.timestamp(), piece.end.timestamp()
        last = known.waiting[-1] if known.waiting else None
        if last is not None and last.end_s == start_s and end_s - last.start_s <= MERGED_S:
            last.end_s, last.energy_wh = end_s, last.energy_wh + piece.above_wh
        else:
            known.waiting.append(_Import(start_s, end_s, piece.above_wh))
        if len(known.waiting) > MOST_WAITING:
            del known.waiting[0]
        self._settle()

    def _settle(self) -> None:
        """Compare the imports with what was charged at the same time, as far as both are known."""
        known = self._known
        curve, waiting = known.curve, known.waiting
        while waiting and curve.end_s is not None and waiting[0].end_s <= curve.end_s:
            bought = waiting.pop(0)
            if known.running is not None:
                known.running.solar.settle(curve, bought.start_s, bought.end_s, bought.energy_wh)
        if waiting:
            curve.forget(waiting[0].start_s)
        elif known.grid.until is not None:
            curve.forget(known.grid.until.timestamp())

    def _take_status(self, status: ChargerStatus) -> Session | None:
        known = self._known
        heard_at = known.charger.at
        if heard_at is not None and status.at < heard_at:
            return None
        step = known.charger.take(status, with_session=True)
        ended = self._follow(status, step)
        if step is not None:
            known.curve.grow(status.at.timestamp(), step.by_power_wh)
        elif heard_at is None:
            known.curve.grow(status.at.timestamp(), 0.0)
        if known.reasons:
            known.reason = known.reasons[-1][1]
            known.reasons.clear()
        if known.running is not None:
            known.running.note(status)
        self._settle()
        if status.state is ChargerState.DISCONNECTED:
            if known.running is not None:
                ended, known.running = self._session(known.running, status.at), None
            known.unplugged = Unplugged(status.at, status.session_wh)
        return ended

    def _follow(self, status: ChargerStatus, step: Step | None) -> Session | None:
        """Add the step to the car's session, or begin one; return one that has thereby turned out ended."""
        known, running = self._known, self._known.running
        if running is None:
            if status.state.plugged:
                known.running = self._begin(status, step, known.unplugged)
            return None
        if step is None:
            return None
        if running.is_another_car(status, step):
            ended = self._session(running, step.start)
            known.running = self._begin(status, step, Unplugged(step.start, None))
            return ended
        running.add(status, step, known.reason, known.reasons)
        return None

    def _begin(self, status: ChargerStatus, step: Step | None, unplugged: Unplugged | None) -> Running:
        known = self._known
        if status.session_wh is not None:  # be it less than before: what it shows is taken into account
            known.charger.session = Mark(status.session_wh, status.at, 0.0)
        return Running.begin(status, step, unplugged, SolarPart.new(known.curve.total_wh))

    def _session(self, running: Running, ended_at: datetime | None) -> Session:
        energy_wh = running.energy_wh
        solar_wh = running.solar.of(energy_wh, self._known.curve)
        prices = self._prices
        bought_wh = energy_wh - solar_wh
        cost = (bought_wh * prices.import_price + solar_wh * prices.feed_in_price) / _WH_PER_KWH
        return Session(
            started_at=running.started_at,
            ended_at=ended_at,
            energy_wh=energy_wh,
            solar_wh=solar_wh,
            cost=cost,
            saved=energy_wh * prices.import_price / _WH_PER_KWH - cost,
            charging_s=running.charging_s,
            starts=running.starts,
            phase_switches=running.phase_switches,
            pauses_s=dict(running.pauses_s),
        )
