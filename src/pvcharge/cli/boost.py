"""`pvcharge boost on|off`: full power now."""

import argparse
import re

from pvcharge.cli.main import UsageError
from pvcharge.cli.options import add_config
from pvcharge.cli.ordering import carry_out
from pvcharge.mqtt import topics
from pvcharge.mqtt.order import Order
from pvcharge.mqtt.payloads import MAX_BOOST_MIN

_DURATION = re.compile(r"(?:([0-9]{1,2})h)?(?:([0-9]{1,4})m?)?")


def minutes(text: str) -> int:
    """Parse a duration such as `90`, `90m`, `2h` or `1h30m`; without a unit it is minutes."""
    match = _DURATION.fullmatch(text)
    if match is None or not text:
        raise argparse.ArgumentTypeError(f"{text!r}: write it like 90, 90m, 2h or 1h30m")
    duration_min = 60 * int(match[1] or 0) + int(match[2] or 0)
    if not 0 < duration_min <= MAX_BOOST_MIN:
        raise argparse.ArgumentTypeError(f"{text}: must be from 1m to {MAX_BOOST_MIN // 60}h")
    return duration_min


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of `boost`."""
    parser.add_argument("switch", choices=("on", "off"))
    add_config(parser)
    parser.add_argument(
        "--for",
        dest="duration_min",
        type=minutes,
        metavar="TIME",
        help="end by itself after this time, such as 90, 90m, 2h or 1h30m (default: when switched off)",
    )


def run(args: argparse.Namespace) -> int:
    """Switch and wait for the controller's word; exit code 1 if it does not come."""
    if args.switch == "off" and args.duration_min:
        raise UsageError("boost off: --for goes with boost on")
    payload = str(args.duration_min or args.switch.upper())
    return carry_out(
        args,
        f"boost {args.switch}",
        "/boost",
        {"on": args.switch == "on", "minutes": args.duration_min},
        lambda bus, namespace: Order(bus, namespace, topics.BOOST_SET, payload, boosts=args.switch == "on"),
    )
