"""The charger as the cloud sees it: which statuses count, and what time they are from."""

import asyncio
from dataclasses import dataclass, replace
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mqtt.far_ends import NOON, SITE, FakePeer, ManualClock, RecordingBus, make_status, spoiled
from pvcharge.clock import FastClock
from pvcharge.drivers.base import Charger, LeaseHolder, TransientError
from pvcharge.model import ChargerStatus, Setpoint
from pvcharge.mqtt import topics
from pvcharge.mqtt.payloads import encode_refusal, encode_status
from pvcharge.mqtt.remote import LOOK_S, OPEN_S, RemoteCharger

pytestmark = pytest.mark.looptime

CHARGER = SITE.path(topics.CHARGER)
SETPOINT_ERROR = SITE.error(topics.SETPOINT)


@dataclass
class Rig:
    """A remote charger with the test in the place of edge and broker."""

    clock: FastClock
    bus: RecordingBus
    edge: FakePeer
    charger: RemoteCharger

    def status(self, age_s: float = 0.0, skew_s: float = 0.0) -> ChargerStatus:
        """Return a status as old as told, in the time of an edge whose clock is so far ahead."""
        return make_status(self.clock.now() + timedelta(seconds=skew_s - age_s))

    async def hear(self, status: ChargerStatus, *, retained: bool = False) -> None:
        """Have a status come in from the edge."""
        await self.bus.deliver(CHARGER, encode_status(status), retained=retained)

    async def open(self) -> None:
        """Open it, with a status that comes in meanwhile, and take that one."""
        opening = asyncio.create_task(self.charger.open())
        await asyncio.sleep(0.1)
        await self.hear(self.status(skew_s=self.edge.skew_s or 0.0))
        await opening
        await self.charger.next_status()


def make_rig() -> Rig:
    """Return a remote charger that is not open yet; its edge is alive."""
    clock, bus, edge = FastClock(NOON, speed=1.0), RecordingBus(), FakePeer()
    return Rig(clock, bus, edge, RemoteCharger(bus, edge, SITE, clock, "garage"))


async def test_it_is_a_charger_that_holds_leases() -> None:
    """The charger task asks for both."""
    rig = make_rig()
    charger: Charger = rig.charger
    assert isinstance(charger, LeaseHolder)
    assert charger.name == "garage"


async def test_open_waits_for_heartbeat_and_status() -> None:
    """A status alone is not enough: without the skew its time means nothing."""
    rig = make_rig()
    rig.edge.alive = False
    opening = asyncio.create_task(rig.charger.open())
    await asyncio.sleep(1)
    await rig.hear(rig.status())
    await asyncio.sleep(5)
    assert not opening.done()
    rig.edge.alive = True
    await asyncio.sleep(LOOK_S)
    assert opening.done()
    assert (await rig.charger.next_status()).setpoint == Setpoint(3, 10)


@pytest.mark.parametrize(
    ("connected", "alive", "skew_s", "words"),
    [
        (False, False, None, "no connection to the broker"),
        (True, False, None, "the edge is offline or not heard"),
        (True, True, None, "the edge is offline or not heard"),
        (True, True, 0.0, "the edge is there, but tells nothing new of its charger"),
    ],
)
async def test_open_gives_up_and_says_what_is_missing(
    *, connected: bool, alive: bool, skew_s: float | None, words: str
) -> None:
    """After half a minute, with the charger's name."""
    rig = make_rig()
    rig.bus.connected, rig.edge.alive, rig.edge.skew_s = connected, alive, skew_s
    with pytest.raises(TransientError, match=f"^garage: {words}"):
        await rig.charger.open()
    assert (rig.clock.now() - NOON).total_seconds() == pytest.approx(OPEN_S, abs=0.1)


async def test_open_does_not_count_what_was_heard_before() -> None:
    """A status of the connection before says nothing of this one."""
    rig = make_rig()
    await rig.hear(rig.status())
    with pytest.raises(TransientError):
        await rig.charger.open()


@pytest.mark.parametrize(
    ("age_s", "counts"), [(5, True), (29, True), (31, False), (-31, False), (3600, False)]
)
@pytest.mark.parametrize("retained", [True, False])
async def test_only_a_fresh_status_counts(*, age_s: float, counts: bool, retained: bool) -> None:
    """Retained at the broker, queued there for a resumed session, or held up on its way."""
    rig = make_rig()
    await rig.open()
    await asyncio.sleep(10)
    waiting = asyncio.create_task(rig.charger.next_status())
    rig.edge.skew_s = 600.0
    await rig.hear(rig.status(age_s, skew_s=600.0), retained=retained)
    await asyncio.sleep(0.1)
    assert waiting.done() is counts
    waiting.cancel()


@pytest.mark.parametrize("skew_s", [-600.0, 0.0, 600.0])
async def test_times_are_those_of_the_cloud(skew_s: float) -> None:
    """That of the measurement and that of a change by hand."""
    rig = make_rig()
    rig.edge.skew_s = skew_s
    await rig.open()
    await asyncio.sleep(60)
    status = rig.status(age_s=2, skew_s=skew_s)
    await rig.hear(replace(status, changed_by_hand_at=status.at - timedelta(seconds=30)))
    handed_out = await rig.charger.next_status()
    now = rig.clock.now()
    assert handed_out.at == now - timedelta(seconds=2)
    assert handed_out.changed_by_hand_at == now - timedelta(seconds=32)
    assert replace(handed_out, at=status.at, changed_by_hand_at=None) == status


async def test_the_same_change_by_hand_keeps_its_time() -> None:
    """Also when the skew is measured anew: another time would be another change."""
    rig = make_rig()
    await rig.open()
    changed_at = rig.clock.now()
    told = set()
    for skew_s in (0.0, 0.02, -0.01):
        rig.edge.skew_s = skew_s
        await asyncio.sleep(1)
        await rig.hear(replace(rig.status(), changed_by_hand_at=changed_at))
        told.add((await rig.charger.next_status()).changed_by_hand_at)
    assert told == {changed_at}


async def test_statuses_never_go_back_in_time_nor_lie_ahead() -> None:
    """Also when the skew is measured anew."""
    rig = make_rig()
    await rig.open()
    last = NOON
    for skew_s in (0.0, 5.0, -5.0, 0.0):
        rig.edge.skew_s = skew_s
        await asyncio.sleep(1)
        await rig.hear(rig.status())
        at = (await rig.charger.next_status()).at
        assert last <= at <= rig.clock.now()
        last = at


async def test_a_status_is_handed_out_once() -> None:
    """A duplicate, or an older one that came later, is nothing new."""
    rig = make_rig()
    await rig.open()
    await asyncio.sleep(5)
    newest = rig.status()
    await rig.hear(newest)
    assert (await rig.charger.next_status()).at == newest.at
    waiting = asyncio.create_task(rig.charger.next_status())
    await rig.hear(newest)
    await rig.hear(rig.status(age_s=2))
    await asyncio.sleep(5)
    assert not waiting.done()
    waiting.cancel()


async def test_a_dead_heartbeat_ends_the_wait() -> None:
    """At once, without the half minute that a silent charger is given."""
    rig = make_rig()
    await rig.open()
    waiting = asyncio.create_task(rig.charger.next_status())
    await asyncio.sleep(3)
    rig.edge.alive = False
    await asyncio.sleep(LOOK_S)
    with pytest.raises(TransientError, match="offline or not heard"):
        waiting.result()


async def test_a_charger_that_falls_silent_is_an_error() -> None:
    """The edge lives, but its own connection to the charger may be lost."""
    rig = make_rig()
    await rig.open()
    before = rig.clock.now()
    with pytest.raises(TransientError, match="nothing new of its charger"):
        await rig.charger.next_status()
    assert (rig.clock.now() - before).total_seconds() == pytest.approx(30, abs=LOOK_S)


async def test_an_edge_whose_clock_was_set_back_is_heard_again() -> None:
    """Its statuses look older than the last one, until the next try to open."""
    rig = make_rig()
    await rig.open()
    await asyncio.sleep(1)
    rig.edge.skew_s = -600.0
    await rig.hear(rig.status(skew_s=-600.0))
    with pytest.raises(TransientError):
        await rig.charger.next_status()
    await rig.open()


async def test_refusals_of_the_edge_are_logged_once(logs: list[dict[str, object]]) -> None:
    """The user has to learn that the two sides have other limits; garbage there is no news, nor answered."""
    rig = make_rig()
    for _ in range(3):
        await rig.bus.deliver(SETPOINT_ERROR, encode_refusal(NOON, "3p 32 A: too much"))
        await rig.bus.deliver(SETPOINT_ERROR, b"\xff")
    assert [(entry["event"], entry["error"]) for entry in logs] == [
        ("edge refused a setpoint", "3p 32 A: too much")
    ]
    assert rig.bus.published == []


@given(garbage=st.lists(spoiled(encode_status(make_status())), min_size=1, max_size=5))
def test_garbage_changes_nothing_and_is_answered_once(garbage: list[bytes]) -> None:
    """Within the same second; what happens to be a good status is no garbage."""
    bus, clock = RecordingBus(), ManualClock()
    charger = RemoteCharger(bus, FakePeer(skew_s=None), SITE, clock)

    async def scenario() -> None:
        for payload in garbage:
            await bus.deliver(CHARGER, payload)
            await bus.deliver(SETPOINT_ERROR, payload)

    asyncio.run(scenario())
    assert {message.topic for message in bus.published} <= {SITE.error(topics.CHARGER)}
    assert len(bus.published) <= 1
    assert charger.health() == {}
