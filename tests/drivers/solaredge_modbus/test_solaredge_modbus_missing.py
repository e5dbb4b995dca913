"""Inverters that fall silent: which of them are vital, and which may be missing for a while."""

from collections.abc import Callable
from datetime import timedelta
from types import SimpleNamespace

import pytest
from structlog.testing import capture_logs

from drivers.solaredge_modbus.images import Inverters, battery, inverter, meter
from pvcharge.drivers.base import TransientError
from pvcharge.drivers.solaredge_modbus import SolarEdgeModbusInverter

Make = Callable[..., SolarEdgeModbusInverter]


async def test_silent_follower(driver: Make, time: SimpleNamespace) -> None:
    """The grid is known without it, production and load are not; each minute it is asked again."""
    async with Inverters({1: inverter(4000) | meter(5000), 2: inverter(2000, serial="7F")}) as house:
        made = driver(house.port, units=(1, 2), request_timeout_s=0.4)
        await made.read()
        house.mute.add(2)
        house.requests.clear()
        for _ in range(2):
            (flow,) = await made.read()
            assert (flow.pv_w, flow.grid_w, flow.load_w) == (None, -5000, None)
        assert [unit for unit, *_ in house.requests].count(2) == 1
        assert made.health()["silent_units"] == f"127.0.0.1:{house.port} unit 2"
        house.mute.clear()
        time.now += timedelta(seconds=60)
        (flow,) = await made.read()
    assert (flow.pv_w, flow.load_w) == (6000, 1000)
    assert "silent_units" not in made.health()


async def test_follower_that_was_never_heard(driver: Make) -> None:
    """It may have a battery, so nothing can be told without it."""
    async with Inverters({1: inverter(4000) | meter(5000), 2: inverter(2000)}) as house:
        house.mute.add(2)
        made = driver(house.port, units=(1, 2), request_timeout_s=0.4)
        for _ in range(2):
            with pytest.raises(TransientError, match="unit 2: no answer"):
                await made.read()


@pytest.mark.parametrize("vital", [battery(100.0), meter(100, position=2)])
async def test_silent_follower_that_is_vital(driver: Make, vital: dict[int, int]) -> None:
    """Without a battery's power, or the power of the grid, there is no reading."""
    follower = inverter(2000, serial="7F") | meter(0, option="Production") | vital
    grid = meter(5000) if 57600 in vital else {}
    async with Inverters({1: inverter(4000) | grid, 2: follower}) as house:
        made = driver(house.port, units=(1, 2), request_timeout_s=0.4)
        (flow,) = await made.read()
        assert flow.grid_w is not None
        house.mute.add(2)
        with pytest.raises(TransientError, match="unit 2: no answer"):
            await made.read()


async def test_further_inverter_that_is_switched_off(driver: Make, time: SimpleNamespace) -> None:
    """A socket that is gone is no obstacle either."""
    async with Inverters({1: inverter(4000) | meter(5000)}) as first:
        async with Inverters({1: inverter(2000, serial="7F")}) as second:
            further = [{"host": "127.0.0.1", "port": second.port}]
            made = driver(first.port, further_inverters=further)
            await made.read()
        for _ in range(3):
            (flow,) = await made.read()
            assert (flow.pv_w, flow.grid_w) == (None, -5000)
            time.now += timedelta(minutes=2)


async def test_another_inverter_in_its_place(driver: Make) -> None:
    """After a new connection it is made sure who answers; what belonged to another is forgotten."""
    async with Inverters({1: inverter(3000) | meter(0) | battery(2000.0)}) as house:
        made = driver(house.port)
        await made.read()
        await made.aclose()
        house.units[1] = inverter(3000, serial="ANOTHER") | meter(0)
        (flow,) = await made.read()
    assert (flow.pv_w, flow.battery_w) == (3000, None)


async def test_inverter_block_that_turns_into_something_else(driver: Make) -> None:
    """Values under the head of no inverter are refused, and who it is is asked again."""
    async with Inverters({1: inverter(3000) | meter(0)}) as house:
        made = driver(house.port)
        await made.read()
        house.units[1][40069] = 0
        with pytest.raises(TransientError, match="something else"):
            await made.read()
        house.requests.clear()
        house.units[1][40069] = 103
        await made.read()
    assert house.requests[0][2] == 40000


async def test_only_a_charger(driver: Make) -> None:
    """Where no inverter is, that is said."""
    async with Inverters({3: inverter(None, model="SE-EV-SA-KC4")}) as house:
        made = driver(house.port, units=(3,))
        with pytest.raises(TransientError, match="no inverter among the units"):
            await made.read()


async def test_silence_is_logged_once(driver: Make, time: SimpleNamespace) -> None:
    """The first failure and the recovery are told, not what lies between."""
    async with Inverters({1: inverter() | meter(0), 2: inverter(serial="7F")}) as house:
        made = driver(house.port, units=(1, 2), request_timeout_s=0.4)
        with capture_logs() as logs:
            await made.read()
            house.mute.add(2)
            for _ in range(3):
                await made.read()
                time.now += timedelta(seconds=60)
            house.mute.clear()
            await made.read()
    assert [entry["log_level"] for entry in logs] == ["warning", "info"]
    assert "unit 2" in logs[0]["error"]
