"""SIGHUP: what can change while the daemon runs does, what cannot is named, a broken file changes nothing."""

import asyncio
import os
from pathlib import Path
from typing import Any

from pvcharge.tasks.settings_store import FILE
from service.rig import CHARGER, Daemon, running

CONTROL = "[control]\nmin_on_s = 120\nmax_current_a = 16\n"
ON_S, PRICE = "control.min_on_s", "control.import_price"
# The file changes, and somebody says so, in the moment after it was read first.
AT_ONCE = """
import os, signal
from pvcharge import config
load = config.load
def first(path):
    config.load = load
    settings = load(path)
    path.write_text(path.read_text().replace('min_on_s = 120', 'min_on_s = 60'))
    os.kill(os.getpid(), signal.SIGHUP)
    return settings
config.load = first
"""
MQTT = '[mqtt]\nhost = "127.0.0.1"\nport = 9\ntls = false\n'


async def ready(daemon: Daemon) -> None:
    """Wait until it runs and shows its page."""
    await daemon.tells("READY=1")
    await daemon.has_said(event="web server listens")


async def reloaded(daemon: Daemon) -> dict[str, Any]:
    """Have it read its configuration, and return what it says to that."""
    daemon.hang_up()
    return await daemon.says(event="configuration read again")


async def test_control_changes(tmp_path: Path) -> None:
    """The page shows the new value as configured and in force, and the service manager sees it happen."""
    async with running(tmp_path, CONTROL) as daemon:
        await ready(daemon)
        daemon.edit("min_on_s = 120", "min_on_s = 60\nobjective = 'no_import'")
        assert (await reloaded(daemon))["changed"] == ["control.objective", ON_S]
        shown = await daemon.setting(ON_S)
        assert (shown["value"], shown["configured"]) == (60, 60)
        assert (await daemon.setting("control.objective"))["value"] == "no_import"
        reloading = await daemon.tells("RELOADING=1")
        assert reloading.startswith("RELOADING=1\nMONOTONIC_USEC=")
        assert await daemon.tells("READY=1") == "READY=1"
        assert daemon.process.returncode is None


async def test_the_users_changes_stay_on_top(tmp_path: Path) -> None:
    """What was set on the page is still so; taken back, it is what the file says now."""
    async with running(tmp_path, CONTROL) as daemon:
        await ready(daemon)
        await daemon.ask("PATCH", "/settings", revision=0, changes={ON_S: 300})
        daemon.edit("min_on_s = 120", "min_on_s = 60\nimport_price = 0.5")
        await reloaded(daemon)
        shown = await daemon.setting(ON_S)
        assert (shown["value"], shown["configured"]) == (300, 60)
        assert (await daemon.setting(PRICE))["value"] == 0.5
        revision = (await daemon.ask("GET", "/settings"))["revision"]
        assert revision == 2
        await daemon.ask("PATCH", "/settings", revision=revision, changes={ON_S: None})
        assert (await daemon.setting(ON_S))["value"] == 60


async def test_what_needs_a_restart_is_named(tmp_path: Path) -> None:
    """In one line without a value, each time until it is so or taken back; the rest is in force."""
    async with running(tmp_path, CONTROL) as daemon:
        await ready(daemon)
        daemon.edit("max_current_a = 16", "max_current_a = 10")
        daemon.edit("min_on_s = 120", "min_on_s = 60")
        daemon.edit('password = "box-password"', 'password = "another-secret"')
        daemon.edit("[log]", "[history]\nraw_days = 7\n[edge]\nlease_s = 30\n[log]")
        named = "charger.password, control.max_current_a, edge.lease_s, history.raw_days"
        for changed in ([ON_S], []):
            assert (await reloaded(daemon))["changed"] == changed
            line = await daemon.says(event="needs a restart")
            assert (line["level"], line["settings"]) == ("warning", named)
        assert "another-secret" not in str(daemon.lines)
        assert (await daemon.setting(ON_S))["value"] == 60


async def test_log_level_changes(tmp_path: Path) -> None:
    """To more and back to less."""
    async with running(tmp_path) as daemon:
        await ready(daemon)
        daemon.edit('format = "json"', 'format = "json"\nlevel = "debug"')
        assert (await reloaded(daemon))["changed"] == ["log.level"]
        await daemon.says(level="debug")
        daemon.edit('level = "debug"', 'level = "error"')
        daemon.hang_up()
        await daemon.tells("RELOADING=1")
        await daemon.tells("RELOADING=1")
        await daemon.tells("READY=1")
        daemon.edit('level = "error"', 'level = "info"')
        assert (await reloaded(daemon))["changed"] == ["log.level"]


async def test_broken_file_changes_nothing(tmp_path: Path) -> None:
    """All of its problems are logged; mended, it is taken."""
    async with running(tmp_path, CONTROL) as daemon:
        await ready(daemon)
        daemon.edit("min_on_s = 120", "min_on_s = -1\nmin_of_s = 5\nimport_price = 0.5")
        daemon.hang_up()
        line = await daemon.says(event="configuration not taken, all goes on as before")
        assert line["level"] == "error"
        told = " ".join(line["problems"])
        assert "[control] min_on_s" in told
        assert "did you mean min_off_s?" in told
        assert [(await daemon.setting(key))["value"] for key in (ON_S, PRICE)] == [120, 0.3]
        await daemon.tells("RELOADING=1")
        await daemon.tells("READY=1")
        daemon.edit("min_on_s = -1\nmin_of_s = 5", "min_on_s = 60")
        assert (await reloaded(daemon))["changed"] == [PRICE, ON_S]
        daemon.file.unlink()
        daemon.hang_up()
        line = await daemon.says(event="configuration not taken, all goes on as before")
        assert "no such file" in line["problems"][0]
        assert (await daemon.setting(ON_S))["value"] == 60


async def test_many_in_a_row(tmp_path: Path) -> None:
    """The last word counts, however fast they come."""
    async with running(tmp_path, CONTROL) as daemon:
        await ready(daemon)
        wanted = 120
        for wanted in range(121, 151):
            daemon.edit(f"min_on_s = {wanted - 1}", f"min_on_s = {wanted}")
            daemon.hang_up()
        while (await daemon.setting(ON_S))["value"] != wanted:
            await daemon.says(event="configuration read again")
        assert daemon.process.returncode is None


async def test_before_anybody_can_act_on_it(tmp_path: Path) -> None:
    """It is neither the end of the process nor lost."""
    async with running(tmp_path, CONTROL, patch=AT_ONCE) as daemon:
        assert (await daemon.says(event="configuration read again"))["changed"] == [ON_S]
        await daemon.has_said(event="web server listens")
        assert (await daemon.setting(ON_S))["value"] == 60


async def test_during_the_start(tmp_path: Path) -> None:
    """It waits until there is a controller that can carry it out."""
    os.mkfifo(tmp_path / FILE)
    async with running(tmp_path, CONTROL) as daemon:
        with (tmp_path / FILE).open("w") as disk:  # which waits until the daemon reads
            daemon.edit("min_on_s = 120", "min_on_s = 60")
            daemon.hang_up()
            await asyncio.to_thread(disk.write, "{}")
        assert (await daemon.says(event="configuration read again"))["changed"] == [ON_S]
        await daemon.has_said(event="web server listens")
        assert (await daemon.setting(ON_S))["value"] == 60


async def test_at_an_edge(tmp_path: Path) -> None:
    """Its limits are the last word at the charger, and stand from its start on."""
    devices = CHARGER.format(host="127.0.0.1", port=9)
    async with running(tmp_path, CONTROL + MQTT, top='role = "edge"\n', devices=devices) as daemon:
        await ready(daemon)
        daemon.edit("max_current_a = 16", "max_current_a = 10")
        daemon.edit("min_on_s = 120", "min_on_s = 60")
        daemon.edit('format = "json"', 'format = "json"\nlevel = "debug"')
        assert (await reloaded(daemon))["changed"] == ["log.level"]
        line = await daemon.says(event="needs a restart")
        assert line["settings"] == "control.max_current_a, control.min_on_s"
