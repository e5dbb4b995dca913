"""`pvcharge check`: is the configuration right, and with `--probe`: do its devices answer?"""

import argparse
import asyncio
from collections.abc import Awaitable

from rich.console import Console
from rich.markup import escape

from pvcharge import config, log
from pvcharge.app import make_charger, make_inverters
from pvcharge.cli.options import add_config
from pvcharge.cli.ordering import shell_link
from pvcharge.clock import SystemClock
from pvcharge.drivers.base import Charger, DriverError, Inverter, TransientError
from pvcharge.model import ChargerStatus, PowerFlow
from pvcharge.mqtt import topics
from pvcharge.mqtt.bus import Message
from pvcharge.mqtt.settings import MqttSettings
from pvcharge.mqtt.topics import Namespace
from pvcharge.words import STATES, level, powers

PROBE_S = 90.0  # a slow Wattpilot Flex needs a minute to log in
LOOK_S = 0.05
RETAINED_S = 1.0  # in which a broker that has let us in brings what is retained
_SHOWN = 20  # bytes of a foreign payload


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of `check`."""
    add_config(parser)
    parser.add_argument(
        "--probe",
        action="store_true",
        help="read each device once, and log in to the broker; nothing is written to any of them",
    )


def run(args: argparse.Namespace) -> int:
    """Validate; exit code 78 for a bad configuration, 1 if a device or the broker does not answer."""
    settings = config.load(args.config)
    log.set_up(settings.log)
    console = Console(highlight=False, soft_wrap=True)
    console.print(f"[green]OK[/] {escape(str(args.config))}")
    for label, value in _describe(settings).items():
        console.print(f"  {label:<12}{escape(value)}")
    return asyncio.run(_probe(settings, console)) if args.probe else 0


def _describe(settings: config.Config) -> dict[str, str]:
    control = settings.control
    phases = "1 phase" if control.phases == (1,) else f"{' or '.join(map(str, control.phases))} phases"
    charger = _device(settings.charger) if settings.charger else "at the edge"
    described = {
        "site": f"{settings.site.name}, role {settings.role}",
        "inverters": ", ".join(map(_device, settings.inverters)) or "none here",
        "charger": f"{charger}, {control.min_current_a} to {control.max_current_a} A on {phases}",
        "objective": control.objective.value,
        "state": str(settings.state_dir),
    }
    if settings.mqtt is not None:
        user = f" as {settings.mqtt.username}" if settings.mqtt.username else ""
        described["broker"] = f"{settings.mqtt.address}{user}, TLS {'on' if settings.mqtt.tls else 'off'}"
    return described


def _device(device: config.Device) -> str:
    return f"{device.settings.name} ({device.driver.name})"


async def _probe(settings: config.Config, console: Console) -> int:
    """Ask all devices at once, print the answers in their order, and return the exit code."""
    clock = SystemClock()
    probes = {
        inverter.name: asyncio.ensure_future(_ask(_read(inverter)))
        for inverter in make_inverters(settings, clock)
    }
    if settings.charger is not None:
        charger = make_charger(settings, clock)
        probes[charger.name] = asyncio.ensure_future(_ask(_listen(charger)))
    if settings.mqtt is not None:
        probes["broker"] = asyncio.ensure_future(_ask(_meet(settings.mqtt, settings.site.name)))
    console.print(f"asking {escape(', '.join(probes))} ...", style="dim")
    failures = 0
    for name, probe in probes.items():
        answered, text = await probe
        failures += not answered
        colour = "green" if answered else "red"
        console.print(f"[{colour}]{'OK' if answered else 'FAILED'}[/] {escape(f'{name}: {text}')}")
    return 1 if failures else 0


async def _ask(probe: Awaitable[str]) -> tuple[bool, str]:
    """Return whether a device answered, and its answer or its error."""
    try:
        async with asyncio.timeout(PROBE_S):
            return True, await probe
    except DriverError as error:
        return False, str(error)
    except TimeoutError:
        return False, f"no answer within {PROBE_S:.0f} s"


async def _read(inverter: Inverter) -> str:
    try:
        flows = await inverter.read()
        return _describe_flow(flows[-1]) if flows else "answers, but has no finished reading yet"
    finally:
        await inverter.aclose()


async def _listen(charger: Charger) -> str:
    try:
        await charger.open()
        return _describe_status(await charger.next_status())
    finally:
        await charger.aclose()


async def _meet(mqtt: MqttSettings, site: str) -> str:
    """Connect to the broker, and return who is there.

    Raises:
        TransientError: it does not let us in.
    """
    link, namespace = shell_link(mqtt, site), Namespace(mqtt.prefix, site)
    told: dict[str, str] = {}

    async def hear(message: Message) -> None:
        told[message.topic] = ascii(message.payload[:_SHOWN].decode(errors="replace")).strip("'")

    sides = {"edge": namespace.path(topics.EDGE_STATUS), "cloud": namespace.path(topics.CLOUD_STATUS)}
    for topic in sides.values():
        link.listen(topic, hear)
    connecting = asyncio.create_task(link.run())
    try:
        while not link.connected:
            if reason := link.health().get("last_error"):
                raise TransientError(f"no connection to {mqtt.address}: {reason}")
            await asyncio.sleep(LOOK_S)
        await asyncio.sleep(RETAINED_S)
    finally:
        connecting.cancel()
        await asyncio.wait([connecting])
    seen = [f"{side} {told.get(topic, 'never seen')}" for side, topic in sides.items()]
    return f"lets us in; {', '.join(seen)}"


def _describe_flow(flow: PowerFlow) -> str:
    said = ", ".join(powers(flow))
    when = f"{flow.end.astimezone():%H:%M:%S}"
    return f"{said} ({f'mean of {flow.span_s / 60:.0f} min until' if flow.span_s else 'at'} {when})"


def _describe_status(status: ChargerStatus) -> str:
    parts = [STATES[status.state], f"{status.power_w:.0f} W", f"set to {level(status.setpoint)}"]
    if status.max_current_a is not None:
        parts.append(f"allows up to {status.max_current_a} A")
    return ", ".join(parts) + (f", fault: {status.fault}" if status.fault else "")
