"""Cars that come and go as they really did: the simulation plugs them in, and lets them be full."""

from datetime import UTC, datetime, timedelta

import pytest

from pvcharge.control import ControlSettings
from pvcharge.model import Mode, Reason
from pvcharge.sim.feed import Source
from pvcharge.simulation import Simulation, Visit

MORNING = datetime(2026, 6, 15, 6, tzinfo=UTC)
HOUR = timedelta(hours=1)


class Sunny:
    """A roof that gives about 5 kW all day, above a household of 400 W."""

    def pv_w(self, at: datetime) -> float:
        """Return the production, which never stands still: that would look like a dead meter."""
        return 5000.0 + at.timestamp() % 35

    def load_w(self, _at: datetime) -> float:
        """Return the consumption."""
        return 400.0


def simulated(*visits: Visit, mode: Mode = Mode.SURPLUS) -> Simulation:
    """Simulate six hours with these cars."""
    settings = ControlSettings(mode=mode)
    days = Simulation(Sunny(), MORNING, 0.25, Source.MODBUS, settings, plugged=visits)
    days.run()
    return days


def test_a_car_charges_while_it_is_there() -> None:
    """And at no other time, whatever the sun does."""
    days = simulated(Visit(MORNING + HOUR, MORNING + 2 * HOUR), Visit(MORNING + 4 * HOUR, MORNING + 9 * HOUR))
    chart = days.chart
    charged_at = [at for at, power_w in zip(chart.at, chart.charger_w, strict=True) if power_w > 0]
    hours = {(at - MORNING) // HOUR for at in charged_at}
    assert hours == {1, 4, 5}
    assert days.outcome.starts == 2
    assert 3 * 4.0 < days.outcome.charged_kwh < 3 * 4.9
    assert days.outcome.export_kwh < days.outcome.house_export_kwh


def test_without_a_car_nothing_is_charged() -> None:
    """Nor does the exchange with the grid count."""
    outcome = simulated().outcome
    assert (outcome.charged_kwh, outcome.grid_exchange_kwh) == (0, 0)
    assert outcome.house_export_kwh == pytest.approx(6 * 4.615)


def test_a_full_car_takes_no_more() -> None:
    """The next one does."""
    first, second = Visit(MORNING, MORNING + 3 * HOUR, 2000.0), Visit(MORNING + 3 * HOUR, MORNING + 6 * HOUR)
    assert simulated(first).outcome.charged_kwh == pytest.approx(2.0)
    both = simulated(first, second)
    assert both.outcome.charged_kwh > 2 + 2.5 * 4.0
    assert both.outcome.starts == 2


def test_the_sun_decides_only_if_nothing_is_known() -> None:
    """A car that is there at night can be charged then."""

    class Dark(Sunny):
        def pv_w(self, at: datetime) -> float:
            return at.timestamp() % 35

    for visits, charged in ((None, False), ((Visit(MORNING, MORNING + HOUR),), True)):
        settings = ControlSettings(mode=Mode.MIN_SURPLUS)
        days = Simulation(Dark(), MORNING, 1 / 24, Source.MODBUS, settings, plugged=visits)
        assert (days.run().charged_kwh > 0) is charged
        assert (days.decisions[-1].reason is Reason.NO_CAR) is not charged
