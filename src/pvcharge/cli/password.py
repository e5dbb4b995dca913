"""`pvcharge password`: make of a password what `password_file` in `[web]` should hold."""

import argparse
import sys
from getpass import getpass

from pvcharge.cli.main import UsageError
from pvcharge.web.settings import LONGEST_PASSWORD, SHORTEST_PASSWORD


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Say more about `password`, which has no arguments."""
    parser.epilog = (
        "Asks twice, without showing it; reads one line where there is no terminal. Put what is printed into "
        "the file that password_file in [web] names, and run chmod 600 on it."
    )


def run(_args: argparse.Namespace) -> int:
    """Print the hash of a password."""
    from pvcharge.web.access.passwords import make_hash  # noqa: PLC0415 - slow to load

    password = _asked() if sys.stdin.isatty() else sys.stdin.readline().strip()
    if not SHORTEST_PASSWORD <= len(password) <= LONGEST_PASSWORD:
        raise UsageError(f"a password has {SHORTEST_PASSWORD} to {LONGEST_PASSWORD} characters")
    print(make_hash(password))
    return 0


def _asked() -> str:
    try:
        password = getpass("Password: ").strip()
        again = getpass("Once more: ").strip()
    except EOFError:
        raise UsageError("no password was typed") from None
    if password != again:
        raise UsageError("the two differ; nothing was made")
    return password
