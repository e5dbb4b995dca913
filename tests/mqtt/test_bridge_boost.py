"""The boost of an edge that is alone."""

import asyncio
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mqtt.far_ends import NOON, SITE, FakePeer, RecordingBus, make_lease, make_status, running
from pvcharge.clock import FastClock
from pvcharge.model import ChargerState, Lease, Mode, ModeCommand, Setpoint, SetpointLimits
from pvcharge.mqtt import topics
from pvcharge.mqtt.attention import SETTLED_S
from pvcharge.mqtt.bridge import EdgeBridge
from pvcharge.mqtt.payloads import decode_boost, encode_boost, encode_lease

pytestmark = pytest.mark.looptime

BOOST_SET = SITE.path(topics.BOOST_SET)
KEPT = SITE.path(topics.EDGE_BOOST)
FULL = Setpoint(3, 16)


class Edge:
    """A bridge whose cloud is dead, with the test in the place of everybody else."""

    def __init__(self, *, boost_ends_on_unplug: bool = False) -> None:
        self.clock = FastClock(NOON, speed=1.0)
        self.bus = RecordingBus()
        self.cloud = FakePeer(alive=False, skew_s=None)
        self.put: list[Lease] = []
        self.bridge = EdgeBridge(
            self.bus,
            self.cloud,
            SITE,
            self.clock,
            put_lease=self.put.append,
            limits=SetpointLimits((1, 3), 6, 16),
            boost_ends_on_unplug=boost_ends_on_unplug,
        )

    def told(self) -> list[ModeCommand]:
        """Have boosts told from now on, and return where they are put."""
        told: list[ModeCommand] = []
        self.bridge.on_boost.append(lambda _at, boost: told.append(boost))
        return told

    async def order(self, payload: str | bytes, *, retained: bool = False) -> None:
        """Have a command come in on `boost/set`."""
        await self.bus.deliver(BOOST_SET, payload, retained=retained)

    def leased(self) -> Setpoint | None:
        """Return the setpoint that is leased now."""
        last = self.put[-1] if self.put else None
        return last.setpoint if last and self.clock.now() < last.expires else None

    def states(self) -> list[str]:
        """Return what has been told on `boost`."""
        return [message.payload for message in self.bus.on(SITE.path(topics.BOOST))]

    async def cloud_returns(self) -> None:
        """Have the cloud's heartbeat heard, and the bridge notice."""
        self.cloud.alive, self.cloud.skew_s = True, 0.0
        await asyncio.sleep(1.1)

    async def cloud_leases(self) -> Lease:
        """Have a setpoint of the cloud come in."""
        lease = make_lease(self.clock.now())
        await self.bus.deliver(SITE.path(topics.SETPOINT), encode_lease(lease))
        return lease

    def kept(self) -> list[str]:
        """Return what has been left for the cloud and for an edge that restarts."""
        return [message.payload for message in self.bus.on(KEPT)]


async def test_boost_is_leased_at_once() -> None:
    """Without waiting for the next look at the clock."""
    edge = Edge()
    await edge.order("ON")
    assert edge.leased() == FULL
    assert edge.states() == ["ON"]
    assert all(message.retain for message in edge.bus.published)


async def test_boost_goes_on_without_a_gap() -> None:
    """Each lease is renewed well before its end."""
    edge = Edge()
    async with running(edge.bridge.run()):
        await edge.order("ON")
        for _ in range(1000):
            await asyncio.sleep(7)
            assert edge.leased() == FULL
    assert len(edge.put) < 400


async def test_boost_ends_by_itself() -> None:
    """To the second: no lease outlasts it."""
    edge = Edge()
    async with running(edge.bridge.run()):
        await edge.order("2")
        await asyncio.sleep(119)
        assert edge.leased() == FULL
        await asyncio.sleep(1.5)
        assert edge.leased() is None
        await asyncio.sleep(100)
        assert edge.leased() is None
    assert max(lease.expires for lease in edge.put) <= edge.put[0].at + timedelta(minutes=2)
    assert edge.states() == ["ON", "OFF"]


async def test_off_ends_it_at_once() -> None:
    """The charger falls back to what silence asks for."""
    edge = Edge()
    async with running(edge.bridge.run()):
        await edge.order("ON")
        await asyncio.sleep(30)
        await edge.order("OFF")
        assert edge.leased() is None
        await asyncio.sleep(100)
        assert edge.leased() is None
    assert edge.states() == ["ON", "OFF"]


async def test_a_later_command_changes_the_end() -> None:
    """The last word counts."""
    edge = Edge()
    async with running(edge.bridge.run()):
        await edge.order("ON")
        await edge.order("1")
        await asyncio.sleep(62)
        assert edge.leased() is None


async def test_boost_can_begin_again_at_once() -> None:
    """The driver has changed their mind twice."""
    edge = Edge()
    for payload in ("ON", "OFF", "ON"):
        await edge.order(payload)
    assert edge.leased() == FULL
    assert edge.states() == ["ON", "OFF", "ON"]


async def test_cloud_takes_over_smoothly() -> None:
    """The boost's lease stays until the cloud's next setpoint takes its place."""
    edge = Edge()
    async with running(edge.bridge.run()):
        await edge.order("ON")
        await edge.cloud_returns()
        assert edge.leased() == FULL
        lease = await edge.cloud_leases()
        assert edge.leased() == Setpoint(3, 10)
        await asyncio.sleep(50)
        await edge.bus.connect()
    assert edge.put[1:] == [lease]
    assert edge.states() == ["ON"]
    assert edge.kept()[1:] == ["", ""]


async def test_boost_does_not_return_after_the_cloud() -> None:
    """What the driver wants now is what was said to the cloud since."""
    edge = Edge()
    async with running(edge.bridge.run()):
        await edge.order("ON")
        await edge.cloud_returns()
        await edge.cloud_leases()
        edge.cloud.alive = False
        await asyncio.sleep(100)
        assert edge.leased() is None


async def test_a_cloud_that_leaves_before_it_leases_ends_no_boost() -> None:
    """It was heard for a moment, and had nothing to say."""
    edge = Edge()
    async with running(edge.bridge.run()):
        await edge.order("ON")
        await edge.cloud_returns()
        edge.cloud.alive = False
        await asyncio.sleep(100)
        assert edge.leased() == FULL


async def test_the_boost_is_left_for_the_cloud_and_for_a_restart() -> None:
    """Retained, with its time and its end."""
    edge = Edge()
    await edge.order("90")
    (message,) = edge.bus.on(KEPT)
    assert message.retain
    assert decode_boost(message.payload.encode()) == (
        NOON,
        ModeCommand(Mode.BOOST, NOON + timedelta(minutes=90)),
    )


@pytest.mark.parametrize(("until_min", "boosts"), [(None, True), (1, True), (-1, False)])
async def test_an_edge_that_restarts_goes_on_with_its_boost(until_min: int | None, boosts: bool) -> None:  # noqa: FBT001
    """Unless it has run out meanwhile."""
    until = None if until_min is None else NOON + timedelta(minutes=until_min)
    edge = Edge()
    async with running(edge.bridge.run()):
        kept = encode_boost(NOON - timedelta(hours=1), ModeCommand(Mode.BOOST, until))
        await edge.bus.deliver(KEPT, kept, retained=True)
        await asyncio.sleep(2)
        assert edge.leased() == (FULL if boosts else None)


async def test_what_was_kept_is_outdated_by_any_later_word() -> None:
    """Of the driver or of the cloud: the broker repeats what is retained at each connect."""
    kept = encode_boost(NOON - timedelta(hours=1), ModeCommand(Mode.BOOST))
    edge = Edge()
    async with running(edge.bridge.run()):
        await edge.order("OFF")
        await edge.bus.deliver(KEPT, kept, retained=True)
        await asyncio.sleep(2)
        assert edge.leased() is None
        await edge.cloud_returns()
        await edge.cloud_leases()
        edge.cloud.alive = False
        await edge.bus.deliver(KEPT, kept, retained=True)
        await asyncio.sleep(100)
        assert edge.leased() is None


@pytest.mark.parametrize("garbage", ["", "garbage", "{}", '{"v": 1}'])
async def test_garbage_in_its_place_is_no_boost(garbage: str) -> None:
    """Nor is a boost that has been cleared."""
    edge = Edge()
    async with running(edge.bridge.run()):
        await edge.bus.deliver(KEPT, garbage, retained=True)
        await asyncio.sleep(2)
    assert edge.put == []


@pytest.mark.parametrize("ends", [True, False])
async def test_boost_ends_on_unplug_if_so_configured(ends: bool) -> None:  # noqa: FBT001 - the setting
    """Also without the cloud; an unknown state in between is no unplugging."""
    edge = Edge(boost_ends_on_unplug=ends)
    async with running(edge.bridge.run()):
        await edge.order("ON")
        for state in (ChargerState.CHARGING, ChargerState.UNKNOWN, ChargerState.CHARGING):
            edge.bridge.send_status(make_status(edge.clock.now(), state=state))
            await asyncio.sleep(2)
        assert edge.leased() == FULL
        edge.bridge.send_status(make_status(edge.clock.now(), state=ChargerState.DISCONNECTED))
        await asyncio.sleep(2)
        assert edge.leased() == (None if ends else FULL)
    assert edge.states()[-1] == ("OFF" if ends else "ON")


async def test_the_cloud_is_left_its_own_commands() -> None:
    """And its own errors: only one side answers."""
    edge = Edge()
    alone = [edge.bridge.alone]
    await edge.cloud_returns()
    alone.append(edge.bridge.alone)
    assert alone == [True, False]
    await edge.order("ON")
    await edge.order("garbage")
    assert edge.put == []
    assert edge.bus.published == []


async def test_a_command_that_was_waiting_for_us_may_be_the_clouds_business() -> None:
    """Just connected, we know neither its age nor whether there is a cloud that has heard what followed."""
    edge = Edge()
    async with running(edge.bridge.run()):
        await edge.bus.connect()
        await edge.order("ON")
        assert edge.leased() is None
        await edge.cloud_returns()
        await asyncio.sleep(40)  # it is there indeed: it has been heard anew
        edge.cloud.alive = False
        await asyncio.sleep(60)
        assert edge.leased() is None


async def test_a_command_to_a_cloud_that_has_just_died_is_obeyed_when_that_is_known() -> None:
    """It seems to be there yet, and has heard nothing; unless it has leased something since."""
    for leases in (True, False):
        edge = Edge()
        async with running(edge.bridge.run()):
            await edge.cloud_returns()
            await asyncio.sleep(SETTLED_S)
            await edge.order("ON")
            assert edge.leased() is None
            await asyncio.sleep(1)
            if leases:
                await edge.cloud_leases()
            edge.cloud.alive = False
            await asyncio.sleep(2)
            assert edge.leased() == (Setpoint(3, 10) if leases else FULL)


async def test_a_command_that_was_waiting_for_us_is_obeyed_if_there_is_no_cloud() -> None:
    """The last of several, after the time that a cloud would have needed to make itself heard."""
    edge = Edge()
    async with running(edge.bridge.run()):
        await edge.bus.connect()
        await edge.order("OFF")
        await edge.order("ON")
        await asyncio.sleep(SETTLED_S + 2)
        assert edge.leased() == FULL
        await edge.order("OFF")  # this one comes in as it is sent
        assert edge.leased() is None


async def test_after_a_standstill_a_command_is_not_obeyed_at_once() -> None:
    """The machine was asleep, and what comes in now may have been sent long ago."""
    edge = Edge()
    async with running(edge.bridge.run()):
        await asyncio.sleep(60)
    await asyncio.sleep(300)
    await edge.order("ON")
    assert edge.leased() is None
    async with running(edge.bridge.run()):
        await asyncio.sleep(SETTLED_S + 2)
        assert edge.leased() == FULL


async def test_retained_command_is_refused() -> None:
    """It would be obeyed at every connect."""
    edge = Edge()
    await edge.order("ON", retained=True)
    assert edge.put == []
    assert [message.topic for message in edge.bus.published] == [SITE.error(topics.BOOST_SET)]


async def test_state_is_told_again_on_connect() -> None:
    """Also the end of a boost that came while there was no broker."""
    edge = Edge()
    await edge.bus.connect()
    assert edge.states() == []
    async with running(edge.bridge.run()):
        await asyncio.sleep(SETTLED_S)
        await edge.order("1")
        await edge.bus.connect()
        edge.bus.connected = False
        await asyncio.sleep(70)
        await edge.bus.connect()
    assert edge.states() == ["ON", "ON", "OFF"]


@given(
    st.lists(
        st.one_of(
            st.binary(max_size=30),
            st.text(st.characters(exclude_categories=["Cs"]), max_size=9).map(str.encode),
        ),
        min_size=1,
        max_size=4,
    )
)
def test_garbage_changes_nothing_and_is_answered_once(garbage: list[bytes]) -> None:
    """Within the same second; a good command by chance is no garbage."""

    async def scenario() -> Edge:
        edge = Edge()
        for payload in garbage:
            await edge.order(payload)
        return edge

    edge = asyncio.run(scenario())
    answers = edge.bus.on(SITE.error(topics.BOOST_SET))
    assert len(answers) <= 1
    assert len(edge.states()) == 0 or len(answers) < len(garbage)


async def test_a_stand_in_is_told_of_a_boost_and_its_end() -> None:
    """Before anything is leased for it."""
    edge = Edge(boost_ends_on_unplug=True)
    told = edge.told()
    edge.bridge.on_boost.append(lambda _at, _boost: edge.put.clear())
    edge.bridge.send_status(make_status())
    async with running(edge.bridge.run()):
        await edge.order("10")
        assert edge.leased() == FULL
        await asyncio.sleep(60)
        edge.bridge.send_status(make_status(state=ChargerState.DISCONNECTED))
        await edge.order("OFF")
    assert [boost.until for boost in told] == [NOON + timedelta(seconds=at_s) for at_s in (600, 60, 60)]


@pytest.mark.parametrize("minutes", [10, 0])
async def test_a_stand_in_is_told_of_what_was_commanded_before_a_restart(minutes: int) -> None:
    """Also of an end: it may know of an older boost."""
    edge = Edge()
    told = edge.told()
    boost = ModeCommand(Mode.BOOST, NOON + timedelta(minutes=minutes))
    await edge.bus.deliver(KEPT, encode_boost(NOON, boost), retained=True)
    assert told == [boost]


@pytest.mark.parametrize(
    ("course", "ends"),
    [
        ((ChargerState.CHARGING, ChargerState.ERROR, ChargerState.DISCONNECTED), True),
        ((ChargerState.ERROR, ChargerState.DISCONNECTED), False),
        ((ChargerState.DISCONNECTED, ChargerState.DISCONNECTED), False),
    ],
)
async def test_only_a_car_that_was_there_can_be_unplugged(
    course: tuple[ChargerState, ...],
    ends: bool,  # noqa: FBT001 - what is expected
) -> None:
    """A fault of the charger neither hides the car nor makes one up."""
    edge = Edge(boost_ends_on_unplug=True)
    async with running(edge.bridge.run()):
        await edge.order("ON")
        for state in course:
            edge.bridge.send_status(make_status(edge.clock.now(), state=state))
            await asyncio.sleep(1)
        assert edge.bridge.boosting is not ends
