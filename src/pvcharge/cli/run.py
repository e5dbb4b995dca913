"""`pvcharge run`: the daemon."""

import argparse
import asyncio
import sys

from pvcharge import config, log
from pvcharge.app import App, serve
from pvcharge.cli.options import add_config
from pvcharge.clock import SystemClock
from pvcharge.tasks.notify import Notifier


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of `run`."""
    add_config(parser)


def run(args: argparse.Namespace) -> int:
    """Run until stopped; exit code 0 after a clean stop, 1 after a crash."""
    settings = config.load(args.config)
    log.set_up(settings.log)
    notifier = Notifier()
    app = App(settings, SystemClock(), progressed=notifier.progressed)
    try:
        asyncio.run(serve(app, notifier))
    except BaseExceptionGroup as group:
        # The crash itself has been logged with its traceback when it happened.
        print(f"pvcharge: stopped by a fault: {_innermost(group)}", file=sys.stderr)
        return 1
    return 0


def _innermost(error: BaseException) -> BaseException:
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error
