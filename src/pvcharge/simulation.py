"""A house, a charger and the real controller in virtual time: what would it have done on these days?"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from pvcharge.control import Controller, ControlSettings
from pvcharge.model import Decision
from pvcharge.sim.chargepoint import ChargePoint
from pvcharge.sim.feed import Feed, Source
from pvcharge.sim.house import House, Profile
from pvcharge.yardsticks import Rule

STEP_S = 5.0
SUN_UP_W = 50.0  # unless it is known better, the car is plugged in while the roof gives more than this
KEEP_S = 3600.0  # of the house's past; no source is slower than 36 minutes
CHART_STEP_S = 60.0


@dataclass(frozen=True, slots=True)
class Visit:
    """A car at the cable, which takes so much energy and is full then; None = it never is."""

    start: datetime
    end: datetime
    wanted_wh: float | None = None


IN_THE_SUN = Visit(datetime.min.replace(tzinfo=UTC), datetime.max.replace(tzinfo=UTC))


@dataclass(slots=True)
class Chart:
    """What a picture of the days needs: a value a minute, all in W."""

    at: list[datetime] = field(default_factory=list)
    pv_w: list[float] = field(default_factory=list)
    load_w: list[float] = field(default_factory=list)  # without the car
    charger_w: list[float] = field(default_factory=list)
    grid_w: list[float] = field(default_factory=list)


@dataclass(slots=True)
class Outcome:
    """What came of the simulated days; energies in kWh.

    `import_kwh`, `export_kwh` and their sum `grid_exchange_kwh` count while a car is plugged in, which is
    when a controller can do something about them; the `house_` energies count always.
    """

    days: float = 0.0
    steps: int = 0
    grid_exchange_kwh: float = 0.0
    import_kwh: float = 0.0
    export_kwh: float = 0.0
    charged_kwh: float = 0.0
    solar_share_pct: float = 0.0
    pv_kwh: float = 0.0
    house_import_kwh: float = 0.0
    house_export_kwh: float = 0.0
    starts: int = 0
    phase_switches: int = 0
    writes: int = 0


class Simulation:
    """Runs the controller closed-loop over a profile, with one car at a time.

    Args:
        profile: production and household consumption.
        start: of the first day, UTC-aware.
        days: how many to run.
        source: how the controller gets its readings.
        settings: the controller's.
        seed: of the source's delays.
        plugged: when a car is there, in order; None = one that is never full, while the sun is up.
        rule: what decides instead of the controller.
    """

    def __init__(
        self,
        profile: Profile,
        start: datetime,
        days: float,
        source: Source,
        settings: ControlSettings,
        *,
        seed: int = 1,
        plugged: Sequence[Visit] | None = None,
        rule: Rule | None = None,
    ) -> None:
        self._profile = profile
        self._visits = None if plugged is None else list(reversed(plugged))  # the next one last
        self._start = start
        self.steps = int(days * 86_400 / STEP_S)
        self._charger = ChargePoint()
        self._house = House(
            profile, start=start, charger_w=lambda: self._charger.power_w, step_s=STEP_S, keep_s=KEEP_S
        )
        self._feed = Feed(source, self._house, start=start, seed=seed)
        self._controller: Rule = rule or Controller(settings)
        self._visit: Visit | None = None
        self._solar_wh = 0.0
        self.outcome = Outcome(days=days)
        self.chart = Chart()
        self.decisions: list[Decision] = []  # one for each change of setpoint or reason

    def run(self, progress: Callable[[int], None] = lambda _: None) -> Outcome:
        """Run all days; `progress` is told the steps done from time to time."""
        step = timedelta(seconds=STEP_S)
        now = self._start
        for number in range(self.steps):
            self._step(now, step)
            now += step
            if number % 2000 == 0:
                progress(number)
        progress(self.steps)
        return self._finish()

    def _step(self, now: datetime, step: timedelta) -> None:
        controller, charger = self._controller, self._charger
        self._plug(self._visit_at(now))
        controller.observe(charger.status(now - step))  # measured one step ago, like the meter
        for reading in self._feed.due(now):
            controller.observe(reading)
        decision = controller.decide(now)
        self._remember(decision)
        if self._visit:
            charger.command(decision.setpoint.phases, decision.setpoint.current_a)
        charger.step(STEP_S)
        self._house.advance(now + step)
        self._account(now)

    def _visit_at(self, now: datetime) -> Visit | None:
        visits = self._visits
        if visits is None:
            return IN_THE_SUN if self._profile.pv_w(now) > SUN_UP_W else None
        while visits and visits[-1].end <= now:
            visits.pop()
        return visits[-1] if visits and visits[-1].start <= now else None

    def _plug(self, visit: Visit | None) -> None:
        if visit is self._visit:
            return
        if self._visit:
            self._charger.command(0, 0)
            self._charger.unplug()
        if visit:
            self._charger.plug_in(visit.wanted_wh)
        self._visit = visit

    def _remember(self, decision: Decision) -> None:
        last = self.decisions[-1] if self.decisions else None
        if last is None or (last.setpoint, last.reason) != (decision.setpoint, decision.reason):
            self.decisions.append(decision)

    def _account(self, now: datetime) -> None:
        sample = self._house.sample(now)
        if sample is None:  # pragma: no cover - the step just simulated is always remembered
            return
        if self._visit:
            kwh = STEP_S / 3.6e6
            if sample.grid_w > 0:
                self.outcome.import_kwh += sample.grid_w * kwh
            else:
                self.outcome.export_kwh -= sample.grid_w * kwh
            self._solar_wh += max(0.0, sample.charger_w - max(0.0, sample.grid_w)) * kwh * 1000
        if self.outcome.steps % int(CHART_STEP_S / STEP_S) == 0:
            chart = self.chart
            chart.at.append(now)
            chart.pv_w.append(sample.pv_w)
            chart.load_w.append(sample.load_w - sample.charger_w)
            chart.charger_w.append(sample.charger_w)
            chart.grid_w.append(sample.grid_w)
        self.outcome.steps += 1

    def _finish(self) -> Outcome:
        outcome, charger, totals = self.outcome, self._charger, self._house.totals
        outcome.grid_exchange_kwh = outcome.import_kwh + outcome.export_kwh
        outcome.charged_kwh = totals.charger_wh / 1000
        outcome.solar_share_pct = 100 * self._solar_wh / totals.charger_wh if totals.charger_wh else 0.0
        outcome.pv_kwh = totals.pv_wh / 1000
        outcome.house_import_kwh = totals.imported_wh / 1000
        outcome.house_export_kwh = totals.exported_wh / 1000
        outcome.starts, outcome.phase_switches = charger.starts, charger.switches
        outcome.writes = charger.writes
        return outcome
