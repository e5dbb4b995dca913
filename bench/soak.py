"""The real processes for four days in an hour while everything around them fails: do they grow?

    python bench/soak.py [--minutes 60] [--speed 100] [--seed 1] [--json FILE]

Runs `pvcharge run` twice, as cloud and as edge, with pages, history, Mosquitto and VictoriaMetrics between
the simulated devices, and spoils one thing after the other. Each ten seconds it notes what both processes
have: memory of their own, open files, threads, and the bytes of their files. It ends with 1 if one of them
has died, if memory rises in the last third by more than the bound with a certainty of 95 %, or if more files
stay open. It takes two days of the house until log, caches and the space between what is used are as large as
they get: less than an hour tells little.
"""

import argparse
import asyncio
import json
import random
import signal
import sys
import tempfile
import time
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median

import aiohttp
from trend import slope

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tests"))

from pvcharge import log
from pvcharge.demo import DemoOptions, Stage, choose_ports
from pvcharge.demo.pair import ROLES, Pair
from pvcharge.sim.car import Car
from pvcharge.sim.feed import Source
from support.broker import Broker, running_broker
from support.victoria import Victoria, running_victoria

SAMPLE_S = 10.0
SETTLE_S = 20.0  # until both have met and the first faults come
LEAST_PAUSE_S, MOST_PAUSE_S = 1.0, 6.0  # between two events
LEAST_FAULT_S, MOST_FAULT_S = 0.5, 8.0
MOST_RISE_KIB_PER_H = 50.0  # of the house: 1.2 MiB a day
MOST_MORE_FILES = 2  # in the middle of all samples: sockets come and go
BOOST = {"on": True, "minutes": 30}
PATHS = (
    "",
    "api/v1/state",
    "api/v1/log",
    "api/v1/sessions",
    "api/v1/savings",
    "api/v1/settings",
    "api/v1/support",
)


@dataclass(frozen=True, slots=True)
class Sample:
    """What a process has at a time."""

    at_s: float
    role: str
    own_kib: int  # memory that no other process shares
    files: int
    threads: int
    disk_kib: int


class Soak:
    """All that runs, and all that is done to it.

    Args:
        stage: the devices.
        pair: the two daemons.
        broker: between them.
        victoria: where the cloud's history goes.
        chance: what happens when.
    """

    def __init__(
        self, stage: Stage, pair: Pair, broker: Broker, victoria: Victoria, chance: random.Random
    ) -> None:
        self.events: Counter[str] = Counter()
        self._stage, self.pair, self._broker, self._victoria = stage, pair, broker, victoria
        self._chance = chance
        self._acts: dict[str, Callable[[], Awaitable[None]]] = {
            "charger drops": self._charger_drops,
            "charger freezes": lambda: self._spoil(stage.charger.faults, "freeze", value=True),
            "charger talks nonsense": lambda: self._spoil(stage.charger.faults, "garbage", value=True),
            "charger ignores writes": lambda: self._spoil(stage.charger.faults, "ignore_writes", value=True),
            "charger restarts": self._charger_restarts,
            "changed by hand": self._changed_by_hand,
            "another car": self._another_car,
            "cloud answers 500": lambda: self._spoil(stage.cloud.faults, "outage_status", value=500),
            "cloud refuses": lambda: self._spoil(stage.cloud.faults, "refuse_connections", value=True),
            "cloud answers 429": lambda: self._spoil(stage.cloud.faults, "minute_exhausted", value=True),
            "cloud is slow": lambda: self._spoil(stage.cloud.faults, "slow_s", value=2.0),
            "cloud talks nonsense": lambda: self._spoil(stage.cloud.faults, "garbage", value=True),
            "login expires": self._login_expires,
            "inverter hangs": lambda: self._spoil(stage.inverter.faults, "hang", value=True),
            "inverter refuses": lambda: self._spoil(stage.inverter.faults, "refuse", value=True),
            "inverter talks nonsense": lambda: self._spoil(stage.inverter.faults, "garbage", value=True),
            "broker is killed": self._broker_is_killed,
            "broker stands still": lambda: self._stand_still(broker),
            "database is killed": self._database_is_killed,
            "database stands still": lambda: self._stand_still(victoria),
            "reload": self._reload,
            "boost": self._boost,
            "page is used": self._page_is_used,
            "clients of the page vanish": self._clients_vanish,
        }

    async def go_on(self, only: str | None) -> None:
        """Do one thing after the other for ever, of all or of those whose name holds a word."""
        names = [name for name in self._acts if only is None or only in name]
        await asyncio.sleep(SETTLE_S)
        self._stage.box.plug(self._stage.car)
        while True:
            name = self._chance.choice(names)
            self.events[name] += 1
            with suppress(aiohttp.ClientError, TimeoutError, OSError):
                await self._acts[name]()
            await asyncio.sleep(self._chance.uniform(LEAST_PAUSE_S, MOST_PAUSE_S))

    async def _fault(self) -> None:
        await asyncio.sleep(self._chance.uniform(LEAST_FAULT_S, MOST_FAULT_S))

    async def _spoil(self, faults: object, knob: str, *, value: object) -> None:
        before = getattr(faults, knob)
        setattr(faults, knob, value)
        await self._fault()
        setattr(faults, knob, before)

    async def _charger_drops(self) -> None:
        self._stage.charger.faults.drop()

    async def _charger_restarts(self) -> None:
        self._stage.box.reboot()

    async def _changed_by_hand(self) -> None:
        self._stage.box.press("amp", self._chance.randint(6, 16))

    async def _another_car(self) -> None:
        self._stage.box.unplug()
        await self._fault()
        self._stage.box.plug(Car(needs_wh=self._chance.uniform(5_000.0, 60_000.0)))

    async def _login_expires(self) -> None:
        self._stage.cloud.faults.expire_access_tokens = True

    async def _broker_is_killed(self) -> None:
        await self._broker.kill()
        await self._fault()
        await self._broker.start()

    async def _database_is_killed(self) -> None:
        await self._victoria.kill()
        await self._fault()
        await self._victoria.start()

    async def _stand_still(self, server: Broker | Victoria) -> None:
        server.pause()
        await self._fault()
        server.resume()

    async def _reload(self) -> None:
        self.pair.processes[self._chance.choice(ROLES)].send_signal(signal.SIGHUP)

    async def _boost(self) -> None:
        url = f"http://127.0.0.1:{self._stage.options.ports[0]}/api/v1/boost"
        async with (
            aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=5.0)) as session,
            session.put(url, json=BOOST) as response,
        ):
            await response.read()

    async def _page_is_used(self) -> None:
        async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=5.0)) as session:
            for port in self._stage.options.ports:
                for path in PATHS:
                    async with session.get(f"http://127.0.0.1:{port}/{path}") as response:
                        await response.read()

    async def _clients_vanish(self) -> None:
        """Look at the live page with twenty clients, half of which go without a goodbye."""
        async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=10.0)) as session:
            port = self._chance.choice(self._stage.options.ports)
            clients = [await session.ws_connect(f"ws://127.0.0.1:{port}/api/v1/live") for _ in range(20)]
            await self._fault()
            for client in clients[::2]:
                await client.close()


def sample(role: str, pid: int, folder: Path, began_s: float) -> Sample:
    """Return what a process has now."""
    process = Path(f"/proc/{pid}")
    rollup = dict(line.split(":", 1) for line in (process / "smaps_rollup").read_text().splitlines()[1:])
    status = dict(line.split(":", 1) for line in (process / "status").read_text().splitlines())
    return Sample(
        at_s=round(time.monotonic() - began_s, 1),
        role=role,
        own_kib=sum(int(rollup[key].split()[0]) for key in ("Private_Clean", "Private_Dirty")),
        files=len(list((process / "fd").iterdir())),
        threads=int(status["Threads"]),
        disk_kib=sum(file.stat().st_size for file in folder.rglob("*") if file.is_file()) // 1024,
    )


@asynccontextmanager
async def everything(folder: Path, speed: float, seed: int) -> AsyncIterator[Soak]:
    """Run devices, servers and both daemons for as long as the context lasts."""
    (folder / "broker").mkdir()
    (folder / "victoria").mkdir()
    async with running_broker(folder / "broker") as broker, running_victoria(folder / "victoria") as victoria:
        options = DemoOptions(speed, source=Source.MODBUS, seed=seed, ports=choose_ports(2, None))
        stage = Stage(options)
        mqtt = {"host": broker.host, "port": broker.port, "tls": False}
        pair = Pair(stage, folder, dict.fromkeys(ROLES, mqtt), {"cloud": {"influxdb": {"url": victoria.url}}})
        async with stage.running(), pair.running():
            yield Soak(stage, pair, broker, victoria, random.Random(seed))  # noqa: S311 - no secret


async def soak(
    minutes: float, speed: float, seed: int, only: str | None
) -> tuple[list[Sample], Counter[str]]:
    """Return all samples, and how often what was done."""
    samples: list[Sample] = []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        async with everything(folder, speed, seed) as house:
            began_s = time.monotonic()
            acting = asyncio.create_task(house.go_on(only))
            while time.monotonic() - began_s < minutes * 60:
                await asyncio.sleep(SAMPLE_S)
                if acting.done():
                    await acting
                for role, process in house.pair.processes.items():
                    if process.returncode is not None:
                        sys.exit(f"{role} has ended: {house.pair.last_words(role)}")
                    samples.append(sample(role, process.pid, folder / role, began_s))
                print(*samples[-len(ROLES) :], sep="\n", file=sys.stderr, flush=True)
            acting.cancel()
            await asyncio.gather(acting, return_exceptions=True)
    return samples, house.events


def judge(samples: list[Sample], speed: float) -> bool:
    """Print what came of it, and return whether it is good."""
    good = True
    for role in ROLES:
        mine = [it for it in samples if it.role == role]
        third = len(mine) // 3
        early, middle, late = mine[:third], mine[third:-third], mine[-third:]
        first, *peaks = mine[0].own_kib, *(max(it.own_kib for it in part) for part in (early, middle, late))
        rise = slope([it.at_s / 3600 * speed for it in late], [it.own_kib for it in late])
        files = [median(it.files for it in part) for part in (early, late)]
        memory = ", ".join(f"{kib / 1024:.1f}" for kib in (first, *peaks))
        slopes = f"{rise.value:+.0f} KiB an hour of the house ({rise.least:+.0f} to {rise.most:+.0f})"
        print(
            f"{role}: memory at first, and the most of each third: {memory} MiB; slope of the last {slopes}; "
            f"open files {files[0]:g} early, {files[1]:g} late; threads {mine[0].threads}, "
            f"{mine[-1].threads}; {mine[-1].disk_kib / 1024:.1f} MiB on disk"
        )
        good &= rise.least <= MOST_RISE_KIB_PER_H and files[1] <= files[0] + MOST_MORE_FILES
    return good


def main() -> None:
    """Soak, and judge."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--minutes", type=float, default=60.0)
    parser.add_argument("--speed", type=float, default=100.0, help="seconds of the house in a second")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--only", help="of all that is done what has this in its name: to find a culprit")
    parser.add_argument("--json", type=Path, help="where to write all samples")
    args = parser.parse_args()
    log.set_up(log.LogSettings(level="error"))
    samples, events = asyncio.run(soak(args.minutes, args.speed, args.seed, args.only))
    if args.json:
        args.json.write_text(json.dumps([asdict(it) for it in samples]))
    print(f"{sum(events.values())} events: {dict(events.most_common())}")
    sys.exit(not judge(samples, args.speed))


if __name__ == "__main__":
    main()
