"""Tokens for programs: made with a name, shown once, of which only the hash is kept here.

Besides these there is one for the programs on this machine that may read the daemon's state directory.
"""

import secrets
from collections.abc import Mapping
from datetime import UTC
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, SecretStr, ValidationError

from pvcharge.model import Clock
from pvcharge.storage import KeptTime
from pvcharge.web.access.kept import KeptFile
from pvcharge.web.access.models import LONGEST_TOKEN_NAME, MOST_TOKENS
from pvcharge.web.access.sessions import ID_BYTES, digest

FILE = "web-tokens.json"
LOCAL_TOKEN_FILE = "web-token"  # noqa: S105 - the name of a file
PREFIX = "pvc_"  # so that people, and programs that look for leaks, see what it is
USED_AFTER_S = 3600.0  # so often it is written down that a token is used
_ID_BYTES = 8


class TooManyTokensError(Exception):
    """There are as many tokens as there may be."""


class Token(BaseModel):
    """A token as it is kept."""

    model_config = ConfigDict(frozen=True)

    id: str = Field(pattern=r"^[0-9a-f]{16}$")
    name: str = Field(max_length=LONGEST_TOKEN_NAME)
    hash: str = Field(pattern=r"^[0-9a-f]{64}$", repr=False)
    created_at: KeptTime
    last_used_at: KeptTime | None = None


class Tokens:
    """All tokens; they survive restarts and other passwords.

    Args:
        state_dir: where they are kept.
        clock: the daemon's time.
    """

    def __init__(self, state_dir: Path, clock: Clock) -> None:
        self._clock = clock
        self._file = KeptFile(state_dir / FILE, self._document)
        self._local_file = KeptFile(state_dir / LOCAL_TOKEN_FILE, self._local_document)
        self._tokens: dict[str, Token] = {}  # by their hash
        self._local = SecretStr(secrets.token_urlsafe(ID_BYTES))

    async def restore(self) -> None:
        """Read the tokens that were made, and write the one for this machine."""
        document = await self._file.read()
        entries = document.get("tokens")
        for entry in entries if isinstance(entries, list) else ():
            try:
                token = Token.model_validate(entry)
            except ValidationError:
                continue
            if len(self._tokens) < MOST_TOKENS:
                self._tokens[token.hash] = token
        await self._local_file.try_write()

    def all(self) -> list[Token]:
        """Return them, oldest first."""
        return sorted(self._tokens.values(), key=lambda token: token.created_at)

    async def make(self, name: str) -> tuple[Token, SecretStr]:
        """Make a token.

        Returns:
            What is kept of it, and the token itself.

        Raises:
            TooManyTokensError: there is no room.
            OSError: it cannot be kept.
        """
        if len(self._tokens) >= MOST_TOKENS:
            raise TooManyTokensError
        secret = PREFIX + secrets.token_urlsafe(ID_BYTES)
        token = Token(
            id=secrets.token_hex(_ID_BYTES), name=name, hash=digest(secret), created_at=self._clock.now()
        )
        self._tokens[token.hash] = token
        try:
            await self._file.write()
        except OSError:
            self._tokens.pop(token.hash, None)
            raise
        return token, SecretStr(secret)

    async def delete(self, token_id: str) -> bool:
        """Delete a token; return whether there was one.

        Raises:
            OSError: it is good no more, but would be again after a restart.
        """
        found = [key for key, token in self._tokens.items() if token.id == token_id]
        for key in found:
            del self._tokens[key]
        if found:
            await self._file.write()
        return bool(found)

    def is_good(self, secret: str) -> bool:
        """Whether this is a token; notes that it is used."""
        key = digest(secret)
        if secrets.compare_digest(key, digest(self._local.get_secret_value())):
            return True
        token = self._tokens.get(key)
        if token is None:
            return False
        now = self._clock.now().astimezone(UTC)
        if token.last_used_at is None or abs((now - token.last_used_at).total_seconds()) >= USED_AFTER_S:
            self._tokens[key] = token.model_copy(update={"last_used_at": now})
            self._file.note()
        return True

    async def flush(self, *, at_once: bool = False) -> None:
        """Write down what is not yet; after a disk has failed only now and then, or `at_once`."""
        await self._file.flush(at_once=at_once)
        await self._local_file.flush(at_once=at_once)

    def _document(self) -> Mapping[str, Any]:
        return {"v": 1, "tokens": [token.model_dump(mode="json") for token in self.all()]}

    def _local_document(self) -> Mapping[str, Any]:
        return {"v": 1, "token": self._local.get_secret_value()}
