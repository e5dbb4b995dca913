"""The charger as the cloud sees it: leases on their way to the edge."""

from datetime import datetime, timedelta
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mqtt.far_ends import NOON, SITE, FakePeer, ManualClock, RecordingBus, make_lease
from pvcharge.drivers.base import TransientError
from pvcharge.model import Setpoint
from pvcharge.mqtt import topics
from pvcharge.mqtt.remote import RemoteCharger

SETPOINT = SITE.path(topics.SETPOINT)


def make_cloud(
    bus: RecordingBus, *, clock_ahead_s: float = 0.0, now: datetime = NOON
) -> tuple[RemoteCharger, ManualClock]:
    """Return a cloud's charger and clock; the edge's clock is right."""
    clock = ManualClock(now + timedelta(seconds=clock_ahead_s))
    return RemoteCharger(bus, FakePeer(skew_s=-clock_ahead_s), SITE, clock), clock


async def test_lease_is_published_as_it_is() -> None:
    """QoS 1, not retained, in the cloud's own time."""
    bus = RecordingBus()
    charger, _ = make_cloud(bus)
    await charger.hold(make_lease(seq=7))  # the control loop's own count
    (message,) = bus.published
    assert (message.topic, message.qos, message.retain, message.expiry_s) == (SETPOINT, 1, False, 60.0)
    assert message.values == {
        "v": 1,
        "seq": 1_781_524_800_000,
        "at": NOON.isoformat(),
        "lease_s": 60.0,
        "phases": 3,
        "current_a": 10,
        "hand_known_at": None,
    }


@given(st.integers(0, 100), st.integers(15, 90))
async def test_message_expires_with_its_lease(age_s: int, duration_s: int) -> None:
    """And what has run out before is not sent at all."""
    bus = RecordingBus()
    charger, clock = make_cloud(bus)
    clock.advance(age_s)
    lease = make_lease(duration_s=duration_s)
    await charger.hold(lease)
    left_s = (lease.expires - clock.now()).total_seconds()
    assert [message.expiry_s for message in bus.published] == ([left_s] if left_s > 0 else [])
    assert left_s <= duration_s


async def test_every_lease_gets_a_higher_seq() -> None:
    """Also within the same instant, and one that is sent again after a reconnect."""
    bus = RecordingBus()
    charger, clock = make_cloud(bus)
    for _ in range(3):
        await charger.hold(make_lease())
    clock.advance(1)
    await charger.hold(make_lease(setpoint=Setpoint(0, 0)))
    assert all(one.values["seq"] < other.values["seq"] for one, other in pairwise(bus.published))


@given(st.lists(st.integers(-600, 600), min_size=2, max_size=5))
async def test_seq_rises_over_restarts_with_any_clock(skews: list[int]) -> None:
    """A cloud that moves to a machine whose clock is ten minutes behind is not taken for an old one."""
    bus = RecordingBus()
    for restart, ahead_s in enumerate(skews):
        charger, clock = make_cloud(bus, clock_ahead_s=ahead_s, now=NOON + timedelta(seconds=30 * restart))
        await charger.hold(make_lease(at=clock.now()))
        await charger.hold(make_lease(at=clock.now()))
    assert all(one.values["seq"] < other.values["seq"] for one, other in pairwise(bus.published))


@pytest.mark.parametrize(
    ("connected", "alive", "skew_s"), [(False, True, 0.0), (True, False, 0.0), (True, True, None)]
)
async def test_without_an_edge_nothing_is_held(*, connected: bool, alive: bool, skew_s: float | None) -> None:
    """The charger task hears of it, and opens anew."""
    bus = RecordingBus()
    bus.connected = connected
    charger = RemoteCharger(bus, FakePeer(alive, skew_s), SITE, ManualClock())
    with pytest.raises(TransientError):
        await charger.hold(make_lease())
    assert bus.published == []


async def test_a_broker_that_takes_nothing_is_an_error() -> None:
    """The connection was lost in the same moment."""

    class Deaf(RecordingBus):
        async def publish(self, *_args: object, **_kwargs: object) -> bool:
            return False

    charger, _ = make_cloud(Deaf())
    with pytest.raises(TransientError, match="did not take the setpoint"):
        await charger.hold(make_lease())


async def test_applying_is_the_business_of_the_edge() -> None:
    """Nothing goes out but leases."""
    bus = RecordingBus()
    charger, _ = make_cloud(bus)
    await charger.apply(Setpoint(3, 16))
    assert bus.published == []
