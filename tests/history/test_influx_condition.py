"""How long a server is left alone, and how often it is spoken of."""

import asyncio
from collections.abc import Iterator, MutableMapping
from typing import Any

import pytest
from structlog.testing import capture_logs

from pvcharge.history.errors import StoreError
from pvcharge.history.influx.condition import STEADY_S, Condition, Figures, Timing
from pvcharge.history.influx.server import WriteError
from pvcharge.model import DeviceHealth
from tasks.fakes import VirtualClock

pytestmark = pytest.mark.looptime

Logs = list[MutableMapping[str, Any]]
URL = "http://influx.test"


@pytest.fixture
def logs() -> Iterator[Logs]:
    """Return the list to which everything logged is appended."""
    with capture_logs() as captured:
        yield captured


@pytest.fixture
def told() -> list[DeviceHealth]:
    """Return the list to which the condition appends what it tells of."""
    return []


@pytest.fixture
async def condition(told: list[DeviceHealth]) -> Condition:
    """Return one with the usual waits."""
    return Condition(URL, VirtualClock(), told.append, Timing())


def fail(condition: Condition, **how: Any) -> float:
    """Note a failure and return the wait."""
    return condition.failed(WriteError("down", **how), Figures())


async def test_waits_grow_up_to_a_minute(condition: Condition) -> None:
    """Each is drawn between a second and a ceiling that grows, so that a crowd spreads out."""
    delays_s = [fail(condition, broken=True) for _ in range(60)]
    assert all(1.0 <= delay_s <= 60.0 for delay_s in delays_s)
    assert delays_s[0] <= 2.0
    assert max(delays_s) > 30.0


async def test_waits_of_a_flapping_server_go_on_growing(condition: Condition) -> None:
    """One that takes a batch between two failures is no better off."""
    delays_s = []
    for _ in range(60):
        condition.succeeded(Figures())
        delays_s.append(fail(condition))
    assert max(delays_s) > 30.0


async def test_first_wait_after_a_steady_time_is_short_again(condition: Condition) -> None:
    """A row of failures ends when the server has worked for a while."""
    for _ in range(60):
        fail(condition)
    condition.succeeded(Figures())
    await asyncio.sleep(STEADY_S)
    assert fail(condition) <= 2.0


async def test_refusals_wait_for_minutes(condition: Condition) -> None:
    """Trying again soon mends no token."""
    assert all(270.0 <= fail(condition, refused=True) <= 330.0 for _ in range(20))


async def test_wait_that_the_server_names_is_the_least(condition: Condition) -> None:
    """The jitter comes on top; but no server may silence us for a day."""
    assert 31.0 <= fail(condition, retry_after_s=30.0) <= 32.0
    assert 3601.0 <= fail(condition, retry_after_s=1e9) <= 3605.0


async def test_first_failure_is_logged_then_silence_then_the_recovery(
    condition: Condition, logs: Logs
) -> None:
    """An outage of a day makes two lines, and the second says how long it was."""
    condition.succeeded(Figures())
    for _ in range(100):
        fail(condition)
        await asyncio.sleep(60)
    condition.succeeded(Figures())
    lines = [(each["log_level"], each["event"]) for each in logs if each["log_level"] != "debug"]
    assert lines == [
        ("warning", "points cannot be sent; they wait in the store"),
        ("info", "points are sent again"),
    ]
    assert (logs[0]["server"], logs[0]["error"]) == (URL, "down")
    assert (logs[-1]["failures"], logs[-1]["after_s"]) == (100, 6000)


async def test_a_refusal_is_louder_and_is_said_after_an_outage(condition: Condition, logs: Logs) -> None:
    """A server that first is down and then does not know our token has two things to say."""
    fail(condition)
    fail(condition, refused=True)
    fail(condition, refused=True)
    assert [each["log_level"] for each in logs] == ["warning", "error", "debug"]


async def test_a_broken_store_is_told_of_like_an_outage(
    condition: Condition, told: list[DeviceHealth]
) -> None:
    """The points wait, wherever it hangs."""
    delay_s = condition.failed(StoreError("disk full"), Figures())
    assert 1.0 <= delay_s <= 2.0
    assert (told[-1].ok, told[-1].error) == (False, "disk full")


async def test_health_says_since_when_and_how_far(condition: Condition, told: list[DeviceHealth]) -> None:
    """`since` moves only when the server goes or comes back; figures are those of the moment."""
    clock = VirtualClock()
    started_at = clock.now()
    condition.succeeded(Figures(sent=5))
    await asyncio.sleep(30)
    down_at = clock.now()
    fail(condition)
    await asyncio.sleep(30)
    condition.failed(WriteError("down"), Figures(lag_events=7, lag_s=30.04, lost=1, dropped=2, sent=5))
    assert told == [
        DeviceHealth("influxdb", started_at, ok=True, since=started_at, facts=facts(sent=5)),
        DeviceHealth("influxdb", down_at, ok=False, since=down_at, error="down", facts=facts()),
        DeviceHealth(
            "influxdb",
            clock.now(),
            ok=False,
            since=down_at,
            error="down",
            facts=facts(lag_events=7, lag_s=30.0, dropped=3, sent=5),
        ),
    ]


async def test_all_is_well_is_told_now_and_then(condition: Condition, told: list[DeviceHealth]) -> None:
    """Batches come many in a second after an outage."""
    for _ in range(100):
        condition.succeeded(Figures())
        await asyncio.sleep(0.25)
    assert len(told) == 3


def facts(**changes: float) -> dict[str, float | str]:
    """Return the facts of a server that is up to date, but for these."""
    return {"lag_events": 0, "lag_s": 0.0, "dropped": 0, "sent": 0, **changes}
