"""The reference of the configuration, made from the models of its tables and the comments of the example."""

import re
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from pvcharge import config
from pvcharge.control import ControlSettings
from pvcharge.drivers.base import CHARGERS, INVERTERS, find, names
from pvcharge.drivers.solaredge_modbus.settings import Endpoint
from pvcharge.history.influx.settings import InfluxSettings
from pvcharge.history.settings import HistorySettings
from pvcharge.log import LogSettings
from pvcharge.model import Mode
from pvcharge.mqtt.settings import MqttSettings
from pvcharge.problems import unit_of
from pvcharge.reload import LEVEL, LIVE
from pvcharge.secret_files import secret_names
from pvcharge.tasks.charger_task import EdgeSettings
from pvcharge.tasks.settings_overlay import EDITABLE
from pvcharge.web.settings import WebSettings

EXAMPLE = Path(__file__).parents[2] / "config.example.toml"
HEAD = ("key", "what", "value", "default", "changes")
TOP = "top"
ENDPOINT = "solaredge_modbus.further_inverters"
TABLES: dict[str, type[BaseModel]] = {
    "site": config.SiteSettings,
    "control": ControlSettings,
    "edge": EdgeSettings,
    "mqtt": MqttSettings,
    "history": HistorySettings,
    "influxdb": InfluxSettings,
    "web": WebSettings,
    "log": LogSettings,
}
# What stands better alone than as a comment beside its line, or is left to the name there.
WORDS = {
    "top.role": 'everything in one process, the controller ("cloud"), or the client in the house ("edge")',
    "top.state_dir": "where tokens, counters and the history are kept",
    "site.name": "small letters, digits, - and _, 32 at most; a level of the MQTT topics",
    "site.timezone": 'a name of the IANA, such as "Europe/Vienna"',
    "control.mode": 'after a start: "surplus", "min_surplus" (never below the minimum) or "off"',
    "control.objective": '"balance": little bought and sold; "no_import": little bought; "cost": by prices',
    "control.import_price": 'of bought energy, in any currency; decides for "cost" only, and tells savings',
    "control.feed_in_price": "what sold energy brings",
    "control.car_energy_price": "what energy that is not charged now costs later",
    "control.max_starts_per_hour": "how often a charge may be started, at most",
    "control.max_phase_switches_per_hour": "how often phases may be switched, at most",
    "control.battery": "who gets the surplus first where there is a home battery, it or the car",
    "edge.lease_s": "how long a setpoint is good unless it is renewed",
    "edge.on_silence": 'what the charger does then, and after a stop of pvcharge; "local" is for an edge '
    "with an [[inverter]] of its own, by whose readings it goes on",
    "mqtt.tls": "whether to speak TLS",
    "mqtt.key_file": "the key of that certificate",
    "mqtt.password": "of that user",
    "influxdb.url": "of the server; with http on this machine only, unless `insecure`",
    "influxdb.bucket": "where the measurements go",
    "influxdb.batch_events": "the most that is sent in one request",
    "web.metrics_public": "false: /metrics needs a token, unless `guest_view` is true",
    "log.level": "the least that is worth a line",
    "log.format": '"auto": "console" on a terminal, else "json"',
    "solaredge.api": '"v1" ended on 2026-11-03 and is for servers of your own; it needs `api_key`',
    "solaredge.data": '"quarter": 15-minute means, in every tier; "live" needs Business Pro or Enterprise',
    "solaredge.base_url": "where the API is",
    "solaredge.authorize_url": "where `pvcharge login solaredge` sends you",
    "solaredge.client_id": "your application at developer.solaredge.com; then `pvcharge login solaredge`",
    "solaredge.client_secret": "the secret of that application",
    "solaredge.api_key": "the key of a fleet account, or of API V1; in the place of `client_id` and secret",
    "solaredge_modbus.port": "1502 at inverters that are set up by SetApp, 502 at those with a display",
    "solaredge_modbus.further_inverters": "those with an address of their own; all are summed up",
    "wattpilot.port": "of the box's WebSocket",
}
DEFAULTS = {
    "top.state_dir": "`/var/lib/pvcharge` where it can be written, else `~/.local/state/pvcharge`",
    "control.car_energy_price": "halfway between the other two",
    "mqtt.port": "8883 with TLS, else 1883",
}
BARRED = {"control.mode": {Mode.BOOST}}  # a command, no setting
# What the values are of, where the end of the name does not say.
UNITS = {
    "_days": "days",
    "_events": "events",
    "_per_hour": "in any hour",
    "_price": "per kWh",
    "calls_per_day": "requests",
    "calls_per_month": "requests",
    "latitude": "degrees",
    "longitude": "degrees",
}


@dataclass(frozen=True, slots=True)
class Table:
    """A table of the configuration.

    Attributes:
        name: of the table, or of the driver whose it is.
        model: of its settings.
        where: table and key of its settings begin with it in `pvcharge.reload`; empty for what cannot change.
    """

    name: str
    model: type[BaseModel]
    where: str = ""


def tables() -> dict[str, Table]:
    """Return every table of the configuration, by the name of its mark on the page."""
    drivers = [find(kind, name) for kind in (INVERTERS, CHARGERS) for name in names(kind)]
    ours = [driver for driver in drivers if driver.settings.__module__.startswith("pvcharge.")]
    return {
        **{name: Table(name, model, f"{name}.") for name, model in TABLES.items()},
        **{driver.name: Table(driver.name, driver.settings) for driver in ours},
        ENDPOINT: Table(ENDPOINT, Endpoint),
    }


def rows(table: Table) -> Iterator[Sequence[str]]:
    """Yield a row for each key of a table, as `HEAD` names the cells."""
    schema = table.model.model_json_schema()
    secrets = secret_names(table.model)
    said = comments().get(table.name, {})
    described = _attributes(table.model)
    for key, field in table.model.model_fields.items():
        flat = _flat(schema["properties"][key], schema)
        name = f"{table.name}.{key}"
        what = WORDS.get(name) or said.get(key) or field.description or described.get(key, "")
        yield (
            f"`{key}_file`, `{key}`" if key in secrets else f"`{key}`",
            "the name of this driver" if key == "driver" else _cell(what),
            "a secret" if key in secrets else _values(name, flat),
            "must be given" if key == "driver" else _default(name, field, flat),
            _changes(f"{table.where}{key}" if table.where else ""),
        )


def top_rows() -> Iterator[Sequence[str]]:
    """Yield a row for each key above the first table."""
    role = ", ".join(f'`"{role}"`' for role in config.REQUIRED)
    yield "`role`", _cell(WORDS["top.role"]), role, '`"standalone"`', "restart"
    yield "`state_dir`", _cell(WORDS["top.state_dir"]), "a path", DEFAULTS["top.state_dir"], "restart"


def comments() -> Mapping[str, Mapping[str, str]]:
    """Return what config.example.toml says of each key, by its table, or driver, and key."""
    text = re.sub(r"^#(?=\[|[a-z_]+ = )", "", EXAMPLE.read_text(encoding="utf-8"), flags=re.MULTILINE)
    text = re.sub(r"\n {20,}# ", " ", text)  # goes on in the next line
    said: dict[str, dict[str, str]] = {}
    for part in re.split(r"^(?=\[)", text, flags=re.MULTILINE):
        heading = re.match(r"\[+(\w+)\]+", part)
        driver = re.search(r'^driver = "(\w+)"', part, re.MULTILINE)
        name = driver[1] if driver else heading[1] if heading else TOP
        for key, rest in re.findall(r"^(\w+) = (.*)$", part, re.MULTILINE):
            comment = _after_value(rest)
            said.setdefault(name, {}).setdefault(key.removesuffix("_file") if driver else key, comment)
            said[name].setdefault(key.removesuffix("_file"), comment)
    return said


def _after_value(rest: str) -> str:
    """Return the comment behind a value of TOML, which may hold a # itself."""
    for match in re.finditer(r"\s#\s*", rest):
        try:
            tomllib.loads(f"key = {rest[: match.start()]}")
        except tomllib.TOMLDecodeError:
            continue
        return rest[match.end() :].strip()
    return ""


def _flat(schema: Mapping[str, Any], of: Mapping[str, Any]) -> dict[str, Any]:
    """Return the schema of a key with that to which it refers, without the case in which it is null."""
    reference = schema.get("$ref", "").rpartition("/")[2]
    some = [_flat(one, of) for one in schema.get("anyOf", ()) if one.get("type") != "null"]
    return {**of.get("$defs", {}).get(reference, {}), **(some[0] if some else {}), **schema}


def _values(name: str, flat: Mapping[str, Any]) -> str:
    """Return which values are possible, in words."""
    if choices := flat.get("enum") or ([flat["const"]] if "const" in flat else []):
        return ", ".join(f"`{_toml(choice)}`" for choice in choices if choice not in BARRED.get(name, ()))
    kind = flat.get("type")
    if kind == "boolean":
        return "`true`, `false`"
    if kind == "array":
        return _list(flat)
    if kind in ("integer", "number"):
        number = "whole number" if kind == "integer" else "number"
        return f"{number}{_unit(name)}{_range(flat)}"
    return "a path" if flat.get("format") == "path" else "text"


def _list(flat: Mapping[str, Any]) -> str:
    items = flat.get("items", {})
    if "$ref" in items:
        return "list of tables"
    if "enum" in items:
        return f"list of {', '.join(f'`{_toml(item)}`' for item in items['enum'])}"
    return f"list of whole numbers{_range(items)}" if items.get("type") == "integer" else "list of texts"


def _unit(name: str) -> str:
    unit = unit_of(name) or next((unit for end, unit in UNITS.items() if name.endswith(end)), None)
    return f", {unit}" if unit else ""


def _range(flat: Mapping[str, Any]) -> str:
    low, high = flat.get("minimum"), flat.get("maximum")
    above = flat.get("exclusiveMinimum")
    if low is not None and high is not None:
        return f", {low:.12g} to {high:.12g}"
    if above is not None:
        return f", above {above:.12g}" + (f", at most {high:.12g}" if high is not None else "")
    return ""


def _default(name: str, field: FieldInfo, flat: Mapping[str, Any]) -> str:
    if name in DEFAULTS:
        return DEFAULTS[name]
    if field.is_required():
        return "must be given"
    return "none" if flat.get("default") is None else f"`{_toml(flat['default'])}`"


def _toml(value: object) -> str:
    """Return a value as it stands in a file of TOML."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, str):
        return f'"{value}"'
    if isinstance(value, list):
        return f"[{', '.join(_toml(item) for item in value)}]"
    return f"{value:.12g}" if isinstance(value, float) else str(value)


def _changes(key: str) -> str:
    """Return by what a key can change while the daemon runs, else that it waits for a restart."""
    if key in LIVE:
        return "page, reload"
    if key in EDITABLE:
        return "page, then restart"
    return "reload" if key == LEVEL else "restart"


def _attributes(model: type[BaseModel]) -> dict[str, str]:
    """Return what the docstring of a model says of its keys."""
    _, _, attributes = (model.__doc__ or "").partition("Attributes:")
    found = re.findall(r"^ {8}(\w+): (.*(?:\n {9,}.*)*)", attributes, re.MULTILINE)
    return {key: re.sub(r"\s+", " ", what).strip().removesuffix(".") for key, what in found}


def _cell(text: str) -> str:
    """Return a text fit for a cell: words in quotes are values, and names of settings are code."""
    text = re.sub(r"\[\[\w+\]\]|\[::\]:\d+|\[\"[^\]]*\"\]", lambda match: f"`{match[0]}`", text)
    return re.sub(r'(?<![`\w["])"[^"`]*"(?!`)', lambda match: f"`{match[0]}`", text).replace("|", "\\|")
