"""The wiring: role -> tasks and queues. Readable from top to bottom."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import replace

from pvcharge.config import Config
from pvcharge.control import Controller, ControlSettings
from pvcharge.drivers.base import Charger, Demand, DriverContext, Inverter
from pvcharge.front import front_tasks
from pvcharge.model import ChargerStatus, Clock, Lease, PowerFlow, SettingsCommand
from pvcharge.mqtt.bridge import EdgeBridge
from pvcharge.mqtt.commands import Command
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
from pvcharge.tasks.hand_store import HandStore
from pvcharge.tasks.learned_store import LearnedStore
from pvcharge.tasks.orders_store import OrdersStore
from pvcharge.tasks.poller import Poller
from pvcharge.tasks.queues import Inbox, Latest
from pvcharge.tasks.relay import Relay
from pvcharge.tasks.settings_store import SettingsStore
from pvcharge.tasks.stand_in import StandIn
from pvcharge.tasks.supervisor import Run, Tasks, supervise
from pvcharge.tasks.wear import WearLimits

OnCommand = Callable[[Command], Awaitable[None]]

INBOX_CAPACITY = 1000  # readings and status wait here for the control loop, which never waits for them
OWN_AFTER_EDGE = 100  # ranks that are left to the inverters at the edge, which know the house first-hand


class App:
    """One daemon: as a controller pollers -> control loop -> charger task, as an edge charger task -> broker.

    Args:
        config: the validated configuration.
        clock: the system's, or an accelerated one.
        progressed: called after each decision, or each turn of an edge, for the watchdog.
        connect: makes the link to the broker.

    Attributes:
        started: set when all tasks run.
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
        self.started = asyncio.Event()
        self._progressed = progressed
        self._connect = connect
        self._leases: Latest[Lease | None] = Latest(None)
        self._settings: SettingsStore | None = None  # of a controller that runs

    async def run(self) -> None:
        """Run all tasks until cancelled.

        Raises:
            TaskCrashedError: wrapped in a group, when a task crashed too often.
        """
        tasks = await (self._edge() if self.config.role == "edge" else self._controller())
        await supervise(tasks, self.clock, self.feed, self.started.set)

    async def reconfigure(self, control: ControlSettings) -> None:
        """Have the controller go on by another `[control]`, over which the user's changes lie as before.

        Raises:
            ValueError: there is no controller, or not yet.
        """
        if self._settings is None:
            raise ValueError(f"role {self.config.role} has no controller that could change its settings")
        in_force = await self._settings.reconfigure(control)
        await self.inbox.put(SettingsCommand(in_force.model_dump_json()))

    async def _controller(self) -> Tasks:
        """Wire up a controller, which carries out first what the user had commanded before the last stop."""
        from pvcharge.remember import remember_tasks  # noqa: PLC0415 - an edge shall not load it

        self._settings = settings = await self._restore_settings()
        config, clock, feed = self.config, self.clock, self.feed
        controller = Controller(config.control)
        learned = LearnedStore(config.state_dir, clock, controller, feed.subscribe())
        await learned.restore()
        line = self._line() if config.mqtt else None
        charger = self._charger(line)
        charger_task, hand = await self._charger_task(charger)
        pollers, demands = self._pollers()
        control_loop = ControlLoop(
            controller,
            clock,
            self.inbox,
            self._leases,
            demands,
            feed,
            lease_s=config.edge.lease_s,
            progressed=self._progress_with(charger_task),
        )
        store = CommandsStore(config.state_dir, clock, feed.subscribe(), config.control.current_limits)
        tasks: Tasks = {
            **_polls(pollers),
            "control loop": control_loop.run,
            "charger": charger_task.run,
            **hand,
            "commands store": store.run,
            "settings store": settings.run,
            "learned store": learned.run,
            **remember_tasks(config, clock, feed, pollers, charger.name, recalled=learned.recalled),
        }
        command: OnCommand = self.inbox.put
        if line:
            front, command = self._front(line, charger.name)
            tasks |= front
        tasks |= self._page(charger.name, settings, controller, command)
        for restored in await store.restore():  # before anything else is in the inbox
            await self.inbox.put(restored)
        return tasks

    async def _restore_settings(self) -> SettingsStore:
        """Put in force what the user has changed of the settings, from here on also in `config`."""
        config = self.config
        store = SettingsStore(config.state_dir, self.clock, config.control, config.edge.on_silence)
        control = await store.restore()
        edge = config.edge.model_copy(update={"on_silence": store.on_silence})
        self.config = replace(config, control=control, edge=edge)
        return store

    def _page(
        self, charger: str, settings: SettingsStore, controller: Controller, command: OnCommand
    ) -> Tasks:
        """Show a controller by HTTP, if that is configured."""
        if self.config.web is None:
            return {}
        from pvcharge.page import Controlled, page_tasks  # noqa: PLC0415 - who shows nothing shall not load it

        leads = Controlled(command=command, put=self.inbox.put, settings=settings, learner=controller)
        return page_tasks(self.config, self.config.web, self.clock, self.feed, charger, leads)

    def _edge_page(self, charger: str, line: Line, bridge: EdgeBridge) -> Tasks:
        """Show an edge by HTTP, if that is configured."""
        if self.config.web is None:
            return {}
        from pvcharge.page import EdgeSteering, page_tasks  # noqa: PLC0415 - who shows nothing shall not load it

        leads = EdgeSteering(line.link, line.namespace, self.clock, bridge)
        return page_tasks(self.config, self.config.web, self.clock, self.feed, charger, leads)

    def _front(self, line: Line, charger_name: str) -> tuple[Tasks, OnCommand]:
        """Join a controller to its broker: what it shows and hears there and, in the cloud, its edge.

        Returns:
            The tasks, and what takes the user's commands.
        """
        if self.config.role == "standalone":
            front = front_tasks(self.config, line, self.clock, self.feed, charger_name, self.inbox.put)
            return {**front, **line.tasks()}, self.inbox.put
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
        tasks = {**front, "edge boost": edge_boost.run, "orders": orders.run, **line.tasks()}
        return tasks, edge_boost.pass_on

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
        charger = make_charger(config, clock)
        charger_task, hand = await self._charger_task(charger)
        progressed = self._progress_with(charger_task)
        relay = Relay(bridge, clock, self.inbox, demands, progressed, self._watch(stand_in))
        tasks: Tasks = {
            **_polls(pollers),
            "charger": charger_task.run,
            **hand,
            "relay": relay.run,
            "bridge": bridge.run,
            **self._edge_page(charger.name, line, bridge),
        }
        if stand_in:
            bridge.on_boost.append(stand_in.boost)
            bridge.on_refusal.append(stand_in.note_refusal)
            tasks |= {"stand-in": stand_in.run, "orders": await self._orders(line, stand_in)}
        return {**tasks, **line.tasks()}

    def _watch(self, stand_in: StandIn | None) -> Callable[[PowerFlow | ChargerStatus], None]:
        """Return what is told of all that an edge's devices say: whoever shows it, and its stand-in."""

        def watch(seen: PowerFlow | ChargerStatus) -> None:
            self.feed.publish(seen)
            if stand_in:
                stand_in.observe(seen)

        return watch

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

    async def _charger_task(self, charger: Charger) -> tuple[ChargerTask, Tasks]:
        """Return the charger's task, and the one that remembers changes by hand where the charger is."""
        edge, control = self.config.edge, self.config.control
        most = WearLimits.beyond(control.max_starts_per_hour, control.max_phase_switches_per_hour)
        limits = control.setpoint_limits
        task = ChargerTask(charger, self.clock, self._leases, self.inbox, self.feed, edge, limits, most)
        if self.config.role == "cloud":
            return task, {}
        store = HandStore(self.config.state_dir, self.clock, self.feed.subscribe())
        await store.restore()
        task.complete = store.complete
        return task, {"hand store": store.run}

    def _progress_with(self, charger: ChargerTask) -> Callable[[], None]:
        """Return what tells of progress for as long as the charger's task makes some, too."""

        def progressed() -> None:
            if not charger.stuck:
                self._progressed()

        return progressed

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
