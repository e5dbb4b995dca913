"""`pvcharge run`: the clock that processes of a trial share."""

import time
from datetime import UTC, datetime, timedelta

import pytest

from cli.runner import Run, WriteConfig
from pvcharge.app import App
from pvcharge.cli import run as run_command
from pvcharge.clock import FastClock, SystemClock
from pvcharge.model import Clock

START = datetime(2026, 6, 15, 9, tzinfo=UTC)
ROUNDING_S = 0.01  # of seconds of the epoch, which fill a float


@pytest.fixture
def clocks(monkeypatch: pytest.MonkeyPatch) -> list[tuple[Clock, datetime]]:
    """Start no daemon; return the list of the clocks that they would have got, and what these showed."""
    seen: list[tuple[Clock, datetime]] = []

    async def serve(app: App, *_others: object) -> None:
        seen.append((app.clock, app.clock.now()))

    monkeypatch.setattr(run_command, "serve", serve)
    return seen


@pytest.mark.parametrize(
    ("clock", "message"),
    [
        ("", "'' is not START,SPEED,SINCE"),
        ("now", "'now' is not START,SPEED,SINCE"),
        ("2026-06-15T09:00:00+00:00", "is not START,SPEED,SINCE"),
        ("2026-06-15T09:00:00+00:00,20", "is not START,SPEED,SINCE"),
        ("2026-06-15T09:00:00+00:00,20,1780000000,1", "is not START,SPEED,SINCE"),
        ("2026-06-31T09:00:00+00:00,20,1780000000", "is not START,SPEED,SINCE"),
        ("noon,20,1780000000", "is not START,SPEED,SINCE"),
        ("2026-06-15T09:00:00+00:00,fast,1780000000", "is not START,SPEED,SINCE"),
        ("2026-06-15T09:00:00+00:00,20,yesterday", "is not START,SPEED,SINCE"),
        ("2026-06-15T09:00:00,20,1780000000", "START needs a time zone"),
        ("2026-06-15,20,1780000000", "START needs a time zone"),
        ("2026-06-15T09:00:00+00:00,0,1780000000", "SPEED must be above 0"),
        ("2026-06-15T09:00:00+00:00,-20,1780000000", "SPEED must be above 0"),
        ("2026-06-15T09:00:00+00:00,inf,1780000000", "SPEED must be above 0"),
        ("2026-06-15T09:00:00+00:00,nan,1780000000", "SPEED must be above 0"),
        ("2026-06-15T09:00:00+00:00,20,nan", "SINCE"),
        ("2026-06-15T09:00:00+00:00,20,inf", "SINCE"),
        ("2026-06-15T09:00:00+00:00,20,-inf", "SINCE"),
    ],
)
def test_a_clock_that_makes_no_sense_is_refused(
    pvcharge: Run,
    write_config: WriteConfig,
    clocks: list[tuple[Clock, datetime]],
    clock: str,
    message: str,
) -> None:
    """Before anything is started, with what is wrong on stderr."""
    result = pvcharge("run", "-c", write_config(), f"--clock={clock}")
    assert (result.code, result.out) == (2, "")
    assert "pvcharge run: error: argument --clock: " in result.err
    assert message in result.err.splitlines()[-1]
    assert clocks == []


@pytest.mark.parametrize("ago_s", [3600.0, 0.0, -30.0])
def test_the_daemon_runs_on_the_clock_it_is_given(
    pvcharge: Run, write_config: WriteConfig, clocks: list[tuple[Clock, datetime]], ago_s: float
) -> None:
    """As far from START as SINCE and SPEED say; START may also be still to come."""
    before_s = time.time()
    clock = f"2026-06-15T09:00:00+00:00,20,{before_s - ago_s}"
    result = pvcharge("run", "-c", write_config(), "--clock", clock)
    most_s = ago_s + time.time() - before_s
    assert (result.code, result.out, result.err) == (0, "", "")
    ((given, shown),) = clocks
    assert isinstance(given, FastClock)
    assert given.speed == 20
    assert ago_s - ROUNDING_S <= (shown - START).total_seconds() / 20 <= most_s + ROUNDING_S


def test_start_may_be_told_in_any_zone(
    pvcharge: Run, write_config: WriteConfig, clocks: list[tuple[Clock, datetime]]
) -> None:
    """The daemon's times are in UTC all the same."""
    clock = f"2026-06-15T11:00:00+02:00,1,{time.time()}"
    assert pvcharge("run", "-c", write_config(), "--clock", clock).code == 0
    ((_, shown),) = clocks
    assert timedelta(seconds=-ROUNDING_S) <= shown - START < timedelta(minutes=2)  # or a test has timed out
    assert shown.utcoffset() == timedelta(0)


def test_without_a_clock_the_daemon_runs_on_the_systems(
    pvcharge: Run, write_config: WriteConfig, clocks: list[tuple[Clock, datetime]]
) -> None:
    """A house has no other time."""
    assert pvcharge("run", "-c", write_config()).code == 0
    ((clock, _),) = clocks
    assert isinstance(clock, SystemClock)
