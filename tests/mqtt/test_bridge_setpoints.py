"""The edge's judgement of setpoints: what is put to the charger, what is refused, and how that is said."""

import asyncio
import json
from collections.abc import MutableMapping
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mqtt.far_ends import NOON, SITE, FakePeer, ManualClock, RecordingBus, make_lease, spoiled
from pvcharge.model import NO_CHARGE, Lease, Setpoint, SetpointLimits
from pvcharge.mqtt import topics
from pvcharge.mqtt.bridge import AHEAD_S, EdgeBridge, check_setpoint
from pvcharge.mqtt.payloads import encode_lease

SETPOINT = SITE.path(topics.SETPOINT)
SETPOINT_ERROR = SITE.error(topics.SETPOINT)
LATER = make_lease(NOON + timedelta(seconds=5))
LIMITS = SetpointLimits(phases=(1, 3), min_current_a=6, max_current_a=16)


@dataclass
class Edge:
    """A bridge with the test in the place of cloud, broker and charger task."""

    limits: SetpointLimits = LIMITS
    clock: ManualClock = field(default_factory=ManualClock)
    bus: RecordingBus = field(default_factory=RecordingBus)
    cloud: FakePeer = field(default_factory=FakePeer)
    put: list[Lease] = field(default_factory=list)

    def __post_init__(self) -> None:
        """Make the bridge."""
        self.bridge = EdgeBridge(
            self.bus, self.cloud, SITE, self.clock, put_lease=self.put.append, limits=self.limits
        )

    async def hear(self, lease: Lease, *, retained: bool = False) -> None:
        """Have a setpoint come in from the cloud."""
        await self.bus.deliver(SETPOINT, encode_lease(lease), retained=retained)

    def answers(self) -> list[str]:
        """Return what has been answered."""
        return [message.values["error"] for message in self.bus.on(SETPOINT_ERROR)]


async def test_good_setpoint_is_put_and_not_answered() -> None:
    """As it was decided."""
    edge = Edge()
    edge.clock.advance(2)
    await edge.hear(make_lease())
    assert edge.put == [make_lease()]
    assert edge.bus.published == []


@pytest.mark.parametrize("skew_s", [-600.0, 600.0])
async def test_lease_is_put_in_the_edges_own_time(skew_s: float) -> None:
    """However wrong the cloud's clock is."""
    edge = Edge(cloud=FakePeer(skew_s=skew_s))
    edge.clock.advance(2)
    lease = make_lease()
    await edge.hear(replace(lease, at=NOON + timedelta(seconds=skew_s)))
    assert edge.put == [lease]


async def test_lease_from_slightly_ahead_starts_now() -> None:
    """Clocks are not known better; it does not last longer for that."""
    edge = Edge()
    ahead = make_lease(NOON + timedelta(seconds=AHEAD_S))
    await edge.hear(ahead)
    assert edge.put == [replace(ahead, at=NOON)]


@pytest.mark.parametrize(
    ("lease", "words"),
    [
        (make_lease(), "does not follow"),
        (make_lease(NOON - timedelta(seconds=1)), "does not follow"),
        (replace(LATER, at=LATER.at - timedelta(seconds=60)), "60 s old, and was good for 60 s"),
        (replace(LATER, at=LATER.at - timedelta(seconds=300)), "300 s old"),
        (replace(LATER, at=LATER.at + timedelta(seconds=300)), "300 s ahead of the cloud's clock"),
        (replace(LATER, setpoint=Setpoint(1, 10)), "1p 10 A: the edge is configured for phases 3"),
        (replace(LATER, setpoint=Setpoint(3, 5)), "3p 5 A: the edge is configured for 6 to 16 A"),
        (replace(LATER, setpoint=Setpoint(3, 17)), "3p 17 A: the edge is configured for 6 to 16 A"),
    ],
)
async def test_bad_setpoint_is_refused_and_answered(lease: Lease, words: str) -> None:
    """And the last good one stays in force."""
    edge = Edge(limits=replace(LIMITS, phases=(3,)))
    await edge.hear(make_lease())
    edge.clock.advance(5)
    await edge.hear(lease)
    assert edge.put == [make_lease()]
    assert [words in answer for answer in edge.answers()] == [True]


async def test_no_charge_is_within_all_limits() -> None:
    """Stopping is always allowed."""
    edge = Edge()
    await edge.hear(make_lease(setpoint=NO_CHARGE))
    assert [lease.setpoint for lease in edge.put] == [NO_CHARGE]


@pytest.mark.parametrize(
    "cloud", [FakePeer(alive=False), FakePeer(skew_s=None), FakePeer(alive=False, skew_s=None)]
)
async def test_setpoint_of_a_cloud_that_is_not_heard_is_refused(cloud: FakePeer) -> None:
    """Without its heartbeat nobody knows how old it is."""
    edge = Edge(cloud=cloud)
    await edge.hear(make_lease())
    assert edge.put == []
    assert len(edge.answers()) == 1


async def test_retained_setpoint_is_refused() -> None:
    """However good it looks."""
    edge = Edge()
    await edge.hear(make_lease(), retained=True)
    assert edge.put == []
    assert "retain" in edge.answers()[0]


async def test_a_refused_setpoint_does_not_use_up_its_seq() -> None:
    """Else a faulty message with a huge number would shut the cloud out."""
    edge = Edge()
    await edge.hear(make_lease(NOON + timedelta(days=9000), setpoint=Setpoint(3, 60)))
    await edge.hear(make_lease())
    assert edge.put == [make_lease()]


async def test_answer_is_as_documented() -> None:
    """Version, time and reason; not retained."""
    edge = Edge()
    await edge.bus.deliver(SETPOINT, "{")
    (message,) = edge.bus.published
    assert (message.topic, message.retain) == (SETPOINT_ERROR, False)
    assert message.values | {"error": ""} == {"v": 1, "at": NOON.isoformat(), "error": ""}


async def test_a_flood_is_answered_once_per_second() -> None:
    """Of whatever kinds."""
    edge = Edge()
    for _ in range(10):
        await edge.bus.deliver(SETPOINT, "garbage")
        await edge.hear(make_lease(setpoint=Setpoint(3, 60)))
        edge.clock.advance(0.5)
    assert len(edge.answers()) == 5


async def test_only_the_first_refusal_of_a_kind_is_logged(logs: list[MutableMapping[str, Any]]) -> None:
    """Until there was none of it for ten minutes."""
    edge = Edge()
    for pause_s in (1, 500, 500, 600):
        await edge.hear(make_lease(at=edge.clock.now(), setpoint=Setpoint(3, 60)))
        await edge.bus.deliver(SETPOINT, f"garbage {pause_s}")
        edge.clock.advance(pause_s)
    assert len(logs) == 2
    await edge.bus.deliver(SETPOINT, "garbage")
    assert [(entry["event"], entry["topic"]) for entry in logs] == [("message refused", SETPOINT)] * 3


async def test_setpoint_that_waited_while_the_process_stood_still_is_old() -> None:
    """It lay in a buffer for five minutes, perhaps behind a heartbeat that makes it look young."""
    edge = Edge()
    waiting = make_lease()
    edge.clock.advance(300)
    await edge.hear(waiting)
    edge.cloud.skew_s = -300.0
    await edge.hear(waiting)
    assert edge.put == []


@given(st.lists(spoiled(encode_lease(LATER)), min_size=1, max_size=5))
def test_garbage_changes_nothing_and_is_answered_once(garbage: list[bytes]) -> None:
    """Within the same second; what is put by chance is a good setpoint within the limits."""
    edge = Edge()

    async def scenario() -> None:
        await edge.hear(make_lease())
        edge.clock.advance(5)
        for payload in garbage:
            await edge.bus.deliver(SETPOINT, payload)

    asyncio.run(scenario())
    assert edge.put[0] == make_lease()
    for lease in edge.put[1:]:
        check_setpoint(lease.setpoint, LIMITS)
        assert json.dumps(lease.seq).encode() in b" ".join(garbage)
    refused = len(garbage) - len(edge.put[1:])
    assert len(edge.answers()) == min(refused, 1)


@pytest.mark.parametrize(("later_s", "heard"), [(59.0, False), (60.0, True)])
async def test_a_number_far_ahead_counts_as_long_as_its_lease(later_s: float, heard: bool) -> None:  # noqa: FBT001
    """It may be somebody else's, or from a time in which our clock was ahead; order is kept meanwhile."""
    edge = Edge()
    await edge.hear(make_lease(seq=make_lease().seq + 10**12))
    edge.clock.advance(later_s)
    await edge.hear(make_lease(edge.clock.now()))
    assert (len(edge.put) == 2) is heard
