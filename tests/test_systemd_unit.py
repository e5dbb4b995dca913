"""The shipped units, as systemd itself reads them."""

import configparser
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from pvcharge.service import STOP_S
from support.services import require

ROOT = Path(__file__).parents[1]
SYSTEMD = ROOT / "systemd"
UNIT, TEMPLATE, CREDENTIALS = (
    SYSTEMD / name for name in ("pvcharge.service", "pvcharge@.service", "credentials.conf")
)
INSTALLED = {UNIT: "pvcharge.service", TEMPLATE: "pvcharge@home.service"}
MOST_EXPOSED = 15  # tenths, of 100

each_unit = pytest.mark.parametrize("unit", [UNIT, TEMPLATE], ids=lambda unit: unit.name)


def install(unit: Path, folder: Path) -> Path:
    """Install a unit with its credentials, all of them, and return its file."""
    installed = folder / INSTALLED[unit]
    shutil.copy(unit, installed)
    drop_ins = folder / f"{installed.name}.d"
    drop_ins.mkdir()
    text = CREDENTIALS.read_text(encoding="utf-8").replace("#LoadCredential", "LoadCredential")
    (drop_ins / CREDENTIALS.name).write_text(text, encoding="utf-8")
    return installed


def service(unit: Path) -> dict[str, str]:
    """Return the section of the service; of keys that are there twice, the last."""
    parser = configparser.ConfigParser(strict=False, interpolation=None)
    parser.optionxform = str  # type: ignore[assignment,method-assign]
    parser.read(unit)
    return dict(parser["Service"])


@each_unit
def test_exposure_is_low(unit: Path) -> None:
    """The security analysis of systemd itself finds an exposure of at most 1.5 of 10."""
    analyze = require("systemd-analyze", "systemd")
    result = subprocess.run(  # noqa: S603 - a fixed command
        [analyze, "security", "--offline=true", f"--threshold={MOST_EXPOSED}", str(unit)],
        check=False,
        capture_output=True,
        text=True,
    )
    assert result.returncode == 0, result.stdout.splitlines()[-1:]


@each_unit
def test_unit_is_understood(unit: Path, tmp_path: Path) -> None:
    """No unknown key or section; that the command is not installed here is the one complaint allowed."""
    analyze = require("systemd-analyze", "systemd")
    installed = install(unit, tmp_path)
    result = subprocess.run(  # noqa: S603 - a fixed command
        [analyze, "verify", str(installed)], check=False, capture_output=True, text=True
    )
    complaints = [line for line in result.stderr.splitlines() if "pvcharge" in line or "credentials" in line]
    assert all("is not executable" in line for line in complaints), complaints


def test_what_the_daemon_relies_on() -> None:
    """Notification, watchdog, reload, time to stop, no restart on exit codes that do not mend themselves."""
    values = service(UNIT)
    assert values["Type"] == "notify"
    assert values["RestartPreventExitStatus"] == "2 78"
    assert values["ExecReload"] == "/bin/kill -HUP $MAINPID"
    assert "WatchdogSec" in values
    assert float(values["TimeoutStopSec"].removesuffix("s")) > STOP_S
    assert values["ExecStart"].endswith("pvcharge run --config /etc/pvcharge/pvcharge.toml")


def test_template_differs_by_its_folders_alone() -> None:
    """An instance is as well guarded as the only service."""
    only, instance = service(UNIT), service(TEMPLATE)
    assert {key for key in only | instance if only.get(key) != instance.get(key)} == {
        "ExecStart",
        "StateDirectory",
        "ConfigurationDirectory",
    }
    lines = [set(unit.read_text(encoding="utf-8").splitlines()) for unit in (UNIT, TEMPLATE)]
    assert all(
        line.startswith(("#", "Description", "ExecStart", "State", "Conf")) for line in lines[0] ^ lines[1]
    )


def test_install_chapter_names_what_is_there() -> None:
    """Each file of ours that it installs, and every file that is there to be installed."""
    chapter = (ROOT / "docs" / "install.md").read_text(encoding="utf-8")
    named = set(re.findall(r"(?<![\w/])(?:systemd/\S+|config\.example\.toml)", chapter))
    assert named == {"config.example.toml", *(f"systemd/{path.name}" for path in SYSTEMD.iterdir())}
    assert all((ROOT / name).is_file() for name in named)
