"""A charger task with its surroundings, for the tests of it."""

import asyncio
from typing import Literal

from pvcharge.model import ChargerStatus, Lease, Setpoint, SetpointLimits
from pvcharge.tasks.charger_task import ChargerTask, EdgeSettings, OnSilence
from pvcharge.tasks.queues import Inbox, Latest
from tasks.fakes import FakeCharger, RecordingFeed, VirtualClock

LEASE_S = 60.0


class ChargerRig:
    """A charger task at a `FakeCharger`, with the test in the place of the control loop."""

    def __init__(
        self,
        clock: VirtualClock,
        feed: RecordingFeed,
        *,
        on_silence: OnSilence = OnSilence.STOP,
        phases: tuple[Literal[1, 3], ...] = (1, 3),
        charger: FakeCharger | None = None,
    ) -> None:
        self.clock = clock
        self.charger = charger or FakeCharger(clock)
        self.inbox: Inbox = asyncio.Queue(1000)
        self.leases: Latest[Lease | None] = Latest(None)
        self.task = ChargerTask(
            self.charger,
            clock,
            self.leases,
            self.inbox,
            feed,
            EdgeSettings(lease_s=LEASE_S, on_silence=on_silence),
            SetpointLimits(phases, 6, 16),
        )
        self.feed = feed
        self._seq = 0

    def lease(self, setpoint: Setpoint, duration_s: float = LEASE_S) -> None:
        """Lease a setpoint from now on, knowing what the charger has said up to now."""
        self._seq += 1
        by_hand = self.charger.status.changed_by_hand_at
        self.leases.put(Lease(self._seq, self.clock.now(), duration_s, setpoint, by_hand))

    async def settle(self, setpoint: Setpoint) -> None:
        """Lease a setpoint and give the task its turn."""
        await asyncio.sleep(0.1)
        self.lease(setpoint)
        await asyncio.sleep(0.1)

    def told(self) -> list[ChargerStatus]:
        """Return what the control loop would have got since the last call."""
        told = []
        while not self.inbox.empty():
            status = self.inbox.get_nowait()
            assert isinstance(status, ChargerStatus)
            told.append(status)
        return told
