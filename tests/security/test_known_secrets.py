"""Every secret of a configuration is known, wherever it stands; and a crash of a command tells none."""

import sys
from pathlib import Path

import pytest

from pvcharge import config
from pvcharge.cli.main import main
from pvcharge.secret_files import secrets_in
from security.planted import STRAY, found

SITE = {"latitude": 48.2, "longitude": 16.4, "timezone": "Europe/Vienna"}


def test_all_secrets_of_a_configuration_are_known(tmp_path: Path) -> None:
    """Of devices, broker, server and page."""
    built = config.build(
        {
            "site": SITE,
            "inverter": [
                {"driver": "solaredge", "name": "a", "site_id": 1, "api_key": "SECRET-1"},
                {
                    "driver": "solaredge",
                    "name": "b",
                    "site_id": 2,
                    "client_id": "x",
                    "client_secret": "secret-2",
                },
                {"driver": "solaredge_modbus", "host": "192.0.2.1"},
            ],
            "charger": {"driver": "wattpilot", "host": "192.0.2.2", "password": "secret-3"},
            "mqtt": {"host": "broker.example", "username": "u", "password": "secret-4"},
            "influxdb": {"url": "https://influx.example", "token": "secret-5"},
            "web": {"password": "secret-6"},
        },
        tmp_path / "pvcharge.toml",
    )
    assert sorted(secrets_in(built)) == ["SECRET-1", *(f"secret-{number}" for number in range(2, 7))]


def test_a_crash_tells_what_and_where_but_no_secret(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """As Python would, but for what looks like a secret."""
    monkeypatch.setattr(sys, "argv", ["pvcharge", "version"])
    monkeypatch.setattr(sys, "excepthook", sys.excepthook)
    assert main() == 0
    capsys.readouterr()
    try:
        int(f"GET https://user:{STRAY}@host/?api_key={STRAY}")
    except ValueError as error:
        sys.excepthook(type(error), error, error.__traceback__)
    told = capsys.readouterr().err
    assert "Traceback" in told
    assert "test_known_secrets.py" in told
    assert "ValueError" in told
    assert found(told.encode(), [STRAY]) == []
