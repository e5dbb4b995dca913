"""`pvcharge mode NAME`: how to charge from now on."""

import argparse

from pvcharge.cli.options import add_config
from pvcharge.cli.ordering import carry_out
from pvcharge.model import Mode
from pvcharge.mqtt import topics
from pvcharge.mqtt.order import Order


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of `mode`."""
    parser.add_argument("name", choices=[mode.value for mode in Mode])
    add_config(parser)


def run(args: argparse.Namespace) -> int:
    """Set the mode and wait for the controller's word; exit code 1 if it does not come."""
    mode = Mode(args.name)
    return carry_out(
        args,
        f"mode {mode.value}",
        "/mode",
        {"mode": mode.value},
        lambda bus, namespace: Order(bus, namespace, topics.MODE_SET, mode.value, mode=mode),
    )
