"""What the compose file puts together works together: the shipped configurations lead a charge."""

import asyncio
import os
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from shipped.containers import PATIENCE_S, ROLES, Containers, prepare, running
from support.services import require

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="files are given to other users, as root alone can")


async def until(condition: Callable[[], Awaitable[bool]], containers: Containers, what: str) -> None:
    """Wait until something is so that nobody tells about."""
    try:
        async with asyncio.timeout(PATIENCE_S):
            while not await condition():  # noqa: ASYNC110 - of other processes
                await asyncio.sleep(0.05)
    except TimeoutError:
        logs = "\n".join(f"{role}:\n{containers.log(role)[-2000:]}" for role in ROLES)
        raise AssertionError(f"{what} did not come about\n{logs}") from None


async def test_a_setpoint_flows_from_cloud_to_edge(tmp_path: Path) -> None:
    """Both are well, the car is charged, and a stop ends each in good order."""
    require("mosquitto", "mosquitto")
    async with running(tmp_path) as containers:
        box = containers.stage.box

        async def are_well() -> bool:
            return all([(await containers.health(role))[0] == 200 for role in ROLES])

        async def have_met() -> bool:
            return all("peer is heard" in containers.log(role) for role in ROLES)

        async def charges() -> bool:
            return box.power_w > 1000

        await until(are_well, containers, "health")
        await until(have_met, containers, "a meeting")
        box.plug(containers.stage.car)
        await until(charges, containers, "a charge")
        assert await containers.stop("edge") == 0
        assert box.properties["frc"] == 1  # left as silence would leave it
        assert await containers.stop("cloud") == 0


def test_what_is_prepared_stays(tmp_path: Path) -> None:
    """Nothing is world-readable but the CA's certificate, and a second run changes no file."""
    require("mosquitto_passwd", "mosquitto")
    assert "wattpilot-password" in prepare(tmp_path)
    files = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    secrets = [path for path in files if path.parent.name == "secrets"]
    assert [path.name for path in secrets if path.stat().st_mode & 0o077] == ["mqtt-ca.pem"]
    assert {path.stat().st_uid for path in secrets if path.name.startswith("mqtt-server")} == {1883}
    prepare(tmp_path)
    assert files == {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}


@pytest.mark.parametrize("part", ["standalone", "edge"])
def test_a_part_needs_less(part: str, tmp_path: Path) -> None:
    """One configuration, a password for the page, and no certificates or passwords of a broker."""
    said = prepare(tmp_path, f"--{part}")
    assert {path.name for path in tmp_path.iterdir()} == {f"{part}.toml", "secrets"}
    assert {path.name for path in (tmp_path / "secrets").iterdir()} == {"web-password"}
    assert ("mqtt-password-edge" in said) is (part == "edge")
