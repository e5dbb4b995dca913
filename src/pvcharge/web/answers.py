"""What the page is told: the models of every answer, from which the OpenAPI document is made too.

Times are UTC-aware; numbers carry their unit in the name and are finite; None is "not known".
"""

from collections.abc import Mapping
from datetime import UTC, date, datetime
from typing import Annotated, Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict, JsonValue, PlainSerializer

from pvcharge.model import Session


def iso(moment: datetime) -> str:
    """Return a time as it goes into JSON, such as 2026-06-15T10:00:00+00:00."""
    return moment.astimezone(UTC).isoformat(timespec="seconds")


Moment = Annotated[AwareDatetime, PlainSerializer(iso, return_type=str, when_used="json")]
Scalar = bool | int | float | str | None


class Answer(BaseModel):
    """The base of all answers."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class SessionRow(Answer):
    """One car, from plug-in to unplug; while it is there `ended_at` is None."""

    started_at: Moment
    ended_at: Moment | None
    energy_kwh: float
    solar_kwh: float  # of it, not bought
    solar_share: float | None  # 0..1; None as long as nothing was charged
    cost: float  # in the currency of the configured prices
    saved: float
    charging_s: float
    starts: int
    phase_switches: int
    pauses_s: Mapping[str, float]  # seconds without charging, by the decision's reason

    @classmethod
    def of(cls, session: Session) -> "SessionRow":
        """Return the row of a session."""
        share = session.solar_wh / session.energy_wh if session.energy_wh > 0 else None
        return cls(
            started_at=session.started_at,
            ended_at=session.ended_at,
            energy_kwh=round(session.energy_wh / 1000, 3),
            solar_kwh=round(session.solar_wh / 1000, 3),
            solar_share=None if share is None else round(share, 3),
            cost=round(session.cost, 4),
            saved=round(session.saved, 4),
            charging_s=round(session.charging_s, 1),
            starts=session.starts,
            phase_switches=session.phase_switches,
            pauses_s={reason: round(seconds, 1) for reason, seconds in session.pauses_s.items()},
        )


class Sessions(Answer):
    """The newest sessions first; `total` counts those that a limit left out too."""

    sessions: list[SessionRow]
    total: int


class Energies(Answer):
    """Energies of a span of time; None where nothing is known of it."""

    pv_kwh: float | None
    import_kwh: float | None
    export_kwh: float | None
    battery_in_kwh: float | None
    battery_out_kwh: float | None
    charger_kwh: float | None


class EnergyRow(Energies):
    """Energies of a day or a month of the site's zone, by its first day."""

    start: date
    covered: float  # share of the span that is known, 0..1
    filled: bool  # whether some of it was filled in afterwards, from the inverter's own record


class Energy(Answer):
    """Energies by day or month, in order of time."""

    by: Literal["day", "month"]
    rows: list[EnergyRow]


class ReasonSpan(Answer):
    """A time during which nothing about the decision changed; times are Unix seconds."""

    start: float
    end: float
    reason: str
    mode: str
    setpoint: str  # such as "3p 8 A" or "off"


class Day(Answer):
    """A day as a chart shows it: columns of equal length, each value the mean of `step_s` seconds from `at`.

    Times are Unix seconds; `filled` is true where a step was filled in afterwards.
    """

    date: date
    start: float
    end: float
    now: float | None  # None unless it is today
    step_s: int
    at: list[float]
    pv_w: list[float | None]
    house_w: list[float | None]
    charger_w: list[float | None]
    grid_w: list[float | None]
    battery_w: list[float | None]
    setpoint_w: list[float | None]
    filled: list[bool]
    reasons: list[ReasonSpan]
    sums: Energies


class SavedIn(Answer):
    """What a span of time has brought; money in the currency of the prices."""

    sessions: int
    energy_kwh: float
    solar_kwh: float
    cost: float
    saved: float


class Savings(Answer):
    """This month, this year, and all that is remembered."""

    month: SavedIn
    year: SavedIn
    all: SavedIn


class LogEntry(Answer):
    """A line of the log."""

    at: Moment
    level: str
    event: str
    fields: Mapping[str, str]


class Log(Answer):
    """The newest lines first."""

    entries: list[LogEntry]


class Learned(Answer):
    """What the controller has learned of car, charger, sources and house."""

    learned: Mapping[str, JsonValue]


class Setting(Answer):
    """A setting that can be changed here: as it is in force, as the file has it, and without either."""

    key: str  # table and key of the file, such as control.objective
    group: str
    kind: Literal["choice", "number", "flag"]
    value: Scalar
    configured: Scalar
    default: Scalar
    unit: str | None
    min: float | None
    max: float | None
    choices: list[str] | None
    after_restart: bool  # whether a change waits for the next start of the daemon


class Settings(Answer):
    """All settings that can be changed here.

    `revision` rises with each change; `kept` is false while the disk does not take them: then they hold until
    the daemon ends.
    """

    revision: int
    can_undo: bool
    kept: bool
    settings: list[Setting]


class Texts(Answer):
    """Sentences about the present decision."""

    reason: str | None
    source: str | None


class Device(Answer):
    """How a device or service is doing; `age_s` is since it was heard of last."""

    name: str
    kind: Literal["inverter", "charger", "link", "service"]
    ok: bool
    since: Moment  # when `ok` last changed
    age_s: float | None
    error: str | None
    advice: str | None  # key of the text that says what to do about the error
    facts: Mapping[str, Scalar]


class CurrentRange(Answer):
    """Within what the user may set the limits of the current: amperes on each phase, as configured."""

    min_current_a: int
    max_current_a: int


class State(Answer):
    """All that is known now."""

    at: Moment
    role: Literal["standalone", "cloud", "edge"]
    site: str
    version: str
    timezone: str
    currency: str | None
    can: list[str]
    limits: CurrentRange | None  # None where they cannot be set
    values: Mapping[str, Scalar]
    texts: Mapping[str, Texts]  # by language
    decision_age_s: float | None
    devices: list[Device]
    session: SessionRow | None
    level: Literal["owner", "guest"]
