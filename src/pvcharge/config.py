"""TOML and environment -> validated settings, or one list of everything that is wrong.

Each room exports the settings it understands; this module joins them. Every problem names the file,
the key and the reason. Secrets come from `<key>_file` keys or systemd credentials, or stand in the file
if nobody else can read it.
"""

import os
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import Any, Literal
from zoneinfo import ZoneInfo, available_timezones

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator
from pydantic_core import ErrorDetails
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from pvcharge.control import ControlSettings
from pvcharge.drivers.base import CHARGERS, INVERTERS, Driver, UnknownDriverError, find, names
from pvcharge.log import LogSettings
from pvcharge.secret_files import SecretError, resolve_secrets
from pvcharge.tasks.charger_task import EdgeSettings

UNITS = {
    "a": "amperes",
    "deg": "degrees",
    "pct": "percent",
    "s": "seconds",
    "v": "volts",
    "w": "watts",
    "wh": "watt-hours",
}


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
            hint = f"; did you mean {near[0]!r}?" if near else "; write it like Europe/Vienna"
            raise ValueError(f"unknown time zone {value!r}{hint}")
        return value

    @property
    def zone(self) -> ZoneInfo:
        """The time zone itself."""
        return ZoneInfo(self.timezone)


class _File(BaseSettings):
    """The shape of the whole file; driver tables are validated by their drivers afterwards."""

    model_config = SettingsConfigDict(extra="forbid", env_prefix="PVCHARGE_", env_nested_delimiter="__")

    role: Literal["standalone"] = "standalone"
    state_dir: Path | None = None
    site: SiteSettings
    inverter: list[dict[str, Any]] = Field(min_length=1)
    charger: dict[str, Any]
    control: ControlSettings = ControlSettings()
    edge: EdgeSettings = EdgeSettings()
    log: LogSettings = LogSettings()

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Let the environment win over the file, which comes in as keyword arguments."""
        del settings_cls, dotenv_settings, file_secret_settings
        return env_settings, init_settings


@dataclass(frozen=True, slots=True)
class Device:
    """A configured device: its driver and that driver's validated settings."""

    driver: Driver
    settings: Any


@dataclass(frozen=True, slots=True)
class Config:
    """The whole configuration, validated."""

    role: str
    site: SiteSettings
    inverters: tuple[Device, ...]
    charger: Device
    control: ControlSettings
    edge: EdgeSettings
    log: LogSettings
    state_dir: Path


def load(path: Path) -> Config:
    """Read and validate a configuration file.

    Raises:
        ConfigError: with every problem found.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise ConfigError([f"{path}: no such file; copy config.example.toml there and edit it"]) from None
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError([f"{path}: cannot be read: {error}"]) from error
    try:
        tables = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ConfigError([f"{path}: no valid TOML: {error}"]) from error
    return build(tables, path)


def build(tables: Mapping[str, Any], path: Path) -> Config:
    """Validate tables as they stand in a file; `path` is for messages and for relative secret files."""
    try:
        parsed = _File(**tables)
    except ValidationError as error:
        raise ConfigError([_problem(path, (), item, _File) for item in error.errors()]) from error
    problems: list[str] = []
    inverters = [
        _device(INVERTERS, table, path, ("inverter", number), problems)
        for number, table in enumerate(parsed.inverter, start=1)
    ]
    charger = _device(CHARGERS, parsed.charger, path, ("charger",), problems)
    seen = [device.settings.name for device in (*inverters, charger) if device]
    problems += [
        f"{path}: two devices are called {name!r}; give each its own name"
        for name in sorted(set(seen))
        if seen.count(name) > 1
    ]
    if problems or charger is None:
        raise ConfigError(problems)
    return Config(
        role=parsed.role,
        site=parsed.site,
        inverters=tuple(device for device in inverters if device),
        charger=charger,
        control=parsed.control,
        edge=parsed.edge,
        log=parsed.log,
        state_dir=parsed.state_dir or default_state_dir(),
    )


def default_state_dir() -> Path:
    """Return where tokens and counters survive: systemd's state directory, else the user's."""
    systemd = os.environ.get("STATE_DIRECTORY")
    if systemd:
        return Path(systemd.split(":")[0])
    base = os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state"
    return Path(base) / "pvcharge"


def _device(
    kind: str, table: Mapping[str, Any], path: Path, where: tuple[str | int, ...], problems: list[str]
) -> Device | None:
    name = table.get("driver")
    label = _label(where)
    if not isinstance(name, str):
        problems.append(f"{path}: {label}: driver is missing; one of: {', '.join(names(kind))}")
        return None
    try:
        driver = find(kind, name)
    except UnknownDriverError as error:
        near = get_close_matches(name, names(kind), n=1)
        problems.append(f"{path}: {label}: {error}{f'; did you mean {near[0]!r}?' if near else ''}")
        return None
    try:
        settings = driver.settings.model_validate(resolve_secrets(table, driver.settings, path))
    except SecretError as error:
        problems.append(f"{path}: {label}: {error}")
    except ValidationError as error:
        problems += [_problem(path, where, item, driver.settings) for item in error.errors()]
    else:
        return Device(driver, settings)
    return None


def _label(where: tuple[str | int, ...]) -> str:
    if len(where) > 1 and isinstance(where[1], int):
        return f"[[{where[0]}]] number {where[1]}"
    return f"[{where[0]}]"


def _problem(path: Path, where: tuple[str | int, ...], item: ErrorDetails, model: type[BaseModel]) -> str:
    """Put one of pydantic's errors into a line of ours."""
    loc = [part for part in item["loc"] if part not in ("function-after", "tuple")]
    key = ".".join(str(part) for part in loc)
    prefix = f"{path}: {_label(where)}: " if where else f"{path}: "
    if item["type"] == "extra_forbidden":
        return f"{prefix}{key}: unknown key{_nearest(str(loc[-1]), _parent(model, loc))}"
    if item["type"] == "missing":
        return f"{prefix}{key}: is missing"
    given = item["input"]
    shown = f", not {given!r}" if isinstance(given, (str, int, float, bool)) and not _secret(key) else ""
    reason = item["msg"].removeprefix("Value error, ").removeprefix("Input should be ")
    if item["type"] == "value_error":
        return f"{prefix}{key}: {reason}" if key else f"{prefix}{reason}"
    unit = UNITS.get(key.rsplit("_", 1)[-1], "") if isinstance(given, str) else ""
    return f"{prefix}{key}: must be {reason}{f' (a plain number of {unit})' if unit else ''}{shown}"


def _secret(key: str) -> bool:
    return any(word in key for word in ("password", "secret", "key", "token"))


def _parent(model: type[BaseModel], loc: list[Any]) -> type[BaseModel]:
    """Follow a location to the model that holds its last part."""
    for part in loc[:-1]:
        field = model.model_fields.get(str(part))
        if field and isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel):
            model = field.annotation
    return model


def _nearest(key: str, model: type[BaseModel]) -> str:
    valid = sorted(model.model_fields)
    stem = key.rsplit("_", 1)[0]
    same_stem = [name for name in valid if name.rsplit("_", 1)[0] == stem and "_" in name]
    near = same_stem or get_close_matches(key, valid, n=1)
    if not near:
        return f"; valid here: {', '.join(valid)}"
    unit = UNITS.get(near[0].rsplit("_", 1)[-1]) if same_stem else None
    return f"; did you mean {near[0]}{f' (in {unit})' if unit else ''}?"
