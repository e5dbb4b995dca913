"""How cloud and edge lose each other, and what the edge does then."""

from pvcharge.model import NO_CHARGE, Setpoint
from pvcharge.tasks.charger_task import OnSilence
from split.house import FULL, House

SILENT: dict[OnSilence, Setpoint | None] = {
    OnSilence.STOP: NO_CHARGE,
    OnSilence.MINIMUM: Setpoint(1, 6),
    OnSilence.KEEP: None,
    OnSilence.BOOST: FULL,
    OnSilence.LOCAL: NO_CHARGE,  # at a stop, and if the stand-in were dead
}


async def edge_is_cut(house: House) -> None:
    """Lose the line between edge and broker."""
    house.edge.cut()


async def cloud_is_cut(house: House) -> None:
    """Lose the line between cloud and broker."""
    house.cloud.cut()


async def broker_restarts(house: House) -> None:
    """Lose the broker with all that it knew."""
    house.broker.restart_without_state()
    house.edge.cut()
    house.cloud.cut()


async def cloud_dies(house: House) -> None:
    """Lose the cloud's process."""
    await house.cloud.kill()


async def edge_dies(house: House) -> None:
    """Lose the edge's process."""
    await house.edge.kill()
