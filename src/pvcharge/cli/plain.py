"""Events as plain values, for JSON and CSV."""

from collections.abc import Callable, Mapping
from dataclasses import fields
from datetime import date, datetime, tzinfo
from operator import attrgetter
from typing import Any

SETPOINT = ("setpoint_phases", "setpoint_current_a")


class Columns:
    """The fields of a kind of event, in their order; a setpoint takes two columns.

    Attributes:
        names: of the columns.
    """

    def __init__(self, kind: type[Any]) -> None:
        self.names: list[str] = []
        for field in fields(kind):
            self.names += SETPOINT if field.name == "setpoint" else (field.name,)
        self._takes = [_take(name) for name in self.names]

    def row(self, event: object, zone: tzinfo) -> list[object]:
        """Return the values of an event, times in a zone."""
        return [plain(take(event), zone) for take in self._takes]


def plain(value: object, zone: tzinfo) -> object:
    """Return a value as it goes into JSON."""
    if isinstance(value, datetime):
        return value.astimezone(zone).isoformat()
    if isinstance(value, date):
        return value.isoformat()
    return dict(value) if isinstance(value, Mapping) else value


def _take(name: str) -> Callable[[Any], object]:
    """Return how to find the value of a column in an event."""
    if name not in SETPOINT:
        return attrgetter(name)
    of_setpoint = attrgetter(name.removeprefix("setpoint_"))
    return lambda event: None if event.setpoint is None else of_setpoint(event.setpoint)
