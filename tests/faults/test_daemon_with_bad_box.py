"""The box fails in every way it knows: the rest of the house goes on, and the link comes back by itself."""

from collections.abc import AsyncIterator
from typing import Any

import pytest

from faults.conftest import Logs, MakeHome
from faults.home import PASSWORD, Home
from pvcharge.model import ChargerState, ChargerStatus, Mode, Reason, Setpoint

DEVICE, WRITES = "wattpilot", "wattpilot writes"
SPEED = 300.0

pytestmark = pytest.mark.usefixtures("quick_charger")


@pytest.fixture
async def home(make_home: MakeHome) -> AsyncIterator[Home]:
    """Run a house whose car follows the surplus already; a link counts as dead soon."""
    async with make_home(speed=SPEED, charger={"silence_s": 0.6}).running() as home:
        await home.charges_by_surplus()
        yield home


async def _obeys(home: Home) -> None:
    """Check that the box does what the user commands: full power, and back to the surplus."""
    home.command(Mode.BOOST)
    await home.until(lambda: home.box.properties["amp"] == 16 and home.box.properties["frc"] == 0)
    home.command(Mode.OFF)
    await home.until(lambda: home.box.properties["frc"] == 1)
    home.command(Mode.SURPLUS)
    await home.until(lambda: home.box.properties["frc"] == 0)


@pytest.mark.fault("wattpilot", "drop mid-message")
async def test_dropped_link_comes_back(home: Home, logs: Logs) -> None:
    """Again and again: one line for the loss, one for the recovery, and nothing is written for it."""
    for _ in range(2):
        written = len(home.box.writes)
        home.server.faults.drop()
        await home.until(lambda: not home.ok(DEVICE))
        await home.until(lambda: home.ok(DEVICE))
        assert all(key == "amp" for key, _, _ in home.box.writes[written:])
    assert len(logs.loud("device failed", DEVICE)) == len(logs.loud("device recovered", DEVICE)) == 2
    await _obeys(home)


@pytest.mark.fault("wattpilot", "hang")
@pytest.mark.fault("wattpilot", "SIGSTOP 5 min")
async def test_frozen_box_is_noticed(home: Home, logs: Logs) -> None:
    """An open socket is no living box; readings go on meanwhile."""
    home.server.faults.freeze = True
    await home.until(lambda: home.failures(DEVICE) >= 2)
    await home.reads(1)
    home.server.faults.freeze = False
    await home.recovers(DEVICE)
    (line,) = logs.loud("device failed", DEVICE)
    assert "silent for" in line or "no answer to" in line  # whichever is noticed first
    await _obeys(home)


@pytest.mark.fault("wattpilot", "refuse")
async def test_box_that_refuses_connections_is_not_stormed(home: Home, logs: Logs) -> None:
    """Tries come further and further apart; after some minutes without it, the box counts as unheard."""
    home.server.faults.refuse = True
    home.server.faults.drop()
    began = home.clock.now()
    await home.until(lambda: home.reason is Reason.NO_STATUS)
    await home.reads(1)
    minutes = (home.clock.now() - began).total_seconds() / 60
    assert home.failures(DEVICE) <= 15 + 5 * minutes
    home.server.faults.refuse = False
    await home.recovers(DEVICE)
    assert len(logs.loud("device failed", DEVICE)) == 1
    await home.charges_by_surplus()


@pytest.mark.fault("wattpilot", "4xx")
async def test_wrong_password_is_not_tried_often(make_home: MakeHome, logs: Logs) -> None:
    """One try, one line, no secret in it; readings come all the same."""
    async with make_home(speed=SPEED, charger={"password": "not-the-password"}).running() as home:
        await home.until(lambda: home.failures(DEVICE) >= 1)
        await home.wait(600.0)
        assert home.failures(DEVICE) == 1
        assert home.readings > 0
        assert home.box.writes == []
    (line,) = logs.loud("device failed", DEVICE)
    assert "wrong password" in line
    assert not logs.hold("not-the-password")


@pytest.mark.fault("wattpilot", "garbage")
async def test_garbage_in_between_is_ignored(home: Home, logs: Logs) -> None:
    """Strange frames neither end the link nor hide what is between them."""
    home.server.faults.garbage = True
    heard = home.statuses
    await home.until(lambda: home.statuses > heard + 20)
    await _obeys(home)
    assert home.failures(DEVICE) == 0
    assert logs.loud("device failed", DEVICE) == []


@pytest.mark.fault("wattpilot", "5xx")
@pytest.mark.parametrize(
    ("knob", "value", "words"),
    [("reject_every", 1, "refused"), ("ignore_writes", True, "did not take it")],
)
async def test_writes_that_fail_are_reported_and_repeated(
    home: Home, logs: Logs, knob: str, value: Any, words: str
) -> None:
    """The link stays, the box is not hammered at, and when it listens again it gets what it should."""
    setattr(home.server.faults, knob, value)
    home.command(Mode.OFF)
    await home.until(lambda: home.failures(WRITES) >= 3)
    assert home.box.properties["frc"] == 0
    assert home.failures(DEVICE) == 0
    (line,) = logs.loud("device failed", WRITES)
    assert words in line
    assert PASSWORD not in line
    setattr(home.server.faults, knob, type(value)(0))
    await home.until(lambda: home.box.properties["frc"] == 1 and home.ok(WRITES))
    assert len(logs.loud("device recovered", WRITES)) == 1


@pytest.mark.fault("wattpilot", "duplicate")
@pytest.mark.fault("wattpilot", "reorder")
async def test_repeated_and_late_answers_confuse_nobody(home: Home) -> None:
    """Answers that come twice, or after the next one, confirm only what was asked."""
    home.server.faults.duplicate_responses = home.server.faults.late_responses = True
    await _obeys(home)
    assert home.failures(DEVICE) == 0


@pytest.mark.fault("wattpilot", "wrong type")
@pytest.mark.parametrize(
    ("missing", "retyped"),
    [
        ({"wh", "eto", "tpa", "cbl", "fhz"}, {}),
        (set(), {"wh": str, "eto": str, "amp": float, "nrg": str}),
    ],
)
async def test_other_firmware_is_understood(
    home: Home, missing: set[str], retyped: dict[str, Any], logs: Logs
) -> None:
    """Keys that are missing or of another type are unknown, not fatal."""
    home.server.faults.missing.update(missing)
    home.server.faults.retyped.update(retyped)
    home.server.faults.drop()
    await home.until(lambda: home.failures(DEVICE) == 1)
    await home.until(lambda: home.ok(DEVICE))
    await _obeys(home)
    assert len(logs.loud("device failed", DEVICE)) == 1


@pytest.mark.fault("wattpilot", "kill -9")
async def test_reboot_is_survived_and_not_taken_for_a_hand(home: Home, logs: Logs) -> None:
    """The box forgets that it was told not to charge; the daemon says it again."""
    home.command(Mode.OFF)
    await home.until(lambda: home.box.properties["frc"] == 1)
    home.box.reboot()
    await home.until(lambda: home.failures(DEVICE) >= 1)
    await home.until(lambda: home.ok(DEVICE) and home.box.properties["frc"] == 1)
    assert Reason.BY_HAND not in home.reasons()
    assert len(logs.loud("device failed", DEVICE)) == 1


@pytest.mark.parametrize(
    ("key", "value"),
    [("amp", 14), ("frc", 1), ("lmo", 4), ("psm", 1)],
    ids=["amps", "stop", "eco", "phase"],
)
async def test_change_by_hand_is_left_alone(home: Home, key: str, value: int) -> None:
    """Nothing is written any more, also when the link is lost, until the user commands something else."""
    home.box.press(key, value)
    await home.until(lambda: home.reason is Reason.BY_HAND)
    written = len(home.box.writes)
    home.server.faults.drop()
    await home.until(lambda: home.failures(DEVICE) == 1)
    await home.wait(300.0)
    assert home.reason is Reason.BY_HAND
    assert len(home.box.writes) == written
    assert home.box.properties[key] == value
    await _obeys(home)


async def test_stop_of_the_daemon_respects_the_hand(make_home: MakeHome) -> None:
    """A charge that its driver set by hand survives the daemon."""
    async with make_home(speed=SPEED).running() as home:
        await home.charges_by_surplus()
        home.box.press("amp", 14)
        await home.until(lambda: home.reason is Reason.BY_HAND)
    assert home.box.properties["frc"] == 0


async def test_stop_of_the_daemon_stops_the_charge(make_home: MakeHome) -> None:
    """With nobody to control it, the car does not go on charging by accident."""
    async with make_home(speed=SPEED).running() as home:
        await home.charges_by_surplus()
        assert home.box.properties["frc"] == 0
    assert home.box.properties["frc"] == 1


async def test_unplugged_and_replugged_car_is_charged_again(home: Home) -> None:
    """A box that forgets its force state with the cable neither starts by itself nor counts as touched."""
    home.box.unplug()
    await home.until(lambda: home.reason is Reason.NO_CAR and home.box.properties["frc"] == 1)
    home.box.plug(home.car)
    await home.charges_by_surplus()
    assert Reason.BY_HAND not in home.reasons()


async def test_sleepy_car_is_not_shaken(home: Home) -> None:
    """A car that ignores the offer is offered it all the same, without a storm of writes."""
    home.car.sleeps_after = 1
    home.command(Mode.OFF)
    await home.until(lambda: home.box.power_w == 0)
    home.command(Mode.BOOST)
    await home.until(lambda: home.box.properties["frc"] == 0)
    await home.wait(60.0)
    written = len(home.box.writes)
    await home.wait(600.0)
    assert home.box.power_w == 0
    assert len(home.box.writes) == written
    home.box.unplug()
    await home.until(lambda: home.all(ChargerStatus)[-1].state is ChargerState.DISCONNECTED)
    home.box.plug(home.car)
    await home.until(lambda: home.box.power_w > 10_000)
    assert home.all(ChargerStatus)[-1].setpoint == Setpoint(3, 16)


async def test_fault_of_the_box_is_waited_out(home: Home) -> None:
    """While the box reports a fault, nothing is written; afterwards the charge goes on."""
    home.box.fail(3)
    await home.until(lambda: home.reason is Reason.CHARGER_FAULT)
    written = len(home.box.writes)
    home.command(Mode.BOOST)
    await home.wait(300.0)
    assert len(home.box.writes) == written
    home.box.fail(0)
    await home.until(lambda: home.box.power_w > 10_000)
