"""Draws days: what the roof gave, where it went, what was bought and sold, how the charger was set."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from importlib.util import find_spec
from itertools import groupby
from operator import add
from pathlib import Path
from typing import Any, NamedTuple

from pvcharge.cli.main import UsageError
from pvcharge.model import Decision, Reason
from pvcharge.simulation import CHART_STEP_S, Chart

FORMATS = (".png", ".svg")
MAX_PANELS = 7  # days; more would be too small to read
DPI = 150
WIDTH, NARROW = 8.0, 6.2  # inches of one chart, and of one of several side by side
LEGEND = 0.5  # inches

# Colours that everybody can tell apart (Okabe and Ito); bought and sold lie on two sides of zero too.
HOUSE, CAR, PV, IMPORT, EXPORT = "#9a9a9a", "#0072b2", "#e69f00", "#d55e00", "#009e73"
BY_PHASES = {1: ("1 phase", "#8cc6ec"), 3: ("3 phases", CAR)}
WAITING = ("will it last?", "#cc79a7")
LIMITED = ("limit on changes", "#6a3d5b")
NO_NEWS = ("no fresh reading", "#f0e442")
WHY = {
    Reason.FOLLOWING: ("follows the surplus", "#56b4e9"),
    Reason.TOO_LITTLE: ("too little surplus", "#cfcfcf"),
    Reason.NOT_WORTH_IT: WAITING,
    Reason.MIN_ON_TIME: LIMITED,
    Reason.MIN_OFF_TIME: LIMITED,
    Reason.SWITCH_LIMIT: LIMITED,
    Reason.NO_DATA: NO_NEWS,
    Reason.STALE_HOLD: NO_NEWS,
    Reason.STALE_MINIMUM: NO_NEWS,
    Reason.STALE_STOP: NO_NEWS,
}
REASONS = [label for label, _ in WHY.values()]
LEAST_SEEN = timedelta(minutes=1)  # of a colour that the legend names
NAMED = 6  # colours in a line of the legend
HEIGHTS = {"power": 1.9, "grid": 0.95, "set to": 0.65, "why": 0.16}  # inches of a day's panels
FEW_HOURS = 10  # of which each can be named


class _Look(NamedTuple):
    """What all panels have in common."""

    days: Sequence[date]
    hours: range
    zone: tzinfo


def check(path: Path) -> None:
    """Say before a long run that its picture could not be drawn.

    Raises:
        UsageError: wrong file type, no such folder, or matplotlib is not installed.
    """
    if path.suffix.lower() not in FORMATS:
        raise UsageError(f"--plot {path}: the file name must end in {' or '.join(FORMATS)}")
    if not path.absolute().parent.is_dir():
        raise UsageError(f"--plot {path}: there is no folder {path.parent}; create it first")
    if find_spec("matplotlib") is None:
        raise UsageError("--plot needs matplotlib: pip install 'pvcharge[plot]'")


def draw(
    charts: Mapping[str, Chart],
    path: Path,
    title: str,
    zone: tzinfo = UTC,
    decisions: Sequence[Decision] = (),
) -> None:
    """Draw a row a day, the first seven of them, and a column a chart, all on the same axes.

    Args:
        charts: by their headings, of the same days.
        path: where to.
        title: of the whole picture; a single day of a single chart needs none.
        zone: whose days these are.
        decisions: with a single chart: what led to it, one for each change.

    Raises:
        UsageError: the file cannot be written.
    """
    from matplotlib.figure import Figure  # noqa: PLC0415 - optional, and slow to import

    days = sorted({at.astimezone(zone).date() for chart in charts.values() for at in chart.at})[:MAX_PANELS]
    look = _Look(days, _hours(charts.values(), days, zone), zone)
    rows = [name for name in HEIGHTS if decisions or name in ("power", "grid")]
    heights = [HEIGHTS[name] for name in rows]
    several = len(charts) > 1
    size = (NARROW * len(charts) if several else WIDTH, LEGEND + (sum(heights) + 0.5) * len(days))
    figure = Figure(figsize=size, layout="constrained")
    figure.get_layout_engine().set(h_pad=0.02, hspace=0.0)  # type: ignore[union-attr, call-arg]
    if several or len(days) > 1:
        figure.suptitle(title)
    grid = figure.subfigures(len(days), len(charts), squeeze=False)
    drawn = []
    for column, (heading, chart) in enumerate(charts.items()):
        for part, day in zip(grid[:, column], days, strict=True):
            panels = part.subplots(len(rows), 1, sharex=True, squeeze=False, height_ratios=heights)[:, 0]
            named = dict(zip(rows, panels, strict=True))
            _draw_day(named, chart, day, look)
            if decisions:
                _draw_decisions(named, decisions, chart.at[-1])
            _finish(named, day, look)
            drawn.append(named)
        if several:
            grid[0, column].suptitle(heading, fontsize=11, fontweight="bold")
    _same_heights(drawn, charts.values())
    _add_legend(figure, drawn)
    try:
        figure.savefig(path, dpi=DPI)
    except OSError as error:
        raise UsageError(f"--plot {path}: cannot be written: {error.strerror}") from error


def _hours(charts: Iterable[Chart], days: Sequence[date], zone: tzinfo) -> range:
    """Return the hours to show: all of them, or of a single day those with sun or a charge."""
    if len(days) > 1:
        return range(25)
    known, lively = set(), set()
    for chart in charts:
        for at, pv_w, charger_w in zip(chart.at, chart.pv_w, chart.charger_w, strict=True):
            known.add(at.astimezone(zone).hour)
            if pv_w > 0 or charger_w > 0:
                lively.add(at.astimezone(zone).hour)
    shown = lively or known
    return range(min(shown), max(shown) + 2)


def _draw_day(panels: Mapping[str, Any], chart: Chart, day: date, look: _Look) -> None:
    """Draw where the power went, and below it what was bought and sold."""
    chosen = [k for k, at in enumerate(chart.at) if at.astimezone(look.zone).date() == day]
    at = [chart.at[k] for k in chosen]
    load, car, pv, grid = (
        [values[k] / 1000 for k in chosen]
        for values in (chart.load_w, chart.charger_w, chart.pv_w, chart.grid_w)
    )
    used = list(map(add, load, car))
    power, exchange = panels["power"], panels["grid"]
    power.fill_between(at, 0, pv, color=PV, alpha=0.25, lw=0)
    power.fill_between(at, 0, load, color=HOUSE, alpha=0.9, lw=0, step="post", label="house")
    power.fill_between(at, load, used, color=CAR, alpha=0.75, lw=0, step="post", label="car")
    power.plot(at, pv, color=PV, lw=1.4, label="production")
    bought, sold = [max(0.0, kw) for kw in grid], [min(0.0, kw) for kw in grid]
    exchange.fill_between(at, 0, bought, color=IMPORT, lw=0, step="post", label="bought")
    exchange.fill_between(at, sold, 0, color=EXPORT, lw=0, step="post", label="sold")
    exchange.locator_params(axis="y", nbins=4)
    exchange.axhline(0, color="black", lw=0.6)
    power.set_title(f"{day:%A %d %B %Y}, {look.zone}", loc="left", fontsize=9)
    power.set_title(_energies(chart, chosen), loc="right", fontsize=8, color="#444444")
    power.set_ylabel("kW", fontsize=8)
    exchange.set_ylabel("grid, kW", fontsize=8)


def _energies(chart: Chart, chosen: Sequence[int]) -> str:
    """Return the energies of a day in words."""
    kwh = CHART_STEP_S / 3.6e6
    charged = sum(chart.charger_w[k] for k in chosen) * kwh
    bought = sum(max(0.0, chart.grid_w[k]) for k in chosen) * kwh
    sold = sum(max(0.0, -chart.grid_w[k]) for k in chosen) * kwh
    return f"charged {charged:.1f}, bought {bought:.1f}, sold {sold:.1f} kWh"


def _draw_decisions(panels: Mapping[str, Any], decisions: Sequence[Decision], end: datetime) -> None:
    """Draw what the charger was set to, and a strip of the reasons."""
    at = [decision.at for decision in decisions] + [end]
    amps, why = panels["set to"], panels["why"]
    for phases, (label, color) in BY_PHASES.items():
        set_a = [it.setpoint.current_a if it.setpoint.phases == phases else 0 for it in decisions]
        amps.fill_between(at, 0, [*set_a, 0], color=color, lw=0, step="post", label=label)
    for (label, color), spans in _spans(decisions, end).items():
        seen = sum((lasts for _, lasts in spans), timedelta()) >= LEAST_SEEN
        why.broken_barh(spans, (0, 1), color=color, lw=0, label=label if seen else None)
    amps.set_ylabel("set to, A", fontsize=8)
    amps.set_yticks([0, 6, 16])
    why.set_ylim(0, 1)
    why.set_yticks([])
    why.set_ylabel("why", fontsize=8, rotation=0, ha="right", va="center")


def _spans(
    decisions: Sequence[Decision], end: datetime
) -> dict[tuple[str, str], list[tuple[datetime, timedelta]]]:
    """Return since when, and for how long, each reason counted that has a colour."""
    spans: dict[tuple[str, str], list[tuple[datetime, timedelta]]] = {}
    ends = (*(decision.at for decision in decisions[1:]), end)
    course = zip(decisions, ends, strict=True)
    for kind, parts in groupby(course, key=lambda part: WHY.get(part[0].reason)):
        first, *rest = parts
        if kind is not None:
            since, until = first[0].at, (rest or [first])[-1][1]
            spans.setdefault(kind, []).append((since, until - since))
    return spans


def _finish(panels: Mapping[str, Any], day: date, look: _Look) -> None:
    """Let all panels of a local day, which may have 23 or 25 hours, show the same hours of it."""
    hours = look.hours
    every = 1 if len(hours) <= FEW_HOURS else 2 if len(hours) <= 2 * FEW_HOURS else 3
    midnight = datetime.combine(day + timedelta(days=1), time(), look.zone)
    at = {hour: datetime.combine(day, time(hour), look.zone) if hour < 24 else midnight for hour in hours}  # noqa: PLR2004 - of a day
    marked = [hour for hour in hours if hour % every == 0]
    for name, panel in panels.items():
        panel.set_xlim(at[hours[0]], at[hours[-1]])
        panel.set_xticks([at[hour] for hour in marked], [f"{hour}:00" for hour in marked])
        panel.tick_params(labelsize=8, length=2)
        panel.set_axisbelow(True)
        if name != "why":
            panel.grid(alpha=0.25, lw=0.6)
        for side in ("top", "right"):
            panel.spines[side].set_visible(False)


def _same_heights(drawn: Sequence[Mapping[str, Any]], charts: Iterable[Chart]) -> None:
    """Let all days and charts have the same scales."""
    highest_kw, bought_kw, sold_kw = 1.0, 0.5, 0.5
    for chart in charts:
        used_w = map(add, chart.load_w, chart.charger_w)
        highest_kw = max(highest_kw, max(chart.pv_w) / 1000, max(used_w) / 1000)
        bought_kw = max(bought_kw, max(chart.grid_w) / 1000)
        sold_kw = max(sold_kw, -min(chart.grid_w) / 1000)
    for panels in drawn:
        panels["power"].set_ylim(0, 1.05 * highest_kw)
        panels["grid"].set_ylim(-1.05 * sold_kw, 1.05 * bought_kw)


def _add_legend(figure: Any, drawn: Sequence[Mapping[str, Any]]) -> None:
    """Name each colour once."""
    handles: dict[str, Any] = {}
    for panels in drawn:
        for panel in panels.values():
            for handle, label in zip(*panel.get_legend_handles_labels(), strict=True):
                handles.setdefault(label, handle)
    ranked = sorted(handles, key=lambda label: REASONS.index(label) if label in REASONS else -1)
    by_rows = [label for column in range(NAMED) for label in ranked[column::NAMED]]
    close = {"frameon": False, "columnspacing": 1.2, "handlelength": 1.2, "handletextpad": 0.5}
    figure.legend(
        [handles[label] for label in by_rows],
        by_rows,
        loc="outside lower center",
        ncols=NAMED,
        fontsize=8,
        **close,
    )
