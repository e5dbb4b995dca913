"""The standalone daemon over MQTT: a real broker, the simulated house, the shell's own commands."""

import asyncio
import json
import subprocess
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

from pvcharge.demo import Demo, DemoOptions
from support.broker import Broker, running_broker
from support.services import require

PATIENCE_S = 15.0


@asynccontextmanager
async def home(tmp_path: Path, broker: Broker) -> AsyncIterator[Demo]:
    """Run a demo whose daemon also talks to a broker."""
    table = {"host": broker.host, "port": broker.port, "tls": False}
    demo = Demo(DemoOptions(speed=60.0, mqtt=table), tmp_path)
    async with demo.running():
        yield demo


async def publish(broker: Broker, topic: str, payload: str) -> None:
    """Publish as a script would."""
    program = require("mosquitto_pub", "mosquitto-clients")
    command = [program, "-h", broker.host, "-p", str(broker.port), "-t", topic, "-m", payload]
    await asyncio.to_thread(subprocess.run, command, check=True)


async def read(broker: Broker, topic: str) -> str:
    """Return what is retained on a topic, waiting for it a while."""
    program = require("mosquitto_sub", "mosquitto-clients")
    command = [program, "-h", broker.host, "-p", str(broker.port), "-t", topic, "-C", "1", "-W", "10"]
    result = await asyncio.to_thread(subprocess.run, command, check=True, capture_output=True, text=True)
    return str(result.stdout).strip()


async def until_power(demo: Demo, least_w: float) -> None:
    """Wait until the car draws so much."""
    await eventually(lambda: demo.stage.box.power_w >= least_w)


async def eventually(condition: Callable[[], bool]) -> None:
    """Wait until something is so that nobody tells about."""
    async with asyncio.timeout(PATIENCE_S):
        while not condition():  # noqa: ASYNC110 - there is no event to wait for
            await asyncio.sleep(0.05)


async def test_boost_reaches_the_charger_and_is_told(tmp_path: Path) -> None:
    """ON gives full power; state, mode and boost say so; Home Assistant knows the device."""
    async with running_broker(tmp_path) as broker, home(tmp_path, broker) as demo:
        await until_power(demo, 1000)
        await publish(broker, "pvcharge/demo/boost/set", "ON")
        await until_power(demo, 10_000)
        assert await read(broker, "pvcharge/demo/boost") == "ON"
        assert await read(broker, "pvcharge/demo/mode") == "boost"
        assert await read(broker, "pvcharge/demo/cloud/status") == "online"
        state = json.loads(await read(broker, "pvcharge/demo/state"))
        assert (state["v"], state["mode"], state["setpoint_a"]) == (1, "boost", 16)
        device = json.loads(await read(broker, "homeassistant/device/pvcharge_demo/config"))
        assert device["device"]["identifiers"] == ["pvcharge_demo"]
    assert demo.stage.box.properties["frc"] == 1  # the daemon has stopped, and stopped the charge


async def test_the_mode_survives_a_restart(tmp_path: Path) -> None:
    """What the user commanded is in force again when the daemon comes back."""
    async with running_broker(tmp_path) as broker:
        async with home(tmp_path, broker) as demo:
            await until_power(demo, 1000)
            await publish(broker, "pvcharge/demo/mode/set", "min_surplus")
            saved = tmp_path / "commands.json"
            await eventually(lambda: saved.exists() and "min_surplus" in saved.read_text())
        async with home(tmp_path, broker) as demo:
            await until_power(demo, 1000)
            assert await read(broker, "pvcharge/demo/mode") == "min_surplus"
