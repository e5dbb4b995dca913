"""Reads an inverter when its driver thinks a reading is worth it, and never twice at once."""

from datetime import datetime, timedelta

from pvcharge.drivers.base import Demand, DriverError, Inverter
from pvcharge.model import Clock
from pvcharge.tasks.feed import Feed
from pvcharge.tasks.queues import Inbox, Latest, first_of
from pvcharge.tasks.retry import Retry

LEAST_PAUSE_S = 1.0  # whatever a driver plans, its device is not asked more often


class Poller:
    """One inverter's task: the next read is planned after the last one ended.

    Args:
        inverter: the driver; this task alone calls it.
        clock: the daemon's time.
        inbox: where readings go, oldest first.
        demand: what readings would be good for; the plan is made anew whenever it changes.
        feed: where the device's health is published.
    """

    def __init__(
        self,
        inverter: Inverter,
        clock: Clock,
        inbox: Inbox,
        demand: Latest[Demand],
        feed: Feed,
    ) -> None:
        self._inverter = inverter
        self._clock = clock
        self._inbox = inbox
        self._demand = demand
        self._retry = Retry(inverter.name, clock, feed)

    async def run(self) -> None:
        """Poll until cancelled."""
        not_before = self._clock.now()
        try:
            while True:
                await self._wait_for_turn(not_before)
                not_before = self._clock.now() + timedelta(seconds=await self._poll())
        finally:
            await self._inverter.aclose()

    async def _wait_for_turn(self, not_before: datetime) -> None:
        while True:
            now = self._clock.now()
            planned = max(not_before, self._inverter.next_read_at(now, self._demand.value))
            if planned <= now:
                return
            await first_of(self._clock.sleep((planned - now).total_seconds()), self._demand.wait())

    async def _poll(self) -> float:
        """Read once; return the seconds to wait at least before the next read."""
        try:
            flows = await self._inverter.read()
        except DriverError as error:
            return self._retry.failed(error, dict(self._inverter.health()))
        for flow in flows:
            await self._inbox.put(flow)
        self._retry.succeeded(dict(self._inverter.health()))
        return LEAST_PAUSE_S
