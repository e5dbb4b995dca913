"""Where the daemons of a demo show their pages: on loopback, on ports that nobody has."""

import asyncio
import socket
from collections.abc import Iterable
from contextlib import suppress
from itertools import islice
from typing import Any

HOST = "127.0.0.1"
FIRST_PORT = 8080
LAST_PORT = 8179  # a machine with so many taken has another trouble
TRY_AGAIN_S = 0.05
PATIENCE_S = 10.0  # real seconds for the daemons to listen


class PortError(Exception):
    """There is no port for the page; the message says what to do."""


def choose_ports(count: int, wanted: int | None) -> tuple[int, ...]:
    """Return ports that are free just now, in rising order.

    Args:
        count: how many.
        wanted: the first of them; None = the first that is free from 8080 on.

    Raises:
        PortError: the wanted one is taken, or too few are free.
    """
    first, last = (FIRST_PORT, LAST_PORT) if wanted is None else (wanted, wanted + LAST_PORT - FIRST_PORT)
    if wanted is not None and not _is_free(wanted):
        raise PortError(f"port {wanted} is taken; choose another, or leave --port out to get a free one")
    found = tuple(islice((port for port in range(first, last + 1) if _is_free(port)), count))
    if len(found) < count:
        raise PortError(f"no port from {first} to {last} is free; choose one with --port, or use --no-page")
    return found


def url(port: int) -> str:
    """Return the address of the page on a port."""
    return f"http://{HOST}:{port}/"


def web_table(port: int | None) -> dict[str, Any]:
    """Return the `[web]` table for a port; none without it."""
    return {} if port is None else {"web": {"listen": f"{HOST}:{port}"}}


async def until_shown(ports: Iterable[int]) -> None:
    """Return when all of them accept connections, or when that takes too long to be waited for."""
    with suppress(TimeoutError):
        async with asyncio.timeout(PATIENCE_S):
            for port in ports:
                while True:
                    if await _accepts(port):
                        break
                    await asyncio.sleep(TRY_AGAIN_S)


async def _accepts(port: int) -> bool:
    try:
        _, writer = await asyncio.open_connection(HOST, port)
    except OSError:
        return False
    writer.close()
    return True


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # as the daemon has it
        try:
            probe.bind((HOST, port))
            probe.listen()
        except (OSError, OverflowError):
            return False
        return True
