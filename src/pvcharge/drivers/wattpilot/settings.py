"""What the table `[charger]` of the configuration may say about a Wattpilot."""

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, SecretStr, field_validator


class WattpilotSettings(BaseModel):
    """How to reach the box and log in."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    driver: Literal["wattpilot"] = "wattpilot"
    name: str = "wattpilot"
    host: str = Field(min_length=1, description="name or address of the box in the local network")
    port: int = Field(80, ge=1, le=65535)
    password: SecretStr = Field(description="the one set in the maker's app, not that of the hotspot")
    silence_s: float = Field(60.0, gt=0, description="without a word for this long, the link counts as dead")

    @field_validator("host")
    @classmethod
    def _is_host(cls, value: str) -> str:
        # What stands here is told everywhere; a password in it would be, too.
        if not value.isprintable() or set(value) & set(" /@?#[]"):
            raise ValueError("must be a host name or an IP address, without scheme, user, brackets or path")
        return value

    @property
    def url(self) -> str:
        """Address of the WebSocket."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"ws://{host}:{self.port}/ws"
