"""The house: balance of powers, means, totals, and what it remembers."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pvcharge.sim.battery import Battery
from pvcharge.sim.house import House, HouseSample, best_start

START = datetime(2026, 6, 1, 10, tzinfo=UTC)
STEP = timedelta(seconds=5)

powers_w = st.floats(0, 12_000)
steps = st.lists(st.tuples(powers_w, powers_w, powers_w), min_size=1, max_size=60)  # pv, household, charger


@dataclass
class Steps:
    """A profile that says for each step after START, round and round, what it is told."""

    pv_and_load_w: Sequence[tuple[float, float]]

    def at(self, at: datetime) -> tuple[float, float]:
        """PV and household of the step at a time."""
        return self.pv_and_load_w[(at - START) // STEP % len(self.pv_and_load_w)]

    def pv_w(self, at: datetime) -> float:
        """The first of the two."""
        return self.at(at)[0]

    def load_w(self, at: datetime) -> float:
        """The second of the two."""
        return self.at(at)[1]


def simulated(flows: list[tuple[float, float, float]], battery: Battery | None = None) -> House:
    """A house after one step for each (pv, household, charger)."""
    charger_w = iter([flow[2] for flow in flows])
    profile = Steps([flow[:2] for flow in flows])
    house = House(profile, start=START, charger_w=lambda: next(charger_w), battery=battery)
    house.advance(START + len(flows) * STEP)
    return house


def recorded(house: House, count: int) -> list[HouseSample]:
    """The first steps of a house."""
    samples = [house.sample(START + k * STEP) for k in range(count)]
    return [sample for sample in samples if sample is not None]


@settings(deadline=None)
@given(steps, st.none() | st.floats(0, 100))
def test_powers_balance_at_every_step(flows: list[tuple[float, float, float]], soc_pct: float | None) -> None:
    """PV + grid = load + battery, and the load is household and charger."""
    battery = None if soc_pct is None else Battery(capacity_wh=50, soc_pct=soc_pct)
    house = simulated(flows, battery)
    for sample, (pv_w, household_w, charger_w) in zip(recorded(house, len(flows)), flows, strict=True):
        assert sample.pv_w == pv_w
        assert sample.load_w == household_w + charger_w
        assert sample.charger_w == charger_w
        assert (sample.battery_w is None) == (battery is None)
        assert sample.pv_w + sample.grid_w == pytest.approx(sample.load_w + (sample.battery_w or 0))


@settings(deadline=None)
@given(steps, st.data())
def test_mean_is_that_of_the_steps(flows: list[tuple[float, float, float]], data: st.DataObject) -> None:
    """The mean over any interval, to the fraction of a step, is what adding up second by second gives."""
    battery = Battery(capacity_wh=50, soc_pct=50)
    house = simulated(flows, battery)
    first_s = data.draw(st.integers(0, 5 * len(flows) - 1))
    last_s = data.draw(st.integers(first_s + 1, 5 * len(flows)))
    mean = house.mean(START + timedelta(seconds=first_s), START + timedelta(seconds=last_s))
    samples = recorded(house, len(flows))
    seconds = [samples[second // 5] for second in range(first_s, last_s)]
    assert mean is not None
    assert mean.at == START + timedelta(seconds=first_s)
    for name in ("pv_w", "load_w", "grid_w", "battery_w", "charger_w"):
        brute = sum(getattr(sample, name) for sample in seconds) / len(seconds)
        assert getattr(mean, name) == pytest.approx(brute, abs=1e-6)
    assert mean.battery_soc_pct == seconds[-1].battery_soc_pct


@settings(deadline=None)
@given(steps)
def test_totals_add_up_the_steps(flows: list[tuple[float, float, float]]) -> None:
    """The energies are the powers times 5 s, import and export apart."""
    house = simulated(flows)
    samples = recorded(house, len(flows))
    totals = house.totals
    assert totals.pv_wh == pytest.approx(sum(s.pv_w for s in samples) / 720)
    assert totals.load_wh == pytest.approx(sum(s.load_w for s in samples) / 720)
    assert totals.charger_wh == pytest.approx(sum(s.charger_w for s in samples) / 720)
    assert totals.imported_wh == pytest.approx(sum(max(0, s.grid_w) for s in samples) / 720)
    assert totals.exported_wh == pytest.approx(sum(max(0, -s.grid_w) for s in samples) / 720)
    assert totals.battery_wh == 0


def test_only_whole_steps_are_simulated() -> None:
    """A step that has not ended yet is unknown; an unfinished step is no past."""
    house = House(Steps([(1000, 300)]), start=START, charger_w=lambda: 0.0)
    house.advance(START + timedelta(seconds=4.9))
    assert house.sample(START) is None
    house.advance(START + timedelta(seconds=9.9))
    assert house.simulated_until == START + STEP
    assert house.mean(START, START + 2 * STEP) is None


def test_sample_is_the_last_step_at_or_before() -> None:
    """Between two steps the earlier one holds; before the first there is none; after the last, the last."""
    house = simulated([(1000, 0, 0), (2000, 0, 0), (3000, 0, 0)])

    def pv_w(seconds: float) -> float | None:
        sample = house.sample(START + timedelta(seconds=seconds))
        return sample.pv_w if sample else None

    assert [pv_w(seconds) for seconds in (-0.1, 0, 4.9, 5, 9.9, 10, 60)] == [
        None, 1000, 1000, 2000, 2000, 3000, 3000,
    ]  # fmt: skip


def test_old_steps_are_forgotten() -> None:
    """Beyond `keep_s` neither samples nor means are known; the totals still hold everything."""
    house = House(Steps([(720, 0)]), start=START, charger_w=lambda: 0.0, keep_s=60)
    house.advance(START + timedelta(seconds=100))
    assert house.sample(START + timedelta(seconds=39)) is None
    assert house.sample(START + timedelta(seconds=40)) is not None
    assert house.mean(START + timedelta(seconds=35), START + timedelta(seconds=100)) is None
    mean = house.mean(START + timedelta(seconds=40), START + timedelta(seconds=100))
    assert mean is not None
    assert mean.pv_w == pytest.approx(720)
    assert house.totals.pv_wh == pytest.approx(20)


def test_an_empty_interval_has_no_mean() -> None:
    """Asking for the mean over nothing is a fault of the caller."""
    with pytest.raises(ValueError, match="no interval"):
        simulated([(0, 0, 0)]).mean(START, START)


def test_prefill_invents_a_past_without_a_car() -> None:
    """The time before the start can be asked for, with an idle charger, and is not counted."""
    house = House(Steps([(1000, 300)]), start=START, charger_w=lambda: 700.0)
    house.prefill(901)
    assert house.simulated_until == START
    past = house.mean(START - timedelta(seconds=900), START)
    assert past is not None
    assert (past.charger_w, past.grid_w) == pytest.approx((0, -700))
    assert house.totals.pv_wh == 0
    house.advance(START + timedelta(seconds=3600))
    assert house.totals.charger_wh == pytest.approx(700)
    assert house.totals.exported_wh == pytest.approx(0)
    with pytest.raises(ValueError, match="before the first step"):
        house.prefill(5)


@pytest.mark.parametrize(
    ("surplus_w", "minute"),
    [
        ([0, 2500, 0, 2000, 2000, 2000, 9000], 3),  # the first that holds, not the greatest
        ([0, 1500, 1900, 1700, 3000, 0, 0], 2),  # none holds: the greatest mean
        ([100], 0),  # shorter than the while itself
    ],
)
def test_best_start_finds_a_surplus_that_holds(surplus_w: list[float], minute: int) -> None:
    """Over three minutes, the first start with 2 kW throughout wins, else the best mean."""
    profile = Steps([(300 + power_w, 300) for power_w in surplus_w for _ in range(12)])
    end = START + timedelta(minutes=len(surplus_w))
    assert best_start(profile, START, end, hours=0.05) == START + timedelta(minutes=minute)
