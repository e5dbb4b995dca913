"""Everything that can be wrong with a configuration is said in one line with file, key and reason."""

import copy
import traceback
from pathlib import Path
from typing import Any

import pytest

from pvcharge import config
from pvcharge.control import ControlSettings
from pvcharge.drivers.solaredge import SolarEdgeSettings
from pvcharge.drivers.wattpilot import WattpilotSettings

FILE = Path("pv.toml")
GOOD: dict[str, Any] = {
    "site": {"latitude": 48.2, "longitude": 16.4, "timezone": "Europe/Vienna"},
    "inverter": [
        {"driver": "solaredge", "site_id": 1, "client_id": "app", "client_secret": "planted-client-secret"}
    ],
    "charger": {"driver": "wattpilot", "host": "192.0.2.20", "password": "planted-password"},
}
MISSING = object()


def changed(changes: dict[str, Any]) -> dict[str, Any]:
    """Return the good tables with values put at dotted keys; numbers count the inverters."""
    tables = copy.deepcopy(GOOD)
    for dotted, value in changes.items():
        *path, last = dotted.split(".")
        table: Any = tables
        for part in path:
            table = table[int(part)] if isinstance(table, list) else table.setdefault(part, {})
        if value is MISSING:
            del table[last]
        else:
            table[int(last) if isinstance(table, list) else last] = value
    return tables


def problems_of(changes: dict[str, Any]) -> list[str]:
    """Return the lines about tables with these changes."""
    with pytest.raises(config.ConfigError) as caught:
        config.build(changed(changes), FILE)
    return caught.value.problems


CASES: list[tuple[dict[str, Any], str]] = [
    # unknown keys
    ({"control.min_on_min": 2}, "[control] min_on_min: unknown key; did you mean min_on_s (in seconds)?"),
    ({"control.min_current": 6}, "[control] min_current: unknown key; did you mean min_current_a?"),
    ({"control.lease_s": 6}, "[control] lease_s: unknown key; it belongs to [edge]"),
    ({"edge.lease_min": 1}, "[edge] lease_min: unknown key; did you mean lease_s (in seconds)?"),
    ({"edge.lease": 1}, "[edge] lease: unknown key; did you mean lease_s (in seconds)?"),
    ({"log.colour": 1}, "[log] colour: unknown key; valid here: format, level"),
    ({"charger.hots": "x"}, "[charger] hots: unknown key; did you mean host?"),
    ({"charger.silence_min": 1}, "[charger] silence_min: unknown key; did you mean silence_s (in seconds)?"),
    ({"charger.pasword_file": "x"}, "[charger] pasword_file: unknown key; did you mean password_file?"),
    (
        {"charger.state_dir": "/x"},
        "[charger] state_dir: unknown key; it belongs to the top of the file, above the first [table]",
    ),
    (
        {"inverter.0.reserve_percent": 5},
        "[[inverter]] #1 reserve_percent: unknown key; did you mean reserve_pct (in percent)?",
    ),
    ({"contrl": {"mode": "off"}}, "contrl: unknown key; did you mean control?"),
    ({"timezone": "Europe/Vienna"}, "timezone: unknown key; it belongs to [site]"),
    ({"charger.driver": "watpilot"}, "[charger] driver: no such driver; did you mean wattpilot?"),
    (
        {"inverter.0.driver": 7},
        "[[inverter]] #1 driver: no such driver; installed are: solaredge, solaredge_modbus",
    ),
    # wrong types
    ({"control.min_current_a": "16 A"}, "[control] min_current_a: must be a plain number of amperes"),
    ({"control.min_current_a": 6.5}, "[control] min_current_a: must be a whole number of amperes"),
    ({"control.voltage_v": "230V"}, "[control] voltage_v: must be a plain number of volts"),
    ({"control.start_cost_wh": []}, "[control] start_cost_wh: must be a plain number of watt-hours"),
    ({"control.import_price": "cheap"}, "[control] import_price: must be a plain number"),
    ({"charger.port": "http"}, "[charger] port: must be a plain number"),
    ({"charger.host": 5}, "[charger] host: must be a text in quotes"),
    ({"charger.password": 12345}, "[charger] password: must be a text in quotes"),
    ({"inverter.0.has_battery": "maybe"}, "[[inverter]] #1 has_battery: must be true or false"),
    ({"control.phases": 1}, "[control] phases: must be a list"),
    ({"control": "balance"}, "[control]: must be a table"),
    ({"charger": ["wattpilot"]}, "[charger]: must be a table"),
    ({"inverter": GOOD["inverter"][0]}, "[[inverter]]: must be a list (of tables: in double brackets)"),
    ({"inverter": ["solaredge"]}, "[[inverter]] #1: must be a table"),
    ({"state_dir": 5}, "state_dir: must be a text in quotes"),
    # out of range
    ({"control.min_current_a": 5}, "[control] min_current_a: must be at least 6"),
    ({"control.respect_hand_s": 1e9}, "[control] respect_hand_s: must be at most 604800"),
    ({"control.phases": [2]}, "[control] phases: must be 1 or 3"),
    ({"control.phases": []}, "[control] phases: must not be empty"),
    ({"control.objective": "greed"}, "[control] objective: must be 'balance', 'no_import' or 'cost'"),
    ({"charger.silence_s": 0}, "[charger] silence_s: must be above 0"),
    ({"charger.host": ""}, "[charger] host: must not be empty"),
    ({"inverter.0.billing_day": 31}, "[[inverter]] #1 billing_day: must be at most 28"),
    ({"inverter": []}, "[[inverter]]: must not be empty"),
    ({"role": "emperor"}, "role: must be 'standalone', 'cloud' or 'edge'"),
    ({"site.name": "My House"}, "[site] name: must match ^[a-z0-9][a-z0-9_-]{0,31}$"),
    ({"site.timezone": "Europe/Wien"}, "[site] timezone: unknown time zone; did you mean Europe/Vienna?"),
    ({"site.timezone": "?"}, "[site] timezone: unknown time zone; write it like Europe/Vienna"),
    # missing
    ({"site": MISSING}, "[site]: is missing"),
    ({"inverter": MISSING}, "[[inverter]]: is missing"),
    ({"charger": MISSING}, "[charger]: is missing"),
    ({"role": "edge", "charger": MISSING, "mqtt.host": "x"}, "[charger]: is missing"),
    ({"role": "edge"}, "[mqtt]: is missing; cloud and edge reach each other through a broker"),
    (
        {"role": "cloud", "mqtt.host": "x"},
        "[charger]: belongs into the edge's configuration; the cloud reaches it through [mqtt]",
    ),
    (
        {"history.enabled": False, "influxdb.url": "http://localhost:8086"},
        "[influxdb]: needs the history, of which it is sent; set enabled = true in [history]",
    ),
    ({"site.latitude": MISSING}, "[site] latitude: is missing"),
    ({"charger.host": MISSING}, "[charger] host: is missing"),
    ({"charger.driver": MISSING}, "[charger] driver: is missing; installed are: wattpilot"),
    ({"charger.password": MISSING}, "[charger] password: is missing; give password_file (or password)"),
    # inconsistent
    (
        {"control.import_price": 0.05},
        "[control]: prices must rise: feed_in_price <= car_energy_price <= import_price",
    ),
    (
        {"control.min_current_a": 10, "control.max_current_a": 8},
        "[control]: min_current_a 10 is above max_current_a 8",
    ),
    (
        {"control.mode": "boost"},
        "[control]: mode: boost is a command, not a setting; start with off, surplus or min_surplus",
    ),
    (
        {"inverter.0.api": "v1"},
        '[[inverter]] #1: api = "v1" needs api_key (or api_key_file)',
    ),
    (
        {"inverter": GOOD["inverter"] * 2},
        "[[inverter]] #2 name: another device has this name; give each its own",
    ),
    (
        {"charger.name": "solaredge"},
        "[charger] name: another device has this name; give each its own",
    ),
]


@pytest.mark.parametrize(("changes", "line"), CASES, ids=[line for _, line in CASES])
def test_a_problem_is_said_with_file_key_and_reason(changes: dict[str, Any], line: str) -> None:
    """Each mistake alone gives this one line."""
    assert problems_of(changes) == [f"{FILE}: {line}"]


def test_the_good_tables_are_good() -> None:
    """Without a change there is nothing to complain about."""
    settings = config.build(GOOD, FILE)
    assert settings.control == ControlSettings()
    assert [device.settings.name for device in settings.inverters] == ["solaredge"]


def test_all_problems_come_at_once() -> None:
    """Nobody has to run the check five times: mistakes in all tables are found together."""
    lines = problems_of(
        {
            "site.latitude": 100,
            "control.min_current_a": 3,
            "control.colour": 1,
            "inverter.0.site_id": -1,
            "charger.port": 0,
            "charger.password": MISSING,
        }
    )
    assert [line.split(": ")[1] for line in lines] == [
        "[site] latitude",
        "[control] min_current_a",
        "[control] colour",
        "[[inverter]] #1 site_id",
        "[charger] port",
        "[charger] password",
    ]


TABLES = {
    "site": ["latitude", "name", "timezone"],
    "inverter.0": [*SolarEdgeSettings.model_fields, "client_secret_file"],
    "charger": [*WattpilotSettings.model_fields, "password_file"],
    "control": list(ControlSettings.model_fields),
    "edge": ["lease_s"],
    "log": ["level"],
}
PLACES = [
    *(f"{table}.{key}" for table, keys in TABLES.items() for key in [*keys, "passwrd"]),
    *("role", "site", "control", "charger", "inverter", "inverter.0", "password"),
]


@pytest.mark.parametrize(
    "secret", ["hunter2-planted", ["hunter2-planted"], {"x": "hunter2-planted"}, 78787878]
)
def test_no_value_is_ever_shown(secret: Any) -> None:
    """Whatever key a secret was put under by mistake, no message, traceback or repr repeats it."""
    refused = 0
    for place in PLACES:
        tables = changed({place: secret})
        try:
            settings = config.build(tables, FILE)
            shown = repr(settings) if place.endswith((".password", ".client_secret")) else ""
        except config.ConfigError as error:
            refused += 1
            shown = "".join([str(error), repr(error), *traceback.format_exception(error)])
        assert "hunter2" not in shown, place
        assert "78787878" not in shown, place
        assert "planted" not in shown, place
    assert refused > len(PLACES) / 2
