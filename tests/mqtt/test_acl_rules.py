"""The shipped access rules and configuration on a real Mosquitto: least rights, nothing for strangers."""

import asyncio
import os
import re
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import pytest
from aiomqtt import Client, MqttError, ProtocolVersion

from pvcharge.mqtt.acl import acl
from pvcharge.mqtt.discovery import birth_topic, config_topic
from pvcharge.mqtt.topics import TOPICS, Namespace, Party, Topic
from support.broker import Broker, free_port, make_certificates, running_broker
from support.docs import DOCS, SITE
from support.services import require

OTHER = Namespace("pvcharge", "other")
EDGE, CLOUD, HA, STRANGER = "edge-home", "cloud-home", "homeassistant", "edge-other"
USERS = {user: f"secret of {user}" for user in (EDGE, CLOUD, HA, STRANGER)}
# A daemon's user may also do what a user may, for the shell commands beside it.
PARTIES = {
    EDGE: {Party.EDGE, Party.USER},
    CLOUD: {Party.CLOUD, Party.USER},
    HA: {Party.USER},
    STRANGER: set[Party](),
}
ANNOUNCED, BIRTH = config_topic(SITE, "homeassistant"), birth_topic("homeassistant")


@asynccontextmanager
async def connected(broker: Broker, user: str | None, password: str = "") -> AsyncIterator[Client]:
    """Connect as this user, to everything the broker lets it read."""
    settings = broker.settings(user if user in broker.users else None)
    client = Client(
        broker.host,
        broker.port,
        username=user,
        password=password or broker.users.get(user or ""),
        protocol=ProtocolVersion.V5,
        tls_context=settings.tls_context(),
    )
    async with client:
        await client.subscribe("#", qos=1)
        yield client


async def delivered(folder: Path, paths: list[str]) -> set[tuple[str, str, str]]:
    """Have every user publish on every path; return who has written what to whom."""
    done = "".join(f"\nuser {user}\ntopic readwrite done\n" for user in USERS)
    got: set[tuple[str, str, str]] = set()

    async def hear(reader: str, client: Client) -> None:
        async for message in client.messages:
            if str(message.topic) == "done":
                return
            assert isinstance(message.payload, bytes)
            got.add((message.payload.decode(), str(message.topic), reader))

    rules = acl(SITE) + acl(OTHER).replace("user homeassistant", "user homeassistant-other") + done
    async with AsyncExitStack() as stack:
        broker = await stack.enter_async_context(running_broker(folder, users=USERS, acl=rules))
        clients = {user: await stack.enter_async_context(connected(broker, user)) for user in USERS}
        async with asyncio.timeout(30), asyncio.TaskGroup() as group:
            for user, client in clients.items():
                group.create_task(hear(user, client))
            for writer, client in clients.items():
                for path in paths:
                    await client.publish(path, writer, qos=1)
            await clients[EDGE].publish("done", "", qos=1)
    return got


def expected(path: str, writers: set[str], readers: set[str]) -> set[tuple[str, str, str]]:
    """Return what is delivered on a path that these may write and those may read."""
    return {(writer, path, reader) for writer in writers for reader in readers}


def users_of(parties: frozenset[Party]) -> set[str]:
    """Return who speaks for one of these parties."""
    return {user for user, ours in PARTIES.items() if ours & parties}


def judges_of(topic: Topic) -> frozenset[Party]:
    """Return who answers bad payloads on a topic."""
    return topic.readers - {Party.USER}


async def test_everybody_gets_what_the_table_says(tmp_path: Path) -> None:
    """Each user's messages reach the topic's readers and nobody else; those of others vanish."""
    rights = {SITE.path(topic): (topic.publishers, topic.readers) for topic in TOPICS}
    rights |= {
        SITE.error(topic): (judges_of(topic), topic.publishers) for topic in TOPICS if judges_of(topic)
    }
    want = set()
    for path, (publishers, readers) in rights.items():
        want |= expected(path, users_of(publishers), users_of(readers))
    assert await delivered(tmp_path, list(rights)) == want
    assert any(reader == EDGE for _, _, reader in want)
    assert not any(STRANGER in (writer, reader) for writer, _, reader in want)


async def test_only_the_controller_announces_to_home_assistant(tmp_path: Path) -> None:
    """And only Home Assistant says that it was born; nothing else of ours may be written there."""
    foreign = ["homeassistant/device/other/config", "homeassistant/switch/x/config", "pvcharge/home/more"]
    got = await delivered(tmp_path, [ANNOUNCED, BIRTH, *foreign])
    assert got == {(CLOUD, ANNOUNCED, HA), (HA, BIRTH, CLOUD), (HA, BIRTH, HA)}


def test_nobody_gets_everything() -> None:
    """No rule has a wildcard, but for Home Assistant's reading of its own folder."""
    assert re.findall(r"^.*[#+].*$", re.sub(r"^#.*$", "", acl(SITE), flags=re.MULTILINE), re.MULTILINE) == [
        "topic read homeassistant/#"
    ]


@asynccontextmanager
async def shipped_broker(folder: Path) -> AsyncIterator[Broker]:
    """Run Mosquitto with the shipped files, moved to this folder and to a free port on loopback."""
    certificates = make_certificates(folder)
    broker = Broker(folder, free_port(), {HA: USERS[HA]}, certificates)
    text = (DOCS / "mosquitto" / "mosquitto.conf").read_text(encoding="utf-8")
    text = text.replace("/etc/mosquitto/pvcharge/", f"{folder}/")
    text = text.replace("listener 8883", f"listener {broker.port} {broker.host}")
    if os.geteuid() == 0:
        text = f"user root\n{text}"  # else it becomes another user, who cannot read the test's files
    (folder / "mosquitto.conf").write_text(f"{text}\nlog_dest file {broker.log_file}\n")
    (folder / "acl").write_text(acl(SITE))
    passwords = [
        require("mosquitto_passwd", "mosquitto"),
        "-b",
        "-c",
        str(folder / "passwords"),
        HA,
        USERS[HA],
    ]
    assert await (await asyncio.create_subprocess_exec(*passwords)).wait() == 0
    await broker.start()
    try:
        yield broker
    finally:
        await broker.kill()


async def test_the_shipped_configuration_works(tmp_path: Path) -> None:
    """It lets in who has the password, over TLS and under the rules."""
    require("mosquitto", "mosquitto")
    async with shipped_broker(tmp_path) as broker, connected(broker, HA) as client:
        await client.publish("pvcharge/home/state", "forbidden", qos=1)
        await client.publish(BIRTH, "online", qos=1)
        message = await anext(aiter(client.messages))
        assert (str(message.topic), message.payload) == (BIRTH, b"online")


@pytest.mark.parametrize(("user", "password"), [(None, ""), (HA, "wrong"), ("guest", "guest")])
async def test_the_shipped_configuration_keeps_strangers_out(
    tmp_path: Path, user: str | None, password: str
) -> None:
    """Nobody gets in without a name, with a wrong password, or under another name."""
    require("mosquitto", "mosquitto")
    async with shipped_broker(tmp_path) as broker:
        with pytest.raises(MqttError, match=r"[Nn]ot authori[sz]ed|Bad user name"):
            async with connected(broker, user, password):
                pass
