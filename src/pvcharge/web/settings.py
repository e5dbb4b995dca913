"""The `[web]` table: where the daemon answers over HTTP."""

import re
from ipaddress import IPv6Address, ip_address

from pydantic import BaseModel, ConfigDict, Field, field_validator

SHAPE = "must be an address and a port, such as 127.0.0.1:8080 or [::1]:8080"
LAST_PORT = 65535
_LISTEN = re.compile(r"(?P<host>\[(?P<inner>[^\[\]]+)\]|[^\[\]]+):(?P<port>[0-9]{1,5})")


class WebSettings(BaseModel):
    """Where the web server listens.

    Any address will do, and needs no login: so far there is nothing but `/metrics` and `/healthz`, which show
    no secret and take no command. Who can reach the port can see how much power the house draws, though.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    listen: str = Field(
        "127.0.0.1:8080", description="address and port; 0.0.0.0 is every IPv4 address we have"
    )

    @field_validator("listen")
    @classmethod
    def _is_address(cls, value: str) -> str:
        return _join(*_split(value))

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


def _join(host: str, port: int) -> str:
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
