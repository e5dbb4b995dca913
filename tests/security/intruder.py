"""Somebody who holds the broker: hears everything, and says anything in anybody's name."""

import asyncio
import json
from collections.abc import Sequence
from datetime import datetime, timedelta
from itertools import pairwise

from pvcharge.control import ControlSettings
from pvcharge.model import Lease, Mode, Setpoint
from pvcharge.mqtt import topics
from pvcharge.mqtt.heartbeat import Beat, Echo
from pvcharge.mqtt.orders import Orders, encode_orders
from pvcharge.mqtt.payloads import encode_lease
from pvcharge.mqtt.peer import seq_at
from split.house import SITE, START, House
from support.fake_bus import text_of

HOUR_S = 3600.0
BEAT_S = 5.0
LOOSEST = {
    **ControlSettings().model_dump(mode="json"),
    "min_current_a": 6,
    "max_current_a": 32,
    "phases": [1, 3],
    "on_stale": "minimum",
    "min_on_s": 0,
    "min_off_s": 0,
    "start_cost_wh": 1,
    "phase_switch_cost_wh": 1,
    "max_starts_per_hour": 60,
    "max_phase_switches_per_hour": 60,
    "respect_hand_s": 0,
}


class Intruder:
    """Speaks in the cloud's name, whose clock is right; the real one is kept out by its client id.

    Args:
        house: whose broker it is.
    """

    def __init__(self, house: House) -> None:
        self._house = house
        self._beats = 0
        self._seq = 0

    def now(self) -> datetime:
        """Return the time."""
        return START + timedelta(seconds=self._house.now_s)

    async def keep_alive(self) -> None:
        """Answer the edge's heartbeats until cancelled, so that it takes us for the cloud."""
        while True:
            self.beat()
            await asyncio.sleep(BEAT_S)

    def beat(self) -> None:
        """Send a heartbeat that answers the edge's last one."""
        self._beats += 1
        topic = SITE.path(topics.EDGE_HEARTBEAT)
        heard = next((it for it in reversed(self._house.broker.published) if it.topic == topic), None)
        echo = None
        if heard is not None:
            told = json.loads(heard.payload)
            echo = Echo(seq=told["seq"], at=datetime.fromisoformat(told["at"]), received=self.now())
        beat = Beat(seq=self._beats, at=self.now(), echo=echo)
        self._house.broker.publish(SITE.path(topics.CLOUD_HEARTBEAT), beat.model_dump_json(), qos=0)

    def lease(
        self, setpoint: Setpoint, lease_s: float = 60.0, *, ahead_s: float = 0.0, retain: bool = False
    ) -> None:
        """Lease a setpoint, numbered as if it were decided some time ahead."""
        self._seq = max(self._seq + 1, seq_at(self.now() + timedelta(seconds=ahead_s)))
        lease = Lease(self._seq, self.now(), lease_s, setpoint)
        self._house.broker.publish(SITE.path(topics.SETPOINT), encode_lease(lease), retain=retain)

    def order(self, mode: Mode) -> None:
        """Order to be led as loosely as can be said, for all time to come."""
        far = self.now() + timedelta(days=20_000)
        after = Mode.MIN_SURPLUS if mode is Mode.BOOST else mode
        orders = Orders(far, LOOSEST, mode, None, after, 6, 32)
        self._house.broker.publish(SITE.path(topics.ORDERS), encode_orders(orders), retain=True)

    def repeat_everything(self) -> None:
        """Publish again all that was ever said at this broker."""
        for old in list(self._house.broker.published)[-200:]:
            self._house.broker.publish(old.topic, text_of(old.message().payload))


def most_in_an_hour(times_s: Sequence[float]) -> int:
    """Return how many of these times lie within one hour, at most."""
    return max((sum(at_s <= other < at_s + HOUR_S for other in times_s) for at_s in times_s), default=0)


def starts(writes: Sequence[tuple[float, Setpoint]]) -> list[float]:
    """Return when the charge was started; writes begin with what the box was set to."""
    return [at_s for (_, one), (at_s, other) in pairwise(writes) if other.charges and not one.charges]


def switches(writes: Sequence[tuple[float, Setpoint]]) -> list[float]:
    """Return when the number of phases was changed, with or without a pause in between."""
    charging = [(at_s, setpoint.phases) for at_s, setpoint in writes if setpoint.charges]
    return [at_s for (_, one), (at_s, other) in pairwise(charging) if one != other]
