"""What a car makes of an ampere is learned, and forgotten with the car."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pvcharge.control import Controller, ControlSettings
from pvcharge.control.car import HIGHEST, LOWEST, Car
from pvcharge.model import NO_CHARGE, ChargerState, ChargerStatus, Decision, PowerFlow, Setpoint

NOON = datetime(2026, 6, 15, 12, tzinfo=UTC)

Draw = Callable[[Setpoint], tuple[float, int, float]]  # W, phases that carry current, A on each of them


def three_phase(setpoint: Setpoint) -> tuple[float, int, float]:
    """Return what an ordinary car draws at 222 V."""
    return setpoint.phases * setpoint.current_a * 222.0, setpoint.phases, float(setpoint.current_a)


def single_phase(setpoint: Setpoint) -> tuple[float, int, float]:
    """Return what a car draws that has one phase only."""
    phases = min(setpoint.phases, 1)
    return phases * setpoint.current_a * 230.0, phases, float(setpoint.current_a)


def limited(setpoint: Setpoint) -> tuple[float, int, float]:
    """Return what a car draws that takes no more than 10 A."""
    amps = min(setpoint.current_a, 10)
    return setpoint.phases * amps * 230.0, setpoint.phases, float(amps)


class House:
    """A controller with a car and a steady sun, in steps of five seconds."""

    def __init__(self, **settings: object) -> None:
        self.controller = Controller(ControlSettings.model_validate(settings))
        self.decision: Decision
        self._setpoint = NO_CHARGE
        self._second = 0

    def charges(self, draw: Draw, surplus_w: float, minutes: int) -> float:
        """Let time pass, and return what the car draws in the end."""
        power_w = 0.0
        for _ in range(minutes * 12):
            power_w, phases, amps = draw(self._setpoint)
            state = ChargerState.CHARGING if power_w else ChargerState.READY
            self._observe(state, power_w, phases, amps, surplus_w)
        return power_w

    def loses_car(self) -> None:
        """Unplug."""
        self._observe(ChargerState.DISCONNECTED, 0.0, 0, 0.0, 0.0)

    def _observe(
        self, state: ChargerState, power_w: float, phases: int, amps: float, surplus_w: float
    ) -> None:
        self._second += 5
        now = NOON + timedelta(seconds=self._second)
        self.controller.observe(ChargerStatus(now, state, power_w, phases, amps, setpoint=self._setpoint))
        grid_w = power_w - surplus_w + self._second % 3
        self.controller.observe(PowerFlow(now, now, grid_w=grid_w))
        self.decision = self.controller.decide(now)
        self._setpoint = self.decision.setpoint


@pytest.mark.parametrize("surplus_w", [4140.0, 5200.0, 9000.0])
def test_a_single_phase_car_gets_all_that_it_can_take(surplus_w: float) -> None:
    """Offered three phases it draws a third; that is noticed, and more amperes are offered."""
    house = House()
    assert house.charges(single_phase, surplus_w, 10) == pytest.approx(16 * 230)
    house.loses_car()
    assert abs(house.charges(three_phase, surplus_w, 10) - surplus_w) <= 3 * 222 / 2 + 10


def test_the_nearest_level_is_by_the_real_power() -> None:
    """At 222 V it takes 11 A to draw what 10 A would at 230 V, almost."""
    house = House()
    surplus_w = 10.53 * 666
    assert house.charges(three_phase, surplus_w, 10) == pytest.approx(11 * 666)
    assert round(surplus_w / 690) == 10


def test_a_car_with_a_limit_of_its_own_changes_no_rung() -> None:
    """It draws less than offered, by amperes and watts alike."""
    house = House()
    house.charges(limited, 9000.0, 10)
    assert house.decision.setpoint == Setpoint(3, 13)


def test_break_even_follows_the_car() -> None:
    """What charging must leave to pay is half of the least that this car draws."""
    house = House(phases=(3,))
    house.charges(single_phase, 5000.0, 10)
    assert house.decision.needed_w == pytest.approx(690, rel=0.03)
    house.loses_car()
    assert house.decision.needed_w == pytest.approx(2070)


@given(
    st.lists(
        st.tuples(
            st.floats(0.1, 120),
            st.sampled_from(list(ChargerState)),
            st.floats(0, 3e4),
            st.floats(0, 40),
            st.sampled_from([None, NO_CHARGE, Setpoint(1, 6), Setpoint(3, 6), Setpoint(3, 16)]),
        ),
        max_size=60,
    )
)
def test_rungs_are_those_of_a_possible_car(
    told: list[tuple[float, ChargerState, float, float, Setpoint | None]],
) -> None:
    """Whatever a charger tells, never more phases than offered, and a voltage of this world."""
    car, at_s = Car(230.0), 0.0
    for later_s, state, power_w, current_a, setpoint in told:
        at_s += later_s
        status = ChargerStatus(
            NOON + timedelta(seconds=at_s), state, power_w, 3, current_a, setpoint=setpoint
        )
        car.observe(status, at_s)
        for phases, rung_w in car.rungs_w.items():
            assert LOWEST * 230.0 <= rung_w <= phases * HIGHEST * 230.0
