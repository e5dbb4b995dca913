"""What differs between two configurations, by key."""

from pathlib import Path
from typing import Any

import pytest

from pvcharge import config
from pvcharge.control import ControlSettings
from pvcharge.reload import LIVE, differences
from pvcharge.tasks.settings_overlay import EDITABLE

TABLES: dict[str, Any] = {
    "state_dir": "/nowhere",
    "site": {"latitude": 48.2, "longitude": 16.4, "timezone": "Europe/Vienna"},
    "inverter": [
        {"driver": "solaredge_modbus", "host": "192.0.2.1", "name": "roof"},
        {"driver": "solaredge", "site_id": 4711, "api_key": "SITEKEY"},
    ],
    "charger": {"driver": "wattpilot", "host": "192.0.2.2", "password": "box-password"},
}
ANOTHER = {"driver": "solaredge", "site_id": 4712, "api_key": "SITEKEY"}


def build(**changes: Any) -> config.Config:
    """Return a configuration with other tables."""
    return config.build({**TABLES, **changes}, Path("test"))


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({}, []),
        ({"state_dir": "/elsewhere"}, ["state_dir"]),
        ({"control": {"min_on_s": 7, "phases": [3]}}, ["control.phases", "control.min_on_s"]),
        ({"charger": {**TABLES["charger"], "password": "new"}}, ["charger.password"]),
        ({"inverter": [TABLES["inverter"][0], ANOTHER]}, ["inverter solaredge.site_id"]),
        ({"inverter": TABLES["inverter"][::-1]}, ["inverter"]),
        ({"inverter": TABLES["inverter"][:1]}, ["inverter"]),
        ({"web": {}}, ["web"]),
        ({"mqtt": {"host": "broker.example"}}, ["mqtt"]),
        ({"log": {"level": "debug"}, "edge": {"on_silence": "keep"}}, ["edge.on_silence", "log.level"]),
    ],
)
def test_each_difference_is_named(changes: dict[str, Any], named: list[str]) -> None:
    """By the key in the file, whichever way one looks; a secret as any other, without its value."""
    assert list(differences(build(), build(**changes))) == named
    assert list(differences(build(**changes), build())) == named


def test_role_is_a_difference() -> None:
    """With all that comes with it."""
    mqtt = {"host": "broker.example"}
    cloud = {key: value for key, value in TABLES.items() if key != "charger"} | {"role": "cloud"}
    other = config.build({**cloud, "mqtt": mqtt}, Path("test"))
    assert list(differences(build(mqtt=mqtt), other)) == ["role", "charger"]


def test_what_changes_at_once_is_what_the_page_can_change() -> None:
    """Limits of the current, phases and voltage are not among it: others know them, too."""
    assert EDITABLE.keys() - LIVE == {"edge.on_silence"}
    names = {key.removeprefix("control.") for key in LIVE}
    assert ControlSettings.model_fields.keys() - names == {
        "mode",
        "min_current_a",
        "max_current_a",
        "phases",
        "voltage_v",
    }
