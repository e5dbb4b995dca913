"""The poller: one read at a time, planned after the last, and no failure ends it."""

import asyncio
from collections import deque
from dataclasses import replace
from datetime import datetime, timedelta
from itertools import pairwise

import pytest

from pvcharge.drivers.base import AuthError, Demand, DriverError, PermanentError, TransientError
from pvcharge.model import DeviceHealth, PowerFlow
from pvcharge.tasks.poller import LEAST_PAUSE_S, Poller
from pvcharge.tasks.queues import Inbox, Latest
from pvcharge.tasks.retry import AUTH_DELAY_S, PERMANENT_DELAY_S, TRANSIENT_CAP_S
from tasks.fakes import FakeInverter, RecordingFeed, VirtualClock, flow, running

pytestmark = pytest.mark.looptime


class Rig:
    """A poller with its surroundings."""

    def __init__(
        self, clock: VirtualClock, feed: RecordingFeed, inverter: FakeInverter, rank: int = 0
    ) -> None:
        self.inverter = inverter
        self.inbox: Inbox = asyncio.Queue(1000)
        self.demand = Latest(Demand())
        self.feed = feed
        self.poller = Poller(inverter, clock, self.inbox, self.demand, feed, rank)

    def waits_s(self) -> list[float]:
        """Return the time between the end of each read and the begin of the next."""
        return [(later[0] - earlier[1]).total_seconds() for earlier, later in pairwise(self.inverter.reads)]


@pytest.fixture
async def rig(clock: VirtualClock, feed: RecordingFeed) -> Rig:
    """Return a poller of an inverter that is worth a read each minute."""
    return Rig(clock, feed, FakeInverter(clock, period_s=60.0))


async def test_next_read_is_planned_after_the_last_one_ended(rig: Rig) -> None:
    """Reads that take longer than their period follow each other, and never overlap."""
    rig.inverter.read_s = 100.0
    async with running(rig.poller.run()):
        await asyncio.sleep(1000)
    assert len(rig.inverter.reads) > 5
    assert set(rig.waits_s()) == {60.0}


async def test_readings_go_on_in_order(rig: Rig, clock: VirtualClock) -> None:
    """Several readings of one answer reach the inbox oldest first, and the health tells of them."""
    now = clock.now()
    flows = tuple(flow(now - timedelta(minutes=minutes)) for minutes in (45, 30, 15))
    rig.inverter.script.append(flows)
    async with running(rig.poller.run()):
        await asyncio.sleep(1)
    assert [rig.inbox.get_nowait() for _ in flows] == list(flows)
    health = DeviceHealth("roof", now, ok=True, since=now, facts={"reads": 1})
    assert rig.feed.events == [health]


async def test_readings_get_the_rank_of_their_inverter(clock: VirtualClock, feed: RecordingFeed) -> None:
    """Those of now and those of the past, whatever else they say."""
    rig = Rig(clock, feed, inverter := Remembering(clock), rank=101)
    now = clock.now()
    told = PowerFlow(now, now, 1.0, 2.0, 3.0, 4.0, 5.0, "roof", limited=True)
    inverter.script.append((told,))
    async with running(rig.poller.run()):
        await asyncio.sleep(6)
        (past,) = await rig.poller.read_past(now, now)
    assert rig.inbox.get_nowait() == replace(told, rank=101)
    assert past == replace(flow(now), rank=101)


async def test_who_can_be_asked_for_the_past_is_known(rig: Rig, clock: VirtualClock) -> None:
    """Without asking."""
    assert not rig.poller.tells_past
    assert Rig(clock, rig.feed, Remembering(clock)).poller.tells_past


async def test_change_of_demand_wakes_it(rig: Rig) -> None:
    """A car that comes gets its reading at once; one that goes changes the plan, too."""
    rig.inverter.period_s = 6 * 3600.0
    rig.demand.value = Demand(car_plugged=False)
    async with running(rig.poller.run()):
        await asyncio.sleep(100)
        assert len(rig.inverter.reads) == 1
        rig.demand.put(Demand(car_plugged=True))
        await asyncio.sleep(1)
        assert len(rig.inverter.reads) == 2
        rig.demand.put(Demand(car_plugged=False))
        await asyncio.sleep(1)
    assert len(rig.inverter.reads) == 2
    assert rig.inverter.demands[-1] == Demand(car_plugged=False)


async def test_change_of_demand_during_a_read_is_not_missed(rig: Rig) -> None:
    """The plan after the read is made with the newest demand."""
    rig.inverter.read_s = 10.0
    async with running(rig.poller.run()):
        await asyncio.sleep(5)
        rig.demand.put(Demand(car_plugged=False))
        await asyncio.sleep(6)
    assert rig.inverter.demands[-1] == Demand(car_plugged=False)


@pytest.mark.parametrize(
    ("error", "least_s", "most_s"),
    [
        (TransientError("refused"), 60.0, 60.0),
        (TransientError("too many requests", retry_after_s=500.0), 501.0, 504.0),
        (AuthError("wrong key"), 0.9 * AUTH_DELAY_S, 1.1 * AUTH_DELAY_S),
        (PermanentError("retired"), 0.9 * PERMANENT_DELAY_S, 1.1 * PERMANENT_DELAY_S),
    ],
)
async def test_failure_delays_the_next_read_by_its_class(
    rig: Rig, error: DriverError, least_s: float, most_s: float
) -> None:
    """Back-off and plan both hold: the later of the two counts. Then it goes on as before."""
    rig.inverter.script.append(error)
    async with running(rig.poller.run()):
        await asyncio.sleep(2 * PERMANENT_DELAY_S)
    waits_s = rig.waits_s()
    assert least_s <= waits_s[0] <= most_s
    assert set(waits_s[1:]) == {60.0}
    failure, recovery, *_ = rig.feed.health("roof")
    assert (failure.ok, failure.error, recovery.ok) == (False, str(error), True)


async def test_change_of_demand_does_not_pass_the_back_off(rig: Rig) -> None:
    """However often a car comes and goes: a device that asked for quiet is left alone."""
    rig.inverter.script.append(TransientError("too many requests", retry_after_s=500.0))
    async with running(rig.poller.run()):
        for second in range(400):
            rig.demand.put(Demand(car_plugged=second % 2 == 0))
            await asyncio.sleep(1)
    assert len(rig.inverter.reads) == 1


async def test_long_outage_makes_no_storm(rig: Rig) -> None:
    """A driver that would read each second backs off to about a minute, and recovers by itself."""
    rig.inverter.period_s = 1.0
    rig.inverter.script = deque([TransientError("refused")] * 60)
    async with running(rig.poller.run()):
        await asyncio.sleep(60 * TRANSIENT_CAP_S)
    waits_s = rig.waits_s()
    assert all(wait_s <= TRANSIENT_CAP_S for wait_s in waits_s[:60])
    assert 15.0 < sum(waits_s[10:60]) / 50 < 45.0
    assert set(waits_s[60:]) == {1.0}


async def test_driver_that_is_always_due_does_not_storm_its_device(rig: Rig) -> None:
    """A plan that lies in the past means at most a read a second."""
    rig.inverter.period_s = -1.0
    async with running(rig.poller.run()):
        await asyncio.sleep(10.5)
    assert len(rig.inverter.reads) == 11
    assert set(rig.waits_s()) == {LEAST_PAUSE_S}


async def test_full_inbox_holds_the_poller_and_loses_nothing(rig: Rig, clock: VirtualClock) -> None:
    """A control loop that is held up finds every reading later."""
    rig.inbox = asyncio.Queue(1)
    rig.poller = Poller(rig.inverter, clock, rig.inbox, rig.demand, rig.feed)
    flows = tuple(flow(clock.now(), grid_w=float(number)) for number in range(3))
    rig.inverter.script.append(flows)
    got: list[object] = []
    async with running(rig.poller.run()):
        await asyncio.sleep(500)
        assert len(rig.inverter.reads) == 1
        for _ in flows:
            got.append(await rig.inbox.get())
            await asyncio.sleep(0)
    assert got == list(flows)


@pytest.mark.parametrize("cancelled_after_s", [5.0, 30.0])
async def test_cancelled_poller_closes_its_driver(rig: Rig, cancelled_after_s: float) -> None:
    """Whether it reads or waits."""
    rig.inverter.read_s = 10.0
    async with running(rig.poller.run()):
        await asyncio.sleep(cancelled_after_s)
        assert rig.inverter.closed == 0
    assert rig.inverter.closed == 1


async def test_bug_of_a_driver_is_not_hidden(rig: Rig) -> None:
    """What is no DriverError ends the task, which is for the supervisor to see; the driver is closed."""
    rig.inverter.script.append(ZeroDivisionError("a bug"))
    with pytest.raises(ZeroDivisionError):
        await rig.poller.run()
    assert rig.inverter.closed == 1


class Remembering(FakeInverter):
    """An inverter whose cloud knows the past.

    Attributes:
        asked: when it was asked, and for what.
        past_error: what it answers instead.
    """

    def __init__(self, clock: VirtualClock) -> None:
        super().__init__(clock, period_s=3600.0, read_s=5.0)
        self.asked: list[tuple[datetime, datetime]] = []
        self.past_error: DriverError | None = None

    async def read_past(self, start: datetime, end: datetime) -> tuple[PowerFlow, ...]:
        """Return a reading of the end of the interval."""
        self.asked.append((start, end))
        if self.past_error:
            raise self.past_error
        return (flow(end),)


async def test_the_past_is_read_between_two_polls(clock: VirtualClock, feed: RecordingFeed) -> None:
    """At once while the poller has nothing to do, else after its read; polls go on as planned."""
    rig = Rig(clock, feed, inverter := Remembering(clock))
    start, end = clock.now() - timedelta(hours=5), clock.now() - timedelta(hours=4)
    async with running(rig.poller.run()):
        during = asyncio.create_task(rig.poller.read_past(start, end))
        await asyncio.sleep(4)
        assert not during.done()
        await asyncio.sleep(2)
        assert during.result() == (flow(end),)
        await asyncio.sleep(100)
        assert await rig.poller.read_past(start, start) == (flow(start),)
        await asyncio.sleep(4000)
    assert inverter.asked == [(start, end), (start, start)]
    assert rig.waits_s() == [3600.0]
    assert rig.inbox.empty()  # it is no reading of now


async def test_a_past_that_cannot_be_read_is_the_askers_business(
    clock: VirtualClock, feed: RecordingFeed
) -> None:
    """The inverter is well all the same."""
    rig = Rig(clock, feed, inverter := Remembering(clock))
    inverter.past_error = TransientError("no budget left")
    async with running(rig.poller.run()):
        await asyncio.sleep(10)
        with pytest.raises(TransientError, match="no budget left"):
            await rig.poller.read_past(clock.now(), clock.now())
        await asyncio.sleep(1)
    assert all(event.ok for event in feed.health("roof"))


async def test_an_inverter_without_a_past_says_so(rig: Rig) -> None:
    """For good, so that nobody asks again."""
    async with running(rig.poller.run()):
        await asyncio.sleep(1)
        with pytest.raises(PermanentError, match="tells nothing of the past"):
            await rig.poller.read_past(rig.inverter.reads[0][0], rig.inverter.reads[0][0])
