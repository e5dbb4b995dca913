"""An edge that leads the charger itself while the cloud is silent: solar power is not lost, nor is a rule."""

import json
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import pytest

from pvcharge.model import NO_CHARGE, Decision, Mode, PowerFlow, Reason, Setpoint
from pvcharge.mqtt import topics
from pvcharge.tasks.charger_task import OnSilence
from split.faults import broker_restarts, cloud_dies, cloud_is_cut, edge_is_cut
from split.house import FULL, SITE, House, live

pytestmark = pytest.mark.looptime(noop_cycles=1)

AT_10_A, AT_10_A_W = Setpoint(3, 10), 6900.0
AT_13_A, AT_13_A_W = Setpoint(3, 13), 8970.0
AT_7_A, AT_7_A_W = Setpoint(3, 7), 4830.0
ON_TIME_S = 6.0


def alone(folder: Path, **settings: object) -> House:
    """Return a house whose edge can stand alone."""
    return House(folder, on_silence=OnSilence.LOCAL, **settings)  # type: ignore[arg-type]


@dataclass(frozen=True)
class Switches:
    """How often the car was started, stopped, and put on other phases."""

    starts: int
    stops: int
    phases: int


def switches(house: House) -> Switches:
    """Count what the box was made to do."""
    setpoints = [NO_CHARGE, *(setpoint for _, setpoint in house.box.writes)]
    pairs = [(before.phases, after.phases) for before, after in pairwise(setpoints)]
    return Switches(
        starts=sum(not before and bool(after) for before, after in pairs),
        stops=sum(bool(before) and not after for before, after in pairs),
        phases=sum(bool(before and after) and before != after for before, after in pairs),
    )


async def follows(house: House, surplus_w: float, setpoint: Setpoint) -> None:
    """Check that the car follows the sun."""
    house.shines(surplus_w)
    assert await house.until(lambda: house.box.setpoint == setpoint, 60) is not None


@dataclass(frozen=True)
class Outage:
    """A case."""

    begins: Callable[[House], Awaitable[None]] | None
    skew_s: float = 0.0
    lease_s: float = 60.0
    forgets: bool = False  # the cloud loses its disk too

    def __str__(self) -> str:
        name = self.begins.__name__ if self.begins else "nothing"
        return f"{name}-{self.skew_s:+.0f}s-{self.lease_s:.0f}s{'-forgets' * self.forgets}"


OUTAGES = (
    Outage(None),
    Outage(edge_is_cut),
    Outage(edge_is_cut, 90.0, 15.0),
    Outage(edge_is_cut, -90.0),
    Outage(cloud_is_cut, 90.0),
    Outage(cloud_is_cut, -90.0, 15.0),
    Outage(broker_restarts, 90.0),
    Outage(cloud_dies),
    Outage(cloud_dies, 90.0, forgets=True),
    Outage(cloud_dies, -90.0, 15.0),
    Outage(cloud_dies, 0.0, 900.0),
)


@pytest.mark.parametrize("outage", OUTAGES, ids=str)
def test_the_car_follows_the_sun_as_if_nothing_were(tmp_path: Path, outage: Outage) -> None:
    """Up and down and up again, with one start and no stop or phase switch, as without an outage."""

    async def life() -> None:
        house = alone(tmp_path, skew_s=outage.skew_s, lease_s=outage.lease_s)
        async with house.running():
            assert await house.charges(AT_10_A_W) == AT_10_A
            await house.passes(27)
            if outage.begins:
                await outage.begins(house)
            await house.passes(outage.lease_s + 1)
            for surplus_w, setpoint in (
                (AT_13_A_W, AT_13_A),
                (AT_7_A_W, AT_7_A),
                (AT_10_A_W, AT_10_A),
                (AT_7_A_W, AT_7_A),
            ):
                await follows(house, surplus_w, setpoint)
                await house.passes(120)
            if outage.forgets:
                (tmp_path / "cloud" / "commands.json").unlink(missing_ok=True)
            healed_s = house.now_s
            house.heal()
            await house.passes(60)
            assert [setpoint for _, setpoint in house.writes(healed_s)] == []
            assert house.is_as_decided()
            await follows(house, AT_13_A_W, AT_13_A)
            await house.passes(120)
        assert switches(house) == Switches(1, 0, 0)
        drove = [decision.reason for _, decision in house.edge.all(Decision)]
        assert set(drove) == ({Reason.FOLLOWING} if outage.begins else set())

    live(life)


@pytest.mark.parametrize("skew_s", [90.0, -90.0])
async def test_a_boost_of_the_cloud_ends_on_time(tmp_path: Path, skew_s: float) -> None:
    """The edge knows its end, and what was before."""
    house = alone(tmp_path, skew_s=skew_s)
    async with house.running():
        await house.charges(AT_10_A_W)
        house.command(topics.BOOST_SET, "5")
        commanded_s = house.now_s
        await house.passes(100)
        await house.cloud.kill()
        await house.passes(commanded_s + 299 - house.now_s)
        assert house.is_set_to(FULL)
        assert await house.until(lambda: house.is_set_to(AT_10_A), 1 + ON_TIME_S) is not None
        await house.passes(200)
        assert [setpoint for _, setpoint in house.writes(commanded_s)] == [FULL, AT_10_A]


async def test_the_user_ends_a_boost_of_the_cloud_at_the_edge(tmp_path: Path) -> None:
    """And it stays ended, also over a restart, whatever the cloud had ordered before."""
    house = alone(tmp_path)
    async with house.running():
        await house.charges(AT_10_A_W)
        house.command(topics.BOOST_SET, "ON")
        await house.passes(60)
        await house.cloud.kill()
        await house.passes(100)
        assert house.is_set_to(FULL)
        house.command(topics.BOOST_SET, "OFF")
        assert await house.until(lambda: house.is_set_to(AT_10_A), 3) is not None
        await house.edge.restart()
        await house.passes(200)
        assert house.is_set_to(AT_10_A)
        assert NO_CHARGE not in [setpoint for _, setpoint in house.writes()]
        house.heal()
        await house.passes(120)
        assert house.is_set_to(AT_10_A)
        assert house.told(topics.BOOST) == "OFF"


async def test_a_boost_of_the_edge_is_followed_by_the_sun(tmp_path: Path) -> None:
    """Without a gap, and with the sun before, as often as the user likes."""
    house = alone(tmp_path, skew_s=90.0)
    async with house.running():
        await house.charges(AT_10_A_W)
        await house.cloud.kill()
        await house.passes(100)
        for _ in range(2):
            commanded_s = house.now_s
            house.command(topics.BOOST_SET, "2")
            await house.passes(119)
            assert house.is_set_to(FULL)
            await house.passes(1 + ON_TIME_S)
            assert house.is_set_to(AT_10_A)
            await house.passes(60)
            assert [setpoint for _, setpoint in house.writes(commanded_s)] == [FULL, AT_10_A]


async def test_the_drivers_hand_is_respected(tmp_path: Path) -> None:
    """For as long as the cloud has ordered; then the sun is followed again."""
    house = alone(tmp_path, skew_s=-90.0, at_edge={"respect_hand_s": 7200}, control={"respect_hand_s": 400})
    async with house.running():
        await house.charges(AT_10_A_W)
        await house.passes(60)
        await house.cloud.kill()
        await house.passes(100)
        house.box.change_by_hand(Setpoint(1, 16))
        changed_s = house.now_s
        await house.passes(395)
        assert house.writes(changed_s) == []
        assert house.edge.newest(Decision).reason is Reason.BY_HAND
        assert await house.until(lambda: house.is_set_to(AT_10_A), 15) is not None


async def test_a_hand_that_the_cloud_need_not_respect_is_none_for_the_edge(tmp_path: Path) -> None:
    """The user has commanded something since: the edge leads, and a boost ends."""
    house = alone(tmp_path)
    async with house.running():
        await house.charges(AT_10_A_W)
        house.box.change_by_hand(Setpoint(1, 16))
        await house.passes(100)
        house.command(topics.BOOST_SET, "5")
        await house.passes(60)
        assert house.is_set_to(FULL)
        await house.cloud.kill()
        await house.passes(260)
        assert house.is_set_to(AT_10_A)
        await follows(house, AT_13_A_W, AT_13_A)


@pytest.mark.parametrize("network", [True, False])
async def test_an_edge_that_restarts_alone_goes_on(tmp_path: Path, *, network: bool) -> None:
    """It takes over what it finds, waits for a lease's time, and leads by the cloud's last orders."""
    house = alone(tmp_path, skew_s=90.0, at_edge={"mode": "off"})
    async with house.running():
        await house.charges(AT_10_A_W)
        await house.passes(60)
        await house.cloud.kill()
        if not network:
            house.edge.cut()
        await house.passes(100)
        await house.edge.restart()
        restarted_s = house.now_s
        house.shines(AT_13_A_W)
        await house.passes(58)
        assert house.writes(restarted_s) == []
        assert await house.until(lambda: house.is_set_to(AT_13_A), 30) is not None
        house.heal()
        await house.passes(100)
        assert switches(house) == Switches(1, 0, 0)


async def test_without_readings_it_stops_as_configured(tmp_path: Path) -> None:
    """Its controller holds for a while, as any does; nothing else happens until there are some again."""
    house = alone(tmp_path)
    async with house.running():
        await house.charges(AT_10_A_W)
        await house.passes(60)
        house.local.answers = False
        lost_s = house.now_s
        await house.cloud.kill()
        assert await house.until(lambda: house.is_set_to(NO_CHARGE), 400) is not None
        assert house.edge.newest(Decision).reason is Reason.STALE_STOP
        await house.passes(600)
        assert [setpoint for _, setpoint in house.writes(lost_s)] == [NO_CHARGE]
        house.local.answers = True
        assert await house.until(lambda: house.is_set_to(AT_10_A), 600) is not None


@pytest.mark.parametrize("mode", [Mode.OFF, Mode.MIN_SURPLUS])
async def test_the_mode_of_the_cloud_is_kept(tmp_path: Path, mode: Mode) -> None:
    """Whatever the edge's own table says."""
    house = alone(tmp_path)
    async with house.running():
        await house.charges(AT_10_A_W)
        house.command(topics.MODE_SET, mode.value)
        await house.passes(60)
        await house.cloud.kill()
        await house.passes(100)
        house.shines(0.0)
        await house.passes(1200)
        decision = house.edge.newest(Decision)
        assert decision.mode is mode
        assert house.box.setpoint.charges is (mode is Mode.MIN_SURPLUS)


async def test_the_house_has_the_last_word(tmp_path: Path) -> None:
    """A cloud with other limits than the house is led back to them; one phase is all there is."""
    house = alone(tmp_path, at_edge={"phases": [1], "max_current_a": 10})
    async with house.running():
        house.shines(AT_10_A_W)
        await house.passes(200)
        assert house.is_set_to(Setpoint(1, 10))
        await house.cloud.kill()
        await house.passes(300)
        assert house.is_set_to(Setpoint(1, 10))
        assert {setpoint for _, setpoint in house.writes()} == {Setpoint(1, 10)}


async def test_an_edge_that_stops_leaves_the_box_stopped(tmp_path: Path) -> None:
    """Nobody would look after it."""
    house = alone(tmp_path)
    async with house.running():
        await house.charges(AT_10_A_W)
        await house.cloud.kill()
        await house.passes(100)
        await house.edge.stop()
        assert house.is_set_to(NO_CHARGE)


@pytest.mark.parametrize("skew_s", [0.0, 90.0, -90.0])
async def test_the_cloud_follows_what_the_edge_reads(tmp_path: Path, skew_s: float) -> None:
    """While both are there, and its own inverter is not."""
    house = alone(tmp_path, skew_s=skew_s)
    house.roof.answers = False
    async with house.running():
        assert await house.charges(AT_10_A_W) == AT_10_A
        for surplus_w, setpoint in ((AT_13_A_W, AT_13_A), (AT_7_A_W, AT_7_A)):
            await follows(house, surplus_w, setpoint)
            await house.passes(60)
        assert house.cloud.newest(Decision).reason is Reason.FOLLOWING
        assert {flow.source for _, flow in house.cloud.all(PowerFlow)} == {"meter"}
        assert house.edge.all(Decision) == []
        assert len(house.broker.on(SITE.error(topics.FLOW))) <= 1  # before the heartbeat is heard
        house.check_leased(0.0)


async def test_orders_that_make_no_sense_are_answered(tmp_path: Path) -> None:
    """And those before stay in force."""
    house = alone(tmp_path)
    async with house.running():
        await house.charges(AT_10_A_W)
        await house.passes(60)
        told = house.told(topics.ORDERS)
        assert told is not None
        bad = json.loads(told) | {"control": {"max_current_a": 99}, "mode": "off", "mode_after": "off"}
        house.command(topics.ORDERS, json.dumps(bad), qos=1)
        await house.passes(5)
        assert "control.max_current_a" in house.broker.on(SITE.error(topics.ORDERS))[-1]
        await house.cloud.kill()
        await house.passes(100)
        assert house.edge.newest(Decision).mode is Mode.SURPLUS


async def test_an_old_message_does_not_undo_newer_orders(tmp_path: Path) -> None:
    """A broker may come back with what it has saved long ago."""
    house = alone(tmp_path, skew_s=-90.0)
    async with house.running():
        await house.charges(AT_10_A_W)
        await house.passes(60)
        old = house.told(topics.ORDERS)
        assert old is not None
        house.command(topics.MODE_SET, "min_surplus")
        await house.passes(60)
        await house.cloud.kill()
        await house.passes(100)
        house.edge.cut()
        house.broker.publish(SITE.path(topics.ORDERS), old, retain=True)
        house.edge.restore()
        await house.passes(100)
        assert house.edge.newest(Decision).mode is Mode.MIN_SURPLUS
