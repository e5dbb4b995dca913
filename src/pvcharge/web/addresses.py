"""Hosts and origins as browsers write them.

Everything here is strict: what is not plainly a host or an origin is none, so that no two programs can read
different things out of the same text.
"""

import re
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address, ip_address

DEFAULT_PORTS = {"http": 80, "https": 443}
_LONGEST_NAME = 253  # characters, as in DNS
_LAST_PORT = 65535
_NAME = re.compile(r"[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?(\.[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?)*")
_HOST = re.compile(r"(?P<host>\[[0-9a-f:.]+\]|[a-z0-9._-]+?)\.?(:(?P<port>[0-9]{1,5}))?", re.ASCII)
_ORIGIN = re.compile(r"(?P<scheme>https?)://(?P<rest>[^/?#@\s]+)", re.ASCII)

Address = IPv4Address | IPv6Address


@dataclass(frozen=True, slots=True)
class Host:
    """A host as it stands in a request.

    Attributes:
        name: in small letters, or an address in its usual form and without brackets.
        port: None where it is not given.
    """

    name: str
    port: int | None = None

    def __str__(self) -> str:
        """Return it as it stands in a URL."""
        name = f"[{self.name}]" if ":" in self.name else self.name
        return name if self.port is None else f"{name}:{self.port}"


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a page comes from.

    Attributes:
        scheme: "http" or "https".
        host: its port is None where it is the usual one.
    """

    scheme: str
    host: Host

    def __str__(self) -> str:
        """Return it as browsers write it."""
        return f"{self.scheme}://{self.host}"


def parse_host(text: str) -> Host | None:
    """Return what a Host header says, None if it is no host."""
    parts = _HOST.fullmatch(text.lower()) if text.isascii() else None
    if parts is None:
        return None
    port = None if parts["port"] is None else int(parts["port"])
    if port is not None and not 1 <= port <= _LAST_PORT:
        return None
    name, in_brackets = parts["host"], parts["host"].startswith("[")
    address = parse_address(name.strip("[]"))
    if address is not None and isinstance(address, IPv6Address) is in_brackets:
        return Host(str(address), port)
    is_name = address is None and len(name) <= _LONGEST_NAME and _NAME.fullmatch(name)
    return Host(name, port) if is_name else None


def parse_origin(text: str) -> Origin | None:
    """Return what an Origin header says, None if it is none of the web, such as `null`."""
    parts = _ORIGIN.fullmatch(text.lower()) if text.isascii() else None
    host = parts and parse_host(parts["rest"])
    if not parts or not host:
        return None
    return Origin(parts["scheme"], without_usual_port(host, parts["scheme"]))


def without_usual_port(host: Host, scheme: str) -> Host:
    """Return a host without its port, where that is the scheme's usual one."""
    return Host(host.name) if host.port == DEFAULT_PORTS.get(scheme) else host


def parse_address(text: str) -> Address | None:
    """Return an address, that of IPv4 where it comes in the clothes of IPv6; None if it is none."""
    try:
        address = ip_address(text.partition("%")[0])
    except ValueError:
        return None
    mapped = address.ipv4_mapped if isinstance(address, IPv6Address) else None
    return mapped or address
