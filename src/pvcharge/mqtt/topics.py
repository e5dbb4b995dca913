"""The one table of topics: publishing, subscribing, the documentation and the broker's ACL come from it."""

from dataclasses import dataclass
from enum import StrEnum


class Party(StrEnum):
    """Who talks on a topic."""

    EDGE = "edge"
    CLOUD = "cloud"  # the controller, also in a standalone daemon
    USER = "user"  # Home Assistant, a shell, a script


@dataclass(frozen=True, slots=True)
class Topic:
    """A topic below `<prefix>/<site>/`.

    Attributes:
        name: its path there.
        publishers: who writes it.
        readers: who reads it.
        what: its payload, in a few words.
        retain: whether the broker keeps the last message for whoever comes later.
    """

    name: str
    publishers: frozenset[Party]
    readers: frozenset[Party]
    what: str
    retain: bool = False


ERROR = "/error"  # appended to a topic: what was wrong with a payload on it

_EDGE, _CLOUD, _USER = frozenset({Party.EDGE}), frozenset({Party.CLOUD}), frozenset({Party.USER})
_HEARTBEAT = "liveness and clock, every 10 s"
_ALIVE = "`online` or `offline`"
_AMPS = "whole amps"

EDGE_STATUS = Topic("edge/status", _EDGE, _CLOUD | _USER, _ALIVE, retain=True)
CLOUD_STATUS = Topic("cloud/status", _CLOUD, _EDGE | _USER, _ALIVE, retain=True)
EDGE_HEARTBEAT = Topic("edge/heartbeat", _EDGE, _CLOUD, _HEARTBEAT)
CLOUD_HEARTBEAT = Topic("cloud/heartbeat", _CLOUD, _CLOUD | _EDGE, _HEARTBEAT)
CHARGER = Topic("edge/charger", _EDGE, _CLOUD | _USER, "the charger's status, with its time", retain=True)
FLOW = Topic("edge/flow", _EDGE, _CLOUD | _USER, "readings of an inverter in the house")
SETPOINT = Topic(
    "cloud/setpoint", _CLOUD, _EDGE, "a setpoint as a lease: `seq` (ms of the edge's clock), `at`, `lease_s`"
)
ORDERS = Topic(
    "cloud/orders",
    _CLOUD,
    _EDGE,
    "what the edge shall do while the cloud is silent: `control`, `mode`, `until`, `mode_after`, limits",
    retain=True,
)
STATE = Topic("state", _CLOUD, _USER, "everything Home Assistant shows", retain=True)
EDGE_BOOST = Topic(
    "edge/boost",
    _EDGE,
    _CLOUD | _EDGE,
    "a boost commanded while the cloud was away: `at`, `until`; empty as soon as the cloud has taken over",
    retain=True,
)
BOOST_SET = Topic("boost/set", _USER, _CLOUD | _EDGE, "`ON`, `OFF`, or minutes such as `90`")
BOOST = Topic("boost", _CLOUD | _EDGE, _CLOUD | _EDGE | _USER, "`ON` or `OFF`", retain=True)
MODE_SET = Topic("mode/set", _USER, _CLOUD, "`off`, `surplus`, `min_surplus` or `boost`")
MODE = Topic("mode", _CLOUD, _EDGE | _USER, "the mode in force", retain=True)
MIN_CURRENT_SET = Topic("min_current/set", _USER, _CLOUD, _AMPS)
MIN_CURRENT = Topic("min_current", _CLOUD, _USER, _AMPS, retain=True)
MAX_CURRENT_SET = Topic("max_current/set", _USER, _CLOUD, _AMPS)
MAX_CURRENT = Topic("max_current", _CLOUD, _USER, _AMPS, retain=True)

TOPICS = (
    EDGE_STATUS,
    CLOUD_STATUS,
    EDGE_HEARTBEAT,
    CLOUD_HEARTBEAT,
    CHARGER,
    FLOW,
    EDGE_BOOST,
    SETPOINT,
    ORDERS,
    STATE,
    BOOST_SET,
    BOOST,
    MODE_SET,
    MODE,
    MIN_CURRENT_SET,
    MIN_CURRENT,
    MAX_CURRENT_SET,
    MAX_CURRENT,
)


@dataclass(frozen=True, slots=True)
class Namespace:
    """Where a site's topics stand at the broker."""

    prefix: str
    site: str

    def path(self, topic: Topic) -> str:
        """Return a topic's full path."""
        return f"{self.prefix}/{self.site}/{topic.name}"

    def error(self, topic: Topic) -> str:
        """Return where errors about a topic's payloads are told."""
        return self.path(topic) + ERROR
