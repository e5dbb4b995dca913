"""The controller as a whole: one decision after another, each with its reason."""

from datetime import timedelta
from typing import Any

import pytest

from pvcharge.control.controller import STATUS_MAX_AGE_S
from pvcharge.model import NO_CHARGE, ChargerState, ChargerStatus, Mode, Reason, Setpoint
from support.bench import NOON, Bench, make_bench

CHARGING = ChargerState.CHARGING


def reasons(bench: Bench, seconds: range, surplus_w: float) -> set[Reason]:
    """Return the reasons given while a constant surplus lasts."""
    return {decision.reason for decision in bench.live(seconds, surplus_w)}


@pytest.mark.parametrize(
    ("surplus_w", "setpoint"),
    [
        (0.0, NO_CHARGE),
        (600.0, NO_CHARGE),  # nearer to nothing than to 1380 W
        (800.0, Setpoint(1, 6)),
        (2000.0, Setpoint(1, 9)),
        (3700.0, Setpoint(1, 16)),
        (5000.0, Setpoint(3, 7)),
        (20_000.0, Setpoint(3, 16)),
    ],
)
def test_a_constant_surplus_is_met(surplus_w: float, setpoint: Setpoint) -> None:
    """After a while the level nearest to a constant surplus is held, and nothing swings."""
    bench = make_bench()
    last = bench.live(range(0, 1800, 5), surplus_w)[-200:]
    assert {decision.setpoint for decision in last} == {setpoint}
    assert last[-1].surplus_w == pytest.approx(surplus_w, abs=1)


def test_minutes_old_readings_do_not_wind_up() -> None:
    """With readings two minutes old, the charger's power of that time is subtracted, not today's."""
    bench = make_bench()
    history: list[tuple[int, float]] = []
    setpoints = []
    for second in range(0, 3600, 5):
        bench.status(second)
        history.append((second, bench.power_w))
        if second >= 120 and second % 60 == 0:
            then = next(power for at, power in reversed(history) if at <= second - 120)
            bench.grid(second - 120, then - 5000.0 + second / 1e4)
        decision = bench.decide(second)
        bench.obey(decision)
        setpoints.append(decision.setpoint)
    assert set(setpoints[200:]) == {Setpoint(3, 7)}
    assert len(set(setpoints)) == 2


def test_quarter_hour_means_take_the_same_path() -> None:
    """A mean over 15 minutes is compared with the charger's mean over the same 15 minutes."""
    bench = make_bench()
    bench.status(0)
    for quarter in range(1, 5):
        for second in range((quarter - 1) * 900, quarter * 900, 30):
            bench.status(second)
        bench.grid(quarter * 900, bench.power_w - 2760.0 - quarter, span_s=900)
        for second in range(quarter * 900, quarter * 900 + 390, 30):
            bench.status(second)
        decision = bench.decide(quarter * 900 + 360)
        assert decision.setpoint == Setpoint(1, 12)
        bench.status(quarter * 900 + 360, power_w=2760.0, state=CHARGING)
        if quarter == 1:  # the next quarter is mixed: 360 s off, then on
            for second in range(1260, 1800, 30):
                bench.status(second)
            bench.grid(1800, 2760.0 * 540 / 900 - 2760.0, span_s=900)
            assert bench.decide(2160).surplus_w == pytest.approx(2760.0, abs=100)
            return


def test_no_status_binds_nobody() -> None:
    """Before the charger has been heard, or long after, no decision may reach it."""
    bench = make_bench()
    bench.grid(0, -5000.0)
    assert (bench.decide(0).reason, bench.decide(0).binding) == (Reason.NO_STATUS, False)
    bench.status(10)
    assert bench.decide(10).binding
    assert not bench.decide(10 + 181).binding


@pytest.mark.parametrize(
    ("found", "power_w", "held"),
    [
        (Setpoint(3, 10), 6900.0, Setpoint(3, 10)),
        (Setpoint(1, 8), 0.0, Setpoint(1, 8)),
        (NO_CHARGE, 0.0, NO_CHARGE),
        (Setpoint(3, 32), 22_000.0, Setpoint(3, 16)),  # but never beyond the configured limits
    ],
)
def test_a_start_takes_over_what_it_finds(found: Setpoint, power_w: float, held: Setpoint) -> None:
    """Without a reading, a start of the daemon neither starts nor stops a charge."""
    bench = make_bench()
    bench.status(0, setpoint=found, power_w=power_w, state=CHARGING if power_w else ChargerState.READY)
    for second in range(0, 900, 60):
        bench.status(second)
        decision = bench.decide(second)
        assert (decision.setpoint, decision.reason) == (held, Reason.NO_DATA)


def test_a_charger_that_does_not_tell_its_setting_is_understood_by_its_current() -> None:
    """What is drawn tells what it was set to."""
    bench = make_bench()
    bench.status(0, power_w=6900.0, state=CHARGING, phases=3, current_a=10.2)
    assert bench.decide(0).setpoint == Setpoint(3, 10)


def test_without_any_reading_a_found_charge_ends_at_last() -> None:
    """A quarter of an hour without the first reading is as bad as a stale one."""
    bench = make_bench()
    bench.status(0, setpoint=Setpoint(3, 10), power_w=6900.0, state=CHARGING)
    bench.decide(0)
    bench.status(901)
    assert bench.decide(901).reason is Reason.STALE_STOP


@pytest.mark.parametrize(
    ("on_stale", "reason", "setpoint"),
    [("stop", Reason.STALE_STOP, NO_CHARGE), ("minimum", Reason.STALE_MINIMUM, Setpoint(1, 6))],
)
def test_readings_age_out(on_stale: str, reason: Reason, setpoint: Setpoint) -> None:
    """Late readings hold the level, stale ones do what is configured; a new one ends it."""
    bench = make_bench(on_stale=on_stale)
    held = bench.live(range(0, 600, 5), 6000.0)[-1].setpoint
    seen = []
    for second in range(600, 760, 5):
        bench.status(second)
        decision = bench.decide(second)
        seen.append(decision.reason)
        if decision.reason is Reason.STALE_HOLD:
            assert decision.setpoint == held
    assert seen.index(Reason.STALE_HOLD) < seen.index(reason)
    assert bench.decide(759).setpoint == setpoint
    assert bench.decide(759).reading_age_s == 164
    bench.obey(bench.decide(759))
    assert Reason.FOLLOWING in reasons(bench, range(760, 1200, 5), 6000.0)


def test_stale_readings_start_no_charge_at_the_minimum() -> None:
    """on_stale = minimum keeps a charge alive, it does not begin one."""
    bench = make_bench(on_stale="minimum")
    bench.live(range(0, 300, 5), -500.0)
    bench.status(800)
    assert bench.decide(800).setpoint == NO_CHARGE


def test_min_surplus_never_stops() -> None:
    """At least the minimum, with and without sun, with and without readings."""
    bench = make_bench()
    bench.controller.set_mode(Mode.MIN_SURPLUS)
    dark = bench.live(range(0, 600, 5), -2000.0)[3:]
    assert {decision.setpoint for decision in dark} == {Setpoint(1, 6)}
    assert dark[-1].reason is Reason.MINIMUM
    assert bench.live(range(600, 1200, 5), 6000.0)[-1].setpoint == Setpoint(3, 9)
    bench.status(3000)
    assert (bench.decide(3000).setpoint, bench.decide(3000).reason) == (Setpoint(1, 6), Reason.STALE_MINIMUM)


def test_boost_is_full_power_at_once_and_ends_by_itself() -> None:
    """Boost passes regret and minimum times; at its end the mode before returns."""
    bench = make_bench(min_off_s=600)
    bench.live(range(0, 300, 5), 3000.0)
    bench.live(range(300, 600, 5), -3000.0)
    bench.controller.set_mode(Mode.BOOST, until=NOON + timedelta(seconds=4000))
    bench.status(605)
    decision = bench.decide(605)
    assert (decision.setpoint, decision.reason) == (Setpoint(3, 16), Reason.BOOST)
    assert decision.boost_until == NOON + timedelta(seconds=4000)
    bench.obey(decision)
    assert bench.live(range(610, 3990, 5), -3000.0)[-1].setpoint == Setpoint(3, 16)
    after = bench.live(range(4000, 4100, 5), -3000.0)[-1]
    assert (after.mode, after.setpoint, after.boost_until) == (Mode.SURPLUS, NO_CHARGE, None)


def test_boost_without_end_lasts_until_told_otherwise() -> None:
    """A later command ends it, and does so at once."""
    bench = make_bench()
    bench.controller.set_mode(Mode.BOOST)
    assert bench.live(range(0, 900, 5), -3000.0)[-1].setpoint == Setpoint(3, 16)
    bench.controller.set_mode(Mode.OFF)
    bench.status(900)
    assert (bench.decide(900).setpoint, bench.decide(900).reason) == (NO_CHARGE, Reason.SWITCHED_OFF)


def test_boost_respects_the_charger() -> None:
    """Full power is what charger and cable allow."""
    bench = make_bench()
    bench.controller.set_mode(Mode.BOOST)
    bench.status(0, max_current_a=13)
    assert bench.decide(0).setpoint == Setpoint(3, 13)


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"state": ChargerState.DISCONNECTED}, Reason.NO_CAR),
        ({"state": ChargerState.ERROR, "fault": "ground fault"}, Reason.CHARGER_FAULT),
        ({"max_current_a": 5}, Reason.CHARGER_LIMIT),
        ({"min_current_a": 20}, Reason.CHARGER_LIMIT),
    ],
)
@pytest.mark.parametrize("mode", list(Mode))
def test_what_makes_charging_impossible(changes: dict[str, Any], reason: Reason, mode: Mode) -> None:
    """No car, a fault or too low a limit end it in every mode."""
    bench = make_bench()
    bench.live(range(0, 600, 5), 6000.0)
    bench.controller.set_mode(mode)
    bench.status(600, power_w=0.0, **changes)
    assert (bench.decide(600).setpoint, bench.decide(600).reason) == (NO_CHARGE, reason)


def test_the_drivers_own_hand_wins() -> None:
    """A change at the box is kept for the configured time, then the surplus rules again."""
    bench = make_bench(respect_hand_s=600)
    bench.live(range(0, 600, 5), 2000.0)
    bench.setpoint, bench.power_w = Setpoint(3, 16), 11_040.0
    bench.status(600, changed_by_hand_at=bench.at(600))
    for decision in bench.live(range(605, 1195, 5), 2000.0):
        assert (decision.setpoint, decision.reason) == (Setpoint(3, 16), Reason.BY_HAND)
    assert bench.live(range(1200, 1800, 5), 2000.0)[-1].setpoint == Setpoint(1, 9)


def test_a_hands_change_beyond_the_limits_is_clamped() -> None:
    """The configured limit is the house's fuse: nobody passes it."""
    bench = make_bench(max_current_a=10)
    bench.status(0)
    bench.status(5, setpoint=Setpoint(3, 32), changed_by_hand_at=bench.at(5))
    assert bench.decide(5).setpoint == Setpoint(3, 10)


def test_the_hand_comes_before_a_limit() -> None:
    """A box that allows too little is no reason to undo what the driver of the car set there."""
    bench = make_bench()
    bench.status(0)
    bench.status(5, setpoint=Setpoint(3, 6), max_current_a=5, changed_by_hand_at=bench.at(5))
    assert (bench.decide(5).reason, bench.decide(5).binding) == (Reason.BY_HAND, False)


def test_a_command_and_the_next_car_end_the_hands_time() -> None:
    """The user's command comes after the hand; a new car starts afresh."""
    bench = make_bench()
    bench.live(range(0, 300, 5), 2000.0)
    bench.status(300, setpoint=NO_CHARGE, power_w=0.0, changed_by_hand_at=bench.at(300))
    assert bench.decide(300).reason is Reason.BY_HAND
    bench.controller.set_mode(Mode.BOOST)
    assert bench.decide(301).setpoint == Setpoint(3, 16)
    bench.controller.set_mode(Mode.SURPLUS)
    bench.status(310, changed_by_hand_at=bench.at(310))
    assert bench.decide(310).reason is Reason.BY_HAND
    bench.status(320, state=ChargerState.DISCONNECTED)
    bench.status(330, state=ChargerState.READY)
    assert bench.decide(330).reason is not Reason.BY_HAND


def test_minimum_times_are_kept_and_explained() -> None:
    """A stop waits for the minimum on time, at the lowest level, and says until when."""
    bench = make_bench(min_on_s=900, min_off_s=600)
    started = next(
        decision.at for decision in bench.live(range(0, 300, 5), 3000.0) if decision.setpoint.charges
    )
    waiting = bench.live(range(300, 600, 5), -3000.0)[-1]
    assert (waiting.setpoint, waiting.reason) == (Setpoint(1, 6), Reason.MIN_ON_TIME)
    assert waiting.waits_until == started + timedelta(seconds=900)
    stopped = next(
        decision.at for decision in bench.live(range(600, 1300, 5), -3000.0) if not decision.setpoint.charges
    )
    assert stopped == started + timedelta(seconds=900)
    waiting = bench.live(range(1300, 1450, 5), 3000.0)[-1]
    assert (waiting.setpoint, waiting.reason) == (NO_CHARGE, Reason.MIN_OFF_TIME)
    assert waiting.waits_until == stopped + timedelta(seconds=600)


def test_a_missing_battery_value_is_not_a_missing_battery() -> None:
    """Once a battery has been seen, a reading without its power says nothing about surplus."""
    bench = make_bench()
    bench.status(0)
    bench.grid(5, 0.0, battery_w=-4000.0)
    assert bench.decide(5).surplus_w == -4000.0
    bench.grid(10, 0.0)
    assert bench.decide(10).surplus_w == -4000.0


def test_readings_before_the_charger_is_heard_are_kept() -> None:
    """An idle charger has been idle: what the cloud told first counts as soon as the charger is heard."""
    bench = make_bench()
    bench.grid(-900, -3000.0, span_s=900)
    bench.grid(0, -3100.0, span_s=900)
    assert bench.decide(360).reason is Reason.NO_STATUS
    bench.status(365)
    decision = bench.decide(365)
    assert (decision.surplus_w, decision.setpoint) == (3100.0, Setpoint(1, 13))


@pytest.mark.parametrize(
    ("present_w", "then_w", "reason"),
    [
        (-500.0, 600.0, Reason.TOO_LITTLE),
        (-500.0, 900.0, Reason.NOT_WORTH_IT),  # enough, but for how long?
        (2000.0, 900.0, Reason.FOLLOWING),
        (2000.0, 600.0, Reason.NOT_WORTH_IT),  # too little, but for how long?
    ],
)
def test_a_change_that_has_yet_to_pay_is_called_so(present_w: float, then_w: float, reason: Reason) -> None:
    """The first minute after the surplus has crossed the break-even point has a reason of its own."""
    bench = make_bench()
    bench.live(range(0, 900, 5), present_w)
    assert reasons(bench, range(900, 930, 5), then_w) == {reason}


def test_a_reading_of_a_time_in_which_the_charger_was_not_heard_is_not_followed() -> None:
    """The car had stopped meanwhile, and what it no longer took would look like twice the surplus."""
    bench = make_bench()
    bench.live(range(0, 600, 5), 7000.0)
    assert bench.setpoint == Setpoint(3, 10)
    for second in range(600, 1200, 5):
        bench.grid(second, -7000.0 + second % 7)  # the edge has stopped the car, and nobody says so
        if second > 600 + STATUS_MAX_AGE_S:
            assert bench.decide(second).reason is Reason.NO_STATUS
    bench.status(1200, setpoint=Setpoint(0, 0), power_w=0.0, state=ChargerState.READY)
    back = bench.decide(1201)
    assert (back.setpoint, back.reason, back.surplus_w) == (Setpoint(0, 0), Reason.NO_DATA, None)
    bench.grid(1205, -7000.0)
    assert bench.decide(1205).surplus_w == 7000.0
    assert bench.live(range(1210, 1500, 5), 7000.0)[-1].setpoint == Setpoint(3, 10)


@pytest.mark.parametrize("mode", [Mode.SURPLUS, Mode.MIN_SURPLUS])
@pytest.mark.parametrize("ends_itself", [True, False])
def test_a_boost_is_not_held_when_readings_are_late(mode: Mode, ends_itself: bool) -> None:  # noqa: FBT001 - a case
    """What is held then is the level before it; full power is over when the boost is."""
    bench = make_bench(mode=mode)
    bench.live(range(0, 600, 5), 4000.0)
    before = bench.setpoint
    assert before is not None
    assert 0 < before.power_w(230.0) < 5000
    bench.controller.set_mode(Mode.BOOST, bench.at(630) if ends_itself else None)
    for second in range(600, 630, 5):
        bench.status(second)
        bench.obey(bench.decide(second))
    assert bench.setpoint == Setpoint(3, 16)
    if not ends_itself:
        bench.controller.set_mode(mode)
    bench.status(631)
    after = bench.decide(631)
    assert (after.reason, after.setpoint) == (Reason.STALE_HOLD, before)


@pytest.mark.fault("solaredge", "reorder")
@pytest.mark.fault("solaredge", "duplicate")
def test_readings_of_the_past_do_not_count_twice() -> None:
    """An interval that has been seen, wholly or older than the newest, changes nothing."""
    bench = make_bench()
    for second in range(0, 901, 60):
        bench.status(second)
    bench.grid(900, -3000.0, span_s=900)
    bench.grid(900, -9000.0, span_s=900)
    bench.grid(0, -9000.0, span_s=900)
    bench.status(901)
    assert bench.decide(901).surplus_w == 3000.0


@pytest.mark.fault("wattpilot", "reorder")
def test_an_older_status_is_ignored() -> None:
    """Messages that overtake each other on the network do not turn time back."""
    bench = make_bench()
    bench.status(10, state=ChargerState.DISCONNECTED)
    bench.controller.observe(ChargerStatus(at=bench.at(5), state=CHARGING, power_w=4000.0))
    assert bench.decide(10).reason is Reason.NO_CAR


def test_single_phase_house() -> None:
    """Without three phases in the settings there is no switch to them, not even in boost."""
    bench = make_bench(phases=[1])
    assert bench.live(range(0, 900, 5), 9000.0)[-1].setpoint == Setpoint(1, 16)
    bench.controller.set_mode(Mode.BOOST)
    assert bench.live(range(900, 930, 5), 9000.0)[-1].setpoint == Setpoint(1, 16)


def test_a_frozen_meter_is_not_believed() -> None:
    """A meter that repeats itself while the charger moved tells nothing, and then ends the charge."""
    bench = make_bench()
    bench.live(range(0, 300, 5), 6000.0)
    frozen_w = -700.0
    bench.status(300)
    bench.grid(300, frozen_w)
    known_w = bench.decide(300).surplus_w
    bench.status(305, power_w=bench.power_w - 2000.0)
    for second in range(310, 500, 5):
        bench.status(second)
        bench.grid(second, frozen_w)
        decision = bench.decide(second)
        assert decision.surplus_w == known_w
    assert (decision.setpoint, decision.reason) == (NO_CHARGE, Reason.STALE_STOP)
