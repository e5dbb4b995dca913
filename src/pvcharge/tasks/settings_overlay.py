"""Which settings the user may change while the daemon runs, and whether changes fit the configuration.

All of it is read from the models of the tables `[control]` and `[edge]`: kinds, bounds, choices, defaults.
"""

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import combinations
from typing import Any, Literal, TypeVar

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from pvcharge.control import ControlSettings
from pvcharge.problems import REASONS, unit_of
from pvcharge.tasks.charger_task import EdgeSettings, OnSilence

Scalar = bool | int | float | str | None
Kind = Literal["choice", "number", "flag"]

GROUPS = {
    "objective": ("control.objective",),
    "prices": ("control.import_price", "control.feed_in_price", "control.car_energy_price"),
    "switching": (
        "control.start_cost_wh",
        "control.phase_switch_cost_wh",
        "control.min_on_s",
        "control.min_off_s",
        "control.max_starts_per_hour",
        "control.max_phase_switches_per_hour",
    ),
    "battery": ("control.battery", "control.battery_min_soc_pct"),
    "car": ("control.respect_hand_s", "control.boost_ends_on_unplug"),
    "silence": ("control.on_stale", "edge.on_silence"),
}
EDITABLE = {key: group for group, keys in GROUPS.items() for key in keys}
AFTER_RESTART = {"edge.on_silence"}  # the charger task has its fallback from its beginning
# Only an edge may lead by itself, and an edge has none of these settings.
BARRED: dict[str, set[Scalar]] = {"edge.on_silence": {OnSilence.LOCAL.value}}
UNITS = {"_wh": "Wh", "_s": "s", "_pct": "%", "_price": "/kWh", "_per_hour": "/h"}  # by the end of a key

_KINDS: dict[str, Kind] = {"choice": "choice", "boolean": "flag", "number": "number", "integer": "number"}
_WRONG_NUMBER = {"int_type", "int_from_float"}

M = TypeVar("M", bound=BaseModel)


@dataclass(frozen=True, slots=True)
class Entry:
    """A setting that can be changed.

    Attributes:
        key: table and key of the configuration file.
        group: those that belong together have the same.
        kind: of the value.
        value: as it stands now.
        configured: as the file has it.
        default: without both.
        unit: of a number.
        min: the least, of a number.
        max: the greatest, of a number.
        choices: the words that are possible, of a choice.
        after_restart: whether a change waits for the next start of the daemon.
    """

    key: str
    group: str
    kind: Kind
    value: Scalar
    configured: Scalar
    default: Scalar
    unit: str | None
    min: float | None
    max: float | None
    choices: list[str] | None
    after_restart: bool


class SettingsInvalidError(Exception):
    """Changes do not fit.

    Attributes:
        errors: what is wrong, by key, in plain words.
        alone: whether each of them is wrong whatever the others are, and not just beside them.
    """

    def __init__(self, errors: Mapping[str, str], *, alone: bool) -> None:
        super().__init__("; ".join(f"{key}: {message}" for key, message in errors.items()))
        self.errors = dict(errors)
        self.alone = alone


@dataclass(frozen=True, slots=True)
class InForce:
    """The configuration with changes laid over it."""

    control: ControlSettings
    on_silence: OnSilence

    def values(self) -> dict[str, Scalar]:
        """Return by key what can be changed, as JSON has it."""
        edge = EdgeSettings(on_silence=self.on_silence)
        tables = {"control": self.control.model_dump(mode="json"), "edge": edge.model_dump(mode="json")}
        return {key: tables[table][name] for key, table, name in _split(EDITABLE)}


class Overlay:
    """Lays changes over a configuration.

    Args:
        control: `[control]` of the file.
        on_silence: that of `[edge]`.
    """

    def __init__(self, control: ControlSettings, on_silence: OnSilence) -> None:
        self.configured = InForce(control, on_silence)

    def apply(self, changes: Mapping[str, Any]) -> InForce:
        """Return what comes of changes, by key.

        Raises:
            SettingsInvalidError: they do not fit, each by itself or all together.
        """
        errors = {key: "cannot be changed here" for key in changes if key not in EDITABLE}
        errors |= {key: _must_be_one_of(key) for key, value in changes.items() if _is_barred(key, value)}
        below = self.configured
        control = _laid_over(below.control, "control", changes, errors)
        edge = _laid_over(EdgeSettings(on_silence=below.on_silence), "edge", changes, errors)
        if errors or control is None or edge is None:
            raise SettingsInvalidError(errors, alone=True)
        return InForce(control, edge.on_silence)

    def normal(self, changes: Mapping[str, Any]) -> dict[str, Scalar]:
        """Return changes as JSON has them, without those that change nothing.

        Raises:
            SettingsInvalidError: they do not fit.
        """
        values, below = self.apply(changes).values(), self.configured.values()
        return {key: values[key] for key in EDITABLE if key in changes and values[key] != below[key]}

    def fitting(self, changes: Mapping[str, Any]) -> tuple[dict[str, Scalar], dict[str, str]]:
        """Return as many changes as fit together, and by key why the others do not."""
        left, dropped = dict(changes), dict[str, str]()
        while True:
            try:
                return self.normal(left), dropped
            except SettingsInvalidError as invalid:
                kept = self._without(left, invalid)
                dropped |= {key: invalid.errors.get(key, str(invalid)) for key in left.keys() - kept.keys()}
                left = kept

    def _without(self, changes: Mapping[str, Any], invalid: SettingsInvalidError) -> dict[str, Any]:
        """Return the changes without those that are wrong, as few as possible."""
        if invalid.alone:
            return {key: value for key, value in changes.items() if key not in invalid.errors}
        for number in range(1, len(changes)):
            for wrong in combinations(changes, number):
                fewer = {key: value for key, value in changes.items() if key not in wrong}
                if self._fits(fewer):
                    return fewer
        return {}

    def _fits(self, changes: Mapping[str, Any]) -> bool:
        try:
            self.apply(changes)
        except SettingsInvalidError:
            return False
        return True

    def entries(self, changes: Mapping[str, Any]) -> tuple[Entry, ...]:
        """Return all that can be changed, as it is with these changes.

        Raises:
            SettingsInvalidError: they do not fit.
        """
        values, below = self.apply(changes).values(), self.configured.values()
        return tuple(_entry(key, values[key], below[key]) for key in EDITABLE)


def _split(keys: Iterable[str]) -> Iterator[tuple[str, str, str]]:
    """Yield keys with their tables and names."""
    for key in keys:
        table, _, name = key.partition(".")
        yield key, table, name


def _laid_over(below: M, table: str, changes: Mapping[str, Any], errors: dict[str, str]) -> M | None:
    """Return a table with its changes; None if one is wrong by itself, which is added to the errors.

    Raises:
        SettingsInvalidError: they do not fit together.
    """
    keys = changes.keys() - errors
    above = {name: _readable(changes[key]) for key, in_table, name in _split(keys) if in_table == table}
    values = below.model_dump(mode="json") | above
    try:
        # As JSON, since "0.3" is no number and true is none, while a word may stand for a choice.
        return type(below).model_validate_json(json.dumps(values), strict=True)
    except ValidationError as error:
        items = error.errors(include_url=False, include_input=False)
    if not items[0]["loc"]:
        raise SettingsInvalidError(_together(table, items[0], values), alone=False)
    errors |= {f"{table}.{item['loc'][0]}": _reason(f"{table}.{item['loc'][0]}", item) for item in items}
    return None


def _readable(value: Any) -> Any:
    """Return a value without the halves of characters that JSON can hold, and no text can."""
    return value.encode("utf-8", "replace").decode("utf-8") if isinstance(value, str) else value


def _together(table: str, item: ErrorDetails, values: Mapping[str, Any]) -> dict[str, str]:
    """Return what is wrong with values that do not fit together, for each key that takes part in it."""
    message = item["msg"].removeprefix("Value error, ")
    parts = (
        key
        for key, in_table, name in _split(EDITABLE)
        if in_table == table and (re.search(rf"\b{name}\b", message) or f'"{values[name]}"' in message)
    )
    return dict.fromkeys(parts, message) or {table: message}


def _reason(key: str, item: ErrorDetails) -> str:
    kind, schema = item["type"], _schema(key)
    if kind == "enum":
        return _must_be_one_of(key)
    if kind in _WRONG_NUMBER and schema["type"] == "integer":
        return "must be a whole number"
    if kind not in REASONS:
        return item["msg"].removeprefix("Value error, ")
    unit = unit_of(key)
    return REASONS[kind].format(unit=f" of {unit}" if unit else "", **item.get("ctx", {}))


def _is_barred(key: str, value: object) -> bool:
    return isinstance(value, str) and value in BARRED.get(key, ())


def _must_be_one_of(key: str) -> str:
    *others, last = _choices(key)
    return f"must be {', '.join(others)} or {last}"


def _choices(key: str) -> list[str]:
    return [choice for choice in _schema(key)["enum"] if not _is_barred(key, choice)]


def _schema(key: str) -> dict[str, Any]:
    """Return the JSON schema of a setting, without the case in which it is null."""
    table, _, name = key.partition(".")
    return _SCHEMAS[table][name]


def _flat(schema: Mapping[str, Any], of: Mapping[str, Any]) -> dict[str, Any]:
    """Return the schema of a property with that to which it refers."""
    reference = schema.get("$ref", "").rpartition("/")[2]
    flat = {**of.get("$defs", {}).get(reference, {}), **schema}
    some = (_flat(one, of) for one in schema.get("anyOf", ()))
    return next((one for one in some if one["type"] != "null"), {}) | flat


def _properties(model: type[BaseModel]) -> dict[str, dict[str, Any]]:
    schema = model.model_json_schema()
    return {name: _flat(one, schema) for name, one in schema["properties"].items()}


_SCHEMAS = {"control": _properties(ControlSettings), "edge": _properties(EdgeSettings)}


def _entry(key: str, value: Scalar, configured: Scalar) -> Entry:
    schema = _schema(key)
    kind = _KINDS["choice" if "enum" in schema else schema["type"]]
    return Entry(
        key=key,
        group=EDITABLE[key],
        kind=kind,
        value=value,
        configured=configured,
        default=schema["default"],
        unit=next((unit for end, unit in UNITS.items() if key.endswith(end)), None),
        min=schema.get("minimum"),
        max=schema.get("maximum"),
        choices=_choices(key) if kind == "choice" else None,
        after_restart=key in AFTER_RESTART,
    )
