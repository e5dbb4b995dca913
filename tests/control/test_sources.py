"""Several sources of readings: who drives, when another takes over, and that neither is a jump."""

from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from control.two_sources import CLOUD, LIVE, NOON, House, scaled, set_to
from pvcharge.control import Controller, ControlSettings
from pvcharge.control.readings import MOST_SOURCES
from pvcharge.model import ChargerState, ChargerStatus, Distrust, Mode, PowerFlow, Reason, Setpoint

SUNNY_W = 5000.0


def sunny(_: float) -> float:
    """Return a surplus for three phases, without a cloud."""
    return SUNNY_W


def test_the_live_meter_drives_beside_the_cloud() -> None:
    """What comes late of the same time changes nothing."""
    both, alone = House(sunny), House(sunny)
    alone.cloud = None
    both.runs(90)
    alone.runs(90)
    assert [it.setpoint for it in both.decisions] == [it.setpoint for it in alone.decisions]
    assert {it.source for it in both.decisions} == {LIVE}
    assert {it.distrust for it in both.decisions} == {None}


def test_the_cloud_takes_over_and_hands_back_without_a_start_or_switch() -> None:
    """A meter that falls silent for an hour costs neither a stop nor a step until there is news."""
    house = House(sunny).runs(60)
    before, count = set_to(house), len(house.decisions)
    house.live = None
    house.runs(3)
    assert (house.decision.source, house.decision.distrust) == (CLOUD, Distrust.SILENT)
    assert house.decision.reason is Reason.FOLLOWING
    assert set_to(house) == before
    house.runs(57)
    house.live = lambda flow: flow
    house.runs(5)
    assert (house.decision.source, house.decision.distrust) == (LIVE, None)
    assert house.changes(count) == 0
    assert {it.setpoint.current_a for it in house.decisions[count:]} == {before.current_a}


def test_the_cloud_drives_on_news_of_its_own() -> None:
    """After the takeover the level follows the means, and the age told is that of what is followed."""
    house = House(lambda now_s: SUNNY_W if now_s < 3600 else 9000.0).runs(59)
    assert set_to(house) == Setpoint(3, 7)
    house.live = None
    house.runs(42)
    assert set_to(house).current_a >= 12
    assert house.decision.source == CLOUD
    assert house.decision.reading_age_s is not None
    assert 360 <= house.decision.reading_age_s <= 1260 + 300


def test_a_meter_hands_back_only_when_it_has_proved_to_be_there() -> None:
    """One reading now and then is no return."""
    house = House(sunny).runs(60)
    house.live = None
    house.runs(10)
    for _ in range(4):
        house.live = lambda flow: flow
        house.runs(5 / 60)
        assert (house.decision.source, house.decision.distrust) == (CLOUD, Distrust.RETURNING)
        house.live = None
        house.runs(2)
        assert (house.decision.source, house.decision.distrust) == (CLOUD, Distrust.SILENT)
    house.live = lambda flow: flow
    house.runs(15 / 60)
    assert house.decision.source == LIVE


def test_without_any_source_readings_age_out_as_with_one() -> None:
    """Both gone: held for as long as means may be late, then stopped."""
    house = House(sunny).runs(60)
    house.live = house.cloud = None
    house.runs(20)
    assert set_to(house).charges
    house.runs(60)
    assert house.decision.reason is Reason.STALE_STOP
    assert not set_to(house).charges


@pytest.mark.parametrize(
    ("factor", "doubt"),
    [
        (-1.0, Distrust.BACKWARDS),
        (1 / 1000, Distrust.SCALED),
        (1 / 3, Distrust.SCALED),
        (10, Distrust.SCALED),
    ],
)
def test_means_uncover_a_meter_that_is_wrong(factor: float, doubt: Distrust) -> None:
    """Two quarter hours tell of it; then the cloud drives."""
    house = House(
        lambda now_s: 3000.0 + 1500 * (now_s // 900 % 2), mode="off"
    )  # nothing hides behind the car
    house.live = scaled(factor)
    house.runs(15 + 15 + 6)
    assert house.controller.doubts == {}
    house.runs(15)
    assert house.controller.doubts == {LIVE: doubt}
    assert (house.decision.source, house.decision.distrust) == (CLOUD, doubt)
    house.live = scaled(1.0)  # the electrician has been there
    house.runs(45)
    assert house.controller.doubts == {}
    assert house.decision.source == LIVE


def test_means_uncover_a_meter_that_does_not_see_the_charger() -> None:
    """It lacks just what the charger drew; the car is charged by the means after that."""
    house = House(sunny)
    house.live = lambda flow: replace(flow, grid_w=(flow.grid_w or 0.0) - house.setpoint.power_w(230))
    house.runs(75)
    assert house.controller.doubts == {LIVE: Distrust.OTHER_METER}
    house.runs(60)
    assert house.decision.source == CLOUD
    assert abs(set_to(house).power_w(230) - SUNNY_W) < 700


def test_an_unknown_contradiction_is_told_but_the_meter_is_followed() -> None:
    """Nobody knows which of the two is right."""
    house = House(sunny, mode="off")
    house.cloud = lambda flow: replace(flow, grid_w=(flow.grid_w or 0.0) + 1750)
    house.runs(120)
    assert house.controller.doubts == {LIVE: Distrust.CONTRADICTED}
    assert (house.decision.source, house.decision.distrust) == (LIVE, None)


@pytest.mark.parametrize(
    ("factor", "doubt"), [(-1.0, Distrust.BACKWARDS), (0.0, Distrust.OTHER_METER), (1 / 3, Distrust.SCALED)]
)
def test_a_meter_alone_is_uncovered_by_how_it_answers_the_charger(factor: float, doubt: Distrust) -> None:
    """Without any other source; then it is not followed, and the car is not charged by it any more."""
    house = House(sunny)
    house.cloud = None

    def tell(flow: PowerFlow) -> PowerFlow:
        car_w = house.setpoint.power_w(230)
        return replace(flow, grid_w=(flow.grid_w or 0.0) - car_w + factor * car_w)

    house.live = tell
    for number in range(8):
        house.controller.set_mode(Mode.BOOST if number % 2 else Mode.OFF)
        house.runs(12)
    house.controller.set_mode(Mode.SURPLUS)
    house.runs(5)
    assert house.controller.doubts == {LIVE: doubt}
    assert house.decision.reason is Reason.STALE_STOP
    assert house.decision.distrust is doubt
    house.runs(25 * 60)
    assert house.controller.doubts == {}  # it may have been mended, which only charging can show


def test_small_powers_prove_nothing() -> None:
    """At night two meters differ by more than they show."""
    house = House(lambda _: 100.0, mode="off")
    house.live = scaled(-1.0)
    house.runs(180)
    assert house.controller.doubts == {}


def test_a_meter_without_the_battery_is_passed_over() -> None:
    """Where there is a battery, its discharge would look like surplus."""
    house = House(sunny)
    house.cloud = lambda flow: replace(flow, battery_w=0.0)
    house.runs(120)
    assert (house.decision.source, house.decision.distrust) == (CLOUD, Distrust.INCOMPLETE)


def test_sources_without_end_are_forgotten() -> None:
    """Names come from afar: a foreign one a second fills no memory, and takes nothing from the good ones."""
    house = House(sunny).runs(10)
    for number in range(1000):
        flow = PowerFlow(house.now, house.now, grid_w=1.0, source=f"stranger {number}", rank=5)
        house.controller.observe(flow)
        if number % 100 == 0:
            house.runs(5 / 60)
    assert house.decision.source == LIVE
    assert len(house.controller._readings._sources) <= MOST_SOURCES  # noqa: SLF001 - nothing shows it outside


@given(
    st.lists(
        st.tuples(
            st.sampled_from(["a", "b", "c"]),
            st.integers(0, 2),
            st.integers(0, 4000),
            st.integers(0, 900),
            st.one_of(st.none(), st.floats(-2e4, 2e4)),
            st.one_of(st.none(), st.floats(-5e3, 5e3)),
            st.booleans(),
        ),
        max_size=60,
    )
)
def test_whatever_sources_tell_the_decision_is_legal(
    told: list[tuple[str, int, int, int, float | None, float | None, bool]],
) -> None:
    """In any order and mix: never a level outside the limits, and asking again changes nothing."""
    controller = Controller(ControlSettings())
    at_s = 0
    for source, rank, later_s, span_s, grid_w, battery_w, limited in told:
        at_s += later_s
        now = NOON + timedelta(seconds=at_s)
        controller.observe(ChargerStatus(now, ChargerState.READY, 0.0))
        start = now - timedelta(seconds=span_s)
        controller.observe(
            PowerFlow(
                start, now, grid_w=grid_w, battery_w=battery_w, source=source, rank=rank, limited=limited
            )
        )
        decision = controller.decide(now)
        assert decision == controller.decide(now)
        assert decision.setpoint.phases in (0, 1, 3)
        assert not decision.setpoint.charges or 6 <= decision.setpoint.current_a <= 16
