"""The `[mqtt]` table: which broker, how it is trusted, and how we log in."""

import ssl
from pathlib import Path
from typing import Self

from pydantic import BaseModel, ConfigDict, Field, SecretStr, field_validator, model_validator

from pvcharge.hosts import Host, join, keep_from_the_clear
from pvcharge.tls import client_context

TLS_PORT = 8883
PLAIN_PORT = 1883


class MqttSettings(BaseModel):
    """How to reach the broker, and where our topics stand there.

    Without TLS a password may be sent only to a broker on this machine; `insecure` lifts that for a network
    which is trusted as a whole.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    host: Host = Field(description="name or address of the broker")
    port: int | None = Field(None, ge=1, le=65535, description="8883 with TLS, else 1883, unless given")
    tls: bool = True
    insecure: bool = Field(default=False, description="whether a password may cross the network without TLS")
    ca_file: Path | None = Field(None, description="the CA to trust instead of the system's")
    cert_file: Path | None = Field(None, description="our own certificate, if the broker wants one")
    key_file: Path | None = Field(None, description="the key of that certificate")
    username: str | None = Field(None, min_length=1)
    password: SecretStr | None = None
    keepalive_s: int = Field(30, ge=5, le=3600, description="a silent connection is tested this often")
    prefix: str = Field("pvcharge", description="the first level of all our topics")
    discovery: bool = Field(default=True, description="whether to announce ourselves to Home Assistant")
    discovery_prefix: str = Field("homeassistant", description="where Home Assistant looks")

    @field_validator("prefix", "discovery_prefix")
    @classmethod
    def _is_path(cls, value: str) -> str:
        if not all(value.split("/")) or not value.isprintable() or set(value) & set("+#$ "):
            raise ValueError("must be a topic such as pvcharge or house/pvcharge, without +, #, $ or spaces")
        return value

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        if (self.cert_file is None) != (self.key_file is None):
            raise ValueError("cert_file and key_file are needed together")
        if not self.tls and (self.ca_file or self.cert_file):
            raise ValueError("ca_file, cert_file and key_file are of use only with tls = true")
        if self.tls and self.insecure:
            raise ValueError("insecure is of use only with tls = false")
        if self.password and not self.username:
            raise ValueError("a password needs a username")
        if self.password and not (self.tls or self.insecure):
            keep_from_the_clear("the password", self.host, "tls = true")
        return self

    @property
    def broker_port(self) -> int:
        """The port given, or the usual one."""
        return self.port or (TLS_PORT if self.tls else PLAIN_PORT)

    @property
    def address(self) -> str:
        """Host and port, for messages."""
        return join(self.host, self.broker_port)

    def tls_context(self) -> ssl.SSLContext | None:
        """Read the certificates as they are now, so that renewed ones count from the next connect on.

        Returns:
            None without TLS.

        Raises:
            OSError: a file cannot be read or holds no certificate (`ssl.SSLError` is an `OSError`).
        """
        if not self.tls:
            return None
        context = client_context(self.ca_file)
        if self.cert_file:
            context.load_cert_chain(self.cert_file, self.key_file)
        return context
