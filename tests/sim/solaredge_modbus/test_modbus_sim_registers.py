"""What stands in the registers, read by frames made here and by pymodbus' own client."""

from collections.abc import Awaitable, Callable
from datetime import timedelta
from struct import pack, unpack
from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pymodbus.client import AsyncModbusTcpClient

from pvcharge.sim.solaredge_modbus import Inverter, ModbusHardware, ModbusServer, registers
from sim.solaredge_modbus.conftest import Client

Serve = Callable[..., Awaitable[ModbusServer]]
Connect = Callable[[ModbusServer], Awaitable[Client]]

LEADER = Inverter(unit=1, serial="A1", share=0.6)
FOLLOWER = Inverter(unit=2, model="SE3680H", serial="B2", phases=1, share=0.4)


def letters(words: tuple[int, ...] | int) -> str:
    """Return a text of registers."""
    assert isinstance(words, tuple)
    return pack(f">{len(words)}H", *words).rstrip(b"\0").decode()


def real(words: tuple[int, ...] | int) -> float:
    """Return a float whose low word comes first."""
    assert isinstance(words, tuple)
    value: float = unpack(">f", pack(">HH", words[1], words[0]))[0]
    return value


async def test_who_it_is(serve: Serve, connect: Connect) -> None:
    """The mark of SunSpec, maker, model, serial number and unit stand where the map says."""
    client = await connect(await serve())
    assert letters(await client.read(40000, 2)) == "SunS"
    assert await client.read(40002, 2) == (1, 65)
    assert letters(await client.read(40004, 16)) == "SolarEdge "
    assert letters(await client.read(40020, 16)) == "SE10K-RWS48BEN4"
    assert letters(await client.read(40052, 16)) == "7E0A11C4"
    assert await client.read(40068) == (1,)
    assert await client.read(40069, 2) == (103, 50)


async def test_powers(serve: Serve, connect: Connect) -> None:
    """AC is the house's production, DC a little more; the meter counts export positive."""
    client = await connect(await serve())
    assert await client.number(40083, 40084) == pytest.approx(6340)
    assert await client.number(40100, 40101) == pytest.approx(6340 / 0.975, abs=0.5)
    assert await client.number(40206, 40210) == pytest.approx(6090)
    assert await client.read(40107) == (4,)
    assert letters(await client.read(40155, 8)) == "Export+Import"
    assert await client.read(40188, 2) == (203, 105)


async def test_pymodbus_reads_it(serve: Serve) -> None:
    """A client of another make understands the frames, exceptions too."""
    server = await serve()
    client = AsyncModbusTcpClient(server.host, port=server.port, retries=0)
    assert await client.connect()
    answer = await client.read_holding_registers(40069, count=40, device_id=1)
    assert answer.registers[14:16] == [6340, 0]
    absent = await client.read_holding_registers(30000, count=2, device_id=1)
    assert (absent.isError(), absent.exception_code) == (True, 2)
    client.close()


@pytest.mark.parametrize(
    ("power_w", "words"),
    [
        (0.0, (0, -2)),
        (327.67, (32767, -2)),
        (327.68, (3277, -1)),
        (-5000.0, (-5000, 0)),
        (3276.7, (32767, -1)),
        (40000.0, (4000, 1)),
    ],
)
async def test_factor_jumps_with_the_magnitude(
    serve: Serve, connect: Connect, house: SimpleNamespace, power_w: float, words: tuple[int, int]
) -> None:
    """A factor is the finest with which the number fits, and stands beside its number."""
    house.load_w = 0.0
    house.pv_w, house.battery_w = (power_w, None) if power_w >= 0 else (0.0, -power_w)
    client = await connect(await serve())
    answer = await client.read(40083, 2)
    assert isinstance(answer, tuple)
    assert unpack(">hh", pack(">HH", *answer)) == words


@given(st.lists(st.none() | st.floats(-1e6, 1e6), min_size=1, max_size=4))
def test_scaled_numbers_come_back(values: list[float | None]) -> None:
    """Numbers with a common factor are true to the unit of that factor, and never the pattern of "none"."""
    image = registers.scaled(0, values, 9)
    (exponent,) = unpack(">h", pack(">H", image[9]))
    for place, value in enumerate(values):
        (number,) = unpack(">h", pack(">H", image[place]))
        assert (number == -0x8000) == (value is None)
        if value is not None:
            assert number * 10.0**exponent == pytest.approx(value, abs=0.5001 * 10.0**exponent)


async def test_what_does_not_exist_is_refused(serve: Serve, connect: Connect) -> None:
    """Absent blocks, also in part, are illegal addresses; unknown units have no answer."""
    client = await connect(await serve())
    for address, count in ((57666, 70), (57856, 2), (40295, 2), (40294, 2), (39999, 2), (65535, 2)):
        assert await client.read(address, count) == 2
    assert await client.read(40069, 2, unit=9) == 0x0B


async def test_patterns_of_what_is_not_implemented(serve: Serve, connect: Connect) -> None:
    """One phase leaves the registers of the others empty; three of four temperatures do not exist."""
    client = await connect(await serve(hardware=ModbusHardware(inverters=(LEADER, FOLLOWER))))
    assert await client.read(40069, 1, unit=2) == (101,)
    assert await client.read(40073, 2, unit=2) == (0xFFFF, 0xFFFF)
    assert await client.read(40102, 4) == (0x8000, 4000, 0x8000, 0x8000)


async def test_inverters_share_the_roof(serve: Serve, connect: Connect, house: SimpleNamespace) -> None:
    """The battery hangs on the leader, which takes what its panels do not give from the follower."""
    house.pv_w, house.battery_w, house.battery_soc_pct = 5000.0, 4000.0, 20.0
    client = await connect(await serve(hardware=ModbusHardware(inverters=(LEADER, FOLLOWER))))
    assert await client.number(40083, 40084, 1) == pytest.approx(3000 - 4000)
    assert await client.number(40083, 40084, 2) == pytest.approx(2000)
    assert await client.number(40100, 40101, 1) == pytest.approx(3000 / 0.975 - 4000, abs=1)
    assert await client.read(57600, 2, unit=2) == 2
    assert await client.read(40188, 2, unit=2) == 2


async def test_battery(serve: Serve, connect: Connect, house: SimpleNamespace) -> None:
    """Power, charge, capacity and status stand word-swapped at both places."""
    house.battery_w, house.battery_soc_pct = -1234.5, 56.5
    client = await connect(await serve())
    for base in (0xE100, 0xF500):
        assert real(await client.read(base + 66, 2)) == 9700
        assert real(await client.read(base + 116, 2)) == -1234.5
        assert real(await client.read(base + 132, 2)) == 56.5
        assert await client.read(base + 134, 2) == (4, 0)


async def test_battery_is_unknown_for_a_while(
    serve: Serve, connect: Connect, house: SimpleNamespace, time: SimpleNamespace
) -> None:
    """After the start it has a name and no numbers, and again while the knob says so."""
    house.battery_w, house.battery_soc_pct = 100.0, 50.0
    server = await serve()
    server.faults.battery_nan_s = 60.0
    client = await connect(server)
    assert await client.read(0xE174, 2) == (0, 0x7FC0)
    assert letters(await client.read(0xE100, 16)) == "SolarEdge"
    time.now += timedelta(seconds=60)
    assert real(await client.read(0xE174, 2)) == 100
    server.faults.battery_nan = True
    assert await client.read(0xE184, 2) == (0, 0x7FC0)


@pytest.mark.parametrize(("units", "shift"), [(1, 0), (2, 50), (3, 70)])
async def test_synergy_shifts_the_meters(serve: Serve, connect: Connect, units: int, shift: int) -> None:
    """The list of a Synergy inverter's units stands before the meters."""
    hardware = ModbusHardware(
        inverters=(Inverter(synergy_units=units),),  # type: ignore[arg-type]
        meters=("Production", "Export+Import"),
    )
    client = await connect(await serve(hardware=hardware))
    assert await client.read(40121, 2) == ((1, 65) if units == 1 else (160, shift - 2))
    assert letters(await client.read(40155 + shift, 8)) == "Production"
    assert letters(await client.read(40155 + 174 + shift, 8)) == "Export+Import"
    assert await client.number(40206 + shift, 40210 + shift) == pytest.approx(6340)
    assert await client.number(40206 + 174 + shift, 40210 + 174 + shift) == pytest.approx(6090)


@pytest.mark.parametrize(
    ("powers", "status"),
    [
        ({}, 4),
        ({"limited": True}, 5),
        ({"limited": True, "pv_w": 0.0}, 5),  # held back to nothing
        ({"pv_w": 0.0}, 2),
        ({"pv_w": 0.0, "battery_w": 2000.0}, 1),  # as seen while charging from the grid
        ({"unknown": True}, 3),
    ],
)
async def test_status(
    serve: Serve, connect: Connect, house: SimpleNamespace, powers: dict[str, object], status: int
) -> None:
    """Producing, throttled, asleep, or not known yet."""
    vars(house).update(powers)
    client = await connect(await serve())
    assert await client.read(40107) == (status,)
    if house.unknown:
        assert await client.read(40083, 2) == (0x8000, 0x8000)
        assert await client.read(40206, 1) == (0x8000,)


async def test_counters_go_on(serve: Serve, connect: Connect, time: SimpleNamespace) -> None:
    """An hour of production and export raises the inverter's and the meter's counters, not that of import."""

    async def counters() -> list[int]:
        client = await connect(server)
        found = [await client.read(address, 2) for address in (40093, 40226, 40234)]
        await client.aclose()
        return [high << 16 | low for high, low in found]  # type: ignore[misc]

    server = await serve()
    before = await counters()
    time.now += timedelta(hours=1)
    assert [now - then for now, then in zip(await counters(), before, strict=True)] == [6340, 6090, 0]


async def test_charger_tells_only_its_name(serve: Serve, connect: Connect) -> None:
    """SolarEdge's own car charger is a unit without values."""
    client = await connect(await serve(hardware=ModbusHardware(charger_unit=3)))
    assert letters(await client.read(40020, 16, unit=3)).startswith("SE-EV-SA")
    assert await client.read(40083, 2, unit=3) == (0x8000, 0x8000)


@pytest.mark.parametrize(
    "hardware",
    [
        {"inverters": ()},
        {"inverters": (LEADER, LEADER)},
        {"inverters": (Inverter(unit=248),)},
        {"inverters": (LEADER, Inverter(unit=2, share=0.5))},
        {"meters": ("Import",)},
        {"meters": ("Production",) * 4},
        {"charger_unit": 1},
    ],
)
def test_impossible_hardware(hardware: dict[str, object]) -> None:
    """What cannot be wired like that is named."""
    with pytest.raises(ValueError, match=r"must|make|cannot"):
        ModbusHardware(**hardware)  # type: ignore[arg-type]
