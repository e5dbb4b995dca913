"""Draws days: what the roof gave, where it went, and what was bought and sold."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from importlib.util import find_spec
from operator import add
from pathlib import Path
from typing import Any

from pvcharge.cli.main import UsageError
from pvcharge.simulation import CHART_STEP_S, Chart

FORMATS = (".png", ".svg")
MAX_PANELS = 7  # one a day; more would be too small to read
WIDTH, LOW = 11.0, 2.6  # of a panel, if there is one a day
NARROW, HIGH = 6.2, 3.4  # of one of several side by side
FEW_HOURS = 10  # of which each can be named
HOUSE, CAR, PV, IMPORT, EXPORT = "#8a8f98", "#2f6fde", "#f2a900", "#c8442f", "#5aa469"


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


def draw(charts: Mapping[str, Chart], path: Path, title: str, zone: tzinfo = UTC) -> None:
    """Draw a row a day, the first seven of them, and a column a chart, all on the same axes.

    Args:
        charts: by their headings, of the same days.
        path: where to.
        title: of the whole picture.
        zone: whose days these are.
    """
    from matplotlib.figure import Figure  # noqa: PLC0415 - optional, and slow to import

    days = sorted({at.astimezone(zone).date() for chart in charts.values() for at in chart.at})[:MAX_PANELS]
    several = len(charts) > 1
    size = (NARROW * len(charts) if several else WIDTH, 1.2 + (HIGH if several else LOW) * len(days))
    figure = Figure(figsize=size, layout="constrained")
    figure.suptitle(title)
    panels = figure.subplots(len(days), len(charts), squeeze=False, sharey=True)
    hours = _hours(charts.values(), days, zone)
    for column, (heading, chart) in enumerate(charts.items()):
        for panel, day in zip(panels[:, column], days, strict=True):
            chosen = [k for k, at in enumerate(chart.at) if at.astimezone(zone).date() == day]
            _draw_day(panel, chart, chosen)
            _mark_hours(panel, day, hours, zone)
            panel.set_title(f"{day:%A %d %B %Y}, {zone}", loc="left", fontsize=9)
            if several:
                panel.set_title(_energies(chart, chosen), loc="right", fontsize=8, color="#555555")
        if several:
            place = {
                "xy": (0, 1),
                "xycoords": "axes fraction",
                "xytext": (0, 22),
                "textcoords": "offset points",
            }
            panels[0, column].annotate(heading, **place, fontsize=11, fontweight="bold")
    for panel in panels[:, 0]:
        panel.set_ylabel("kW")
    lowest_kw, highest_kw = _extent(charts.values())
    panels[0, 0].set_ylim(1.1 * lowest_kw, 1.1 * highest_kw)
    legend = panels[0, 0].get_legend_handles_labels()
    figure.legend(*legend, loc="outside lower center", ncols=5, fontsize=8, frameon=False)
    try:
        figure.savefig(path, dpi=120)
    except OSError as error:
        raise UsageError(f"--plot {path}: cannot be written: {error.strerror}") from error


def _extent(charts: Iterable[Chart]) -> tuple[float, float]:
    """Return the lowest and the highest power that is drawn, in kW."""
    lowest_kw, highest_kw = 0.0, 1.0
    for chart in charts:
        used_w = map(add, chart.load_w, chart.charger_w)
        highest_kw = max(highest_kw, max(chart.pv_w) / 1000, max(used_w) / 1000)
        lowest_kw = min(lowest_kw, -max(map(abs, chart.grid_w)) / 1000)
    return lowest_kw, highest_kw


def _hours(charts: Iterable[Chart], days: Sequence[date], zone: tzinfo) -> range:
    """Return the hours to show: all of them, or of a single day those of which something is known."""
    if len(days) > 1:
        return range(25)
    known = sorted({at.astimezone(zone).hour for chart in charts for at in chart.at})
    return range(known[0], known[-1] + 2)


def _mark_hours(panel: Any, day: date, hours: range, zone: tzinfo) -> None:
    """Let a panel show these hours of a local day, which may have 23 or 25 of them."""
    every = 1 if len(hours) <= FEW_HOURS else 3
    midnight = datetime.combine(day + timedelta(days=1), time(), zone)
    at = {hour: datetime.combine(day, time(hour), zone) if hour < 24 else midnight for hour in hours}  # noqa: PLR2004 - of a day
    marked = [hour for hour in hours if hour % every == 0]
    panel.set_xlim(at[hours[0]], at[hours[-1]])
    panel.set_xticks([at[hour] for hour in marked], [f"{hour}:00" for hour in marked])


def _energies(chart: Chart, chosen: Sequence[int]) -> str:
    """Return the energies of a day in words."""
    kwh = CHART_STEP_S / 3.6e6
    charged = sum(chart.charger_w[k] for k in chosen) * kwh
    bought = sum(max(0.0, chart.grid_w[k]) for k in chosen) * kwh
    sold = sum(max(0.0, -chart.grid_w[k]) for k in chosen) * kwh
    return f"charged {charged:.1f}, bought {bought:.1f}, sold {sold:.1f} kWh"


def _draw_day(panel: Any, chart: Chart, chosen: list[int]) -> None:
    at = [chart.at[k] for k in chosen]
    load = [chart.load_w[k] / 1000 for k in chosen]
    car = [chart.charger_w[k] / 1000 for k in chosen]
    pv = [chart.pv_w[k] / 1000 for k in chosen]
    used = [a + b for a, b in zip(load, car, strict=True)]
    panel.fill_between(at, 0, load, color=HOUSE, alpha=0.55, lw=0, step="post", label="house")
    panel.fill_between(at, load, used, color=CAR, alpha=0.6, lw=0, step="post", label="car")
    panel.plot(at, pv, color=PV, lw=1.6, label="production")
    sold = [min(0.0, chart.grid_w[k]) / 1000 for k in chosen]
    bought = [-max(0.0, chart.grid_w[k]) / 1000 for k in chosen]
    panel.fill_between(at, sold, 0, color=EXPORT, alpha=0.7, lw=0, label="sold")
    panel.fill_between(at, bought, 0, color=IMPORT, alpha=0.7, lw=0, label="bought")
    panel.axhline(0, color="black", lw=0.6)
    panel.grid(alpha=0.25)
    panel.tick_params(labelsize=8)
    for side in ("top", "right"):
        panel.spines[side].set_visible(False)
