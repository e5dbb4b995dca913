"""A daemon's line to its broker: the link, the heartbeat that proves it, and the word of how both are."""

from collections.abc import Callable, Coroutine, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import structlog

from pvcharge.model import Clock, DeviceHealth
from pvcharge.mqtt import topics
from pvcharge.mqtt.bus import Bus
from pvcharge.mqtt.heartbeat import Heartbeat
from pvcharge.mqtt.link import Link
from pvcharge.mqtt.settings import MqttSettings
from pvcharge.mqtt.topics import Namespace, Topic

log = structlog.get_logger(__name__)

NAME = "mqtt"  # as health is told of it
LOOK_S = 5.0  # how soon a new reason why there is no connection is told
SKEW_WARNING_S = 10.0  # between machines that keep their time by the network it is far below a second


class RunningBus(Bus, Protocol):
    """A bus that somebody has to run."""

    async def run(self) -> None:
        """Connect, and again after each failure, until cancelled."""
        ...

    def health(self) -> Mapping[str, float | str]:
        """Return facts for the user."""
        ...


class Connect(Protocol):
    """Makes a bus that does not run yet; `Link` is one."""

    def __call__(
        self, settings: MqttSettings, *, client_id: str, will: tuple[str, str] | None, clock: Clock
    ) -> RunningBus:
        """Make it."""
        ...


@dataclass(frozen=True, slots=True)
class Side:
    """What a role says of itself, and whom it waits for.

    Attributes:
        status: where it is `online` or `offline`.
        own: its heartbeat.
        peer: that of the other side; a standalone daemon is proved by its own that comes back.
        peer_name: what the other side is called.
        unheard: what may be wrong when the peer is not heard.
    """

    status: Topic
    own: Topic
    peer: Topic
    peer_name: str
    unheard: str


def _unheard(peer: str) -> str:
    return (
        f"the {peer} is not heard, or does not hear us; see whether it runs, and what the broker's ACL allows"
    )


SIDES = {
    "standalone": Side(
        topics.CLOUD_STATUS,
        topics.CLOUD_HEARTBEAT,
        topics.CLOUD_HEARTBEAT,
        "broker",
        "what we send does not come back; see what the broker's ACL allows us",
    ),
    "cloud": Side(
        topics.CLOUD_STATUS, topics.CLOUD_HEARTBEAT, topics.EDGE_HEARTBEAT, "edge", _unheard("edge")
    ),
    "edge": Side(
        topics.EDGE_STATUS, topics.EDGE_HEARTBEAT, topics.CLOUD_HEARTBEAT, "cloud", _unheard("cloud")
    ),
}


class Line:
    """One daemon's line; whoever uses `link` has to listen there before the tasks run.

    Args:
        settings: which broker, and how to log in.
        role: one of `SIDES`.
        site: the site's name.
        clock: the daemon's time.
        tell: told of the line's health whenever that changes, such as the feed's `publish`.
        connect: makes the link.

    Attributes:
        settings: which broker, and how to log in.
        namespace: where the site's topics stand.
        link: the broker connection.
        heartbeat: the other side.
        on_change: called when the other side comes or goes.
    """

    def __init__(
        self,
        settings: MqttSettings,
        role: str,
        site: str,
        clock: Clock,
        tell: Callable[[DeviceHealth], None],
        connect: Connect = Link,
    ) -> None:
        self._side = side = SIDES[role]
        self.settings = settings
        self._clock = clock
        self._tell = tell
        self._since = clock.now()
        self._told: tuple[str, float | None] | None = None  # the error, empty for none, and the peer's skew
        self._warned_of_skew = False
        self.namespace = namespace = Namespace(settings.prefix, site)
        status = namespace.path(side.status)
        self.link = link = connect(
            settings, client_id=f"pvcharge-{role}-{site}", will=(status, "offline"), clock=clock
        )
        self.on_change: list[Callable[[bool], None]] = [lambda _: self._look()]
        self.heartbeat = Heartbeat(
            link, namespace.path(side.own), namespace.path(side.peer), clock, on_change=self._changed
        )

        async def say_online() -> None:
            await link.publish(status, "online", retain=True)

        link.on_connect(say_online)

    def tasks(self) -> dict[str, Callable[[], Coroutine[Any, Any, None]]]:
        """Return the line's own tasks by name; to be started when all listen."""
        return {"mqtt heartbeat": self.heartbeat.run, "mqtt health": self._watch, "mqtt link": self.link.run}

    def _changed(self, alive: bool) -> None:  # noqa: FBT001 - as the heartbeat tells it
        for hook in self.on_change:
            hook(alive)

    async def _watch(self) -> None:
        while True:
            self._look()
            await self._clock.sleep(LOOK_S)

    def _look(self) -> None:
        """Tell how the line is, if that has changed."""
        error, skew_s = self._error(), self._skew_s()
        if (error, skew_s) == self._told:
            return
        now = self._clock.now()
        if self._told is None or bool(error) != bool(self._told[0]):
            self._since = now
        self._told = error, skew_s
        facts = dict(self.link.health())
        if skew_s is not None:
            facts[f"{self._side.peer_name}_clock_ahead_s"] = skew_s
            self._warn_of_skew(skew_s)
        self._tell(DeviceHealth(NAME, now, ok=not error, since=self._since, error=error or None, facts=facts))

    def _error(self) -> str:
        """Return why the other side is not in reach, empty if it is."""
        if not self.link.connected:
            reason = self.link.health().get("last_error", "not connected yet")
            return f"no connection to the broker at {self.settings.address}: {reason}"
        return "" if self.heartbeat.alive else self._side.unheard

    def _skew_s(self) -> float | None:
        skew_s = self.heartbeat.skew_s
        return (
            None if skew_s is None or self._side.own is self._side.peer else round(skew_s, 1) + 0.0
        )  # no -0.0

    def _warn_of_skew(self, skew_s: float) -> None:
        """Say once that a clock is wrong: everything works all the same, but what people see is odd."""
        wrong = abs(skew_s) >= SKEW_WARNING_S
        if wrong and not self._warned_of_skew:
            log.warning(
                "clocks differ; see to NTP on both machines", peer=self._side.peer_name, ahead_s=skew_s
            )
        self._warned_of_skew = wrong
