"""The car at the cable."""

import pytest

from pvcharge.sim.car import Car


def drive(car: Car, seconds: float, phases: int, current_a: float, dt_s: float = 1.0) -> None:
    """Let the car live with one offer."""
    for _ in range(round(seconds / dt_s)):
        car.step(dt_s, phases, current_a)


@pytest.mark.parametrize("dt_s", [1.0, 2.5, 5.0])
def test_starts_late_and_ramps(dt_s: float) -> None:
    """Nothing flows during the start delay; then the current rises with the ramp."""
    car = Car(start_delay_s=15, ramp_a_per_s=1.5)
    drive(car, 15, 3, 16, dt_s)
    assert car.power_w == 0
    drive(car, 5, 3, 16, dt_s)
    assert car.current_a == pytest.approx(7.5)
    drive(car, 10, 3, 16, dt_s)
    assert car.current_a == 16
    assert car.power_w == pytest.approx(3 * 16 * 230 * 0.98)


@pytest.mark.parametrize(
    ("phases", "offered", "drawing"), [(1, 3, 1), (2, 3, 2), (3, 3, 3), (3, 1, 1), (2, 1, 1)]
)
def test_draws_on_its_own_phases(phases: int, offered: int, drawing: int) -> None:
    """A car uses no more phases than it has, nor than it is offered."""
    car = Car(phases=phases)
    drive(car, 60, offered, 10)
    assert car.phases_drawing == drawing
    assert car.power_w == pytest.approx(drawing * 10 * 230 * 0.98)


def test_limits_the_current() -> None:
    """A car takes no more than its on-board charger can."""
    car = Car(max_current_a=13)
    drive(car, 60, 3, 32)
    assert car.current_a == 13


def test_follows_a_lower_offer_within_five_seconds() -> None:
    """IEC 61851: a lower pilot current is obeyed within 5 s."""
    car = Car()
    drive(car, 60, 3, 16)
    drive(car, 5, 3, 6)
    assert car.current_a == 6


@pytest.mark.parametrize("dt_s", [1.0, 5.0])
def test_stops_within_six_seconds(dt_s: float) -> None:
    """A withdrawn offer ends the current, on all phases, within 6 s."""
    car = Car()
    drive(car, 60, 3, 16, dt_s)
    drive(car, 5, 0, 0, dt_s)
    assert car.power_w == 0
    assert car.phases_drawing == 0


def test_too_low_an_offer_is_none() -> None:
    """Below its minimum current a car does not charge."""
    car = Car(min_current_a=6)
    drive(car, 60, 3, 5)
    assert car.energy_wh == 0


@pytest.mark.parametrize("dt_s", [1.0, 5.0])
def test_tapers_and_gets_full(dt_s: float) -> None:
    """In the last percents the current falls, at the end it stops, with the needed energy taken."""
    car = Car(capacity_wh=10_000, needs_wh=2000, taper_share=0.1)
    drive(car, 600, 3, 16, dt_s)
    assert 3 < car.current_a < 16
    drive(car, 1800, 3, 16, dt_s)
    assert car.full
    assert car.power_w == 0
    assert car.energy_wh == pytest.approx(2000, abs=10)


def test_sleeps_after_interruptions_until_unplugged() -> None:
    """After so many interruptions a sleepy car ignores every offer until it is unplugged."""
    car = Car(sleeps_after=2)
    for _ in range(2):
        drive(car, 60, 3, 10)
        assert car.power_w > 0
        drive(car, 10, 0, 0)
    drive(car, 300, 3, 10)
    assert car.asleep
    assert car.power_w == 0
    car.unplug()
    drive(car, 60, 3, 10)
    assert car.power_w > 0


def test_an_offer_without_current_is_no_interruption() -> None:
    """Withdrawing an offer during the start delay does not tire the car."""
    car = Car(sleeps_after=1)
    for _ in range(5):
        drive(car, 10, 3, 10)
        drive(car, 10, 0, 0)
    assert not car.asleep
