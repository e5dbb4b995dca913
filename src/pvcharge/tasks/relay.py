"""The edge's middle task, in the place of the control loop: what the devices say goes up to the cloud."""

from collections.abc import Callable, Sequence
from typing import Protocol

from pvcharge.drivers.base import Demand
from pvcharge.model import ChargerState, ChargerStatus, Clock, PowerFlow
from pvcharge.tasks.queues import Inbox, Latest, Letter, first_of

TICK_S = 5.0  # the watchdog is fed at least so often, though devices may be silent


class Uplink(Protocol):
    """The way up, which never waits; `pvcharge.mqtt.bridge.EdgeBridge` is the real one."""

    def send_status(self, status: ChargerStatus) -> None:
        """Have a status sent up."""
        ...

    def send_flow(self, flow: PowerFlow) -> None:
        """Have a reading sent up."""
        ...


class Relay:
    """Hands statuses and readings up, and tells the local pollers whether there is a car.

    Args:
        uplink: the way up.
        clock: the edge's time.
        inbox: where the charger task and the pollers put what they hear.
        demands: the pollers' mailboxes.
        progressed: called after each turn, for the watchdog.
        watch: told of every status and reading too, such as the stand-in's `observe`.
    """

    def __init__(
        self,
        uplink: Uplink,
        clock: Clock,
        inbox: Inbox,
        demands: Sequence[Latest[Demand]],
        progressed: Callable[[], None] = lambda: None,
        watch: Callable[[PowerFlow | ChargerStatus], None] | None = None,
    ) -> None:
        self._uplink = uplink
        self._clock = clock
        self._inbox = inbox
        self._demands = demands
        self._progressed = progressed
        self._watch = watch

    async def run(self) -> None:
        """Relay until cancelled."""
        while True:
            await first_of(self._take_next(), self._clock.sleep(TICK_S))
            while not self._inbox.empty():
                self._take(self._inbox.get_nowait())
            self._progressed()

    async def _take_next(self) -> None:
        self._take(await self._inbox.get())

    def _take(self, seen: Letter) -> None:
        match seen:
            case ChargerStatus():
                self._uplink.send_status(seen)
                demand = Demand(car_plugged=seen.state is not ChargerState.DISCONNECTED)
                for mailbox in self._demands:
                    mailbox.update(demand)
            case PowerFlow():
                self._uplink.send_flow(seen)
            case _:
                return  # nobody commands an edge but through the cloud
        if self._watch:
            self._watch(seen)
