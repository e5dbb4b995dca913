"""A session's energy by whatever the box tells, and cars that are swapped unseen, by hand."""

from collections.abc import Sequence

import pytest

from history.days import GONE, PRICES, READY, at, only_session, restarted_tracker, status
from pvcharge.history.sessions import SessionTracker
from pvcharge.model import ChargerStatus


@pytest.mark.parametrize(
    ("statuses", "energy_wh"),
    [
        pytest.param(
            [
                status(0, GONE),
                status(60, session_wh=2),
                status(120, session_wh=80),
                status(180, GONE, session_wh=90),
            ],
            90,
            id="the box's own counter",
        ),
        pytest.param([status(0, session_wh=7000), status(60, session_wh=7100)], 7100, id="since plug-in"),
        pytest.param(
            [status(0, session_wh=90e6), status(60, session_wh=90e6 + 100)], 100, id="no car got 90 MWh"
        ),
        pytest.param(
            [status(0, session_wh=100), status(60, session_wh=5000), status(120, session_wh=5050)],
            150,
            id="a leap counts nothing",
        ),
        pytest.param(
            [status(0, session_wh=100), status(60, session_wh=99.997), status(120, session_wh=150)],
            150,
            id="a step back by some mWh is noise",
        ),
        pytest.param(
            [
                status(0, GONE, session_wh=7000),
                status(1, READY, session_wh=7000),
                status(2, READY, session_wh=0),
                status(60, session_wh=150),
            ],
            150,
            id="a counter that is reset late",
        ),
        pytest.param(
            [
                status(0, GONE, session_wh=80),
                status(1, READY, session_wh=80),
                status(60, session_wh=20),
                status(120, session_wh=50),
            ],
            50,
            id="a small one that is reset late",
        ),
        pytest.param(
            [
                status(0, GONE, session_wh=7000),
                status(1, READY, session_wh=7000),
                status(2, READY, session_wh=5000),
                status(60, session_wh=5060),
            ],
            60,
            id="a counter that shows now this and now that",
        ),
        pytest.param(
            [status(0, GONE, session_wh=7000), status(7200, session_wh=9000)],
            9000,
            id="plugged in while the daemon was down",
        ),
        pytest.param(
            [status(0, GONE, total_wh=5000), status(60, total_wh=5010), status(120, GONE, total_wh=5040)],
            40,
            id="by the lifetime counter",
        ),
        pytest.param(
            [status(0, GONE), status(60, power_w=3600), status(120, power_w=3600), status(180, GONE)],
            120,  # a minute at full power, and half of that at either end
            id="by power",
        ),
        pytest.param(
            [
                status(0, session_wh=100, total_wh=5000),
                status(60, session_wh=150, total_wh=5060),
                status(120, total_wh=5070),
                status(180, session_wh=170, total_wh=5090),
            ],
            170,  # 10 by the lifetime counter are among the 20
            id="from counter to counter",
        ),
        pytest.param(
            [
                status(0, GONE, total_wh=5000),
                status(60, GONE, total_wh=5100),
                status(120, READY, total_wh=5100),
            ],
            0,
            id="what the car before got",
        ),
    ],
)
def test_energy(statuses: Sequence[ChargerStatus], energy_wh: float) -> None:
    """The box's counter since plug-in comes first as far as it is plausible, then the others."""
    assert only_session(statuses).energy_wh == pytest.approx(energy_wh)


def test_a_car_that_was_swapped_while_the_daemon_was_down() -> None:
    """The counter since plug-in has fallen: the first session ended when it was seen last."""
    tracker = SessionTracker(PRICES)
    tracker.take(status(-60, GONE, session_wh=50))  # what one more car got, long gone
    tracker.take(status(0, READY, session_wh=0))
    tracker.take(status(60, session_wh=150))
    tracker = restarted_tracker(tracker)
    ended = tracker.take(status(7200, session_wh=50))
    running = tracker.current
    assert ended is not None
    assert (ended.started_at, ended.ended_at, ended.energy_wh) == (at(0), at(60), 150)
    assert running is not None
    assert (running.started_at, running.ended_at, running.energy_wh) == (at(7200), None, 50)
    assert running.starts == 1


def test_the_same_car_after_a_restart() -> None:
    """A counter that went on is that of the same car."""
    tracker = SessionTracker(PRICES)
    tracker.take(status(0, READY, session_wh=0))
    tracker = restarted_tracker(tracker)
    assert tracker.take(status(7200, session_wh=5000)) is None
    assert tracker.current is not None
    assert (tracker.current.started_at, tracker.current.energy_wh) == (at(0), 5000)


def test_a_counter_that_falls_with_the_plug_pulled_ends_one_session() -> None:
    """A box that resets the counter at once when the car goes does not make two sessions of one."""
    session = only_session(
        [status(0, session_wh=0), status(60, session_wh=150), status(61, GONE, session_wh=0)]
    )
    assert (session.ended_at, session.energy_wh) == (at(61), 150)


def test_a_reset_within_the_same_moment_is_no_swap() -> None:
    """Two statuses of one time, the second with the reset counter, are one car's."""
    events = [status(0, GONE, session_wh=7000), status(0, READY, session_wh=0), status(60, session_wh=100)]
    assert only_session(events).energy_wh == 100
