"""The inverter in the house fails in every way it knows: the cloud stands in, and hands back."""

from collections.abc import AsyncIterator
from typing import Any

import pytest

from faults.conftest import Logs, MakeHome
from faults.home import Home
from pvcharge.model import Decision, Distrust, Reason
from pvcharge.sim.solaredge_modbus import ModbusFaults

LOCAL, CLOUD = "solaredge-modbus", "solaredge"


@pytest.fixture
async def home(make_home: MakeHome) -> AsyncIterator[Home]:
    """Run a house that is read by Modbus, with the cloud's live values standing by."""
    async with make_home(modbus=True, speed=60.0).running() as home:
        await home.until(lambda: home.ok(CLOUD))
        await home.charges_by_surplus()
        await home.until(lambda: home.source == LOCAL)
        yield home


def knobs(home: Home) -> ModbusFaults:
    """Return the inverter's."""
    assert home.modbus is not None
    return home.modbus.faults


def phases(home: Home, since: int) -> set[int]:
    """Return the numbers of phases of all decisions from an event on."""
    decisions = [event for event in home.feed.events[since:] if isinstance(event, Decision)]
    return {decision.setpoint.phases for decision in decisions}


@pytest.mark.parametrize(
    ("knob", "value", "words"),
    [
        pytest.param("refuse", True, "closes each connection", marks=pytest.mark.fault("modbus", "refuse")),
        pytest.param("hang", True, "no answer", marks=pytest.mark.fault("modbus", "hang")),
        pytest.param(
            "drop", True, "closes each connection", marks=pytest.mark.fault("modbus", "drop mid-message")
        ),
        pytest.param("garbage", True, "127.0.0.1", marks=pytest.mark.fault("modbus", "garbage")),
        pytest.param(
            "wrong_transaction",
            True,
            "127.0.0.1",
            marks=[pytest.mark.fault("modbus", "reorder"), pytest.mark.fault("modbus", "duplicate")],
        ),
        pytest.param("wrong_unit", True, "127.0.0.1", marks=pytest.mark.fault("modbus", "wrong type")),
        pytest.param("exception_code", 4, "failed to read", marks=pytest.mark.fault("modbus", "5xx")),
        pytest.param("exception_code", 6, "busy", marks=pytest.mark.fault("modbus", "429")),
    ],
)
async def test_inverter_fails_and_comes_back(
    home: Home, logs: Logs, knob: str, value: Any, words: str
) -> None:
    """One line says what is wrong; the car goes on by the cloud, without a stop or a phase switch."""
    began, failed = len(home.feed.events), home.failures(LOCAL)
    setattr(knobs(home), knob, value)
    await home.until(lambda: home.source == CLOUD and home.failures(LOCAL) > failed)
    assert home.failures(LOCAL) - failed <= 40
    setattr(knobs(home), knob, getattr(ModbusFaults(), knob))
    await home.recovers(LOCAL)
    await home.until(lambda: home.source == LOCAL)
    await home.charges_by_surplus()
    assert phases(home, began) == {3}
    (line,) = logs.loud("device failed", LOCAL)
    assert words in line
    assert len(logs.loud("device recovered", LOCAL)) == 1


@pytest.mark.fault("modbus", "kill -9")
async def test_inverter_that_restarts_is_found_again(home: Home, logs: Logs) -> None:
    """Nobody listens for a while."""
    assert home.modbus is not None
    began = len(home.feed.events)
    await home.modbus.aclose()
    await home.until(lambda: home.source == CLOUD and not home.ok(LOCAL))
    await home.modbus.start()
    await home.recovers(LOCAL)
    await home.until(lambda: home.source == LOCAL)
    assert phases(home, began) == {3}
    (line,) = logs.loud("device failed", LOCAL)
    assert "refused" in line


@pytest.mark.fault("modbus", "duplicate")
@pytest.mark.fault("modbus", "SIGSTOP 5 min")
async def test_frozen_inverter_is_not_taken_for_a_live_one(home: Home, logs: Logs) -> None:
    """It answers as ever, and always the same."""
    knobs(home).frozen_at = home.clock.now()
    await home.until(lambda: home.source == CLOUD)
    assert home.all(Decision)[-1].distrust is Distrust.FROZEN
    knobs(home).frozen_at = None
    await home.until(lambda: home.source == LOCAL)
    assert logs.loud("device failed", LOCAL) == []


async def test_a_meter_that_vanishes_is_no_zero(home: Home) -> None:
    """Without grid power there is nothing to follow."""
    knobs(home).meter_missing = True
    await home.until(lambda: home.source == CLOUD)
    assert home.all(Decision)[-1].distrust in (Distrust.INCOMPLETE, Distrust.SILENT)
    knobs(home).meter_missing = False
    await home.until(lambda: home.source == LOCAL)


async def test_with_both_gone_the_car_is_stopped(make_home: MakeHome) -> None:
    """As with any single source."""
    async with make_home(modbus=True, speed=300.0).running() as home:
        await home.charges_by_surplus()
        await home.until(lambda: home.ok(CLOUD))
        knobs(home).hang = True
        home.cloud.faults.refuse_connections = True
        await home.until(lambda: home.reason is Reason.STALE_STOP and home.box.power_w == 0)
        knobs(home).hang = False
        home.cloud.faults.refuse_connections = False
        await home.charges_by_surplus()
