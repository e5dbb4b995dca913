"""The cloud fails in every way it knows: the charge is held, then stopped, and resumed by itself."""

from typing import Any

import aiohttp
import pytest

from faults.conftest import Logs, MakeHome
from faults.home import API_KEY, CLIENT_ID, CLIENT_SECRET, Home
from pvcharge.drivers.solaredge import transport
from pvcharge.model import PowerFlow, Reason
from pvcharge.sim.solaredge.faults import SolarEdgeFaults

DEVICE = "solaredge"
BY_OAUTH = {"api_key": None, "client_id": CLIENT_ID, "client_secret": CLIENT_SECRET}


@pytest.mark.parametrize(
    ("knob", "value", "words"),
    [
        pytest.param("outage_status", 500, "answered 500", marks=pytest.mark.fault("solaredge", "5xx")),
        ("outage_status", 502, "answered 502"),
        pytest.param("refuse_connections", True, "SolarEdge", marks=pytest.mark.fault("solaredge", "refuse")),
        pytest.param("garbage", True, "without JSON", marks=pytest.mark.fault("solaredge", "garbage")),
        pytest.param(
            "truncated", True, "without JSON", marks=pytest.mark.fault("solaredge", "drop mid-message")
        ),
        pytest.param(
            "minute_exhausted", True, "too many requests", marks=pytest.mark.fault("solaredge", "429")
        ),
        ("missing_keys", True, "power"),
        pytest.param("nulls", True, "power", marks=pytest.mark.fault("solaredge", "wrong type")),
    ],
)
async def test_cloud_fails_and_comes_back(home: Home, logs: Logs, knob: str, value: Any, words: str) -> None:
    """One line says what is wrong; the reasons say how the charge is held and stopped meanwhile."""
    began, calls = len(home.feed.events), home.cloud.calls
    setattr(home.cloud.faults, knob, value)
    await home.until(lambda: home.reason is Reason.STALE_STOP and home.box.power_w == 0)
    assert home.reasons(began) >= {Reason.STALE_HOLD, Reason.STALE_STOP}
    heard, failed = home.statuses, home.failures(DEVICE)
    assert 1 <= failed <= 5
    assert home.cloud.calls - calls <= failed + 1
    await home.until(lambda: home.statuses > heard + 5)
    (line,) = logs.loud("device failed", DEVICE)
    assert words in line
    assert API_KEY not in line
    setattr(home.cloud.faults, knob, getattr(SolarEdgeFaults(), knob))
    await home.recovers(DEVICE)
    await home.charges_by_surplus()
    assert home.ok(DEVICE)
    assert len(logs.loud("device recovered", DEVICE)) == 1


@pytest.mark.fault("solaredge", "duplicate")
async def test_frozen_cloud_is_not_taken_for_a_live_one(home: Home, logs: Logs) -> None:
    """Answers go on, and are good; but what they say is old, and equal is not fresh."""
    began = len(home.feed.events)
    home.cloud.faults.frozen_at = home.clock.now()
    await home.until(lambda: home.reason is Reason.STALE_STOP and home.box.power_w == 0)
    assert Reason.STALE_HOLD in home.reasons(began)
    assert home.failures(DEVICE) == 0
    home.cloud.faults.frozen_at = None
    await home.charges_by_surplus()
    assert logs.loud("device failed", DEVICE) == []


@pytest.mark.fault("solaredge", "slow")
async def test_slow_cloud_is_waited_for(home: Home) -> None:
    """Readings come late, the rest of the house goes on as ever."""
    home.cloud.faults.slow_s = 0.2
    heard = home.statuses
    await home.reads(2)
    assert home.statuses > heard
    assert home.failures(DEVICE) == 0


@pytest.mark.fault("solaredge", "hang")
async def test_cloud_that_never_answers_is_given_up(
    home: Home, logs: Logs, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A request has its time; the next one comes after a wait."""
    monkeypatch.setattr(transport, "_TIMEOUT", aiohttp.ClientTimeout(total=0.1))
    home.cloud.faults.slow_s = 60.0
    await home.until(lambda: home.reason is Reason.STALE_STOP and home.failures(DEVICE) > 0)
    assert home.failures(DEVICE) <= 5
    (line,) = logs.loud("device failed", DEVICE)
    assert "no answer within" in line
    home.cloud.faults.slow_s = 0.0
    await home.recovers(DEVICE)
    await home.charges_by_surplus()


async def test_other_units_are_the_same_power(home: Home, logs: Logs) -> None:
    """A cloud that changes its units and back changes nothing."""
    home.cloud.faults.mixed_units = True
    await home.reads(5)
    home.cloud.faults.mixed_units = False
    await home.reads(5)
    powers_w = [flow.pv_w for flow in home.all(PowerFlow)[-10:]]
    assert all(power_w == pytest.approx(6000.0, abs=310.0) for power_w in powers_w)
    late = {Reason.STALE_HOLD}  # on a busy machine
    assert home.reasons() - late <= {Reason.NO_STATUS, Reason.NO_DATA, Reason.FOLLOWING}
    assert logs.loud("device failed", DEVICE) == []


@pytest.mark.fault("solaredge", "429")
async def test_month_that_is_used_up_is_not_asked_again(home: Home, logs: Logs) -> None:
    """The budget is taken as spent for hours; the charge is stopped, not the daemon."""
    home.cloud.faults.month_exhausted = True
    calls = home.cloud.calls
    await home.until(lambda: home.reason is Reason.STALE_STOP)
    await home.wait(600.0)
    assert home.cloud.calls == calls + 1
    assert len(logs.loud("device failed", DEVICE)) == 1


@pytest.mark.fault("solaredge", "4xx")
async def test_wrong_key_is_not_tried_often(make_home: MakeHome, logs: Logs) -> None:
    """A refused credential is tried each quarter of an hour, said once, and shown nowhere."""
    async with make_home(inverter={"api_key": "NOTTHEKEY"}).running() as home:
        await home.until(lambda: home.failures(DEVICE) >= 1)
        await home.wait(600.0)
        assert home.cloud.calls == home.failures(DEVICE) == 1
        await home.until(lambda: home.failures(DEVICE) >= 2)
    (line,) = logs.loud("device failed", DEVICE)
    assert "answered 401" in line
    assert not logs.hold("NOTTHEKEY")


@pytest.mark.fault("solaredge", "410")
async def test_retired_api_is_said_and_left_alone(make_home: MakeHome, logs: Logs) -> None:
    """V1 has been answering 410 since its end: one call, one line that says what to do, no key in it."""
    async with make_home(api="v1").running() as home:
        await home.settles()
        home.cloud.faults.gone = True
        await home.until(lambda: home.reason is Reason.STALE_STOP)
        await home.wait(600.0)
        assert home.failures(DEVICE) == 1
    (line,) = logs.loud("device failed", DEVICE)
    assert 'Use api = "v2"' in line
    assert not logs.hold(API_KEY)


@pytest.mark.fault("solaredge", "expired token")
async def test_expired_tokens_are_renewed_without_a_word(make_home: MakeHome, logs: Logs) -> None:
    """The reading that met the dead token is not even late; before the login, one line says what to do."""
    async with make_home(inverter=BY_OAUTH).running() as home:
        await home.until(lambda: home.failures(DEVICE) == 1)
        await home.log_in()
        await home.charges_by_surplus()
        for _ in range(3):
            home.cloud.faults.expire_access_tokens = True
            await home.reads(2)
        assert home.failures(DEVICE) == 1
    (line,) = logs.loud("device failed", DEVICE)
    assert "run: pvcharge login solaredge" in line
    assert not logs.hold(CLIENT_SECRET)


@pytest.mark.fault("solaredge", "expired token")
async def test_ended_login_is_mended_by_a_new_one(make_home: MakeHome, logs: Logs) -> None:
    """No dead token is tried again and again; after a login, reading goes on without a restart."""
    async with make_home(inverter=BY_OAUTH).running() as home:
        await home.until(lambda: home.failures(DEVICE) == 1)
        await home.log_in()
        await home.settles()
        home.cloud.faults.refuse_refresh = home.cloud.faults.expire_access_tokens = True
        await home.until(lambda: home.failures(DEVICE) == 2)
        await home.until(lambda: home.reason is Reason.STALE_STOP)
        home.cloud.faults.refuse_refresh = False
        await home.log_in()
        await home.charges_by_surplus()
    assert all("run: pvcharge login solaredge" in line for line in logs.loud("device failed", DEVICE))
