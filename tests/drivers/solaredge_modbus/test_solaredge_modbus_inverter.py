"""The driver against a real Modbus server that holds a house's registers."""

from collections.abc import Callable
from datetime import timedelta
from types import SimpleNamespace

import pytest

from drivers.solaredge_modbus.images import Image, Inverters, battery, inverter, meter, synergy
from pvcharge.drivers.base import Demand, Inverter, Surveyor, TransientError
from pvcharge.drivers.solaredge_modbus import SolarEdgeModbusInverter
from pvcharge.model import PowerFlow

Make = Callable[..., SolarEdgeModbusInverter]


def powers(flow: PowerFlow) -> tuple[float | None, ...]:
    """Return production, grid, battery and load."""
    return flow.pv_w, flow.grid_w, flow.battery_w, flow.load_w


async def one_flow(make: Make, units: dict[int, Image], **table: object) -> PowerFlow:
    """Read a house once."""
    async with Inverters(units) as house:
        driver = make(house.port, units=tuple(units), **table)
        (flow,) = await driver.read()
        await driver.aclose()
    return flow


async def test_export(driver: Make) -> None:
    """What is delivered and not exported is the load; export is negative."""
    flow = await one_flow(driver, {1: inverter(4000) | meter(1500)})
    assert powers(flow) == (4000, -1500, None, 2500)
    assert (flow.source, flow.rank, flow.limited) == ("solaredge-modbus", 0, False)


async def test_import_at_night(driver: Make) -> None:
    """A sleeping inverter produces nothing, whatever its registers hold; its meter goes on."""
    for ac_w in (None, 0, -20):
        flow = await one_flow(driver, {1: inverter(ac_w, dc_w=None, status=2) | meter(-500)})
        assert (flow.pv_w, flow.grid_w) == (0, 500)
        assert flow.load_w == 500 + (ac_w or 0)


async def test_battery_charging_and_discharging(driver: Make) -> None:
    """The battery is behind the inverter: what charges it was produced besides what is delivered."""
    flow = await one_flow(driver, {1: inverter(3000) | meter(0) | battery(2000.0, 60.0)})
    assert powers(flow) == (5000, 0, 2000, 3000)
    assert flow.battery_soc_pct == 60
    flow = await one_flow(driver, {1: inverter(1930, dc_w=1980) | meter(0) | battery(-2000.0)})
    assert powers(flow) == (0, 0, -2000, 1930)


async def test_follower_feeds_the_leaders_battery(driver: Make) -> None:
    """Units are summed before production is held at 0: one charges with what the other produces."""
    units = {1: inverter(-5000, dc_w=-5080) | meter(-2500) | battery(5000.0), 2: inverter(3200, serial="7F")}
    assert powers(await one_flow(driver, units)) == (3200, 2500, 5000, 700)


async def test_further_inverter_with_its_own_address(driver: Make) -> None:
    """All sockets are summed; the flow is throttled if any is."""
    async with (
        Inverters({1: inverter(4000) | meter(5000)}) as first,
        Inverters({3: inverter(2000, status=5)}) as second,
    ):
        further = [{"host": "127.0.0.1", "port": second.port, "units": [3]}]
        (flow,) = await driver(first.port, further_inverters=further).read()
    assert powers(flow) == (6000, -5000, None, 1000)
    assert flow.limited


@pytest.mark.parametrize("modules", [2, 3])
async def test_synergy(driver: Make, modules: int) -> None:
    """The list of a Synergy's modules shifts its meters."""
    listed, shift = synergy(modules)
    assert shift == {2: 50, 3: 70}[modules]
    flow = await one_flow(driver, {1: inverter(4000) | listed | meter(1500, shift=shift)})
    assert flow.grid_w == -1500


async def test_meter_counts_by_its_function_not_by_its_position(driver: Make) -> None:
    """A production meter in the first place is not taken for that of the grid, nor counted twice."""
    image = inverter(4000) | meter(3900, option="Production") | meter(-700, position=2)
    assert powers(await one_flow(driver, {1: image})) == (4000, 700, None, 4700)


async def test_production_meter_of_other_inverters(driver: Make) -> None:
    """It is counted where only that explains the export; and always, once that was seen thrice in a row."""
    exporting = inverter(1000) | meter(3000) | meter(4000, option="Production", position=2)
    importing = exporting | meter(-500)
    async with Inverters({1: exporting}) as house:
        made = driver(house.port)
        assert powers((await made.read())[0]) == (5000, -3000, None, 2000)
        house.units[1] = importing
        assert powers((await made.read())[0]) == (1000, 500, None, 1500)
        house.units[1] = exporting
        for _ in range(3):
            await made.read()
        house.units[1] = importing
        assert powers((await made.read())[0]) == (5000, 500, None, 5500)
        house.units[1] = importing | inverter(0, status=2)
        assert powers((await made.read())[0]) == (4000, 500, None, 4500)


async def test_sleeping_inverter_with_a_battery(driver: Make) -> None:
    """Its status says asleep while it charges; what it takes from elsewhere is seen all the same."""
    image = inverter(-1000, dc_w=-1010, status=1) | meter(-4000) | battery(3000.0)
    assert powers(await one_flow(driver, {1: image})) == (2000, 4000, 3000, 3000)


async def test_inverted_meter(driver: Make) -> None:
    """The setting turns a meter whose transformers are mounted backwards."""
    flow = await one_flow(driver, {1: inverter(4000) | meter(-1500)}, invert_meter=True)
    assert powers(flow) == (4000, -1500, None, 2500)


async def test_scale_factor_that_jumps(driver: Make) -> None:
    """The factor changes with the magnitude; each reading takes the one that came with it."""
    async with Inverters({1: inverter(4000) | meter(3000, factor=1)}) as house:
        made = driver(house.port)
        assert (await made.read())[0].grid_w == -3000
        house.units[1] |= meter(30, factor=-2)
        assert (await made.read())[0].grid_w == -30
        house.units[1] |= {40210: 11}
        assert (await made.read())[0].grid_w is None


async def test_no_meter(driver: Make) -> None:
    """Without a meter at the grid its power is not known, and health says why."""
    async with Inverters({1: inverter(4000) | meter(4000, option="Consumption")}) as house:
        made = driver(house.port)
        (flow,) = await made.read()
    assert powers(flow) == (4000, None, None, None)
    assert "Export+Import" in str(made.health()["grid_meter"])


async def test_meter_that_comes_back(driver: Make, time: SimpleNamespace) -> None:
    """What was absent is looked for again after ten minutes, not at each read."""
    async with Inverters({1: inverter(4000)}) as house:
        made = driver(house.port)
        await made.read()
        house.units[1] |= meter(100)
        house.requests.clear()
        (flow,) = await made.read()
        assert flow.grid_w is None
        assert len(house.requests) == 1
        time.now += timedelta(minutes=10)
        (flow,) = await made.read()
    assert flow.grid_w == -100


async def test_meter_that_goes(driver: Make) -> None:
    """A meter that was there is missed, and not taken for another house."""
    async with Inverters({1: inverter(4000) | meter(100)}) as house:
        made = driver(house.port)
        await made.read()
        house.units[1] = inverter(4000)
        (flow,) = await made.read()
        assert flow.grid_w is None
        assert "no power" in str(made.health()["grid_meter"])
        house.units[1] |= meter(100)
        (flow,) = await made.read()
    assert flow.grid_w == -100


@pytest.mark.parametrize("power_w", [None, 3.4028235e38, -3.4028235e38, 1e7])
async def test_battery_that_starts(driver: Make, power_w: float | None) -> None:
    """Neither battery nor production is known, least of all as 0; grid and load are."""
    image = inverter(3000) | meter(0) | battery(power_w, None, capacity_wh=None)
    flow = await one_flow(driver, {1: image})
    assert powers(flow) == (None, 0, None, 3000)
    assert flow.battery_soc_pct is None


@pytest.mark.parametrize("charge_pct", [-0.1, 100.1, 3.4028235e38])
async def test_charge_that_cannot_be(driver: Make, charge_pct: float) -> None:
    """A state of charge beyond its range is none; the power beside it is."""
    flow = await one_flow(driver, {1: inverter(3000) | meter(0) | battery(100.0, charge_pct)})
    assert (flow.battery_w, flow.battery_soc_pct) == (100, None)


async def test_battery_that_vanishes(driver: Make) -> None:
    """A battery that was there goes on to be expected: production without it would be wrong."""
    async with Inverters({1: inverter(3000) | meter(0) | battery(2000.0)}) as house:
        made = driver(house.port)
        await made.read()
        house.units[1] = inverter(3000) | meter(0)
        (flow,) = await made.read()
    assert powers(flow) == (None, 0, None, 3000)


@pytest.mark.parametrize("capacity_wh", [None, 0.0, -1.0])
async def test_no_battery(driver: Make, capacity_wh: float | None) -> None:
    """A block without name and capacity is no battery."""
    image = inverter(3000) | meter(0) | battery(None, None, capacity_wh=capacity_wh, model="")
    assert powers(await one_flow(driver, {1: image})) == (3000, 0, None, 3000)


async def test_charge_is_weighted_by_capacity(driver: Make) -> None:
    """Three batteries: powers are summed, the state of charge is that of all energy."""
    image = inverter(3000) | meter(0) | battery(1000.0, 90.0, capacity_wh=5000.0)
    image |= battery(-200.0, 30.0, capacity_wh=10000.0, base=57856)
    image |= battery(0.0, 30.0, capacity_wh=15000.0, base=58368)
    flow = await one_flow(driver, {1: image})
    assert flow.battery_w == 800
    assert flow.battery_soc_pct == pytest.approx(40)


async def test_charger_of_solaredge_is_skipped(driver: Make) -> None:
    """It looks like an inverter without values; after its name nothing more is read of it."""
    charger = inverter(None, dc_w=None, status=1, model="SE-EV-SA-KC4", serial="SJ1")
    async with Inverters({1: inverter(4000) | meter(1500), 3: charger}) as house:
        made = driver(house.port, units=(1, 3))
        (flow,) = await made.read()
        await made.read()
    assert powers(flow) == (4000, -1500, None, 2500)
    assert [address for unit, _, address, _ in house.requests if unit == 3] == [40000]


async def test_values_that_are_not_known(driver: Make) -> None:
    """An inverter that does not tell its power makes no 0; nor does a meter."""
    flow = await one_flow(driver, {1: inverter(None) | meter(1500)})
    assert powers(flow) == (None, -1500, None, None)
    for image in (meter(None), meter(2_000_000, factor=2)):
        flow = await one_flow(driver, {1: inverter(4000) | image})
        assert powers(flow) == (4000, None, None, None)


@pytest.mark.parametrize(
    "spoilt",
    [{40000: 0}, {40002: 2}, {40069: 100}, {40004: 0x4142}, dict.fromkeys(range(40000, 40123), 0xFFFF)],
)
async def test_bogus_identity(driver: Make, spoilt: Image) -> None:
    """Who does not answer as a SolarEdge inverter is not read, and asked again."""
    async with Inverters({1: inverter() | meter(0)}) as house:
        whole = dict(house.units[1])
        house.units[1] |= spoilt
        made = driver(house.port)
        with pytest.raises(TransientError, match=r"unit 1.*check"):
            await made.read()
        house.units[1] = whole
        assert await made.read()


async def test_nothing_but_reading_is_ever_sent(driver: Make) -> None:
    """Each frame on the wire is function 3 for at most 125 registers."""
    image = inverter() | meter(0) | battery(0.0)
    async with Inverters({1: image}) as house:
        made = driver(house.port)
        await made.read()
        await made.survey()
    assert len(house.wire) == len(house.requests)
    assert {frame[7] for frame in house.wire} == {3}
    assert all(len(frame) == 12 and 1 <= frame[11] <= 125 and not frame[10] for frame in house.wire)


async def test_a_read_takes_one_request_for_each_device(driver: Make) -> None:
    """Inverter and meter come right after each other; who they are is asked once."""
    async with Inverters({1: inverter() | meter(0) | battery(0.0)}) as house:
        made = driver(house.port)
        await made.read()
        house.requests.clear()
        await made.read()
    assert [address for _, _, address, _ in house.requests] == [40069, 40188, 57666]
    assert house.connections == 1


async def test_time_stamp_is_the_middle(driver: Make, time: SimpleNamespace) -> None:
    """The reading is an instant in the middle of the requests for values."""
    async with Inverters({1: inverter() | meter(0)}) as house:
        made = driver(house.port)
        await made.read()
        begun_at = time.now

        def pass_time() -> None:
            time.now += timedelta(seconds=2)

        house.on_request = pass_time
        (flow,) = await made.read()
    assert flow.start == flow.end == begun_at + timedelta(seconds=2)


async def test_rhythm(driver: Make, time: SimpleNamespace) -> None:
    """At once, then every few seconds while a car waits for surplus, else every half minute."""
    made = driver(1, interval_s=4.0)
    assert isinstance(made, Surveyor)
    source: Inverter = made
    assert source.next_read_at(time.now, Demand()) == time.now
    with pytest.raises(TransientError):
        await source.read()
    later = time.now + timedelta(seconds=1)
    assert source.next_read_at(later, Demand()) == time.now + timedelta(seconds=4)
    for idle in (Demand(car_plugged=False), Demand(follows_surplus=False)):
        assert source.next_read_at(later, idle) == time.now + timedelta(seconds=30)


async def test_health(driver: Make) -> None:
    """Health names what was found and how it does."""
    async with Inverters(
        {1: inverter(status=5) | meter(0) | battery(0.0), 2: inverter(serial="7F")}
    ) as house:
        made = driver(house.port, units=(1, 2))
        assert made.health() == {"failed_reads": 0, "connections_made": 0}
        await made.read()
        facts = made.health()
    assert (facts["inverters"], facts["batteries"], facts["connections_made"]) == (2, 1, 1)
    assert facts["inverter_model"] == "SE10K-RWS48BEN4, SE10K-RWS48BEN4"
    assert facts["firmware"] == "0004.0020.0033"
    assert facts["inverter_state"] == "throttled, producing"
    assert facts["grid_meter"] == f"SE-MTR-3Y-400V-A at 127.0.0.1:{house.port} unit 1"


async def test_closing_twice(driver: Make) -> None:
    """Closing is harmless at any time, and reading goes on after it."""
    async with Inverters({1: inverter() | meter(0)}) as house:
        made = driver(house.port)
        await made.aclose()
        await made.read()
        await made.aclose()
        await made.aclose()
        assert await made.read()
    assert house.connections == 2
