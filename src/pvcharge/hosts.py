"""Hosts as settings name them, and which of them may be sent a secret without TLS."""

from ipaddress import ip_address
from typing import Annotated

from pydantic import AfterValidator, Field


def _checked(host: str) -> str:
    """Accept a name or an IP address and nothing around it: a password in it would be told everywhere."""
    if not host.isprintable() or set(host) & set(" /@?#[]"):
        raise ValueError("must be a host name or an IP address, without scheme, user, brackets or path")
    if host.count(":") == 1:
        raise ValueError("must be a host name or an IP address; the port has a key of its own, `port`")
    return host


Host = Annotated[str, Field(min_length=1), AfterValidator(_checked)]


def join(host: str, port: int) -> str:
    """Return host and port as they stand in a URL."""
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def is_this_machine(host: str) -> bool:
    """Whether what is sent to a host, a name or an address, never leaves this machine."""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def keep_from_the_clear(secret: str, host: str, cure: str) -> None:
    """Refuse to send a secret without TLS to another machine.

    Args:
        secret: what it is, for the message.
        host: to which it would be sent.
        cure: what to use instead.

    Raises:
        ValueError: the host is none of this machine.
    """
    if not is_this_machine(host):
        raise ValueError(
            f"{secret} would cross the network to {host} in the clear; "
            f"use {cure}, or insecure = true if you trust all of that network"
        )
