"""TOML and environment -> validated settings, or one list of everything that is wrong.

Each room exports the settings it understands; this module joins them. Secrets come from `<key>_file` keys
or systemd credentials, or stand in the file if nobody else can read it.
"""

import os
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import Any, Literal, TypeVar
from zoneinfo import ZoneInfo, available_timezones

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator
from pydantic.fields import FieldInfo
from pydantic_settings import BaseSettings, EnvSettingsSource, SettingsConfigDict

from pvcharge.control import ControlSettings
from pvcharge.drivers.base import CHARGERS, INVERTERS, Driver, UnknownDriverError, find, names
from pvcharge.history.influx.settings import InfluxSettings
from pvcharge.history.settings import HistorySettings
from pvcharge.log import LogSettings
from pvcharge.mqtt.settings import MqttSettings
from pvcharge.problems import ENV_DELIMITER, ENV_PREFIX, Location, Problems
from pvcharge.secret_files import resolve_secrets
from pvcharge.tasks.charger_task import EdgeSettings, OnSilence
from pvcharge.web.settings import WebSettings

KINDS: dict[str | int, str] = {"inverter": INVERTERS, "charger": CHARGERS}
SERVICE_STATE_DIR = Path("/var/lib/pvcharge")

Role = Literal["standalone", "cloud", "edge"]
REQUIRED: dict[str, tuple[str, ...]] = {
    "standalone": ("inverter", "charger"),
    "cloud": ("mqtt",),  # readings may all come from the edge
    "edge": ("charger", "mqtt"),
}
WHY_REQUIRED = {"mqtt": "cloud and edge reach each other through a broker"}

M = TypeVar("M", bound=BaseModel)


class ConfigError(Exception):
    """The configuration cannot be used.

    Attributes:
        problems: one line each, naming file, key and reason.
    """

    def __init__(self, problems: list[str]) -> None:
        super().__init__("\n".join(problems))
        self.problems = problems


class SiteSettings(BaseModel):
    """The `[site]` table: where the house stands."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str = Field(default="home", pattern=r"^[a-z0-9][a-z0-9_-]{0,31}$")
    latitude: float = Field(ge=-90, le=90)
    longitude: float = Field(ge=-180, le=180)
    timezone: str

    @field_validator("timezone")
    @classmethod
    def _known(cls, value: str) -> str:
        if value not in available_timezones():
            near = get_close_matches(value, available_timezones(), n=1)
            hint = f"did you mean {near[0]}?" if near else "write it like Europe/Vienna"
            raise ValueError(f"unknown time zone; {hint}")
        return value

    @property
    def zone(self) -> ZoneInfo:
        """The time zone itself."""
        return ZoneInfo(self.timezone)


class _File(BaseModel):
    """The shape of the whole file; tables that may hold secrets are validated afterwards."""

    model_config = ConfigDict(extra="forbid")

    role: Role = "standalone"
    state_dir: Path | None = None
    site: SiteSettings
    inverter: list[dict[str, Any]] = Field(default_factory=list)
    charger: dict[str, Any] = Field(default_factory=dict)
    control: ControlSettings = ControlSettings()
    edge: EdgeSettings = EdgeSettings()
    mqtt: dict[str, Any] = Field(default_factory=dict)
    history: HistorySettings = HistorySettings()
    influxdb: dict[str, Any] = Field(default_factory=dict)
    web: dict[str, Any] = Field(default_factory=dict)
    log: LogSettings = LogSettings()


class _Overrides(BaseSettings, _File):
    """The same from the environment: `PVCHARGE_CONTROL__OBJECTIVE`; lists and whole tables as JSON."""

    model_config = SettingsConfigDict(env_prefix=ENV_PREFIX, env_nested_delimiter=ENV_DELIMITER)


class _Environment(EnvSettingsSource):
    """Reads the environment; what is no JSON stays text, to be refused by its key like any wrong value."""

    def decode_complex_value(self, field_name: str, field: FieldInfo, value: Any) -> Any:
        """Parse JSON, if it is any."""
        try:
            return super().decode_complex_value(field_name, field, value)
        except (ValueError, RecursionError):
            return value


@dataclass(frozen=True, slots=True)
class Device:
    """A configured device: its driver and that driver's validated settings."""

    driver: Driver
    settings: Any


@dataclass(frozen=True, slots=True)
class Config:
    """The whole configuration, validated.

    `charger` is None for the cloud, whose charger is that of the edge; `mqtt` never is for cloud and edge;
    `web` is None where nothing is to be shown.
    """

    role: Role
    site: SiteSettings
    inverters: tuple[Device, ...]
    charger: Device | None
    control: ControlSettings
    edge: EdgeSettings
    mqtt: MqttSettings | None
    history: HistorySettings
    influxdb: InfluxSettings | None
    web: WebSettings | None
    log: LogSettings
    state_dir: Path


def load(path: Path) -> Config:
    """Read and validate a configuration file, with what the environment says instead.

    Raises:
        ConfigError: with every problem found.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")  # some editors put a mark before all text
    except FileNotFoundError:
        raise ConfigError([f"{path}: no such file; copy config.example.toml there and edit it"]) from None
    except OSError as error:
        raise ConfigError([f"{path}: cannot be read: {error.strerror}"]) from None
    except UnicodeDecodeError:
        raise ConfigError([f"{path}: no UTF-8 text; save it as UTF-8"]) from None
    try:
        tables = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ConfigError([f"{path}: no valid TOML: {error}"]) from None
    except RecursionError:
        raise ConfigError([f"{path}: too many brackets within brackets"]) from None
    except ValueError:  # the only other one that the parser lets through
        raise ConfigError([f"{path}: a number has thousands of digits"]) from None
    return build(tables, path, _Environment(_Overrides)())


def build(tables: Mapping[str, Any], path: Path, environment: Mapping[str, Any] | None = None) -> Config:
    """Validate tables as they stand in a file.

    Args:
        tables: of the file.
        path: for messages and for relative secret files.
        environment: tables that win over those, key by key.

    Raises:
        ConfigError: with every problem found.
    """
    environment = environment or {}
    merged = _merge(tables, environment)
    problems = Problems(path, environment, _File)
    parsed = None
    try:
        parsed = _File.model_validate(merged)
    except ValidationError as error:
        problems.add_errors(error, _File)
    _check_role(merged, problems)
    if parsed is not None:
        _check_stand_in(parsed, problems)
    if parsed is not None and parsed.influxdb and not parsed.history.enabled:
        problems.add(("influxdb",), "needs the history, of which it is sent; set enabled = true in [history]")
    devices = {
        location: _device(location, table, path, problems) for location, table in _device_tables(merged)
    }
    _refuse_same_names(devices, problems)
    charger = devices.pop(("charger",), None)
    mqtt = _maybe_table("mqtt", merged, MqttSettings, path, problems)
    influxdb = _maybe_table("influxdb", merged, InfluxSettings, path, problems)
    web = _maybe_table("web", merged, WebSettings, path, problems)
    if parsed is None or problems.lines:
        raise ConfigError(problems.lines)
    return Config(
        role=parsed.role,
        site=parsed.site,
        inverters=tuple(device for device in devices.values() if device),
        charger=charger,
        control=parsed.control,
        edge=parsed.edge,
        mqtt=mqtt,
        history=parsed.history,
        influxdb=influxdb,
        web=web,
        log=parsed.log,
        state_dir=parsed.state_dir or default_state_dir(),
    )


def default_state_dir() -> Path:
    """Return where tokens and counters survive: the service's state directory, else the user's.

    Who runs `pvcharge login` beside the service must find the same place as the service.
    """
    systemd = os.environ.get("STATE_DIRECTORY")
    if systemd:
        return Path(systemd.split(":")[0])
    if os.access(SERVICE_STATE_DIR, os.W_OK):
        return SERVICE_STATE_DIR
    base = os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state"
    return Path(base) / "pvcharge"


def _merge(below: Mapping[str, Any], above: Mapping[str, Any]) -> dict[str, Any]:
    """Lay one set of tables over another, key by key."""
    merged = {**below, **above}
    for key in below.keys() & above.keys():
        if isinstance(below[key], Mapping) and isinstance(above[key], Mapping):
            merged[key] = _merge(below[key], above[key])
    return merged


def _check_role(merged: Mapping[str, Any], problems: Problems) -> None:
    """Require the tables that a role needs, and refuse a charger where it would never be used."""
    role = merged.get("role", "standalone")
    for table in REQUIRED.get(role, ()) if isinstance(role, str) else ():
        if table not in merged:
            why = WHY_REQUIRED.get(table)
            problems.add((table,), f"is missing; {why}" if why else "is missing")
        elif merged[table] == []:
            problems.add((table,), "must not be empty")
    if role == "cloud" and "charger" in merged:
        problems.add(
            ("charger",), "belongs into the edge's configuration; the cloud reaches it through [mqtt]"
        )


def _check_stand_in(parsed: _File, problems: Problems) -> None:
    """Refuse to lead the charger from here where the charger is not, or where there is nothing to follow."""
    if parsed.edge.on_silence is not OnSilence.LOCAL:
        return
    if parsed.role != "edge":
        problems.add(
            ("edge", "on_silence"), '"local" is for role "edge" only, which has a cloud to stand in for'
        )
    elif not parsed.inverter:
        problems.add(
            ("edge", "on_silence"), '"local" needs an [[inverter]] here, whose readings the edge can follow'
        )


def _device_tables(merged: Mapping[str, Any]) -> Iterator[tuple[Location, Any]]:
    """Yield the table of every device, the inverters in their order; of any type, as it stands there."""
    inverters = merged.get("inverter")
    if isinstance(inverters, list):
        for number, table in enumerate(inverters):
            yield ("inverter", number), table
    if "charger" in merged:
        yield ("charger",), merged["charger"]


def _device(location: Location, table: Any, path: Path, problems: Problems) -> Device | None:
    """Validate a device's table by its driver; what is no table has been refused before."""
    if not isinstance(table, Mapping):
        return None
    driver = _driver(KINDS[location[0]], table.get("driver"), location, problems)
    settings = driver and _table(location, table, driver.settings, path, problems)
    return Device(driver, settings) if driver and settings else None


def _maybe_table(
    key: str, merged: Mapping[str, Any], model: type[M], path: Path, problems: Problems
) -> M | None:
    """Validate a table that may be left out."""
    return _table((key,), merged[key], model, path, problems) if key in merged else None


def _table(location: Location, table: Any, model: type[M], path: Path, problems: Problems) -> M | None:
    """Validate a table that may hold secrets; what is no table has been refused before."""
    if not isinstance(table, Mapping):
        return None
    in_file = [key for key in table if problems.variable((*location, key)) is None]
    resolved, secret_problems = resolve_secrets(table, model, path, in_file)
    for key, reason in secret_problems.items():
        problems.add((*location, key), reason)
    try:
        return model.model_validate(resolved)
    except ValidationError as error:
        problems.add_errors(error, model, location)
        return None


def _driver(kind: str, name: Any, location: Location, problems: Problems) -> Driver | None:
    try:
        return find(kind, name)
    except UnknownDriverError:
        installed = names(kind)
        near = get_close_matches(str(name), installed, n=1)
        hint = f"did you mean {near[0]}?" if near else f"installed are: {', '.join(installed)}"
        problems.add((*location, "driver"), f"{'is missing' if name is None else 'no such driver'}; {hint}")
        return None


def _refuse_same_names(devices: Mapping[Location, Device | None], problems: Problems) -> None:
    seen: set[str] = set()
    for location, device in devices.items():
        if device and device.settings.name in seen:
            problems.add((*location, "name"), "another device has this name; give each its own")
        elif device:
            seen.add(device.settings.name)
