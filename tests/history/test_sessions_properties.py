"""What holds of sessions whatever happens."""

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from history.days import GONE, PRICES, anything, energies_wh, honest, restarted_tracker, sessions
from pvcharge.history.energy import Quantity
from pvcharge.history.sessions import SessionTracker
from pvcharge.model import ChargerStatus


def statuses_in(events: Sequence[object]) -> list[ChargerStatus]:
    """Return the statuses among events."""
    return [event for event in events if isinstance(event, ChargerStatus)]


@given(anything)
def test_figures_fit_together(events: Sequence[object]) -> None:
    """There is never more sun than energy, more time than passed, or money that does not add up."""
    last = max((status.at for status in statuses_in(events)), default=None)
    until = None
    for session in sessions(events):
        ended_at = session.ended_at or last
        assert ended_at is not None
        assert until is None or until <= session.started_at <= ended_at
        until = ended_at
        assert 0 <= session.solar_wh <= session.energy_wh
        passed_s = (ended_at - session.started_at).total_seconds()
        assert session.charging_s >= 0
        assert min(session.pauses_s.values(), default=0) >= 0
        assert session.charging_s + sum(session.pauses_s.values()) <= passed_s + 1e-6
        assert session.saved >= -1e-9
        assert session.cost + session.saved == pytest.approx(session.energy_wh * PRICES.import_price / 1000)


@given(st.one_of(anything, honest), st.sets(st.integers(0, 60)))
def test_restarts_change_nothing(events: Sequence[object], restarts: set[int]) -> None:
    """Whenever the daemon is restarted, every figure of every session is the same to the last bit."""
    steady, shaken = SessionTracker(PRICES), SessionTracker(PRICES)
    for number, event in enumerate(events):
        if number in restarts:
            shaken = restarted_tracker(shaken)
        assert shaken.take(event) == steady.take(event)
        assert shaken.current == steady.current
    assert shaken.state() == steady.state()


@given(honest)
def test_cars_get_what_the_charger_gave(events: Sequence[object]) -> None:
    """With an honest box no Wh is lost between the sessions or counted for two of them."""
    statuses = statuses_in(events)
    given_wh = statuses[-1].total_wh - statuses[0].total_wh if statuses else 0.0  # type: ignore[operator]
    assert sum(session.energy_wh for session in sessions(events)) == pytest.approx(given_wh, abs=1e-3)
    assert energies_wh(statuses).get(Quantity.CHARGER, 0.0) == pytest.approx(given_wh, abs=1e-3)


@given(honest)
def test_there_are_as_many_sessions_as_cars(events: Sequence[object]) -> None:
    """Each plug-in makes one session, whatever comes in between."""
    states = [status.state for status in statuses_in(events)]
    plugged = [state.plugged for state in states if state.plugged or state is GONE]
    cars = sum(now and not before for before, now in zip([False, *plugged], plugged, strict=False))
    assert len(sessions(events)) == cars
