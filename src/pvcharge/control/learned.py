"""How what is learned is kept beyond a run: as a document that a person can read.

Its parts are described beside what they tell of. Whatever a document says lies within what can be true, so
that a wrong one does no more harm than a wrong reading; it is overcome by new readings like anything learned.
"""

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Annotated, Any, TypeVar

from pydantic import (
    AfterValidator,
    AwareDatetime,
    BaseModel,
    ConfigDict,
    PlainSerializer,
    ValidationError,
)

VERSION = 1
FIRST, LAST = datetime(1970, 1, 1, tzinfo=UTC), datetime(3000, 1, 1, tzinfo=UTC)
MOST_ERRORS = 3  # are told of a document that is refused


class Kept(BaseModel):
    """A part of the document; all numbers in it are finite and within their range."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)


def _told(at: datetime) -> datetime:
    if not FIRST <= at <= LAST:
        raise ValueError(f"{at.isoformat()} is no time that can be meant")
    return at.astimezone(UTC)


Moment = Annotated[AwareDatetime, AfterValidator(_told), PlainSerializer(datetime.isoformat)]
KeptT = TypeVar("KeptT", bound=Kept)


def moment(at_s: float) -> datetime:
    """Return the time of so many seconds of the epoch."""
    return datetime.fromtimestamp(at_s, UTC)


def fitting(kind: type[KeptT], **values: Any) -> KeptT | None:
    """Return a part of the document; None if a value lies beyond what could be read again."""
    try:
        return kind(**values)
    except ValidationError:
        return None


def read(kind: type[KeptT], document: object) -> KeptT:
    """Return a document that was kept.

    Args:
        kind: what it shall be.
        document: as JSON gives it, with its version as `v`.

    Raises:
        ValueError: it is not understood; the message names the keys and what is wrong with them.
    """
    version = document.get("v") if isinstance(document, Mapping) else None
    if version != VERSION or isinstance(version, bool):
        raise ValueError(f"what was learned: v: {version!r:.40} is not known, only {VERSION} is")
    try:
        return kind.model_validate_json(json.dumps(document))
    except ValidationError as error:
        raise ValueError(f"what was learned: {_problems(error)}") from None
    except (TypeError, RecursionError) as error:
        raise ValueError(f"what was learned is no JSON: {error}") from None


def _problems(error: ValidationError) -> str:
    errors = error.errors(include_url=False, include_context=False, include_input=False)
    told = [f"{'.'.join(map(str, it['loc'])) or 'all'}: {it['msg']}" for it in errors[:MOST_ERRORS]]
    more = len(errors) - len(told)
    return "; ".join(told) + (f"; and {more} more" if more else "")
