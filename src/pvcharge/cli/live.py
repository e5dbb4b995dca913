"""What a demo shows while it runs: a live view on a terminal, else a line now and then."""

import asyncio
from collections import deque
from dataclasses import dataclass, field
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
from pvcharge.sim.house import HouseSample
from pvcharge.words import STATES, explain, kilowatts

REFRESH_S = 0.25
LINE_EVERY_S = 2.0
FULL_SCALE_W = 12_000.0
ZONE = ZoneInfo(TIMEZONE)


@dataclass(slots=True)
class Latest:
    """The newest of everything, for whoever shows it."""

    flow: PowerFlow | None = None
    status: ChargerStatus | None = None
    decision: Decision | None = None
    health: dict[str, DeviceHealth] = field(default_factory=dict)
    events: deque[str] = field(default_factory=lambda: deque(maxlen=8))

    async def follow(self, app: App) -> None:
        """Take in what the daemon publishes, until cancelled."""
        async for event in app.feed.subscribe():
            match event:
                case PowerFlow():
                    self.flow = event
                    self._note(app, f"reading: grid {kilowatts(event.grid_w)}, PV {kilowatts(event.pv_w)}")
                case ChargerStatus():
                    if self.status is None or self.status.state is not event.state:
                        self._note(app, f"charger: {STATES[event.state]}")
                    self.status = event
                case Decision():
                    if self.decision is None or self.decision.setpoint != event.setpoint:
                        self._note(app, f"setpoint: {event.setpoint}")
                    self.decision = event
                case DeviceHealth():
                    if not event.ok:
                        self._note(app, f"{event.name}: {event.error}")
                    self.health[event.name] = event
                case _:
                    pass

    def _note(self, app: App, text: str) -> None:
        self.events.append(f"{app.clock.now().astimezone(ZONE):%H:%M:%S}  {text}")


class LiveView:
    """A screenful, drawn four times a second."""

    def __init__(self, demo: Demo, app: App) -> None:
        self._demo = demo
        self._app = app
        self._latest = Latest()

    async def run(self) -> None:
        """Draw until cancelled."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._latest.follow(self._app))
            with Live(self._draw(), auto_refresh=False) as live:
                while True:
                    await asyncio.sleep(REFRESH_S)
                    live.update(self._draw(), refresh=True)

    def _draw(self) -> RenderableType:
        now = self._demo.clock.now()
        sample = self._demo.house.sample(now)
        rows: list[RenderableType] = [_powers(sample)] if sample else []
        if self._latest.decision:
            rows += [Text(), Text(explain(self._latest.decision, ZONE), style="bold")]
        rows += [self._charger_line(), self._cloud_line(), Text()]
        rows += [Text(line, style="dim") for line in self._latest.events]
        title = f"pvcharge demo  {now.astimezone(ZONE):%H:%M:%S}  {self._demo.options.speed:g}x"
        return Panel(Group(*rows), title=title, subtitle="Ctrl-C ends the demo", width=78)

    def _charger_line(self) -> Text:
        status, charged = self._latest.status, self._demo.summary().charged_kwh
        if status is None:
            return Text("charger: logging in")
        return Text(f"charger: {STATES[status.state]}, set to {status.setpoint}; car got {charged:.2f} kWh")

    def _cloud_line(self) -> Text:
        health = self._latest.health.get("solaredge")
        left = health.facts.get("requests_left") if health else None
        calls = self._demo.cloud.calls
        return Text(
            f"SolarEdge cloud: {calls} calls" + (f", {left:g} left" if isinstance(left, int | float) else "")
        )


def _powers(sample: HouseSample) -> Table:
    table = Table.grid(padding=(0, 1))
    table.add_column(width=10)
    table.add_column(width=8, justify="right")
    table.add_column(width=52)
    bought, sold = max(0.0, sample.grid_w), max(0.0, -sample.grid_w)
    for label, power_w, colour in (
        ("roof", sample.pv_w, "yellow"),
        ("house", sample.load_w - sample.charger_w, "white"),
        ("car", sample.charger_w, "blue"),
        ("bought", bought, "red"),
        ("sold", sold, "green"),
    ):
        table.add_row(label, kilowatts(power_w), Bar(FULL_SCALE_W, 0, power_w, color=colour))
    return table


async def show_lines(demo: Demo, app: App) -> None:
    """Print a line every two seconds until cancelled."""
    latest = Latest()
    async with asyncio.TaskGroup() as group:
        group.create_task(latest.follow(app))
        while True:
            await asyncio.sleep(LINE_EVERY_S)
            now = demo.clock.now()
            sample, decision = demo.house.sample(now), latest.decision
            if sample and decision:
                house_w = sample.load_w - sample.charger_w
                print(
                    f"{now.astimezone(ZONE):%H:%M:%S} roof {kilowatts(sample.pv_w)}, "
                    f"house {kilowatts(house_w)}, car {kilowatts(sample.charger_w)}, "
                    f"grid {kilowatts(sample.grid_w)}. {explain(decision, ZONE)}",
                    flush=True,
                )
