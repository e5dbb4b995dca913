"""What the tests of both ends of the bridge share: a bus in the test's hands, a peer, samples."""

import asyncio
import json
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from hypothesis import strategies as st

from pvcharge.model import ChargerState, ChargerStatus, Lease, PowerFlow, Setpoint
from pvcharge.mqtt.bus import Handler, Hook, Message
from pvcharge.mqtt.peer import seq_at
from pvcharge.mqtt.topics import Namespace

NOON = datetime(2026, 6, 15, 12, tzinfo=UTC)
SITE = Namespace("pvcharge", "home")


class ManualClock:
    """A clock that stands still unless the test moves it."""

    def __init__(self, now: datetime = NOON) -> None:
        self._now = now

    def now(self) -> datetime:
        """Return the time as set."""
        return self._now

    async def sleep(self, seconds: float) -> None:
        """Let the time pass at once."""
        self.advance(seconds)

    def advance(self, seconds: float) -> None:
        """Let time pass."""
        self._now += timedelta(seconds=seconds)


@dataclass
class FakePeer:
    """The other side, as alive as the test wants."""

    alive: bool = True
    skew_s: float | None = 0.0


@dataclass(frozen=True)
class Published:
    """A message that went out."""

    topic: str
    payload: str
    qos: int
    retain: bool
    expiry_s: float | None

    @property
    def values(self) -> dict[str, Any]:
        """The payload's JSON object."""
        values: dict[str, Any] = json.loads(self.payload)
        return values


class RecordingBus:
    """Remembers what is published and delivers what the test says.

    Attributes:
        connected: whether the broker takes anything.
        published: what it has taken, in order.
    """

    def __init__(self) -> None:
        self.connected = True
        self.published: list[Published] = []
        self._handlers: dict[str, Handler] = {}
        self._hooks: list[Hook] = []

    def listen(self, topic: str, handler: Handler) -> None:
        """Remember the handler."""
        self._handlers[topic] = handler

    def on_connect(self, hook: Hook) -> None:
        """Remember the hook."""
        self._hooks.append(hook)

    async def publish(
        self, topic: str, payload: str, *, qos: int = 1, retain: bool = False, expiry_s: float | None = None
    ) -> bool:
        """Take a message, if connected."""
        if self.connected:
            self.published.append(Published(topic, payload, qos, retain, expiry_s))
        return self.connected

    async def deliver(self, topic: str, payload: str | bytes, *, retained: bool = False) -> None:
        """Hand a message to whoever listens."""
        data = payload.encode() if isinstance(payload, str) else payload
        await self._handlers[topic](Message(topic, data, retained))

    async def connect(self) -> None:
        """Come back after a loss."""
        self.connected = True
        for hook in self._hooks:
            await hook()

    @property
    def topics(self) -> set[str]:
        """The topics that are listened to."""
        return set(self._handlers)

    def on(self, topic: str) -> list[Published]:
        """Return what has been published on a topic."""
        return [message for message in self.published if message.topic == topic]


def make_status(at: datetime = NOON, **changes: Any) -> ChargerStatus:
    """Return a status of a car that charges."""
    values: dict[str, Any] = {
        "state": ChargerState.CHARGING,
        "power_w": 6900.0,
        "phases": 3,
        "current_a": 9.9,
        "setpoint": Setpoint(3, 10),
        "max_current_a": 16,
    }
    return ChargerStatus(at=at, **(values | changes))


def make_lease(at: datetime = NOON, **changes: Any) -> Lease:
    """Return a lease of 3 x 10 A for a minute, from a cloud whose clock is that of the edge."""
    return replace(Lease(seq_at(at), at, 60.0, Setpoint(3, 10)), **changes)


@asynccontextmanager
async def running(coroutine: Coroutine[Any, Any, None]) -> AsyncIterator[None]:
    """Run something for as long as the context lasts; it must not have ended by itself."""
    task = asyncio.create_task(coroutine)
    try:
        yield
        assert not task.done()
    finally:
        task.cancel()
        await asyncio.wait([task])


times = st.datetimes(datetime(2020, 1, 2), datetime(2099, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001 - see timezones
amps = st.integers(0, 63)
setpoints = st.one_of(
    st.just(Setpoint(0, 0)), st.builds(Setpoint, st.sampled_from([1, 3]), st.integers(1, 63))
)
_powers = st.floats(-1e6, 1e6)
_energies = st.one_of(st.none(), st.floats(0, 1e9))
statuses = st.builds(
    ChargerStatus,
    at=times,
    state=st.sampled_from(ChargerState),
    power_w=_powers,
    phases=st.integers(0, 3),
    current_a=st.floats(0, 63),
    setpoint=st.one_of(st.none(), setpoints),
    min_current_a=st.one_of(st.none(), amps),
    max_current_a=st.one_of(st.none(), amps),
    session_wh=_energies,
    total_wh=_energies,
    changed_by_hand_at=st.one_of(st.none(), times),
    fault=st.one_of(st.none(), st.text(st.characters(exclude_categories=["Cs"]), max_size=100)),
)
_maybe_powers = st.one_of(st.none(), _powers)
flows = st.builds(
    lambda start, span_s, powers, rank, limited: PowerFlow(
        start, start + timedelta(seconds=span_s), **powers, source="roof", rank=rank, limited=limited
    ),
    times,
    st.floats(0, 3600),
    st.fixed_dictionaries(dict.fromkeys(("pv_w", "grid_w", "battery_w", "load_w"), _maybe_powers)),
    st.integers(0, 1000),
    st.booleans(),
)
leases = st.builds(
    Lease,
    seq=times.map(seq_at),
    at=times,
    duration_s=st.floats(1, 3600),
    setpoint=setpoints,
)

_json_values = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=20)),
    lambda inner: st.one_of(
        st.lists(inner, max_size=4), st.dictionaries(st.text(max_size=8), inner, max_size=4)
    ),
    max_leaves=12,
)


def spoiled(payload: str) -> st.SearchStrategy[bytes]:
    """Return what may come in instead of a good payload: bytes, JSON, or the payload with one key changed."""
    values = json.loads(payload)
    changed = st.tuples(st.sampled_from([*values, "more"]), _json_values).map(
        lambda change: json.dumps(values | {change[0]: change[1]}).encode()
    )
    missing = st.sampled_from(sorted(values)).map(
        lambda key: json.dumps({name: value for name, value in values.items() if name != key}).encode()
    )
    return st.one_of(
        st.binary(max_size=200), _json_values.map(lambda it: json.dumps(it).encode()), changed, missing
    )
