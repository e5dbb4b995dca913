"""How old readings really are and what they see of the charger, learned from the charger's own steps."""

import random
from collections.abc import Iterator
from itertools import pairwise
from math import isfinite

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pvcharge.control.align import ChargerPowerLog
from pvcharge.control.response import AGES_S, CERTAIN, EACH_MOVE, STEPS, Response

START_S = 1_750_000_000.0
STATUS_EACH_S = 5
LEVELS_W = (0.0, 1380.0, 3680.0, 4140.0, 6900.0, 11040.0)


class House:
    """A charger that is set to another level at odd times, and a meter that tells so late.

    Args:
        seed: of the levels, the times, the ages and the house.
        ages_s: the least and the greatest age of a reading.
        gain: W of grid power per W of the charger.
        noise_w: how far the rest of the house strays about 400 W between readings.
    """

    def __init__(
        self, seed: int, ages_s: tuple[float, float] = (0, 0), gain: float = 1.0, noise_w: float = 20.0
    ) -> None:
        self._random = random.Random(seed)  # noqa: S311 - a house is not cryptography
        self._ages_s = ages_s
        self._gain = gain
        self._noise_w = noise_w
        self._moves: list[tuple[float, float]] = [(-1e9, 0.0)]
        self._moves_next_s = 300.0

    def charger_w(self, at_s: float) -> float:
        """Return what the charger draws, or drew within the last minutes."""
        return next(power_w for moved_s, power_w in reversed(self._moves) if moved_s <= at_s)

    def run(
        self, response: Response, hours: float, each_s: float = 60.0
    ) -> Iterator[tuple[float, float | None]]:
        """Yield the true power of the charger behind each reading, and that by `response`."""
        power = ChargerPowerLog()
        reading_s = 0.0
        for tick in range(int(hours * 3600 / STATUS_EACH_S)):
            now_s = float(tick * STATUS_EACH_S)
            if now_s >= self._moves_next_s:
                others = [level_w for level_w in LEVELS_W if level_w != self._moves[-1][1]]
                self._moves.append((now_s, self._random.choice(others)))
                self._moves_next_s = now_s + self._random.uniform(60, 900)
            power.add(START_S + now_s, self.charger_w(now_s))
            if now_s >= reading_s:
                reading_s = now_s + each_s
                true_w = self.charger_w(now_s - self._random.uniform(*self._ages_s))
                grid_w = 400.0 + self._random.gauss(0, self._noise_w) + self._gain * true_w
                yield true_w, response.observe(START_S + now_s, grid_w, power)


def learned(house: House, hours: float, each_s: float = 60.0) -> Response:
    """Return what was learned in some hours of readings."""
    response = Response()
    for _ in house.run(response, hours, each_s):
        pass
    return response


def log_of(*entries: tuple[float, float]) -> ChargerPowerLog:
    """Return the log of a charger, from times and powers."""
    power = ChargerPowerLog()
    for at_s, power_w in entries:
        power.add(at_s, power_w)
    return power


def test_nothing_is_known_at_first() -> None:
    """Before the charger has moved, readings are as old as they say."""
    response = Response()
    assert (response.age_s, response.spread_s, response.gain) == (0.0, 0.0, None)
    assert response.observe(0.0, 100.0, ChargerPowerLog()) is None


@pytest.mark.parametrize("each_s", [20.0, 60.0, 150.0])
@pytest.mark.parametrize(("youngest_s", "oldest_s"), [(60, 60), (20, 100), (60, 180)])
def test_ages_are_learned(youngest_s: float, oldest_s: float, each_s: float) -> None:
    """Their mean, and roughly how far they scatter, whatever the rhythm of the readings."""
    response = learned(House(1, (youngest_s, oldest_s)), 48, each_s)
    assert response.age_s == pytest.approx((youngest_s + oldest_s) / 2, abs=15)
    assert response.spread_s == pytest.approx((oldest_s - youngest_s) / 12**0.5, abs=20)


@pytest.mark.parametrize("each_s", [5.0, 150.0])
@pytest.mark.parametrize("noise_w", [0.0, 20.0, 500.0])
def test_true_stamps_are_believed_throughout(each_s: float, noise_w: float) -> None:
    """Readings that are stamped right are aligned by their stamps, each single one."""
    response = Response()
    for true_w, charger_w in House(2, noise_w=noise_w).run(response, 24, each_s):
        assert response.age_s == response.spread_s == 0.0
        assert charger_w == true_w


def test_single_readings_are_told_apart() -> None:
    """Not only the mean: nearly every reading is found to see the charger before or after its move."""
    stamped = Response()
    pairs = list(House(3, (20, 180)).run(stamped, 48))
    known = pairs[len(pairs) // 2 :]
    wrong = sum(charger_w != true_w for true_w, charger_w in known)
    assert wrong / len(known) < 0.01  # a quarter of them by their stamps


def test_a_changed_age_is_followed() -> None:
    """A source that turns from late to punctual is believed at its word again, and the other way round."""
    response = learned(House(4, (90, 90)), 24)
    assert response.age_s == pytest.approx(90, abs=15)
    for _ in House(5).run(response, 24):  # a clock set back by a day, too
        pass
    assert response.age_s == 0.0
    for _ in House(6, (60, 60)).run(response, 48):
        pass
    assert response.age_s == pytest.approx(60, abs=15)


@pytest.mark.parametrize("ages_s", [(0, 0), (20, 100)])
@pytest.mark.parametrize("gain", [1.0, -1.0, 0.0, 1 / 3, 0.001])
def test_the_gain_is_told_by_a_few_steps(gain: float, ages_s: tuple[float, float]) -> None:
    """Right, backwards, blind to the charger, one phase of three, and kW for W."""
    assert learned(House(7, ages_s, gain), 12).gain == pytest.approx(gain, abs=0.05)


@pytest.mark.parametrize("gain", [-1.0, 0.0, 1 / 3])
def test_a_meter_that_does_not_answer_is_not_taken_for_a_late_one(gain: float) -> None:
    """Whatever it shows, the charger's power is taken by its stamps."""
    response = Response()
    for _ in House(8, (20, 100), gain).run(response, 24):
        assert response.age_s == 0.0


def test_a_house_that_drowns_the_steps_tells_no_gain() -> None:
    """No agreement, no gain."""
    assert learned(House(9, noise_w=20_000.0), 24).gain is None


def test_production_is_not_taken_for_the_house() -> None:
    """With the supply told, clouds do not hide which readings saw a step."""
    response, power = Response(), ChargerPowerLog()
    random_ = random.Random(10)  # noqa: S311 - clouds are not cryptography
    level_w, old_w, unseen, wrong = 0.0, 0.0, 0, 0
    for minute in range(3000):
        if minute % 7 == 0:
            old_w, level_w = level_w, random_.choice([it for it in LEVELS_W if it != level_w])
            unseen = random_.randint(1, 3)
        for second in range(0, 60, 5):
            power.add(START_S + 60 * minute + second, level_w)
        true_w = old_w if minute % 7 < unseen else level_w
        supply_w = random_.uniform(0, 8000)
        at_s = START_S + 60 * minute + 55
        charger_w = response.observe(at_s, true_w + 300 - supply_w, power, supply_w)
        wrong += minute > 1500 and charger_w != true_w
    assert response.age_s > 60
    assert wrong < 15


def test_one_coincidence_is_no_proof() -> None:
    """A kettle that is switched off just when the charger starts hides the start from many readings, once."""
    response, power = Response(), ChargerPowerLog()
    for tick in range(200):
        at_s = START_S + 5 * tick
        power.add(at_s, 1380.0 if tick >= 100 else 0.0)
        response.observe(at_s, 1780.0, power)
        assert response.age_s == 0.0


def test_the_power_before_an_instant() -> None:
    """At each age, or not at all if one of them falls into a time of which nothing is known."""
    power = log_of((0, 0.0), (10, 1000.0), (20, 2000.0), (30, 2000.0))
    assert power.before_w(30, (0, 5, 10, 15, 20, 25, 60)) == [2000, 2000, 2000, 1000, 1000, 0, 0]
    assert power.before_w(70, (0, 5)) == [2000, 2000]
    assert power.before_w(90, (0, 5)) is None  # not heard for a minute
    power.add(130, 0.0)
    assert power.before_w(140, (0, 5)) == [0, 0]
    assert power.before_w(140, (0, 30)) is None
    assert ChargerPowerLog().before_w(0, (0,)) is None
    assert log_of((0, 1000.0)).before_w(20, (0, 60)) is None  # found running: since when?


def test_an_unheard_charger_teaches_nothing() -> None:
    """Where its power is not known, neither is an age nor the power."""
    response = learned(House(11, (60, 60)), 24)
    age_s = response.age_s
    power = log_of((0, 0.0), (10, 6900.0), (20, 6900.0))
    assert response.observe(500.0, 400.0, power) is None
    assert response.observe(40.0, 400.0, log_of((0, 6900.0), (40, 0.0))) is None  # a minute before: who knows
    assert response.age_s == age_s


def test_with_a_gap_in_the_log_the_mean_age_still_counts() -> None:
    """A single age cannot be told then, but the likeliest can."""
    response = learned(House(12, (60, 60)), 24)
    power = log_of((0, 0.0), (100, 0.0), (110, 0.0), (120, 0.0), (130, 0.0), (140, 0.0), (150, 6900.0))
    assert response.observe(180.0, 7300.0, power) == 0.0


times_s = st.one_of(st.floats(-600, 900), st.sampled_from([0.0, 5.0, 15.0, 60.0, 86_400.0, -86_400.0]))
readings = st.lists(
    st.tuples(
        times_s,
        st.one_of(st.floats(-2e4, 2e4), st.sampled_from([0.0, 1e308, -1e308])),
        st.one_of(st.none(), st.floats(0, 1e4), st.just(1e308)),
        st.sampled_from(LEVELS_W),
    ),
    max_size=80,
)


@settings(deadline=None)
@given(readings)
def test_whatever_is_read_the_estimates_keep_their_bounds(
    told: list[tuple[float, float, float | None, float]],
) -> None:
    """Also with clocks set back, equal times, gaps, and values that no meter shows."""
    response, power, at_s = Response(), ChargerPowerLog(), START_S
    drawn_w = set()
    for pause_s, grid_w, supply_w, charger_w in told:
        at_s += pause_s
        power.add(at_s, charger_w)
        drawn_w.add(charger_w)
        found_w = response.observe(at_s, grid_w, power, supply_w)
        assert found_w is None or found_w in drawn_w
        assert 0.0 <= response.age_s <= AGES_S[-1]
        assert response.gain is None or isfinite(response.gain)
        assert 0.0 <= response.spread_s <= AGES_S[-1] / 2
        assert sum(response._expected) == pytest.approx(1.0)  # noqa: SLF001 - what a slip would spoil for ever


@settings(deadline=None, max_examples=20)
@given(st.floats(-5000, 5000), st.integers(1, 300), st.floats(1, 300))
def test_a_constant_charger_tells_nothing(house_w: float, count: int, each_s: float) -> None:
    """Whatever the house does, without steps there is neither age nor gain."""
    response, power = Response(), ChargerPowerLog()
    for number in range(count):
        at_s = START_S + number * each_s
        power.add(at_s, 4140.0)
        response.observe(at_s, house_w * (number % 3), power)
    assert (response.age_s, response.spread_s, response.gain) == (0.0, 0.0, None)


def test_memory_and_evidence_are_bounded() -> None:
    """Years of readings keep no more than a day's, and a change of the source is believed in time."""
    response = learned(House(13, (20, 100)), 100)
    steps = response._steps._ratios  # noqa: SLF001 - the bound is what is tested
    assert len(steps) == STEPS
    assert response._late.add(START_S, 1e9) <= CERTAIN  # noqa: SLF001 - the same


def test_many_readings_of_one_move_are_one_piece_of_evidence() -> None:
    """However often a coincidence is read."""
    odds = Response()._late  # noqa: SLF001 - what no single move may bring about is tested
    assert max(odds.add(START_S + second, 9.0) for second in range(200)) == EACH_MOVE
    assert odds.add(START_S + 1000, 9.0) == 2 * EACH_MOVE


def test_the_same_readings_tell_the_same() -> None:
    """No clock and no chance in it: a recorded day is replayed bit for bit."""
    once, again = (list(House(14, (20, 100)).run(Response(), 24)) for _ in range(2))
    assert once == again
    assert any(earlier != later for earlier, later in pairwise(once))
