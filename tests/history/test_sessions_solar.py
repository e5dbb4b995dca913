"""How much of a session's energy was not bought, and what it cost, by hand."""

from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from history.days import (
    CHARGING,
    GONE,
    PRICES,
    READY,
    decided,
    instant,
    mean,
    only_session,
    restarted_tracker,
    sessions,
    status,
)
from pvcharge.history.sessions import SessionTracker
from pvcharge.model import Reason

HOUR = 3600


def charging(start_s: int, end_s: int, power_w: float, *, every_s: int = 60) -> list[object]:
    """Return the statuses of a box that charges with constant power, of which no counter tells."""
    return [status(at_s, CHARGING, power_w) for at_s in range(start_s, end_s + 1, every_s)]


def test_solar_is_what_was_not_bought_at_the_same_time() -> None:
    """An hour with 3.6 kW of which 1 kW was bought: 2.6 kWh of sun."""
    session = only_session([*charging(0, HOUR, 3600), mean(0, HOUR, grid_w=1000)])
    assert session.energy_wh == pytest.approx(3600)
    assert session.solar_wh == pytest.approx(2600)
    assert session.cost == pytest.approx(1.0 * 0.30 + 2.6 * 0.08)
    assert session.saved == pytest.approx(2.6 * (0.30 - 0.08))


@pytest.mark.parametrize(
    ("grid_w", "solar_wh"),
    [(-5000, 3600), (0, 3600), (3600, 0), (9000, 0)],
)
def test_solar_is_between_nothing_and_all(grid_w: float, solar_wh: float) -> None:
    """What the house sells beside is not the car's, and what it buys for itself makes nothing negative."""
    session = only_session([*charging(0, HOUR, 3600), mean(0, HOUR, grid_w=grid_w)])
    assert session.solar_wh == pytest.approx(solar_wh)


def test_late_readings_count_for_their_own_time() -> None:
    """A quarter that is told six minutes later was bought while it lasted, not now."""
    session = only_session(
        [
            *charging(0, 900, 3600),  # all of it bought
            *charging(960, 1260, 7200),
            mean(0, 900, grid_w=3600),
            *charging(1320, 1800, 7200),
            mean(900, 1800, grid_w=0),  # all from the sun
        ]
    )
    # 900 Wh, a minute in between with 90 Wh, 14 minutes at 7200 W.
    assert session.energy_wh == pytest.approx(900 + 90 + 1680)
    assert session.solar_wh == pytest.approx(90 + 1680)


def test_a_reading_that_is_an_hour_late() -> None:
    """A box that talks each second does not make the past forgotten before its reading comes."""
    session = only_session(
        [
            *charging(0, 900, 3600, every_s=1),
            *charging(901, 4500, 7200, every_s=1),
            mean(0, 900, grid_w=3600),
            mean(900, 4500, grid_w=0),
        ]
    )
    assert session.solar_wh == pytest.approx(7200, rel=0.01)


def test_a_pause_has_no_energy() -> None:
    """What is bought while the car rests is not the car's, which drew nothing then."""
    session = only_session(
        [
            *charging(0, 900, 3600),
            *(status(at_s, READY) for at_s in range(960, 1801, 60)),
            mean(0, 960, grid_w=0),
            mean(960, 1800, grid_w=9000),
        ]
    )
    assert session.solar_wh == pytest.approx(900 + 30)


def test_live_readings() -> None:
    """Instants come when the charger has not been heard up to them yet: they wait for its status."""
    events: list[object] = []
    for second in range(0, 601, 10):
        grid_w = 0 if second <= 300 else 1800
        events += [instant(second, grid_w=grid_w), status(second + 1, CHARGING, 3600)]
    session = only_session(events)
    # The line from 0 to 1800 W between the seconds 300 and 310 is the half of 10 s.
    assert session.energy_wh - session.solar_wh == pytest.approx(1800 * 295 / HOUR, rel=0.01)


def test_the_end_is_estimated_with_the_last_share() -> None:
    """The reading of the last minutes comes after the session, which is not held back for it."""
    session = only_session(
        [
            *charging(0, 1800, 3600),
            mean(0, 900, grid_w=3600),
            mean(900, 1800, grid_w=900),  # a quarter of it bought
            *charging(1860, 2400, 3600),
            status(2400.001, GONE),
        ]
    )
    assert session.energy_wh == pytest.approx(2400)
    assert session.solar_wh == pytest.approx(0.75 * 900 + 0.75 * 600)


def test_a_hole_is_estimated_with_the_share_before_it() -> None:
    """An hour without readings in the middle was probably like the time before."""
    session = only_session(
        [
            *charging(0, 900, 3600),
            mean(0, 900, grid_w=1800),  # the half
            *charging(960, 5400, 3600),
            mean(4500, 5400, grid_w=3600),  # nothing
        ]
    )
    assert session.solar_wh == pytest.approx(450 + 1800)


def test_a_beginning_without_readings_is_like_what_follows() -> None:
    """A daemon whose first reading comes late takes its share for the time before, too."""
    session = only_session([*charging(0, HOUR, 3600), mean(1800, HOUR, grid_w=900)])
    assert session.solar_wh == pytest.approx(0.75 * 3600)


@pytest.mark.parametrize("flows", [[], [mean(0, HOUR, pv_w=9000)], [mean(-HOUR, 0, grid_w=-9000)]])
def test_nothing_is_claimed_that_was_not_measured(flows: Sequence[object]) -> None:
    """Without a reading of the grid in the time of the session everything was bought."""
    session = only_session([*charging(0, HOUR, 3600), *flows])
    assert session.solar_wh == 0
    assert session.cost == pytest.approx(3.6 * 0.30)


def test_a_reading_of_two_cars_is_shared() -> None:
    """Who charged within the same quarter has bought as large a part of its energy."""
    found = sessions(
        [
            *charging(0, 300, 3600),
            status(300.001, GONE),
            status(599.999, GONE),
            *charging(600, 900, 7200),
            mean(0, 900, grid_w=1800),  # 450 Wh of 300 Wh + 600 Wh
        ]
    )
    assert found[0].solar_wh == 0  # it was gone when the reading came
    assert found[1].energy_wh == pytest.approx(600, rel=1e-4)
    assert found[1].solar_wh == pytest.approx(300, rel=1e-4)


def test_a_reading_that_began_before_the_first_status() -> None:
    """Of what was bought in a quarter only the part counts in which the charger was heard."""
    session = only_session([*charging(450, 900, 3600, every_s=90), mean(0, 900, grid_w=1800)])
    assert session.energy_wh == pytest.approx(450)
    assert session.solar_wh == pytest.approx(225)


def test_power_tells_the_course_and_counters_the_sum() -> None:
    """A step of a coarse counter would look like sun, for so much cannot be bought at once."""
    events: list[object] = []
    for second in range(0, HOUR + 1, 10):
        total_wh = 5000.0 + 1000 * (second * 3.6 // HOUR)
        events += [status(second, CHARGING, 3600, total_wh=total_wh), instant(second, grid_w=1800)]
    session = only_session(events)
    assert session.energy_wh == pytest.approx(3000)
    assert session.solar_wh == pytest.approx(1500, rel=0.01)


def test_a_box_that_tells_no_power() -> None:
    """Its counter is then the course, too."""
    statuses = [status(60 * i, CHARGING, 0, session_wh=60.0 * i) for i in range(61)]
    session = only_session([*statuses, mean(0, HOUR, grid_w=900)])
    assert session.energy_wh == 3600
    assert session.solar_wh == pytest.approx(2700)


def test_what_a_daemon_missed_is_compared_when_it_is_known() -> None:
    """The quarters of an outage are told afterwards, and the counter says what was charged in them."""
    session = only_session(
        [
            status(0, CHARGING, 3600, session_wh=0),
            status(HOUR, CHARGING, 3600, session_wh=3600),
            *(mean(900 * i, 900 * i + 900, grid_w=3600 if i < 2 else 0) for i in range(4)),
        ]
    )
    assert session.energy_wh == 3600
    assert session.solar_wh == pytest.approx(1800)


def test_imports_wait_for_a_silent_charger() -> None:
    """Readings go on while the charger is away, and take little room until it is back."""
    tracker = SessionTracker(PRICES)
    tracker.take(status(0, CHARGING, 3600, session_wh=0))
    for second in range(0, HOUR + 1, 5):
        tracker.take(instant(second, grid_w=900))
    assert len(tracker.state()["waiting"]) <= 12
    tracker = restarted_tracker(tracker)
    tracker.take(status(HOUR, CHARGING, 3600, session_wh=3600))
    assert tracker.current is not None
    assert tracker.current.solar_wh == pytest.approx(2700)


def test_a_charger_that_is_never_heard_takes_no_room() -> None:
    """Neither readings without a charger nor statuses without readings grow for ever."""
    deaf, blind = SessionTracker(PRICES), SessionTracker(PRICES)
    for second in range(0, 86_400, 10):
        deaf.take(instant(second, grid_w=900))
        blind.take(status(second, CHARGING, 3600 + second % 70))
    assert len(deaf.state()["waiting"]) == 60
    assert len(blind.state()["curve"]["points"]) == 120


powers_and_grids = st.tuples(st.sampled_from([0.0, 3600.0, 7200.0]), st.sampled_from([0.0, 900.0, 9000.0]))


@given(st.lists(powers_and_grids, max_size=8), st.sampled_from([1, 3, 15]), st.sampled_from([0, 360]))
def test_the_length_of_readings_does_not_matter(
    quarters: list[tuple[float, float]], parts: int, late_s: int
) -> None:
    """Where nothing changes within a quarter its parts tell what the whole tells, and later what at once."""
    events: list[tuple[float, object]] = [(0, status(0, READY))]
    solar_wh, end_s, part_s = 0.0, 0, 900 / parts
    for power_w, grid_w in quarters:
        # The power is there from the first moment of the quarter to the last.
        events += [(end_s + at_s, status(end_s + at_s, CHARGING, power_w)) for at_s in (0.001, 300, 600, 900)]
        for part in range(parts):
            flow = mean(end_s + part * part_s, end_s + (part + 1) * part_s, grid_w=grid_w)
            events.append((end_s + (part + 1) * part_s + late_s, flow))
        end_s += 900
        solar_wh += max(0.0, power_w - grid_w) / 4
    events += [(end_s + at_s, status(end_s + at_s, READY)) for at_s in (0.001, 400)]
    events.sort(key=lambda event: event[0])
    assert only_session(event for _, event in events).solar_wh == pytest.approx(solar_wh, abs=0.1)


def _broken(key: str, value: Any) -> dict[str, Any]:
    """Return the state of a tracker that has seen a car, with one value changed; ... removes the key."""
    tracker = SessionTracker(PRICES)
    for event in (*charging(0, 120, 3600), decided(120, Reason.FOLLOWING), mean(0, 300, grid_w=5)):
        tracker.take(event)
    state = tracker.state()
    *parents, last = key.split(".")
    place = state
    for parent in parents:
        place = place[parent]
    if value is ...:
        del place[last]
    else:
        place[last] = value
    return state


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("running", ...),
        ("running", []),
        ("running.started_at", "noon"),
        ("running.energy_wh", -1),
        ("running.starts", 1.5),
        ("running.solar.solar_wh", None),
        ("running.pauses_s", {"following": "1"}),
        ("curve.points", [[10.0, 1.0], [5.0, 2.0]]),
        ("waiting", [{}]),
        ("reasons", [["2026-06-15T12:00:00Z"]]),
        ("mood", "good"),
    ],
)
def test_what_is_no_state_is_refused(key: str, value: Any) -> None:
    """A state that was spoilt does not become a session, and one learns where it is spoilt."""
    with pytest.raises(ValueError, match=key):
        SessionTracker(PRICES, _broken(key, value))
