"""The configuration: the TOML file, and what the environment says instead.

`config_toml`: the file as it is. `config_environment`: a variable a line, laid over a good file.
"""

import os
import tomllib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import cache
from importlib.metadata import entry_points
from typing import Any
from unittest.mock import patch
from zoneinfo import available_timezones

from pvcharge import config
from pvcharge.config import Config, ConfigError, load
from pvcharge.control import Controller
from pvcharge.drivers import base
from pvcharge.secret_files import secrets_in
from targets.base import Target, check_message, folder, is_number
from targets.mutate import mutate_by_words

_SECRET = "plantedpassword77"  # noqa: S105 - of nothing
_PATH = folder() / "pvcharge.toml"
_VARIABLES = ("PVCHARGE_", "CREDENTIALS_DIRECTORY", "STATE_DIRECTORY")
_LARGEST = 120_000  # bytes of a variable that the system takes


def run_toml(data: bytes) -> None:
    """Load a file; it is good, or all that is wrong with it is told by file, key and reason."""
    _write(data)
    with _environment({}), _quickly():
        _load(keys_of(_tables(data)), data)


def run_environment(data: bytes) -> None:
    """Load a good file with these variables."""
    _write(_STANDALONE)
    variables: dict[bytes, bytes] = {}
    for line in data.split(b"\n"):
        name, equals, value = line.replace(b"\0", b"").partition(b"=")
        if equals and name:
            variables[b"PVCHARGE_" + name] = value[:_LARGEST]
    with _environment(variables), _quickly():
        _load(b"".join(variables).decode("utf-8", "surrogateescape").casefold(), b"".join(variables.values()))


def _write(data: bytes) -> None:
    _PATH.write_bytes(data)
    _PATH.chmod(0o600)


def _load(names: str, values: bytes) -> None:
    try:
        loaded = load(_PATH)
    except ConfigError as error:
        assert error.problems, "refused, and nobody says why"
        is_clean = _SECRET not in names
        for line in error.problems:
            in_file = line.startswith(f"{_PATH}: ")
            assert in_file or line.startswith("environment: PVCHARGE_"), f"says nothing of where: {line!a}"
            check_message(ValueError(line.replace("\n", " ")), secrets=(_SECRET,) if is_clean else ())
    else:
        _check(loaded, values.count(_SECRET.encode()))


def _check(it: Config, planted: int) -> None:
    """Fail unless a configuration that was accepted can be worked with."""
    secret = sum(_SECRET in text for text in secrets_in(it))
    assert _SECRET not in repr(it) or planted != secret, "a secret in a text"
    assert it.site.zone.key == it.site.timezone
    assert is_number(it.site.latitude, -90, 90)
    assert is_number(it.site.longitude, -180, 180)
    Controller(it.control)
    it.control.model_dump_json()
    names = [device.settings.name for device in it.inverters]
    assert len(names) == len(set(names))
    if it.web is not None:
        it.web.local_url.encode()
    str(it.state_dir)


def _tables(data: bytes) -> Mapping[str, Any]:
    try:
        return tomllib.loads(data.decode("utf-8-sig"))
    except (ValueError, RecursionError):
        return {}


def keys_of(value: object) -> str:
    """Return all keys of a document, which may be told, in one text."""
    found, inside = list[str](), [value]
    while inside:
        part = inside.pop()
        if isinstance(part, Mapping):
            found += map(str, part)
            inside += part.values()
        elif isinstance(part, list):
            inside += part
    return "\n".join(found)


@contextmanager
def _environment(variables: Mapping[bytes, bytes]) -> Iterator[None]:
    """Have just these variables of ours for a while."""
    before = dict(os.environb)
    try:
        for name in list(os.environb):
            if name.decode("latin-1").startswith(_VARIABLES):
                del os.environb[name]
        for name, value in variables.items():
            os.environb[name] = value
        yield
    finally:
        for name in set(os.environb) - set(before):
            del os.environb[name]
        os.environb.update(before)


@contextmanager
def _quickly() -> Iterator[None]:
    """Look for drivers and time zones on the disk but once."""
    with (
        patch.object(base, "entry_points", _entry_points),
        patch.object(config, "available_timezones", _timezones),
    ):
        yield


_entry_points = cache(entry_points)
_timezones = cache(available_timezones)

_STANDALONE = f"""role = "standalone"
[site]
name = "home"
latitude = 48.37
longitude = 14.51
timezone = "Europe/Vienna"
[[inverter]]
driver = "solaredge_modbus"
host = "192.0.2.10"
units = [1, 2]
[[inverter]]
driver = "solaredge"
api = "v2"
site_id = 123456
api_key = "{_SECRET}"
[charger]
driver = "wattpilot"
host = "192.0.2.20"
password = "{_SECRET}"
[control]
objective = "balance"
min_current_a = 6
phases = [1, 3]
on_stale = "minimum"
[history]
enabled = true
[influxdb]
url = "https://influx.example"
org = "home"
bucket = "pv"
token = "{_SECRET}"
[web]
listen = "127.0.0.1:8080"
hosts = ["pv.example"]
trusted_proxies = ["192.0.2.0/24"]
embed_in = ["https://ha.example:8123"]
[log]
level = "info"
""".encode()
_EDGE = f"""role = "edge"
[site]
latitude = -33
longitude = 151.2
timezone = "Australia/Sydney"
[charger]
driver = "wattpilot"
host = "wattpilot.local"
password = "{_SECRET}"
[[inverter]]
driver = "solaredge_modbus"
host = "192.0.2.10"
further_inverters = [{{ host = "192.0.2.11", port = 502, units = [3] }}]
[edge]
on_silence = "local"
[mqtt]
host = "broker.example"
port = 8883
tls = true
username = "edge"
password = "{_SECRET}"
""".encode()
_WRONG = b"""[site]
latitude = 91
longitude = nan
timezone = "Europe/Wien"
colour = 2026-06-15T12:00:00Z
[[inverter]]
driver = "solarege"
[charger]
driver = "wattpilot"
[control]
min_current_a = 33
min_on = 5
phases = [2]
"""
_VARIABLE_LINES = (
    b"CONTROL__OBJECTIVE=cost\nCONTROL__IMPORT_PRICE=0.31\nCONTROL__FEED_IN_PRICE=0.08\nLOG__LEVEL=debug",
    b"CONTROL__PHASES=[1]\nSITE__LATITUDE=47.1\nROLE=standalone",
    b'INVERTER=[{"driver":"solaredge_modbus","host":"192.0.2.11"}]\nCHARGER={"driver":"wattpilot","host":"x"}',
    b"CHARGER__PASSWORD=" + _SECRET.encode() + b"\nCHARGER__HOST=192.0.2.21",
    b'CONTROL=none\nSITE__TIMEZONE=Mars/Olympus\nWEB__HOSTS=["a"]\nWEB__PASSWORD=short',
    b"STATE_DIR=/var/lib/pvcharge\nHISTORY__ENABLED=false\nCONTROL__MIN_ON_S__DEEPER=1",
)
_TOML_WORDS = (
    *(
        b"nan",
        b"-inf",
        b"1e999",
        b"0x7f",
        b"1_000",
        b"1979-05-27T07:32:00-00:60",
        b"07:32:00",
        b"true",
        b"'x'",
    ),
    *(
        b'"""',
        b"'''",
        b'"\\ud800"',
        b'"\\u0000"',
        b'"\\U0010ffff"',
        b"[[",
        b"]]",
        b"[",
        b"{ a = 1 }",
        b"a.b.c = 1\n",
    ),
    *(
        b"[control]\n",
        b"[[charger]]\n",
        b"[charger.host]\n",
        b"charger.x.y = 1\n",
        b"\xef\xbb\xbf",
        b"\0",
        b"\xff",
    ),
    *(b"\r\n", b"# \x7f\n", b"1" * 5000, b"[" * 700, b"{a=" * 700, b"a." * 700, b'password_file = "x"\n'),
    *(
        b'password_file = "../../etc/shadow\\u0000"\n',
        b'name = "solaredge"\n',
        b'role = "cloud"\n',
        b"99999-01-01",
    ),
)
_ENVIRONMENT_WORDS = (
    *(
        b"CONTROL__",
        b"SITE__",
        b"INVERTER=",
        b"CHARGER__",
        b"MQTT__HOST=",
        b"=",
        b"\n",
        b"__",
        b"\xff",
        b"[",
        b"{",
    ),
    *(
        b"[" * 1200,
        b'{"a":' * 1200,
        b"1" * 5000,
        b"1e999",
        b"nan",
        b"null",
        b'"\\ud800"',
        b'{"password":"x"}',
    ),
    *(
        b"WEB__HOSTS=",
        b"WEB__LISTEN=0.0.0.0:80",
        b"INFLUXDB__URL=http://[",
        b"ROLE=edge",
        b"LOG__LEVEL=",
        b"true",
    ),
    *(b"CHARGER__PASSWORD_FILE=", b"INVERTER__0__HOST=", b"INVERTER__DRIVER=solaredge", b"CONTROL__PHASES="),
)

TOML = Target(
    name="config_toml",
    run=run_toml,
    seeds=(_STANDALONE, _EDGE, _WRONG, b"", b"\xef\xbb\xbf" + _EDGE, _STANDALONE.replace(b"\n", b"\r\n")),
    mutate=mutate_by_words(*_TOML_WORDS),
)
ENVIRONMENT = Target(
    name="config_environment",
    run=run_environment,
    seeds=_VARIABLE_LINES,
    mutate=mutate_by_words(*_ENVIRONMENT_WORDS),
)
