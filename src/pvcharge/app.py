"""The wiring: settings -> tasks and queues. Readable from top to bottom."""

import asyncio
import signal
from collections.abc import Callable, Coroutine
from typing import Any

import structlog

from pvcharge.config import Config
from pvcharge.control import Controller
from pvcharge.drivers.base import Charger, Demand, DriverContext, Inverter
from pvcharge.front import mqtt_tasks
from pvcharge.model import Clock, Lease
from pvcharge.tasks.charger_task import ChargerTask
from pvcharge.tasks.commands_store import CommandsStore
from pvcharge.tasks.control_loop import ControlLoop
from pvcharge.tasks.feed import Feed
from pvcharge.tasks.notify import Notifier
from pvcharge.tasks.poller import Poller
from pvcharge.tasks.queues import Inbox, Latest
from pvcharge.tasks.supervisor import supervise

log = structlog.get_logger(__name__)

STOP_SIGNALS = (signal.SIGTERM, signal.SIGINT)
INBOX_CAPACITY = 1000  # readings and status wait here for the control loop, which never waits for them


class App:
    """One daemon: pollers -> control loop -> charger task, and the feed of all they know.

    Args:
        config: the validated configuration.
        clock: the system's, or an accelerated one.
        progressed: called after each decision, for the watchdog.
    """

    def __init__(
        self, config: Config, clock: Clock, *, progressed: Callable[[], None] = lambda: None
    ) -> None:
        self.config = config
        self.clock = clock
        self.feed = Feed()
        self.inbox: Inbox = asyncio.Queue(INBOX_CAPACITY)
        self._progressed = progressed

    async def run(self) -> None:
        """Run all tasks until cancelled.

        Raises:
            TaskCrashedError: wrapped in a group, when a task crashed too often.
        """
        config, clock, feed = self.config, self.clock, self.feed
        leases: Latest[Lease | None] = Latest(None)
        inverters = make_inverters(config, clock)
        # Until the charger has been heard, nothing is known of a car, and a request is not worth its price.
        demands = [Latest(Demand(car_plugged=False)) for _ in inverters]
        pollers = {
            f"poll {inverter.name}": Poller(inverter, clock, self.inbox, demand, feed).run
            for inverter, demand in zip(inverters, demands, strict=True)
        }
        control_loop = ControlLoop(
            Controller(config.control),
            clock,
            self.inbox,
            leases,
            demands,
            feed,
            lease_s=config.edge.lease_s,
            progressed=self._progressed,
        )
        limits = config.control.setpoint_limits
        charger = ChargerTask(
            make_charger(config, clock), clock, leases, self.inbox, feed, config.edge, limits
        )
        store = CommandsStore(config.state_dir, clock, feed.subscribe(), config.control.current_limits)
        tasks: dict[str, Callable[[], Coroutine[Any, Any, None]]] = {
            **pollers,
            "control loop": control_loop.run,
            "charger": charger.run,
            "commands store": store.run,
        }
        if config.mqtt is not None:
            tasks |= mqtt_tasks(config, config.mqtt, clock, feed, self.inbox)
        for command in await store.restore():  # before anything else is in the inbox
            await self.inbox.put(command)
        await supervise(tasks, clock, feed)


def make_context(config: Config, clock: Clock) -> DriverContext:
    """Return what every driver gets from the daemon."""
    site = config.site
    return DriverContext(clock, config.state_dir, site.latitude, site.longitude, site.zone)


def make_inverters(config: Config, clock: Clock) -> list[Inverter]:
    """Make the configured inverters, in order of trust."""
    context = make_context(config, clock)
    return [device.driver.create(device.settings, context) for device in config.inverters]


def make_charger(config: Config, clock: Clock) -> Charger:
    """Make the configured charger."""
    charger: Charger = config.charger.driver.create(config.charger.settings, make_context(config, clock))
    return charger


async def serve(app: App, notifier: Notifier) -> None:
    """Run a daemon until SIGTERM or SIGINT; a second signal kills it.

    Raises:
        BaseExceptionGroup: a fault ended it.
    """
    loop = asyncio.get_running_loop()
    async with asyncio.TaskGroup() as group:
        daemon = group.create_task(app.run(), name="daemon")

        def stop() -> None:
            for number in STOP_SIGNALS:
                loop.remove_signal_handler(number)
                signal.signal(number, signal.SIG_DFL)
            notifier.stopping()
            log.info("stopping")
            daemon.cancel()

        for number in STOP_SIGNALS:
            loop.add_signal_handler(number, stop)
        notifier.ready(f"running as {app.config.role}")
        log.info("started", role=app.config.role, site=app.config.site.name)
