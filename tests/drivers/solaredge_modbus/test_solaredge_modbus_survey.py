"""A survey shows each device, says what is used and why, and advises where something looks wrong."""

from collections.abc import Callable

import pytest

from drivers.solaredge_modbus.images import Image, Inverters, battery, inverter, meter
from pvcharge.drivers.base import Survey, TransientError
from pvcharge.drivers.solaredge_modbus import SolarEdgeModbusInverter

Make = Callable[..., SolarEdgeModbusInverter]


async def survey(make: Make, units: dict[int, Image], **table: object) -> Survey:
    """Survey a house."""
    async with Inverters(units) as house:
        made = make(house.port, units=tuple(units), request_timeout_s=0.2, **table)
        return await made.survey()


async def test_everything_is_shown(driver: Make) -> None:
    """Inverters, meters, batteries and the charger: where, what, why, and their values."""
    leader = inverter(3000, dc_w=3060) | meter(900) | meter(2900, option="Production", position=2)
    leader |= battery(1000.0, 40.0)
    charger = inverter(None, dc_w=None, status=1, model="SE-EV-SA-KC4", serial="SJ1")
    found = await survey(driver, {1: leader, 2: inverter(2000, dc_w=2050, serial="7F"), 3: charger})
    assert [finding.where.partition(" ")[2] for finding in found.findings] == [
        "unit 1",
        "unit 1, meter 1",
        "unit 1, meter 2",
        "unit 1, battery 1",
        "unit 2",
        "unit 3",
    ]
    first, grid, production, storage, _, last = found.findings
    assert first.what == "SolarEdge SE10K-RWS48BEN4, firmware 0004.0020.0033, serial 7E0A1B2C"
    assert first.says == "producing, AC 3000 W, DC 3060 W, 65.5 kWh delivered"
    assert (grid.role, grid.says) == ("grid power", "900 W (+ export), 65.5 kWh exported, 65.5 kWh imported")
    assert production.role == "not used: its function is Production, not Export+Import"
    assert storage.says.startswith("charging, 1000 W (+ charging), charge 40 %, 10.0 kWh capacity")
    assert last.role == "not used: a car charger, it tells no values here"
    assert found.flow is not None
    assert (found.flow.pv_w, found.flow.grid_w, found.flow.load_w) == (6000, -900, 4100)
    assert found.residual_w == pytest.approx(110)
    assert found.advice == ()


@pytest.mark.parametrize(
    ("image", "table", "words"),
    [
        (inverter(), {}, "No meter with the function Export+Import"),
        (inverter() | meter(None), {}, "The meter at the grid tells no power"),
        (inverter() | meter(0) | meter(0, position=2), {}, "only the first is used"),
        (inverter() | meter(0) | battery(None), {}, "tells no power"),
        (inverter(1000, dc_w=1020) | meter(3000), {}, "set invert_meter = true"),
        (inverter(1000, dc_w=1020) | meter(-3000), {"invert_meter": True}, "set invert_meter = false"),
        (inverter(3000, dc_w=9000) | meter(1000), {}, "6000 W are not accounted for"),
        (
            inverter(1000, dc_w=1020) | meter(3000) | meter(2500, option="Production", position=2),
            {},
            "counted as that of other inverters",
        ),
    ],
)
async def test_advice(driver: Make, image: Image, table: dict[str, object], words: str) -> None:
    """Each thing that looks wrong is one sentence; what looks right is none."""
    (advice,) = (await survey(driver, {1: image}, **table)).advice
    assert words in advice


async def test_unit_that_does_not_answer(driver: Make) -> None:
    """It is shown as such, beside the others; there is no flow without it."""
    async with Inverters({1: inverter() | meter(0), 2: inverter()}) as house:
        house.mute.add(2)
        found = await driver(house.port, units=(1, 2), request_timeout_s=0.2).survey()
    assert [finding.role.partition(":")[0] for finding in found.findings][2:] == ["not used"]
    assert "no answer" in found.findings[2].says
    assert (found.flow, found.residual_w) == (None, None)
    assert "unit 2 cannot be read" in found.advice[0]


async def test_survey_looks_anew(driver: Make) -> None:
    """What was connected a minute ago is found."""
    async with Inverters({1: inverter()}) as house:
        made = driver(house.port)
        await made.read()
        house.units[1] |= meter(0)
        found = await made.survey()
    assert [finding.role for finding in found.findings][1:] == ["grid power"]


async def test_nobody_answers(driver: Make, unused_port: int) -> None:
    """Then the survey fails as a read does."""
    with pytest.raises(TransientError, match="refused"):
        await driver(unused_port, units=(1, 2)).survey()


async def test_reading_goes_on_after_a_survey(driver: Make) -> None:
    """A survey takes nothing from the reads that follow."""
    async with Inverters({1: inverter(4000) | meter(1500)}) as house:
        made = driver(house.port)
        await made.survey()
        (flow,) = await made.read()
    assert flow.grid_w == -1500
