"""The `[history]` table: how long what is remembered."""

from pydantic import BaseModel, ConfigDict, Field


class HistorySettings(BaseModel):
    """Whether to remember, and for how many days; energies by day and sessions are kept for ever."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    enabled: bool = Field(default=True, description="false: remember nothing, as for a disk that wears out")
    raw_days: float = Field(30.0, ge=1, le=3660, description="every reading, status and decision")
    five_minute_days: float = Field(730.0, ge=1, le=36600, description="energies by five minutes")
