"""What 200 clients of the live page cost the daemon, 50 of them slow or dead.

    python bench/page_clients.py [--seconds 60] [--clients 200] [--speed 20]

Runs the demo's daemon, simulators included, in a process of its own, and the clients in another. A probe in
the daemon's event loop wakes each 5 ms and notes by how much it is late. It prints a line for each phase:
before the clients come, while all connect at once, while they look on, and after they have gone.
"""

import argparse
import asyncio
import gc
import json
import os
import socket
import sys
import tempfile
import time
from asyncio.subprocess import PIPE, Process
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import aiohttp

from pvcharge import log
from pvcharge.demo import Demo, DemoOptions, choose_ports, until_shown
from pvcharge.model import Decision
from pvcharge.tasks.feed import Feed

PROBE_S = 0.005
BURST_S = 3.0
SETTLE_S = 8.0  # until the daemon has started up
SLOW_EVERY_S = 4.0  # a slow client reads one message in this time
COMES_BACK_S = 35.0  # after this time a dead client, which has been cut meanwhile, comes again
SLOW, DEAD = 1 / 8, 1 / 8  # of all clients
REQUEST = "GET /api/v1/live HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
KEY = "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n"

Row = dict[str, float]


@dataclass
class Probe:
    """What is noted in the daemon's process since the last report."""

    lags_ms: list[float] = field(default_factory=list)
    decided_s: list[float] = field(default_factory=list)
    began_s: float = field(default_factory=time.perf_counter)
    cpu_s: float = field(default_factory=time.process_time)

    async def watch(self) -> None:
        """Note how late the event loop wakes who has slept."""
        loop = asyncio.get_running_loop()
        while True:
            due_s = loop.time() + PROBE_S
            await asyncio.sleep(PROBE_S)
            self.lags_ms.append((loop.time() - due_s) * 1000)

    async def follow(self, feed: Feed) -> None:
        """Note when decisions are made."""
        async for event in feed.subscribe():
            if isinstance(event, Decision):
                self.decided_s.append(time.perf_counter())

    def report(self) -> Row:
        """Return the figures."""
        took_s = time.perf_counter() - self.began_s
        gaps_ms = [(b - a) * 1000 for a, b in zip(self.decided_s, self.decided_s[1:], strict=False)]
        return {
            **{f"lag_{name}_ms": value for name, value in spread(self.lags_ms)},
            **{f"gap_{name}_ms": value for name, value in spread(gaps_ms)},
            "cpu_pct": 100 * (time.process_time() - self.cpu_s) / took_s,
            "rss_mb": rss_mb(),
        }


def spread(values: list[float]) -> Iterator[tuple[str, float]]:
    """Yield median, 99th percentile and greatest value."""
    ordered = sorted(values) or [0.0]
    for name, share in (("p50", 0.5), ("p99", 0.99), ("max", 1.0)):
        yield name, ordered[min(int(len(ordered) * share), len(ordered) - 1)]


def rss_mb() -> float:
    """Return the memory of this process that is in use now."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 2**20


# --- the daemon's process: a line on stdin asks for a report and begins the next phase ---


async def serve(port: int, speed: float) -> None:
    """Run the demo, and report when asked, until stdin ends."""
    log.set_up(log.LogSettings(level="error"))
    lines = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(lines), sys.stdin)
    with tempfile.TemporaryDirectory() as folder:
        demo = Demo(DemoOptions(speed=speed, ports=(port,)), Path(folder))
        async with demo.running() as app:
            await app.started.wait()
            gc.collect()  # as the daemon does when it has started
            gc.freeze()
            await until_shown((port,))
            probe = Probe()
            tasks = [asyncio.create_task(probe.watch()), asyncio.create_task(probe.follow(app.feed))]
            while await lines.readline():
                report = probe.report()
                sys.stdout.write(json.dumps(report) + "\n")
                sys.stdout.flush()
                fresh = Probe()
                probe.lags_ms, probe.decided_s = fresh.lags_ms, fresh.decided_s
                probe.began_s, probe.cpu_s = fresh.began_s, fresh.cpu_s
            for task in tasks:
                task.cancel()


# --- the clients' process: it tells each second how many messages have come to those that read ---


class Crowd:
    """Clients of three kinds.

    Attributes:
        open: how many of those that read are connected.
        messages: how many they have got.
    """

    def __init__(self, port: int) -> None:
        self.open = 0
        self.messages = 0
        self._port = port

    async def read(self, session: aiohttp.ClientSession, every_s: float) -> None:
        """Read all messages, or one in a time."""
        async with session.ws_connect(f"http://127.0.0.1:{self._port}/api/v1/live", max_msg_size=0) as ws:
            self.open += 1
            with suppress(ConnectionError):
                async for _ in ws:
                    self.messages += 1
                    await asyncio.sleep(every_s)
            self.open -= 1

    async def ignore(self) -> None:
        """Connect, and read nothing at all."""
        loop = asyncio.get_running_loop()
        while True:
            with socket.socket() as line:
                line.setblocking(False)  # noqa: FBT003 - as the socket wants it
                line.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
                await loop.sock_connect(line, ("127.0.0.1", self._port))
                await loop.sock_sendall(line, (REQUEST + KEY).encode())
                await asyncio.sleep(COMES_BACK_S)


async def crowd(port: int, clients: int) -> None:
    """Connect all at once, and look on until stdin ends."""
    lines = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(lines), sys.stdin)
    all_of_them = Crowd(port)
    slow, dead = int(clients * SLOW), int(clients * DEAD)
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as session:
        waits_s = [SLOW_EVERY_S] * slow + [0.0] * (clients - slow - dead)
        tasks = [asyncio.create_task(all_of_them.read(session, wait_s)) for wait_s in waits_s]
        tasks += [asyncio.create_task(all_of_them.ignore()) for _ in range(dead)]
        while await lines.readline():
            sys.stdout.write(json.dumps({"open": all_of_them.open, "messages": all_of_them.messages}) + "\n")
            sys.stdout.flush()
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)


# --- the one that measures ---


async def start(*words: object) -> Process:
    """Start this script in another role."""
    return await asyncio.create_subprocess_exec(
        sys.executable, __file__, *(str(word) for word in words), stdin=PIPE, stdout=PIPE
    )


async def ask(process: Process) -> Row:
    """Return what a process has to report."""
    if process.stdin is None or process.stdout is None:
        raise RuntimeError("started without pipes")
    process.stdin.write(b"\n")
    await process.stdin.drain()
    row: Row = json.loads(await process.stdout.readline())
    return row


async def end(process: Process) -> None:
    """Let a process end."""
    if process.stdin is not None:
        process.stdin.close()
    await process.wait()


async def measure(seconds: float, clients: int, speed: float) -> None:
    """Run all phases, and print a line for each."""
    (port,) = choose_ports(1, None)
    daemon = await start("--serve", port, "--speed", speed)
    await ask(daemon)
    await asyncio.sleep(SETTLE_S)
    await ask(daemon)
    await asyncio.sleep(seconds)
    rows = {"without clients": await ask(daemon)}
    looking_on = await start("--crowd", port, "--clients", clients)
    await asyncio.sleep(BURST_S)
    rows[f"{clients} connect"] = await ask(daemon)
    before = await ask(looking_on)
    await asyncio.sleep(seconds)
    rows[f"{clients} look on"] = await ask(daemon)
    after = await ask(looking_on)
    await end(looking_on)
    await asyncio.sleep(BURST_S)
    rows["they go"] = await ask(daemon)
    await asyncio.sleep(seconds)
    rows["without again"] = await ask(daemon)
    await end(daemon)
    show(rows)
    read = (after["messages"] - before["messages"]) / seconds
    print(f"{after['open']:.0f} clients that read, {read:.0f} messages a second")


def show(rows: dict[str, Row]) -> None:
    """Print the table."""
    print(f"{'':16}{'lag of the loop, ms':>24}{'between decisions, ms':>27}{'CPU':>8}{'memory':>10}")
    print(f"{'':16}{'p50':>8}{'p99':>8}{'max':>8}{'p50':>11}{'p99':>8}{'max':>8}{'%':>8}{'MiB':>10}")
    for name, it in rows.items():
        lag = "".join(f"{it[f'lag_{key}_ms']:8.2f}" for key in ("p50", "p99", "max"))
        gap = "".join(f"{it[f'gap_{key}_ms']:8.0f}" for key in ("p50", "p99", "max"))
        print(f"{name:16}{lag}   {gap}{it['cpu_pct']:8.1f}{it['rss_mb']:10.1f}")
    quiet, busy = next(iter(rows.values())), list(rows.values())[2]
    ratios = [f"{key} {busy[f'lag_{key}_ms'] / quiet[f'lag_{key}_ms']:.2f}" for key in ("p50", "p99", "max")]
    print(f"lag with clients to lag without: {', '.join(ratios)}")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seconds", type=float, default=60.0, help="of each phase")
    parser.add_argument("--clients", type=int, default=200)
    parser.add_argument("--speed", type=float, default=20.0, help="of the demo")
    parser.add_argument("--serve", type=int, metavar="PORT", help=argparse.SUPPRESS)
    parser.add_argument("--crowd", type=int, metavar="PORT", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.serve:
        asyncio.run(serve(given.serve, given.speed))
    elif given.crowd:
        asyncio.run(crowd(given.crowd, given.clients))
    else:
        asyncio.run(measure(given.seconds, given.clients, given.speed))
