"""What a demo shows while it runs: a live view on a terminal, else a line now and then."""

import asyncio
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from zoneinfo import ZoneInfo

from rich.bar import Bar
from rich.console import Group, RenderableType
from rich.live import Live
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from pvcharge.app import App
from pvcharge.demo import TIMEZONE, Demo
from pvcharge.model import ChargerStatus, Decision, DeviceHealth, PowerFlow
from pvcharge.sim.house import House, HouseSample
from pvcharge.words import STATES, duration, explain, kilowatts, level

REFRESH_S = 0.25
LINE_EVERY_S = 2.0
FULL_SCALE_W = 12_000.0
HISTORY_COLUMN = timedelta(minutes=2.5)
HISTORY_COLUMNS = 48  # two hours
BLOCKS = " ▁▂▃▄▅▆▇█"
ZONE = ZoneInfo(TIMEZONE)


@dataclass(slots=True)
class Latest:
    """The newest of everything that the daemon publishes, for whoever shows it."""

    status: ChargerStatus | None = None
    decision: Decision | None = None
    requests_left: float | str | None = None
    events: deque[str] = field(default_factory=lambda: deque(maxlen=5))

    async def follow(self, app: App) -> None:
        """Take in what comes, until cancelled."""
        async for event in app.feed.subscribe():
            note = None
            match event:
                case PowerFlow():
                    note = f"reading: {_grid(event)}"
                case ChargerStatus():
                    if self.status is None or self.status.state is not event.state:
                        note = f"charger: {STATES[event.state]}"
                    self.status = event
                case Decision() if event.binding:
                    if self.decision is None or self.decision.setpoint != event.setpoint:
                        note = f"setpoint: {level(event.setpoint)}"
                    self.decision = event
                case DeviceHealth():
                    note = None if event.ok else f"{event.name}: {event.error}"
                    self.requests_left = event.facts.get("requests_left", self.requests_left)
                case _:
                    pass
            if note:
                self.events.append(f"{app.clock.now().astimezone(ZONE):%H:%M:%S}  {note}")


@asynccontextmanager
async def _following(app: App) -> AsyncIterator[Latest]:
    latest = Latest()
    follower = asyncio.create_task(latest.follow(app), name="view")
    try:
        yield latest
    finally:
        follower.cancel()


async def show_live(demo: Demo, app: App) -> None:
    """Draw a screenful four times a second until cancelled."""
    async with _following(app) as latest:
        with Live(_screen(demo, latest), auto_refresh=False) as live:
            while True:
                await asyncio.sleep(REFRESH_S)
                live.update(_screen(demo, latest), refresh=True)


async def show_lines(demo: Demo, app: App) -> None:
    """Print a line every two seconds until cancelled."""
    async with _following(app) as latest:
        while True:
            await asyncio.sleep(LINE_EVERY_S)
            now = demo.clock.now()
            if sample := demo.house.sample(now):
                powers = ", ".join(f"{label} {kilowatts(power_w)}" for label, power_w, _ in _powers(sample))
                why = explain(latest.decision, ZONE) if latest.decision else "Starting."
                print(f"{now.astimezone(ZONE):%H:%M:%S} {powers}. {why}", flush=True)


def _screen(demo: Demo, latest: Latest) -> RenderableType:
    now = demo.clock.now()
    rows: list[RenderableType] = [Text(_setting(demo), style="dim"), Text()]
    if sample := demo.house.sample(now):
        rows += [_bars(sample), Text(), _history(demo.house), Text()]
    rows += [_facts(demo, latest), Text()]
    rows += [Text(line, style="dim", no_wrap=True, overflow="ellipsis") for line in latest.events]
    title = f"[bold]pvcharge demo[/]  {now.astimezone(ZONE):%H:%M:%S}, {demo.options.speed:g} times as fast"
    return Panel(Group(*rows), title=title, subtitle="Ctrl-C ends the demo", width=78)


def _setting(demo: Demo) -> str:
    options = demo.options
    means = options.api == "v2" and not options.live
    return (
        f"simulated: house, car, Wattpilot{' Flex' if options.charger == 'flex' else ''}, "
        f"SolarEdge ({options.api.upper()}, {'quarter-hour means' if means else 'live values'})"
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


def _facts(demo: Demo, latest: Latest) -> Table:
    table = _grid_of_rows(9)
    charged_kwh = demo.summary().charged_kwh
    cloud = f"requests made: {demo.cloud.calls}"
    if isinstance(latest.requests_left, int | float):
        cloud += f", left: {latest.requests_left:.0f}"
    if latest.decision and latest.decision.reading_age_s is not None:
        cloud += f"; newest reading {duration(latest.decision.reading_age_s)} old"
    charger = "logging in"
    if latest.status:
        charger = f"{STATES[latest.status.state]}; set to {level(latest.status.setpoint)}"
    table.add_row("SolarEdge", cloud)
    table.add_row("Wattpilot", f"{charger}; the car got {charged_kwh:.2f} kWh")
    why = explain(latest.decision, ZONE) if latest.decision else "Starting."
    table.add_row("pvcharge", Text(why, style="bold"))
    return table


def _grid(flow: PowerFlow) -> str:
    if flow.grid_w is None:
        return "says nothing of the grid"
    traded = f"{kilowatts(abs(flow.grid_w))} {'bought' if flow.grid_w > 0 else 'sold'}"
    if not flow.span_s:
        return f"{traded} now"
    start, end = (at.astimezone(ZONE) for at in (flow.start, flow.end))
    return f"{traded} from {start:%H:%M} to {end:%H:%M}"
