"""How long a failing device is left alone, and how often it is spoken of."""

import asyncio
from collections.abc import MutableMapping
from typing import Any

import pytest

from pvcharge.drivers.base import AuthError, DriverError, PermanentError, TransientError
from pvcharge.model import DeviceHealth
from pvcharge.tasks.retry import (
    AUTH_DELAY_S,
    PERMANENT_DELAY_S,
    STEADY_S,
    TRANSIENT_CAP_S,
    Retry,
)
from tasks.fakes import RecordingFeed, VirtualClock

pytestmark = pytest.mark.looptime

Logs = list[MutableMapping[str, Any]]


def _lines(logs: Logs) -> list[tuple[str, str]]:
    """Return what is logged for everybody: level and event."""
    return [(line["log_level"], line["event"]) for line in logs if line["log_level"] != "debug"]


@pytest.mark.parametrize("seed", range(20))
async def test_transient_waits_grow_up_to_a_minute(
    clock: VirtualClock, feed: RecordingFeed, seed: int
) -> None:
    """Each wait is drawn between a second and a ceiling that grows, so that a crowd spreads out."""
    retry = Retry("roof", clock, feed, seed)
    delays_s = [retry.failed(TransientError("refused")) for _ in range(40)]
    assert all(1.0 <= delay_s <= TRANSIENT_CAP_S for delay_s in delays_s)
    assert delays_s[0] <= 3.2
    assert delays_s[1] <= 5.12
    assert max(delays_s[10:]) > TRANSIENT_CAP_S / 2


async def test_first_wait_after_a_steady_time_is_short_again(
    clock: VirtualClock, feed: RecordingFeed
) -> None:
    """A row of failures ends when the device has worked for a while."""
    retry = Retry("roof", clock, feed, seed=1)
    for _ in range(30):
        retry.failed(TransientError("refused"))
    retry.succeeded()
    await asyncio.sleep(STEADY_S)
    assert retry.failed(TransientError("refused")) <= 3.2


async def test_waits_of_a_flapping_device_go_on_growing(clock: VirtualClock, feed: RecordingFeed) -> None:
    """A device that lets us in and throws us out at once gets no storm of connections."""
    retry = Retry("box", clock, feed, seed=1)
    delays_s = []
    for _ in range(30):
        retry.succeeded()
        delays_s.append(retry.failed(TransientError("dropped")))
    assert max(delays_s) > TRANSIENT_CAP_S / 2


@pytest.mark.parametrize(
    ("error", "usual_s"),
    [(AuthError("wrong password"), AUTH_DELAY_S), (PermanentError("retired"), PERMANENT_DELAY_S)],
)
async def test_hopeless_failures_wait_long_from_the_start(
    clock: VirtualClock, feed: RecordingFeed, error: DriverError, usual_s: float
) -> None:
    """Trying again soon mends no password and no retired service."""
    retry = Retry("roof", clock, feed)
    for _ in range(5):
        assert 0.9 * usual_s <= retry.failed(error) <= 1.1 * usual_s


async def test_wait_that_the_device_names_is_the_least(clock: VirtualClock, feed: RecordingFeed) -> None:
    """The jitter comes on top of it."""
    retry = Retry("roof", clock, feed)
    assert 301.0 <= retry.failed(TransientError("too many requests", retry_after_s=300.0)) <= 303.2


async def test_first_failure_is_logged_then_silence_then_the_recovery(
    clock: VirtualClock, feed: RecordingFeed, logs: Logs
) -> None:
    """A day of outage makes two lines, and the second says how long it took."""
    retry = Retry("roof", clock, feed)
    retry.succeeded()
    for _ in range(100):
        retry.failed(TransientError("refused"))
        await asyncio.sleep(60)
    retry.succeeded()
    retry.succeeded()
    assert _lines(logs) == [("warning", "device failed"), ("info", "device recovered")]
    assert logs[0]["error"] == "refused"
    assert logs[-1]["failures"] == 100
    assert logs[-1]["down_s"] == 6000


async def test_another_kind_of_failure_is_logged(
    clock: VirtualClock, feed: RecordingFeed, logs: Logs
) -> None:
    """A device that first times out and then refuses the password has two things to say."""
    retry = Retry("roof", clock, feed)
    for error in (
        TransientError("timed out"),
        TransientError("refused"),
        AuthError("wrong"),
        AuthError("no"),
    ):
        retry.failed(error)
    assert [line["error"] for line in logs if line["log_level"] == "warning"] == ["timed out", "wrong"]


async def test_second_outage_is_logged_like_the_first(
    clock: VirtualClock, feed: RecordingFeed, logs: Logs
) -> None:
    """Silence lasts as long as the outage, no longer."""
    retry = Retry("roof", clock, feed)
    for _ in range(2):
        retry.failed(TransientError("refused"))
        retry.succeeded()
    assert _lines(logs) == [("warning", "device failed"), ("info", "device recovered")] * 2


async def test_first_success_of_all_is_no_recovery(
    clock: VirtualClock, feed: RecordingFeed, logs: Logs
) -> None:
    """A start that goes well is worth no line."""
    Retry("roof", clock, feed).succeeded()
    assert logs == []


async def test_health_says_since_when(clock: VirtualClock, feed: RecordingFeed) -> None:
    """Every event carries the facts; `since` moves only when the device goes down or comes up."""
    retry = Retry("roof", clock, feed)
    started = clock.now()
    retry.succeeded({"requests_left": 7})
    await asyncio.sleep(10)
    failed_at = clock.now()
    retry.failed(TransientError("refused"))
    await asyncio.sleep(10)
    retry.failed(TransientError("timed out"), {"requests_left": 6})
    assert feed.events == [
        DeviceHealth("roof", started, ok=True, since=started, facts={"requests_left": 7}),
        DeviceHealth("roof", failed_at, ok=False, since=failed_at, error="refused"),
        DeviceHealth(
            "roof", clock.now(), ok=False, since=failed_at, error="timed out", facts={"requests_left": 6}
        ),
    ]
