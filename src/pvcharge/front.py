"""What a controller shows and hears over MQTT: state and commands, and its announcement to Home Assistant."""

from collections.abc import Callable, Coroutine
from typing import Any

from pvcharge.config import Config
from pvcharge.model import Clock
from pvcharge.mqtt import topics
from pvcharge.mqtt.commands import CommandListener
from pvcharge.mqtt.discovery import Discovery, announcement
from pvcharge.mqtt.link import Link
from pvcharge.mqtt.settings import MqttSettings
from pvcharge.mqtt.state import StatePublisher
from pvcharge.mqtt.topics import Namespace
from pvcharge.tasks.feed import Feed
from pvcharge.tasks.queues import Inbox
from pvcharge.values import SnapshotKeeper, values_for


def mqtt_tasks(
    config: Config, settings: MqttSettings, clock: Clock, feed: Feed, inbox: Inbox
) -> dict[str, Callable[[], Coroutine[Any, Any, None]]]:
    """Return the tasks of the MQTT surface by name; the link's own comes last, when all listen.

    Args:
        config: the whole configuration.
        settings: its `[mqtt]` table.
        clock: the daemon's time.
        feed: what is shown.
        inbox: where commands go.
    """
    namespace = Namespace(settings.prefix, config.site.name)
    control = config.control
    will = (namespace.path(topics.CLOUD_STATUS), "offline")
    link = Link(settings, client_id=f"pvcharge-{config.role}-{config.site.name}", will=will, clock=clock)

    async def say_online() -> None:
        await link.publish(namespace.path(topics.CLOUD_STATUS), "online", retain=True)

    link.on_connect(say_online)
    CommandListener(
        link,
        namespace,
        clock,
        inbox.put,
        min_current_a=control.min_current_a,
        max_current_a=control.max_current_a,
    )
    values = values_for([device.settings.name for device in config.inverters], config.charger.settings.name)
    keeper = SnapshotKeeper(clock, control.current_limits, config.site.zone)
    state = StatePublisher(link, namespace, clock, keeper, values, feed.subscribe())
    announced = announcement(
        namespace,
        values,
        has_edge=False,
        min_current_a=control.min_current_a,
        max_current_a=control.max_current_a,
    )
    discovery = Discovery(
        link,
        namespace,
        clock,
        discovery_prefix=settings.discovery_prefix,
        announced=announced if settings.discovery else None,
    )
    return {"mqtt state": state.run, "mqtt discovery": discovery.run, "mqtt link": link.run}
