"""The `pvcharge` command: one file a subcommand, one exit code a kind of failure."""

import argparse
import sys
from collections.abc import Sequence
from importlib import import_module

from pvcharge import __version__
from pvcharge.config import ConfigError

OK, CRASH, USAGE, CONFIG = 0, 1, 2, 78  # as systemd and sysexits(3) know them

# Imported only when used, so that an edge never loads the simulators.
COMMANDS = {
    "run": "run the daemon",
    "check": "validate a configuration, and with --probe its devices",
    "demo": "watch it work: simulated devices, real drivers, accelerated time; needs no hardware",
    "simulate": "run the controller over recorded days in virtual time and show what it would have done",
    "login": "give pvcharge access to a cloud account",
    "version": "print the version",
}


class UsageError(Exception):
    """The command line asks for something impossible; the message says what would be possible."""


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line and return the exit code."""
    arguments = sys.argv[1:] if argv is None else list(argv)
    try:
        args = _parse(arguments)
        return int(args.run(args))
    except ConfigError as error:
        for problem in error.problems:
            print(problem, file=sys.stderr)
        return CONFIG
    except UsageError as error:
        print(f"pvcharge: {error}", file=sys.stderr)
        return USAGE
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:
        # The reader of our output, such as `head`, has gone: nothing is left to say, not even at exit.
        sys.stderr.close()
        return OK


def _parse(arguments: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="pvcharge", description="Charges an electric car with surplus photovoltaic power."
    )
    parser.add_argument("--version", action="version", version=f"pvcharge {__version__}")
    subparsers = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    chosen = next((argument for argument in arguments if not argument.startswith("-")), None)
    for name, help_text in COMMANDS.items():
        subparser = subparsers.add_parser(name, help=help_text, description=help_text)
        if name == chosen:
            module = import_module(f"pvcharge.cli.{name}")
            module.add_arguments(subparser)
            subparser.set_defaults(run=module.run)
    return parser.parse_args(arguments)
