"""Registers of real inverters, where a copy of them lies beside the checkout.

Most are sparse: what their publishers left out is filled up here, the meter's function among it.
"""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from drivers.solaredge_modbus.images import Image, Inverters, inverter, meter, text
from pvcharge.drivers.base import Survey
from pvcharge.drivers.solaredge_modbus import SolarEdgeModbusInverter
from pvcharge.model import PowerFlow

DUMPS = Path(__file__).parents[3] / "../shared/facts/samples/solaredge/modbus"
Make = Callable[..., SolarEdgeModbusInverter]

pytestmark = pytest.mark.skipif(not DUMPS.is_dir(), reason="the dumps are not part of the project")


# What must be the functions of the meters, by their counters: these were cut out of the dumps.
OPTIONS = {
    "issue827_u1.json": ("Production", "Export+Import", "Production"),
    "issue565_u1.json": ("Production", "Export+Import"),
    "issue944_u1.json": ("Export+Import",),
}


def dump(name: str) -> Image:
    """Return the registers of a dump, with all blocks whole of which it has a part."""
    registers = {
        int(place): word for place, word in json.loads((DUMPS / name).read_text())["holding"].items()
    }
    image = inverter(None, dc_w=None, serial=name)
    for position, option in enumerate(OPTIONS.get(name, ()), 1):
        image |= meter(None, option=option, position=position)
    for base in (57600, 57856, 58368):
        if base + 66 in registers:
            image |= dict.fromkeys(range(base, base + 136), 0) | text(base, "LGChem", 16)
    return image | registers


async def look(make: Make, *names: str) -> tuple[PowerFlow, Survey]:
    """Read and survey dumps as units 1, 2, ... of one socket."""
    units = {number: dump(name) for number, name in enumerate(names, 1)}
    async with Inverters(units) as house:
        made = make(house.port, units=tuple(units))
        (flow,) = await made.read()
        survey = await made.survey()
        await made.aclose()
    return flow, survey


async def test_three_phases(driver: Make) -> None:
    """A plain inverter without a meter."""
    flow, survey = await look(driver, "se17k_3phase.json")
    assert (flow.pv_w, flow.grid_w, flow.battery_w) == (865, None, None)
    assert "SE17K" in survey.findings[0].what
    assert "AC 865 W, DC 878 W" in survey.findings[0].says


async def test_two_batteries(driver: Make) -> None:
    """AC 257 W, 28 W exported; the batteries hold themselves at a few watts."""
    flow, survey = await look(driver, "issue944_u1.json")
    assert flow.grid_w == pytest.approx(-28.2, abs=0.1)
    assert flow.load_w == pytest.approx(256.56 - 28.2, abs=0.1)
    assert flow.battery_w is not None
    assert flow.battery_w < 0
    assert flow.pv_w == pytest.approx(256.56 + flow.battery_w, abs=0.1)
    assert flow.battery_soc_pct is not None
    assert survey.advice == ()


async def test_leader_charges_from_the_follower(driver: Make) -> None:
    """Neither alone tells the production: the leader takes 5 kW, the follower delivers 3.

    More is exported than that: two meters are behind inverters of another make, which make up for it.
    """
    flow, survey = await look(driver, "issue827_u1.json", "issue827_u2.json")
    assert flow.battery_w == pytest.approx(5002, abs=1)
    assert flow.grid_w == pytest.approx(-2471, abs=1)
    assert flow.pv_w == pytest.approx(-5008 + 3173 + 5002 + 3484 + 2740, abs=2)
    assert flow.load_w == pytest.approx(-5008 + 3173 + 3484 + 2740 - 2471, abs=2)
    assert survey.flow == flow
    assert survey.residual_w is not None
    assert abs(survey.residual_w) < 150
    assert [finding.role.partition(":")[0] for finding in survey.findings] == [
        "production, and load with the meter",
        "production of other inverters",
        "grid power",
        "production of other inverters",
        "battery power and state of charge",
        "production, and load with the meter",
    ]


async def test_charger_beside_an_inverter(driver: Make) -> None:
    """SolarEdge's own charger is known by its model and left alone."""
    flow, survey = await look(driver, "issue565_u1.json", "issue565_u3.json")
    assert flow.pv_w == pytest.approx(183.98)
    assert flow.grid_w == 12246
    assert "SE-EV-SA" in survey.findings[-1].what
    assert survey.findings[-1].role.startswith("not used")


@pytest.mark.parametrize(
    "names",
    [("issue565_u1.json",), ("issue944_u1.json",), ("issue827_u1.json", "issue827_u2.json")],
    ids=lambda names: names[0],
)
async def test_balance(driver: Make, names: tuple[str, ...]) -> None:
    """What comes in goes out."""
    flow, _ = await look(driver, *names)
    assert flow.pv_w is not None
    assert flow.grid_w is not None
    assert flow.load_w is not None
    assert flow.pv_w + flow.grid_w == pytest.approx(flow.load_w + (flow.battery_w or 0))
