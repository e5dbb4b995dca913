"""A daemon is ready when its tasks run, whether anybody answers it or not."""

import asyncio
import os
from pathlib import Path

from pvcharge.tasks.settings_store import FILE
from service.rig import CHARGER, INVERTER, NOBODY, running

MQTT = '[mqtt]\nhost = "127.0.0.1"\nport = 9\ntls = false\n'
INFLUX = f'[influxdb]\nurl = "{NOBODY}"\n'
EDGE = 'role = "edge"\n'


async def test_ready_with_nobody_there(tmp_path: Path) -> None:
    """Broker, database, inverter and charger may all come later; each is tried again."""
    async with running(tmp_path, MQTT + INFLUX) as daemon:
        assert await daemon.tells("READY=1") == "READY=1\nSTATUS=running as standalone"
        for device in ("wattpilot", "solaredge"):
            await daemon.has_said(event="device failed", device=device)
        await daemon.tells("Failing: ")
        await daemon.tells("WATCHDOG=1")
        assert daemon.process.returncode is None


async def test_edge_is_ready_with_nobody_there(tmp_path: Path) -> None:
    """As is the one in the house, of which the network may be late."""
    async with running(tmp_path, MQTT, top=EDGE, devices=CHARGER.format(host="127.0.0.1", port=9)) as daemon:
        assert await daemon.tells("READY=1") == "READY=1\nSTATUS=running as edge"
        await daemon.tells("STATUS=edge: nothing is known yet. Failing: ")
        await daemon.tells("WATCHDOG=1")


async def test_not_ready_before_what_was_kept_is_back(tmp_path: Path) -> None:
    """A disk that takes its time at the start is waited for."""
    os.mkfifo(tmp_path / FILE)
    async with running(tmp_path) as daemon:
        with (tmp_path / FILE).open("w") as disk:  # which waits until the daemon reads
            await asyncio.sleep(0.3)  # in which it has nothing to say
            assert daemon.told_meanwhile() == []
            await asyncio.to_thread(disk.write, "{}")
        await daemon.tells("READY=1")
        assert [message for message in daemon.told if "READY" in message] == daemon.told[-1:]


async def test_secrets_come_as_credentials(tmp_path: Path) -> None:
    """As systemd's LoadCredential lays them out, whatever the mode of the file."""
    credentials = tmp_path / "credentials"
    credentials.mkdir()
    for name, secret in (("box", "box-password\n"), ("key", "SITEKEY\n")):
        (credentials / name).write_text(secret, encoding="utf-8")
        (credentials / name).chmod(0o444)
    charger = CHARGER.format(host="127.0.0.1", port=9)
    inverter = INVERTER.format(base_url=NOBODY)
    devices = inverter.replace('api_key = "SITEKEY"', 'api_key_file = "key"') + charger.replace(
        'password = "box-password"', 'password_file = "box"'
    )
    environment = {"CREDENTIALS_DIRECTORY": str(credentials)}
    async with running(tmp_path, devices=devices, environment=environment) as daemon:
        await daemon.tells("READY=1")
    (credentials / "box").unlink()
    (tmp_path / "notify").unlink()
    async with running(tmp_path, devices=devices, environment=environment) as daemon:
        _, complaint = await daemon.process.communicate()
    assert daemon.process.returncode == 78
    assert b"[charger] password_file: there is no such file" in complaint
