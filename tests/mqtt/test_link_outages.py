"""The link while broker and network fail, at a real broker."""

import asyncio
import gc
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from mqtt.links import FAST, TOPIC, WILL_TOPIC, Ear, make_link, running, until
from pvcharge.clock import SystemClock
from pvcharge.mqtt.connection import Connection
from pvcharge.mqtt.link import Link
from pvcharge.mqtt.settings import MqttSettings
from support.broker import HOST, Broker, free_port, running_broker


@pytest.fixture
async def broker(tmp_path: Path) -> AsyncIterator[Broker]:
    """Return a broker that lets everybody in and keeps its state if asked to."""
    async with running_broker(tmp_path, persistence=True) as broker:
        yield broker


@pytest.fixture(autouse=True)
async def no_complaints() -> AsyncIterator[None]:
    """Fail on whatever asyncio complains of, such as exceptions that nobody has looked at."""
    complaints: list[object] = []
    asyncio.get_running_loop().set_exception_handler(lambda _loop, context: complaints.append(context))
    yield
    gc.collect()
    await asyncio.sleep(0)
    assert complaints == []


class Presence:
    """Publishes `online` on each connect, as both roles do."""

    def __init__(self, link: Link) -> None:
        self.times = 0
        self._link = link
        link.on_connect(self._tell)

    async def _tell(self) -> None:
        self.times += 1
        await self._link.publish(WILL_TOPIC, "online", retain=True)


async def test_restart_with_lost_state(broker: Broker) -> None:
    """A broker that has forgotten everything gets subscriptions and retained messages anew."""
    link, other = make_link(broker), make_link(broker, "other")
    ear, presence = Ear(link, TOPIC), Presence(link)
    async with running(link, other):
        await until(lambda: presence.times == 1)
        await broker.restart(lose_state=True)
        await until(lambda: presence.times == 2 and other.connected)
        assert await other.publish(TOPIC, "after")
        await until(lambda: ear.payloads == ["after"])
        late = make_link(broker, "late")
        hears = Ear(late, WILL_TOPIC)
        async with running(late):
            await until(lambda: hears.payloads == ["online"])


async def test_session_survives_a_restart_with_state(broker: Broker) -> None:
    """What was sent to a session is delivered once both are back."""
    link, other = make_link(broker), make_link(broker, "other")
    ear = Ear(link, TOPIC)
    async with running(other):
        async with running(link):
            pass
        assert await other.publish(TOPIC, "while away")
        await broker.restart(lose_state=False)
        await until(lambda: other.health()["reconnects"] == 1)
        async with running(link):
            await until(lambda: ear.payloads == ["while away"])


@pytest.mark.fault("broker", "refuse")
async def test_broker_killed_for_a_while(broker: Broker, logs: list[dict[str, object]]) -> None:
    """The outage is logged once, the recovery too, and the link is as good as before."""
    link = make_link(broker)
    ear, presence = Ear(link, TOPIC), Presence(link)
    async with running(link):
        await until(lambda: presence.times == 1)
        await broker.kill()
        await until(lambda: not link.connected)
        await asyncio.sleep(0.3)  # several tries
        assert link.health()["last_error"] == "Connection refused"
        assert "connected_since" not in link.health()
        await broker.start()
        await until(lambda: presence.times == 2)
        await link.publish(TOPIC, "back")
        await until(lambda: ear.payloads == ["back"])
        assert link.health()["reconnects"] == 1
        assert "connected_since" in link.health()
    loud = [entry for entry in logs if entry["log_level"] != "debug"]
    assert [entry["event"] for entry in loud] == [
        "broker connected",
        "no connection to the broker",
        "broker connected",
    ]
    failures = loud[2]["failures"]
    assert isinstance(failures, int)
    assert failures > 1


async def test_loss_during_a_publish(broker: Broker) -> None:
    """An acknowledgement that cannot come any more is not waited for, nor does it delay the next connect."""
    link = make_link(broker, answer_s=60)
    async with running(link):
        broker.pause()
        publishing = asyncio.create_task(link.publish(TOPIC, "x"))
        await asyncio.sleep(0.05)
        await broker.kill()
        async with asyncio.timeout(5):
            assert not await publishing


async def test_broker_comes_later(broker: Broker) -> None:
    """The link waits for a broker that is not there yet."""
    await broker.kill()
    link = make_link(broker)
    async with running(link, connected=False):
        await until(lambda: link.health().get("last_error"))
        await broker.start()
        await until(lambda: link.connected)


async def test_will_is_published_when_we_vanish(broker: Broker) -> None:
    """Others hear that a link is gone which could not say so."""
    link, other = make_link(broker), make_link(broker, "other")
    Presence(link)
    ear = Ear(other, WILL_TOPIC)
    async with running(link, other):
        await until(lambda: ear.payloads == ["online"])
        assert link._connection is not None  # noqa: SLF001 - the network is cut below it
        await link._connection.abandon()  # noqa: SLF001
        await until(lambda: ear.payloads == ["online", "offline", "online"])


async def test_short_drop_is_not_told(broker: Broker) -> None:
    """A link that is back within the will's delay was never away for others."""
    link, other = make_link(broker, will_delay_s=60), make_link(broker, "other")
    presence, ear = Presence(link), Ear(other, WILL_TOPIC)
    async with running(link, other):
        await until(lambda: ear.payloads == ["online"])
        assert link._connection is not None  # noqa: SLF001 - the network is cut below it
        await link._connection.abandon()  # noqa: SLF001
        await until(lambda: presence.times == 2 and len(ear.messages) == 2)
    assert ear.payloads == ["online", "online"]


@pytest.mark.fault("process", "duplicate")
async def test_name_taken_by_another(broker: Broker) -> None:
    """A second client of our name does not draw us into a fight for it: waits grow from loss to loss."""
    link, twin = make_link(broker, retry_cap_s=60), make_link(broker, retry_cap_s=60)
    async with running(link, twin, connected=False):
        await asyncio.sleep(1)
        fights = sum(int(each.health()["reconnects"]) for each in (link, twin))
    assert 1 <= fights <= 25


async def test_frozen_broker_does_not_hold_us_up(broker: Broker) -> None:
    """A link can be ended while the broker accepts connections but says nothing, and leaves none behind."""
    link = make_link(broker)
    broker.pause()
    async with running(link, connected=False):
        await asyncio.sleep(0.1)
    broker.resume()
    await until(lambda: "Client edge closed its connection" in broker.log())


async def test_no_answer_leaves_no_connection_behind(broker: Broker) -> None:
    """A try that timed out must not log in later and take the name from the one that counts."""
    link = make_link(broker, answer_s=0.2)
    broker.pause()
    async with running(link, connected=False):
        await until(lambda: "not answered" in str(link.health().get("last_error")))
        broker.resume()
        await until(lambda: link.connected)
        await asyncio.sleep(0.2)
        assert link.connected
        assert link.health()["reconnects"] == 0


async def test_goodbye_to_a_frozen_broker_is_bounded(broker: Broker) -> None:
    """A link ends in time although nobody hears its goodbye."""
    link = make_link(broker, goodbye_s=0.1)
    async with asyncio.timeout(5):
        async with running(link):
            broker.pause()
    assert not link.connected


@pytest.mark.parametrize("answer", [b"", b"\x00" * 64, b"HTTP/1.1 400 Bad Request\r\n\r\n", b"\x20\x02\x00"])
async def test_no_broker_there(answer: bytes) -> None:
    """Something else on that port is an error like any other."""

    async def serve(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(answer)
        await writer.drain()
        writer.close()

    port = free_port()
    server = await asyncio.start_server(serve, HOST, port)
    settings = MqttSettings(host=HOST, port=port, tls=False)
    link = Link(settings, client_id="edge", will=(WILL_TOPIC, "offline"), clock=SystemClock(), timing=FAST)
    async with server, running(link, connected=False):
        await until(lambda: link.health().get("last_error"))
        assert not link.connected


async def test_unknown_host() -> None:
    """A name that does not resolve is an error like any other."""
    settings = MqttSettings(host="broker.invalid", tls=False)
    link = Link(settings, client_id="edge", will=(WILL_TOPIC, "offline"), clock=SystemClock(), timing=FAST)
    async with running(link, connected=False):
        await until(lambda: link.health().get("last_error"), 20)
    assert "name" in str(link.health()["last_error"]).lower()


async def test_cancelled_while_dialling(broker: Broker, monkeypatch: pytest.MonkeyPatch) -> None:
    """A thread that is still dialling when the link ends is waited for, and its connection dropped."""
    dial = Connection._client_connect  # noqa: SLF001 - made slow, as over a bad line

    def dial_slowly(self: Connection) -> None:
        time.sleep(0.15)
        dial(self)

    monkeypatch.setattr(Connection, "_client_connect", dial_slowly)
    async with running(make_link(broker), connected=False):
        await asyncio.sleep(0.05)
    await asyncio.sleep(0.25)
    assert asyncio.all_tasks() == {asyncio.current_task()}


async def test_cancelled_at_any_moment(broker: Broker) -> None:
    """Whenever a link is ended, dialling, greeting or connected, nothing is left and it can run again."""
    link = make_link(broker)
    Presence(link)
    for milliseconds in range(0, 40, 2):
        async with running(link, connected=False):
            await asyncio.sleep(milliseconds / 1000)
        assert not link.connected
    async with running(link):
        assert await link.publish(TOPIC, "as good as new")
