"""A broker that is none, falls silent, breaks off, refuses us: the link comes back by itself."""

import asyncio
from collections.abc import AsyncIterator, Iterator, MutableMapping
from contextlib import asynccontextmanager
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from structlog.testing import capture_logs

from faults.relay import Relay
from mqtt.links import TOPIC, WILL_TOPIC, Ear, make_link, running, until
from pvcharge.clock import SystemClock
from pvcharge.model import NO_CHARGE, Setpoint
from pvcharge.mqtt.connection import Timing
from pvcharge.mqtt.failures import LinkError
from pvcharge.mqtt.link import Link
from pvcharge.mqtt.patience import Patience
from pvcharge.mqtt.settings import MqttSettings
from split.house import LEASE_S, House
from support.broker import HOST, Broker, free_port, running_broker
from support.disk import small_disk

AT_10_A, AT_10_A_W = Setpoint(3, 10), 6900.0
TEN_MEGABYTES = "x" * 10_000_000
LOST, BACK = "no connection to the broker", "broker connected"
HASTY = Timing(answer_s=0.3, goodbye_s=0.3, will_delay_s=0, first_retry_s=0.05, retry_cap_s=0.2)
CONNACK = b"\x20\x03\x00\x00\x00"
LET_IN = CONNACK + b"\xf1\xff" * 20
HUGE = b"\x30\xff\xff\xff\x7f\x00\x01t" + bytes(
    4_000_000
)  # the beginning of 256 MB, to whoever waits for them

Logs = list[MutableMapping[str, Any]]


@pytest.fixture
def logs() -> Iterator[Logs]:
    """Return what is logged."""
    with capture_logs() as lines:
        yield lines


def loud(logs: Logs) -> list[str]:
    """Return the lines that everybody sees."""
    return [line["event"] for line in logs if line["log_level"] != "debug"]


def link_to(port: int, timing: Timing = HASTY, **settings: Any) -> Link:
    """Return a link that is impatient; a keepalive may be shorter than any that can be configured."""
    made = MqttSettings(host=HOST, port=port, tls=False).model_copy(update=settings)
    return Link(made, client_id="edge", will=(WILL_TOPIC, "offline"), clock=SystemClock(), timing=timing)


@asynccontextmanager
async def false_broker(port: int, answer: bytes, *, hangs_up: bool) -> AsyncIterator[list[float]]:
    """Answer everybody with the same bytes; yields when each came."""
    came_s: list[float] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        came_s.append(asyncio.get_running_loop().time())
        await reader.read(1000)
        writer.write(answer)
        if not hangs_up:
            await reader.read()  # until the other one has had enough
        writer.close()

    server = await asyncio.start_server(serve, HOST, port)
    try:
        yield came_s
    finally:
        server.close()


@pytest.mark.parametrize(
    ("answer", "hangs_up"),
    [
        pytest.param(b"", False, marks=pytest.mark.fault("broker", "hang")),
        pytest.param(CONNACK[:3], True, marks=pytest.mark.fault("broker", "drop mid-message")),
        pytest.param(b"\x00\xff" * 40, True, marks=pytest.mark.fault("broker", "garbage")),
        pytest.param(LET_IN, True, marks=pytest.mark.fault("broker", "garbage")),
        pytest.param(b"\x90\x04\x00\x01\x00\x00", False, marks=pytest.mark.fault("broker", "wrong type")),
        pytest.param(HUGE, False, marks=pytest.mark.fault("broker", "huge answer")),
    ],
    ids=["silence", "half a packet", "noise", "noise after letting in", "wrong packet", "endless packet"],
)
async def test_what_is_no_broker_is_left_when_there_is_one(
    tmp_path: Path,
    logs: Logs,
    answer: bytes,
    hangs_up: bool,  # noqa: FBT001 - a case
) -> None:
    """Who lets nobody in, breaks off or talks nonsense is asked now and then; the true one is found soon."""
    port = free_port()
    link = link_to(port)
    ear = Ear(link, TOPIC)
    async with running(link, connected=False):
        async with false_broker(port, answer, hangs_up=hangs_up) as came_s:
            await until(lambda: len(came_s) >= 4)
        assert all(later_s - at_s >= 0.04 for at_s, later_s in pairwise(came_s))
        async with running_broker(tmp_path, port=port):
            await until(lambda: link.connected)
            await link.publish(TOPIC, "hello")
            await until(lambda: ear.payloads == ["hello"])
            lines = loud(logs)
    if answer != LET_IN:  # one that seems to let us in is there, and gone, each time
        assert lines == [LOST, BACK]


@pytest.mark.fault("broker", "refuse")
@pytest.mark.fault("broker", "hang")
@pytest.mark.looptime
async def test_tries_of_a_day_are_few(logs: Logs) -> None:
    """A broker that is away for a day is tried once a minute at most, and logged once."""
    patience = Patience("broker", Timing())
    tries = 0
    while asyncio.get_running_loop().time() < 86_400:
        tries += 1
        await asyncio.sleep(patience.failed(LinkError("Connection refused")))
    patience.succeeded()
    assert 1440 <= tries <= 4000  # waits are between a second and a minute, by chance
    assert loud(logs) == [LOST, BACK]


@pytest.fixture
async def broker(tmp_path: Path) -> AsyncIterator[Broker]:
    """Run a real broker."""
    async with running_broker(tmp_path) as broker:
        yield broker


@pytest.mark.fault("broker", "drop mid-message")
async def test_a_line_that_breaks_within_a_message(broker: Broker, logs: Logs) -> None:
    """Half a message is none: the connection is made anew, and the next one arrives whole."""
    async with Relay(broker.port).running() as relay:
        link, other = link_to(relay.port), make_link(broker, "other")
        ear = Ear(link, TOPIC)
        async with running(link, other):
            relay.cut_after = 200
            await other.publish(TOPIC, "x" * 1000, qos=0)
            await until(lambda: relay.connections == 2 and link.connected)
            await other.publish(TOPIC, "whole")
            await until(lambda: "whole" in ear.payloads)
    assert ear.payloads == ["whole"]
    assert loud(logs).count(LOST) == 1


@pytest.mark.fault("broker", "half-open socket")
async def test_a_half_open_connection_is_noticed(broker: Broker, logs: Logs) -> None:
    """A line that swallows all is noticed by its keepalive, and nobody waits for it longer than 5 s."""
    async with Relay(broker.port).running() as relay:
        link = link_to(relay.port, keepalive_s=1)
        async with running(link):
            relay.swallows = True
            async with asyncio.timeout(2):
                assert not await link.publish(TOPIC, "lost")
            await until(lambda: not link.connected)
            relay.swallows = False
            await until(lambda: link.connected)
            assert await link.publish(TOPIC, "back")
    assert loud(logs) == [BACK, LOST, BACK]


@pytest.mark.fault("broker", "huge answer")
async def test_ten_retained_megabytes(broker: Broker) -> None:
    """A retained message of 10 MB on a topic of ours is not even delivered; the others are."""
    link, other = make_link(broker), make_link(broker, "other")
    ear = Ear(link, TOPIC, "small")
    async with running(other):
        assert await other.publish(TOPIC, TEN_MEGABYTES, retain=True)
        async with running(link):
            assert await other.publish("small", "heard")
            await until(lambda: ear.payloads)
    assert ear.payloads == ["heard"]
    assert link.health()["reconnects"] == 0


@pytest.mark.fault("broker", "huge answer")
@pytest.mark.looptime(noop_cycles=1)
async def test_ten_megabytes_from_a_broker_that_keeps_no_limit(tmp_path: Path) -> None:
    """Where they are delivered all the same, on every topic, nothing is switched and all goes on."""
    house = House(tmp_path)
    async with house.running():
        assert await house.charges(AT_10_A_W) == AT_10_A
        await house.passes(5)
        before = house.writes()
        for topic in {*house.edge.topics, *house.cloud.topics}:
            house.broker.publish(topic, TEN_MEGABYTES)
            await house.passes(1)
        await house.passes(LEASE_S)
        assert house.writes() == before


@pytest.mark.fault("broker", "expired token")
async def test_a_password_that_is_good_no_more(tmp_path: Path, logs: Logs) -> None:
    """A login that is refused from now on is told once, loudly, tried rarely, and works again when mended."""
    acl = f"user edge\ntopic readwrite {TOPIC}\ntopic readwrite {WILL_TOPIC}\n"
    async with running_broker(tmp_path, users={"edge": "old"}, acl=acl) as broker:
        link = make_link(broker, user="edge", retry_cap_s=0.5)
        passwords = tmp_path / "broker" / "passwords"
        good = passwords.read_bytes()
        async with running(link):
            passwords.write_text("")
            await broker.restart()
            await until(lambda: "check username and password" in str(link.health().get("last_error")))
            await asyncio.sleep(1.2)
            assert broker.log().count("not authorised") <= 4
            passwords.write_bytes(good)
            await broker.restart()
            await until(lambda: link.connected)
    levels = [(line["log_level"], line["event"]) for line in logs if line["log_level"] != "debug"]
    assert levels.count(("error", LOST)) == 1
    assert levels[-1] == ("info", BACK)


@pytest.mark.fault("broker", "full disk")
async def test_a_broker_whose_disk_is_full(tmp_path: Path) -> None:
    """It goes on from memory; what it could not save we tell it again when it comes back without."""
    with small_disk(tmp_path / "disk") as disk:
        async with running_broker(disk.folder, persistence=True) as broker:
            link, other = make_link(broker), make_link(broker, "other")

            async def tell() -> None:
                await link.publish(TOPIC, "still here", retain=True)

            link.on_connect(tell)
            ear = Ear(other, TOPIC)
            async with running(link, other):
                await until(lambda: ear.payloads)
                disk.fill()
                assert await link.publish(TOPIC, "full", retain=True)
                await until(lambda: "full" in ear.payloads)
                await broker.stop()
                disk.empty()
                (disk.folder / "broker" / "mosquitto.db").unlink(missing_ok=True)
                await broker.start()
                await until(lambda: link.connected and other.connected and len(ear.payloads) >= 3)
            assert ear.payloads[-1] == "still here"


@pytest.mark.fault("broker", "SIGSTOP 5 min")
@pytest.mark.looptime(noop_cycles=1)
async def test_a_broker_that_stands_still_for_five_minutes(tmp_path: Path) -> None:
    """The lease runs out, the car is stopped; what is delivered late is refused, and then all goes on."""
    house = House(tmp_path)
    async with house.running():
        assert await house.charges(AT_10_A_W) == AT_10_A
        await house.passes(27)
        stopped_s = house.now_s
        house.broker.delay_s = 300.0
        house.roof.surplus_w = 4140.0
        assert await house.until(lambda: house.box.setpoint == NO_CHARGE, LEASE_S + 30) is not None
        await house.passes(300 - (house.now_s - stopped_s))
        house.heal()
        await house.passes(301)
        house.roof.surplus_w = 8970.0
        assert await house.until(lambda: house.box.setpoint == Setpoint(3, 13), 180) is not None
        house.check_leased(0.0, NO_CHARGE)
