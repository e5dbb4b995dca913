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
from pvcharge.cli.learned import learned_lines
from pvcharge.cli.main import UsageError
from pvcharge.cli.options import add_config
from pvcharge.config import ConfigError
from pvcharge.texts import printable
from pvcharge.words import duration, kilowatts, text

WIDTH, MOST_WIDTH = 9, 30  # of the names at the beginning of a line
LOCKED, MISSING = 401, 404  # statuses that ask for a token, and that say there is nothing

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
    learned = parser.add_mutually_exclusive_group()
    learned.add_argument("--learned", action="store_true", help="print what the controller has learned, too")
    learned.add_argument(
        "--forget", action="store_true", help="have the controller forget that, which is asked before"
    )
    parser.add_argument("--yes", action="store_true", help="with --forget: do not ask")


def run(args: argparse.Namespace) -> int:
    """Print how things are, or have what was learned forgotten; exit code 1 if the daemon does not answer."""
    if args.yes and not args.forget:
        raise UsageError("status: --yes goes with --forget")
    api = _api(args)
    try:
        return _forget(api, args) if args.forget else _show(api, args)
    except ApiError as error:
        print(f"pvcharge: status: {error}{_hint(error, api, by_url=bool(args.url))}", file=sys.stderr)
    except NoApiError as error:
        print(f"pvcharge: status: {error}", file=sys.stderr)
    return 1


def _show(api: Api, args: argparse.Namespace) -> int:
    state = api.ask("GET", "/state")
    learned = api.ask("GET", "/learned")["learned"] if args.learned else None
    if args.json:
        print(json.dumps(state if learned is None else {**state, "learned": learned}, indent=2))
        return 0
    try:
        told = [*lines(state), *(learned_lines(learned, _zone(state)) if learned is not None else ())]
    except (KeyError, TypeError, ValueError):
        raise NoApiError(f"{api.url} answers something else than this version of pvcharge does") from None
    for line in told:
        # Names and errors come from afar, and shall not steer the terminal.
        print(printable(line))
    return 0


def _forget(api: Api, args: argparse.Namespace) -> int:
    api.ask("GET", "/learned")  # else a question would be asked that has no answer
    if not args.yes and not _is_sure():
        print("Nothing was forgotten.", file=sys.stderr)
        return 1
    document = api.ask("DELETE", "/learned")
    print(json.dumps(document, indent=2) if args.json else text("page.learned.forgotten"))
    return 0


def _is_sure() -> bool:
    if not sys.stdin.isatty():
        raise UsageError("status --forget: say --yes where nobody can be asked")
    # On stderr, so that it is seen where the output goes into a file.
    print(f"{text('page.learned.forget.title')} {text('page.learned.forget.text')}", file=sys.stderr)
    print("[y/N] ", end="", file=sys.stderr, flush=True)
    return sys.stdin.readline().strip().lower() in ("y", "yes")


def _api(args: argparse.Namespace) -> Api:
    if args.url:
        return Api.at(args.url)
    api = Api.of(config.load(args.config))
    if api is None:
        raise ConfigError([f"{args.config}: [web] is missing; the daemon is asked by way of its page"])
    return api


def _hint(error: ApiError, api: Api, *, by_url: bool) -> str:
    """Return what to do about an error."""
    if error.status == MISSING and error.path == "/state":
        return f"; is {api.url} the whole address of the page, with base_path?"
    if error.status != LOCKED:
        return ""
    if os.environ.get(TOKEN_VARIABLE):
        return f"; the daemon does not know the token in ${TOKEN_VARIABLE}, make one on its page"
    if by_url:
        return f"; put a token, made on its page, into ${TOKEN_VARIABLE}"
    return f"; run this as the daemon's user or root, or put a token into ${TOKEN_VARIABLE}"


def lines(state: State) -> Iterator[str]:
    """Yield the state in words, line by line."""
    at = datetime.fromisoformat(state["at"]).astimezone(_zone(state))
    yield f"{state['site']}, {state['role']}, pvcharge {state['version']}, at {at:%Y-%m-%d %H:%M:%S}"
    texts = state["texts"]["en"]
    yield from (text for text in (texts["reason"], texts["source"]) if text)
    rows = [*_values(state), *((device["name"], _health(device)) for device in state["devices"])]
    # A name that is longer still moves only what stands beside it.
    width = min(max(WIDTH, *(len(name) for name, _ in rows)), MOST_WIDTH)
    for name, told in rows:
        yield f"{name:<{width}} {told}"


def _zone(state: State) -> ZoneInfo:
    return ZoneInfo(state["timezone"])


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
    return f" until {datetime.fromisoformat(ends).astimezone(_zone(state)):%H:%M:%S}"


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
