"""The wiring: role -> tasks and queues. Readable from top to bottom."""

import asyncio
import signal
from collections.abc import Callable, Iterable

import structlog

from pvcharge.config import Config
from pvcharge.control import Controller
from pvcharge.drivers.base import Charger, Demand, DriverContext, Inverter
from pvcharge.front import front_tasks
from pvcharge.model import Clock, Lease
from pvcharge.mqtt.bridge import EdgeBridge
from pvcharge.mqtt.edge_boost import EdgeBoost
from pvcharge.mqtt.flows import FlowListener
from pvcharge.mqtt.line import Connect, Line
from pvcharge.mqtt.link import Link
from pvcharge.mqtt.orders import OrdersListener, OrdersPublisher
from pvcharge.mqtt.remote import RemoteCharger
from pvcharge.tasks.charger_task import ChargerTask, OnSilence
from pvcharge.tasks.commands_store import CommandsStore
from pvcharge.tasks.control_loop import ControlLoop
from pvcharge.tasks.feed import Feed
from pvcharge.tasks.notify import Notifier
from pvcharge.tasks.orders_store import OrdersStore
from pvcharge.tasks.poller import Poller
from pvcharge.tasks.queues import Inbox, Latest
from pvcharge.tasks.relay import Relay
from pvcharge.tasks.stand_in import StandIn
from pvcharge.tasks.supervisor import Run, Tasks, supervise

log = structlog.get_logger(__name__)

STOP_SIGNALS = (signal.SIGTERM, signal.SIGINT)
INBOX_CAPACITY = 1000  # readings and status wait here for the control loop, which never waits for them
OWN_AFTER_EDGE = 100  # ranks that are left to the inverters at the edge, which know the house first-hand


class App:
    """One daemon: as a controller pollers -> control loop -> charger task, as an edge charger task -> broker.

    Args:
        config: the validated configuration.
        clock: the system's, or an accelerated one.
        progressed: called after each decision, for the watchdog.
        connect: makes the link to the broker.
    """

    def __init__(
        self,
        config: Config,
        clock: Clock,
        *,
        progressed: Callable[[], None] = lambda: None,
        connect: Connect = Link,
    ) -> None:
        self.config = config
        self.clock = clock
        self.feed = Feed()
        self.inbox: Inbox = asyncio.Queue(INBOX_CAPACITY)
        self._progressed = progressed
        self._connect = connect
        self._leases: Latest[Lease | None] = Latest(None)

    async def run(self) -> None:
        """Run all tasks until cancelled.

        Raises:
            TaskCrashedError: wrapped in a group, when a task crashed too often.
        """
        tasks = await (self._edge() if self.config.role == "edge" else self._controller())
        if self.config.web is not None:
            from pvcharge.page import page_tasks  # noqa: PLC0415 - who shows nothing shall not load it

            tasks |= page_tasks(self.config, self.config.web, self.clock, self.feed)
        await supervise(tasks, self.clock, self.feed)

    async def _controller(self) -> Tasks:
        """Wire up a controller, which carries out first what the user had commanded before the last stop."""
        from pvcharge.remember import remember_tasks  # noqa: PLC0415 - an edge shall not load it

        config, clock, feed = self.config, self.clock, self.feed
        line = self._line() if config.mqtt else None
        charger = self._charger(line)
        pollers, demands = self._pollers()
        control_loop = ControlLoop(
            Controller(config.control),
            clock,
            self.inbox,
            self._leases,
            demands,
            feed,
            lease_s=config.edge.lease_s,
            progressed=self._progressed,
        )
        store = CommandsStore(config.state_dir, clock, feed.subscribe(), config.control.current_limits)
        tasks: Tasks = {
            **_polls(pollers),
            "control loop": control_loop.run,
            "charger": self._charger_task(charger).run,
            "commands store": store.run,
            **remember_tasks(config, clock, feed, pollers, charger.name),
        }
        if line:
            tasks |= self._front(line, charger.name)
        for command in await store.restore():  # before anything else is in the inbox
            await self.inbox.put(command)
        return tasks

    def _front(self, line: Line, charger_name: str) -> Tasks:
        """Join a controller to its broker: what it shows and hears there and, in the cloud, its edge."""
        if self.config.role == "standalone":
            front = front_tasks(self.config, line, self.clock, self.feed, charger_name, self.inbox.put)
            return {**front, **line.tasks()}
        FlowListener(line.link, line.heartbeat, line.namespace, self.clock, self.inbox.put)
        edge_boost = EdgeBoost(line.link, line.heartbeat, line.namespace, self.clock, self.inbox.put)
        line.on_change.append(edge_boost.note_edge)
        control = self.config.control
        orders = OrdersPublisher(
            line.link,
            line.namespace,
            self.clock,
            control.model_dump(mode="json"),
            control.mode,
            control.current_limits,
            self.feed.subscribe(),
        )
        line.on_change.append(orders.note_edge)
        front = front_tasks(self.config, line, self.clock, self.feed, charger_name, edge_boost.pass_on)
        return {**front, "edge boost": edge_boost.run, "orders": orders.run, **line.tasks()}

    async def _edge(self) -> Tasks:
        """Wire up an edge: the charger does what the cloud leases, and all that the devices say goes up."""
        config, clock = self.config, self.clock
        line = self._line()
        stand_in = self._stand_in(line) if config.edge.on_silence is OnSilence.LOCAL else None
        bridge = EdgeBridge(
            line.link,
            line.heartbeat,
            line.namespace,
            clock,
            put_lease=stand_in.take_lease if stand_in else self._leases.put,
            limits=config.control.setpoint_limits,
            lease_s=config.edge.lease_s,
            boost_ends_on_unplug=config.control.boost_ends_on_unplug,
        )
        pollers, demands = self._pollers()
        watch = stand_in.observe if stand_in else None
        relay = Relay(bridge, clock, self.inbox, demands, self._progressed, watch)
        tasks: Tasks = {
            **_polls(pollers),
            "charger": self._charger_task(make_charger(config, clock)).run,
            "relay": relay.run,
            "bridge": bridge.run,
        }
        if stand_in:
            bridge.on_boost.append(stand_in.boost)
            tasks |= {"stand-in": stand_in.run, "orders": await self._orders(line, stand_in)}
        return {**tasks, **line.tasks()}

    def _stand_in(self, line: Line) -> StandIn:
        """Return the controller that leads while the cloud is silent."""
        config = self.config
        return StandIn(
            config.control,
            self.clock,
            self._leases,
            self.feed,
            lease_s=config.edge.lease_s,
            heard=lambda: line.heartbeat.alive,
        )

    async def _orders(self, line: Line, stand_in: StandIn) -> Run:
        """Have the stand-in obey what the cloud wants, first of all what it wanted before the last stop."""
        store = OrdersStore(self.config.state_dir, self.clock, stand_in.obey)
        await store.restore()
        listener = OrdersListener(line.link, line.heartbeat, line.namespace, self.clock, store.take)
        line.on_change.append(listener.note_cloud)
        return listener.run

    def _line(self) -> Line:
        config = self.config
        if config.mqtt is None:
            raise ValueError(f"role {config.role} without [mqtt]")
        return Line(config.mqtt, config.role, config.site.name, self.clock, self.feed.publish, self._connect)

    def _charger(self, line: Line | None) -> Charger:
        """Return the charger of the house, which the cloud has at the far end of its line."""
        if line is not None and self.config.role == "cloud":
            return RemoteCharger(line.link, line.heartbeat, line.namespace, self.clock)
        return make_charger(self.config, self.clock)

    def _charger_task(self, charger: Charger) -> ChargerTask:
        edge, limits = self.config.edge, self.config.control.setpoint_limits
        return ChargerTask(charger, self.clock, self._leases, self.inbox, self.feed, edge, limits)

    def _pollers(self) -> tuple[list[Poller], list[Latest[Demand]]]:
        """Return the pollers of the inverters in order of trust, and their mailboxes."""
        inverters = make_inverters(self.config, self.clock)
        # Until the charger has been heard, nothing is known of a car, and a request is not worth its price.
        demands = [Latest(Demand(car_plugged=False)) for _ in inverters]
        first = OWN_AFTER_EDGE if self.config.role == "cloud" else 0
        pollers = [
            Poller(inverter, self.clock, self.inbox, demand, self.feed, rank)
            for rank, (inverter, demand) in enumerate(zip(inverters, demands, strict=True), first)
        ]
        return pollers, demands


def _polls(pollers: Iterable[Poller]) -> Tasks:
    return {f"poll {poller.name}": poller.run for poller in pollers}


def make_context(config: Config, clock: Clock) -> DriverContext:
    """Return what every driver gets from the daemon."""
    site = config.site
    return DriverContext(clock, config.state_dir, site.latitude, site.longitude, site.zone)


def make_inverters(config: Config, clock: Clock) -> list[Inverter]:
    """Make the configured inverters, in order of trust."""
    context = make_context(config, clock)
    return [device.driver.create(device.settings, context) for device in config.inverters]


def make_charger(config: Config, clock: Clock) -> Charger:
    """Make the configured charger; a cloud has none of its own.

    Raises:
        ValueError: there is none.
    """
    if config.charger is None:
        raise ValueError(f"role {config.role} has no charger of its own")
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
