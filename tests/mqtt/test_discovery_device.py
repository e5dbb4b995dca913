"""The announcement to Home Assistant, against the rules by which it takes a device or leaves it out."""

import asyncio
import json
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from mqtt.far_ends import SITE, RecordingBus, running
from pvcharge.model import Mode
from pvcharge.mqtt import topics
from pvcharge.mqtt.discovery import BIRTH_PAUSE_S, Discovery, announcement, config_topic
from pvcharge.mqtt.topics import TOPICS, Namespace
from pvcharge.values import values_for
from tasks.fakes import VirtualClock

TABLE = values_for(["roof"], "box")
TOPIC = "homeassistant/device/pvcharge_home/config"
BIRTH = "homeassistant/status"

# What Home Assistant's schema of each platform must have, and may have, as far as we make use of it.
COMMON = {"platform", "unique_id", "name", "default_entity_id", "entity_category", "device_class"}
REQUIRED = {
    "sensor": {"state_topic", "value_template", "expire_after"},
    "binary_sensor": {"state_topic", "value_template", "expire_after", "payload_on", "payload_off"},
    "select": {"state_topic", "command_topic", "options"},
    "switch": {"state_topic", "command_topic", "payload_on", "payload_off"},
    "number": {"state_topic", "command_topic", "min", "max", "step", "mode", "unit_of_measurement"},
}
OPTIONAL = {"sensor": {"state_class", "unit_of_measurement", "suggested_display_precision", "options"}}
UNITS = {"power": "W", "energy": "kWh", "current": "A", "battery": "%", "duration": "s"}


def announced(namespace: Namespace = SITE, *, has_edge: bool = True) -> dict[str, Any]:
    """Return the announcement, read back."""
    text = announcement(namespace, TABLE, has_edge=has_edge, min_current_a=6, max_current_a=13)
    document: dict[str, Any] = json.loads(text)
    return document


COMPONENTS: dict[str, dict[str, Any]] = announced()["components"]
each = pytest.mark.parametrize("component", COMPONENTS.values(), ids=COMPONENTS)


def test_there_is_one_device_with_an_origin() -> None:
    """Both are required, and an identifier is what makes it the same device after a restart."""
    document = announced()
    assert document["device"]["identifiers"] == ["pvcharge_home"]
    assert document["origin"]["name"] == "pvcharge"
    assert set(document) == {"device", "origin", "availability", "availability_mode", "components"}


@pytest.mark.parametrize(
    ("has_edge", "sides"),
    [
        (True, ["pvcharge/home/edge/status", "pvcharge/home/cloud/status"]),
        (False, ["pvcharge/home/cloud/status"]),
    ],
)
def test_it_is_available_while_all_its_sides_are(has_edge: bool, sides: list[str]) -> None:  # noqa: FBT001 - see name
    """A cloud without its edge charges nothing; a standalone daemon has no edge."""
    document = announced(has_edge=has_edge)
    assert [side["topic"] for side in document["availability"]] == sides
    assert document["availability_mode"] == "all"


def test_every_value_is_shown_once() -> None:
    """What can be set is shown by what sets it."""
    shown = {value.key for value in TABLE} | {"boost"}
    assert set(COMPONENTS) == shown
    platforms = {key: component["platform"] for key, component in COMPONENTS.items()}
    assert {key: platform for key, platform in platforms.items() if "sensor" not in platform} == {
        "mode": "select",
        "boost": "switch",
        "min_current_a": "number",
        "max_current_a": "number",
    }


def test_ids_are_unique_and_legal() -> None:
    """Also for a site whose name is legal in a topic but not in an entity."""
    components = announced(Namespace("pvcharge", "my-house"))["components"].values()
    assert {"sensor.pvcharge_my_house_pv_w"} < {component["default_entity_id"] for component in components}
    for ids in ("unique_id", "default_entity_id"):
        assert len({component[ids] for component in components}) == len(components)
    for component in components:
        assert component["unique_id"].startswith("pvcharge_my-house_")
        assert re.fullmatch(rf"{component['platform']}\.[a-z0-9_]+", component["default_entity_id"])
    assert config_topic(Namespace("pvcharge", "my-house"), "ha") == "ha/device/pvcharge_my-house/config"


@each
def test_components_fit_their_platform(component: dict[str, Any]) -> None:
    """Nothing that is required is missing, nothing unknown is there, and no command is retained."""
    platform = component["platform"]
    keys = set(component)
    assert keys >= REQUIRED[platform] | {"unique_id", "name"}
    assert keys <= COMMON | REQUIRED[platform] | OPTIONAL.get(platform, set())
    assert not keys & {"retain", "object_id"}
    assert None not in component.values()


@each
def test_classes_fit_units(component: dict[str, Any]) -> None:
    """A device class has its own units, and an energy is a counter or has no state class."""
    device_class = component.get("device_class")
    assert component.get("unit_of_measurement") == UNITS.get(device_class or "")
    if device_class == "energy":
        assert component.get("state_class") in (None, "total_increasing")
    if device_class == "enum":
        assert component["options"]
        assert "state_class" not in component
    diagnostic = {"diagnostic", None} if "sensor" in component["platform"] else {"config", None}
    assert component.get("entity_category") in diagnostic


@each
def test_topics_are_ours(component: dict[str, Any]) -> None:
    """Each topic stands in the table, states retained, and commands where somebody listens."""
    table = {SITE.path(topic): topic for topic in TOPICS}
    assert table[component["state_topic"]].retain
    if "command_topic" in component:
        command = table[component["command_topic"]]
        assert command.name == f"{table[component['state_topic']].name}/set"
        assert not command.retain


def test_settings_offer_what_is_allowed() -> None:
    """All modes, and currents within the configured limits."""
    assert COMPONENTS["mode"]["options"] == list(Mode)
    for key in ("min_current_a", "max_current_a"):
        assert (COMPONENTS[key]["min"], COMPONENTS[key]["max"], COMPONENTS[key]["step"]) == (6, 13, 1)


def test_the_energy_dashboard_gets_a_counter() -> None:
    """The charger's lifetime counter is what it asks for."""
    counter = COMPONENTS["charger_total_kwh"]
    assert (counter["device_class"], counter["state_class"], counter["unit_of_measurement"]) == (
        "energy",
        "total_increasing",
        "kWh",
    )


def test_stale_values_expire() -> None:
    """Every sensor says so when the states stop coming."""
    sensors = [it for it in COMPONENTS.values() if "sensor" in it["platform"]]
    assert {it["expire_after"] for it in sensors} == {30}


class Rig:
    """A discovery at a broker in the test's hands."""

    def __init__(self, payload: str | None, seed: int) -> None:
        self.bus = RecordingBus()
        self.discovery = Discovery(self.bus, SITE, VirtualClock(), "homeassistant", payload, seed)

    def sent(self) -> list[str]:
        """Return what has been announced."""
        assert all(message.retain for message in self.bus.on(TOPIC))
        return [message.payload for message in self.bus.on(TOPIC)]


@asynccontextmanager
async def discovering(payload: str | None = "{}", seed: int = 1) -> AsyncIterator[Rig]:
    """Return a discovery that runs."""
    rig = Rig(payload, seed)
    async with running(rig.discovery.run()):
        yield rig


@pytest.mark.looptime
async def test_it_is_announced_at_each_connect() -> None:
    """The broker may have forgotten it."""
    async with discovering() as rig:
        await rig.bus.connect()
        await rig.bus.connect()
        assert rig.sent() == ["{}", "{}"]


@pytest.mark.looptime
@pytest.mark.parametrize("seed", range(5))
async def test_a_birth_is_answered_after_a_while(seed: int) -> None:
    """Once within ten seconds, not at once with everybody else; the next birth again."""
    async with discovering(seed=seed) as rig:
        for births in (1, 2):
            await rig.bus.deliver(BIRTH, "online")
            await asyncio.sleep(0.01)
            assert len(rig.sent()) == births - 1
            await asyncio.sleep(BIRTH_PAUSE_S)
            assert len(rig.sent()) == births


@pytest.mark.looptime
async def test_a_death_is_not_answered() -> None:
    """Nor is anything else on that topic."""
    async with discovering() as rig:
        for payload in (b"offline", b"", b"\xff", b"ONLINE "):
            await rig.bus.deliver(BIRTH, payload)
        await asyncio.sleep(2 * BIRTH_PAUSE_S)
        assert rig.sent() == []


@pytest.mark.looptime
async def test_switched_off_it_is_removed() -> None:
    """An empty retained payload removes the device; a birth brings nothing back."""
    async with discovering(payload=None) as rig:
        await rig.bus.connect()
        await rig.bus.deliver(BIRTH, "online")
        await asyncio.sleep(2 * BIRTH_PAUSE_S)
        assert rig.sent() == [""]


def test_the_state_topic_is_the_one_published() -> None:
    """The sensors read what the daemon writes."""
    assert COMPONENTS["pv_w"]["state_topic"] == SITE.path(topics.STATE)
    assert COMPONENTS["pv_w"]["value_template"] == "{{ value_json.pv_w }}"
