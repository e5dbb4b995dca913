"""Sides that die, stop, come back, stand still, or are hard to reach for a while."""

from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from pvcharge.model import NO_CHARGE, ChargerState, Lease, Setpoint
from pvcharge.mqtt import topics
from pvcharge.tasks.charger_task import GRACE_S, LOOK_S, OnSilence
from split.faults import broker_restarts, cloud_dies, cloud_is_cut, edge_dies, edge_is_cut
from split.house import LEASE_S, SITE, SKEWS_S, House, by_cloud_s

pytestmark = pytest.mark.looptime(noop_cycles=1)

AT_10_A, AT_10_A_W = Setpoint(3, 10), 6900.0
MINIMUM = Setpoint(1, 6)


@pytest.mark.parametrize(
    ("begins", "skew_s"),
    [
        (edge_is_cut, 0.0),
        (edge_is_cut, 90.0),
        (cloud_is_cut, -90.0),
        (broker_restarts, 90.0),
        (cloud_dies, 0.0),
        (cloud_dies, -90.0),
        (edge_dies, 90.0),
        (edge_dies, -90.0),
    ],
)
async def test_half_a_minute_goes_unnoticed(
    tmp_path: Path, begins: Callable[[House], Awaitable[None]], skew_s: float
) -> None:
    """The lease bridges it: nothing is written, and when the surplus changes after it, the car follows."""
    house = House(tmp_path, skew_s=skew_s)
    async with house.running():
        assert await house.charges(AT_10_A_W) == AT_10_A
        await house.passes(27)
        lost_s = house.now_s
        await begins(house)
        await house.passes(30)
        house.heal()
        await house.passes(60)
        assert house.writes(lost_s) == []
        house.roof.surplus_w = 8970.0
        assert await house.until(lambda: house.box.setpoint == Setpoint(3, 13), 60) is not None
        house.check_leased(0.0)


@pytest.mark.parametrize("found", [AT_10_A, NO_CHARGE, Setpoint(1, 7)])
async def test_an_edge_alone_takes_over_what_it_finds(tmp_path: Path, found: Setpoint) -> None:
    """It starts and stops nothing by itself, as often as it dies."""
    house = House(tmp_path)
    house.box.report(setpoint=found)
    async with house.running(cloud=False):
        for _ in range(3):
            await house.passes(60)
            await house.edge.restart()
        await house.passes(60)
        assert house.box.writes == []


@pytest.mark.parametrize("skew_s", SKEWS_S)
async def test_an_edge_that_was_dead_for_long_writes_what_is_leased_now(
    tmp_path: Path, skew_s: float
) -> None:
    """It knows nothing of before; the broker has kept nothing that would be obeyed."""
    house = House(tmp_path, skew_s=skew_s)
    async with house.running():
        await house.charges(AT_10_A_W)
        await house.passes(27)
        lost_s = house.now_s
        await house.edge.kill()
        await house.passes(300)
        house.roof.surplus_w = 8970.0
        await house.passes(60)
        await house.cloud_gives_up_for_a_while()
        assert house.writes(lost_s) == []
        house.heal()
        assert await house.until(lambda: house.box.setpoint == Setpoint(3, 13), 60) is not None
        house.check_leased(0.0)
        assert NO_CHARGE not in [setpoint for _, setpoint in house.writes(lost_s)]


@pytest.mark.parametrize(
    ("on_silence", "left_at"),
    [(OnSilence.STOP, NO_CHARGE), (OnSilence.MINIMUM, MINIMUM), (OnSilence.KEEP, AT_10_A)],
)
async def test_an_edge_that_stops_leaves_the_box_as_silence_would(
    tmp_path: Path, on_silence: OnSilence, left_at: Setpoint
) -> None:
    """And goes on when it is back: that was no driver's hand."""
    house = House(tmp_path, on_silence=on_silence)
    async with house.running():
        await house.charges(AT_10_A_W)
        await house.passes(27)
        await house.edge.stop()
        assert house.box.setpoint == left_at
        await house.passes(20)
        house.edge.start()
        assert await house.until(lambda: house.box.setpoint == AT_10_A, 60) is not None


async def test_a_cloud_that_stops_leaves_the_box_to_the_edge(tmp_path: Path) -> None:
    """The lease runs out as if it had died; a restart within the lease is not noticed."""
    house = House(tmp_path)
    async with house.running():
        await house.charges(AT_10_A_W)
        await house.passes(27)
        lost_s = house.now_s
        await house.cloud.stop()
        await house.passes(10)
        house.cloud.start()
        await house.passes(100)
        assert house.writes(lost_s) == []
        await house.cloud.stop()
        await house.passes(LEASE_S + 6)
        assert house.box.setpoint == NO_CHARGE


@pytest.mark.parametrize(
    ("side", "skew_s", "dropped"),
    [
        ("edge", 0.0, True),
        ("edge", 90.0, False),
        ("edge", -90.0, True),
        ("cloud", 0.0, False),
        ("cloud", 90.0, True),
        ("cloud", -90.0, False),
    ],
)
@pytest.mark.fault("process", "SIGSTOP 5 min")
async def test_nothing_stale_is_written_after_standing_still(
    tmp_path: Path,
    side: str,
    skew_s: float,
    dropped: bool,  # noqa: FBT001 - a case
) -> None:
    """What has piled up for five minutes comes all at once; whether or not the broker noticed."""
    house = House(tmp_path, skew_s=skew_s)
    async with house.running():
        await house.charges(AT_10_A_W)
        await house.passes(27)
        house.roof.surplus_w = 4140.0  # so that there are several setpoints on their way
        frozen_s = house.now_s
        await getattr(house, side).stand_still(300, dropped=dropped)
        house.roof.surplus_w = 8970.0
        thawed_s = house.now_s
        assert await house.until(lambda: house.box.setpoint == Setpoint(3, 13), 150) is not None
        events = getattr(house, side).events
        assert not [event for at_s, event in events if frozen_s < at_s < thawed_s - 0.2]
        house.check_leased(0.0, NO_CHARGE)
        await house.passes(60)
        assert house.box.setpoint == Setpoint(3, 13)


@pytest.mark.parametrize("delay_s", [5.0, 12.0, 40.0])
@pytest.mark.fault("broker", "slow")
async def test_a_slow_network_delivers_nothing_stale(tmp_path: Path, delay_s: float) -> None:
    """As long as heartbeats come back in time, the car is led all the same; else the edge is silent.

    Nor do the two shout at each other when it is fast again.
    """
    house = House(tmp_path, skew_s=90.0)
    async with house.running():
        await house.charges(AT_10_A_W)
        house.broker.delay_s = delay_s
        house.roof.surplus_w = 4140.0
        await house.passes(300)
        assert house.box.setpoint == (Setpoint(3, 6) if delay_s < 15 else NO_CHARGE)
        house.check_leased(0.0, NO_CHARGE)
        house.heal()
        await house.passes(delay_s + 1)  # until all that was on its way has come
        healed_s = house.now_s
        await house.passes(3)
        assert sum(published.at_s > healed_s for published in house.broker.published) < 50
        assert await house.until(lambda: house.box.setpoint == Setpoint(3, 6), 150) is not None


async def test_a_lease_runs_out_from_its_decision_on(tmp_path: Path) -> None:
    """The time on its way counts."""
    house = House(tmp_path, skew_s=-90.0)
    async with house.running():
        await house.charges(AT_10_A_W)
        house.broker.delay_s = 12.0
        await house.passes(120)
        await house.cloud.kill()
        runs_out_s = max(by_cloud_s(lease.expires) for _, lease in house.cloud.all(Lease))
        assert await house.until(lambda: house.box.setpoint == NO_CHARGE, LEASE_S + 20) is not None
        ((at_s, _),) = house.writes(runs_out_s - LEASE_S)
        assert runs_out_s - 0.1 <= at_s <= runs_out_s + GRACE_S + LOOK_S + 0.1


@pytest.mark.fault("broker", "duplicate")
async def test_a_setpoint_that_comes_twice_is_not_obeyed_twice(tmp_path: Path) -> None:
    """A broker may deliver again what it is not sure of; by then there may be a later word."""
    house = House(tmp_path)
    async with house.running():
        assert await house.charges(AT_10_A_W) == AT_10_A
        first = house.broker.on(SITE.path(topics.SETPOINT))[-1]
        house.roof.surplus_w = 8970.0
        assert await house.until(lambda: house.box.setpoint == Setpoint(3, 13), 40) is not None
        later_s = house.now_s
        assert house.leased(AT_10_A, later_s)  # it is the order that counts, not the age
        house.broker.publish(SITE.path(topics.SETPOINT), first)
        await house.passes(10)
        assert house.writes(later_s) == []
        assert "does not follow" in house.broker.on(SITE.error(topics.SETPOINT))[-1]


async def test_another_car_is_led_afresh(tmp_path: Path) -> None:
    """Unplugging is seen through both sides, and so is the next car."""
    house = House(tmp_path)
    async with house.running():
        await house.charges(AT_10_A_W)
        house.box.plugged = False
        assert await house.until(lambda: house.box.setpoint == NO_CHARGE, 10) is not None
        assert house.box.status.state is ChargerState.DISCONNECTED
        await house.passes(60)
        house.box.plugged = True
        assert await house.until(lambda: house.box.setpoint == AT_10_A, 60) is not None
