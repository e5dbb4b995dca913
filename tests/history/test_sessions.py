"""One car's session: when it begins and ends, its starts and its pauses, by hand."""

from collections.abc import Sequence

import pytest

from history.days import (
    CHARGING,
    ERROR,
    GONE,
    PRICES,
    READY,
    UNKNOWN,
    at,
    decided,
    only_session,
    sessions,
    status,
)
from pvcharge.history.sessions import SessionTracker
from pvcharge.model import ChargerState, Reason

COMPLETE = ChargerState.COMPLETE


@pytest.mark.parametrize(
    ("states", "spans"),
    [
        pytest.param([GONE, GONE], [], id="no car"),
        pytest.param([GONE, READY, CHARGING, COMPLETE, GONE, GONE], [(1, 4)], id="one car"),
        pytest.param([CHARGING, GONE], [(0, 1)], id="found plugged in"),
        pytest.param([GONE, UNKNOWN, ERROR, READY], [(3, None)], id="an error is no car"),
        pytest.param([READY, ERROR, UNKNOWN, GONE], [(0, 3)], id="an error is not an unplugged one"),
        pytest.param([READY, GONE, CHARGING, GONE], [(0, 1), (2, 3)], id="two cars"),
    ],
)
def test_a_session_is_from_plug_in_to_unplug(
    states: Sequence[ChargerState], spans: Sequence[tuple[int, int | None]]
) -> None:
    """A car is there as long as the charger does not say that it is gone."""
    found = sessions(status(minute * 60, state) for minute, state in enumerate(states))
    expected = [(at(start * 60), None if end is None else at(end * 60)) for start, end in spans]
    assert [(session.started_at, session.ended_at) for session in found] == expected


def test_a_session_is_handed_out_once_and_shown_while_it_runs() -> None:
    """Whoever keeps sessions gets each when it ends, and the page can show the one that runs."""
    tracker = SessionTracker(PRICES)
    found = [
        (tracker.take(event), tracker.current)
        for event in (
            status(0, GONE),
            status(60, READY, session_wh=0),
            status(120, CHARGING, session_wh=150),
            status(180, GONE, session_wh=200),
            status(240, GONE, session_wh=200),
        )
    ]
    energies = [tuple(it and (it.ended_at, it.energy_wh) for it in both) for both in found]
    assert energies == [
        (None, None),
        (None, (None, 0.0)),
        (None, (None, 150.0)),
        ((at(180), 200.0), None),
        (None, None),
    ]


def test_an_old_status_changes_nothing() -> None:
    """A status that comes late does not unplug a car that was plugged in since."""
    session = only_session([status(0, GONE), status(60, READY), status(30, GONE), status(120, READY)])
    assert (session.started_at, session.ended_at) == (at(60), None)


def test_time_is_charging_or_pause() -> None:
    """A car draws power or waits; how long for what reason is known even where reasons change in between."""
    session = only_session(
        [
            status(0, GONE),
            decided(0, Reason.NO_CAR),
            status(10, READY),
            decided(10, Reason.TOO_LITTLE),
            decided(40, Reason.MIN_OFF_TIME),
            decided(50, Reason.MIN_OFF_TIME),
            status(70, CHARGING, 6900),
            decided(75, Reason.FOLLOWING),
            status(130, CHARGING, 6900),
            status(190, COMPLETE, 50),  # a car that only keeps warm
            status(250, GONE),
        ]
    )
    assert session.charging_s == 120
    # The decision of second 10 came after the status of that second, so no pause was without a car.
    assert session.pauses_s == {"too_little": 30, "min_off_time": 30, "following": 60}


def test_pauses_before_the_first_decision() -> None:
    """A daemon that has just started does not know what the pause is for."""
    session = only_session([status(0, READY), decided(20, Reason.TOO_LITTLE), status(60, READY)])
    assert session.pauses_s == {"unknown": 20, "too_little": 40}


def test_decisions_by_another_clock() -> None:
    """A clock that is a little off makes no pause longer than the time that passed."""
    early = [status(10, READY), decided(5, Reason.TOO_LITTLE), status(20, READY)]
    late = [status(10, READY), decided(30, Reason.TOO_LITTLE), status(20, READY), status(40, READY)]
    assert only_session(early).pauses_s == {"too_little": 10}
    assert only_session(late).pauses_s == {"unknown": 10, "too_little": 20}


def test_a_hole_is_neither_charging_nor_pause() -> None:
    """Of the hours in which nobody listened nobody knows, be the energy known or not."""
    session = only_session(
        [
            status(0, CHARGING, 6900, session_wh=0),
            status(60, CHARGING, 6900, session_wh=115),
            status(7260, CHARGING, 0, session_wh=9000),
            status(7320, CHARGING, 0, session_wh=9000),
        ]
    )
    assert session.energy_wh == 9000
    assert session.charging_s == 60
    assert session.pauses_s == {"unknown": 60}


@pytest.mark.parametrize(
    ("states", "starts"),
    [
        ([GONE, READY, READY], 0),
        ([GONE, CHARGING, CHARGING], 1),
        ([CHARGING, CHARGING], 1),  # that it was started is plain to see
        ([CHARGING, READY, CHARGING, COMPLETE, CHARGING], 3),
        ([CHARGING, UNKNOWN, CHARGING], 1),
        ([CHARGING, ERROR, CHARGING], 2),
    ],
)
def test_starts(states: Sequence[ChargerState], starts: int) -> None:
    """A start is a status with charging after one without."""
    found = only_session(status(minute * 60, state) for minute, state in enumerate(states))
    assert found.starts == starts


@pytest.mark.parametrize(
    ("phases", "switches"),
    [
        ([0, 3, 3, 3], 0),
        ([1, 1, 3, 3, 1], 2),
        ([3, 2, 3], 0),  # a car of two phases, or one that draws less on one of them
        ([1, 0, 0, 3], 1),  # the box rests while it switches
    ],
)
def test_phase_switches(phases: Sequence[int], switches: int) -> None:
    """What counts is one phase or more, as they carry current."""
    states = [CHARGING if number else READY for number in phases]
    found = only_session(
        status(minute * 60, state, phases=number)
        for minute, (state, number) in enumerate(zip(states, phases, strict=True))
    )
    assert found.phase_switches == switches


def test_phases_of_a_car_that_rests_do_not_count() -> None:
    """A box that names phases of a car that draws nothing has not switched."""
    found = only_session([status(0, CHARGING, phases=3), status(60, READY, phases=1), status(120, phases=3)])
    assert found.phase_switches == 0


def test_reasons_of_a_long_silence_take_no_room() -> None:
    """A charger that says nothing for days, while decisions go to and fro, does not fill the memory."""
    tracker = SessionTracker(PRICES)
    tracker.take(status(0, READY))
    for second in range(1000):
        tracker.take(decided(second, Reason.TOO_LITTLE if second % 2 else Reason.MIN_OFF_TIME))
    assert len(tracker.state()["reasons"]) == 32
    tracker.take(status(100_000, READY))
    tracker.take(status(100_060, READY))
    assert tracker.current is not None
    assert tracker.current.pauses_s == {"too_little": 60}
