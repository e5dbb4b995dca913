"""What all messages have in common: JSON of a version, strict, short, and with times in UTC."""

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Annotated, Any, TypeVar

from pydantic import AfterValidator, AwareDatetime, BaseModel, ConfigDict, Field, ValidationError

VERSION = 1
MAX_BYTES = 8 * 1024
SHOWN = 60  # characters of a foreign text in a message of ours

# Wide enough for any house, and narrow enough that no sum or shift of them can overflow.
FIRST, LAST = datetime(2020, 1, 1, tzinfo=UTC), datetime(2100, 1, 1, tzinfo=UTC)
Time = Annotated[AwareDatetime, Field(ge=FIRST, le=LAST), AfterValidator(lambda time: time.astimezone(UTC))]


class RefusedError(ValueError):
    """A message that changes nothing; the text says why, fit to be sent back.

    Args:
        kind: what sort of refusal, since only the first of a sort is logged.
        message: why.
    """

    def __init__(self, kind: str, message: str) -> None:
        super().__init__(message)
        self.kind = kind


class PayloadError(RefusedError):
    """A message is not what its topic asks for; the text says where."""

    def __init__(self, message: str) -> None:
        super().__init__("payload", message)


class Strict(BaseModel):
    """A part of a message: unknown keys are refused, and no text is taken for a number."""

    model_config = ConfigDict(strict=True, extra="forbid", frozen=True, allow_inf_nan=False)


class Payload(Strict):
    """A whole message."""

    v: Annotated[int, Field(ge=VERSION, le=VERSION)]

    def values(self) -> dict[str, Any]:
        """Return the fields by name, without the version."""
        return {name: value for name, value in self if name != "v"}


P = TypeVar("P", bound=Payload)


def encode(values: Mapping[str, Any]) -> str:
    """Return a message."""
    return json.dumps({"v": VERSION, **values}, default=datetime.isoformat, allow_nan=False)


def decode(kind: type[P], payload: bytes) -> P:
    """Read a message.

    Raises:
        PayloadError: it is none of this kind.
    """
    check_length(payload)
    try:
        return kind.model_validate_json(payload)
    except ValidationError as error:
        raise PayloadError(_first_problem(error)) from None


def check_length(payload: bytes) -> None:
    """Refuse what is longer than any message.

    Raises:
        PayloadError: it is.
    """
    if len(payload) > MAX_BYTES:
        raise PayloadError(f"{len(payload)} bytes are more than {MAX_BYTES}")


def shown(text: str) -> str:
    """Return a foreign text short and on one line."""
    return ascii(text if len(text) <= SHOWN else f"{text[:SHOWN]}…")


def _first_problem(error: ValidationError) -> str:
    """Put the first problem into words: a wrong version if there is one, for it explains all others."""
    problem = error.errors(include_url=False, include_context=False, include_input=False)[0]
    place = ".".join(str(part) for part in problem["loc"])
    return f"{shown(place)}: {problem['msg']}" if place else problem["msg"]
