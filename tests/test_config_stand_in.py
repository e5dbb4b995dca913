"""`[edge] on_silence = "local"`: only where there is a charger to lead and something to follow."""

from pathlib import Path
from typing import Any

import pytest

from pvcharge import config
from pvcharge.tasks.charger_task import OnSilence

SITE = {"latitude": 48.2, "longitude": 16.4, "timezone": "Europe/Vienna"}
INVERTER = {"driver": "solaredge", "site_id": 1, "api_key": "secret"}
EDGE: dict[str, Any] = {
    "role": "edge",
    "site": SITE,
    "inverter": [INVERTER],
    "charger": {"driver": "wattpilot", "host": "192.0.2.20", "password": "secret"},
    "mqtt": {"host": "broker.example"},
    "edge": {"on_silence": "local"},
}
CLOUD: dict[str, Any] = {name: table for name, table in EDGE.items() if name != "charger"} | {"role": "cloud"}


def problems_of(tables: dict[str, Any], environment: dict[str, Any] | None = None) -> list[str]:
    """Return the lines about these tables."""
    with pytest.raises(config.ConfigError) as caught:
        config.build(tables, Path("pv.toml"), environment)
    return caught.value.problems


def test_an_edge_with_an_inverter_may_lead() -> None:
    """It has all that it needs."""
    assert config.build(EDGE, Path("pv.toml")).edge.on_silence is OnSilence.LOCAL


@pytest.mark.parametrize("tables", [EDGE | {"role": "standalone"}, CLOUD], ids=["standalone", "cloud"])
def test_nobody_else_may(tables: dict[str, Any]) -> None:
    """There is no cloud to stand in for, or no charger."""
    said = 'pv.toml: [edge] on_silence: "local" is for role "edge" only, which has a cloud to stand in for'
    assert problems_of(tables) == [said]


@pytest.mark.parametrize("inverters", [{}, {"inverter": []}])
def test_an_edge_without_an_inverter_may_not(inverters: dict[str, Any]) -> None:
    """It would be blind."""
    tables = {name: table for name, table in EDGE.items() if name != "inverter"} | inverters
    said = (
        'pv.toml: [edge] on_silence: "local" needs an [[inverter]] here, whose readings the edge can follow'
    )
    assert problems_of(tables) == [said]


def test_a_variable_is_named_as_such() -> None:
    """Where the value comes from is where it is to be changed."""
    tables = {name: table for name, table in EDGE.items() if name not in ("inverter", "edge")}
    (line,) = problems_of(tables, {"edge": {"on_silence": "local"}})
    assert line.startswith("environment: PVCHARGE_EDGE__ON_SILENCE: ")
