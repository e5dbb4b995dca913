"""`pvcharge status`: what a running daemon does and why, in the terminal."""

import argparse
import json
import os
import sys
from collections.abc import Iterator
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from pvcharge import config
from pvcharge.cli.api import TOKEN_VARIABLE, Api, ApiError, NoApiError
from pvcharge.cli.options import add_config
from pvcharge.config import ConfigError
from pvcharge.words import duration, kilowatts

WIDTH = 9  # of the names at the beginning of a line
LOCKED = 401  # the status that asks for a token

State = dict[str, Any]  # as the API tells it


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of `status`."""
    add_config(parser)
    parser.add_argument(
        "--url",
        help="of another daemon's page, such as http://pi:8080; its token, if it wants one, in "
        f"${TOKEN_VARIABLE} (default: as [web] says)",
    )
    parser.add_argument("--json", action="store_true", help="print what the API tells, as it is")
    parser.add_argument("--learned", action="store_true", help="print what the controller has learned, too")


def run(args: argparse.Namespace) -> int:
    """Print how things are; exit code 1 if nobody tells."""
    api = _api(args)
    try:
        state = api.ask("GET", "/state")
        learned = api.ask("GET", "/learned")["learned"] if args.learned else None
    except (ApiError, NoApiError) as error:
        print(f"pvcharge: status: {error}{_hint(error)}", file=sys.stderr)
        return 1
    if args.json:
        print(json.dumps(state if learned is None else {**state, "learned": learned}, indent=2))
        return 0
    for line in lines(state):
        print(line)
    if learned is not None:
        print(json.dumps(learned, indent=2))
    return 0


def _api(args: argparse.Namespace) -> Api:
    if args.url:
        return Api(args.url.rstrip("/"), os.environ.get(TOKEN_VARIABLE))
    api = Api.of(config.load(args.config))
    if api is None:
        raise ConfigError([f"{args.config}: [web] is missing; the daemon is asked by way of its page"])
    return api


def _hint(error: Exception) -> str:
    if not isinstance(error, ApiError) or error.status != LOCKED:
        return ""
    return f"; run this as the daemon's user or root, or put a token into ${TOKEN_VARIABLE}"


def lines(state: State) -> Iterator[str]:
    """Yield the state in words, line by line."""
    at = datetime.fromisoformat(state["at"]).astimezone(ZoneInfo(state["timezone"]))
    yield f"{state['site']}, {state['role']}, pvcharge {state['version']}, at {at:%Y-%m-%d %H:%M:%S}"
    texts = state["texts"]["en"]
    yield from (text for text in (texts["reason"], texts["source"]) if text)
    for name, told in _values(state):
        yield f"{name:<{WIDTH}} {told}"
    for device in state["devices"]:
        yield f"{device['name']:<{WIDTH}} {_health(device)}"


def _values(state: State) -> Iterator[tuple[str, str]]:
    values = state["values"]
    if values["mode"] is not None:
        yield "mode", f"{values['mode']}{_until(state)}"
    yield "PV", kilowatts(values["pv_w"])
    yield "house", kilowatts(values["load_w"])
    yield "grid", _signed(values["grid_w"], "bought", "sold")
    if values["battery_w"] is not None or values["battery_soc_pct"] is not None:
        soc_pct = values["battery_soc_pct"]
        charge = "" if soc_pct is None else f", {soc_pct:.0f} %"
        yield "battery", f"{_signed(values['battery_w'], 'charging', 'discharging')}{charge}"
    yield "charger", _charger(values)
    session = state["session"]
    if session is not None:
        share = session["solar_share"]
        solar = "" if share is None else f", {share:.0%} of it solar"
        yield "session", f"{session['energy_kwh']:.1f} kWh{solar}"


def _until(state: State) -> str:
    ends = state["values"]["boost_until"]
    if ends is None:
        return ""
    return f" until {datetime.fromisoformat(ends).astimezone(ZoneInfo(state['timezone'])):%H:%M:%S}"


def _signed(power_w: float | None, positive: str, negative: str) -> str:
    if not power_w:
        return kilowatts(power_w)
    return f"{kilowatts(abs(power_w))} {positive if power_w > 0 else negative}"


def _charger(values: State) -> str:
    told = kilowatts(values["charger_power_w"])
    return told if values["charger_state"] is None else f"{told}, {values['charger_state']}"


def _health(device: dict[str, Any]) -> str:
    age = "" if device["age_s"] is None else f", heard {duration(device['age_s'])} ago"
    return f"works{age}" if device["ok"] else f"fails{age}: {device['error']}"
