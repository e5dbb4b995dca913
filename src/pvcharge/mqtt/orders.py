"""What the cloud wants to be done while it is silent: published by it, kept and obeyed by the edge."""

import asyncio
import json
from collections.abc import AsyncIterable, Awaitable, Callable, Mapping
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from typing import Annotated

from pydantic import Field, JsonValue

from pvcharge.model import Clock, Decision, LimitsCommand, Mode, ModeCommand, SettingsCommand
from pvcharge.mqtt import topics
from pvcharge.mqtt.attention import Attention
from pvcharge.mqtt.bus import Bus, Message
from pvcharge.mqtt.errors import Refusals
from pvcharge.mqtt.peer import Peer, own_time
from pvcharge.mqtt.topics import Namespace
from pvcharge.mqtt.waits import set_within
from pvcharge.mqtt.wire import Payload, PayloadError, Time, decode, encode

LOOK_S = 2.0  # the cloud may be alive for a while before its skew is known
AGAIN_S = 10.0  # after a broker did not take the orders
_Amps = Annotated[int, Field(ge=1, le=1000)]


@dataclass(frozen=True, slots=True)
class Orders:
    """The cloud's orders, in its own time.

    Attributes:
        at: when they were published.
        control: the cloud's `[control]` table.
        mode: the one in force.
        until: when a boost ends; None for one without an end, and for any other mode.
        mode_after: the mode after a boost; else the one in force.
        min_current_a: the limits of the current in force.
        max_current_a: the upper one.
    """

    at: datetime
    control: Mapping[str, JsonValue]
    mode: Mode
    until: datetime | None
    mode_after: Mode
    min_current_a: int
    max_current_a: int


class _Orders(Payload):
    at: Time
    control: dict[str, JsonValue]
    mode: Mode
    until: Time | None
    mode_after: Mode
    min_current_a: _Amps
    max_current_a: _Amps


def encode_orders(orders: Orders) -> str:
    """Return the payload of `cloud/orders`."""
    return encode(asdict(orders))


def decode_orders(payload: bytes) -> Orders:
    """Read the payload of `cloud/orders`; what stands in `control` is for somebody else to judge.

    Raises:
        PayloadError: it is none.
    """
    orders = Orders(**decode(_Orders, payload).values())
    try:
        json.dumps(orders.control, allow_nan=False)
    except ValueError:
        raise PayloadError("'control': holds a number that is not finite") from None
    return orders


class OrdersPublisher:
    """The cloud's end: publishes what is in force, retained, whenever that changes.

    Args:
        bus: the broker connection; not running yet.
        namespace: where the site's topics stand.
        clock: the cloud's time.
        control: its `[control]` table, until the feed brings another one.
        mode: the configured mode.
        limits: the configured limits of the current, both of them.
        events: a subscription of the feed.
    """

    def __init__(
        self,
        bus: Bus,
        namespace: Namespace,
        clock: Clock,
        control: Mapping[str, JsonValue],
        mode: Mode,
        limits: LimitsCommand,
        events: AsyncIterable[object],
    ) -> None:
        self._bus = bus
        self._topic = namespace.path(topics.ORDERS)
        self._clock = clock
        self._control = control
        self._mode_after = mode
        self._limits = limits
        self._events = events
        self._decided: tuple[Mode, datetime | None] | None = None  # nothing is known before a decision
        self._told: Orders | None = None  # as the broker has them
        self._news = asyncio.Event()
        bus.on_connect(self._greet_broker)

    async def run(self) -> None:
        """Publish what the feed brings, until cancelled."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._follow(), name="mqtt orders: follow")
            group.create_task(self._publish(), name="mqtt orders: publish")

    def note_edge(self, alive: bool) -> None:  # noqa: FBT001 - as the heartbeat tells it
        """Tell again when the edge comes back: its broker may have lost what was retained."""
        if alive:
            self._tell_again()

    async def _greet_broker(self) -> None:
        self._tell_again()

    def _tell_again(self) -> None:
        self._told = None
        self._news.set()

    async def _follow(self) -> None:
        async for event in self._events:
            self._take(event)
            if self._is_news():
                self._news.set()

    def _take(self, event: object) -> None:
        match event:
            case ModeCommand() if event.mode is not Mode.BOOST:
                self._mode_after = event.mode
            case Decision():
                if event.mode is not Mode.BOOST:
                    self._mode_after = event.mode
                self._decided = event.mode, event.boost_until
            case LimitsCommand():
                self._limits = event
            case SettingsCommand():
                self._control = json.loads(event.document)

    async def _publish(self) -> None:
        while True:
            await set_within(self._news, self._clock, AGAIN_S)
            orders = self._orders()
            if orders is None or not self._is_news():
                continue
            if await self._bus.publish(self._topic, encode_orders(orders), retain=True):
                self._told = orders

    def _is_news(self) -> bool:
        orders = self._orders()
        if orders is None or self._told is None:
            return orders is not None
        return replace(orders, at=self._told.at) != self._told

    def _orders(self) -> Orders | None:
        lowest_a, highest_a = self._limits.min_current_a, self._limits.max_current_a
        if self._decided is None or lowest_a is None or highest_a is None:
            return None
        mode, until = self._decided
        return Orders(self._clock.now(), self._control, mode, until, self._mode_after, lowest_a, highest_a)


class OrdersListener:
    """The edge's end: passes orders on, in the edge's time; what is wrong is answered.

    Without the cloud there is no telling what its times mean here. So a message that has waited at the broker
    is taken as far as it goes without them, and as a whole when the cloud is heard.

    Args:
        bus: the broker connection; not running yet.
        cloud: the cloud's heartbeat.
        namespace: where the site's topics stand.
        clock: the edge's time.
        on_orders: takes orders: the fields of `Orders` by name, `at` and `until` in the edge's time, and
            `told_at`, which is `at` as it came in. Raises ValueError to refuse them.
    """

    def __init__(
        self,
        bus: Bus,
        cloud: Peer,
        namespace: Namespace,
        clock: Clock,
        on_orders: Callable[[Mapping[str, object]], Awaitable[None]],
    ) -> None:
        self._cloud = cloud
        self._clock = clock
        self._on_orders = on_orders
        self._attention = Attention(bus, clock)
        self._refusals = Refusals(bus, namespace, topics.ORDERS, clock)
        self._waiting: Orders | None = None  # for the cloud to be heard
        self._guessed: Orders | None = None  # taken without
        self._news = asyncio.Event()
        bus.listen(namespace.path(topics.ORDERS), self._hear)

    def note_cloud(self, alive: bool) -> None:  # noqa: FBT001 - as the heartbeat tells it
        """Be told that the cloud is there, or not any more."""
        if alive:
            self._news.set()

    async def run(self) -> None:
        """Pass orders on until cancelled."""
        while True:
            await set_within(self._news, self._clock, LOOK_S)
            self._attention.look()
            orders, skew_s = self._waiting, self._cloud.skew_s
            if orders is None:
                continue
            if self._cloud.alive and skew_s is not None:
                self._waiting = None
                await self._take(orders, skew_s)
            elif self._attention.settled and orders is not self._guessed:
                self._guessed = orders
                await self._take(orders, skew_s)

    async def _hear(self, message: Message) -> None:
        try:
            self._waiting = decode_orders(message.payload)
        except PayloadError as error:
            await self._refusals.refuse(error)
        else:
            self._news.set()

    async def _take(self, orders: Orders, skew_s: float | None) -> None:
        now, told_at = self._clock.now(), orders.at
        if skew_s is None:
            if orders.mode is Mode.BOOST and orders.until is not None:
                orders = replace(orders, mode=orders.mode_after, until=None)
        elif orders.until is not None:
            orders = replace(orders, until=own_time(orders.until, skew_s))
        at = min(own_time(told_at, skew_s or 0.0), now)
        try:
            await self._on_orders({**asdict(orders), "at": at, "told_at": told_at})
        except ValueError as error:
            await self._refusals.refuse(PayloadError(str(error)))
