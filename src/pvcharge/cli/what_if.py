"""What would have happened: recorded days in the simulated house, with the recorded and other settings."""

import argparse
import json
import sys
import tomllib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ValidationError
from rich.console import Console
from rich.table import Table

from pvcharge.cli import picture
from pvcharge.cli.main import UsageError
from pvcharge.cli.past import Past, local
from pvcharge.cli.simulate import ROWS, cost, run_with_progress
from pvcharge.control import ControlSettings
from pvcharge.history.reading import EnergyRow, Reader
from pvcharge.problems import Problems
from pvcharge.recorded import NothingRecordedError, RecordedHouse, recorded_house
from pvcharge.replay import in_force
from pvcharge.simulation import Chart, Simulation

TABLE = "control"
WHOLE = 0.995  # of the time, which is 100 % to a person
MORE_ROWS = {
    "house_import_kwh": ("bought in all", "kWh"),
    "house_export_kwh": ("sold in all", "kWh"),
    "cost": ("cost of both", ""),
}

Figures = dict[str, float | None]  # by the names of `Outcome`, and the cost; None = not known


class _Changes(BaseModel):
    """Where `--set` may change something."""

    control: ControlSettings = ControlSettings()


@dataclass(frozen=True, slots=True)
class Column:
    """One course of the days."""

    name: str
    figures: Figures
    chart: Chart


def parsed(texts: Sequence[str]) -> dict[str, Any]:
    """Return the changes of `control.KEY=VALUE`, whose values are TOML or bare words.

    Raises:
        UsageError: it is written otherwise, or not about the controller.
    """
    changes: dict[str, Any] = {}
    for text in texts:
        name, equals, value = text.partition("=")
        table, _, key = name.strip().partition(".")
        if not equals or not key:
            raise UsageError(f"--set {text}: write it like control.objective=cost")
        if table != TABLE:
            raise UsageError(f"--set {text}: only what is in [{TABLE}] can be changed afterwards")
        changes[key] = _value(value.strip())
    return changes


def changed(settings: ControlSettings, changes: Mapping[str, Any]) -> ControlSettings:
    """Return other settings.

    Raises:
        UsageError: there is no such setting, or not with such a value.
    """
    tables = {TABLE: settings.model_dump(mode="json") | dict(changes)}
    try:
        return _Changes.model_validate(tables).control
    except ValidationError as error:
        problems = Problems(Path("--set"), {}, _Changes)
        problems.add_errors(error, _Changes)
        raise UsageError("\n".join(problems.lines)) from error


def compare(
    args: argparse.Namespace, past: Past, start: datetime, end: datetime, changes: Mapping[str, Any]
) -> int:
    """Simulate the days twice, and show both beside what was measured.

    Raises:
        ReplayError: it is not known how the controller was set.
        UsageError: the settings are wrong, or there are no readings.
    """
    before = in_force(past.reader, start, end)
    after = changed(before.settings, changes)
    try:
        house = recorded_house(past.reader, start, end)
    except NothingRecordedError as error:
        raise UsageError(f"from {local(start, past.zone)} to {local(end, past.zone)} {error}") from error
    named = ", ".join(f"{key}={_text(getattr(after, key))}" for key in changes)
    columns = [
        Column("as it was", _measured(past.reader, house), house.chart()),
        _simulated("simulated", house, before.settings),
        _simulated(f"simulated with {named}", house, after),
    ]
    for column in columns:
        column.figures["cost"] = _cost(column.figures, after)
    if args.json:
        _print_json(columns, house, past)
    else:
        _print(columns, house, past, after)
        for note in _notes(house, before.changes):
            print(note)
    if args.plot:
        charts = {column.name: column.chart for column in columns}
        picture.draw(charts, args.plot, _title(house, past), past.zone)
        print(f"picture: {args.plot}", file=sys.stderr)
    return 0


def _value(text: str) -> Any:
    """Parse a value as it would stand in the configuration; text needs no quotes."""
    try:
        return tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        return text


def _text(value: object) -> str:
    return "/".join(map(str, value)) if isinstance(value, tuple) else str(value)


def _simulated(name: str, house: RecordedHouse, settings: ControlSettings) -> Column:
    trace = house.trace
    simulation = Simulation(trace, trace.start, trace.days, house.source, settings, plugged=house.visits)
    return Column(name, asdict(run_with_progress(simulation)), simulation.chart)


def _measured(reader: Reader, house: RecordedHouse) -> Figures:
    """Return what the energies tell, as far as they do."""
    rows = reader.five_minutes(house.trace.start, house.trace.end)
    if not rows:
        return {}
    plugged = [row for row in rows if _was_plugged(house, row)]
    imported_kwh, exported_kwh = (_kwh(plugged, name) for name in ("import_wh", "export_wh"))
    charged_kwh = _kwh(rows, "charger_wh")
    solar_kwh = sum(max(0.0, row.charger_wh - row.import_wh) for row in rows) / 1000
    return {
        "grid_exchange_kwh": imported_kwh + exported_kwh,
        "import_kwh": imported_kwh,
        "export_kwh": exported_kwh,
        "charged_kwh": charged_kwh,
        "solar_share_pct": 100 * solar_kwh / charged_kwh if charged_kwh else 0.0,
        "pv_kwh": _kwh(rows, "pv_wh"),
        "house_import_kwh": _kwh(rows, "import_wh"),
        "house_export_kwh": _kwh(rows, "export_wh"),
    }


def _kwh(rows: Iterable[EnergyRow], name: str) -> float:
    return sum(float(getattr(row, name)) for row in rows) / 1000


def _was_plugged(house: RecordedHouse, row: EnergyRow) -> bool:
    at = row.start
    return isinstance(at, datetime) and any(visit.start <= at < visit.end for visit in house.visits)


def _cost(figures: Figures, settings: ControlSettings) -> float | None:
    imported_kwh, exported_kwh = figures.get("house_import_kwh"), figures.get("house_export_kwh")
    if imported_kwh is None or exported_kwh is None:
        return None
    return cost(imported_kwh, exported_kwh, settings)


def _print_json(columns: Sequence[Column], house: RecordedHouse, past: Past) -> None:
    """Print one object, with the figures of each course as far as they are known."""
    trace = house.trace
    figures = [
        {name: None if value is None else round(value, 3) for name, value in _shown(column).items()}
        for column in columns
    ]
    document = {
        "from": trace.start.astimezone(past.zone).isoformat(),
        "to": trace.end.astimezone(past.zone).isoformat(),
        "source": house.source.value,
        "covered": round(house.covered, 3),
        **dict(zip(("as_it_was", "simulated", "changed"), figures, strict=True)),
    }
    print(json.dumps(document))


def _shown(column: Column) -> Figures:
    return {name: column.figures.get(name) for name in (*ROWS, *MORE_ROWS)}


def _print(columns: Sequence[Column], house: RecordedHouse, past: Past, after: ControlSettings) -> None:
    table = Table("", *(column.name for column in columns), title=_title(house, past), box=None)
    for shown in table.columns[1:]:
        shown.justify = "right"
    for name, (label, unit) in (ROWS | MORE_ROWS).items():
        table.add_row(label, *(_cell(column.figures.get(name), unit) for column in columns))
    Console(highlight=False).print(table)
    print(f"Cost: {after.import_price:g} for a kWh bought, {after.feed_in_price:g} earned for one sold.")


def _cell(value: float | None, unit: str) -> str:
    if value is None:
        return ""
    if isinstance(value, int):
        return str(value)
    return f"{value:.1f} {unit}" if unit else f"{value:.2f}"


def _notes(house: RecordedHouse, changes: int) -> Iterator[str]:
    if not house.visits:
        yield "No car was plugged in."
    if any(visit.wanted_wh is None for visit in house.visits):
        yield "The car was not found full, so the simulated one takes all that it can get."
    if house.covered < WHOLE:
        yield f"Readings tell of {100 * house.covered:.0f} % of the time; in the rest the last one was held."
    if house.battery:
        yield "The simulated house has no battery: its share of what was bought and sold is missing."
    if changes:
        times = "once" if changes == 1 else f"{changes} times"
        yield f"Settings, mode or limits were changed {times}; the simulations keep those of the beginning."


def _title(house: RecordedHouse, past: Past) -> str:
    trace = house.trace
    days = f"{trace.days:.2g} days" if trace.days != 1 else "1 day"
    return f"{days} from {local(trace.start, past.zone)} on, read as {house.source.value}"
