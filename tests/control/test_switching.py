"""Regret against the price of a change: a short cloud is ridden out, a long one is not."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pvcharge.control.ladder import Ladder
from pvcharge.control.limits import SwitchLimits
from pvcharge.control.settings import ControlSettings
from pvcharge.control.switching import AGREE_S, Regret
from pvcharge.model import Reason

LADDER = Ladder((1, 3), (6, 16), 230.0, (1.0, 1.0))
ALL = (0, 1, 3)


def seconds_until_change(present: int, surplus_w: float, scarcity: float = 0.0) -> float:
    """Return how long a steady surplus takes to move a controller out of a state it suited before."""
    regret = settled(present)
    for step in range(1, 2000):
        regret.observe(LADDER, surplus_w, 5.0, scarcity)
        if regret.best(present, ALL, scarcity) != present:
            return 5.0 * step
    return float("inf")


def test_the_darker_the_cloud_the_sooner_it_stops() -> None:
    """The wait shrinks as the regret per second grows; a sliver of regret waits long."""
    waits = [seconds_until_change(1, surplus_w) for surplus_w in (680.0, 650.0, 600.0, 400.0, 0.0)]
    assert waits == sorted(waits, reverse=True)
    assert len(set(waits)) >= 4
    assert waits[-1] == AGREE_S  # a kettle ends a charge as soon as that is sure
    assert waits[0] > 600


def test_the_sun_that_comes_out_starts_a_charge_soon() -> None:
    """And with the full sun three phases are worth it."""
    assert seconds_until_change(0, 2000.0) == AGREE_S
    assert AGREE_S < seconds_until_change(1, 8000.0) < 120


def settled(present: int) -> Regret:
    """Return the regret of a controller that has long been in the state that suits."""
    regret = Regret(ALL, 15.0, 22.5)
    for _ in range(1000):
        regret.observe(LADDER, {0: -500.0, 1: 2000.0, 3: 6000.0}[present], 5.0)
    return regret


@given(present=st.sampled_from(ALL), odd_w=st.floats(-10_000, 12_000), readings=st.integers(1, 2))
def test_an_odd_reading_changes_nothing(present: int, odd_w: float, readings: int) -> None:
    """What is told for less than some seconds, be it a microwave or a mistake, is no forecast."""
    regret = settled(present)
    for _ in range(readings):
        regret.observe(LADDER, odd_w, 5.0)
        assert regret.best(present, ALL) == present


@pytest.mark.parametrize("seconds", [900.0, 150.0])
def test_a_reading_of_its_own_time_is_enough(seconds: float) -> None:
    """Where readings come seldom, the newest one says what there is to know."""
    regret = Regret(ALL, 15.0, 22.5)
    for _ in range(10):
        regret.observe(LADDER, 2500.0, seconds)
    assert regret.best(1, ALL) == 1
    regret.observe(LADDER, -500.0, seconds)
    assert regret.best(1, ALL) == 0


def test_where_readings_do_not_agree_regret_decides() -> None:
    """Sun and cloud in turn are no forecast, and what the car loses by them is regretted all the same."""
    regret, changed_s = settled(0), 0
    while regret.best(0, ALL) == 0:
        for surplus_w in (2000.0, 300.0):
            regret.observe(LADDER, surplus_w, 5.0)
        changed_s += 10
    # Of each 10 s, 5 cost 1380 W less with the car, and 5 cost 780 W more: 0.42 Wh in all.
    regretted_s = 30 / 0.42 * 10
    assert regretted_s / 3 < changed_s <= regretted_s


def test_the_last_change_of_an_hour_is_dear() -> None:
    """It could not be undone when the cloud has passed."""
    assert seconds_until_change(1, 660.0, scarcity=1.0) > 1.5 * seconds_until_change(1, 660.0)
    regret = Regret(ALL, 15.0, 22.5)
    assert regret.price_wh(1, 3, 1.0) == 2 * regret.price_wh(1, 3) == 45.0


@pytest.mark.parametrize(("scarcity", "most_wh"), [(0.0, 15.0), (0.5, 22.5), (1.0, 30.0)])
def test_regret_counts_up_to_the_price_of_the_change(scarcity: float, most_wh: float) -> None:
    """So a change that has become dearer, since few are left of this hour, can still be earned."""
    regret = Regret(ALL, 15.0, 22.5)
    for _ in range(100):
        regret.observe(LADDER, -5000.0, 60.0, scarcity)
    assert regret.work_wh == {0: 0.0, 1: most_wh, 3: most_wh}


def test_of_states_that_are_as_good_the_one_of_fewer_phases_is_taken() -> None:
    """While nothing is known of the surplus, a charge that must be begins on one phase."""
    assert Regret(ALL, 15.0, 22.5).best(0, (1, 3)) == 1


def test_prices_change_while_it_runs() -> None:
    """What has been regretted stays, and pays for a change that has become cheap."""
    regret, waits_s = settled(1), seconds_until_change(1, 650.0)
    for _ in range(round(0.8 * waits_s / 5)):
        regret.observe(LADDER, 650.0, 5.0)
    assert regret.best(1, ALL) == 1
    regret.reprice(1.0, 1.5)
    assert regret.best(1, ALL) == 0


def test_a_change_that_never_pays_is_never_made() -> None:
    """At equal cost there is no regret."""
    assert seconds_until_change(0, 690.0) == float("inf")


def test_a_short_cloud_leaves_no_grudge() -> None:
    """Regret of a passed cloud is forgotten as the sun repays it."""
    regret = Regret(ALL, 15.0, 22.5)
    for surplus_w, steps in ((2000.0, 100), (0.0, 2), (2000.0, 20), (0.0, 2)):
        for _ in range(steps):
            regret.observe(LADDER, surplus_w, 5.0)
            assert regret.best(1, ALL) == 1


@given(st.lists(st.tuples(st.floats(-8000, 15_000), st.floats(0.1, 900)), max_size=80))
def test_work_is_bounded_by_the_prices(readings: list[tuple[float, float]]) -> None:
    """No past, however long, makes a state look worse than the price of reaching it."""
    regret = Regret(ALL, 15.0, 22.5)
    for surplus_w, duration_s in readings:
        regret.observe(LADDER, surplus_w, duration_s)
        work = regret.work_wh
        assert min(work.values()) == 0.0
        assert max(work.values()) <= 22.5 + 15.0
        for present in ALL:
            assert regret.best(present, ALL) in ALL
            assert regret.best(present, (1, 3)) in (1, 3)


def test_a_state_that_is_not_allowed_is_left() -> None:
    """From a state outside the allowed ones the best allowed one is chosen at once."""
    regret = Regret(ALL, 15.0, 22.5)
    regret.observe(LADDER, -5000.0, 3600.0)
    assert regret.best(0, (1, 3)) == 1


@pytest.mark.parametrize("phase_switch_cost_wh", [5.0, 22.5, 30.0, 1000.0])
def test_a_phase_switch_never_goes_by_way_of_off(phase_switch_cost_wh: float) -> None:
    """However dear a phase switch is made, stopping in between is no way around its price."""
    regret, present = Regret(ALL, 15.0, phase_switch_cost_wh), 1
    for _ in range(500):
        regret.observe(LADDER, 2000.0, 5.0)
    for _ in range(500):
        regret.observe(LADDER, 8000.0, 5.0)
        present = regret.best(present, ALL)
        assert present != 0
    assert present == 3


def make_limits(**settings: float) -> SwitchLimits:
    """Return limits with these settings."""
    return SwitchLimits(ControlSettings.model_validate(settings))


def test_minimum_times() -> None:
    """A start is protected for the minimum on time, a stop for the minimum off time."""
    limits = make_limits(min_on_s=300, min_off_s=120)
    assert limits.blocked(0, 0, 1) is None
    limits.record(1000, 0, 1)
    assert limits.blocked(1299, 1, 0) == (Reason.MIN_ON_TIME, 1300)
    assert limits.blocked(1300, 1, 0) is None
    limits.record(1300, 1, 0)
    assert limits.blocked(1419, 0, 1) == (Reason.MIN_OFF_TIME, 1420)
    assert limits.blocked(1420, 0, 1) is None
    limits.plugged_in()
    assert limits.blocked(1301, 0, 1) is None


def test_switches_per_hour() -> None:
    """The N-th switch within the hour is the last, also one made by a start on other phases."""
    limits = make_limits(max_phase_switches_per_hour=2, min_off_s=0)
    limits.record(0, 0, 1)
    limits.record(100, 1, 3)
    limits.record(200, 3, 0)
    limits.record(300, 0, 1)  # starts on another number of phases: the contactor moves
    assert limits.blocked(400, 1, 3) == (Reason.SWITCH_LIMIT, 3700)
    assert limits.blocked(3700, 1, 3) is None


def test_starts_per_hour() -> None:
    """The N-th start within the hour is the last; a stop is always free."""
    limits = make_limits(max_starts_per_hour=1, min_off_s=0, min_on_s=0)
    limits.record(0, 0, 3)
    assert limits.blocked(10, 3, 0) is None
    limits.record(10, 3, 0)
    assert limits.blocked(20, 0, 3) == (Reason.SWITCH_LIMIT, 3600)


def test_no_phase_switch_at_all() -> None:
    """0 switches per hour keeps a charge on the phases it started with."""
    limits = make_limits(max_phase_switches_per_hour=0)
    limits.record(0, 0, 1)
    assert limits.blocked(10_000, 1, 3) == (Reason.SWITCH_LIMIT, float("inf"))


def test_scarcity_is_the_share_of_the_hour_that_is_used_up() -> None:
    """Of starts or phase switches, whichever is scarcer; after an hour it is forgotten."""
    limits = make_limits(max_starts_per_hour=4, max_phase_switches_per_hour=2)
    assert limits.scarcity(0) == 0.0
    limits.record(0, 0, 1)
    assert limits.scarcity(10) == 0.25
    limits.record(20, 1, 3)
    assert limits.scarcity(30) == 0.5
    assert limits.scarcity(3610) == 0.5
    assert limits.scarcity(3620) == 0.0
    assert make_limits(max_phase_switches_per_hour=0).scarcity(0) == 0.0


def test_going_elsewhere_and_stopping_have_each_their_price() -> None:
    """It doubles as the hour's allowance is used up."""
    regret = Regret(ALL, 15.0, 20.0)
    assert [regret.price_wh(*way) for way in ((0, 1), (3, 0), (1, 3), (3, 3))] == [15.0, 15.0, 20.0, 0.0]
    assert regret.price_wh(1, 3, scarcity=1.0) == 40.0
    assert regret.price_wh(0, 1, scarcity=0.5) == 22.5
