"""A broker's CA of one's own is good for every Python: from 3.13 on the rules for certificates are strict."""

import os
import re
import ssl
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from pvcharge.mqtt.settings import MqttSettings
from pvcharge.tls import client_context
from shipped.compose import ROOT
from shipped.containers import prepare
from support.broker import make_certificates
from support.services import require


def is_strictly_good(ca: Path, certificate: Path) -> bool:
    """Whether a certificate is trusted by the rules of Python 3.13."""
    openssl = require("openssl", "openssl")
    command = [openssl, "verify", "-x509_strict", "-CAfile", str(ca), str(certificate)]
    done = subprocess.run(command, check=False, capture_output=True)  # noqa: S603 - a fixed command
    return done.returncode == 0


def test_the_recipe_in_the_documentation(tmp_path: Path) -> None:
    """What a reader copies from the chapter on the broker."""
    require("openssl", "openssl")
    text = (ROOT / "docs" / "mqtt.md").read_text(encoding="utf-8")
    recipe = re.search(r"^# A CA of your own.*?(?=^# A password)", text, re.MULTILINE | re.DOTALL)
    assert recipe
    subprocess.run(["/bin/sh", "-ec", recipe[0]], check=True, cwd=tmp_path, capture_output=True)  # noqa: S603 - our own
    assert is_strictly_good(tmp_path / "ca.pem", tmp_path / "server.pem")


@pytest.mark.skipif(os.geteuid() != 0, reason="files are given to other users, as root alone can")
def test_what_is_prepared_for_the_containers(tmp_path: Path) -> None:
    """Trusted by the name of the container, and by that under which others reach it."""
    require("mosquitto_passwd", "mosquitto")
    prepare(tmp_path, broker="broker.example")
    secrets = tmp_path / "secrets"
    assert is_strictly_good(secrets / "mqtt-ca.pem", secrets / "mqtt-server.pem")
    command = [
        require("openssl", "openssl"),
        "x509",
        "-in",
        str(secrets / "mqtt-server.pem"),
        "-noout",
        "-text",
    ]
    shown = subprocess.run(command, check=True, capture_output=True, text=True).stdout  # noqa: S603 - a fixed command
    assert "DNS:broker, DNS:localhost, DNS:broker.example" in shown


@pytest.mark.parametrize(
    "make",
    [lambda ca: MqttSettings(host="broker.example", ca_file=ca).tls_context(), client_context],
    ids=["broker", "database"],
)
def test_one_that_says_less_is_trusted_too(
    make: Callable[[Path | None], ssl.SSLContext], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As before 3.13; where the system's CAs are trusted the rules stay as strict as Python has them."""
    usual = ssl.create_default_context

    def strict(cafile: Path | None = None) -> ssl.SSLContext:
        context = usual(cafile=cafile)
        context.verify_flags |= ssl.VERIFY_X509_STRICT
        return context

    monkeypatch.setattr(ssl, "create_default_context", strict)
    ca = make_certificates(tmp_path).ca_file
    assert not make(ca).verify_flags & ssl.VERIFY_X509_STRICT
    assert make(ca).verify_mode is ssl.CERT_REQUIRED
    assert make(None).verify_flags & ssl.VERIFY_X509_STRICT
