"""A day of what is remembered, as a chart shows it. Everything here that reads blocks."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from typing import Self

from pvcharge.history import decided
from pvcharge.history.reading import EnergyRow, Reader
from pvcharge.web.answers import Day, Energies, ReasonSpan

STEP_S = 300
MOST_SPANS = 400  # of reasons in a day: more than that is finer than a screen
KNOWN_S = 60.0  # of a step; a mean over less of it would be made up of too little
ONE_DAY = timedelta(days=1)
_HOUR_S = 3600.0
_BATTERY = "SELECT battery_in_wh + battery_out_wh > 0 FROM counters"


@dataclass(frozen=True, slots=True)
class LocalDay:
    """A day of a time zone, of 23 to 25 hours, and the present time."""

    day: date
    start: datetime
    end: datetime
    now: datetime

    @classmethod
    def of(cls, day: date, zone: tzinfo, now: datetime) -> Self:
        """Return a day."""
        return cls(day, begin_of(day, zone), begin_of(day + ONE_DAY, zone), now)

    @property
    def is_today(self) -> bool:
        """Whether it is going on."""
        return self.start <= self.now < self.end

    @property
    def steps(self) -> list[int]:
        """The beginnings of its steps, Unix seconds."""
        return list(range(int(self.start.timestamp()), int(self.end.timestamp()), STEP_S))


@dataclass(frozen=True, slots=True)
class _Means:
    """Powers over a step; None where they are not known."""

    pv_w: float | None = None
    house_w: float | None = None  # without the car
    charger_w: float | None = None
    grid_w: float | None = None
    battery_w: float | None = None


def begin_of(day: date, zone: tzinfo) -> datetime:
    """Return when a local day begins, in UTC."""
    return datetime.combine(day, time(), zone).astimezone(UTC)


def first_day(row: EnergyRow) -> date:
    """Return the day, or the first day of the month, of a row of days or months."""
    return date(row.start.year, row.start.month, row.start.day)


def battery_seen(reader: Reader) -> bool:
    """Whether the house has a battery, as far as readings have ever told."""
    return any(found for (found,) in reader.rows(_BATTERY))


def kwh(energy_wh: float) -> float:
    """Return an energy as the page is told it."""
    return round(energy_wh / 1000, 3)


def energies(row: EnergyRow | None, *, has_battery: bool) -> Energies:
    """Return what is known of a span: without readings in it only what the charger has counted."""
    known = row is not None and row.covered_s > 0

    def of_readings(name: str, *, told: bool = True) -> float | None:
        return kwh(getattr(row, name)) if known and told else None

    return Energies(
        pv_kwh=of_readings("pv_wh"),
        import_kwh=of_readings("import_wh"),
        export_kwh=of_readings("export_wh"),
        battery_in_kwh=of_readings("battery_in_wh", told=has_battery),
        battery_out_kwh=of_readings("battery_out_wh", told=has_battery),
        charger_kwh=None if row is None else kwh(row.charger_wh),
    )


def day_of(reader: Reader, day: LocalDay, voltage_v: float) -> Day:
    """Return a day as it is remembered.

    Args:
        reader: of the store.
        day: which.
        voltage_v: of a phase, by which a setpoint becomes a power.
    """
    steps, has_battery = day.steps, battery_seen(reader)
    found = reader.five_minutes(day.start, day.end)
    rows = {int(row.start.timestamp()): row for row in found if isinstance(row.start, datetime)}
    lengths_s = _lengths_s(rows, day.now.timestamp())
    means = [_means(rows.get(at), lengths_s.get(at, 0.0), has_battery=has_battery) for at in steps]
    spans = decided.spans(reader, day.start, min(day.end, day.now)) if day.start < day.now else []

    def wanted_w(span: decided.Span) -> float | None:
        return span.setpoint.power_w(voltage_v) if span.binding else None

    wanted = decided.mean_powers(spans, steps[0], STEP_S, len(steps), wanted_w)
    of_day = next(iter(reader.days(day.day, day.day + ONE_DAY)), None)
    return Day(
        date=day.day,
        start=day.start.timestamp(),
        end=day.end.timestamp(),
        now=day.now.timestamp() if day.is_today else None,
        step_s=STEP_S,
        at=steps,
        pv_w=[it.pv_w for it in means],
        house_w=[it.house_w for it in means],
        charger_w=[it.charger_w for it in means],
        grid_w=[it.grid_w for it in means],
        battery_w=[it.battery_w for it in means],
        setpoint_w=[None if power_w is None else float(round(power_w)) for power_w in wanted],
        filled=[at in rows and rows[at].filled for at in steps],
        reasons=[_reason(it) for it in decided.fewer(spans, MOST_SPANS)],
        sums=energies(of_day, has_battery=has_battery),
    )


def _lengths_s(rows: Mapping[int, EnergyRow], now_s: float) -> dict[int, float]:
    """Return how much of each step is in the store; the last may be going on."""
    lengths_s = dict.fromkeys(rows, float(STEP_S))
    if rows:
        last = max(rows)
        covered_s = rows[last].covered_s
        lengths_s[last] = covered_s if covered_s >= KNOWN_S else min(now_s - last, float(STEP_S))
    return lengths_s


def _means(row: EnergyRow | None, length_s: float, *, has_battery: bool) -> _Means:
    """Return the powers of a step, of which so much is in the store."""
    if row is None:
        return _Means()
    covered_s = row.covered_s
    charger_w = _watts(row.charger_wh, length_s) if length_s >= KNOWN_S else None
    if covered_s < KNOWN_S:
        return _Means(charger_w=charger_w)
    battery_wh = row.battery_in_wh - row.battery_out_wh
    load_wh = row.pv_wh + row.import_wh - row.export_wh - battery_wh
    return _Means(
        pv_w=_watts(row.pv_wh, covered_s),
        house_w=max(0.0, _watts(load_wh, covered_s) - (charger_w or 0.0)),
        charger_w=charger_w,
        grid_w=_watts(row.import_wh - row.export_wh, covered_s),
        battery_w=_watts(battery_wh, covered_s) if has_battery else None,
    )


def _watts(energy_wh: float, length_s: float) -> float:
    return float(round(energy_wh * _HOUR_S / length_s))


def _reason(span: decided.Span) -> ReasonSpan:
    return ReasonSpan(
        start=round(span.start_s, 3),
        end=round(span.end_s, 3),
        reason=span.reason.value,
        mode=span.mode.value,
        setpoint=str(span.setpoint),
    )
