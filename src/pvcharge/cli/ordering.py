"""What `boost` and `mode` share: sending a command by MQTT and saying what came of it."""

import argparse
import asyncio
import secrets
import sys
from collections.abc import Callable

from pvcharge import config, log
from pvcharge.clock import SystemClock
from pvcharge.config import ConfigError
from pvcharge.log import LogSettings
from pvcharge.mqtt.bus import Bus
from pvcharge.mqtt.connection import Timing
from pvcharge.mqtt.link import Link
from pvcharge.mqtt.order import Order, OrderError
from pvcharge.mqtt.settings import MqttSettings
from pvcharge.mqtt.topics import Namespace

MakeOrder = Callable[[Bus, Namespace], Order]


def carry_out(args: argparse.Namespace, what: str, make_order: MakeOrder) -> int:
    """Send a command to the configured broker; exit code 1 if it is not in force within some seconds.

    Args:
        args: with the configuration file.
        what: the command in words, for the line printed.
        make_order: makes it.

    Raises:
        ConfigError: the configuration is wrong, or names no broker.
    """
    settings = config.load(args.config)
    if settings.mqtt is None:
        raise ConfigError([f"{args.config}: [mqtt] is missing; commands go by way of an MQTT broker"])
    log.set_up(LogSettings(level="error"))
    try:
        answer = asyncio.run(_ask(settings.mqtt, settings.site.name, make_order))
    except OrderError as error:
        print(f"pvcharge: {what}: {error}", file=sys.stderr)
        return 1
    print(f"{what}: done. {answer}".rstrip())
    return 0


def shell_link(settings: MqttSettings, site: str) -> Link:
    """Return a connection for a command of the shell, beside that of the daemon; it does not run yet."""
    # A name of its own, since a broker throws out whoever else has the same; nothing is kept for it there.
    client_id = f"pvcharge-{site}-shell-{secrets.token_hex(4)}"
    return Link(settings, client_id=client_id, will=None, clock=SystemClock(), timing=Timing(session_s=0))


async def _ask(settings: MqttSettings, site: str, make_order: MakeOrder) -> str:
    link = shell_link(settings, site)
    order = make_order(link, Namespace(settings.prefix, site))
    connecting = asyncio.create_task(link.run())
    try:
        return await order.answer()
    except OrderError as error:
        reason = link.health().get("last_error")
        if link.connected or not reason:
            raise
        raise OrderError(f"{error} at {settings.address}: {reason}") from None
    finally:
        connecting.cancel()
        await asyncio.wait([connecting])
