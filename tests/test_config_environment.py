"""Environment variables win over the file, and are named when they are wrong."""

import tomllib
from pathlib import Path

import pytest

from pvcharge import config
from pvcharge.control import Objective
from support.settings import charger_settings

CONFIG = """
[site]
latitude = 48.2
longitude = 16.4
timezone = "Europe/Vienna"
[[inverter]]
driver = "solaredge"
site_id = 1
api_key = "of-the-file"
[charger]
driver = "wattpilot"
host = "192.0.2.20"
password = "of-the-file"
[control]
objective = "cost"
min_current_a = 8
"""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Return a private configuration file."""
    file = tmp_path / "pv.toml"
    file.write_text(CONFIG)
    file.chmod(0o600)
    return file


def test_the_environment_wins_key_by_key(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A variable replaces one key of a table and leaves its neighbours."""
    monkeypatch.setenv("PVCHARGE_CONTROL__OBJECTIVE", "no_import")
    monkeypatch.setenv("PVCHARGE_CONTROL__MAX_CURRENT_A", "12")
    monkeypatch.setenv("PVCHARGE_CONTROL__PHASES", "[1]")
    settings = config.load(path)
    assert settings.control.objective is Objective.NO_IMPORT
    assert (settings.control.min_current_a, settings.control.max_current_a) == (8, 12)
    assert settings.control.phases == (1,)


def test_device_tables_and_lists_can_be_set(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The charger's keys are set one by one, the list of inverters as JSON; a password of digits is text."""
    monkeypatch.setenv("PVCHARGE_CHARGER__PASSWORD", "123456")
    monkeypatch.setenv("PVCHARGE_CHARGER__PORT", "8080")
    monkeypatch.setenv("PVCHARGE_INVERTER", '[{"driver": "solaredge", "site_id": 7, "api_key": "K"}]')
    settings = config.load(path)
    assert charger_settings(settings).password.get_secret_value() == "123456"
    assert charger_settings(settings).port == 8080
    assert [device.settings.site_id for device in settings.inverters] == [7]


def test_a_table_can_come_from_the_environment_alone(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What the file does not have at all is taken as JSON."""
    monkeypatch.setenv("PVCHARGE_EDGE", '{"lease_s": 30}')
    assert config.load(path).edge.lease_s == 30


@pytest.mark.parametrize(
    ("variable", "value", "line"),
    [
        (
            "PVCHARGE_CONTROL__OBJECTIVE",
            "greed",
            "PVCHARGE_CONTROL__OBJECTIVE: must be 'balance', 'no_import' or 'cost'",
        ),
        (
            "PVCHARGE_CONTROL__MIN_ON_MIN",
            "2",
            "PVCHARGE_CONTROL__MIN_ON_MIN: unknown key; did you mean min_on_s (in seconds)?",
        ),
        ("PVCHARGE_CONTROL__PHASES", "1,3", "PVCHARGE_CONTROL__PHASES: must be a list"),
        ("PVCHARGE_CONTROL", "no JSON", "PVCHARGE_CONTROL: must be a table"),
        ("PVCHARGE_CHARGER__PORT", "http", "PVCHARGE_CHARGER__PORT: must be a plain number"),
        (
            "PVCHARGE_INVERTER",
            "5",
            "PVCHARGE_INVERTER: must be a list (of tables: in double brackets)",
        ),
        ("PVCHARGE_ROLE", "emperor", "PVCHARGE_ROLE: must be 'standalone', 'cloud' or 'edge'"),
    ],
)
def test_a_bad_variable_is_named(
    path: Path, monkeypatch: pytest.MonkeyPatch, variable: str, value: str, line: str
) -> None:
    """Who looks into the file for a mistake of the environment would search for long."""
    monkeypatch.setenv(variable, value)
    with pytest.raises(config.ConfigError) as caught:
        config.load(path)
    assert caught.value.problems == [f"environment: {line}"]


def test_a_secret_of_the_environment_needs_no_private_file(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Only secrets that stand in a file can be read by others there."""
    path.write_text(CONFIG.replace('password = "of-the-file"', "").replace("api_key", "api_key_file"))
    (path.parent / "of-the-file").write_text("K")
    (path.parent / "of-the-file").chmod(0o600)
    path.chmod(0o644)
    monkeypatch.setenv("PVCHARGE_CHARGER__PASSWORD", "of-the-environment")
    assert charger_settings(config.load(path)).password.get_secret_value() == "of-the-environment"


def test_variables_of_other_programs_are_left_alone(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A container platform that sets PVCHARGE_PORT for its own ends stops nothing."""
    monkeypatch.setenv("PVCHARGE_PORT", "tcp://192.0.2.1:80")
    monkeypatch.setenv("PVCHARGE_CONFIG", str(path))
    assert config.load(path).role == "standalone"


def test_the_environment_is_for_the_file_only(monkeypatch: pytest.MonkeyPatch) -> None:
    """A demo beside a configured daemon must not reach for the real charger."""
    monkeypatch.setenv("PVCHARGE_CHARGER__HOST", "192.0.2.99")
    tables = tomllib.loads(CONFIG)
    assert charger_settings(config.build(tables, Path("demo"))).host == "192.0.2.20"
