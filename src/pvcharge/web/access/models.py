"""What requests about access bring along, and what they get, as JSON."""

from datetime import datetime
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, SecretStr

from pvcharge.web.settings import LONGEST_PASSWORD

MOST_TOKENS = 32
LONGEST_TOKEN_NAME = 64
_PRINTABLE = r"^[^\x00-\x1f\x7f]*[^\x00-\x20\x7f][^\x00-\x1f\x7f]*$"  # with something to see


class _Body(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class AccessAnswer(_Body):
    """What the asking visitor may do."""

    level: Literal["owner", "guest", "none"]
    password_set: bool = Field(description="whether there is a login at all")
    guest_view: bool = Field(description="whether everybody may look")


class LoginBody(_Body):
    """A password."""

    password: SecretStr = Field(min_length=1, max_length=LONGEST_PASSWORD)


class EmptyBody(_Body):
    """Nothing to say."""


class NewTokenBody(_Body):
    """What a new token is for."""

    name: str = Field(max_length=LONGEST_TOKEN_NAME, pattern=_PRINTABLE)


class TokenAnswer(_Body):
    """A token, without what is secret of it."""

    id: str
    name: str
    created_at: datetime
    last_used_at: datetime | None = Field(description="to the hour; null if it never was")


class TokensAnswer(_Body):
    """All tokens, oldest first."""

    tokens: list[TokenAnswer]


class NewTokenAnswer(_Body):
    """A token that has just been made; it is shown this once."""

    id: str
    name: str
    token: str = Field(description="goes into the header Authorization, after the word Bearer")
