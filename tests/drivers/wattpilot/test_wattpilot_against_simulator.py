"""The driver and the simulated Wattpilot, which know nothing of each other, over a real WebSocket."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from pvcharge.clock import FastClock
from pvcharge.drivers.base import AuthError, DriverContext, TransientError
from pvcharge.drivers.wattpilot import DRIVER, WattpilotCharger, WattpilotSettings, driver
from pvcharge.model import NO_CHARGE, ChargerState, ChargerStatus, Setpoint
from pvcharge.sim.car import Car
from pvcharge.sim.wattpilot import WattpilotBox, WattpilotServer

PASSWORD = "sun & wind"
START = datetime(2026, 6, 1, 12, tzinfo=UTC)
SPEED = 100.0
PATIENCE_S = 20.0


@dataclass(frozen=True)
class Garage:
    """A simulated box in the network and the driver for it."""

    box: WattpilotBox
    server: WattpilotServer
    charger: WattpilotCharger

    async def until(self, fits: Callable[[ChargerStatus], bool]) -> ChargerStatus:
        """Return the first status that fits."""
        async with asyncio.timeout(PATIENCE_S):
            while not fits(status := await self.charger.next_status()):
                pass
        return status

    async def steer(self, wanted: Setpoint) -> list[ChargerStatus]:
        """Apply after every status that shows another setpoint, as the daemon does; return those statuses."""
        seen: list[ChargerStatus] = []
        async with asyncio.timeout(PATIENCE_S):
            while (status := await self.charger.next_status()).setpoint != wanted:
                seen.append(status)
                await self.charger.apply(wanted)
        return [*seen, status]

    async def until_charging(self) -> ChargerStatus:
        """Return the first status with the car at the current it is offered."""
        return await self.until(
            lambda status: status.setpoint is not None and status.current_a > status.setpoint.current_a - 1
        )


@pytest.fixture
async def garage_with(tmp_path: Path) -> AsyncIterator[Callable[..., Awaitable[Garage]]]:
    """Return a maker of garages with an accelerated clock; the settings of the box are neutral, 3 x 16 A."""
    async with AsyncExitStack() as stack:

        async def make(
            box: WattpilotBox | None = None, hash_mode: str | None = None, **settings: Any
        ) -> Garage:
            clock = FastClock(START, SPEED)
            box = box or WattpilotBox()
            box.properties |= {"frc": 0, "lmo": 3, "psm": 2, "amp": 16, "su": False}
            server = WattpilotServer(box, password=PASSWORD, clock=clock, hash_mode=hash_mode)
            await server.start()
            stack.push_async_callback(server.aclose)
            table = {"host": server.host, "port": server.port, "password": PASSWORD, **settings}
            context = DriverContext(clock, tmp_path, 48.0, 14.0, UTC)
            charger = DRIVER.create(WattpilotSettings.model_validate(table), context)
            stack.push_async_callback(charger.aclose)
            return Garage(box, server, charger)

        yield make


@pytest.fixture
async def garage(garage_with: Callable[..., Awaitable[Garage]]) -> Garage:
    """Return an old box with a car that starts quickly, and the open driver."""
    box = WattpilotBox(wh_noise=True, idle_while_switching=True)
    made = await garage_with(box)
    box.plug(Car(start_delay_s=5.0))
    await made.charger.open()
    return made


@pytest.mark.parametrize(
    ("flex", "hash_mode"),
    [(False, None), (False, "pbkdf2"), (False, "bcrypt"), (True, None), (True, "bcrypt")],
)
async def test_login(
    garage_with: Callable[..., Awaitable[Garage]], *, flex: bool, hash_mode: str | None
) -> None:
    """Every generation of box lets us in, and tells its limits."""
    garage = await garage_with(WattpilotBox(flex=flex), hash_mode)
    await garage.charger.open()
    status = await garage.charger.next_status()
    assert (status.state, status.setpoint) == (ChargerState.DISCONNECTED, Setpoint(3, 16))
    assert (status.min_current_a, status.max_current_a) == (6, 32 if flex else 16)
    assert garage.charger.health()["serial"] == "10000001"


async def test_wrong_password(garage_with: Callable[..., Awaitable[Garage]]) -> None:
    """The box turns us away, and we know why."""
    garage = await garage_with(password="rain & fog")
    with pytest.raises(AuthError, match="Wrong password"):
        await garage.charger.open()


@pytest.mark.parametrize("flex", [False, True])
async def test_setpoints_are_followed(garage_with: Callable[..., Awaitable[Garage]], *, flex: bool) -> None:
    """What is applied is what the box has, what it reports, and at last what the car draws."""
    garage = await garage_with(WattpilotBox(flex=flex))
    garage.box.plug(Car(start_delay_s=5.0))
    await garage.charger.open()
    for wanted in (Setpoint(3, 8), NO_CHARGE, Setpoint(1, 10)):
        await garage.charger.apply(wanted)
        status = await garage.charger.next_status()
        assert (status.setpoint, status.changed_by_hand_at) == (wanted, None)
    await garage.steer(Setpoint(1, 13))
    status = await garage.until(lambda status: status.power_w > 2800)
    assert (status.phases, status.state) == (1, ChargerState.CHARGING)


async def test_car_stays_plugged_during_a_phase_switch(garage: Garage) -> None:
    """The box says "no car" while it switches; we do not, and the rest of the setpoint comes after."""
    await garage.charger.apply(Setpoint(3, 6))
    await garage.until_charging()
    statuses = await garage.steer(Setpoint(1, 12))
    assert len(statuses) > 2
    assert all(status.state.plugged for status in statuses)
    status = await garage.until_charging()
    assert (status.phases, status.changed_by_hand_at) == (1, None)


async def test_unplug_and_replug(garage: Garage) -> None:
    """The box forgets that it was stopped; that is shown, and is nobody's hand."""
    await garage.charger.apply(NO_CHARGE)
    garage.box.unplug()
    status = await garage.until(lambda status: status.state is ChargerState.DISCONNECTED)
    assert (status.setpoint, status.changed_by_hand_at) == (Setpoint(3, 16), None)
    garage.box.plug(Car())
    status = await garage.until(lambda status: status.state.plugged)
    assert (status.setpoint, status.changed_by_hand_at) == (Setpoint(3, 16), None)
    await garage.charger.apply(NO_CHARGE)
    assert (await garage.until(lambda status: status.setpoint == NO_CHARGE)).changed_by_hand_at is None


@pytest.mark.parametrize(("key", "value", "setpoint"), [("amp", 7, Setpoint(3, 7)), ("lmo", 4, None)])
async def test_change_by_hand(garage: Garage, key: str, value: int, setpoint: Setpoint | None) -> None:
    """A change in the maker's app is noticed; what we write afterwards is not taken for another one."""
    before = (await garage.charger.next_status()).at
    garage.box.press(key, value)
    status = await garage.until(lambda status: status.changed_by_hand_at is not None)
    by_hand = status.changed_by_hand_at
    assert by_hand is not None
    assert by_hand >= before
    assert status.setpoint == setpoint
    await garage.charger.apply(Setpoint(3, 9))
    status = await garage.charger.next_status()
    assert (status.setpoint, status.changed_by_hand_at) == (Setpoint(3, 9), by_hand)


async def test_fault_of_the_box(garage: Garage) -> None:
    """A fault is shown in words, and ends."""
    garage.box.fail(8)
    status = await garage.until(lambda status: status.state is ChargerState.ERROR)
    assert status.fault == "no protective earth"
    garage.box.fail(0)
    assert (await garage.until(lambda status: status.state.plugged)).fault is None


async def test_drop_and_reconnect(garage: Garage) -> None:
    """A cut connection is noticed at once; the next one goes on where it was."""
    await garage.charger.apply(Setpoint(3, 6))
    garage.server.faults.drop()
    with pytest.raises(TransientError, match="closed the connection"):
        await garage.until(lambda _: False)
    await garage.charger.open()
    status = await garage.charger.next_status()
    assert (status.setpoint, status.changed_by_hand_at) == (Setpoint(3, 6), None)


async def test_reboot(garage: Garage) -> None:
    """After a reboot the box is back with its settings."""
    reboots = garage.charger.health()["reboots"]
    garage.box.reboot()
    with pytest.raises(TransientError):
        await garage.until(lambda _: False)
    async with asyncio.timeout(PATIENCE_S):
        while True:
            try:
                await garage.charger.open()
                break
            except TransientError:
                await asyncio.sleep(0.05)
    assert garage.charger.health()["reboots"] != reboots
    assert (await garage.charger.next_status()).changed_by_hand_at is None


async def test_freeze(garage_with: Callable[..., Awaitable[Garage]]) -> None:
    """A box that goes silent with its socket open is given up."""
    garage = await garage_with(silence_s=0.3)
    await garage.charger.open()
    garage.server.faults.freeze = True
    with pytest.raises(TransientError, match="silent"):
        await garage.until(lambda _: False)


async def test_refused_connection(garage_with: Callable[..., Awaitable[Garage]]) -> None:
    """A box that lets nobody in is tried again later, and then works."""
    garage = await garage_with()
    garage.server.faults.refuse = True
    with pytest.raises(TransientError, match="no connection"):
        await garage.charger.open()
    garage.server.faults.refuse = False
    await garage.charger.open()


async def test_rejected_write(garage: Garage) -> None:
    """The box's own words reach the user, and the next try works."""
    garage.server.faults.reject_every = 1
    with pytest.raises(TransientError, match="refused amp=6: amp: failed: rejected"):
        await garage.charger.apply(Setpoint(3, 6))
    garage.server.faults.reject_every = 0
    await garage.charger.apply(Setpoint(3, 6))
    assert garage.box.properties["amp"] == 6


async def test_ignored_write(garage: Garage, monkeypatch: pytest.MonkeyPatch) -> None:
    """A box that says yes and does nothing is found out, even if it repeats our value."""
    monkeypatch.setattr(driver, "REPORT_S", 0.1)
    garage.server.faults.ignore_writes = True
    with pytest.raises(TransientError, match="accepted frc=1 but did not take it"):
        await garage.charger.apply(NO_CHARGE)
    assert (await garage.charger.next_status()).setpoint == Setpoint(3, 16)


@pytest.mark.parametrize("fault", ["garbage", "duplicate_responses", "late_responses"])
async def test_bad_manners_are_survived(garage: Garage, fault: str) -> None:
    """Strange frames, repeated and late answers change nothing about the result."""
    setattr(garage.server.faults, fault, True)
    for wanted in (Setpoint(3, 6), Setpoint(3, 12), NO_CHARGE):
        await garage.charger.apply(wanted)
        assert (await garage.charger.next_status()).setpoint == wanted
    assert (await garage.charger.next_status()).changed_by_hand_at is None


async def test_missing_and_retyped_properties(garage_with: Callable[..., Awaitable[Garage]]) -> None:
    """A firmware that leaves out much and types the rest otherwise can still be steered."""
    garage = await garage_with()
    garage.server.faults.missing = {"err", "modelStatus", "fsp", "var", "cbl", "mca", "tpa", "psmd", "rbc"}
    garage.server.faults.retyped = {"amp": float, "frc": float, "car": float, "nrg": str, "alw": int}
    garage.box.plug(Car())
    await garage.charger.open()
    await garage.charger.apply(Setpoint(1, 7))
    status = await garage.charger.next_status()
    assert (status.setpoint, status.power_w, status.min_current_a) == (Setpoint(1, 7), 0.0, None)
    assert status.state.plugged
