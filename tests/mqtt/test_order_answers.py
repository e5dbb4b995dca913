"""A command from the sending side: what counts as its answer, and what is said when there is none."""

import asyncio
import json

import pytest

from mqtt.far_ends import NOON, SITE, RecordingBus
from pvcharge.model import Mode
from pvcharge.mqtt import topics
from pvcharge.mqtt.order import Order, OrderError
from pvcharge.mqtt.payloads import encode_refusal

pytestmark = pytest.mark.looptime


async def tell(bus: RecordingBus, mode: str | None, *, retained: bool = False) -> None:
    """Have the controller tell its state."""
    state = {"v": 1, "mode": mode, "reason_text": f"In mode {mode}."}
    await bus.deliver(SITE.path(topics.STATE), json.dumps(state), retained=retained)


def boost(bus: RecordingBus) -> Order:
    """Return the order of a boost."""
    return Order(bus, SITE, topics.BOOST_SET, "90", boosts=True)


async def test_an_order_is_published_once() -> None:
    """Not retained, void after a while, and not again when the connection was lost after it."""
    bus = RecordingBus()
    boost(bus)
    assert bus.published == []
    await bus.connect()
    await bus.connect()
    (message,) = bus.on(SITE.path(topics.BOOST_SET))
    assert (message.payload, message.retain, message.qos, message.expiry_s) == ("90", False, 1, 10.0)


async def test_an_order_that_the_broker_did_not_take_is_published_again() -> None:
    """A connection that breaks at once is made again."""
    bus = RecordingBus()
    order = boost(bus)
    bus.connected = False
    await order._send()  # noqa: SLF001 - as the bus calls it when the connection has gone again
    await bus.connect()
    assert len(bus.published) == 1


async def test_the_state_confirms() -> None:
    """The first state after the order that shows it in force is the answer."""
    bus = RecordingBus()
    order = boost(bus)
    await tell(bus, "boost")  # before it was sent: this is of an earlier one
    await bus.connect()
    await tell(bus, "boost", retained=True)
    await tell(bus, "surplus")
    answer = asyncio.create_task(order.answer())
    await asyncio.sleep(1)
    assert not answer.done()
    await tell(bus, "boost")
    assert await answer == "In mode boost."


@pytest.mark.parametrize(
    ("boosts", "mode", "in_force", "obeyed"),
    [
        (True, None, "boost", True),
        (True, None, "surplus", False),
        (False, None, "surplus", True),
        (False, None, "boost", False),
        (False, None, None, False),
        (None, Mode.OFF, "off", True),
        (None, Mode.OFF, "surplus", False),
    ],
)
async def test_what_confirms_what(
    boosts: bool | None,  # noqa: FBT001 - the command
    mode: Mode | None,
    in_force: str | None,
    obeyed: bool,  # noqa: FBT001 - the expectation
) -> None:
    """A boost that is off is any other mode; a mode is itself; an unknown mode is nothing."""
    bus = RecordingBus()
    order = Order(bus, SITE, topics.MODE_SET, "x", boosts=boosts, mode=mode)
    await bus.connect()
    await tell(bus, in_force)
    if obeyed:
        assert await order.answer() == f"In mode {in_force}."
    else:
        with pytest.raises(OrderError, match=f"its mode is still {in_force}"):
            await order.answer()


async def test_a_refusal_is_told() -> None:
    """What the controller answers beside the topic is what the user reads."""
    bus = RecordingBus()
    order = boost(bus)
    await bus.connect()
    for payload in (b"garbage", b"\xff", encode_refusal(NOON, "more than a day").encode()):
        await bus.deliver(SITE.error(topics.BOOST_SET), payload)
    with pytest.raises(OrderError, match="refused: more than a day"):
        await order.answer()


async def test_the_edge_alone_confirms_a_boost() -> None:
    """Without a controller there is no state; what the edge tells of the boost counts in the end."""
    bus = RecordingBus()
    order = boost(bus)
    await bus.connect()
    await bus.deliver(SITE.path(topics.BOOST), "ON")
    assert await order.answer() == "The edge boosts by itself; the controller does not answer."


@pytest.mark.parametrize(
    ("connects", "said"), [(True, "nobody has answered within 10 s"), (False, "no connection to the broker")]
)
async def test_silence_is_explained(connects: bool, said: str) -> None:  # noqa: FBT001 - see name
    """It may be the broker, the controller or the rights; the text says what to look at."""
    bus = RecordingBus()
    order = boost(bus)
    if connects:
        await bus.connect()
        await bus.deliver(SITE.path(topics.BOOST), "ON", retained=True)
        for garbage in (b"", b"[]", b"\xff", b"[" * 100_000):
            await bus.deliver(SITE.path(topics.STATE), garbage)
    else:
        bus.connected = False
    with pytest.raises(OrderError, match=said):
        await order.answer()
