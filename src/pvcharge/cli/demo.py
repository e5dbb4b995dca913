"""`pvcharge demo`: watch a car being charged by surplus, without any hardware."""

import argparse
import asyncio
import json
import sys
import tempfile
from dataclasses import asdict
from pathlib import Path

from pvcharge import log
from pvcharge.cli.live import show_lines, show_live
from pvcharge.cli.main import UsageError
from pvcharge.cli.options import positive
from pvcharge.demo import Demo, DemoOptions, Summary
from pvcharge.sim.trace import Trace, TraceError

MAX_SPEED = 600.0  # beyond, the simulators cannot follow on a small machine


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of `demo`."""
    parser.add_argument(
        "--speed", type=positive, default=60.0, metavar="N", help="times real time (default: 60)"
    )
    parser.add_argument(
        "--duration",
        type=positive,
        metavar="S",
        help="end after so many real seconds (default: Ctrl-C ends it)",
    )
    parser.add_argument("--trace", type=Path, metavar="CSV", help="recorded weather and household")
    parser.add_argument(
        "--charger", choices=("old", "flex"), default="old", help="Wattpilot hardware (default: old)"
    )
    parser.add_argument("--api", choices=("v2", "v1"), default="v2", help="SolarEdge API (default: v2)")
    parser.add_argument(
        "--live", action="store_true", help="V2's paid live power flow instead of quarter-hour means"
    )
    parser.add_argument("--seed", type=int, default=7, help="of invented weather and household (default: 7)")
    parser.add_argument(
        "--json", action="store_true", help="print one summary object at the end, nothing else"
    )


def run(args: argparse.Namespace) -> int:
    """Run the demo; exit code 2 for a trace that cannot be used."""
    if args.speed > MAX_SPEED:
        raise UsageError(f"--speed {args.speed:g}: the simulators cannot follow above {MAX_SPEED:g}")
    try:
        trace = Trace.load(args.trace) if args.trace else None
    except TraceError as error:
        raise UsageError(str(error)) from error
    options = DemoOptions(args.speed, trace, args.charger, args.api, args.live, args.seed)
    # The live view owns the terminal; what it cannot show, such as a traceback, is still worth seeing.
    log.set_up(log.LogSettings(level="error"))
    summary = asyncio.run(_run(options, args))
    if args.json:
        print(json.dumps(asdict(summary)))
    else:
        _print(summary)
    return 0


async def _run(options: DemoOptions, args: argparse.Namespace) -> Summary:
    with tempfile.TemporaryDirectory(prefix="pvcharge-demo-") as folder:
        demo = Demo(options, Path(folder))
        async with demo.running() as app:
            if args.json:
                show = asyncio.sleep(float("inf"))
            elif sys.stdout.isatty():
                show = show_live(demo, app)
            else:
                print("no terminal here: a line now and then instead of the live view", flush=True)
                show = show_lines(demo, app)
            try:
                async with asyncio.timeout(args.duration):
                    await show
            except (TimeoutError, BrokenPipeError):
                pass
            except asyncio.CancelledError:
                # Ctrl-C is the usual end of a demo without --duration, and no reason to lose its summary.
                if (task := asyncio.current_task()) is not None:
                    task.uncancel()
            return demo.summary()


def _print(summary: Summary) -> None:
    print(f"In {summary.simulated_s / 60:.0f} simulated minutes the car got {summary.charged_kwh:.2f} kWh.")
    print(f"{summary.import_kwh:.2f} kWh were bought, {summary.export_kwh:.2f} kWh sold.")
    print(
        f"{summary.readings} readings with {summary.api_calls} requests, "
        f"{summary.setpoints} setpoints, {summary.errors} errors."
    )
