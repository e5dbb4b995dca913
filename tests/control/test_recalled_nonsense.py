"""What was learned wrongly, or is of another house, is overcome like anything that is not true any more."""

from datetime import timedelta

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from control.kept_documents import DAY_S, MIDNIGHT, QUARTER_S, fits, roof_w
from control.test_response import House
from pvcharge.control.clear_day import GREATEST_W, KeptClearDay
from pvcharge.control.fit import KeptFit
from pvcharge.control.forecast import CLEAREST, Forecast, KeptForecast, KeptHabit
from pvcharge.control.freshness import Age, Freshness
from pvcharge.control.learned import fitting, moment
from pvcharge.control.response import AGES_S, CERTAIN, KeptAges, Response
from pvcharge.model import PowerFlow

MIDNIGHT_S = MIDNIGHT.timestamp()
AHEAD_S = 1260.0  # from the middle of a quarter hour to that of the time it is acted on
DAYS = 3


def house_w(number: int) -> float:
    """Return what the house draws in a quarter hour."""
    return 400.0 + 100.0 * (number % 7)


def errors_w(forecast: Forecast) -> tuple[float, float]:
    """Return mean errors on the fourth day: of the forecast, and of the last reading as it is."""
    expected_error_w = last_error_w = 0.0
    for number in range((DAYS + 1) * 96):
        at_s = MIDNIGHT_S + (number + 0.5) * QUARTER_S
        surplus_w = roof_w(at_s - MIDNIGHT_S) - house_w(number)
        forecast.observe(at_s, QUARTER_S, surplus_w, surplus_w + house_w(number))
        if number >= DAYS * 96:
            then_w = roof_w(at_s + AHEAD_S - MIDNIGHT_S) - 700.0
            expected_error_w += abs(forecast.surplus_w(at_s + AHEAD_S, surplus_w) - then_w)
            last_error_w += abs(surplus_w - then_w)
    return expected_error_w / 96, last_error_w / 96


def habit(lead: int, share: float, evidence: float) -> KeptHabit:
    """Return a habit of which there seems to be so much evidence, in W²."""
    squares = ((evidence,), (0.0, evidence), (0.0, 0.0, evidence))
    return KeptHabit(
        lead_readings=lead,
        of_unusual_rest=share,
        of_change_of_rest=share,
        of_unusual_clearness=share,
        evidence=KeptFit(squares=squares, products=(share * evidence,) * 3),
    )


@given(
    greatest_w=st.sampled_from([0.0, 8000.0, GREATEST_W]),
    shape=fits(5, 1.0, 2e4),
    rest_w=st.floats(-2e5, 2e5),
    share=st.floats(-2.9, 2.9),
    evidence=st.sampled_from([1e6, 1e10, 1e15]),
)
def test_a_wrong_forecast_is_soon_overcome(
    greatest_w: float, shape: dict[str, list[list[float]]], rest_w: float, share: float, evidence: float
) -> None:
    """On the fourth day it is no worse than the last reading, or hardly."""
    text = KeptFit.model_construct(**shape).model_dump_json(warnings=False)  # type: ignore[arg-type]
    clear_day = fitting(
        KeptClearDay,
        since=moment(MIDNIGHT_S - 100 * DAY_S),
        seen_days=100.0,
        believed=True,
        by_hour_w=(),
        hours_utc=tuple(range(24)),
        greatest_w=greatest_w,
        shape=KeptFit.model_validate_json(text),
    )
    assume(clear_day is not None)
    forecast = Forecast()
    forecast.recall(
        KeptForecast(
            clear_day=clear_day,
            habits=(habit(1, share, evidence), habit(2, share, evidence)),
            usual_rest_w=rest_w,
            usual_clearness=CLEAREST,
            least_surplus_w=-GREATEST_W,
            greatest_surplus_w=GREATEST_W,
        )
    )
    expected_error_w, last_error_w = errors_w(forecast)
    assert expected_error_w < 1.3 * last_error_w


def test_what_is_true_is_not_taken_for_wrong() -> None:
    """The same fourth day, learned here."""
    forecast = Forecast()
    expected_error_w, last_error_w = errors_w(forecast)
    assert expected_error_w < 0.6 * last_error_w
    kept = forecast.learned(MIDNIGHT_S + 4 * DAY_S)
    assert kept is not None
    assert kept.clear_day is not None
    assert kept.clear_day.seen_days == 4.0


@pytest.mark.parametrize("believed_s", [0.0, 60.0, 240.0])
def test_wrong_ages_are_overcome(believed_s: float) -> None:
    """Whatever was believed with certainty: two days later the true 20 to 100 s are."""
    shares = [1e-6] * len(AGES_S)
    shares[AGES_S.index(believed_s)] = 1.0
    response = Response()
    response.recall(
        KeptAges(
            mean_s=believed_s,
            spread_s=0.0,
            share_by_age_s={f"{age:g}": it / sum(shares) for age, it in zip(AGES_S, shares, strict=True)},
            log_odds_late=CERTAIN,
            log_odds_seen=CERTAIN,
            house_scatter_w=50.0,
        ),
        None,
    )
    assert response.age_s == pytest.approx(believed_s, abs=0.1)
    for _ in House(1, (20, 100)).run(response, 48, 60.0):
        pass
    assert response.age_s == pytest.approx(60.0, abs=15)


def test_a_wrong_rhythm_is_overcome_by_a_few_readings() -> None:
    """A minute of a local meter does away with the patience for a cloud."""
    fresh = Freshness()
    fresh.recall(1200.0, 1700.0)
    at = MIDNIGHT
    for second in range(0, 60, 5):
        at = MIDNIGHT + timedelta(seconds=second)
        fresh.observe(PowerFlow(at, at, grid_w=float(second)), at.timestamp(), 0.0)
        fresh.state(at.timestamp() + 5)
    assert (fresh.usual_pause_s, fresh.usual_age_s) == (5.0, 5.0)
    assert fresh.state(at.timestamp() + 120) is Age.STALE
