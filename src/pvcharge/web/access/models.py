"""What requests about access bring along, and what they get, as JSON."""

from typing import Literal

from pydantic import Field, SecretStr, field_validator

from pvcharge.web.answers import Answer, Moment
from pvcharge.web.bodies import Body
from pvcharge.web.settings import LONGEST_PASSWORD

MOST_TOKENS = 32
LONGEST_TOKEN_NAME = 64


class AccessAnswer(Answer):
    """What the asking visitor may do."""

    level: Literal["owner", "guest", "none"]
    password_set: bool = Field(description="whether there is a login at all")
    guest_view: bool = Field(description="whether everybody may look")


class LoginBody(Body):
    """A password."""

    password: SecretStr = Field(min_length=1, max_length=LONGEST_PASSWORD)


class NewTokenBody(Body):
    """What a new token is for."""

    name: str = Field(min_length=1, max_length=LONGEST_TOKEN_NAME)

    @field_validator("name")
    @classmethod
    def _can_be_seen(cls, name: str) -> str:
        """Refuse what would break or turn the line that shows it."""
        if not name.isprintable() or not name.strip():
            raise ValueError("must be in characters that can be seen")
        return name


class TokenAnswer(Answer):
    """A token, without what is secret of it."""

    id: str
    name: str
    created_at: Moment
    last_used_at: Moment | None = Field(description="to the hour; null if it never was")


class TokensAnswer(Answer):
    """All tokens, oldest first."""

    tokens: list[TokenAnswer]


class NewTokenAnswer(Answer):
    """A token that has just been made; it is shown this once."""

    id: str
    name: str
    token: str = Field(description="goes into the header Authorization, after the word Bearer")
