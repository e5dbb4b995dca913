"""What the API takes: the models of bodies and queries, from which the OpenAPI document is made too."""

import re
from collections.abc import Mapping
from datetime import date
from typing import Annotated, Self

from pydantic import (
    BeforeValidator,
    Field,
    ValidationError,
    ValidatorFunctionWrapHandler,
    WrapValidator,
    model_validator,
)

from pvcharge.model import Mode
from pvcharge.web.answers import Scalar
from pvcharge.web.bodies import Body, Query
from pvcharge.web.ports import By

LONGEST_BOOST_MIN = 1440
MOST_ROWS = 1000  # of energies, such as days
MOST_CHANGES = 50

_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", re.ASCII)
_DIGITS = re.compile(r"-?[0-9]{1,9}", re.ASCII)


def _as_date(text: object) -> object:
    """Refuse the times and numbers that the library would take for a date, too."""
    if isinstance(text, str) and not _DATE.fullmatch(text):
        raise ValueError("must be a date such as 2026-06-15")
    return text


def _as_number(text: object) -> object:
    """Refuse the notations that the library would take for a number, too."""
    if isinstance(text, str) and not _DIGITS.fullmatch(text):
        raise ValueError("must be a whole number")
    return text


def _as_scalar(value: object, read: ValidatorFunctionWrapHandler) -> Scalar:
    """Say what a value may be in one sentence, not in one for each kind."""
    try:
        scalar: Scalar = read(value)
    except ValidationError:
        raise ValueError("must be true, false, a number, a text or null") from None
    return scalar


Day = Annotated[date, Field(ge=date(2000, 1, 1), lt=date(2200, 1, 1)), BeforeValidator(_as_date)]
Amps = Annotated[int, Field(ge=1, le=1000)]
Rows = Annotated[int, Field(ge=1, le=1000), BeforeValidator(_as_number)]
Changed = Annotated[Scalar, WrapValidator(_as_scalar)]


class ModeBody(Body):
    """How to charge from now on."""

    mode: Mode


class BoostBody(Body):
    """Full power now, or no more of it."""

    on: bool
    minutes: int | None = Field(
        None, ge=1, le=LONGEST_BOOST_MIN, description="after which it ends by itself; null: when switched off"
    )

    @model_validator(mode="after")
    def _has_minutes_only_when_on(self) -> Self:
        if self.minutes is not None and not self.on:
            raise ValueError("minutes go with on = true")
        return self


class LimitsBody(Body):
    """Limits of the current, within those of the configuration; one that is left out stays as it is."""

    min_current_a: Amps | None = None
    max_current_a: Amps | None = None

    @model_validator(mode="after")
    def _rises(self) -> Self:
        low, high = self.min_current_a, self.max_current_a
        if low is None and high is None:
            raise ValueError("name min_current_a, max_current_a or both")
        if low is not None and high is not None and low > high:
            raise ValueError(f"min_current_a {low} is above max_current_a {high}")
        return self


class SettingsBody(Body):
    """Changes of settings by key; null is back to what the file says."""

    revision: int = Field(ge=0, description="as GET settings told it, so that nobody undoes what others do")
    changes: Mapping[str, Changed] = Field(min_length=1, max_length=MOST_CHANGES)


class DayQuery(Query):
    """Which day, of the site's zone."""

    date: Day | None = Field(None, description="default: today")


class EnergyQuery(Query):
    """Which days or months."""

    by: By
    start: Day
    end: Annotated[Day, Field(description="the first day that is left out")]

    @model_validator(mode="after")
    def _is_a_span(self) -> Self:
        if self.start >= self.end:
            raise ValueError("start must be before end")
        if self.by == "day" and (self.end - self.start).days > MOST_ROWS:
            raise ValueError(f"that is more than {MOST_ROWS} days; ask by month")
        return self


class SpanQuery(Query):
    """From which day to before which; without, from the first or to the last."""

    start: Day | None = None
    end: Day | None = None

    @model_validator(mode="after")
    def _is_a_span(self) -> Self:
        if self.start is not None and self.end is not None and self.start >= self.end:
            raise ValueError("start must be before end")
        return self


class SessionsQuery(SpanQuery):
    """Which sessions, and how many of them at most."""

    limit: Rows = 200


class LogQuery(Query):
    """How many lines at most."""

    limit: Rows = 200
