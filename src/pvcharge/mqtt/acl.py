"""The broker's access rules for one site, made from the table of topics."""

from pvcharge.mqtt.discovery import birth_topic, config_topic
from pvcharge.mqtt.topics import TOPICS, Namespace, Party

HEAD = """\
# Mosquitto's access rules (acl_file) for the site "{site}", made from pvcharge's table of topics.
#
# edge-{site} is the pvcharge in the house, cloud-{site} the controller, also of a standalone pvcharge.
# Both may command what a user may: `pvcharge boost` and `pvcharge mode` log in as the daemon beside them.
# Nobody gets anything that is not named here; Mosquitto says nothing to whoever it denies.
"""


def acl(namespace: Namespace, discovery_prefix: str = "homeassistant") -> str:
    """Return the content of Mosquitto's `acl_file` for the three users of a site."""
    site = namespace.site
    announced, birth = config_topic(namespace, discovery_prefix), birth_topic(discovery_prefix)
    users = {
        f"edge-{site}": _rights(namespace, {Party.EDGE, Party.USER}),
        f"cloud-{site}": [
            *_rights(namespace, {Party.CLOUD, Party.USER}),
            f"topic write {announced}",
            f"topic read {birth}",
        ],
        "homeassistant": [
            *_rights(namespace, {Party.USER}),
            f"topic read {discovery_prefix}/#",
            f"topic write {birth}",
        ],
    }
    chapters = ("\n".join([f"user {user}", *rights, ""]) for user, rights in users.items())
    return "\n".join([HEAD.format(site=site), *chapters])


def _rights(namespace: Namespace, parties: set[Party]) -> list[str]:
    """Return the lines for somebody who speaks for these parties."""
    lines = []
    for topic in TOPICS:
        writers, readers = topic.publishers & parties, topic.readers & parties
        lines += _line(namespace.path(topic), reads=readers, writes=writers)
        # A daemon answers to bad payloads on what it reads; whoever may have sent one reads the answer.
        judges = topic.readers - {Party.USER}
        if judges:
            lines += _line(namespace.error(topic), reads=writers, writes=judges & parties)
    return lines


def _line(path: str, *, reads: frozenset[Party], writes: frozenset[Party]) -> list[str]:
    if not reads and not writes:
        return []
    access = "readwrite" if reads and writes else "read" if reads else "write"
    return [f"topic {access} {path}"]
