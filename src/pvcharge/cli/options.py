"""Options that several commands share."""

import argparse
import os
from pathlib import Path

LAST_PORT = 65_535
DEFAULT_CONFIG = "/etc/pvcharge/pvcharge.toml"


def add_config(parser: argparse.ArgumentParser) -> None:
    """Add `--config`, whose default is `$PVCHARGE_CONFIG` or the system's file."""
    parser.add_argument(
        "-c",
        "--config",
        type=Path,
        default=Path(os.environ.get("PVCHARGE_CONFIG", DEFAULT_CONFIG)),
        metavar="FILE",
        help="configuration file (default: $PVCHARGE_CONFIG or %(default)s)",
    )


def positive(text: str) -> float:
    """Parse a number above zero."""
    number = float(text)
    if not 0 < number < float("inf"):
        raise argparse.ArgumentTypeError(f"{text}: must be above 0")
    return number


def port(text: str) -> int:
    """Parse the number of a port."""
    number = int(text)
    if not 1 <= number <= LAST_PORT:
        raise argparse.ArgumentTypeError(f"{text}: must be from 1 to {LAST_PORT}")
    return number


def not_negative(text: str) -> float:
    """Parse a number from zero on."""
    number = float(text)
    if not 0 <= number < float("inf"):
        raise argparse.ArgumentTypeError(f"{text}: must be 0 or more")
    return number
