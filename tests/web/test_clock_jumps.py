"""A clock that jumps: what was seen while it was ahead must not live on, nor look new."""

from datetime import timedelta
from pathlib import Path

import pytest

from pvcharge.web.access.sessions import IDLE_S, RENEWED_AFTER_S, Sessions
from web.house import House
from web.scraping import NOON, flow, status

YEAR_S = timedelta(days=365).total_seconds()


@pytest.mark.parametrize("jump_s", [7200.0, YEAR_S])
@pytest.mark.fault("clock", "clock jump back")
def test_readings_that_a_clock_ahead_has_seen(house: House, jump_s: float) -> None:
    """The first one after it has come back counts, and ages from then on."""
    house.pass_time(jump_s)
    for event in (flow(NOON + timedelta(seconds=jump_s)), status(NOON + timedelta(seconds=jump_s))):
        house.keeper.take(event)
    house.pass_time(60 - jump_s)
    for event in (flow(NOON + timedelta(seconds=60)), status(NOON + timedelta(seconds=60))):
        house.keeper.take(event)
    now = house.pass_time(600)
    ages_s = {device.name: device.age_s for device in house.keeper.state("owner").devices}
    assert ages_s == {"roof": 600.0, "box": 600.0}
    assert house.keeper.state("owner").at == now


def test_an_older_reading_makes_nothing_older(house: House) -> None:
    """Such as one that was late."""
    house.pass_time(60)
    house.keeper.take(flow(NOON + timedelta(seconds=60)))
    house.keeper.take(flow(NOON))
    [device] = house.keeper.state("owner").devices
    assert device.age_s == 0.0


async def test_a_session_that_a_clock_ahead_has_seen(house: House, tmp_path: Path) -> None:
    """It ends when it has not been used for as long as any other."""
    sessions = Sessions(tmp_path, house.clock)
    session = await sessions.begin()
    house.pass_time(IDLE_S - 60)
    assert sessions.use(session)
    assert sessions.wants_renewal(session)
    house.pass_time(60 - IDLE_S)
    assert sessions.use(session)
    assert sessions.wants_renewal(session)
    house.pass_time(RENEWED_AFTER_S)
    assert sessions.is_live(session)
    house.pass_time(IDLE_S - RENEWED_AFTER_S)
    assert not sessions.use(session)
