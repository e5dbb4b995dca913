"""What `boost` and `mode` share: sending a command by HTTP or MQTT, and saying what came of it."""

import argparse
import asyncio
import secrets
import sys
from collections.abc import Callable

from pvcharge import config, log
from pvcharge.cli.api import Api, ApiError, NoApiError
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
_ELSEWHERE = (401, 403, 404)  # statuses after which the broker may know better: it has a login of its own


def carry_out(
    args: argparse.Namespace, what: str, path: str, body: dict[str, object], make_order: MakeOrder
) -> int:
    """Send a command to the daemon; exit code 1 if it is not in force within some seconds.

    It goes by the API of the daemon on this machine, and by the broker where there is no such daemon.

    Args:
        args: with the configuration file.
        what: the command in words, for the line printed.
        path: of the command in the API.
        body: of the command there.
        make_order: makes it for the broker.

    Raises:
        ConfigError: the configuration is wrong, or names neither.
    """
    settings = config.load(args.config)
    api, mqtt = Api.of(settings), settings.mqtt
    if api is None and mqtt is None:
        raise ConfigError(
            [f"{args.config}: [web] and [mqtt] are missing; commands go by the page or by a broker"]
        )
    log.set_up(LogSettings(level="error"))
    try:
        site = settings.site.name
        answer = _by_api(api, site, path, body, last=mqtt is None) if api else None
        if answer is None and mqtt is not None:
            answer = asyncio.run(_ask(mqtt, site, make_order))
    except (OrderError, ApiError, NoApiError) as error:
        print(f"pvcharge: {what}: {error}", file=sys.stderr)
        return 1
    print(f"{what}: done. {answer}".rstrip())
    return 0


def _by_api(api: Api, site: str, path: str, body: dict[str, object], *, last: bool) -> str | None:
    """Return why things are as they are when the command is in force.

    Args:
        api: of the daemon.
        site: its name; another one's daemon may listen where ours should.
        path: of the command.
        body: of the command.
        last: whether there is no other way; if there is, None is returned when it should be gone.
    """
    try:
        found = api.ask("GET", "/state")["site"]
        if found != site:
            raise NoApiError(  # noqa: TRY301 - the same as if nobody were there
                f"the daemon at {api.url} is that of the site {found!r}, not of {site!r}; see [web] listen"
            )
        state = api.ask("PUT", path, body)
    except NoApiError:
        if last:
            raise
        return None
    except ApiError as error:
        if last or error.status not in _ELSEWHERE:
            raise
        return None
    return str(state["texts"]["en"]["reason"] or "")


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
