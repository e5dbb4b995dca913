"""`pvcharge check`: is the configuration right, and with `--probe`: do its devices answer?"""

import argparse
import asyncio
from collections.abc import Awaitable

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from pvcharge import config, log
from pvcharge.app import make_charger, make_inverters
from pvcharge.cli.options import add_config
from pvcharge.clock import SystemClock
from pvcharge.drivers.base import Charger, DriverError, Inverter
from pvcharge.model import ChargerStatus, PowerFlow

PROBE_S = 90.0  # a slow Wattpilot Flex needs a minute to log in


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of `check`."""
    add_config(parser)
    parser.add_argument(
        "--probe", action="store_true", help="read each device once; nothing is written to any of them"
    )


def run(args: argparse.Namespace) -> int:
    """Validate; exit code 78 for a bad configuration, 1 if a probed device does not answer."""
    settings = config.load(args.config)
    log.set_up(settings.log)
    console = Console()
    control = settings.control
    phases = " and ".join(str(number) for number in control.phases)
    console.print(f"[green]OK[/] {escape(str(args.config))}")
    inverters = ", ".join(f"{device.settings.name} ({device.driver.name})" for device in settings.inverters)
    console.print(
        escape(
            f"role {settings.role}, site {settings.site.name}; inverters: {inverters}; "
            f"charger: {settings.charger.settings.name} ({settings.charger.driver.name}), "
            f"{control.min_current_a}..{control.max_current_a} A on {phases} phases; "
            f"objective {control.objective.value}; state in {settings.state_dir}"
        )
    )
    return asyncio.run(_probe(settings, console)) if args.probe else 0


async def _probe(settings: config.Config, console: Console) -> int:
    clock = SystemClock()
    table = Table("device", "answer", box=None, header_style="bold")
    failures = 0
    inverters = make_inverters(settings, clock)
    charger = make_charger(settings, clock)
    probes: list[tuple[str, Awaitable[str]]] = [(inverter.name, _read(inverter)) for inverter in inverters]
    probes.append((charger.name, _listen(charger)))
    for name, probe in probes:
        try:
            answer = escape(await asyncio.wait_for(probe, PROBE_S))
        except DriverError as error:
            failures += 1
            answer = f"[red]{escape(str(error))}[/]"
        except TimeoutError:
            failures += 1
            answer = f"[red]no answer within {PROBE_S:.0f} s[/]"
        table.add_row(escape(name), answer)
    console.print(table)
    return 1 if failures else 0


async def _read(inverter: Inverter) -> str:
    try:
        flows = await inverter.read()
        return _describe_flow(flows[-1]) if flows else "answers, but has no finished reading yet"
    finally:
        await inverter.aclose()


async def _listen(charger: Charger) -> str:
    try:
        await charger.open()
        return _describe_status(await charger.next_status())
    finally:
        await charger.aclose()


def _describe_flow(flow: PowerFlow) -> str:
    powers = {"PV": flow.pv_w, "grid": flow.grid_w, "load": flow.load_w, "battery": flow.battery_w}
    said = ", ".join(f"{name} {value:.0f} W" for name, value in powers.items() if value is not None)
    when = f"{flow.end.astimezone():%H:%M:%S}"
    return f"{said} ({f'mean of {flow.span_s / 60:.0f} min until' if flow.span_s else 'at'} {when})"


def _describe_status(status: ChargerStatus) -> str:
    parts = [status.state.value, f"{status.power_w:.0f} W", f"set to {status.setpoint or 'nothing known'}"]
    if status.max_current_a is not None:
        parts.append(f"up to {status.max_current_a} A")
    return ", ".join(parts) + (f", fault: {status.fault}" if status.fault else "")
