"""The newest of everything that daemons tell, for whoever shows a demo."""

from collections import deque
from collections.abc import Mapping
from datetime import datetime, timedelta, tzinfo
from typing import Any

from pvcharge.model import ChargerStatus, Decision, DeviceHealth, PowerFlow, Setpoint
from pvcharge.words import STATES, explain, kilowatts, level

EVENTS = 5
SELDOM = timedelta(minutes=5)  # live readings are told so often, or nothing else could be seen


class Latest:
    """Keeps what a daemon publishes, be it on the feed or at the broker.

    Args:
        timezone: for times within sentences.

    Attributes:
        status: of the charger.
        why: the last decision in words, empty before the first.
        reading_age_s: how old the newest reading was then.
        requests_left: to the inverter's cloud.
        events: what has happened last, in words.
    """

    def __init__(self, timezone: tzinfo) -> None:
        self.status: ChargerStatus | None = None
        self.why = ""
        self.reading_age_s: float | None = None
        self.requests_left: float | None = None
        self.events: deque[str] = deque(maxlen=EVENTS)
        self._timezone = timezone
        self._level: str | None = None
        self._told_at: datetime | None = None  # the last reading

    def take(self, event: object, now: datetime) -> None:
        """Take an event of the feed into account."""
        match event:
            case PowerFlow() if event.span_s or self._told_at is None or now - self._told_at >= SELDOM:
                self._told_at = now
                self._note(f"reading: {self._grid(event)}", now)
            case ChargerStatus():
                if self.status is None or self.status.state is not event.state:
                    self._note(f"charger: {STATES[event.state]}", now)
                self.status = event
            case Decision() if event.binding:
                self.why, self.reading_age_s = explain(event, self._timezone), event.reading_age_s
                self._take_level(level(event.setpoint), now)
            case DeviceHealth():
                if not event.ok:
                    self._note(f"{event.name}: {event.error}", now)
                self._take_requests(event.facts.get("requests_left"))

    def take_state(self, state: Mapping[str, Any], now: datetime) -> None:
        """Take what a controller has published on `state`."""
        self.why = str(state.get("reason_text") or self.why)
        self.reading_age_s = state.get("reading_age_s")
        self._take_requests(state.get("requests_left"))
        phases, amps = state.get("setpoint_phases"), state.get("setpoint_a")
        if phases is not None and amps is not None:
            self._take_level(level(Setpoint(phases, amps)), now)

    def _take_level(self, wanted: str, now: datetime) -> None:
        if wanted != self._level:
            self._level = wanted
            self._note(f"setpoint: {wanted}", now)

    def _take_requests(self, left: object) -> None:
        if isinstance(left, int | float):
            self.requests_left = left

    def _note(self, text: str, now: datetime) -> None:
        self.events.append(f"{now.astimezone(self._timezone):%H:%M:%S}  {text}")

    def _grid(self, flow: PowerFlow) -> str:
        if flow.grid_w is None:
            return "says nothing of the grid"
        traded = f"{kilowatts(abs(flow.grid_w))} {'bought' if flow.grid_w > 0 else 'sold'}"
        if not flow.span_s:
            return f"{traded} now"
        start, end = (at.astimezone(self._timezone) for at in (flow.start, flow.end))
        return f"{traded} from {start:%H:%M} to {end:%H:%M}"
