"""An edge that reads the inverter in the house, and a cloud that reads SolarEdge's API V2, as processes."""

from pathlib import Path

from processes.split_house import SplitHouse, split_house
from pvcharge.sim.feed import Source

MODBUS, CLOUD = "solaredge-modbus", "solaredge"
FIRST_QUARTER_S = 420.0  # from nine o'clock until the cloud has told of the quarter hour before
WEAR = ("frc", "psm")  # what starts and stops a charge, and switches phases


async def let_inverter_die(house: SplitHouse) -> None:
    """Stop the inverter's Modbus server, until the cloud's own readings are followed."""
    assert house.stage.inverter is not None
    await house.stage.inverter.aclose()
    await house.tells("source", CLOUD)
    await house.tells("distrust", "silent")


async def let_inverter_return(house: SplitHouse) -> None:
    """Start it again, until it is followed."""
    assert house.stage.inverter is not None
    await house.stage.inverter.start()
    await house.tells("source", MODBUS)


async def test_live_readings_drive_and_whatever_fails_costs_no_start_and_no_switch(tmp_path: Path) -> None:
    """The inverter dies, then the cloud, then both at once; each time the car goes on as if nothing were."""
    async with split_house(tmp_path, api="v2", source=Source.MODBUS) as house:
        await house.follows_surplus()
        await house.tells("source", MODBUS)
        wear = house.watch(*WEAR)
        await house.until(lambda: house.passed_s > FIRST_QUARTER_S, "the cloud's first quarter hour")

        await let_inverter_die(house)
        await let_inverter_return(house)
        await house.follows_surplus()

        house.pair.processes["cloud"].kill()
        await house.until(lambda: house.has_logged("edge", "leading without the cloud"), "the stand-in")
        await house.follows_surplus()
        house.shine(7000.0)
        await house.until(lambda: 5800 < house.power_w < 7000, "following the sun without the cloud")
        await house.pair.start("cloud")
        await house.until(lambda: house.has_logged("edge", "cloud leads again"), "the cloud's return")
        await house.tells("source", MODBUS)
        assert wear == []

        house.pair.processes["cloud"].kill()
        assert house.stage.inverter is not None
        await house.stage.inverter.aclose()
        await house.until(lambda: house.has_logged("edge", "device failed"), "the edge's notice")
        await house.pair.start("cloud")
        await let_inverter_return(house)
        await house.until(lambda: 5800 < house.power_w < 7000, "following the sun again")
        assert wear == []
