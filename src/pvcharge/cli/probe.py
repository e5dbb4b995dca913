"""`pvcharge probe`: what is behind the address of an inverter, and what pvcharge makes of it."""

import argparse
import asyncio
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from pydantic import ValidationError
from rich.console import Console
from rich.table import Table
from rich.text import Text

from pvcharge import config, log
from pvcharge.app import make_context
from pvcharge.cli.main import UsageError
from pvcharge.cli.options import DEFAULT_CONFIG, add_config
from pvcharge.clock import SystemClock
from pvcharge.drivers.base import (
    INVERTERS,
    Driver,
    DriverContext,
    DriverError,
    Survey,
    Surveyor,
    UnknownDriverError,
    find,
)
from pvcharge.model import PowerFlow
from pvcharge.texts import printable
from pvcharge.toml import toml
from pvcharge.words import powers

DRIVER = "solaredge_modbus"  # for an address
PORTS = (1502, 502)  # inverters that are set up by SetApp, and those with a display
PROBE_S = 60.0  # for a chain of slow inverters
UNPRINTABLE = "\N{REPLACEMENT CHARACTER}"
COLUMNS = ("where", "what", "role", "says")


@dataclass(frozen=True, slots=True)
class Place:
    """Something to survey.

    Attributes:
        name: for people.
        driver: who speaks to it.
        settings: the driver's.
        context: for the driver.
        table: what belongs into the configuration; None if it stands there.
    """

    name: str
    driver: Driver
    settings: Any
    context: DriverContext
    table: Mapping[str, Any] | None = None


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of `probe`."""
    parser.add_argument(
        "device",
        metavar="NAME|HOST[:PORT]",
        help="a device of the configuration, or the address of a SolarEdge inverter, which needs none",
    )
    add_config(parser)
    parser.add_argument("--units", metavar="1,2,...", help="Modbus unit ids behind the address (default: 1)")
    output = parser.add_mutually_exclusive_group()
    output.add_argument("--json", action="store_true", help="print all of it as one JSON object")
    output.add_argument(
        "--toml", action="store_true", help="print only the table for the configuration (of an address)"
    )


def run(args: argparse.Namespace) -> int:
    """Survey, reading only; exit code 1 if nobody answers."""
    places = _places(args)
    talk = Console(stderr=True, highlight=False, soft_wrap=True)
    for place in places:
        talk.print(Text(f"asking {_clean(place.name)} ...", "dim"))
        try:
            survey = asyncio.run(_survey(place))
        except DriverError as error:
            talk.print(Text("FAILED ", "red").append(_clean(f"{place.name}: {error}"), "default"))
            continue
        _print(args, place, survey)
        return 0
    talk.print("An inverter accepts few connections at a time: see whether another program has one open.")
    return 1


# --- what is asked ---


def _places(args: argparse.Namespace) -> list[Place]:
    """Return what may be meant, likeliest first."""
    if args.units is not None or _is_address(args):
        log.set_up(log.LogSettings(level="warning"))
        return at_address(args.device, args.units)
    if args.toml:
        raise UsageError("--toml is for an address; a device with a name stands in the configuration")
    settings = config.load(args.config)
    log.set_up(settings.log)
    return [_by_name(settings, args.device)]


def _is_address(args: argparse.Namespace) -> bool:
    """Whether an address is meant; a bare word is one only where there is no configuration with names."""
    named = args.config != Path(DEFAULT_CONFIG) or args.config.exists()
    return not named or args.device == "localhost" or any(mark in args.device for mark in ".:")


def _by_name(settings: config.Config, name: str) -> Place:
    devices = [*settings.inverters, *([settings.charger] if settings.charger else [])]
    for device in devices:
        if device.settings.name == name:
            return Place(name, device.driver, device.settings, make_context(settings, SystemClock()))
    known = ", ".join(device.settings.name for device in devices) or "none"
    raise UsageError(f"no device is called {_clean(name)}; there are: {known}; an address is HOST:PORT")


def at_address(address: str, units: str | None) -> list[Place]:
    """Return what may be meant by an address, likeliest first.

    Args:
        address: HOST or HOST:PORT; without a port both usual ones may be.
        units: ids with commas between them; None for the driver's default.

    Raises:
        UsageError: that is no address, or these are no units.
    """
    host, port = _split(address)
    try:
        driver = find(INVERTERS, DRIVER)
    except UnknownDriverError as error:
        raise UsageError(str(error)) from None
    context = DriverContext(SystemClock(), Path(), latitude_deg=0.0, longitude_deg=0.0, timezone=UTC)
    places = []
    for each in PORTS if port is None else (port,):
        table: dict[str, Any] = {"host": host, "port": each}
        if units is not None:
            table["units"] = [_number(unit, "--units") for unit in units.split(",")]
        try:
            settings = driver.settings.model_validate(table)
        except ValidationError as error:
            problem = error.errors(include_url=False, include_input=False)[0]
            key = problem["loc"][0] if problem["loc"] else "address"
            raise UsageError(f"{key}: {problem['msg'].removeprefix('Value error, ')}") from None
        places.append(Place(f"{host}, port {each}", driver, settings, context, {"driver": DRIVER, **table}))
    return places


def _split(address: str) -> tuple[str, int | None]:
    """Return host and port; an IPv6 address with a port has brackets."""
    host, _, port = address.rpartition(":")
    if address.startswith("["):
        host, _, rest = address[1:].partition("]")
        port = rest.removeprefix(":")
    elif address.count(":") != 1:
        return address, None
    return host, _number(port, "port") if port else None


def _number(text: str, what: str) -> int:
    if not (text.strip().isascii() and text.strip().isdigit()):
        raise UsageError(f"{what}: {_clean(text) or 'nothing'} is no number")
    return int(text)


async def _survey(place: Place) -> Survey:
    device = place.driver.create(place.settings, place.context)
    try:
        if not isinstance(device, Surveyor):
            raise UsageError(
                f"{place.name} ({place.driver.name}) cannot be surveyed, but it can be read once: "
                "pvcharge check --probe"
            )
        async with asyncio.timeout(PROBE_S):
            return await device.survey()
    except TimeoutError:
        raise DriverError(f"no answer within {PROBE_S:.0f} s") from None
    finally:
        await device.aclose()


# --- what is told ---


def _print(args: argparse.Namespace, place: Place, survey: Survey) -> None:
    if args.json:
        print(json.dumps(_document(place, survey)))
    elif args.toml:
        print(_toml(place.table or {}))
    else:
        _print_for_people(place, survey)


def _document(place: Place, survey: Survey) -> dict[str, Any]:
    flow = None
    if survey.flow is not None:
        flow = {
            key: value.isoformat() if isinstance(value, datetime) else value
            for key, value in asdict(survey.flow).items()
        }
    return {
        "device": place.name,
        "findings": [asdict(finding) for finding in survey.findings],
        "flow": flow,
        "residual_w": survey.residual_w,
        "advice": list(survey.advice),
        "table": place.table,
    }


def _print_for_people(place: Place, survey: Survey) -> None:
    console = Console(highlight=False)
    console.print(Text("OK ", "green").append(_clean(f"{place.name} answers"), "default"), soft_wrap=True)
    table = Table(*COLUMNS)
    for finding in survey.findings:
        table.add_row(*(Text(_clean(getattr(finding, column))) for column in COLUMNS))
    console.print(table)
    lines = [("reading", _describe(survey.flow))]
    if survey.residual_w is not None:
        lines.append(("balance", f"pv + grid - load - battery = {survey.residual_w:.0f} W"))
    lines += [("advice", advice) for advice in survey.advice]
    for label, value in lines:
        console.print(Text(f"{label:<9}{_clean(value)}"), soft_wrap=True)
    if place.table is not None:
        console.print(Text(f"\nFor the configuration:\n\n{_toml(place.table)}"), soft_wrap=True)


def _describe(flow: PowerFlow | None) -> str:
    if flow is None:
        return "none that could be used"
    said = powers(flow)
    if flow.battery_soc_pct is not None:
        said.append(f"battery at {flow.battery_soc_pct:.0f} %")
    if flow.limited:
        said.append("production held back")
    return ", ".join(said) or "without any power"


def _toml(table: Mapping[str, Any]) -> str:
    return toml({"inverter": [table]}).strip()


def _clean(text: str) -> str:
    """Return a foreign text without anything that a terminal would obey, such as escape sequences."""
    return printable(text, UNPRINTABLE)
