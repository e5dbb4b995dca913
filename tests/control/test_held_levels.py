"""What is held after a boost and while another controller leads: the level and the times of before."""

import pytest

from pvcharge.model import ChargerState, Mode, Reason, Setpoint
from support.bench import Bench, make_bench

BEFORE, FULL = Setpoint(1, 8), Setpoint(3, 16)


def followed(*steps: Setpoint | Mode, **settings: object) -> Bench:
    """Return a bench on which another controller has led: a step each 10 s, obeyed; no reading has come."""
    bench = make_bench(**settings)
    bench.status(0)
    for number, step in enumerate(steps):
        if isinstance(step, Mode):
            bench.controller.set_mode(step)
        else:
            bench.controller.follow(step, bench.at(10 * number))
            bench.status(10 * number, setpoint=step, power_w=step.power_w(230.0), state=ChargerState.CHARGING)
    return bench


@pytest.mark.parametrize(
    ("steps", "held"),
    [
        ((BEFORE, Mode.BOOST, FULL, Mode.SURPLUS), BEFORE),
        ((BEFORE, Mode.BOOST, FULL, FULL, Mode.SURPLUS), BEFORE),
        ((BEFORE, Mode.BOOST, FULL, Mode.SURPLUS, Setpoint(1, 12)), Setpoint(1, 12)),
        (
            (BEFORE, Mode.BOOST, FULL, Mode.SURPLUS, Setpoint(1, 12), Mode.BOOST, FULL, Mode.SURPLUS),
            Setpoint(1, 12),
        ),
    ],
)
def test_a_boost_that_was_followed_is_not_held(steps: tuple[Setpoint | Mode, ...], held: Setpoint) -> None:
    """Left alone after it without readings, the level is held that was decided before it, or since."""
    decision = followed(*steps).decide(100)
    assert (decision.setpoint, decision.reason) == (held, Reason.NO_DATA)


@pytest.mark.parametrize(
    ("followed", "held"),
    [
        ((FULL, FULL), BEFORE),  # the boost is over, and its level still goes on
        ((FULL, Setpoint(1, 12)), Setpoint(1, 12)),
        ((FULL, Setpoint(1, 12), FULL), FULL),
        ((Setpoint(3, 15), FULL), FULL),
    ],
)
def test_a_boost_that_was_followed_to_its_end_is_over(followed: tuple[Setpoint, ...], held: Setpoint) -> None:
    """Once the other controller has decided anew after it, that is the level to be held."""
    bench = make_bench()
    bench.status(0)
    bench.controller.follow(BEFORE, bench.at(0))
    bench.controller.set_mode(Mode.BOOST, bench.at(60))
    for second, level in zip(range(50, 100, 10), followed, strict=False):
        bench.controller.follow(level, bench.at(second))
    bench.status(100)
    decision = bench.decide(100)
    assert (decision.setpoint, decision.reason, decision.mode) == (held, Reason.NO_DATA, Mode.SURPLUS)


def test_a_start_that_was_followed_counts() -> None:
    """Its minimum time goes on from when it was decided, however often it is decided again."""
    bench = followed(BEFORE, BEFORE, Setpoint(1, 9), min_on_s=300)
    for second in range(25, 300, 5):
        bench.status(second)
        bench.grid(second, 5000.0 + second % 7)
        assert bench.decide(second).setpoint.charges
    assert bench.decide(299).reason is Reason.MIN_ON_TIME
    assert not bench.decide(300).setpoint.charges


def test_the_level_before_a_boost_is_forgotten_with_the_next_reading() -> None:
    """What is decided by a reading after the boost is held when the next ones are late."""
    bench = make_bench()
    bench.live(range(0, 600, 5), 4000.0)
    bench.controller.set_mode(Mode.BOOST, bench.at(610))
    bench.live(range(600, 610, 5), 4000.0)
    decided = bench.live(range(610, 900, 5), 2300.0)[-1].setpoint
    assert decided == Setpoint(1, 10)
    bench.status(935)
    late = bench.decide(935)
    assert (late.setpoint, late.reason) == (decided, Reason.STALE_HOLD)


def test_the_level_before_a_boost_is_kept_until_it_may_be_taken() -> None:
    """While a limit on switching holds the phases of the boost, and no reading comes."""
    bench = make_bench(min_on_s=300)
    bench.status(0)
    bench.controller.set_mode(Mode.BOOST, bench.at(60))
    for second in range(0, 300, 10):
        bench.status(second)
        bench.obey(bench.decide(second))
    held = bench.decide(299)
    assert (held.setpoint, held.reason) == (Setpoint(3, 6), Reason.MIN_ON_TIME)
    assert not bench.decide(300).setpoint.charges
