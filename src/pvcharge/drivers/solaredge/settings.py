"""The `[[inverter]]` table of the SolarEdge cloud driver."""

from typing import Annotated, Literal, Self
from urllib.parse import urlsplit

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    PositiveInt,
    SecretStr,
    field_validator,
    model_validator,
)

from pvcharge.hosts import keep_from_the_clear


def _one_word(secret: SecretStr) -> SecretStr:
    """Drop the line break of a file; what remains must fit into a header."""
    word = secret.get_secret_value().strip()
    if not word or not word.isascii() or not word.isprintable() or " " in word:
        raise ValueError("must be one word of printable ASCII characters")
    return SecretStr(word)


Url = Annotated[str, Field(pattern=r"^https?://[^\s?#@]+$")]
Secret = Annotated[SecretStr, AfterValidator(_one_word)]


class SolarEdgeSettings(BaseModel):
    """Which site is read, through which API and credentials, and what that may cost.

    Attributes:
        name: the source that readings and pages name.
        api: "v2", or "v1" (retired by SolarEdge on 2026-11-03; useful only with an own server).
        data: V2 only. "quarter" reads 15-minute means, which every tier has; "live" reads the power
            flow of the moment, which needs Business Pro or Enterprise.
        api_key: a V2 fleet key, or a V1 key. Without one, V2 logs in by OAuth as `client_id`.
        insecure: whether key or login may cross the network to a `base_url` without TLS.
        has_battery: fetch the battery's power too: one more request each quarter.
        fetch_production: fetch the production too where no meter measures it: one more request each quarter.
        calls_per_month: V2 requests in a billing cycle.
        billing_day: day of the month on which that cycle begins.
        calls_per_day: V1 requests in any 24 hours.
        reserve_pct: share of the requests kept for the first read after a start or a plug-in.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)

    driver: Literal["solaredge"] = "solaredge"
    name: str = "solaredge"
    api: Literal["v2", "v1"] = "v2"
    site_id: PositiveInt
    data: Literal["quarter", "live"] = "quarter"
    base_url: Url = "https://monitoringapi.solaredge.com"
    authorize_url: Url = "https://connect.solaredge.com/authorize"
    insecure: bool = False
    api_key: Secret | None = None
    client_id: str | None = None
    client_secret: Secret | None = None
    has_battery: bool = False
    fetch_production: bool = False
    calls_per_month: PositiveInt = 2000
    billing_day: int = Field(default=1, ge=1, le=28)
    calls_per_day: PositiveInt = 300
    reserve_pct: float = Field(default=10.0, ge=0.0, le=50.0)

    @property
    def uses_oauth(self) -> bool:
        """Whether requests carry a token from `pvcharge login solaredge` instead of a key."""
        return self.api == "v2" and self.api_key is None

    @property
    def key(self) -> str:
        """The API key in clear text, empty without one."""
        return self.api_key.get_secret_value() if self.api_key else ""

    @property
    def secret(self) -> str:
        """The client secret in clear text, empty without one."""
        return self.client_secret.get_secret_value() if self.client_secret else ""

    @field_validator("base_url")
    @classmethod
    def _without_last_slash(cls, url: str) -> str:
        return url.rstrip("/")

    @model_validator(mode="after")
    def _keeps_its_secrets(self) -> Self:
        parts = urlsplit(self.base_url)
        if parts.scheme == "https" and self.insecure:
            raise ValueError("insecure is of use only with http")
        if not (parts.scheme == "https" or self.insecure):
            keep_from_the_clear("key or login", parts.hostname or "", "https in base_url")
        return self

    @model_validator(mode="after")
    def _has_credentials(self) -> Self:
        by_oauth = self.client_id is not None and self.client_secret is not None
        if self.api == "v1" and self.api_key is None:
            raise ValueError('api = "v1" needs api_key (or api_key_file)')
        if self.uses_oauth and not by_oauth:
            raise ValueError(
                'api = "v2" needs client_id with client_secret (or client_secret_file) of your application '
                "at developer.solaredge.com, or the api_key (or api_key_file) of a fleet account"
            )
        if self.api_key is not None and (self.client_id is not None or self.client_secret is not None):
            raise ValueError("give either api_key or client_id with client_secret, not both")
        return self
