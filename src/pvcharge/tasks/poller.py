"""Reads an inverter when its driver thinks a reading is worth it, and never twice at once."""

import asyncio
from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from pvcharge.drivers.base import Demand, DriverError, Inverter, PastReader, PermanentError
from pvcharge.model import Clock, PowerFlow
from pvcharge.tasks.feed import Feed
from pvcharge.tasks.queues import Inbox, Latest, first_of
from pvcharge.tasks.retry import Retry

LEAST_PAUSE_S = 1.0  # whatever a driver plans, its device is not asked more often


@dataclass(frozen=True, slots=True)
class _Past:
    """An interval that somebody wants to know."""

    start: datetime
    end: datetime
    flows: asyncio.Future[tuple[PowerFlow, ...]]


class Poller:
    """One inverter's task: the next read is planned after the last one ended.

    Args:
        inverter: the driver; this task alone calls it.
        clock: the daemon's time.
        inbox: where readings go, oldest first.
        demand: what readings would be good for; the plan is made anew whenever it changes.
        feed: where the device's health is published.
        rank: of its readings among those of this house, 0 being trusted most.
    """

    def __init__(
        self,
        inverter: Inverter,
        clock: Clock,
        inbox: Inbox,
        demand: Latest[Demand],
        feed: Feed,
        rank: int = 0,
    ) -> None:
        self.name = inverter.name
        self._inverter = inverter
        self._clock = clock
        self._inbox = inbox
        self._demand = demand
        self._rank = rank
        self._retry = Retry(inverter.name, clock, feed)
        self._past: Latest[_Past | None] = Latest(None)

    @property
    def tells_past(self) -> bool:
        """Whether the inverter can be asked for the past."""
        return isinstance(self._inverter, PastReader)

    async def run(self) -> None:
        """Poll until cancelled."""
        not_before = self._clock.now()
        try:
            while True:
                await self._wait_for_turn(not_before)
                not_before = self._clock.now() + timedelta(seconds=await self._poll())
        finally:
            await self._inverter.aclose()

    async def read_past(self, start: datetime, end: datetime) -> tuple[PowerFlow, ...]:
        """Have an interval of the past read in this task, between two polls, for whoever else awaits it.

        Raises:
            DriverError: the read failed, or this inverter tells nothing of the past.
        """
        past = _Past(start, end, asyncio.get_running_loop().create_future())
        self._past.put(past)
        return await past.flows

    async def _wait_for_turn(self, not_before: datetime) -> None:
        while True:
            now = self._clock.now()
            planned = max(not_before, self._inverter.next_read_at(now, self._demand.value))
            if planned <= now:
                return
            pause_s = (planned - now).total_seconds()
            await first_of(self._clock.sleep(pause_s), self._demand.wait(), self._past.wait())
            await self._read_past()

    async def _read_past(self) -> None:
        """Do what was asked for, if anything; its failure says nothing of the inverter's health."""
        past, self._past.value = self._past.value, None
        if past is None or past.flows.done():
            return
        try:
            if not isinstance(self._inverter, PastReader):
                raise PermanentError(f"{self._inverter.name}: tells nothing of the past")
            past.flows.set_result(self._ranked(await self._inverter.read_past(past.start, past.end)))
        except DriverError as error:
            past.flows.set_exception(error)

    async def _poll(self) -> float:
        """Read once; return the seconds to wait at least before the next read."""
        try:
            flows = await self._inverter.read()
        except DriverError as error:
            return self._retry.failed(error, dict(self._inverter.health()))
        for flow in self._ranked(flows):
            await self._inbox.put(flow)
        self._retry.succeeded(dict(self._inverter.health()))
        return LEAST_PAUSE_S

    def _ranked(self, flows: Iterable[PowerFlow]) -> tuple[PowerFlow, ...]:
        return tuple(replace(flow, rank=self._rank) for flow in flows)
