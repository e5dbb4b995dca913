"""A simulated day keeps its books: no energy is lost, and the same seed gives the same day."""

from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from math import sin

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pvcharge.control import ControlSettings
from pvcharge.model import NO_CHARGE, Mode, Reason
from pvcharge.sim.feed import Source
from pvcharge.sim.invented import invented
from pvcharge.simulation import STEP_S, Outcome, Simulation

MORNING = datetime(2026, 6, 15, 6, tzinfo=UTC)
SETTINGS = ControlSettings()


class Waves:
    """A cheap profile: surplus comes and goes, and ends when the sun sets after `light_h` hours."""

    def __init__(self, light_h: float = 24.0) -> None:
        self.sunset = MORNING + timedelta(hours=light_h)

    def pv_w(self, at: datetime) -> float:
        """Return a production that swings between 1 and 7 kW in 50 minutes."""
        return 4000 + 3000 * sin((at - MORNING).total_seconds() / 480) if at < self.sunset else 0.0

    def load_w(self, at: datetime) -> float:
        """Return a consumption that swings between 0.2 and 0.8 kW."""
        return 500 + 300 * sin((at - MORNING).total_seconds() / 111)


def simulation(source: Source, *, hours: float = 3.0, seed: int = 1, mode: Mode = Mode.SURPLUS) -> Simulation:
    """Return a short simulation of the waves."""
    chosen = SETTINGS.model_copy(update={"mode": mode})
    return Simulation(Waves(), MORNING, hours / 24, source, chosen, seed=seed)


@settings(max_examples=12)
@given(seed=st.integers(0, 10**6), source=st.sampled_from(Source))
def test_energy_is_conserved(seed: int, source: Source) -> None:
    """What came from roof and grid went into house, car and grid, whatever the weather."""
    profile = invented(seed)
    run = Simulation(profile, MORNING, 0.25, source, SETTINGS, seed=seed)
    outcome = run.run()
    times = [MORNING + k * timedelta(seconds=STEP_S) for k in range(run.steps)]
    kwh = STEP_S / 3.6e6
    pv_kwh = sum(profile.pv_w(at) for at in times) * kwh
    load_kwh = sum(profile.load_w(at) for at in times) * kwh
    assert outcome.steps == run.steps == 4320
    assert outcome.pv_kwh == pytest.approx(pv_kwh, abs=1e-6)
    assert outcome.pv_kwh + outcome.house_import_kwh == pytest.approx(
        load_kwh + outcome.charged_kwh + outcome.house_export_kwh, abs=1e-6
    )


@pytest.mark.parametrize("source", Source)
def test_the_same_seed_gives_the_same_day(source: Source) -> None:
    """To the last bit, decisions and picture included."""
    runs = [simulation(source, seed=5) for _ in range(2)]
    assert asdict(runs[0].run()) == asdict(runs[1].run())
    assert runs[0].decisions == runs[1].decisions
    assert runs[0].chart == runs[1].chart


def test_another_seed_gives_other_delays() -> None:
    """The cloud's live values are as old as chance makes them."""
    assert simulation(Source.LIVE, seed=1).run() != simulation(Source.LIVE, seed=2).run()


def test_sums_and_shares_fit_together() -> None:
    """While a car is there all day, the house's energies are those of the car's time."""
    outcome = simulation(Source.MODBUS).run()
    assert outcome.grid_exchange_kwh == pytest.approx(outcome.import_kwh + outcome.export_kwh)
    assert outcome.import_kwh == pytest.approx(outcome.house_import_kwh)
    assert outcome.export_kwh == pytest.approx(outcome.house_export_kwh)
    assert 0 < outcome.charged_kwh < outcome.pv_kwh
    assert 0 < outcome.solar_share_pct <= 100
    assert outcome.starts >= 1
    assert outcome.writes > outcome.phase_switches


def test_fresher_readings_make_better_days() -> None:
    """What the whole daemon is for: the exchange with the grid is less, the sooner it knows."""
    exchange = {source: simulation(source, hours=6).run().grid_exchange_kwh for source in Source}
    idle = simulation(Source.MODBUS, hours=6, mode=Mode.OFF).run().grid_exchange_kwh
    assert exchange[Source.MODBUS] < exchange[Source.LIVE] < exchange[Source.QUARTER] < idle


def test_a_car_that_may_not_charge_gets_nothing() -> None:
    """Mode off: nothing is charged, so nothing can be solar."""
    outcome = simulation(Source.MODBUS, mode=Mode.OFF).run()
    assert (outcome.charged_kwh, outcome.solar_share_pct, outcome.starts) == (0, 0, 0)


def test_the_car_leaves_when_the_sun_does() -> None:
    """From then on the exchange with the grid is no longer the controller's."""
    run = Simulation(Waves(light_h=1.0), MORNING, 2 / 24, Source.MODBUS, SETTINGS)
    outcome = run.run()
    assert run.decisions[-1].reason is Reason.NO_CAR
    assert run.decisions[-1].setpoint == NO_CHARGE
    night_kwh = 0.5  # the household for an hour in the dark
    assert outcome.house_import_kwh - outcome.import_kwh == pytest.approx(night_kwh, abs=0.05)


def test_progress_and_chart_cover_the_whole_run() -> None:
    """The last call of progress says that all is done; the chart has a value for each minute."""
    run = simulation(Source.QUARTER)
    told: list[int] = []
    run.run(told.append)
    assert told == [0, 2000, run.steps]
    chart = run.chart
    assert chart.at == [MORNING + timedelta(minutes=k) for k in range(180)]
    columns = (chart.pv_w, chart.load_w, chart.charger_w, chart.grid_w)
    assert {len(column) for column in columns} == {180}
    for pv_w, load_w, charger_w, grid_w in zip(*columns, strict=True):
        assert pv_w + grid_w == pytest.approx(load_w + charger_w)


def test_decisions_are_kept_once_per_change() -> None:
    """A row for each change of setpoint or reason is what a person can read."""
    run = simulation(Source.MODBUS)
    run.run()
    told = [(decision.setpoint, decision.reason) for decision in run.decisions]
    assert len(told) > 3
    assert all(before != after for before, after in pairwise(told))


def test_an_outcome_starts_empty() -> None:
    """Nothing is counted before a step."""
    assert simulation(Source.MODBUS).outcome == Outcome(days=0.125)
