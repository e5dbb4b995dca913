"""The `[influxdb]` table: where measurements are sent, and how eagerly."""

from pathlib import Path
from typing import Annotated, Self
from urllib.parse import SplitResult, urlsplit

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, SecretStr, model_validator

from pvcharge.hosts import keep_from_the_clear


def _reachable(url: str) -> str:
    """Return the address of a server without a slash at its end; credentials do not belong into it."""
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        parts, port = SplitResult("", "", "", "", ""), None
    whole = parts.scheme in ("http", "https") and parts.hostname and port != 0 and url.isprintable()
    if not whole or " " in url or parts.query or parts.fragment:
        raise ValueError("must be an address such as http://localhost:8086")
    if parts.username is not None or parts.password is not None:
        raise ValueError("must hold no user or password; give a token")
    return url.rstrip("/")


def _one_word(secret: SecretStr) -> SecretStr:
    """Drop the line break of a file; what remains must fit into a header."""
    word = secret.get_secret_value().strip()
    if not word or not word.isascii() or not word.isprintable() or " " in word:
        raise ValueError("must be one word of printable ASCII characters")
    return SecretStr(word)


class InfluxSettings(BaseModel):
    """An InfluxDB 2 or 3, or a VictoriaMetrics, which needs neither token nor org and ignores the bucket.

    A token may be sent without TLS only to a server on this machine; `insecure` lifts that for a network
    which is trusted as a whole.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    url: Annotated[str, AfterValidator(_reachable)] = Field(description="such as http://localhost:8086")
    token: Annotated[SecretStr, AfterValidator(_one_word)] | None = Field(
        None, description="one that may write to the bucket, and nothing else"
    )
    insecure: bool = Field(default=False, description="whether the token may cross the network without TLS")
    ca_file: Path | None = Field(None, description="the CA to trust instead of the system's")
    org: str = Field("", description="the organization that owns the bucket")
    bucket: str = Field("pvcharge_raw", min_length=1)
    gzip: bool = Field(default=True, description="whether to send compressed")
    flush_s: float = Field(10.0, gt=0, le=10, description="what has come in is sent this often")
    batch_events: int = Field(5000, ge=1, le=50_000, description="the most in one request")
    timeout_s: float = Field(10.0, gt=0, le=300, description="for an answer, in real seconds")
    settle_s: float = Field(
        30.0, ge=0, le=3600, description="after that, in real seconds, what the server has taken outlives it"
    )

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        if not self._tls and self.ca_file:
            raise ValueError("ca_file is of use only with https")
        if self._tls and self.insecure:
            raise ValueError("insecure is of use only with http")
        if self.token and not (self._tls or self.insecure):
            keep_from_the_clear("the token", urlsplit(self.url).hostname or "", "https")
        return self

    @property
    def _tls(self) -> bool:
        return urlsplit(self.url).scheme == "https"
