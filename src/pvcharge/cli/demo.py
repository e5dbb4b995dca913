"""`pvcharge demo`: watch a car being charged by surplus, without any hardware."""

import argparse
import asyncio
import json
import sys
import tempfile
import webbrowser
from collections.abc import Iterable
from dataclasses import asdict
from pathlib import Path

from pvcharge import log
from pvcharge.cli.live import Shown, show_lines, show_live
from pvcharge.cli.main import UsageError, innermost
from pvcharge.cli.options import port, positive
from pvcharge.demo import (
    BrokerError,
    Demo,
    DemoOptions,
    PortError,
    SplitDemo,
    SplitError,
    Summary,
    choose_ports,
    until_shown,
    write_past,
)
from pvcharge.sim.feed import Source
from pvcharge.sim.trace import Trace, TraceError

SPEED, SPLIT_SPEED = 60.0, 20.0
MAX_SPEED = 600.0  # beyond, the simulators cannot follow on a small machine
MAX_SPLIT_SPEED = 60.0  # beyond, a lease of a minute is shorter than a hiccup of such a machine


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of `demo`."""
    parser.add_argument(
        "--speed",
        type=positive,
        metavar="N",
        help=f"times real time (default: {SPEED:g}, with --split {SPLIT_SPEED:g})",
    )
    parser.add_argument(
        "--duration",
        type=positive,
        metavar="S",
        help="end after so many real seconds (default: Ctrl-C ends it)",
    )
    parser.add_argument(
        "--split",
        action="store_true",
        help="controller and edge as two processes with an MQTT broker between them; needs Mosquitto",
    )
    parser.add_argument("--trace", type=Path, metavar="CSV", help="recorded weather and household")
    parser.add_argument(
        "--charger", choices=("old", "flex"), default="old", help="Wattpilot hardware (default: old)"
    )
    parser.add_argument("--api", choices=("v2", "v1"), default="v2", help="SolarEdge's cloud (default: v2)")
    parser.add_argument(
        "--source",
        choices=[*Source],
        type=Source,
        default=Source.QUARTER,
        help="readings: the cloud's quarter-hour means, its paid live power flow, or Modbus TCP in the house "
        "with the cloud standing by (default: quarter)",
    )
    parser.add_argument("--seed", type=int, default=7, help="of invented weather and household (default: 7)")
    parser.add_argument(
        "--port",
        type=port,
        metavar="N",
        help="of the page, with --split of the cloud's (default: the first free one from 8080 on)",
    )
    parser.add_argument("--no-page", action="store_true", help="leave out the page, and the days before")
    parser.add_argument("--open", action="store_true", help="open the page in the browser")
    parser.add_argument(
        "--json",
        action="store_true",
        help="print one summary object at the end, nothing else; there is a page with --port only",
    )


def run(args: argparse.Namespace) -> int:
    """Run the demo; exit code 2 for a trace that cannot be used, or for want of a broker."""
    speed = args.speed or (SPLIT_SPEED if args.split else SPEED)
    most = MAX_SPLIT_SPEED if args.split else MAX_SPEED
    if speed > most:
        why = "two processes cannot keep their leases" if args.split else "the simulators cannot follow"
        raise UsageError(f"--speed {speed:g}: {why} above {most:g}")
    try:
        trace = Trace.load(args.trace) if args.trace else None
    except TraceError as error:
        raise UsageError(str(error)) from error
    options = DemoOptions(speed, trace, args.charger, args.api, args.source, args.seed, ports=_ports(args))
    # The live view owns the terminal; what it cannot show, such as a traceback, is still worth seeing.
    log.set_up(log.LogSettings(level="error"))
    try:
        summary = asyncio.run(_split(options, args) if args.split else _standalone(options, args))
    except BrokerError as error:
        raise UsageError(f"demo --split: {error}") from error
    except ExceptionGroup as group:
        fault = innermost(group)
        if not isinstance(fault, SplitError):
            raise
        print(f"pvcharge: {fault}", file=sys.stderr)
        return 1
    if args.json:
        print(json.dumps({key: value for key, value in asdict(summary).items() if value is not None}))
    else:
        _print(summary)
    return 0


def _ports(args: argparse.Namespace) -> tuple[int, ...]:
    """Return where to show the pages."""
    if args.no_page or (args.json and args.port is None):
        return ()
    try:
        return choose_ports(2 if args.split else 1, args.port)
    except PortError as error:
        raise UsageError(str(error)) from error


async def _standalone(options: DemoOptions, args: argparse.Namespace) -> Summary:
    with tempfile.TemporaryDirectory(prefix="pvcharge-demo-") as folder:
        await _prepare(options, Path(folder))
        demo = Demo(options, Path(folder))
        async with demo.running():
            await until_shown(options.ports)
            _invite([f"Page: {address}" for address in demo.pages.values()], args)
            await _open(demo, args)
            await _show(demo, args)
            return demo.summary()


async def _split(options: DemoOptions, args: argparse.Namespace) -> Summary:
    with tempfile.TemporaryDirectory(prefix="pvcharge-demo-") as folder:
        await _prepare(options, Path(folder) / "cloud")
        demo = SplitDemo(options, Path(folder))
        async with demo.running():
            await until_shown(options.ports)
            _invite(demo.invitation(), args)
            await _open(demo, args)
            await _show(demo, args)
            return demo.summary()


async def _prepare(options: DemoOptions, state_dir: Path) -> None:
    """Give the page a past to show, before time begins to pass."""
    if options.ports:
        await asyncio.to_thread(write_past, options, state_dir)


def _invite(lines: Iterable[str], args: argparse.Namespace) -> None:
    if not args.json:
        for line in lines:
            print(line, flush=True)


async def _open(demo: Shown, args: argparse.Namespace) -> None:
    """Open the first page in the browser, if that is wanted; where there is none, the address is on show."""
    address = next(iter(demo.pages.values()), None)
    if args.open and address is not None:
        await asyncio.to_thread(webbrowser.open, address)


async def _show(demo: Shown, args: argparse.Namespace) -> None:
    """Show a demo until its time is up or Ctrl-C is pressed."""
    if args.json:
        show = asyncio.sleep(float("inf"))
    elif sys.stdout.isatty():
        show = show_live(demo)
    else:
        print("no terminal here: a line now and then instead of the live view", flush=True)
        show = show_lines(demo)
    try:
        async with asyncio.timeout(args.duration):
            await show
    except (TimeoutError, BrokenPipeError):
        pass
    except asyncio.CancelledError:
        # Ctrl-C is the usual end of a demo without --duration, and no reason to lose its summary.
        if (task := asyncio.current_task()) is not None:
            task.uncancel()


def _print(summary: Summary) -> None:
    print(f"In {summary.simulated_s / 60:.0f} simulated minutes the car got {summary.charged_kwh:.2f} kWh.")
    print(f"{summary.import_kwh:.2f} kWh were bought, {summary.export_kwh:.2f} kWh sold.")
    readings = "" if summary.readings is None else f"{summary.readings} readings with "
    print(f"{readings}{summary.api_calls} requests, {summary.setpoints} setpoints, {summary.errors} errors.")
