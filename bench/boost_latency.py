"""How long a boost takes from its command to the first write at the charger.

    python bench/boost_latency.py [--toggles 200]

Three ways on one machine, one after the other: a command put into the control loop's own inbox, one published
to a standalone daemon, and one published to a cloud whose charger is behind an edge, as two processes. The
broker is a Mosquitto on loopback, the charger the simulated Wattpilot; times are real ones.
"""

import argparse
import asyncio
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from pvcharge import log
from pvcharge.clock import SystemClock
from pvcharge.demo import Demo, DemoOptions, Stage
from pvcharge.demo.broker import HOST, private_broker
from pvcharge.demo.pair import Pair
from pvcharge.model import Mode, ModeCommand
from pvcharge.mqtt.acl import acl
from pvcharge.mqtt.bus import Message
from pvcharge.mqtt.link import Link
from pvcharge.mqtt.settings import MqttSettings
from pvcharge.mqtt.topics import Namespace
from pvcharge.sim.trace import Trace
from pvcharge.sim.wattpilot import WattpilotBox
from pvcharge.sim.wattpilot.box import CarState

SPEED = 20.0  # of the simulated devices: a box that has been written to shows it sooner
FULL_W = 10_000.0  # more than a car draws by anything but a boost
PATIENCE_S = 20.0
START_S = 1.0  # of the daemons; then again, since a command to nobody is lost
PAUSE_S = 0.3  # between a toggle and the next one
PASSWORD = "bench"  # noqa: S105 - of a broker on loopback
NIGHT = Trace(datetime(2026, 6, 15, tzinfo=UTC), timedelta(minutes=1), [0.0] * 1440, [500.0] * 1440)

Command = Callable[[bool], Awaitable[None]]


def options(mqtt: dict[str, Any] | None = None) -> DemoOptions:
    """Return a house without sun, where the car charges only when it is boosted."""
    return DemoOptions(SPEED, NIGHT, api="v1", mqtt=mqtt)


async def measure(box: WattpilotBox, boost: Command, toggles: int) -> list[float]:
    """Return the milliseconds from each command to the first write that follows."""
    written: asyncio.Future[float] = asyncio.Future()
    set_value = box.set_value

    def note(key: str, value: Any) -> None:
        if not written.done():
            written.set_result(time.perf_counter())
        set_value(key, value)

    box.set_value = note  # type: ignore[method-assign]
    took_ms = []
    for _ in range(toggles):
        for on in (True, False):
            written = asyncio.Future()
            begun_s = time.perf_counter()
            await boost(on)
            took_s = await asyncio.wait_for(written, PATIENCE_S) - begun_s
            await until(lambda: (box.power_w > FULL_W) is on)  # noqa: B023 - called at once
            if on:
                took_ms.append(took_s * 1000)
            await asyncio.sleep(PAUSE_S)
    return took_ms


@asynccontextmanager
async def publisher(port: int, user: str) -> AsyncIterator[Command]:
    """Yield a function that publishes the command as Home Assistant would."""
    settings = MqttSettings.model_validate(login(port, user))
    link = Link(settings, client_id="bench", will=None, clock=SystemClock())
    connecting = asyncio.create_task(link.run())

    async def publish(on: bool) -> None:  # noqa: FBT001 - the command
        await link.publish("pvcharge/demo/boost/set", "ON" if on else "OFF")

    async def hear(message: Message) -> None:
        modes.append(message.payload)

    modes: list[bytes] = []
    link.listen("pvcharge/demo/mode", hear)
    try:
        while modes[-1:] != [b"off"]:
            await asyncio.sleep(START_S)
            await link.publish("pvcharge/demo/mode/set", "off")
        yield publish
    finally:
        connecting.cancel()
        await asyncio.wait([connecting])


def login(port: int, user: str) -> dict[str, Any]:
    """Return an `[mqtt]` table."""
    return {"host": HOST, "port": port, "tls": False, "username": user, "password": PASSWORD}


async def rests(stage: Stage) -> None:
    """Wait until a car is plugged in, and draws nothing since the mode is off."""
    await until(lambda: stage.box.properties["car"] not in (CarState.IDLE, CarState.CHARGING))
    await asyncio.sleep(2)


async def until(condition: Callable[[], bool]) -> None:
    """Wait until something is so that nobody tells about."""
    async with asyncio.timeout(PATIENCE_S):
        while not condition():  # noqa: ASYNC110 - there is no event to wait for
            await asyncio.sleep(0.01)


async def inbox(folder: Path, toggles: int) -> list[float]:
    """Measure without any broker."""
    demo = Demo(options(), folder)
    async with demo.running() as app:
        await app.inbox.put(ModeCommand(Mode.OFF))

        async def command(on: bool) -> None:  # noqa: FBT001 - the command
            until = None if on else app.clock.now()
            await app.inbox.put(ModeCommand(Mode.BOOST, until))

        await rests(demo.stage)
        return await measure(demo.stage.box, command, toggles)


async def standalone(folder: Path, port: int, toggles: int) -> list[float]:
    """Measure one daemon at a broker."""
    demo = Demo(options(login(port, "cloud-demo")), folder)
    async with demo.running(), publisher(port, "homeassistant") as publish:
        await rests(demo.stage)
        return await measure(demo.stage.box, publish, toggles)


async def split(folder: Path, port: int, toggles: int) -> list[float]:
    """Measure cloud and edge."""
    stage = Stage(options())
    pair = Pair(stage, folder, {role: login(port, f"{role}-demo") for role in ("edge", "cloud")})
    async with stage.running(), pair.running(), publisher(port, "homeassistant") as publish:
        stage.box.plug(stage.car)
        await rests(stage)
        return await measure(stage.box, publish, toggles)


async def compare(toggles: int) -> None:
    """Measure all three and print a table."""
    print(f"{'milliseconds from command to write':<36}{'median':>8}{'p99':>8}{'most':>8}")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for part in ("inbox", "standalone", "split", "broker"):
            (folder / part).mkdir()
        users = dict.fromkeys(("edge-demo", "cloud-demo", "homeassistant"), PASSWORD)
        async with private_broker(folder / "broker", users, acl(Namespace("pvcharge", "demo"))) as port:
            show("inbox, one process", await inbox(folder / "inbox", toggles))
            show("MQTT, standalone", await standalone(folder / "standalone", port, toggles))
            show("MQTT, cloud and edge", await split(folder / "split", port, toggles))


def show(what: str, took_ms: list[float]) -> None:
    """Print a row."""
    ranked = sorted(took_ms)
    p99 = ranked[min(len(ranked) - 1, int(0.99 * len(ranked)))]
    print(f"{what:<36}{ranked[len(ranked) // 2]:>8.1f}{p99:>8.1f}{ranked[-1]:>8.1f}", flush=True)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--toggles", type=int, default=200)
    log.set_up(log.LogSettings(level="error"))
    asyncio.run(compare(parser.parse_args().toggles))
