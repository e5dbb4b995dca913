"""`pvcharge version`."""

import argparse

from pvcharge import __version__


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add no options."""
    del parser


def run(args: argparse.Namespace) -> int:
    """Print the version."""
    del args
    print(f"pvcharge {__version__}")
    return 0
