"""Garbage on every topic that cloud or edge reads: it changes nothing, and its sender gets few answers."""

from collections.abc import Callable
from contextlib import suppress
from itertools import pairwise
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mqtt.far_ends import make_lease, make_status, spoiled
from pvcharge.control import ControlSettings
from pvcharge.model import Mode, ModeCommand, Setpoint
from pvcharge.mqtt import payloads, topics
from pvcharge.mqtt.heartbeat import Beat, Echo
from pvcharge.mqtt.orders import Orders, decode_orders, encode_orders
from pvcharge.mqtt.peer import seq_at
from pvcharge.mqtt.topics import ERROR, TOPICS, Party
from pvcharge.mqtt.wire import PayloadError
from pvcharge.tasks.charger_task import OnSilence
from split.house import FULL, SITE, START, House, live
from support.fake_bus import text_of
from tasks.fakes import flow

AT_10_A, AT_10_A_W = Setpoint(3, 10), 6900.0
AGREED_S = 0.99  # between two answers; a clock may be read a moment before a message leaves


def refused_by(decode: Callable[[bytes], Any]) -> Callable[[bytes], bool]:
    """Return a filter of what is really garbage there."""

    def is_garbage(payload: bytes) -> bool:
        with suppress(PayloadError):
            decode(payload)
            return False
        return True

    return is_garbage


huge = st.sampled_from([b"[" * 8000, b"9" * 9000, b'{"v":' * 1500])
words = st.one_of(
    st.binary(max_size=200),
    st.text(st.characters(exclude_categories=["Cs"]), max_size=20).map(str.encode),
    st.sampled_from([b"0", b"-5", b"1441", b"1e3", b"10.0", b"ON\0", b"boo st", b"null", b"5", b"33"]),
)
lease = payloads.encode_lease(make_lease(START, seq=seq_at(START), setpoint=FULL))
status = payloads.encode_status(make_status(START))
reading = payloads.encode_flow(flow(START))
kept = payloads.encode_boost(START, ModeCommand(Mode.BOOST))
refusal = payloads.encode_refusal(START, "refused")
control = ControlSettings().model_dump(mode="json")
orders = encode_orders(Orders(START, control, Mode.OFF, None, Mode.OFF, 6, 16))
beat = Beat(seq=7, at=START, echo=Echo(seq=7, at=START, received=START)).model_dump_json()

GARBAGE: dict[str, st.SearchStrategy[bytes]] = {
    SITE.path(topics.SETPOINT): spoiled(lease).filter(refused_by(payloads.decode_lease)),
    SITE.error(topics.SETPOINT): spoiled(refusal).filter(refused_by(payloads.decode_refusal)),
    SITE.path(topics.CHARGER): spoiled(status).filter(refused_by(payloads.decode_status)),
    SITE.path(topics.FLOW): spoiled(reading).filter(refused_by(payloads.decode_flow)),
    SITE.path(topics.EDGE_BOOST): spoiled(kept).filter(refused_by(payloads.decode_boost)),
    SITE.path(topics.ORDERS): spoiled(orders).filter(refused_by(decode_orders)),
    SITE.path(topics.EDGE_HEARTBEAT): spoiled(beat),
    SITE.path(topics.CLOUD_HEARTBEAT): spoiled(beat),
    SITE.path(topics.BOOST_SET): words.filter(
        refused_by(lambda payload: payloads.parse_boost(payload, START))
    ),
    SITE.path(topics.MODE_SET): words.filter(refused_by(payloads.parse_mode)),
    SITE.path(topics.MIN_CURRENT_SET): words.filter(lambda payload: not payload.strip().isdigit()),
    SITE.path(topics.MAX_CURRENT_SET): words.filter(lambda payload: not payload.strip().isdigit()),
    SITE.path(topics.EDGE_STATUS): words,
    SITE.path(topics.CLOUD_STATUS): words,
    SITE.path(topics.BOOST): words,
    SITE.path(topics.MODE): words,
    "homeassistant/status": words,
}
loads = st.fixed_dictionaries(
    {topic: st.lists(st.one_of(garbage, huge), min_size=1, max_size=3) for topic, garbage in GARBAGE.items()}
)


@pytest.mark.looptime(noop_cycles=1)
async def test_all_that_is_read_is_covered(tmp_path: Path) -> None:
    """A topic that is added must not be forgotten here."""
    house = House(tmp_path, on_silence=OnSilence.LOCAL)
    async with house.running():
        await house.passes(1)
        read = {*house.edge.topics, *house.cloud.topics}
    table = {SITE.path(topic) for topic in TOPICS if topic.readers & {Party.EDGE, Party.CLOUD}}
    assert read | table <= GARBAGE.keys()


@settings(max_examples=10)
@given(loads, st.booleans(), st.sampled_from([OnSilence.STOP, OnSilence.LOCAL]))
@pytest.mark.fault("broker", "garbage")
@pytest.mark.fault("broker", "wrong type")
def test_garbage_changes_nothing(
    load: dict[str, list[bytes]],
    with_cloud: bool,  # noqa: FBT001 - a case
    on_silence: OnSilence,
) -> None:
    """Also retained, and also when the edge is alone: both go on, the box stays as it is, answers are few."""

    async def life() -> None:
        with TemporaryDirectory() as folder:
            house = House(Path(folder), on_silence=on_silence)
            async with house.running():
                await _settle(house, with_cloud=with_cloud)
                before = house.writes()
                await _throw(house, load)
                assert house.writes() == before
                _check_answers(house)
                house.heal()
                house.shines(8970.0)
                assert await house.until(lambda: house.box.setpoint == Setpoint(3, 13), 150) is not None

    live(life)


async def _settle(house: House, *, with_cloud: bool) -> None:
    assert await house.charges(AT_10_A_W) == AT_10_A
    if not with_cloud:
        await house.cloud.kill()
        await house.passes(100)
    await house.passes(5)


async def _throw(house: House, load: dict[str, list[bytes]]) -> None:
    """Publish everything: in a burst, in pairs of a topic, and so that it is found at a connect."""
    for retain in (False, True):
        for topic, garbage in load.items():
            for payload in garbage:
                house.broker.publish(topic, text_of(payload), retain=retain)
            await house.passes(0.3)
        await house.passes(2)
    for side in (house.edge, house.cloud):
        side.cut()
        await house.passes(1)
        side.restore()
        await house.passes(3)


def _check_answers(house: House) -> None:
    """Check that nobody is answered more than once a second."""
    answered: dict[str, list[float]] = {}
    thrown = refused_by(payloads.decode_refusal)
    for published in house.broker.published:
        if published.topic.endswith(ERROR) and not thrown(published.message().payload):
            answered.setdefault(published.topic, []).append(published.at_s)
    assert SITE.error(topics.BOOST_SET) in answered
    for topic, times_s in answered.items():
        assert all(later_s - at_s >= AGREED_S for at_s, later_s in pairwise(times_s)), topic
