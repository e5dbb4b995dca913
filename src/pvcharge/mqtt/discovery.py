"""Announces the daemon to Home Assistant as one device, with everything in the table of values."""

import asyncio
import json
import random
from collections.abc import Sequence
from typing import Any

from pvcharge import __version__
from pvcharge.model import Clock, Mode
from pvcharge.mqtt import topics
from pvcharge.mqtt.bus import Bus, Message
from pvcharge.mqtt.state import GOOD_S
from pvcharge.mqtt.topics import Namespace, Topic
from pvcharge.values import Kind, Value

BIRTH_PAUSE_S = 10.0  # at most: everybody hears the birth at once, and should not answer at once
SET_ELSEWHERE = frozenset({"mode", "min_current_a", "max_current_a"})  # shown by what sets them


def device_id(namespace: Namespace) -> str:
    """Return what all ids of this site begin with."""
    return f"pvcharge_{namespace.site}"


def config_topic(namespace: Namespace, discovery_prefix: str) -> str:
    """Return where the announcement stands."""
    return f"{discovery_prefix}/device/{device_id(namespace)}/config"


def birth_topic(discovery_prefix: str) -> str:
    """Return where Home Assistant says that it has started."""
    return f"{discovery_prefix}/status"


def announcement(
    namespace: Namespace,
    values: Sequence[Value],
    *,
    has_edge: bool,
    min_current_a: int,
    max_current_a: int,
) -> str:
    """Return the announcement of the device with all its entities.

    Args:
        namespace: where the site's topics stand.
        values: the table of what stands in `state`.
        has_edge: whether an edge must be online too for anything to work.
        min_current_a: the configured limits, within which the user may set the current.
        max_current_a: the upper one.
    """
    sides = (topics.EDGE_STATUS, topics.CLOUD_STATUS) if has_edge else (topics.CLOUD_STATUS,)
    entities = [_shown(namespace, value) for value in values if value.key not in SET_ELSEWHERE]
    amps = {"min": min_current_a, "max": max_current_a}
    entities += [
        _mode(namespace),
        _boost(namespace),
        _amps(namespace, "min_current_a", topics.MIN_CURRENT, topics.MIN_CURRENT_SET, amps),
        _amps(namespace, "max_current_a", topics.MAX_CURRENT, topics.MAX_CURRENT_SET, amps),
    ]
    document = {
        "device": {
            "identifiers": [device_id(namespace)],
            "name": f"pvcharge {namespace.site}",
            "manufacturer": "pvcharge",
            "model": "PV surplus charging",
            "sw_version": __version__,
        },
        "origin": {"name": "pvcharge", "sw_version": __version__},
        "availability": [{"topic": namespace.path(side)} for side in sides],
        "availability_mode": "all",
        "components": {
            entity["unique_id"].removeprefix(f"{device_id(namespace)}_"): entity for entity in entities
        },
    }
    return json.dumps(document)


class Discovery:
    """Keeps the announcement at the broker, or removes it.

    Args:
        bus: the broker connection; not running yet.
        namespace: where the site's topics stand.
        clock: the daemon's time.
        discovery_prefix: where Home Assistant looks.
        announced: what `announcement` returned; None removes what an earlier run has announced.
        seed: makes the pause after a birth repeatable in tests.
    """

    def __init__(
        self,
        bus: Bus,
        namespace: Namespace,
        clock: Clock,
        discovery_prefix: str,
        announced: str | None,
        seed: int | None = None,
    ) -> None:
        self._bus = bus
        self._clock = clock
        self._topic = config_topic(namespace, discovery_prefix)
        self._announced = announced
        self._born = asyncio.Event()
        self._random = random.Random(seed)  # noqa: S311 - a pause is no secret
        bus.listen(birth_topic(discovery_prefix), self._hear_birth)
        bus.on_connect(self._announce)

    async def run(self) -> None:
        """Announce again whenever Home Assistant starts, until cancelled."""
        while True:
            await self._born.wait()
            await self._clock.sleep(self._random.uniform(0.0, BIRTH_PAUSE_S))
            self._born.clear()
            await self._announce()

    async def _hear_birth(self, message: Message) -> None:
        if message.payload == b"online" and self._announced is not None:
            self._born.set()

    async def _announce(self) -> None:
        await self._bus.publish(self._topic, self._announced or "", retain=True)


def _entity(namespace: Namespace, platform: str, key: str, name: str, **options: Any) -> dict[str, Any]:
    """Return an entity; options that are None are left out."""
    ours = f"{device_id(namespace)}_{key}"
    return {
        "platform": platform,
        "unique_id": ours,
        "name": name,
        "default_entity_id": f"{platform}.{ours.replace('-', '_')}",
        **{option: value for option, value in options.items() if value is not None},
    }


def _shown(namespace: Namespace, value: Value) -> dict[str, Any]:
    """Return the sensor that shows a value; one that is null in `state` is unknown to Home Assistant."""
    options: dict[str, Any] = {
        "state_topic": namespace.path(topics.STATE),
        "value_template": f"{{{{ value_json.{value.key} }}}}",
        "expire_after": round(GOOD_S),
        "device_class": value.device_class,
        "entity_category": "diagnostic" if value.diagnostic else None,
    }
    if value.kind is Kind.FLAG:
        words = f"{{true: 'ON', false: 'OFF'}}.get(value_json.{value.key})"
        options |= {"value_template": f"{{{{ {words} }}}}", "payload_on": "ON", "payload_off": "OFF"}
        return _entity(namespace, "binary_sensor", value.key, value.label, **options)
    options |= {
        "state_class": value.state_class,
        "unit_of_measurement": value.unit,
        "suggested_display_precision": value.precision,
        "options": list(value.options) or None,
    }
    return _entity(namespace, "sensor", value.key, value.label, **options)


def _mode(namespace: Namespace) -> dict[str, Any]:
    return _entity(
        namespace,
        "select",
        "mode",
        "Mode",
        state_topic=namespace.path(topics.MODE),
        command_topic=namespace.path(topics.MODE_SET),
        options=list(Mode),
    )


def _boost(namespace: Namespace) -> dict[str, Any]:
    return _entity(
        namespace,
        "switch",
        "boost",
        "Boost",
        state_topic=namespace.path(topics.BOOST),
        command_topic=namespace.path(topics.BOOST_SET),
        payload_on="ON",
        payload_off="OFF",
    )


def _amps(
    namespace: Namespace, key: str, state: Topic, command: Topic, limits: dict[str, int]
) -> dict[str, Any]:
    return _entity(
        namespace,
        "number",
        key,
        "Minimum current" if key == "min_current_a" else "Maximum current",
        device_class="current",
        unit_of_measurement="A",
        entity_category="config",
        step=1,
        mode="slider",
        state_topic=namespace.path(state),
        command_topic=namespace.path(command),
        **limits,
    )
