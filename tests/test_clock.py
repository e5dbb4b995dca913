"""The daemon's time: steady, and N times faster for the demo."""

import asyncio
import time
from datetime import UTC, datetime, timedelta

import pytest

from pvcharge import clock as clock_module
from pvcharge.clock import FastClock, SystemClock

NOON = datetime(2026, 6, 15, 12, tzinfo=UTC)


class Sources:
    """The computer's two clocks, set by hand."""

    def __init__(self) -> None:
        self.wall = NOON
        self.monotonic_s = 1000.0

    def pass_s(self, seconds: float) -> None:
        """Let both go on."""
        self.wall += timedelta(seconds=seconds)
        self.monotonic_s += seconds

    def now(self, zone: object) -> datetime:
        """Stand in for `datetime.now`."""
        assert zone is UTC
        return self.wall

    def monotonic(self) -> float:
        """Stand in for `time.monotonic`."""
        return self.monotonic_s


@pytest.fixture
def sources(monkeypatch: pytest.MonkeyPatch) -> Sources:
    """Put the clock module on clocks that the test sets."""
    sources = Sources()
    monkeypatch.setattr(clock_module, "datetime", sources)
    monkeypatch.setattr(clock_module, "time", sources)
    return sources


def test_the_system_clock_follows_the_wall(sources: Sources) -> None:
    """As long as nobody sets it."""
    clock = SystemClock()
    sources.pass_s(90)
    assert clock.now() == NOON + timedelta(seconds=90)


def test_a_wall_clock_set_back_changes_nothing(sources: Sources) -> None:
    """Or an old reading would become fresh, and a lease live for an hour."""
    clock = SystemClock()
    sources.pass_s(90)
    sources.wall -= timedelta(hours=1)
    assert clock.now() == NOON + timedelta(seconds=90)
    sources.pass_s(10)
    assert clock.now() == NOON + timedelta(seconds=100)


def test_a_wall_clock_set_forward_is_taken_over(sources: Sources) -> None:
    """A computer without a battery starts in the past and hears the time from the network."""
    clock = SystemClock()
    sources.wall += timedelta(days=3)
    assert clock.now() == NOON + timedelta(days=3)
    sources.pass_s(1)
    assert clock.now() == NOON + timedelta(days=3, seconds=1)


def test_small_corrections_are_left_alone(sources: Sources) -> None:
    """The network corrects the wall clock by a little all the time."""
    clock = SystemClock()
    sources.wall += timedelta(seconds=4)
    assert clock.now() == NOON


@pytest.mark.parametrize("jump_s", [-86_400, -6, -1, 1, 4, 6, 86_400])
def test_the_system_clock_never_runs_backwards(sources: Sources, jump_s: float) -> None:
    """However the wall clock jumps to and fro."""
    clock = SystemClock()
    seen = [clock.now()]
    for sign in (1, -1, 1, 1, -1):
        sources.pass_s(0.5)
        sources.wall += timedelta(seconds=sign * jump_s)
        seen.append(clock.now())
    assert seen == sorted(seen)


async def test_system_sleep_is_real_and_takes_no_negative_time() -> None:
    """A wait that is over already returns at once."""
    loop = asyncio.get_running_loop()
    began_s = loop.time()
    await SystemClock().sleep(0.05)
    assert loop.time() - began_s >= 0.05
    await SystemClock().sleep(-1e9)


async def test_the_fast_clock_starts_where_it_is_told_and_runs_n_times_as_fast(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A second of the event loop is `speed` seconds."""
    loop = asyncio.get_running_loop()
    loop_s = 50.0
    with monkeypatch.context() as patched:
        patched.setattr(loop, "time", lambda: loop_s)
        clock = FastClock(NOON, 120.0)
        assert clock.now() == NOON
        loop_s += 2.5
        assert clock.now() == NOON + timedelta(minutes=5)


async def test_fast_clocks_that_share_a_beginning_agree(monkeypatch: pytest.MonkeyPatch) -> None:
    """A process that starts 30 s after another is as far as that one: an hour, at this speed."""
    loop = asyncio.get_running_loop()
    with monkeypatch.context() as patched:
        patched.setattr(loop, "time", lambda: 50.0)
        patched.setattr(time, "time", lambda: 1030.0)
        clock = FastClock(NOON, 120.0, since_unix_s=1000.0)
        assert clock.now() == NOON + timedelta(hours=1)


async def test_fast_clocks_of_two_processes_agree_at_any_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whenever each was started, be it before the beginning, and whatever its event loop counts from."""
    loop = asyncio.get_running_loop()
    with monkeypatch.context() as patched:

        def enter(process_s: float, wall_s: float) -> None:
            patched.setattr(time, "time", lambda: wall_s)
            patched.setattr(loop, "time", lambda: process_s + wall_s)

        enter(50.0, 999.5)
        early = FastClock(NOON, 120.0, since_unix_s=1000.0)
        enter(-900.0, 1090.0)
        late = FastClock(NOON, 120.0, since_unix_s=1000.0)
        for wall_s in (1090.0, 1100.25, 87_400.0):
            enter(50.0, wall_s)
            seen = early.now()
            enter(-900.0, wall_s)
            assert seen == late.now() == NOON + timedelta(seconds=120 * (wall_s - 1000))


async def test_fast_sleep_takes_the_nth_part() -> None:
    """Ten simulated minutes pass while a test waits for a tenth of a second."""
    clock = FastClock(NOON, 6000.0)
    loop = asyncio.get_running_loop()
    began_s = loop.time()
    await clock.sleep(600.0)
    assert loop.time() - began_s >= 0.1
    assert clock.now() >= NOON + timedelta(seconds=600)
    await clock.sleep(-1e9)


@pytest.mark.parametrize("speed", [0.0, -1.0])
async def test_time_must_go_forward(speed: float) -> None:
    """A speed of zero would wait for ever."""
    with pytest.raises(ValueError, match="speed must be above 0"):
        FastClock(NOON, speed)
