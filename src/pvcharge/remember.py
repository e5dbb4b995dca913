"""What a controller remembers: the wiring of the store, and of whatever reads from it."""

from collections.abc import Sequence
from datetime import datetime

import structlog

from pvcharge import __version__
from pvcharge.config import Config
from pvcharge.drivers.base import DriverError, PermanentError
from pvcharge.history.archive import FILE, Archive
from pvcharge.history.backfill import Backfill, ReadPast
from pvcharge.history.recorder import About, Recorder
from pvcharge.history.sessions import Prices
from pvcharge.model import Clock, PowerFlow
from pvcharge.tasks.feed import Feed
from pvcharge.tasks.poller import Poller
from pvcharge.tasks.supervisor import Tasks

log = structlog.get_logger(__name__)

CAPACITY = 10_000  # events that wait for a disk that is slow to wake


def remember_tasks(
    config: Config,
    clock: Clock,
    feed: Feed,
    pollers: Sequence[Poller],
    charger: str,
    *,
    recalled: str | None = None,
) -> Tasks:
    """Return the tasks that remember, by name.

    Args:
        config: the whole configuration, with the settings that are in force at the start.
        clock: the daemon's time.
        feed: what is remembered.
        pollers: of the inverters, the first of which that knows the past may be asked for it.
        charger: the charger's name.
        recalled: what the controller knows from before, as JSON; None if nothing.
    """
    if not config.history.enabled:
        return {}
    control = config.control
    archive = Archive(config.state_dir / FILE)
    recorder = Recorder(
        archive,
        clock,
        feed.subscribe(CAPACITY),
        feed.publish,
        about=About(__version__, control.model_dump_json(), recalled),
        settings=config.history,
        prices=Prices(control.import_price, control.feed_in_price),
        zone=config.site.zone,
    )
    tasks: Tasks = {"history": recorder.run}
    teller = next((poller for poller in pollers if poller.tells_past), None)
    if teller is not None:
        tasks["backfill"] = Backfill(archive, clock, _past_of(teller), config.site.zone).run
    if config.influxdb is not None:
        from pvcharge.history.influx.writer import InfluxWriter  # noqa: PLC0415 - slow to load, and for few

        site = config.site.name
        writer = InfluxWriter(config.influxdb, archive, clock, feed.publish, site=site, charger=charger)
        tasks["influxdb"] = writer.run
    return tasks


def _past_of(poller: Poller) -> ReadPast:
    """Return what reads the past by a poller, and None where that fails: it can be asked again later."""

    async def read_past(start: datetime, end: datetime) -> Sequence[PowerFlow] | None:
        try:
            return await poller.read_past(start, end)
        except PermanentError:
            return ()  # it never will
        except DriverError as error:
            log.debug("past not read", error=str(error))
            return None

    return read_past
