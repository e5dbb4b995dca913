"""Who gets in: TLS, certificates and passwords, at a real broker."""

import asyncio
import logging
from pathlib import Path
from typing import Any

import pytest

from mqtt.links import TOPIC, Ear, make_link, running, until
from pvcharge.mqtt.link import Link
from support.broker import make_certificates, running_broker

USERS = {"edge": "correct horse", "mute": "battery staple"}
ACL = f"user edge\ntopic readwrite {TOPIC}\nuser mute\ntopic read nothing\n"


async def error_of(link: Link) -> str:
    """Run a link until it fails, and return why."""
    async with running(link, connected=False):
        await until(lambda: link.health().get("last_error"))
        assert not link.connected
    return str(link.health()["last_error"])


async def test_tls_and_password(tmp_path: Path) -> None:
    """With the right CA, user and password messages go through."""
    async with running_broker(tmp_path, tls=True, users=USERS) as broker:
        link = make_link(broker, user="edge")
        ear = Ear(link, TOPIC)
        async with running(link):
            assert await link.publish(TOPIC, "secure", retain=True)
            await until(lambda: ear.payloads == ["secure"])


async def test_client_certificate(tmp_path: Path) -> None:
    """A broker that wants a certificate lets us in with one, and not without."""
    async with running_broker(tmp_path, tls=True, require_certificate=True) as broker:
        files = {"cert_file": broker.client_cert_file, "key_file": broker.client_key_file}
        async with running(make_link(broker, settings=files)):
            pass
        assert "certificate" in await error_of(make_link(broker))


async def test_wrong_ca(tmp_path: Path, logs: list[dict[str, Any]]) -> None:
    """A broker that another CA vouches for is not talked to, and not asked again soon."""
    other = make_certificates(tmp_path / "other")
    async with running_broker(tmp_path, tls=True) as broker:
        link = make_link(broker, settings={"ca_file": other.ca_file}, retry_cap_s=60)
        error = await error_of(link)
    assert "check ca_file and host" in error
    assert logs[0]["log_level"] == "error"
    assert logs[0]["retry_in_s"] >= 54


async def test_certificate_of_another_host(tmp_path: Path) -> None:
    """A certificate for another name is not accepted."""
    async with running_broker(tmp_path, tls=True) as broker:
        error = await error_of(make_link(broker, settings={"host": "127.0.0.2"}))
        assert "Connection refused" in error  # nobody listens there
        files = broker.certificates
        assert files is not None
        files.server_cert_file.write_bytes(files.client_cert_file.read_bytes())
        files.server_key_file.write_bytes(files.client_key_file.read_bytes())
        await broker.restart()
        error = await error_of(make_link(broker))
    assert "check ca_file and host" in error


async def test_tls_to_a_plain_port(tmp_path: Path) -> None:
    """A port without TLS is told of as such."""
    async with running_broker(tmp_path) as broker:
        assert "is tls in [mqtt] right" in await error_of(make_link(broker, settings={"tls": True}))


async def test_plain_to_a_tls_port(tmp_path: Path) -> None:
    """A port that wants TLS hangs up on us, which is told at once."""
    async with running_broker(tmp_path, tls=True) as broker:
        error = await error_of(make_link(broker, settings={"tls": False, "ca_file": None}))
    assert "hung up before it let us in" in error


async def test_unusable_certificate_files(tmp_path: Path) -> None:
    """Files that are missing or no certificates stop the link, not the daemon; cured, it goes on."""
    async with running_broker(tmp_path, tls=True) as broker:
        ca_file = tmp_path / "ca.pem"
        assert "No such file" in await error_of(make_link(broker, settings={"ca_file": ca_file}))
        ca_file.write_text("no certificate")
        link = make_link(broker, settings={"ca_file": ca_file})
        async with running(link, connected=False):
            await until(lambda: "certificates cannot be used" in str(link.health().get("last_error")))
            assert broker.ca_file is not None
            ca_file.write_bytes(broker.ca_file.read_bytes())
            await until(lambda: link.connected)


@pytest.mark.parametrize("wrong", ["password", "username", "anonymous"])
@pytest.mark.fault("broker", "expired token")
async def test_wrong_login(
    tmp_path: Path, wrong: str, logs: list[dict[str, Any]], caplog: pytest.LogCaptureFixture
) -> None:
    """A refused login is told loudly, once, without the password, and is not tried again soon."""
    caplog.set_level(logging.DEBUG)
    logins: dict[str, dict[str, Any]] = {
        "password": {"username": "edge", "password": "hunter2"},
        "username": {"username": "hedge", "password": "hunter2"},
        "anonymous": {},
    }
    async with running_broker(tmp_path, users=USERS) as broker:
        link = make_link(broker, settings=logins[wrong], retry_cap_s=60)
        async with running(link, connected=False):
            await until(lambda: link.health().get("last_error"))
            await asyncio.sleep(0.2)
        assert broker.log().count("not authorised") == 1
    assert "check username and password" in str(link.health()["last_error"])
    assert [entry["log_level"] for entry in logs] == ["error"]
    assert "hunter2" not in f"{logs} {caplog.text} {link.health()}"


async def test_silent_denial(tmp_path: Path) -> None:
    """What an ACL forbids looks like success to the link: why there are heartbeats."""
    async with running_broker(tmp_path, users=USERS, acl=ACL) as broker:
        edge, mute = make_link(broker, user="edge"), make_link(broker, "mute", user="mute")
        heard, unheard = Ear(edge, TOPIC), Ear(mute, TOPIC)
        async with running(edge, mute):
            assert await mute.publish(TOPIC, "forbidden")
            assert await edge.publish(TOPIC, "allowed")
            await until(lambda: heard.messages)
            await asyncio.sleep(0.1)
    assert heard.payloads == ["allowed"]
    assert unheard.payloads == []
