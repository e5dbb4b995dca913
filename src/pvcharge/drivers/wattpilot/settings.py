"""What the table `[charger]` of the configuration may say about a Wattpilot."""

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, SecretStr

from pvcharge.hosts import Host, join


class WattpilotSettings(BaseModel):
    """How to reach the box and log in."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    driver: Literal["wattpilot"] = "wattpilot"
    name: str = "wattpilot"
    host: Host = Field(description="name or address of the box in the local network")
    port: int = Field(80, ge=1, le=65535)
    password: SecretStr = Field(description="the one set in the maker's app, not that of the hotspot")
    silence_s: float = Field(60.0, gt=0, description="without a word for this long, the link counts as dead")

    @property
    def url(self) -> str:
        """Address of the WebSocket."""
        return f"ws://{join(self.host, self.port)}/ws"
