"""No setpoint older than its lease is ever put, whatever network, clocks and processes do."""

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from itertools import cycle, pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mqtt.far_ends import NOON, SITE, FakePeer, ManualClock, RecordingBus, make_lease
from pvcharge.model import Lease, SetpointLimits
from pvcharge.mqtt import topics
from pvcharge.mqtt.bridge import EdgeBridge
from pvcharge.mqtt.payloads import decode_lease
from pvcharge.mqtt.remote import RemoteCharger

SETPOINT = SITE.path(topics.SETPOINT)
BEAT_S, SETPOINT_S = 10, 7
DEAD_S = 30


@dataclass(frozen=True)
class Life:
    """A cloud process from its start to its end, with a clock that is wrong."""

    duration_s: int
    ahead_s: int
    held_up_s: int  # the edge's heartbeat on its way here, by which the edge's clock is known
    lease_s: int


@dataclass(frozen=True)
class Fate:
    """What becomes of a message: when each copy of it arrives; none if it is lost."""

    delays_s: tuple[float, ...]


@dataclass(order=True)
class Arrival:
    """A message at the edge: a setpoint, or a heartbeat of a cloud whose clock is so far ahead."""

    at_s: float
    sent_s: float
    payload: str | None = field(compare=False)
    ahead_s: int = field(compare=False)


class Heartbeat(FakePeer):
    """As simple as can be: believes every beat, however long it was on its way."""

    def __init__(self, clock: ManualClock) -> None:
        super().__init__(alive=False, skew_s=None)
        self._clock = clock
        self._heard_at = NOON - timedelta(days=1)

    def hear(self, sent_at: datetime) -> None:
        """Take the sender's time for the time it is there now."""
        self._heard_at = self._clock.now()
        self.skew_s = (sent_at - self._heard_at).total_seconds()

    def look(self) -> None:
        """Notice whether the last beat came too long ago."""
        self.alive = (self._clock.now() - self._heard_at).total_seconds() < DEAD_S


PERFECT = Fate((0.0,))
lives = st.builds(
    Life,
    duration_s=st.integers(10, 300),
    ahead_s=st.integers(-120, 120).map(lambda number: 5 * number),
    held_up_s=st.one_of(st.just(0), st.integers(0, 300)),
    lease_s=st.integers(15, 90),
)
fates = st.one_of(
    st.just(PERFECT),
    st.lists(st.floats(0, 300), max_size=3).map(lambda delays: Fate(tuple(delays))),
)
pauses = st.lists(st.tuples(st.integers(0, 900), st.integers(1, 300)), max_size=3)


async def send(clouds: list[Life], fates_in_turn: Iterator[Fate]) -> list[Arrival]:
    """Return everything that arrives at the edge's network card, by the true time since noon."""
    arrivals: list[Arrival] = []
    start_s = 0
    for life in clouds:
        clock, bus = ManualClock(NOON + timedelta(seconds=start_s + life.ahead_s)), RecordingBus()
        charger = RemoteCharger(bus, FakePeer(skew_s=-life.ahead_s - life.held_up_s), SITE, clock)
        for now_s in range(start_s, start_s + life.duration_s):
            payloads: list[str | None] = [None] if (now_s - start_s) % BEAT_S == 0 else []
            if (now_s - start_s) % SETPOINT_S == 1:
                await charger.hold(make_lease(at=clock.now(), duration_s=life.lease_s))
                payloads.append(bus.published[-1].payload)
            arrivals += [
                Arrival(now_s + delay_s, now_s, payload, life.ahead_s)
                for payload in payloads
                for delay_s in next(fates_in_turn).delays_s
            ]
            clock.advance(1)
        start_s += life.duration_s + 1
    return sorted(arrivals)


def read_at(arrival_s: float, stops: list[tuple[int, int]]) -> float:
    """Return when the edge's process reads what arrived: after a pause, if there was one."""
    for start_s, length_s in sorted(stops):
        if start_s <= arrival_s < start_s + length_s:
            arrival_s = start_s + length_s
    return arrival_s


async def receive(arrivals: list[Arrival], stops: list[tuple[int, int]]) -> list[tuple[float, Lease]]:
    """Return what the edge puts to its charger, and when."""
    clock, bus, put = ManualClock(), RecordingBus(), list[tuple[float, Lease]]()
    heartbeat = Heartbeat(clock)
    now_s = 0.0
    EdgeBridge(
        bus,
        heartbeat,
        SITE,
        clock,
        put_lease=lambda lease: put.append((now_s, lease)),
        limits=SetpointLimits((1, 3), 6, 16),
    )
    for arrival in arrivals:
        read_s = max(now_s, read_at(arrival.at_s, stops))
        clock.advance(read_s - now_s)
        now_s = read_s
        if arrival.payload is None:
            heartbeat.hear(NOON + timedelta(seconds=arrival.sent_s + arrival.ahead_s))
        heartbeat.look()
        if arrival.payload is not None:
            await bus.deliver(SETPOINT, arrival.payload)
    return put


def sent_by_seq(arrivals: list[Arrival]) -> dict[int, Arrival]:
    """Return the setpoints by their number."""
    return {
        decode_lease(arrival.payload.encode()).seq: arrival
        for arrival in arrivals
        if arrival.payload is not None
    }


@settings(max_examples=200)
@given(st.lists(lives, min_size=1, max_size=4), st.lists(fates, min_size=1, max_size=30), pauses)
@pytest.mark.fault("broker", "duplicate")
@pytest.mark.fault("broker", "reorder")
def test_no_setpoint_older_than_its_lease_is_put_and_seq_never_goes_back(
    clouds: list[Life], drawn_fates: list[Fate], stops: list[tuple[int, int]]
) -> None:
    """No setpoint is put after its lease, be it late, doubled, reordered, held up, or of a wrong clock."""
    arrivals = asyncio.run(send(clouds, cycle(drawn_fates)))
    put = asyncio.run(receive(arrivals, stops))
    sent = sent_by_seq(arrivals)
    for now_s, lease in put:
        assert now_s - sent[lease.seq].sent_s < lease.duration_s
        assert lease.at <= NOON + timedelta(seconds=now_s)
    assert all(one.seq < other.seq for (_, one), (_, other) in pairwise(put))


@given(st.lists(lives.map(lambda life: replace(life, held_up_s=0)), min_size=1, max_size=4))
def test_over_a_good_network_every_setpoint_is_put(clouds: list[Life]) -> None:
    """Also after restarts of the cloud with another clock: it recovers without a hand."""
    arrivals = asyncio.run(send(clouds, cycle([PERFECT])))
    put = asyncio.run(receive(arrivals, []))
    sent = sent_by_seq(arrivals)
    assert [lease.seq for _, lease in put] == sorted(sent)
    for now_s, lease in put:
        assert lease.at == NOON + timedelta(seconds=sent[lease.seq].sent_s)
        assert now_s == sent[lease.seq].sent_s
