"""What the API takes: the models of bodies and queries, from which the OpenAPI document is made too."""

from collections.abc import Mapping
from datetime import date
from typing import Annotated, Self

from pydantic import Field, model_validator

from pvcharge.model import Mode
from pvcharge.web.answers import Scalar
from pvcharge.web.api.endpoint import Body, Query
from pvcharge.web.ports import By

LONGEST_BOOST_MIN = 1440
MOST_ROWS = 1000  # of energies, such as days
MOST_CHANGES = 50

Day = Annotated[date, Field(ge=date(2000, 1, 1), lt=date(2200, 1, 1))]
Amps = Annotated[int, Field(ge=1, le=1000)]


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
    changes: Mapping[str, Scalar] = Field(min_length=1, max_length=MOST_CHANGES)


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


class SessionsQuery(SpanQuery):
    """Which sessions, and how many of them at most."""

    limit: int = Field(200, ge=1, le=1000)


class LogQuery(Query):
    """How many lines at most."""

    limit: int = Field(200, ge=1, le=1000)
