"""What the `[mqtt]` table may say."""

import ssl
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from pvcharge.mqtt.settings import MqttSettings
from support.broker import make_certificates


def test_defaults() -> None:
    """A host is enough, and means TLS."""
    settings = MqttSettings(host="broker.example")
    assert settings.tls
    assert settings.address == "broker.example:8883"


@pytest.mark.parametrize(
    ("table", "address"),
    [
        ({"host": "broker.example", "tls": False}, "broker.example:1883"),
        ({"host": "::1", "tls": False}, "[::1]:1883"),
        ({"host": "broker.example", "port": 443}, "broker.example:443"),
        ({"host": "localhost", "tls": False, "username": "u", "password": "p"}, "localhost:1883"),
        ({"host": "127.0.0.1", "tls": False, "username": "u", "password": "p"}, "127.0.0.1:1883"),
        (
            {"host": "192.0.2.1", "tls": False, "insecure": True, "username": "u", "password": "p"},
            "192.0.2.1:1883",
        ),
        ({"host": "192.0.2.1", "tls": False, "username": "u"}, "192.0.2.1:1883"),
    ],
)
def test_accepted(table: dict[str, Any], address: str) -> None:
    """The port follows from TLS; in the clear a password goes to this machine, or where allowed."""
    assert MqttSettings.model_validate(table).address == address


@pytest.mark.parametrize(
    ("table", "complaint"),
    [
        ({"cert_file": "a"}, "needed together"),
        ({"key_file": "a"}, "needed together"),
        ({"tls": False, "ca_file": "a"}, "only with tls = true"),
        ({"tls": False, "cert_file": "a", "key_file": "b"}, "only with tls = true"),
        ({"insecure": True}, "only with tls = false"),
        ({"password": "hunter2"}, "needs a username"),
        ({"tls": False, "username": "u", "password": "hunter2"}, "in the clear"),
        ({"tls": False, "username": "u", "password": "hunter2", "host": "192.0.2.1"}, "in the clear"),
        ({"port": 0}, "greater than"),
        ({"prefix": "house/#"}, "must be a topic"),
        ({"prefix": "/house"}, "must be a topic"),
        ({"prefix": ""}, "must be a topic"),
        ({"discovery_prefix": "home assistant"}, "must be a topic"),
        ({"hots": "a"}, "Extra inputs"),
    ],
)
def test_refused(table: dict[str, Any], complaint: str) -> None:
    """What does not fit together is refused in words, without the password."""
    with pytest.raises(ValidationError, match=complaint) as caught:
        MqttSettings.model_validate({"host": "broker.example"} | table)
    assert "hunter2" not in "".join(error["msg"] for error in caught.value.errors())


def test_tls_context(tmp_path: Path) -> None:
    """Certificates and names are checked, from TLS 1.2 on; our own certificate is loaded."""
    files = make_certificates(tmp_path)
    settings = MqttSettings(
        host="a", ca_file=files.ca_file, cert_file=files.client_cert_file, key_file=files.client_key_file
    )
    context = settings.tls_context()
    assert context is not None
    assert context.minimum_version == ssl.TLSVersion.TLSv1_2
    assert context.verify_mode == ssl.CERT_REQUIRED
    assert context.check_hostname
    assert len(context.get_ca_certs()) == 1


def test_system_ca_by_default() -> None:
    """Without a CA of its own a broker must have a certificate that the system trusts."""
    context = MqttSettings(host="a").tls_context()
    assert context is not None
    assert context.verify_mode == ssl.CERT_REQUIRED
    assert MqttSettings(host="a", tls=False).tls_context() is None
