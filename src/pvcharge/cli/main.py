"""The `pvcharge` command: one file a subcommand, one exit code a kind of failure."""

import argparse
import os
import sys
from collections.abc import Sequence
from importlib import import_module
from traceback import format_exception
from types import TracebackType

from pvcharge import __version__
from pvcharge.config import ConfigError
from pvcharge.log import scrub

# As the shell, systemd and sysexits(3) know them.
OK, CRASH, USAGE, CONFIG, INTERRUPTED = 0, 1, 2, 78, 130

# Imported only when used, so that an edge never loads the simulators.
COMMANDS = {
    "run": "run the daemon",
    "check": "validate a configuration, and with --probe its devices",
    "probe": "show what is behind the address of an inverter, and what pvcharge makes of it",
    "status": "show what a running daemon does, and why",
    "boost": "charge with full power now, for a time or until told otherwise",
    "mode": "choose how to charge",
    "demo": "watch it work: simulated devices, real drivers, accelerated time; needs no hardware",
    "simulate": "run the controller over recorded days in virtual time and show what it would have done",
    "replay": "run what was recorded through the controller again, as it was or with other settings",
    "export": "write what was recorded as CSV or JSON",
    "login": "give pvcharge access to a cloud account",
    "password": "make the hash of a password for the page",
    "version": "print the version",
}


class UsageError(Exception):
    """The command line asks for something impossible; the message says what would be possible."""


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line and return the exit code."""
    if argv is None:
        sys.excepthook = _tell_crash
    arguments = sys.argv[1:] if argv is None else list(argv)
    try:
        args = _parse(arguments)
        code = int(args.run(args))
        print(end="", flush=True)  # here, where a broken pipe can still be caught
    except ConfigError as error:
        for problem in error.problems:
            print(problem, file=sys.stderr)
        return CONFIG
    except UsageError as error:
        print(f"pvcharge: {error}", file=sys.stderr)
        return USAGE
    except KeyboardInterrupt:
        return INTERRUPTED
    except BrokenPipeError:
        # The reader of our output, such as `head`, has gone: what is left for it goes nowhere.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return OK
    return code


def innermost(error: BaseException) -> BaseException:
    """Return the first fault within groups of them."""
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error


def _tell_crash(kind: type[BaseException], error: BaseException, where: TracebackType | None) -> None:
    """Print what nobody has foreseen, as Python would, but for secrets: a library's error may hold a URL."""
    print(scrub("".join(format_exception(kind, error, where))), end="", file=sys.stderr)


def _parse(arguments: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="pvcharge", description="Charges an electric car with surplus photovoltaic power."
    )
    parser.add_argument("--version", action="version", version=f"pvcharge {__version__}")
    subparsers = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    # No option before the command takes a value, so the first word is the command.
    chosen = next((argument for argument in arguments if not argument.startswith("-")), None)
    for name, summary in COMMANDS.items():
        subparser = subparsers.add_parser(
            name, help=summary, description=f"{summary[0].upper()}{summary[1:]}."
        )
        if name == chosen:
            module = import_module(f"pvcharge.cli.{name}")
            module.add_arguments(subparser)
            subparser.set_defaults(run=module.run)
    return parser.parse_args(arguments)
