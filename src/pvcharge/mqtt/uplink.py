"""What the edge tells of its devices: as little as shows everything, and nothing old."""

from collections import deque
from dataclasses import replace
from datetime import datetime

from pvcharge.model import ChargerStatus, Clock, PowerFlow
from pvcharge.mqtt import topics
from pvcharge.mqtt.bus import Bus
from pvcharge.mqtt.payloads import encode_flow, encode_status
from pvcharge.mqtt.peer import STATUS_EVERY_S, STATUS_GOOD_S
from pvcharge.mqtt.topics import Namespace

LEAST_S = 1.0  # between two statuses that differ in nothing but measurements
FLOW_GOOD_S = 60.0  # the broker drops a reading that it could not deliver for so long
_FLOWS = 100  # that may wait for a slow broker; the oldest give way


class Uplink:
    """Statuses and readings on their way up.

    Args:
        bus: the broker connection; not running yet.
        namespace: where the site's topics stand.
        clock: the edge's time.
    """

    def __init__(self, bus: Bus, namespace: Namespace, clock: Clock) -> None:
        self._bus = bus
        self._clock = clock
        self._charger_topic = namespace.path(topics.CHARGER)
        self._flow_topic = namespace.path(topics.FLOW)
        self._flows: deque[PowerFlow] = deque(maxlen=_FLOWS)
        self._status: ChargerStatus | None = None
        self._sent: ChargerStatus | None = None
        self._sent_at: datetime = clock.now()
        bus.on_connect(self._publish_status)

    def add_status(self, status: ChargerStatus) -> None:
        """Take a status; only the latest counts."""
        self._status = status

    def add_flow(self, flow: PowerFlow) -> None:
        """Take a reading."""
        self._flows.append(flow)

    async def send(self) -> None:
        """Send what is due. Readings that the broker does not take are gone, as they would be old later."""
        if self._status_is_due():
            await self._publish_status()
        while self._flows:
            payload = encode_flow(self._flows.popleft())
            await self._bus.publish(self._flow_topic, payload, expiry_s=FLOW_GOOD_S)

    def _status_is_due(self) -> bool:
        status, sent = self._status, self._sent
        if status is None or status is sent:
            return False
        if sent is None or _meaning(status) != _meaning(sent):
            return True
        elapsed_s = (self._clock.now() - self._sent_at).total_seconds()
        same = replace(status, at=sent.at) == sent
        return elapsed_s >= (STATUS_EVERY_S if same else LEAST_S)

    async def _publish_status(self) -> None:
        """Publish the latest status, unless it is so old that nobody may make use of it."""
        status, now = self._status, self._clock.now()
        if status is None:
            return
        good_s = STATUS_GOOD_S - (now - status.at).total_seconds()
        if good_s <= 0:
            return
        payload = encode_status(status)
        if await self._bus.publish(self._charger_topic, payload, retain=True, expiry_s=good_s):
            self._sent, self._sent_at = status, now


def _meaning(status: ChargerStatus) -> tuple[object, ...]:
    """Return what is told at once when it changes."""
    return status.state, status.setpoint, status.changed_by_hand_at, status.fault
