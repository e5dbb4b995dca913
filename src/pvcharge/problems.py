"""Puts what is wrong with a configuration into lines: which file, which key, why, and what would be right.

No line shows a value, not even a wrong one: any of them could be a secret in the wrong place.
"""

from collections.abc import Mapping
from difflib import get_close_matches
from pathlib import Path
from typing import Any, get_origin

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from pvcharge.secret_files import SUFFIX, secret_names
from pvcharge.texts import printable

ENV_PREFIX = "PVCHARGE_"
ENV_DELIMITER = "__"
LIST_OF_TABLES = "inverter"
LONGEST_KEY = 120  # characters of it that are told

UNITS = {
    "a": "amperes",
    "deg": "degrees",
    "pct": "percent",
    "s": "seconds",
    "v": "volts",
    "w": "watts",
    "wh": "watt-hours",
}

# By pydantic's type of error; {unit} is " of amperes" for a key that ends in _a, the rest is pydantic's.
REASONS = {
    "bool_parsing": "must be true or false",
    "bool_type": "must be true or false",
    "dict_type": "must be a table",
    "enum": "must be {expected}",
    "finite_number": "must be a finite number{unit}",
    "float_parsing": "must be a plain number{unit}",
    "float_type": "must be a plain number{unit}",
    "greater_than": "must be above {gt:.12g}",
    "greater_than_equal": "must be at least {ge:.12g}",
    "int_from_float": "must be a whole number{unit}",
    "int_parsing": "must be a plain number{unit}",
    "int_type": "must be a plain number{unit}",
    "less_than_equal": "must be at most {le:.12g}",
    "list_type": "must be a list (of tables: in double brackets)",
    "literal_error": "must be {expected}",
    "missing": "is missing",
    "model_type": "must be a table",
    "path_type": "must be a text in quotes",
    "string_pattern_mismatch": "must match {pattern}",
    "string_too_short": "must not be empty",
    "string_type": "must be a text in quotes",
    "too_short": "must not be empty",
    "tuple_type": "must be a list",
}

Location = tuple[str | int, ...]  # as pydantic has it: ("inverter", 0, "site_id")


class Problems:
    """Collects lines such as `pvcharge.toml: [control] min_current_a: must be at least 6`.

    Args:
        path: the configuration file.
        environment: what environment variables set, in the shape of the file.
        root: the model of the whole file.

    Attributes:
        lines: one for each problem.
    """

    def __init__(self, path: Path, environment: Mapping[str, Any], root: type[BaseModel]) -> None:
        self.lines: list[str] = []
        self._path = path
        self._environment = environment
        self._root = root
        # By table its keys, as far as these do not depend on a driver.
        self._tables = {
            name: getattr(field.annotation, "model_fields", {})
            for name, field in root.model_fields.items()
            if hasattr(field.annotation, "model_fields") or get_origin(field.annotation) is dict
        }

    def add(self, location: Location, reason: str) -> None:
        """Note one problem."""
        variable = self.variable(location)
        key = _shown(variable or self._key(location))
        origin = f"environment: {key}" if variable else f"{self._path}: {key}"
        self.lines.append(f"{origin}: {reason}")

    def add_errors(self, error: ValidationError, model: type[BaseModel], table: Location = ()) -> None:
        """Note everything that pydantic found in a table that this model describes."""
        items = error.errors(include_input=False, include_url=False)
        for item in items:
            if not _follows_from_another(item, items):
                self.add((*table, *item["loc"]), self._reason(item, _parent(model, item["loc"])))

    def variable(self, location: Location) -> str | None:
        """Return the environment variable that set the value there, None if it stands in the file."""
        value: Any = self._environment
        for depth, part in enumerate(location):
            if not isinstance(value, Mapping) or part not in value:
                return None
            value = value[part]
            if not isinstance(value, Mapping):
                names = (str(name) for name in location[: depth + 1])
                return ENV_PREFIX + ENV_DELIMITER.join(names).upper()
        return None

    def _key(self, location: Location) -> str:
        """Return where in the file: `[control] min_on_s`, `[[inverter]] #1 site_id`, `role`."""
        first, *rest = location
        label = str(first)
        if first == LIST_OF_TABLES:
            label = f"[[{first}]]"
            if rest:
                label += f" #{int(rest[0]) + 1}"
        elif rest or label in self._tables:
            label = f"[{first}]"
        keys = ".".join(part for part in rest if isinstance(part, str))
        return f"{label} {keys}" if keys else label

    def _reason(self, item: ErrorDetails, model: type[BaseModel]) -> str:
        name = str(item["loc"][-1]) if item["loc"] else ""
        kind = item["type"]
        if kind == "extra_forbidden":
            return f"unknown key; {self._advice(name, model)}"
        if kind == "missing" and name in secret_names(model):
            return f"is missing; give {name}{SUFFIX} (or {name})"
        if kind in REASONS:
            unit = unit_of(name)
            return REASONS[kind].format(unit=f" of {unit}" if unit else "", **item.get("ctx", {}))
        return item["msg"].removeprefix("Value error, ")

    def _advice(self, name: str, model: type[BaseModel]) -> str:
        """Return what was probably meant by an unknown key."""
        valid = sorted({*model.model_fields, *(secret + SUFFIX for secret in secret_names(model))})
        stem = name.rpartition("_")[0] or name
        for other in valid:
            if (unit := unit_of(other)) and stem == other.rpartition("_")[0]:
                return f"did you mean {other} (in {unit})?"
        for table, fields in self._tables.items():
            if name in fields:
                return f"it belongs to [{table}]"
        if model is not self._root and name in self._root.model_fields:
            return "it belongs to the top of the file, above the first [table]"
        if near := get_close_matches(name, valid, n=1):
            return f"did you mean {near[0]}?"
        return f"valid here: {', '.join(valid)}"


def _shown(key: str) -> str:
    """Return a key that may be anybody's, or no key at all, fit for a line on a terminal."""
    short = key if len(key) <= LONGEST_KEY else f"{key[:LONGEST_KEY]}…"
    return printable(short)


def unit_of(key: str) -> str | None:
    """Return the unit that the end of a key stands for."""
    stem, _, suffix = key.rpartition("_")
    return UNITS.get(suffix) if stem else None


def _follows_from_another(item: ErrorDetails, items: list[ErrorDetails]) -> bool:
    """Whether a list is too short only since its entries are wrong, which is said already."""
    loc = item["loc"]
    return item["type"] == "too_short" and any(other["loc"][:-1] == loc for other in items)


def _parent(model: type[BaseModel], location: Location) -> type[BaseModel]:
    """Follow a location to the model that holds its last part."""
    for part in location[:-1]:
        field = model.model_fields.get(str(part))
        if field and isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel):
            model = field.annotation
    return model
