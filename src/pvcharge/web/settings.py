"""The `[web]` table: where the daemon answers over HTTP, and who may do what there."""

import json
import re
from ipaddress import IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import Self

from pydantic import BaseModel, ConfigDict, Field, SecretStr, field_validator, model_validator

from pvcharge.hosts import join
from pvcharge.web.addresses import parse_host, parse_origin

SHAPE = "must be an address and a port, such as 127.0.0.1:8080 or [::1]:8080"
LAST_PORT = 65535
SHORTEST_PASSWORD = 8  # characters
LONGEST_PASSWORD = 1024
# More than that of a hash would let a login hold up the whole machine.
MOST_HASH_MEMORY_KIB = 262_144
MOST_HASH_PASSES = 16
_LISTEN = re.compile(r"(?P<host>\[(?P<inner>[^\[\]]+)\]|[^\[\]]+):(?P<port>[0-9]{1,5})")
_HASH = re.compile(
    r"\$argon2(id|i|d)\$v=19\$m=(?P<memory>[0-9]{1,9}),t=(?P<passes>[0-9]{1,9}),p=[0-9]{1,2}"
    r"\$[A-Za-z0-9+/]{11,}\$[A-Za-z0-9+/]{16,}"
)
_BASE_PATH = re.compile(r"(/[A-Za-z0-9_~-][A-Za-z0-9._~-]*)*")

Network = IPv4Network | IPv6Network


class WebSettings(BaseModel):
    """Where the web server listens, and who may do what there.

    Without a password whoever reaches the port may do everything, so only this machine itself can reach it.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    listen: str = Field(
        "127.0.0.1:8080", description="address and port; 0.0.0.0 is every IPv4 address we have"
    )
    password: SecretStr | None = Field(
        None, description="the password itself, or better what `pvcharge password` makes of it"
    )
    guest_view: bool = Field(default=False, description="whether everybody may look without the password")
    hosts: tuple[str, ...] = Field((), description="further names by which browsers reach this machine")
    base_path: str = Field("", description="where the page begins, such as /pvcharge behind a proxy")
    trusted_proxies: tuple[str, ...] = Field(
        (), description="addresses or networks whose X-Forwarded-* are believed"
    )
    embed_in: tuple[str, ...] = Field((), description="origins of pages that may show this one in a frame")
    metrics_public: bool = Field(default=True, description="whether /metrics needs no password")

    @field_validator("listen")
    @classmethod
    def _is_address(cls, value: str) -> str:
        return join(*_split(value))

    @field_validator("password")
    @classmethod
    def _is_password(cls, value: SecretStr | None) -> SecretStr | None:
        if value is not None:
            _check_password(value.get_secret_value())
        return value

    @field_validator("hosts", "trusted_proxies", "embed_in", mode="before")
    @classmethod
    def _read_list(cls, value: object) -> object:
        """Read what an environment variable has: JSON, as for all lists."""
        if not isinstance(value, str):
            return value
        try:
            return json.loads(value)
        except (ValueError, RecursionError):
            return value

    @field_validator("hosts")
    @classmethod
    def _are_hosts(cls, values: tuple[str, ...]) -> tuple[str, ...]:
        hosts = [parse_host(value) for value in values]
        if any(host is None or host.port is not None for host in hosts):
            raise ValueError("must be names such as pv.example, without http:// and without a port")
        return tuple(host.name for host in hosts if host)

    @field_validator("base_path")
    @classmethod
    def _is_base_path(cls, value: str) -> str:
        path = value.rstrip("/")
        if not _BASE_PATH.fullmatch(path):
            raise ValueError("must be a path such as /pvcharge, of letters, digits, - and _")
        return path

    @field_validator("trusted_proxies")
    @classmethod
    def _are_networks(cls, values: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(str(_network(value)) for value in values)

    @field_validator("embed_in")
    @classmethod
    def _are_origins(cls, values: tuple[str, ...]) -> tuple[str, ...]:
        origins = [parse_origin(value) for value in values]
        if None in origins:
            raise ValueError("must be origins such as https://ha.example:8123, without a path")
        return tuple(str(origin) for origin in origins)

    @model_validator(mode="after")
    def _is_safe(self) -> Self:
        if self.password is None and not ip_address(self.host).is_loopback:
            raise ValueError(
                "other machines can reach the address in listen, so a password is needed: give password_file "
                "(`pvcharge password` makes what belongs into it), or listen on 127.0.0.1:8080"
            )
        return self

    @property
    def local_url(self) -> str:
        """Where a program on this machine finds the page, without a slash at the end."""
        address = ip_address(self.host)
        local = "::1" if isinstance(address, IPv6Address) else "127.0.0.1"
        host = local if address.is_unspecified else self.host
        return f"http://{join(host, self.port)}{self.base_path}"

    @property
    def proxy_networks(self) -> tuple[Network, ...]:
        """The trusted proxies."""
        return tuple(ip_network(value) for value in self.trusted_proxies)

    @property
    def host(self) -> str:
        """The address, without brackets."""
        return _split(self.listen)[0]

    @property
    def port(self) -> int:
        """The port."""
        return _split(self.listen)[1]


def _split(listen: str) -> tuple[str, int]:
    """Return address and port.

    Raises:
        ValueError: it is none of what we can listen on; the message says what would be.
    """
    parts = _LISTEN.fullmatch(listen)
    if parts is None:
        raise ValueError(SHAPE)
    inner, port = parts["inner"], int(parts["port"])
    if not 1 <= port <= LAST_PORT:
        raise ValueError(f"the port must be from 1 to {LAST_PORT}")
    host = "127.0.0.1" if parts["host"] == "localhost" else inner or parts["host"]
    try:
        address = ip_address(host)
    except ValueError:
        raise ValueError(
            f"{SHAPE}; a name will not do, but 0.0.0.0 is every IPv4 address that we have"
        ) from None
    if isinstance(address, IPv6Address) is not bool(inner):
        raise ValueError("an IPv6 address, and no other, stands in brackets: [::1]:8080")
    return str(address), port


def _check_password(password: str) -> None:
    """Refuse what no password should be.

    Raises:
        ValueError: it will not do; the message says why, and never shows it.
    """
    if password.startswith("$argon2"):
        parts = _HASH.fullmatch(password)
        if parts is None:
            raise ValueError("begins like a hash of Argon2 but is none; `pvcharge password` makes one")
        if int(parts["memory"]) > MOST_HASH_MEMORY_KIB or int(parts["passes"]) > MOST_HASH_PASSES:
            raise ValueError("is a hash that is too heavy to check; `pvcharge password` makes a lighter one")
    elif len(password) < SHORTEST_PASSWORD:
        raise ValueError(f"must have at least {SHORTEST_PASSWORD} characters")
    elif len(password) > LONGEST_PASSWORD:
        raise ValueError(f"must have at most {LONGEST_PASSWORD} characters")


def _network(text: str) -> Network:
    """Return a network of proxies.

    Raises:
        ValueError: it is none, or everybody is in it.
    """
    try:
        network = ip_network(text, strict=False)
    except ValueError:
        raise ValueError(
            "must be addresses or networks such as 127.0.0.1 or 172.18.0.0/16; a name will not do"
        ) from None
    if network.prefixlen == 0:
        raise ValueError("must not be everybody: who is in there can say that he is anybody")
    return network
