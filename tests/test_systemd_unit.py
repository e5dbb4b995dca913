"""The shipped unit, as systemd itself reads it."""

import configparser
import subprocess
from pathlib import Path

from support.services import require

UNIT = Path(__file__).parents[1] / "systemd" / "pvcharge.service"


def test_exposure_is_low() -> None:
    """The security analysis of systemd itself finds an exposure of at most 2.0 of 10."""
    analyze = require("systemd-analyze", "systemd")
    subprocess.run(  # noqa: S603 - a fixed command
        [analyze, "security", "--offline=true", "--threshold=20", str(UNIT)], check=True, capture_output=True
    )


def test_unit_is_understood() -> None:
    """No unknown key or section; that the command is not installed here is the one complaint allowed."""
    analyze = require("systemd-analyze", "systemd")
    result = subprocess.run(  # noqa: S603 - a fixed command
        [analyze, "verify", str(UNIT)], check=False, capture_output=True, text=True
    )
    complaints = [line for line in result.stderr.splitlines() if "pvcharge.service" in line]
    assert all("is not executable" in line for line in complaints), complaints


def test_what_the_daemon_relies_on() -> None:
    """Notification, watchdog, and no restart on exit codes that do not mend themselves."""
    parser = configparser.ConfigParser(strict=False, interpolation=None)
    parser.optionxform = str  # type: ignore[assignment,method-assign]
    parser.read(UNIT)
    service = parser["Service"]
    assert service["Type"] == "notify"
    assert service["RestartPreventExitStatus"] == "2 78"
    assert "WatchdogSec" in service
    assert service["ExecStart"].endswith("pvcharge run --config /etc/pvcharge/pvcharge.toml")
