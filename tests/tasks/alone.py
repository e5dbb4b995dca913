"""An edge around its stand-in, for the tests of that."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime
from typing import Any

from pvcharge.control import ControlSettings
from pvcharge.model import (
    ChargerState,
    ChargerStatus,
    Decision,
    Lease,
    Mode,
    Setpoint,
)
from pvcharge.tasks.orders_store import Orders
from pvcharge.tasks.queues import Latest
from pvcharge.tasks.stand_in import LOOK_S, StandIn
from tasks.fakes import RecordingFeed, VirtualClock, flow, running

LEASE_S = 60.0
AT_10_A, AT_13_A, FULL = Setpoint(3, 10), Setpoint(3, 13), Setpoint(3, 16)
SURPLUS_W = 6900.0
SOON_S = LOOK_S + 0.1


class Edge:
    """A stand-in with the test in the place of cloud, charger and sun.

    Attributes:
        heard: whether the cloud is heard.
        surplus_w: what the sun leaves for the car; None: the inverter is silent.
        box: what the charger is set to.
        by_hand: when it was last changed by hand.
    """

    def __init__(self, clock: VirtualClock, feed: RecordingFeed, **settings: Any) -> None:
        self.clock = clock
        self.feed = feed
        self.heard = True
        self.surplus_w: float | None = SURPLUS_W
        self.box = AT_10_A
        self.by_hand: datetime | None = None
        self.state: ChargerState | None = None
        self.leases: Latest[Lease | None] = Latest(None)
        self.stand_in = StandIn(
            ControlSettings(**settings),
            clock,
            self.leases,
            feed,
            lease_s=LEASE_S,
            heard=lambda: self.heard,
        )
        self._seq = 0

    @asynccontextmanager
    async def living(self) -> AsyncIterator[None]:
        """Run it and the house for as long as the context lasts."""
        house = asyncio.create_task(self._house())
        async with running(self.stand_in.run()):
            yield
        house.cancel()

    async def _house(self) -> None:
        """Let the charger do as it is told, and everything be measured, each second."""
        while True:
            lease = self.leases.value
            if lease is not None and self.clock.now() < lease.expires:
                self.box = lease.setpoint
            self.stand_in.observe(self._status())
            if self.surplus_w is not None:
                now = self.clock.now()
                ripple_w = now.timestamp() % 7
                self.stand_in.observe(flow(now, self.box.power_w(230) - self.surplus_w + ripple_w))
            await asyncio.sleep(1)

    def _status(self) -> ChargerStatus:
        state = self.state or (ChargerState.CHARGING if self.box.charges else ChargerState.READY)
        power_w = self.box.power_w(230)
        now = self.clock.now()
        return ChargerStatus(
            now,
            state,
            power_w,
            self.box.phases,
            float(self.box.current_a),
            setpoint=self.box,
            changed_by_hand_at=self.by_hand,
        )

    def lease(self, setpoint: Setpoint = AT_10_A, duration_s: float = LEASE_S) -> Lease:
        """Have a lease come in, of the cloud if that is heard, else of the edge's own boost."""
        self._seq += 1
        lease = Lease(self._seq, self.clock.now(), duration_s, setpoint, self.by_hand)
        self.stand_in.take_lease(lease)
        return lease

    async def is_left_alone(self) -> None:
        """Have the cloud lead for a while, and fall silent."""
        await asyncio.sleep(1)
        self.lease()
        await asyncio.sleep(20)
        self.lease()
        self.heard = False

    def change_by_hand(self, setpoint: Setpoint) -> None:
        """Change the charger at the box."""
        self.box, self.by_hand = setpoint, self.clock.now()
        self.stand_in.observe(self._status())

    def orders(self, **changes: Any) -> Orders:
        """Return orders of now."""
        now = self.clock.now()
        good: dict[str, Any] = {
            "at": now,
            "told_at": now,
            "control": ControlSettings(),
            "mode": Mode.SURPLUS,
            "mode_after": Mode.SURPLUS,
            "min_current_a": 6,
            "max_current_a": 16,
        }
        return Orders(**(good | changes))

    @property
    def own(self) -> list[Lease]:
        """Its own leases."""
        return [event for event in self.feed.events if isinstance(event, Lease)]

    def decided(self) -> Decision:
        """Its last decision."""
        return next(event for event in reversed(self.feed.events) if isinstance(event, Decision))
