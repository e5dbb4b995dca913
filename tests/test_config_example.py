"""config.example.toml is what people start from: it must load, be complete, and show the true defaults."""

import re
import shutil
import tomllib
from pathlib import Path

import pytest
from pydantic import BaseModel

from pvcharge import config
from pvcharge.control import ControlSettings
from pvcharge.drivers.solaredge import SolarEdgeSettings
from pvcharge.drivers.solaredge_modbus import SolarEdgeModbusSettings
from pvcharge.drivers.wattpilot import WattpilotSettings
from pvcharge.history.influx.settings import InfluxSettings
from pvcharge.history.settings import HistorySettings
from pvcharge.log import LogSettings
from pvcharge.mqtt.settings import MqttSettings
from pvcharge.tasks.charger_task import EdgeSettings
from pvcharge.web.settings import WebSettings
from support.settings import charger_settings

EXAMPLE = Path(__file__).parents[1] / "config.example.toml"
SECRETS = (
    "solaredge-client-secret",
    "solaredge-api-key",
    "wattpilot-password",
    "mqtt-password",
    "influx-token",
)
MODELS: dict[str, type[BaseModel]] = {
    "site": config.SiteSettings,
    "charger": WattpilotSettings,
    "control": ControlSettings,
    "edge": EdgeSettings,
    "mqtt": MqttSettings,
    "history": HistorySettings,
    "influxdb": InfluxSettings,
    "web": WebSettings,
    "log": LogSettings,
}


@pytest.fixture
def example(tmp_path: Path) -> Path:
    """Return a copy of the example with the secret files that it names."""
    for name in (
        "solaredge-client-secret",
        "solaredge-api-key",
        "wattpilot-password",
        "mqtt-password",
        "influx-token",
        "web-password",
    ):
        (tmp_path / name).write_text("secret word\n" if name == "web-password" else "secret\n")
        (tmp_path / name).chmod(0o600)
    return Path(shutil.copy(EXAMPLE, tmp_path))


def uncommented(text: str) -> str:
    """Return the example with every commented setting in force."""
    return re.sub(r"^#(?=\[|[a-z_]+ = )", "", text, flags=re.MULTILINE)


def test_the_example_loads_as_it_stands(example: Path) -> None:
    """A newcomer has to fill in the values, and nothing else."""
    settings = config.load(example)
    assert [device.settings.uses_oauth for device in settings.inverters] == [True]
    assert charger_settings(settings).password.get_secret_value() == "secret"


def test_every_commented_setting_is_valid_and_shows_its_default(example: Path) -> None:
    """Removing a # alone changes nothing."""
    before = config.load(example)
    example.write_text(uncommented(example.read_text()))
    after = config.load(example)
    assert after.control.car_energy_price == before.control.replacement_price
    assert after.control == before.control.model_copy(update={"car_energy_price": 0.19})
    assert (after.site, after.edge, after.log, after.role, after.history) == (
        before.site,
        before.edge,
        before.log,
        before.role,
        before.history,
    )
    assert charger_settings(after) == charger_settings(before)
    modbus, cloud, fleet = (device.settings for device in after.inverters)
    assert modbus == SolarEdgeModbusSettings(host=modbus.host)
    assert cloud == before.inverters[0].settings
    assert fleet.key == "secret"
    assert before.mqtt is None
    assert after.mqtt is not None
    assert after.mqtt.password is not None
    plain = MqttSettings(host=after.mqtt.host)
    shown = after.mqtt.model_dump(
        exclude={"username", "password", "port", "ca_file", "cert_file", "key_file"}
    )
    assert plain.model_dump() == plain.model_dump() | shown
    assert after.state_dir == config.SERVICE_STATE_DIR


@pytest.mark.parametrize("model", [SolarEdgeSettings, SolarEdgeModbusSettings])
def test_every_setting_of_an_inverter_appears(model: type[BaseModel]) -> None:
    """In one of the tables of its driver."""
    tables = tomllib.loads(uncommented(EXAMPLE.read_text()))["inverter"]
    own = [table for table in tables if table["driver"] == model.model_fields["driver"].default]
    fields = set(model.model_fields)
    written = {key for table in own for key in table}
    assert {key if key in fields else key.removesuffix("_file") for key in written} == fields


@pytest.mark.parametrize("table", MODELS)
def test_every_setting_appears(table: str) -> None:
    """What a model understands can be found in the example, in its own table."""
    parts = re.split(r"^\[+(\w+)\]+$", uncommented(EXAMPLE.read_text()), flags=re.MULTILINE)
    text = "".join(body for name, body in zip(parts[1::2], parts[2::2], strict=True) if name == table)
    fields = set(MODELS[table].model_fields)
    written = set(re.findall(r"^(\w+) = ", text, flags=re.MULTILINE))
    keys = {key if key in fields else key.removesuffix("_file") for key in written}
    assert keys == fields | ({"driver"} & keys)
