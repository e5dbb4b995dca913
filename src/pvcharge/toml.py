"""Tables as TOML, which Python reads but does not write."""

import json
from collections.abc import Mapping
from typing import Any


def toml(tables: Mapping[str, Any]) -> str:
    """Return plain values, tables, and lists of tables as TOML; strings and plain lists are as in JSON."""
    inner = {key: value for key, value in tables.items() if _holds_tables(value)}
    lines = [f"{key} = {json.dumps(tables[key], ensure_ascii=False)}" for key in tables if key not in inner]
    for key, value in inner.items():
        if isinstance(value, Mapping):
            lines += [f"[{key}]", toml(value)]
        else:
            for table in value:
                lines += [f"[[{key}]]", toml(table)]
    return "\n".join(lines) + "\n"


def _holds_tables(value: object) -> bool:
    if isinstance(value, list):
        return all(isinstance(item, Mapping) for item in value)
    return isinstance(value, Mapping)
