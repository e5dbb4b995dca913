"""What a daemon shows by HTTP: the wiring of the small server; imported only where `[web]` is configured."""

from pvcharge.config import Config
from pvcharge.model import Clock
from pvcharge.tasks.feed import Feed
from pvcharge.tasks.supervisor import Tasks
from pvcharge.values import SnapshotKeeper
from pvcharge.web.metrics import Metrics
from pvcharge.web.server import WebServer
from pvcharge.web.settings import WebSettings


def page_tasks(config: Config, settings: WebSettings, clock: Clock, feed: Feed) -> Tasks:
    """Return the tasks of the HTTP surface by name.

    Args:
        config: the whole configuration.
        settings: its `[web]` table.
        clock: the daemon's time.
        feed: what is shown.
    """
    keeper = SnapshotKeeper(clock, config.control.current_limits, config.site.zone)
    metrics = Metrics(keeper, feed.subscribe())
    # An edge decides nothing, so the age of its decisions is no measure of its health.
    trouble = () if config.role == "edge" else (metrics.trouble,)
    server = WebServer(settings, clock, metrics.registry, feed.publish, *trouble)
    return {"metrics": metrics.run, "web": server.run}
