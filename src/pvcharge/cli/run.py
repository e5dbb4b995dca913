"""`pvcharge run`: the daemon."""

import argparse
import asyncio
import os
import sys
from datetime import UTC, datetime
from math import isfinite

from pvcharge import config, heap, log
from pvcharge.app import App
from pvcharge.cli.main import innermost
from pvcharge.cli.options import add_config
from pvcharge.clock import FastClock, SystemClock
from pvcharge.concealed import hide_for_good
from pvcharge.config import Config
from pvcharge.reload import Reloader
from pvcharge.secret_files import secrets_in
from pvcharge.service import HangUps, serve
from pvcharge.tasks.notify import Notifier

MAX_SPEED = 3600.0  # of a trial's clock


def shared_clock(text: str) -> tuple[datetime, float, float]:
    """Parse `START,SPEED,SINCE`, such as `2026-06-15T09:00:00+00:00,20,1780000000.5`."""
    try:
        start_text, speed_text, since_text = text.split(",")
        start, speed, since_unix_s = datetime.fromisoformat(start_text), float(speed_text), float(since_text)
        if start.tzinfo is None or not 0 < speed <= MAX_SPEED or not isfinite(since_unix_s):
            raise argparse.ArgumentTypeError(
                f"{text!r}: START needs a time zone, SPEED must be above 0 and at most {MAX_SPEED:g}, "
                "and SINCE must be a time"
            )
        return start.astimezone(UTC), speed, since_unix_s
    except (ValueError, OverflowError):
        raise argparse.ArgumentTypeError(f"{text!r} is not START,SPEED,SINCE") from None


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of `run`."""
    add_config(parser)
    parser.add_argument(
        "--clock",
        type=shared_clock,
        metavar="START,SPEED,SINCE",
        help="for trials with simulated devices: an accelerated clock that was at START (ISO 8601) at SINCE "
        "(Unix time); processes with the same clock agree on the time",
    )


def run(args: argparse.Namespace) -> int:
    """Run until stopped; exit code 0 after a clean stop, 1 after a crash."""
    heap.keep_small()
    os.umask(0o077)  # what is remembered tells when somebody is at home
    hang_ups = HangUps()
    try:
        with hang_ups.kept():
            settings = config.load(args.config)
            log.set_up(settings.log)
            hide_for_good(secrets_in(settings))
            asyncio.run(_serve(settings, args, hang_ups))
    except BaseExceptionGroup as group:
        # The crash itself has been logged with its traceback when it happened.
        print(f"pvcharge: stopped by a fault: {log.scrub(str(innermost(group)))}", file=sys.stderr)
        return 1
    return 0


async def _serve(settings: Config, args: argparse.Namespace, hang_ups: HangUps) -> None:
    clock = FastClock(*args.clock) if args.clock else SystemClock()
    notifier = Notifier()
    app = App(settings, clock, progressed=notifier.progressed)
    await serve(app, notifier, Reloader(args.config, settings, app.reconfigure), hang_ups)
