"""What the tests of the commands share: a clean environment, a runner, and configuration files."""

import logging
import os
from collections.abc import Iterator
from pathlib import Path

import pytest
import structlog

from cli.runner import Result, Run, WriteConfig, run_here

SITE = """
[site]
latitude = 48.2
longitude = 16.4
timezone = "Europe/Vienna"
"""
INVERTER = """
[[inverter]]
driver = "solaredge"
site_id = 123456
api_key = "planted-key"
"""
CHARGER = """
[charger]
driver = "wattpilot"
host = "192.0.2.20"
password = "planted-password"
"""


@pytest.fixture(autouse=True)
def _clean(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Keep the user's settings from the tests, and what a command sets up from other tests."""
    for variable in os.environ:
        if variable.startswith("PVCHARGE_"):
            monkeypatch.delenv(variable)
    monkeypatch.setenv("COLUMNS", "100")
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    structlog.reset_defaults()
    root.handlers[:], root.level = handlers, level


@pytest.fixture
def pvcharge(capsys: pytest.CaptureFixture[str]) -> Run:
    """Return a function that runs a command line within the test's process."""

    def run(*arguments: object) -> Result:
        return run_here(capsys, *arguments)

    return run


@pytest.fixture
def write_config(tmp_path: Path) -> WriteConfig:
    """Return a function that writes a private configuration: the usual site, these inverter and charger.

    `head` comes before all tables, `rest` after them.
    """

    def write(inverter: str = INVERTER, charger: str = CHARGER, rest: str = "", head: str = "") -> Path:
        path = tmp_path / "pv.toml"
        state_dir = tmp_path / "state"
        path.write_text(f'{head}state_dir = "{state_dir}"\n{SITE}{inverter}{charger}{rest}')
        path.chmod(0o600)
        return path

    return write
