"""State that is saved as JSON and read back to the last bit; what is no such state is refused.

What is kept stands in plain dataclasses without defaults, so that a key that is missing is noticed.
"""

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Annotated, Any, Generic, TypeVar

from pydantic import AfterValidator, AwareDatetime, ConfigDict, Field, TypeAdapter, ValidationError

STRICT = ConfigDict(strict=True, extra="forbid", allow_inf_nan=False)


def _in_utc(time: datetime) -> datetime:
    try:
        return time.astimezone(UTC)
    except OverflowError:
        raise ValueError("lies before the first day or after the last one") from None


Time = Annotated[AwareDatetime, AfterValidator(_in_utc)]
NotNegative = Annotated[float, Field(ge=0)]

T = TypeVar("T")


class Saved(Generic[T]):
    """Turns objects of one type into JSON and back.

    Args:
        kind: a dataclass; it and those in it are configured by `STRICT`.
    """

    def __init__(self, kind: type[T]) -> None:
        self._adapter = TypeAdapter(kind)

    def write(self, it: T) -> dict[str, Any]:
        """Return what `read` makes the same object of."""
        document: dict[str, Any] = self._adapter.dump_python(it, mode="json")
        return document

    def read(self, state: Mapping[str, Any]) -> T:
        """Return what was written.

        Raises:
            ValueError: it is no such state; the message names the key.
        """
        try:
            return self._adapter.validate_json(json.dumps(state))
        except (TypeError, RecursionError) as error:
            raise ValueError(f"saved state: {error}") from None
        except ValidationError as error:
            problem = error.errors(include_url=False, include_context=False, include_input=False)[0]
            place = ".".join(str(part) for part in problem["loc"])
            raise ValueError(f"saved state: {place}: {problem['msg']}") from None


def seconds(start: datetime, end: datetime) -> float:
    """Return the time between two times, negative if they are the other way round."""
    return (end - start).total_seconds()
