"""Readings of inverters in the house, as the cloud takes them."""

from collections.abc import MutableMapping
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mqtt.far_ends import NOON, SITE, FakePeer, ManualClock, RecordingBus, flows, spoiled
from pvcharge.model import PowerFlow
from pvcharge.mqtt import topics
from pvcharge.mqtt.flows import AHEAD_S, FlowListener
from pvcharge.mqtt.payloads import decode_flow, decode_refusal, encode_flow
from pvcharge.mqtt.wire import PayloadError

SKEWS_S = [-600.0, 0.0, 600.0]


class Cloud:
    """A listener with the test in the place of edge and control loop.

    Attributes:
        edge: its heartbeat.
        taken: the readings that were passed on.
    """

    def __init__(self, *, alive: bool = True, skew_s: float | None = 0.0) -> None:
        self.clock = ManualClock()
        self.bus = RecordingBus()
        self.edge = FakePeer(alive, skew_s)
        self.taken: list[PowerFlow] = []
        FlowListener(self.bus, self.edge, SITE, self.clock, self._take)

    async def _take(self, flow: PowerFlow) -> None:
        self.taken.append(flow)

    def reading(self, age_s: float = 1.0, span_s: float = 0.0, source: str = "roof") -> PowerFlow:
        """Return a reading that is so old and a mean over so long, in the edge's time."""
        end = self.clock.now() + timedelta(seconds=(self.edge.skew_s or 0.0) - age_s)
        return PowerFlow(end - timedelta(seconds=span_s), end, pv_w=5000.0, grid_w=-age_s, source=source)

    async def hear(self, flow: PowerFlow, *, retained: bool = False) -> None:
        """Have a reading come in."""
        await self.hear_payload(encode_flow(flow), retained=retained)

    async def hear_payload(self, payload: str | bytes, *, retained: bool = False) -> None:
        """Have something come in on `edge/flow`."""
        await self.bus.deliver(SITE.path(topics.FLOW), payload, retained=retained)

    def answers(self) -> list[str]:
        """Return what has been answered; nothing else is ever published."""
        assert {message.topic for message in self.bus.published} <= {SITE.error(topics.FLOW)}
        return [decode_refusal(message.payload.encode()) for message in self.bus.published]


def shifted(flow: PowerFlow, seconds: float) -> PowerFlow:
    """Return the same reading of another time."""
    by = timedelta(seconds=seconds)
    return replace(flow, start=flow.start + by, end=flow.end + by)


@pytest.mark.parametrize("skew_s", SKEWS_S)
@pytest.mark.parametrize("span_s", [0.0, 60.0])
async def test_readings_are_passed_on_in_the_clouds_time(*, skew_s: float, span_s: float) -> None:
    """Instants and means; nothing else of them changes, and nothing is answered."""
    cloud = Cloud(skew_s=skew_s)
    told = cloud.reading(age_s=3.0, span_s=span_s)
    await cloud.hear(told)
    assert cloud.taken == [shifted(told, -skew_s)]
    assert cloud.taken[0].end == NOON - timedelta(seconds=3)
    assert cloud.answers() == []


async def test_rank_and_limit_are_passed_on() -> None:
    """By them the controller chooses between sources, and knows of surplus that no meter shows."""
    cloud = Cloud(skew_s=600.0)
    for rank, limited in ((3, True), (0, False)):
        await cloud.hear(replace(cloud.reading(source=f"roof {rank}"), rank=rank, limited=limited))
    assert [(flow.rank, flow.limited) for flow in cloud.taken] == [(3, True), (0, False)]


async def test_a_mean_over_a_quarter_of_an_hour_is_old_and_welcome() -> None:
    """How old is too old, the controller knows."""
    cloud = Cloud()
    mean = cloud.reading(age_s=1200.0, span_s=900.0)
    await cloud.hear(mean)
    assert cloud.taken == [mean]


@pytest.mark.parametrize("skew_s", SKEWS_S)
async def test_each_reading_is_passed_on_once(skew_s: float) -> None:
    """The broker may bring it twice, and no equal reading looks like a fresh one."""
    cloud = Cloud(skew_s=skew_s)
    for _ in range(2):
        reading = cloud.reading()
        for _ in range(3):
            await cloud.hear(reading)
        cloud.clock.advance(5)
    assert len(cloud.taken) == 2
    assert cloud.answers() == []  # which are for whoever did something wrong


async def test_a_reading_is_passed_on_once_though_the_skew_is_measured_anew() -> None:
    """By our clock it would be of another time, and so another reading."""
    cloud = Cloud()
    reading = cloud.reading()
    for skew_s in (0.0, -0.02, 0.02):
        cloud.edge.skew_s = skew_s
        await cloud.hear(reading)
    assert cloud.taken == [reading]
    assert cloud.answers() == []


async def test_an_older_reading_that_comes_later_is_left_out() -> None:
    """Be it an instant or a mean that began before."""
    cloud = Cloud()
    newest = cloud.reading(age_s=1.0)
    await cloud.hear(newest)
    await cloud.hear(cloud.reading(age_s=2.0))
    await cloud.hear(cloud.reading(age_s=1.5, span_s=60.0))
    assert cloud.taken == [newest]


async def test_a_mean_that_began_before_the_last_one_ended_is_news() -> None:
    """Its end is what makes it newer."""
    cloud = Cloud()
    for age_s in (30.0, 10.0):
        await cloud.hear(cloud.reading(age_s, span_s=60.0))
    assert len(cloud.taken) == 2


async def test_each_source_has_times_of_its_own() -> None:
    """The slow one is not left out because the fast one has been heard since."""
    cloud = Cloud()
    fast = [cloud.reading(age_s, source="modbus") for age_s in (3.0, 2.0, 1.0)]
    slow = [cloud.reading(age_s, span_s=900.0, source="portal") for age_s in (1800.0, 900.0)]
    for reading in (fast[0], slow[0], fast[1], slow[1], slow[0], fast[2], fast[1]):
        await cloud.hear(reading)
    assert [flow for flow in cloud.taken if flow.source == "modbus"] == fast
    assert [flow for flow in cloud.taken if flow.source == "portal"] == slow


async def test_retained_readings_are_refused() -> None:
    """Nobody knows how long they have been there."""
    cloud = Cloud()
    await cloud.hear(cloud.reading(), retained=True)
    assert cloud.taken == []
    (answer,) = cloud.answers()
    assert "publish without retain" in answer


@pytest.mark.parametrize(("alive", "skew_s"), [(False, 0.0), (False, None), (True, None)])
async def test_readings_of_an_edge_that_is_not_heard_are_refused(
    *, alive: bool, skew_s: float | None
) -> None:
    """Without its heartbeat their times mean nothing; as soon as it is heard, the same reading is good."""
    cloud = Cloud(alive=alive, skew_s=skew_s)
    reading = cloud.reading()
    await cloud.hear(reading)
    assert cloud.taken == []
    (answer,) = cloud.answers()
    assert "heartbeat is not heard" in answer
    cloud.edge.alive, cloud.edge.skew_s = True, 0.0
    await cloud.hear(reading)
    assert cloud.taken == [reading]


@pytest.mark.parametrize("skew_s", SKEWS_S)
async def test_a_reading_of_the_future_is_refused(skew_s: float) -> None:
    """And does not keep those of the present out."""
    cloud = Cloud(skew_s=skew_s)
    await cloud.hear(cloud.reading(age_s=-AHEAD_S - 1.0, span_s=60.0))
    assert cloud.taken == []
    (answer,) = cloud.answers()
    assert answer.startswith("3 s ahead")
    await cloud.hear(cloud.reading())
    assert len(cloud.taken) == 1


@pytest.mark.parametrize(("span_s", "taken_span_s"), [(0.0, 0.0), (0.5, 0.0), (60.0, 58.5)])
async def test_a_reading_slightly_ahead_is_one_of_now(span_s: float, taken_span_s: float) -> None:
    """The clocks are not known better; no part of it lies in the future."""
    cloud = Cloud(skew_s=600.0)
    await cloud.hear(cloud.reading(age_s=-1.5, span_s=span_s))
    (taken,) = cloud.taken
    assert taken.end == NOON
    assert taken.span_s == taken_span_s


async def test_an_edge_whose_clock_was_set_back_is_heard_again() -> None:
    """Its readings look older than the last one, which by its clock now lies in the future."""
    cloud = Cloud(skew_s=3600.0)
    await cloud.hear(cloud.reading())
    cloud.clock.advance(60)
    cloud.edge.skew_s = 0.0
    await cloud.hear(cloud.reading())
    assert [flow.end for flow in cloud.taken] == [NOON + timedelta(seconds=after_s) for after_s in (-1, 59)]


async def test_refusals_are_logged_once(logs: list[MutableMapping[str, Any]]) -> None:
    """A line of each kind, not one every five seconds."""
    cloud = Cloud()
    for _ in range(3):
        await cloud.hear(cloud.reading(), retained=True)
        await cloud.hear(cloud.reading(age_s=-100.0))
        cloud.clock.advance(5)
    assert [(entry["log_level"], entry["topic"]) for entry in logs] == [
        ("warning", SITE.path(topics.FLOW))
    ] * 2


@given(flows, st.floats(-1e6, 1e6))
async def test_no_reading_is_passed_on_that_lies_ahead(flow: PowerFlow, skew_s: float) -> None:
    """Whatever the edge says and its clock shows; and each is passed on or answered, never both."""
    cloud = Cloud(skew_s=skew_s)
    await cloud.hear(flow)
    assert len(cloud.taken) + len(cloud.answers()) == 1
    for taken in cloud.taken:
        assert taken.start <= taken.end <= cloud.clock.now()
        assert (taken.pv_w, taken.grid_w, taken.source) == (flow.pv_w, flow.grid_w, flow.source)


def is_garbage(payload: bytes) -> bool:
    """Return whether this is no reading; a spoiled one may happen to be good."""
    try:
        decode_flow(payload)
    except PayloadError:
        return True
    return False


GARBAGE = spoiled(encode_flow(PowerFlow(NOON, NOON, pv_w=1.0, source="roof"))).filter(is_garbage)


@given(st.lists(GARBAGE, min_size=1, max_size=5), GARBAGE)
async def test_garbage_changes_nothing_and_is_answered_once_a_second(
    garbage: list[bytes], more: bytes
) -> None:
    """Readings that come after it are as good as before."""
    cloud = Cloud()
    for payload in garbage:
        await cloud.hear_payload(payload)
    assert len(cloud.answers()) == 1
    cloud.clock.advance(1)
    await cloud.hear_payload(more)
    assert len(cloud.answers()) == 2
    assert cloud.taken == []
    await cloud.hear(cloud.reading())
    assert len(cloud.taken) == 1
