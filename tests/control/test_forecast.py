"""The coming surplus: what is learned of roof and house, and that it does no harm while nothing is."""

import sys
from datetime import UTC, datetime, timedelta
from math import inf, isfinite, nan

import pytest
from hypothesis import given
from hypothesis import strategies as st

from control.kept_documents import roof_w
from pvcharge.control import Controller, ControlSettings
from pvcharge.control.clear_day import DAY_S
from pvcharge.control.fit import Fit
from pvcharge.control.forecast import Forecast
from pvcharge.model import ChargerState, ChargerStatus, Mode, PowerFlow

MIDNIGHT = datetime(2026, 6, 15, tzinfo=UTC)
MIDNIGHT_S = MIDNIGHT.timestamp()
QUARTER_S = 900.0
AHEAD_S = 1260.0  # from the middle of a quarter hour to that of the time it is acted on
HOUSE_W = 400.0
NUMBERS = st.one_of(st.floats(-2e4, 2e4), st.sampled_from([0.0, 1e12, -1e12, inf, -inf, nan]))


def learned(days: float, *, told: bool = True) -> tuple[Forecast, float]:
    """Return a forecast that has heard some days of a roof in the sun, and when."""
    forecast, at_s = Forecast(), MIDNIGHT_S + QUARTER_S / 2
    while True:
        pv_w = roof_w(at_s)
        forecast.observe(at_s, QUARTER_S, pv_w - HOUSE_W, pv_w if told else None)
        if at_s + QUARTER_S >= MIDNIGHT_S + days * DAY_S:
            return forecast, at_s
        at_s += QUARTER_S


def test_a_fit_finds_what_there_is() -> None:
    """A linear relation, however the features are mixed."""
    fit = Fit(3, 1e-6)
    for number in range(50):
        features = (1.0, number % 7 - 3.0, number % 5 - 2.0 + number % 7)
        fit.learn(features, 2.0 - features[1] + 0.5 * features[2], 1.0, 1.0)
    assert fit.factors == pytest.approx([2.0, -1.0, 0.5], abs=1e-4)


def test_a_fit_believes_little_in_little() -> None:
    """One observation as strong as the ridge is believed half."""
    fit = Fit(1, 4.0)
    fit.learn((2.0,), 6.0, 1.0, 1.0)
    assert fit.value((2.0,)) == pytest.approx(3.0)


def test_a_fit_forgets() -> None:
    """What has changed for good is believed in the end."""
    fit = Fit(1, 1e-3)
    for value in [5.0] * 100 + [1.0] * 100:
        fit.learn((1.0,), value, 1.0, 0.9)
    assert fit.factors == pytest.approx([1.0], abs=1e-3)


@given(
    st.lists(
        st.tuples(
            st.lists(st.floats(-1e4, 1e4), min_size=3, max_size=3), st.floats(-1e4, 1e4), st.floats(0.01, 1.0)
        ),
        max_size=30,
    )
)
def test_a_fit_never_breaks(observations: list[tuple[list[float], float, float]]) -> None:
    """Whatever the features, equal ones among them: the factors stay numbers."""
    fit = Fit(3, 1.0)
    for features, value, weight in observations:
        fit.learn(features, value, weight, 0.99)
        assert all(isfinite(factor) for factor in fit.factors)


def test_the_first_reading_stays() -> None:
    """Nothing is known yet."""
    forecast = Forecast()
    assert forecast.surplus_w(MIDNIGHT_S, 1234.0) == 1234.0
    forecast.observe(MIDNIGHT_S, QUARTER_S, 1234.0, 2000.0)
    assert forecast.surplus_w(MIDNIGHT_S + AHEAD_S, 1234.0) == 1234.0


def test_the_shape_of_the_day_counts_once_a_whole_day_has_been_seen() -> None:
    """From half a day nobody can tell the other half, nor the hours in which nothing was heard."""
    for days, known in ((0.5, False), (0.9, False), (1.1, True)):
        forecast, at_s = learned(days)
        assert (forecast.clear_day.power_w(at_s, at_s) is not None) is known
    forecast, at_s = learned(0.5)
    forecast.observe(at_s + DAY_S, QUARTER_S, 5000.0, 5400.0)
    assert forecast.clear_day.power_w(at_s, at_s + DAY_S) is not None
    assert forecast.clear_day.power_w(at_s + DAY_S / 4, at_s + DAY_S) is None


@pytest.mark.parametrize("told", [True, False])
@pytest.mark.parametrize("share", [1.0, 0.5])
@pytest.mark.parametrize("hour", [7, 9, 13, 14])
def test_the_sun_rises_and_sinks(hour: int, share: float, *, told: bool) -> None:
    """After two days most of the change is foreseen, behind thin clouds and without a PV meter, too."""
    forecast, at_s = learned(2 + hour / 24, told=told)
    for _ in range(4):  # the first of them may be taken for a passing cloud
        at_s += QUARTER_S
        pv_w = share * roof_w(at_s)
        forecast.observe(at_s, QUARTER_S, pv_w - HOUSE_W, pv_w if told else None)
    now_w = share * roof_w(at_s) - HOUSE_W
    then_w = share * roof_w(at_s + AHEAD_S) - HOUSE_W
    expected_w = forecast.surplus_w(at_s + AHEAD_S, now_w)
    assert abs(expected_w - then_w) < abs(now_w - then_w) / 2


def test_a_peak_of_the_house_is_not_taken_to_last() -> None:
    """The oven runs for a quarter of an hour every two hours; after some days that is known."""
    forecast = Forecast()
    for number in range(961):
        surplus_w = 1000.0 if number % 8 == 0 else 3000.0
        forecast.observe(MIDNIGHT_S + number * QUARTER_S, QUARTER_S, surplus_w, 4000.0)
    at_s = MIDNIGHT_S + 960 * QUARTER_S
    assert forecast.surplus_w(at_s, 1000.0) == 1000.0
    assert forecast.surplus_w(at_s + AHEAD_S, 1000.0) > 2200.0


def test_a_step_that_lasts_is_taken_to_last() -> None:
    """A house that changes rarely is not expected to change back."""
    forecast = Forecast()
    for number in range(201):
        surplus_w = 1000.0 if number // 25 % 2 else 3000.0
        forecast.observe(MIDNIGHT_S + number * QUARTER_S, QUARTER_S, surplus_w, 4000.0)
    expected_w = forecast.surplus_w(MIDNIGHT_S + 200 * QUARTER_S + AHEAD_S, 3000.0)
    assert expected_w == pytest.approx(3000.0, abs=300.0)


def test_fast_readings_stay_as_they_are() -> None:
    """What is acted on for seconds needs no forecast."""
    forecast = Forecast()
    for number in range(20_000):
        at_s, pv_w = MIDNIGHT_S + 5.0 * number, roof_w(5.0 * number)
        forecast.observe(at_s, 5.0, pv_w - HOUSE_W, pv_w)
        assert forecast.surplus_w(at_s + 5.0, pv_w - HOUSE_W) == pv_w - HOUSE_W


def test_after_a_pause_what_was_measured_counts() -> None:
    """What has been learned is kept for the reading after."""
    forecast, at_s = learned(2.4)
    assert forecast.surplus_w(at_s + AHEAD_S, 5000.0) != 5000.0
    forecast.pause()
    assert forecast.surplus_w(at_s + AHEAD_S, 5000.0) == 5000.0
    forecast.observe(at_s + QUARTER_S, QUARTER_S, 5000.0, 5400.0)
    assert forecast.surplus_w(at_s + QUARTER_S + AHEAD_S, 5000.0) > 5000.0


def test_what_is_kept_does_not_grow() -> None:
    """Nor does it depend on how long it has run."""
    sizes = []
    for days in (2, 60):
        forecast, _ = learned(days)
        sizes.append(_size(forecast))
    assert sizes[1] <= sizes[0] + 100  # floats that happened to be shared
    assert sizes[1] < 20_000


def _size(kept: object) -> int:
    parts = [*kept.values()] if isinstance(kept, dict) else [*kept] if isinstance(kept, list | tuple) else []
    parts += vars(kept).values() if hasattr(kept, "__dict__") else []
    slots = getattr(kept, "__slots__", ())
    parts += [getattr(kept, slot) for slot in slots if hasattr(kept, slot)]
    return sys.getsizeof(kept) + sum(_size(part) for part in parts)


@given(
    st.lists(
        st.tuples(
            st.sampled_from([900.0, 900.0, 900.0, 1.0, 1e5, -900.0, 3e7]),
            st.sampled_from([900.0, 900.0, 150.0, 5.0, 1e7]),
            NUMBERS,
            st.one_of(st.none(), NUMBERS),
        ),
        max_size=60,
    )
)
def test_whatever_is_told_no_more_is_expected_than_was_ever_seen(
    told: list[tuple[float, float, float, float | None]],
) -> None:
    """Gaps, jumps of the clock, nonsense: never beyond the surplus that was there once."""
    forecast, at_s = learned(1.4)
    least_w, greatest_w, now_s = -HOUSE_W, max(roof_w(q * QUARTER_S) for q in range(96)), at_s
    for later_s, cadence_s, surplus_w, pv_w in told:
        now_s += later_s
        forecast.observe(now_s, cadence_s, surplus_w, pv_w)
        if not isfinite(surplus_w):
            continue
        least_w, greatest_w = min(least_w, surplus_w), max(greatest_w, surplus_w)
        for ahead_s in (-1e6, 0.0, 60.0, AHEAD_S, 1e9):
            assert least_w - 1 <= forecast.surplus_w(now_s + ahead_s, surplus_w) <= greatest_w + 1


def quarters(days: float, *, limited: bool = False, battery_w: float | None = None) -> Controller:
    """Return a controller that has been told some days of quarter-hour means, each 6 minutes late."""
    controller = Controller(ControlSettings(mode=Mode.OFF))
    for number in range(round(days * 96)):
        start_s = number * QUARTER_S
        pv_w = roof_w(start_s + QUARTER_S / 2)
        start = MIDNIGHT + timedelta(seconds=start_s)
        now = start + timedelta(minutes=21)
        last = number == round(days * 96) - 1
        for second in range(-900, 1, 60):
            controller.observe(ChargerStatus(now + timedelta(seconds=second), ChargerState.READY, 0.0))
        controller.observe(
            PowerFlow(
                start,
                start + timedelta(seconds=QUARTER_S),
                pv_w=pv_w,
                grid_w=HOUSE_W - pv_w + (battery_w or 0.0),
                battery_w=battery_w,
                limited=limited and last,
            )
        )
        controller.decide(now)
    return controller


@pytest.mark.parametrize("battery_w", [None, 0.0])
def test_the_controller_acts_on_what_is_to_come(battery_w: float | None) -> None:
    """On the third morning, late as the means are, and beside a battery that is full."""
    days = 2 + 9 / 24
    decision = quarters(days, battery_w=battery_w).decide(MIDNIGHT + timedelta(days=days, minutes=6))
    acted_on_s = days * DAY_S + 360 + QUARTER_S / 2
    assert decision.surplus_w == pytest.approx(roof_w(acted_on_s) - HOUSE_W, abs=150.0)
    assert roof_w(acted_on_s) - roof_w(days * DAY_S - QUARTER_S / 2) > 450.0


def test_production_that_is_held_back_says_nothing_of_the_sky() -> None:
    """Then the search for the hidden surplus begins from what was measured."""
    days = 2 + 9 / 24
    decision = quarters(days, limited=True).decide(MIDNIGHT + timedelta(days=days, minutes=6))
    assert decision.surplus_w == pytest.approx(roof_w(days * DAY_S - QUARTER_S / 2) - HOUSE_W)
