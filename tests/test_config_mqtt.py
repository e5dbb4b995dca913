"""The `[mqtt]` table of the configuration: optional, with its secret in a file, and with clear errors."""

from pathlib import Path
from typing import Any

import pytest

from pvcharge import config

TABLES: dict[str, Any] = {
    "site": {"latitude": 48.2, "longitude": 16.4, "timezone": "Europe/Vienna"},
    "inverter": [{"driver": "solaredge", "site_id": 1, "api_key_file": "secret"}],
    "charger": {"driver": "wattpilot", "host": "192.0.2.20", "password_file": "secret"},
}


def load(folder: Path, mqtt: Any) -> config.Config:
    """Build a configuration with this table, in a folder with a file `secret`."""
    (folder / "secret").write_text("planted\n")
    (folder / "secret").chmod(0o600)
    return config.build(TABLES | ({} if mqtt is None else {"mqtt": mqtt}), folder / "pv.toml")


def test_no_table_is_no_broker(tmp_path: Path) -> None:
    """A standalone daemon needs none."""
    assert load(tmp_path, None).mqtt is None


def test_the_password_comes_from_its_file(tmp_path: Path) -> None:
    """And is shown to nobody."""
    table = {"host": "broker.example", "username": "cloud-home", "password_file": "secret"}
    mqtt = load(tmp_path, table).mqtt
    assert mqtt is not None
    assert mqtt.password is not None
    assert mqtt.password.get_secret_value() == "planted"
    assert "planted" not in repr(mqtt)


@pytest.mark.parametrize(
    ("table", "said"),
    [
        ({}, "[mqtt] host: is missing"),
        ({"host": "x", "prot": 1}, "[mqtt] prot: unknown key; did you mean port?"),
        ({"host": "x", "port": 0}, "[mqtt] port: must be at least 1"),
        ({"host": "x", "password_file": "gone"}, "[mqtt] password_file: there is no such file"),
        (5, "[mqtt]: must be a table"),
    ],
)
def test_what_is_wrong_is_said(tmp_path: Path, table: Any, said: str) -> None:
    """With file, key and reason, as for any table."""
    with pytest.raises(config.ConfigError) as error:
        load(tmp_path, table)
    assert f"{tmp_path / 'pv.toml'}: {said}" in error.value.problems[0]
