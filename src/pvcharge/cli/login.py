"""`pvcharge login solaredge`: give pvcharge access to the site, once."""

import argparse
import asyncio
import sys

from pvcharge import config, log
from pvcharge.app import make_context
from pvcharge.cli.main import UsageError
from pvcharge.cli.options import add_config
from pvcharge.clock import SystemClock
from pvcharge.config import Device
from pvcharge.drivers.base import DriverError


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of `login`."""
    parser.add_argument("service", choices=("solaredge",), help="the cloud to log in to")
    add_config(parser)
    parser.add_argument("--device", metavar="NAME", help="which [[inverter]], where there are several")
    parser.add_argument(
        "--code", help="the code or whole address you were sent to, as --code=CODE (default: ask)"
    )


def run(args: argparse.Namespace) -> int:
    """Print the address to open, take the answer, store the tokens; exit code 1 if SolarEdge refuses."""
    from pvcharge.drivers.solaredge import authorize_url, exchange  # noqa: PLC0415 - one of many drivers

    settings = config.load(args.config)
    log.set_up(settings.log)
    device = _choose(settings, args.device)
    if not device.settings.uses_oauth:
        raise UsageError(f"{device.settings.name} is read with an api_key and needs no login")
    if args.code is None:
        print("Open this address in a browser and allow the access:\n")
        print(f"  {authorize_url(device.settings)}\n")
        print("Then paste here the address you are sent to, or the code in it: ", end="", flush=True)
    pasted = args.code if args.code is not None else sys.stdin.readline()
    try:
        asyncio.run(exchange(device.settings, make_context(settings, SystemClock()), pasted))
    except DriverError as error:
        print(f"pvcharge: {error}", file=sys.stderr)
        return 1
    print(f"pvcharge has access to site {device.settings.site_id}; the tokens are in {settings.state_dir}")
    return 0


def _choose(settings: config.Config, name: str | None) -> Device:
    devices = [device for device in settings.inverters if device.driver.name == "solaredge"]
    if name is not None:
        devices = [device for device in devices if device.settings.name == name]
    if len(devices) == 1:
        return devices[0]
    if devices:
        raise UsageError(f"--device: one of {', '.join(device.settings.name for device in devices)}")
    raise UsageError(f'no [[inverter]] with driver = "solaredge"{f" is called {name}" if name else ""}')
