"""A real Mosquitto on a free loopback port, for tests.

    async with running_broker(tmp_path, users={"edge": "secret"}, acl=ACL) as broker:
        link = Link(broker.settings("edge"), ...)

Where Mosquitto is not installed the test is skipped, or fails if `PVCHARGE_REQUIRE_SERVICES` is set. What the
broker has written stays in `mosquitto.log` in the folder given.
"""

import asyncio
import os
import random
import signal
import socket
from asyncio.subprocess import DEVNULL, Process
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import trustme

from pvcharge.mqtt.settings import MqttSettings
from support.services import require

HOST = "127.0.0.1"
PACKAGE = "mosquitto"
_READY_S = 10.0
_STOP_S = 5.0


@dataclass(frozen=True, slots=True)
class Certificates:
    """Files in PEM format: a CA, the broker's certificate, and one for a client."""

    ca_file: Path
    server_cert_file: Path
    server_key_file: Path
    client_cert_file: Path
    client_key_file: Path


def make_certificates(folder: Path) -> Certificates:
    """Found a CA and have it sign a certificate for the loopback address and one for a client."""
    folder.mkdir(parents=True, exist_ok=True)
    files = Certificates(
        *(folder / name for name in ("ca.pem", "server.pem", "server.key", "client.pem", "client.key"))
    )
    ca = trustme.CA()
    server = ca.issue_cert(HOST, "localhost")
    client = ca.issue_cert("client.pvcharge.test")
    ca.cert_pem.write_to_path(str(files.ca_file))
    server.cert_chain_pems[0].write_to_path(str(files.server_cert_file))
    server.private_key_pem.write_to_path(str(files.server_key_file))
    client.cert_chain_pems[0].write_to_path(str(files.client_cert_file))
    client.private_key_pem.write_to_path(str(files.client_key_file))
    return files


class Broker:
    """A Mosquitto that can be stopped, killed, paused and started again on the same port.

    Attributes:
        host: the loopback address.
        port: where it listens.
        users: their passwords by name; empty if everybody may come in.
        certificates: None without TLS.
        log_file: what it has written, over all its lives.
    """

    def __init__(
        self, folder: Path, port: int, users: Mapping[str, str], certificates: Certificates | None
    ) -> None:
        self.host = HOST
        self.port = port
        self.users = users
        self.certificates = certificates
        self.log_file = folder / "mosquitto.log"
        self._folder = folder
        self._process: Process | None = None

    @property
    def ca_file(self) -> Path | None:
        """The CA to trust, None without TLS."""
        return self.certificates.ca_file if self.certificates else None

    @property
    def client_cert_file(self) -> Path | None:
        """A client's certificate, None without TLS."""
        return self.certificates.client_cert_file if self.certificates else None

    @property
    def client_key_file(self) -> Path | None:
        """The key of that certificate, None without TLS."""
        return self.certificates.client_key_file if self.certificates else None

    def settings(self, user: str | None = None, **changes: Any) -> MqttSettings:
        """Return settings to connect with, as this user if there are users."""
        table = {
            "host": self.host,
            "port": self.port,
            "tls": self.certificates is not None,
            "ca_file": self.ca_file,
            "username": user,
            "password": self.users[user] if user else None,
        }
        return MqttSettings.model_validate(table | changes)

    def log(self) -> str:
        """Return what the broker has written so far."""
        return self.log_file.read_text(encoding="utf-8") if self.log_file.exists() else ""

    async def start(self) -> None:
        """Start it and return when it accepts connections."""
        config = str(self._folder / "mosquitto.conf")
        self._process = await asyncio.create_subprocess_exec(
            require("mosquitto", PACKAGE), "-c", config, stdout=DEVNULL, stderr=DEVNULL
        )
        async with asyncio.timeout(_READY_S):
            while not await self._accepts():
                if self._process.returncode is not None:
                    pytest.fail(f"mosquitto has ended by itself:\n{self.log()}")
                await asyncio.sleep(0.01)

    async def stop(self) -> None:
        """End it in good order: with persistence it saves its state."""
        await self._end(signal.SIGTERM)

    async def kill(self) -> None:
        """End it at once: connections break, nothing is saved."""
        await self._end(signal.SIGKILL)

    async def restart(self, *, lose_state: bool = True) -> None:
        """Stop and start it; what it keeps needs `persistence` and `lose_state=False`."""
        await self.stop()
        if lose_state:
            (self._folder / "mosquitto.db").unlink(missing_ok=True)
        await self.start()

    def pause(self) -> None:
        """Freeze it: connections stay, nothing goes through; as a network that swallows everything."""
        self._signal(signal.SIGSTOP)

    def resume(self) -> None:
        """Let it go on after `pause`."""
        self._signal(signal.SIGCONT)

    def _signal(self, number: signal.Signals) -> None:
        if self._process is not None and self._process.returncode is None:
            self._process.send_signal(number)

    async def _end(self, number: signal.Signals) -> None:
        if self._process is None:
            return
        self._signal(number)
        self._signal(signal.SIGCONT)  # a paused one would not notice
        try:
            async with asyncio.timeout(_STOP_S):
                await self._process.wait()
        except TimeoutError:
            self._process.kill()
            await self._process.wait()
        self._process = None

    async def _accepts(self) -> bool:
        try:
            _, writer = await asyncio.open_connection(self.host, self.port)
        except OSError:
            return False
        writer.close()
        with suppress(OSError):
            await writer.wait_closed()
        return True


@asynccontextmanager
async def running_broker(
    folder: Path,
    *,
    tls: bool = False,
    require_certificate: bool = False,
    users: Mapping[str, str] | None = None,
    acl: str | None = None,
    persistence: bool = False,
    port: int | None = None,
) -> AsyncIterator[Broker]:
    """Run a broker for as long as the context lasts.

    Args:
        folder: for its files, such as pytest's `tmp_path`.
        tls: whether it speaks TLS, with certificates made for this broker.
        require_certificate: whether only clients with a certificate get in.
        users: passwords by name; without, everybody may come in.
        acl: content of Mosquitto's ACL file; without, everybody may do everything.
        persistence: whether state outlives a `restart(lose_state=False)`.
        port: where to listen, by default a free one.
    """
    require("mosquitto", PACKAGE)
    folder = folder / "broker"
    folder.mkdir()
    certificates = make_certificates(folder) if tls else None
    broker = Broker(folder, port or free_port(), users or {}, certificates)
    lines = [
        f"listener {broker.port} {HOST}",
        "allow_anonymous " + _word(users is None),
        f"log_dest file {broker.log_file}",
        "log_type all",
        "persistence " + _word(persistence),
        f"persistence_location {folder}/",
    ]
    if os.geteuid() == 0:
        lines.append("user root")  # else it becomes another user, who cannot read the test's files
    if certificates:
        lines += [
            f"cafile {certificates.ca_file}",
            f"certfile {certificates.server_cert_file}",
            f"keyfile {certificates.server_key_file}",
            "require_certificate " + _word(require_certificate),
        ]
    if users is not None:
        lines.append(f"password_file {await _password_file(folder, users)}")
    if acl is not None:
        (folder / "acl").write_text(acl, encoding="utf-8")
        lines.append(f"acl_file {folder / 'acl'}")
    (folder / "mosquitto.conf").write_text("\n".join(lines) + "\n", encoding="utf-8")
    try:
        await broker.start()
        yield broker
    finally:
        await broker.kill()


def free_port() -> int:
    """Return a free port below those the system hands out, so that nobody takes it while we are down."""
    while True:
        port = random.randrange(20_000, 32_000)  # noqa: S311 - no secret
        with socket.socket() as probe, suppress(OSError):
            probe.bind((HOST, port))
            return port


async def _password_file(folder: Path, users: Mapping[str, str]) -> Path:
    path = folder / "passwords"
    path.touch(mode=0o600)
    for name, password in users.items():
        process = await asyncio.create_subprocess_exec(
            require("mosquitto_passwd", PACKAGE), "-b", str(path), name, password, stdout=DEVNULL
        )
        assert await process.wait() == 0
    return path


def _word(flag: bool) -> str:  # noqa: FBT001 - it is the word's meaning
    return "true" if flag else "false"
