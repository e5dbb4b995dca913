"""Takes out of texts and tables what is secret, or tells whose house it is."""

import re
import socket
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import fields, is_dataclass
from datetime import date
from ipaddress import ip_address
from pathlib import Path
from urllib.parse import urlsplit

from pydantic import BaseModel, JsonValue, SecretStr

from pvcharge.concealed import MASK, find_form, forms_of
from pvcharge.config import Config, Device
from pvcharge.log import scrub

_SECRET_KEY = re.compile(
    r"password|secret|token|api_?key|authorization|hmac|hash|cookie|serial", re.IGNORECASE
)
_HOST_KEY = re.compile(r"host|url|server|broker|address|listen|proxies|embed_in", re.IGNORECASE)
_PERSON_KEY = re.compile(r"user|client_id|site_id|account|^org$|^bucket$|prefix", re.IGNORECASE)
_PLACE_KEY = re.compile(r"^(?:latitude|longitude)$", re.IGNORECASE)
# What stands in everybody's configuration tells nothing, and would be missed in every sentence.
_EVERYBODYS = {
    *("", "home", "pvcharge", "pvcharge_raw", "homeassistant", "localhost", "mqtt", "admin", "root"),
    *("0.0.0.0", "::", "127.0.0.1", "::1", "monitoringapi.solaredge.com", "connect.solaredge.com"),  # noqa: S104
}
_ADDRESS = re.compile(
    r"(?<![\w.:])(?:\d{1,3}(?:\.\d{1,3}){3}|[0-9A-Fa-f]{0,4}(?::[0-9A-Fa-f]{0,4}){2,7})(?![\w:])"
)
_HARDWARE = re.compile(r"(?<![\w:-])[0-9A-Fa-f]{2}(?:[:-][0-9A-Fa-f]{2}){5}(?![\w:-])")
_AT_HOME = re.compile(
    r"(?<![\w.-])[\w-]+(?:\.[\w-]+)*\.(?:local|lan|home|internal|fritz\.box|home\.arpa)\b",
    re.IGNORECASE,
)
_MAIL = re.compile(r"(?<![\w.+-])[\w.+-]+@[\w-]+(?:\.[\w-]+)+")


class Blur:
    """Replaces what is known from a configuration, and what looks like an address.

    The same thing gets the same name everywhere, so that what belongs together can still be seen.

    Args:
        config: whose secrets, hosts, names and place shall not be told.
    """

    def __init__(self, config: Config) -> None:
        self._names: dict[str, str] = {}
        self._secrets: set[str] = set()
        for key, value in _settings(plain(config)):
            self._learn(key, value)
        self._name(config.site.name, "site")
        self._name(socket.gethostname(), "machine")
        self._name(str(config.state_dir), "<state_dir>")
        self._name(str(Path.home()), "~")
        self._places = {
            f"{value}": f"{round(value)}" for value in (config.site.latitude, config.site.longitude)
        }
        self._pattern = self._compiled()
        self._names |= self._places

    def text(self, text: str) -> str:
        """Return a text without any of it."""
        blurred = self._pattern.sub(lambda found: self._names.get(found[0].lower(), MASK), scrub(text))
        blurred = _HARDWARE.sub("<hardware address>", _MAIL.sub("<mail address>", blurred))
        blurred = _AT_HOME.sub(lambda found: self._named(found[0], "host"), blurred)
        return _ADDRESS.sub(self._address, blurred)

    def value(self, value: object, key: str = "") -> JsonValue:
        """Return tables, lists, settings or a plain value without any of it, as they go into JSON."""
        it = plain(value)
        if it is None or isinstance(it, bool):
            return it
        if isinstance(it, SecretStr) or _SECRET_KEY.search(key):
            return MASK
        if isinstance(it, Mapping):
            return {self.text(str(name)): self.value(inner, str(name)) for name, inner in it.items()}
        if isinstance(it, list | tuple | set | frozenset):
            return [self.value(each, key) for each in it]
        if isinstance(it, int | float):
            return self._number(it, key)
        return self.text(it.name if isinstance(it, Path) and not it.is_dir() else str(it))

    def _number(self, number: float, key: str) -> JsonValue:
        if _PLACE_KEY.search(key):
            return round(number)
        return self._names.get(str(number), number) if _PERSON_KEY.search(key) else number

    def _learn(self, key: str, value: object) -> None:
        """Take in one value of the configuration."""
        if isinstance(value, SecretStr):
            self._secrets |= forms_of(value.get_secret_value())
        elif _PERSON_KEY.search(key) and isinstance(value, str | int) and not isinstance(value, bool):
            self._name(str(value), key)
        elif _HOST_KEY.search(key) and isinstance(value, str):
            self._name(_host_of(value), "host")

    def _name(self, word: str, kind: str) -> None:
        if word.lower() not in _EVERYBODYS:
            self._named(word, kind)

    def _named(self, word: str, kind: str) -> str:
        """Return the name that something has got, which may be new."""
        number = sum(name.startswith(f"<{kind} ") for name in self._names.values()) + 1
        return self._names.setdefault(word.lower(), kind if kind[0] in "<~" else f"<{kind} {number}>")

    def _address(self, found: re.Match[str]) -> str:
        try:
            address = ip_address(found[0])
        except ValueError:  # a time of day, a version
            return found[0]
        return found[0] if address.is_loopback or address.is_unspecified else self._named(found[0], "address")

    def _compiled(self) -> re.Pattern[str]:
        """Return what finds all that is known, the longest first."""
        words = {*self._secrets, *self._names, *self._places}
        parts = [
            find_form(word) if word in self._secrets else rf"(?<!\w){re.escape(word)}(?!\w)"
            for word in sorted(words, key=len, reverse=True)
        ]
        return re.compile("|".join(parts) or r"(?!)", re.IGNORECASE)


def plain(value: object) -> object:
    """Return settings and dataclasses as tables, anything else as it is."""
    if isinstance(value, Device):
        return plain(value.settings)
    if isinstance(value, BaseModel):
        return {name: getattr(value, name) for name in type(value).model_fields}
    if is_dataclass(value) and not isinstance(value, type):
        return {field.name: getattr(value, field.name) for field in fields(value)}
    return value.isoformat() if isinstance(value, date) else value


def _settings(table: object, key: str = "") -> Iterator[tuple[str, object]]:
    """Yield each value within a table, however deep, with the key that it has."""
    it = plain(table)
    if isinstance(it, Mapping):
        for name, inner in it.items():
            yield from _settings(inner, str(name))
    elif isinstance(it, Sequence) and not isinstance(it, str):
        for inner in it:
            yield from _settings(inner, key)
    else:
        yield key, it


def _host_of(text: str) -> str:
    """Return the host of an address or URL."""
    try:
        return urlsplit(text if "://" in text else f"//{text}").hostname or text
    except ValueError:
        return text
