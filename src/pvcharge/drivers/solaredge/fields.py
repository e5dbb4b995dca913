"""Takes the pieces of a foreign JSON document, or says which of them makes no sense."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from pvcharge.drivers.base import TransientError

_LARGEST = 1e9  # far beyond any house in any unit, and safe to scale and sum
_YEARS = range(2000, 2200)


def unusable(what: str, *, retry_after_s: float | None = None) -> TransientError:
    """Return the error for an answer that came but cannot be right."""
    return TransientError(f"SolarEdge sent an unusable answer: {what}", retry_after_s=retry_after_s)


def as_mapping(value: Any, what: str) -> Mapping[str, Any]:
    """Return a JSON object.

    Raises:
        TransientError: it is something else.
    """
    if not isinstance(value, dict):
        raise unusable(f"{what} is no JSON object")
    return value


def as_list(value: Any, what: str) -> list[Any]:
    """Return a JSON array.

    Raises:
        TransientError: it is something else.
    """
    if not isinstance(value, list):
        raise unusable(f"{what} is no list")
    return value


def as_text(value: Any, what: str) -> str:
    """Return a JSON string.

    Raises:
        TransientError: it is something else.
    """
    if not isinstance(value, str):
        raise unusable(f"{what} is no text")
    return value


def as_number(value: Any, what: str) -> float | None:
    """Return a JSON number, or None for null and absent.

    Raises:
        TransientError: it is something else, or beyond reason.
    """
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise unusable(f"{what} is no number")
    if not abs(value) <= _LARGEST:  # true for nan, too
        raise unusable(f"{what} is beyond reason")
    return float(value)


def as_time(value: Any, what: str) -> datetime:
    """Return an ISO 8601 time with its offset as UTC; fractions finer than microseconds are cut.

    Raises:
        TransientError: it is no time, has no offset, or lies in another century.
    """
    try:
        time = datetime.fromisoformat(as_text(value, what))
    except ValueError:
        raise unusable(f"{what} is no ISO 8601 time") from None
    if time.tzinfo is None or time.year not in _YEARS:
        raise unusable(f"{what} has no UTC offset or an odd year")
    return time.astimezone(UTC)
