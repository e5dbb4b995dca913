"""The boost of two daemons: whoever is there obeys, it ends on time, and the user's last word counts."""

from pathlib import Path

import pytest

from pvcharge.model import NO_CHARGE, Decision, Mode, Setpoint
from pvcharge.mqtt import topics
from pvcharge.tasks.charger_task import GRACE_S, LOOK_S, OnSilence
from split.house import FULL, LEASE_S, SITE, SKEWS_S, House

pytestmark = pytest.mark.looptime(noop_cycles=1)

AT_10_A, AT_10_A_W = Setpoint(3, 10), 6900.0
AT_ONCE_S = 2.0
ON_TIME_S = 6.0  # a controller looks at its clock every five seconds
MINUTES, MINUTES_S = "4", 240.0
NOTICED_S = 40.0  # until the edge knows that the cloud is gone


async def charge(house: House) -> None:
    """Let the car charge with the surplus."""
    assert await house.charges(AT_10_A_W) == AT_10_A
    await house.passes(17)


async def lose_cloud(house: House) -> None:
    """Let the cloud die, and the edge notice."""
    await house.cloud.kill()
    await house.passes(NOTICED_S)


async def boost(house: House, payload: str, *, qos: int = 0) -> float:
    """Command a boost that is to be obeyed at once, and return when it was commanded."""
    commanded_s = house.now_s
    house.command(topics.BOOST_SET, payload, qos=qos)
    assert await house.until(lambda: house.box.setpoint == FULL, AT_ONCE_S) is not None
    return commanded_s


async def passes_until(house: House, at_s: float) -> None:
    """Let time pass until then."""
    await house.passes(at_s - house.now_s)


async def check_end(house: House, end_s: float, then: Setpoint = AT_10_A) -> None:
    """Check that full power is there until a boost's end, and not after it."""
    await passes_until(house, end_s - 1)
    assert house.box.setpoint == FULL
    await passes_until(house, end_s + ON_TIME_S)
    assert house.box.setpoint == then
    await house.passes(20)
    assert house.box.setpoint == then
    assert house.told(topics.BOOST) == "OFF"
    assert not house.told(topics.EDGE_BOOST)


def mode(house: House) -> Mode:
    """Return the mode in force."""
    decision = house.cloud.newest(Decision)
    assert house.told(topics.MODE) == decision.mode.value
    return decision.mode


@pytest.mark.parametrize("skew_s", SKEWS_S)
async def test_on_and_off(tmp_path: Path, skew_s: float) -> None:
    """Full power at once, for as long as it is wanted; then the surplus again."""
    house = House(tmp_path, skew_s=skew_s)
    async with house.running():
        await charge(house)
        await boost(house, "ON")
        await house.passes(60)
        assert house.box.setpoint == FULL
        assert (mode(house), house.told(topics.BOOST)) == (Mode.BOOST, "ON")
        house.command(topics.BOOST_SET, "OFF")
        assert await house.until(lambda: house.box.setpoint == AT_10_A, AT_ONCE_S) is not None
        await house.passes(20)
        assert (mode(house), house.told(topics.BOOST)) == (Mode.SURPLUS, "OFF")
        house.check_leased(0.0)


@pytest.mark.parametrize(
    ("restarts", "skew_s"),
    [("nobody", 0.0), ("edge", 90.0), ("edge", -90.0), ("cloud", 90.0), ("cloud", -90.0)],
)
async def test_ten_minutes_end_on_time(tmp_path: Path, restarts: str, skew_s: float) -> None:
    """Also when a side has died in the middle and come back; nothing interrupts the boost."""
    house = House(tmp_path, skew_s=skew_s)
    async with house.running():
        await charge(house)
        commanded_s = await boost(house, "10")
        await house.passes(300)
        if restarts != "nobody":
            side = getattr(house, restarts)
            await side.kill()
            await house.passes(20)
            side.start()
        await check_end(house, commanded_s + 600)
        assert [setpoint for _, setpoint in house.writes(commanded_s)] == [FULL, AT_10_A]


@pytest.mark.parametrize(("side", "dead_for_s"), [("edge", 100.0), ("cloud", 100.0), ("cloud", 400.0)])
async def test_a_boost_without_end_survives_restarts(tmp_path: Path, side: str, dead_for_s: float) -> None:
    """The user has not taken it back; without the cloud the silence is answered in between."""
    house = House(tmp_path)
    async with house.running():
        await charge(house)
        await boost(house, "ON")
        await house.passes(17)
        await getattr(house, side).kill()
        await house.passes(dead_for_s)
        assert house.box.setpoint == (FULL if side == "edge" else NO_CHARGE)
        await house.cloud_gives_up_for_a_while()
        house.heal()
        assert await house.until(lambda: house.box.setpoint == FULL, 60) is not None
        await house.passes(100)
        assert house.box.setpoint == FULL
        assert (mode(house), house.told(topics.BOOST)) == (Mode.BOOST, "ON")


@pytest.mark.parametrize("on_silence", [OnSilence.STOP, OnSilence.MINIMUM])
@pytest.mark.parametrize("dies_after_s", [100.0, 230.0])
async def test_no_boost_goes_on_past_its_end_when_the_cloud_dies(
    tmp_path: Path, dies_after_s: float, on_silence: OnSilence
) -> None:
    """The edge knows no end of a boost that it was not commanded itself: no lease may reach beyond it."""
    house = House(tmp_path, on_silence=on_silence, skew_s=90.0)
    async with house.running():
        await charge(house)
        commanded_s = await boost(house, MINUTES)
        await passes_until(house, commanded_s + dies_after_s)
        await house.cloud.kill()
        await passes_until(house, commanded_s + MINUTES_S + GRACE_S + LOOK_S + 1)
        silent = NO_CHARGE if on_silence is OnSilence.STOP else Setpoint(1, 6)
        assert house.box.setpoint == silent
        await house.passes(LEASE_S + 20)
        assert [setpoint for _, setpoint in house.writes(commanded_s)] == [FULL, silent]


@pytest.mark.parametrize(
    ("skew_s", "restarts", "qos"), [(0.0, "", 0), (90.0, "edge", 0), (-90.0, "edge", 1), (90.0, "", 1)]
)
async def test_the_edge_boosts_alone_and_the_cloud_takes_over(
    tmp_path: Path, skew_s: float, restarts: str, qos: int
) -> None:
    """At once, without a gap when the cloud returns, and to the end that the user meant.

    What is commanded with QoS 1 the broker brings to the returning cloud as well, and late.
    """
    house = House(tmp_path, skew_s=skew_s)
    async with house.running():
        await charge(house)
        await lose_cloud(house)
        commanded_s = await boost(house, MINUTES, qos=qos)
        await house.passes(60)
        assert house.told(topics.BOOST) == "ON"
        if restarts:
            await house.edge.kill()
            await house.passes(20)
            house.edge.start()
        await house.passes(60)
        house.cloud.start()
        await house.passes(60)
        assert (mode(house), house.told(topics.BOOST)) == (Mode.BOOST, "ON")
        await check_end(house, commanded_s + MINUTES_S)
        assert [setpoint for _, setpoint in house.writes(commanded_s)] == [FULL, AT_10_A]
        assert mode(house) is Mode.SURPLUS


@pytest.mark.parametrize("on_silence", [OnSilence.STOP, OnSilence.MINIMUM])
async def test_the_edge_ends_its_boost_alone(tmp_path: Path, on_silence: OnSilence) -> None:
    """When nobody comes to take over; then it is silent again. A cloud that comes later does not boost."""
    house = House(tmp_path, on_silence=on_silence)
    async with house.running():
        await charge(house)
        await lose_cloud(house)
        commanded_s = await boost(house, MINUTES)
        await passes_until(house, commanded_s + MINUTES_S - 1)
        assert house.box.setpoint == FULL
        await house.passes(1 + GRACE_S + LOOK_S + 2)
        assert house.box.setpoint == (NO_CHARGE if on_silence is OnSilence.STOP else Setpoint(1, 6))
        assert house.told(topics.BOOST) == "OFF"
        house.cloud.start()
        assert await house.until(lambda: house.box.setpoint == AT_10_A, 120) is not None
        assert mode(house) is Mode.SURPLUS
        assert [setpoint for _, setpoint in house.writes(commanded_s)].count(FULL) == 1


@pytest.mark.parametrize("back_after_s", [150.0, 300.0])
async def test_an_edge_that_dies_boosting_alone_ends_the_boost_when_it_is_back(
    tmp_path: Path, back_after_s: float
) -> None:
    """On time or as soon as it can: the end is part of the command, and nobody else can see to it."""
    house = House(tmp_path)
    async with house.running():
        await charge(house)
        await lose_cloud(house)
        commanded_s = await boost(house, MINUTES)
        await house.passes(60)
        await house.edge.kill()
        await passes_until(house, commanded_s + back_after_s)
        house.edge.start()
        await passes_until(house, commanded_s + max(back_after_s, MINUTES_S) + 20)
        assert house.box.setpoint == NO_CHARGE


@pytest.mark.parametrize("skew_s", SKEWS_S)
async def test_off_while_the_cloud_is_down(tmp_path: Path, skew_s: float) -> None:
    """The edge goes back to its silence, and the returning cloud to the surplus."""
    house = House(tmp_path, skew_s=skew_s)
    async with house.running():
        await charge(house)
        await lose_cloud(house)
        commanded_s = await boost(house, "ON")
        await house.passes(60)
        house.command(topics.BOOST_SET, "OFF")
        assert await house.until(lambda: house.box.setpoint == NO_CHARGE, GRACE_S + LOOK_S) is not None
        await house.passes(30)
        assert house.told(topics.BOOST) == "OFF"
        house.cloud.start()
        assert await house.until(lambda: house.box.setpoint == AT_10_A, 120) is not None
        assert mode(house) is Mode.SURPLUS
        assert [setpoint for _, setpoint in house.writes(commanded_s)].count(FULL) == 1


@pytest.mark.parametrize("alone", [False, True])
@pytest.mark.parametrize("ends", [False, True])
async def test_unplugging_ends_it_if_so_configured(tmp_path: Path, ends: bool, alone: bool) -> None:  # noqa: FBT001 - cases
    """With the cloud, and without; a cloud that returns later knows as well."""
    house = House(tmp_path, control={"boost_ends_on_unplug": ends})
    async with house.running():
        await charge(house)
        if alone:
            await lose_cloud(house)
        await boost(house, "ON")
        await house.passes(30)
        house.box.plugged = False
        await house.passes(30)
        house.box.plugged = True
        house.heal()
        assert await house.until(lambda: house.box.setpoint == (AT_10_A if ends else FULL), 120) is not None
        await house.passes(20)
        assert house.box.setpoint == (AT_10_A if ends else FULL)
        assert house.told(topics.BOOST) == ("OFF" if ends else "ON")


@pytest.mark.parametrize("edge_away", [False, True])
async def test_a_mode_commanded_to_the_returning_cloud_wins(tmp_path: Path, edge_away: bool) -> None:  # noqa: FBT001 - a case
    """It is the later word, whether the edge is there by then or comes later; everybody is told so."""
    house = House(tmp_path, skew_s=90.0)
    async with house.running():
        await charge(house)
        await lose_cloud(house)
        await boost(house, "ON")
        await house.passes(60)
        if edge_away:
            house.edge.cut()
        house.cloud.start()
        await house.passes(0.5)
        house.command(topics.MODE_SET, "off")
        await house.passes(60)
        await house.cloud_gives_up_for_a_while() if edge_away else None
        house.heal()
        assert await house.until(lambda: house.box.setpoint == NO_CHARGE, 60) is not None
        await house.passes(60)
        assert house.box.setpoint == NO_CHARGE
        assert (mode(house), house.told(topics.BOOST)) == (Mode.OFF, "OFF")
        assert not house.told(topics.EDGE_BOOST)


async def test_what_waited_at_the_broker_is_not_the_last_word(tmp_path: Path) -> None:
    """A boost that the cloud has heard, and the user has taken back, is no news when the edge hears of it."""
    house = House(tmp_path)
    async with house.running():
        await charge(house)
        house.edge.cut()
        await house.passes(NOTICED_S)
        house.command(topics.BOOST_SET, "ON", qos=1)
        await house.passes(20)
        house.command(topics.MODE_SET, "off", qos=1)
        await house.passes(20)
        house.heal()
        await house.passes(120)
        assert house.box.setpoint == NO_CHARGE
        assert (mode(house), house.told(topics.BOOST)) == (Mode.OFF, "OFF")
        assert FULL not in [setpoint for _, setpoint in house.writes()]


@pytest.mark.parametrize("qos", [0, 1])
async def test_a_boost_commanded_right_after_the_clouds_end_is_not_lost(tmp_path: Path, qos: int) -> None:
    """The edge obeys as soon as it knows that nobody else has."""
    house = House(tmp_path)
    async with house.running():
        await charge(house)
        await house.cloud.kill()
        await house.passes(5)
        house.command(topics.BOOST_SET, "10", qos=qos)
        assert await house.until(lambda: house.box.setpoint == FULL, NOTICED_S) is not None


async def test_an_ended_boost_that_was_left_at_the_broker_ends_no_later_one(tmp_path: Path) -> None:
    """What the edge was told while the cloud was away is no later word than what the cloud was told since."""
    house = House(tmp_path)
    async with house.running():
        await charge(house)
        await lose_cloud(house)
        await boost(house, "ON")
        house.command(topics.BOOST_SET, "OFF")
        await house.passes(10)
        await house.edge.kill()
        house.heal()
        await house.until(lambda: house.box.setpoint == AT_10_A, 120)
        await boost(house, "ON")
        await house.passes(20)
        await house.cloud.restart()
        await house.passes(60)
        assert (mode(house), house.box.setpoint) == (Mode.BOOST, FULL)


@pytest.mark.parametrize("side", ["edge", "cloud"])
async def test_a_retained_command_is_no_command(tmp_path: Path, side: str) -> None:
    """Somebody has published it so by mistake: it is obeyed once by who was there, and never again."""
    house = House(tmp_path)
    async with house.running():
        await charge(house)
        house.broker.publish(SITE.path(topics.BOOST_SET), "ON", retain=True)
        assert await house.until(lambda: house.box.setpoint == FULL, AT_ONCE_S) is not None
        house.command(topics.BOOST_SET, "OFF")
        await house.passes(10)
        commanded_s = house.now_s
        other = house.cloud if side == "edge" else house.edge
        await other.kill()
        await house.passes(NOTICED_S)
        await getattr(house, side).restart()
        await house.passes(60)
        other.start()
        assert await house.until(lambda: house.box.setpoint == AT_10_A, 120) is not None
        assert FULL not in [setpoint for _, setpoint in house.writes(commanded_s)]
        assert mode(house) is Mode.SURPLUS
