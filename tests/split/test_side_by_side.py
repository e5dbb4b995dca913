"""Cloud and edge without faults, whatever their clocks show."""

from functools import partial
from itertools import pairwise
from pathlib import Path

import pytest

from pvcharge.model import NO_CHARGE, ChargerStatus, Decision, Reason, Setpoint
from pvcharge.mqtt import topics
from split.house import SKEWS_S, House, by_cloud_s

pytestmark = pytest.mark.looptime(noop_cycles=1)


@pytest.mark.parametrize("skew_s", SKEWS_S)
async def test_the_car_follows_the_surplus(tmp_path: Path, skew_s: float) -> None:
    """Up, down, to one phase, and off when nothing is left; nothing is written that was not leased."""
    house = House(tmp_path, skew_s=skew_s)
    async with house.running():
        for surplus_w, setpoint in (
            (6900.0, Setpoint(3, 10)),
            (8970.0, Setpoint(3, 13)),
            (2070.0, Setpoint(1, 9)),
            (0.0, NO_CHARGE),
            (6900.0, Setpoint(3, 10)),
        ):
            house.roof.surplus_w = surplus_w
            assert await house.until(partial(house.is_set_to, setpoint), 400) is not None
        house.check_leased(0.0)
        assert len(house.box.writes) < 10


@pytest.mark.parametrize("skew_s", SKEWS_S)
async def test_statuses_come_in_in_the_clouds_time(tmp_path: Path, skew_s: float) -> None:
    """None of them older than the way took, and in order; so the readings can be aligned with them."""
    house = House(tmp_path, skew_s=skew_s)
    async with house.running():
        await house.charges(6900.0)
        await house.passes(120)
        told = house.cloud.all(ChargerStatus)
    assert len(told) >= 12
    assert all(by_cloud_s(status.at) <= told_s for told_s, status in told)
    # The first one may have waited at the broker, the others for a look of the bridge.
    assert all(told_s - by_cloud_s(status.at) < 2.5 for told_s, status in told[1:])
    assert all(before.at < after.at for (_, before), (_, after) in pairwise(told))
    drawn = {round(status.power_w) for _, status in told}
    assert drawn == {0, 6900}


@pytest.mark.parametrize("skew_s", [90.0, -90.0])
async def test_the_drivers_hand_is_respected(tmp_path: Path, skew_s: float) -> None:
    """For as long as configured and no longer, whatever the clocks show; also over a restart of the edge."""
    house = House(tmp_path, skew_s=skew_s, control={"respect_hand_s": 400})
    async with house.running():
        await house.charges(6900.0)
        by_hand = Setpoint(1, 16)
        house.box.change_by_hand(by_hand)
        changed_s = house.now_s
        await house.passes(100)
        assert house.cloud.newest(Decision).reason is Reason.BY_HAND
        status = house.cloud.newest(ChargerStatus)
        assert status.changed_by_hand_at is not None
        assert by_cloud_s(status.changed_by_hand_at) == pytest.approx(changed_s, abs=0.2)
        await house.edge.restart()
        await house.passes(280)
        assert house.writes(changed_s) == []
        assert await house.until(lambda: house.box.setpoint == Setpoint(3, 10), 60) is not None


async def test_what_is_told_is_what_is(tmp_path: Path) -> None:
    """Both sides are online, and the state of the house can be read at the broker."""
    house = House(tmp_path)
    async with house.running():
        await house.charges(6900.0)
        await house.passes(30)
        told = {topic: house.told(topic) for topic in (topics.EDGE_STATUS, topics.CLOUD_STATUS)}
        assert set(told.values()) == {"online"}
        assert (house.told(topics.MODE), house.told(topics.BOOST)) == ("surplus", "OFF")
