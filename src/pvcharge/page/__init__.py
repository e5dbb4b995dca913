"""What a daemon shows by HTTP: the wiring of the page; imported only where `[web]` is configured."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import asdict, dataclass

from pydantic import JsonValue

from pvcharge import __version__
from pvcharge.config import Config
from pvcharge.history.archive import FILE
from pvcharge.history.sessions import Prices
from pvcharge.model import Clock
from pvcharge.mqtt.commands import Command
from pvcharge.page.edge import EdgeSteering
from pvcharge.page.past import StoredPast
from pvcharge.page.session import RunningSession
from pvcharge.page.steering import Commander, ControllerSteering
from pvcharge.page.stored import Learner, StoredLearned, StoredSettings
from pvcharge.page.support import KeptLog, SupportPacker
from pvcharge.tasks.feed import Feed
from pvcharge.tasks.queues import Letter
from pvcharge.tasks.settings_store import SettingsStore
from pvcharge.tasks.supervisor import Tasks
from pvcharge.values import SnapshotKeeper, values_for
from pvcharge.web.access import Access
from pvcharge.web.answers import CurrentRange
from pvcharge.web.live.hub import Hub
from pvcharge.web.live.state import About, StateKeeper
from pvcharge.web.metrics import Metrics
from pvcharge.web.ports import Ports
from pvcharge.web.server import WebServer
from pvcharge.web.settings import WebSettings
from pvcharge.web.site import Site
from pvcharge.web.watched import Watched

Takes = tuple[Callable[[object], None], ...]

__all__ = ["Controlled", "EdgeSteering", "page_tasks"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Controlled:
    """What the page needs of a controller in this process.

    Attributes:
        command: takes the user's commands.
        put: takes what else the controller shall do, such as the control loop's `inbox.put`.
        settings: those that can be changed.
        learner: what learns.
    """

    command: Callable[[Command], Awaitable[None]]
    put: Callable[[Letter], Awaitable[None]]
    settings: SettingsStore
    learner: Learner


def page_tasks(
    config: Config,
    settings: WebSettings,
    clock: Clock,
    feed: Feed,
    charger: str,
    leads: Controlled | EdgeSteering,
) -> Tasks:
    """Return the tasks of the HTTP surface by name.

    Args:
        config: the whole configuration.
        settings: its `[web]` table.
        clock: the daemon's time.
        feed: what is shown.
        charger: the charger's name.
        leads: the controller, or at an edge what can be commanded there.
    """
    limits, zone = config.control.current_limits, config.site.zone
    metrics = Metrics(SnapshotKeeper(clock, limits, zone), feed.subscribe())
    # An edge decides nothing, so the age of its decisions is no measure of its health.
    watched = Watched(metrics.registry, *(() if config.role == "edge" else (metrics.trouble,)))
    prices = Prices(config.control.import_price, config.control.feed_in_price)
    session = RunningSession(prices, config.state_dir / FILE)
    ports, takes = _ports(config, clock, leads, lambda: keeper.state("owner").model_dump(mode="json"))
    keeper = StateKeeper(
        _about(config, charger, ports),
        clock,
        SnapshotKeeper(clock, limits, zone),
        session=lambda: session.current,
        shown=_shown(leads),
    )
    # Who waits for a command to be in force comes last: the state that answers it must be new by then.
    hub = Hub(feed.subscribe(), (keeper.take, session.take, *takes), keeper.state)
    site = Site(settings.base_path, Access(settings, config.state_dir, clock), ports, keeper, hub, watched)
    server = WebServer(settings, clock, site.app, feed.publish, spared=hub.holds)

    async def run_live() -> None:
        await session.load()
        await hub.run()

    return {"metrics": metrics.run, "live": run_live, "web": server.run}


def _ports(
    config: Config,
    clock: Clock,
    leads: Controlled | EdgeSteering,
    state: Callable[[], Mapping[str, JsonValue]],
) -> tuple[Ports, Takes]:
    """Return what the page may ask for, and who follows the feed for it."""
    log = KeptLog()
    if isinstance(leads, EdgeSteering):
        return Ports(steering=leads, log=log, support=SupportPacker(config, clock, log, state)), ()
    commander = Commander(leads.command, leads.put)
    learned = StoredLearned(leads.learner, commander)
    ports = Ports(
        past=StoredPast(config, clock) if config.history.enabled else None,
        steering=ControllerSteering(commander, clock, config.control.current_limits),
        settings=StoredSettings(leads.settings, commander),
        learned=learned,
        log=log,
        support=SupportPacker(config, clock, log, state, learned),
    )
    return ports, (commander.take,)


def _about(config: Config, charger: str, ports: Ports) -> About:
    inverters = [device.settings.name for device in config.inverters]
    # What an edge does when it is alone belongs to its way to the cloud.
    alone: Mapping[str, str] = {"on_silence": config.edge.on_silence.value} if config.role == "edge" else {}
    return About(
        role=config.role,
        site=config.site.name,
        version=__version__,
        timezone=config.site.timezone,
        currency=None,
        inverters=inverters,
        charger=charger,
        can=ports.can,
        limits=CurrentRange(**asdict(config.control.current_limits)) if "limits" in ports.can else None,
        values=values_for(inverters, charger),
        facts={"mqtt": alone},
    )


def _shown(leads: Controlled | EdgeSteering) -> Callable[[], Mapping[str, str]]:
    return (lambda: leads.shown) if isinstance(leads, EdgeSteering) else dict
