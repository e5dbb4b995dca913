"""One line on how the daemon is doing, for `systemctl status`: what is done, why, and who does not answer."""

import asyncio
from collections.abc import AsyncIterable, Callable
from datetime import UTC, tzinfo

from pvcharge.model import ChargerStatus, Decision, DeviceHealth
from pvcharge.words import explain, kilowatts, level, text

EVERY_S = 60.0  # real seconds: numbers alone are not told more often
MOST_FAILING = 5  # devices that are named


class StatusLine:
    """Follows the feed, and tells a line when what is done changes, else at most once a minute.

    Args:
        role: of the daemon.
        events: a subscription of the feed.
        tell: takes the line.
        timezone: of the house, for times of day.
    """

    def __init__(
        self, role: str, events: AsyncIterable[object], tell: Callable[[str], None], timezone: tzinfo = UTC
    ) -> None:
        self._role = role
        self._events = events
        self._tell = tell
        self._timezone = timezone
        self._decision: Decision | None = None
        self._status: ChargerStatus | None = None
        self._failing: dict[str, None] = {}  # names, in the order in which they began to fail
        self._answering: set[str] = set()
        self._told: tuple[object, ...] | None = None
        self._told_s = float("-inf")

    async def run(self) -> None:
        """Tell until cancelled."""
        loop = asyncio.get_running_loop()
        async for event in self._events:
            if not self._take(event):
                continue
            gist = self._gist()
            if gist != self._told or loop.time() - self._told_s >= EVERY_S:
                self._told, self._told_s = gist, loop.time()
                self._tell(self.line())

    def line(self) -> str:
        """Return how things are, such as `surplus: off. No car is plugged in. All devices answer.`."""
        return f"{self._doing()} {self._devices()}"

    def _take(self, event: object) -> bool:
        """Take an event into account, and return whether it says anything here."""
        match event:
            case Decision():
                self._decision = event
            case ChargerStatus():
                self._status = event
            case DeviceHealth():
                self._note(event)
            case _:
                return False
        return True

    def _note(self, health: DeviceHealth) -> None:
        if health.ok:
            self._failing.pop(health.name, None)
            self._answering.add(health.name)
        else:
            self._answering.discard(health.name)
            self._failing.setdefault(health.name)

    def _gist(self) -> tuple[object, ...]:
        """Return what is told at once when it changes."""
        decision, status = self._decision, self._status
        decided = decision and (decision.mode, decision.reason, decision.setpoint.phases)
        # A controller's decision says it all; an edge may have nothing but its charger.
        seen = status and (status.state, status.setpoint and status.setpoint.phases)
        return decided or seen, tuple(self._failing), bool(self._answering)

    def _doing(self) -> str:
        decision, status = self._decision, self._status
        if decision is not None:
            why = explain(decision, self._timezone)
            return f"{decision.mode.value}: {level(decision.setpoint)}. {why}"
        if status is not None:
            state = text(f"state.{status.state.value}")
            return f"{self._role}: {level(status.setpoint)}, {state}, {kilowatts(status.power_w)}."
        return f"{self._role}: nothing is known yet."

    def _devices(self) -> str:
        if not self._failing:
            return "All devices answer." if self._answering else "No device has answered yet."
        named = list(self._failing)[:MOST_FAILING]
        more = len(self._failing) - len(named)
        return f"Failing: {', '.join(named)}{f' and {more} more' if more else ''}."
