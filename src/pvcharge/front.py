"""What a controller shows and hears over MQTT: state and commands, and its announcement to Home Assistant."""

from collections.abc import Awaitable, Callable

from pvcharge.config import Config
from pvcharge.model import Clock
from pvcharge.mqtt.commands import Command, CommandListener
from pvcharge.mqtt.discovery import Discovery, announcement
from pvcharge.mqtt.line import Line
from pvcharge.mqtt.state import StatePublisher
from pvcharge.tasks.feed import Feed
from pvcharge.tasks.supervisor import Tasks
from pvcharge.values import SnapshotKeeper, values_for


def front_tasks(
    config: Config,
    line: Line,
    clock: Clock,
    feed: Feed,
    charger: str,
    on_command: Callable[[Command], Awaitable[None]],
) -> Tasks:
    """Return the tasks of the MQTT surface by name.

    Args:
        config: the whole configuration.
        line: the daemon's line to the broker.
        clock: the daemon's time.
        feed: what is shown.
        charger: the charger's name.
        on_command: takes the user's commands.
    """
    link, namespace, control = line.link, line.namespace, config.control
    CommandListener(
        link,
        namespace,
        clock,
        on_command,
        min_current_a=control.min_current_a,
        max_current_a=control.max_current_a,
    )
    values = values_for([device.settings.name for device in config.inverters], charger)
    keeper = SnapshotKeeper(clock, control.current_limits, config.site.zone)
    state = StatePublisher(link, namespace, clock, keeper, values, feed.subscribe())
    line.on_change.append(state.note_peer)
    announced = announcement(
        namespace,
        values,
        has_edge=config.role == "cloud",
        min_current_a=control.min_current_a,
        max_current_a=control.max_current_a,
    )
    discovery = Discovery(
        link,
        namespace,
        clock,
        discovery_prefix=line.settings.discovery_prefix,
        announced=announced if line.settings.discovery else None,
    )
    return {"mqtt state": state.run, "mqtt discovery": discovery.run}
