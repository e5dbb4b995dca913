"""`pvcharge run` twice, as cloud and as edge: what a user sees, and what becomes of it when one fails."""

import asyncio
import json
import signal
import sys
from pathlib import Path

import pytest

from processes.split_house import LEASE_S, SplitHouse, split_house


async def shell(house: SplitHouse, role: str, *command: str) -> str:
    """Return what a command says that is given on a daemon's own machine."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "pvcharge", *command, "-c", str(house.pair.config_file(role))),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    said, _ = await process.communicate()
    assert process.returncode == 0, said
    return said.decode()


async def test_the_car_follows_the_surplus_and_boosts_on_command(tmp_path: Path) -> None:
    """Through TLS, passwords and access rules; by any MQTT client, and by the shell on either side."""
    async with split_house(tmp_path) as house:
        await house.follows_surplus()
        await house.publish("pvcharge/demo/boost/set", "ON")
        await house.full_power()
        assert await house.read("pvcharge/demo/boost") == "ON"
        state = json.loads(await house.read("pvcharge/demo/state"))
        assert (state["mode"], state["setpoint_a"], state["charger_ok"]) == ("boost", 16, True)
        assert abs(state["edge_clock_ahead_s"]) < 2
        assert "boost off: done" in await shell(house, "edge", "boost", "off")
        await house.follows_surplus()
        assert "boost on: done" in await shell(house, "cloud", "boost", "on", "--for", "2h")
        await house.full_power()
        assert [await house.read(f"pvcharge/demo/{side}/status") for side in ("edge", "cloud")] == [
            "online",
            "online",
        ]
        assert await house.pair.stop("edge") == 0
        assert house.stage.box.properties["frc"] == 1  # left as silence would leave it
        assert await house.read("pvcharge/demo/edge/status") == "offline"
        assert await house.pair.stop("cloud") == 0


@pytest.mark.fault("process", "kill -9")
async def test_a_dead_cloud_stops_the_car_and_a_new_one_takes_over(tmp_path: Path) -> None:
    """Killed without a word: the lease runs out at the edge. What was commanded before is in force again."""
    async with split_house(tmp_path) as house:
        await house.follows_surplus()
        house.pair.processes["cloud"].kill()
        await house.stops()
        await house.publish("pvcharge/demo/boost/set", "ON")  # which the edge sees to by itself
        await house.full_power()
        amps = house.watch("amp")
        await house.pair.start("cloud")
        await house.until(lambda: house.has_logged("edge", "handed over"), "the taking over")
        assert set(amps) <= {16}
        await house.tells("mode", "boost")
        await house.publish("pvcharge/demo/boost/set", "OFF")
        await house.follows_surplus()


@pytest.mark.fault("process", "kill -9")
async def test_a_dead_edge_is_replaced_and_changes_nothing_by_starting(tmp_path: Path) -> None:
    """A killed edge takes over the charge that it finds at its next start."""
    async with split_house(tmp_path) as house:
        await house.follows_surplus()
        house.pair.processes["edge"].kill()
        await house.pair.processes["edge"].wait()
        drawn_w = house.power_w
        await house.pair.start("edge")
        powers: list[float] = []

        def is_led_again() -> bool:
            powers.append(house.power_w)
            return house.has_logged("edge", "peer is heard", times=2)

        await house.until(is_led_again, "the new edge's meeting with the cloud")
        assert min(powers) > 0.9 * drawn_w
        await house.publish("pvcharge/demo/boost/set", "ON")
        await house.full_power()


@pytest.mark.fault("process", "SIGSTOP 5 min")
async def test_a_paused_edge_applies_nothing_old(tmp_path: Path) -> None:
    """What was leased meanwhile waits for it in the network, and has run out when it wakes."""
    async with split_house(tmp_path) as house:
        await house.follows_surplus()
        house.pair.processes["edge"].send_signal(signal.SIGSTOP)
        await house.publish("pvcharge/demo/boost/set", "ON")
        await asyncio.sleep(0.5)
        await house.publish("pvcharge/demo/boost/set", "OFF")
        await asyncio.sleep(3 * LEASE_S)
        amps = house.watch("amp")
        house.pair.processes["edge"].send_signal(signal.SIGCONT)
        await house.until(lambda: house.has_logged("cloud", "recovered"), "the cloud's recovery")
        await house.follows_surplus()
        assert 16 not in amps or house.stage.box.properties["psm"] == 1  # full power is 16 A on three phases


@pytest.mark.fault("broker", "kill -9")
async def test_a_broker_that_dies_and_forgets_is_survived(tmp_path: Path) -> None:
    """The car is stopped when the lease runs out, and goes on when both have met again."""
    async with split_house(tmp_path) as house:
        await house.follows_surplus()
        await house.broker.kill()
        await house.stops()
        await house.broker.start()
        await house.follows_surplus()
        assert await house.read("pvcharge/demo/mode") == "surplus"
