"""A secret that stands where none belongs in a configuration is not repeated by whoever refuses it."""

from pathlib import Path
from typing import Any

import pytest

from cli.runner import run_here
from pvcharge.toml import toml
from security.planted import STRAY, found

SITE = {"latitude": 48.2, "longitude": 16.4, "timezone": "Europe/Vienna"}
INVERTER = {"driver": "solaredge", "site_id": 1, "api_key": "K"}
LOCAL = {"driver": "solaredge_modbus", "host": "192.0.2.1"}
CHARGER = {"driver": "wattpilot", "host": "192.0.2.2", "password": "p"}
MQTT = {"host": "broker.example"}
WITH_LOGIN = f"http://user:{STRAY}@host.example"
WRONG: dict[str, dict[str, Any]] = {
    "an unknown key": {STRAY: "x"},
    "an unknown key's value": {"pasword": STRAY},
    "a role": {"role": STRAY},
    "a site's name": {"site": SITE | {"name": f"{STRAY}!"}},
    "a time zone": {"site": SITE | {"timezone": STRAY}},
    "a number": {"control": {"min_on_s": STRAY}},
    "a choice": {"control": {"objective": STRAY}},
    "a driver": {"charger": CHARGER | {"driver": STRAY}},
    "a box's host": {"charger": CHARGER | {"host": f"user:{STRAY}@192.0.2.2"}},
    "an inverter's host": {"inverter": [LOCAL | {"host": f"user:{STRAY}@192.0.2.1"}]},
    "an inverter's URL": {"inverter": [INVERTER | {"base_url": WITH_LOGIN}]},
    "a URL to log in at": {"inverter": [INVERTER | {"authorize_url": WITH_LOGIN}]},
    "a URL with a key": {"inverter": [INVERTER | {"base_url": f"https://host?api_key={STRAY}"}]},
    "a site's number": {"inverter": [INVERTER | {"site_id": STRAY}]},
    "a broker's host": {"mqtt": MQTT | {"host": f"user:{STRAY}@broker.example"}},
    "a broker's URL": {"mqtt": MQTT | {"host": f"mqtt://user:{STRAY}@broker.example"}},
    "a prefix": {"mqtt": MQTT | {"prefix": f"{STRAY}/#"}},
    "a server's URL": {"influxdb": {"url": WITH_LOGIN}},
    "a token of two words": {"influxdb": {"url": "http://localhost:1", "token": f"{STRAY} x"}},
    "an address to listen on": {"web": {"listen": STRAY}},
    "a page's host": {"web": {"hosts": [f"{STRAY}@x"]}},
    "a page around ours": {"web": {"embed_in": [f"https://user:{STRAY}@x"]}},
    "a proxy": {"web": {"trusted_proxies": [STRAY]}},
    "a hash that is none": {"web": {"password": f"$argon2id${STRAY}"}},
    "a level": {"log": {"level": STRAY}},
}


@pytest.mark.parametrize("tables", WRONG.values(), ids=WRONG)
def test_it_is_refused_and_not_repeated(
    tables: dict[str, Any], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """With what is wrong, and where."""
    file = tmp_path / "pvcharge.toml"
    file.touch(0o600)
    file.write_text(toml({"site": SITE, "inverter": [INVERTER], "charger": CHARGER, **tables}), "utf-8")
    result = run_here(capsys, "check", "-c", file)
    assert result.code == 78, result.all
    told = result.all if STRAY not in tables else result.all.replace(f"{STRAY}:", "")
    assert found(told.encode(), [STRAY]) == []


def test_broken_toml_is_not_repeated(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Only the place is told."""
    file = tmp_path / "pvcharge.toml"
    for text in (f"password = {STRAY}", f'[charger]\npassword = "{STRAY}', f"{STRAY} {STRAY}", f"[{STRAY}"):
        file.write_text(text, encoding="utf-8")
        result = run_here(capsys, "check", "-c", file)
        assert result.code == 78
        assert found(result.all.encode(), [STRAY]) == []
