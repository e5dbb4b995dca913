"""A Mosquitto of the demo's own, on loopback, with passwords and pvcharge's access rules."""

import asyncio
import os
import shutil
import socket
from asyncio.subprocess import DEVNULL, PIPE
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from pathlib import Path

HOST = "127.0.0.1"
SBIN = "/usr/sbin:/usr/local/sbin"  # not on every user's path
READY_S = 10.0
STOP_S = 5.0


class BrokerError(Exception):
    """There is no broker; the message says what to do."""


@asynccontextmanager
async def private_broker(folder: Path, users: Mapping[str, str], acl: str) -> AsyncIterator[int]:
    """Run a broker for as long as the context lasts, and yield its port.

    Args:
        folder: for its files.
        users: their passwords by name.
        acl: content of its `acl_file`.

    Raises:
        BrokerError: Mosquitto is missing, or does not start.
    """
    mosquitto, mosquitto_passwd = _find("mosquitto"), _find("mosquitto_passwd")
    passwords, log, port = folder / "passwords", folder / "mosquitto.log", _free_port()
    passwords.touch(mode=0o600)
    for name, password in users.items():
        await _run(mosquitto_passwd, "-b", str(passwords), name, password)
    (folder / "acl").write_text(acl, encoding="utf-8")
    lines = [
        f"listener {port} {HOST}",
        "allow_anonymous false",
        f"password_file {passwords}",
        f"acl_file {folder / 'acl'}",
        f"log_dest file {log}",
        "persistence false",
        "set_tcp_nodelay true",  # a boost is a small message, not to be kept for company
        *(["user root"] if os.geteuid() == 0 else []),  # else it becomes one who cannot read our files
    ]
    (folder / "mosquitto.conf").write_text("\n".join(lines) + "\n", encoding="utf-8")
    process = await asyncio.create_subprocess_exec(
        mosquitto, "-c", str(folder / "mosquitto.conf"), stdout=DEVNULL, stderr=DEVNULL
    )
    try:
        await _accepts(port, process, log)
        yield port
    finally:
        with suppress(ProcessLookupError):
            process.terminate()
        await asyncio.wait_for(process.wait(), STOP_S)


def _find(program: str) -> str:
    path = shutil.which(program) or shutil.which(program, path=SBIN)
    if path is None:
        raise BrokerError(
            f"{program} is missing: this demo runs a broker of its own; "
            "install it with apt-get install mosquitto"
        )
    return path


async def _run(*command: str) -> None:
    process = await asyncio.create_subprocess_exec(*command, stdout=DEVNULL, stderr=PIPE)
    _, complaint = await process.communicate()
    if process.returncode:
        raise BrokerError(f"{command[0]} failed: {complaint.decode(errors='replace').strip()}")


async def _accepts(port: int, process: asyncio.subprocess.Process, log: Path) -> None:
    """Return when the broker accepts connections."""
    try:
        async with asyncio.timeout(READY_S):
            while process.returncode is None:
                with suppress(OSError):
                    _, writer = await asyncio.open_connection(HOST, port)
                    writer.close()
                    return
                await asyncio.sleep(0.02)
    except TimeoutError:
        pass
    raise BrokerError(f"mosquitto does not start on port {port}; it says: {_said(log)}")


def _said(log: Path) -> str:
    return log.read_text(encoding="utf-8", errors="replace").strip() if log.exists() else "nothing"


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        port: int = probe.getsockname()[1]
        return port
