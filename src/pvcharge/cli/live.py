"""What a demo shows while it runs: a live view on a terminal, else a line now and then."""

import asyncio
from collections.abc import Mapping
from datetime import timedelta
from typing import Protocol

from rich.bar import Bar
from rich.console import Group, RenderableType
from rich.live import Live
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from pvcharge.demo import DemoOptions, Latest, Stage, Summary
from pvcharge.sim.feed import Source
from pvcharge.sim.house import House, HouseSample
from pvcharge.words import STATES, duration, kilowatts, level

REFRESH_S = 0.25
LINE_EVERY_S = 2.0
FULL_SCALE_W = 12_000.0
HISTORY_COLUMN = timedelta(minutes=2.5)
HISTORY_COLUMNS = 48  # two hours
BLOCKS = " ▁▂▃▄▅▆▇█"


class Shown(Protocol):
    """A demo, as far as it is shown."""

    stage: Stage
    latest: Latest
    pages: Mapping[str, str]

    def summary(self) -> Summary:
        """Return the counts up to now."""
        ...


async def show_live(demo: Shown) -> None:
    """Draw a screenful four times a second until cancelled."""
    with Live(_screen(demo), auto_refresh=False) as live:
        while True:
            await asyncio.sleep(REFRESH_S)
            live.update(_screen(demo), refresh=True)


async def show_lines(demo: Shown) -> None:
    """Print a line every two seconds until cancelled."""
    while True:
        await asyncio.sleep(LINE_EVERY_S)
        now = demo.stage.clock.now()
        if sample := demo.stage.house.sample(now):
            powers = ", ".join(f"{label} {kilowatts(power_w)}" for label, power_w, _ in _powers(sample))
            local = now.astimezone(demo.stage.timezone)
            print(f"{local:%H:%M:%S} {powers}. {demo.latest.why or 'Starting.'}", flush=True)


def _screen(demo: Shown) -> RenderableType:
    stage = demo.stage
    now = stage.clock.now()
    rows: list[RenderableType] = [Text(_setting(stage.options), style="dim"), Text()]
    if sample := stage.house.sample(now):
        rows += [_bars(sample), Text(), _history(stage.house), Text()]
    rows += [_facts(demo), Text()]
    rows += [Text(line, style="dim", no_wrap=True, overflow="ellipsis") for line in demo.latest.events]
    local = now.astimezone(stage.timezone)
    title = f"[bold]pvcharge demo[/]  {local:%H:%M:%S}, {stage.options.speed:g} times as fast"
    return Panel(Group(*rows), title=title, subtitle="Ctrl-C ends the demo", width=78)


def _setting(options: DemoOptions) -> str:
    live = options.api == "v1" or options.source is Source.LIVE
    told = f"{options.api.upper()}, {'live values' if live else 'quarter-hour means'}"
    if options.source is Source.MODBUS:
        told = f"Modbus TCP, and {told}"
    return (
        f"simulated: house, car, Wattpilot{' Flex' if options.charger == 'flex' else ''}, SolarEdge ({told})"
    )


def _powers(sample: HouseSample) -> list[tuple[str, float, str]]:
    return [
        ("roof", sample.pv_w, "yellow"),
        ("house", sample.load_w - sample.charger_w, "white"),
        ("car", sample.charger_w, "blue"),
        ("bought", max(0.0, sample.grid_w), "red"),
        ("sold", max(0.0, -sample.grid_w), "green"),
    ]


def _grid_of_rows(*widths: int) -> Table:
    """Return a table without lines: columns of these widths, and one that takes the rest."""
    table = Table.grid(padding=(0, 1), expand=True)
    for width in widths:
        table.add_column(min_width=width, max_width=width)
    table.add_column(ratio=1)
    return table


def _bars(sample: HouseSample) -> Table:
    table = _grid_of_rows(9, 8)
    for label, power_w, colour in _powers(sample):
        table.add_row(label, f"{kilowatts(power_w):>8}", Bar(FULL_SCALE_W, 0, power_w, color=colour))
    return table


def _history(house: House) -> Table:
    table = _grid_of_rows(9, 8)
    ends = [house.simulated_until - k * HISTORY_COLUMN for k in reversed(range(HISTORY_COLUMNS))]
    means = [house.mean(end - HISTORY_COLUMN, end) for end in ends]
    for label, colour, powers_w in (
        ("roof", "yellow", [mean.pv_w if mean else 0.0 for mean in means]),
        ("car", "blue", [mean.charger_w if mean else 0.0 for mean in means]),
    ):
        line = "".join(BLOCKS[_eighths(power_w)] for power_w in powers_w)
        table.add_row("last 2 h" if label == "roof" else "", label, Text(line, style=colour))
    return table


def _eighths(power_w: float) -> int:
    return min(len(BLOCKS) - 1, round(power_w / FULL_SCALE_W * (len(BLOCKS) - 1)))


def _facts(demo: Shown) -> Table:
    latest = demo.latest
    table = _grid_of_rows(9)
    charged_kwh = demo.summary().charged_kwh
    cloud = f"requests made: {demo.stage.cloud.calls}"
    if latest.requests_left is not None:
        cloud += f", left: {latest.requests_left:.0f}"
    if latest.reading_age_s is not None:
        cloud += f"; newest reading {duration(latest.reading_age_s)} old"
    charger = "logging in"
    if latest.status:
        charger = f"{STATES[latest.status.state]}; set to {level(latest.status.setpoint)}"
    for name, address in demo.pages.items():
        table.add_row(name, Text(address, style="underline"))
    table.add_row("SolarEdge", cloud)
    table.add_row("Wattpilot", f"{charger}; the car got {charged_kwh:.2f} kWh")
    table.add_row("pvcharge", Text(latest.why or "Starting.", style="bold"))
    return table
