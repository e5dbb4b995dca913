"""The edge's relay: what the devices say goes up, and the pollers hear whether there is a car."""

import asyncio
from datetime import datetime, timedelta
from itertools import pairwise

import pytest

from pvcharge.drivers.base import Demand
from pvcharge.model import ChargerState, ChargerStatus, LimitsCommand, Mode, ModeCommand, PowerFlow
from pvcharge.tasks.queues import Inbox, Latest
from pvcharge.tasks.relay import TICK_S, Relay
from tasks.fakes import START, VirtualClock, flow, running

pytestmark = pytest.mark.looptime


class Rig:
    """A relay that is its own way up, with the test in the place of the devices.

    Attributes:
        sent: what went up, in order.
        progress_at: when the watchdog was fed.
    """

    def __init__(self, clock: VirtualClock) -> None:
        self.clock = clock
        self.inbox: Inbox = asyncio.Queue(1000)
        self.demands = [Latest(Demand(car_plugged=False)) for _ in range(2)]
        self.sent: list[ChargerStatus | PowerFlow] = []
        self.progress_at: list[datetime] = []
        self.relay = Relay(self, clock, self.inbox, self.demands, self._progressed)

    def _progressed(self) -> None:
        self.progress_at.append(self.clock.now())

    def send_status(self, status: ChargerStatus) -> None:
        """Remember."""
        self.sent.append(status)

    def send_flow(self, flow: PowerFlow) -> None:
        """Remember."""
        self.sent.append(flow)

    def watched(self) -> list[ChargerStatus | PowerFlow]:
        """Have what goes up watched from here, and return where it is put."""
        seen: list[ChargerStatus | PowerFlow] = []
        self.relay = Relay(self, self.clock, self.inbox, self.demands, watch=seen.append)
        return seen

    def status(self, state: ChargerState = ChargerState.READY) -> ChargerStatus:
        """Return a status of now."""
        return ChargerStatus(self.clock.now(), state, 0.0)

    async def say(self, state: ChargerState) -> None:
        """Let the charger report, and the relay have its turn."""
        self.inbox.put_nowait(self.status(state))
        await asyncio.sleep(0.1)


@pytest.fixture
async def rig(clock: VirtualClock) -> Rig:
    """Return a relay that is not running yet."""
    return Rig(clock)


async def test_statuses_and_readings_go_up_in_order(rig: Rig) -> None:
    """At once, be it one or a heap of them."""
    seen: list[ChargerStatus | PowerFlow] = [
        flow(START),
        rig.status(),
        flow(START + timedelta(seconds=1)),
        rig.status(ChargerState.CHARGING),
        rig.status(),
    ]
    async with running(rig.relay.run()):
        rig.inbox.put_nowait(seen[0])
        await asyncio.sleep(0.1)
        assert rig.sent == seen[:1]
        for one in seen[1:]:
            rig.inbox.put_nowait(one)
        await asyncio.sleep(0.1)
        assert rig.sent == seen


async def test_commands_go_nowhere(rig: Rig) -> None:
    """Nobody commands an edge but through the cloud; what comes after them is not held up."""
    status = rig.status()
    async with running(rig.relay.run()):
        for seen in (ModeCommand(Mode.BOOST), LimitsCommand(max_current_a=10), status):
            rig.inbox.put_nowait(seen)
        await asyncio.sleep(0.1)
        assert rig.sent == [status]


async def test_a_stand_in_sees_all_that_goes_up(rig: Rig) -> None:
    """Statuses and readings, in order, and no commands."""
    watched = rig.watched()
    async with running(rig.relay.run()):
        for seen in (flow(START), ModeCommand(Mode.BOOST), rig.status()):
            rig.inbox.put_nowait(seen)
        await asyncio.sleep(0.1)
    assert watched == rig.sent
    assert len(watched) == 2


async def test_what_comes_in_the_moment_of_the_tick_is_not_lost(rig: Rig) -> None:
    """Whether the tick or the reading wins, it goes up."""
    readings = [flow(START + timedelta(seconds=number)) for number in range(10)]
    async with running(rig.relay.run()):
        for reading in readings:
            await asyncio.sleep(TICK_S)
            rig.inbox.put_nowait(reading)
        await asyncio.sleep(0.1)
    assert rig.sent == readings


async def test_pollers_are_told_when_a_car_comes_or_goes(rig: Rig) -> None:
    """All of them; a box that cannot say whether there is a car, is taken to have one."""
    async with running(rig.relay.run()):
        for state in (*ChargerState, ChargerState.DISCONNECTED, ChargerState.READY):
            await rig.say(state)
            expected = Demand(car_plugged=state is not ChargerState.DISCONNECTED)
            assert [demand.value for demand in rig.demands] == [expected] * 2


async def test_pollers_are_told_of_changes_only(rig: Rig) -> None:
    """A poller that is told plans anew, and a reading may have its price."""
    async with running(rig.relay.run()):
        await rig.say(ChargerState.DISCONNECTED)
        assert not await woken(rig.demands[0])
        await rig.say(ChargerState.READY)
        assert await woken(rig.demands[0])
        for state in (ChargerState.CHARGING, ChargerState.COMPLETE, ChargerState.UNKNOWN):
            await rig.say(state)
        rig.inbox.put_nowait(flow(rig.clock.now()))
        assert not await woken(rig.demands[0])


async def woken(demand: Latest[Demand]) -> bool:
    """Return whether a poller would be told something now or soon."""
    try:
        await asyncio.wait_for(demand.wait(), 60)
    except TimeoutError:
        return False
    return True


async def test_the_watchdog_is_fed_in_silence(rig: Rig) -> None:
    """Devices that say nothing are no reason to restart the edge."""
    async with running(rig.relay.run()):
        await asyncio.sleep(60.5)
    assert pauses_s(rig) == {TICK_S}
    assert len(rig.progress_at) == 12


@pytest.mark.parametrize("every_s", [0.7, 4.9, 7.0])
async def test_the_watchdog_is_fed_in_time_though_devices_speak(rig: Rig, every_s: float) -> None:
    """However their words and the ticks fall together."""
    async with running(rig.relay.run()):
        for _ in range(50):
            rig.inbox.put_nowait(rig.status())
            await asyncio.sleep(every_s)
    assert rig.progress_at[0] == START
    assert max(pauses_s(rig)) <= TICK_S
    assert len(rig.sent) == 50


def pauses_s(rig: Rig) -> set[float]:
    """Return how long it was from one feeding of the watchdog to the next."""
    return {round((later - earlier).total_seconds(), 3) for earlier, later in pairwise(rig.progress_at)}
