"""Draws simulated days: what the roof gave, where it went, and what was bought and sold."""

from datetime import datetime, timedelta
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from pvcharge.cli.main import UsageError
from pvcharge.simulation import Chart

FORMATS = (".png", ".svg")
MAX_PANELS = 7  # one a day; more would be too small to read
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


def draw(chart: Chart, path: Path, title: str) -> None:
    """Draw a panel a day, the first seven of them, in UTC."""
    from matplotlib.figure import Figure  # noqa: PLC0415 - optional, and slow to import

    days = sorted({at.date() for at in chart.at})[:MAX_PANELS]
    figure = Figure(figsize=(11, 1.2 + 2.6 * len(days)), layout="constrained")
    figure.suptitle(title)
    panels = figure.subplots(len(days), 1, squeeze=False)[:, 0]
    highest_kw = max(1.0, *(w / 1000 for w in chart.pv_w))
    for panel, day in zip(panels, days, strict=True):
        chosen = [k for k, at in enumerate(chart.at) if at.date() == day]
        _draw_day(panel, chart, chosen)
        midnight = datetime.combine(day, datetime.min.time(), chart.at[0].tzinfo)
        panel.set_xlim(midnight, midnight + timedelta(days=1))
        panel.set_ylim(top=1.1 * highest_kw)
        panel.set_title(f"{day:%A %d %B %Y}, UTC", loc="left", fontsize=9)
        hours = range(0, 25, 3)
        panel.set_xticks(
            [midnight + timedelta(hours=hour) for hour in hours], [f"{hour}:00" for hour in hours]
        )
    panels[0].legend(loc="upper left", ncols=5, fontsize=8, frameon=False)
    try:
        figure.savefig(path, dpi=120)
    except OSError as error:
        raise UsageError(f"--plot {path}: cannot be written: {error.strerror}") from error


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
    panel.set_ylabel("kW")
    panel.grid(alpha=0.25)
    panel.tick_params(labelsize=8)
    for side in ("top", "right"):
        panel.spines[side].set_visible(False)
