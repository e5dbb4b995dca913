"""The password: its hash, and checks of what somebody believes it to be.

Argon2id with the smallest memory that OWASP advises, since a Raspberry Pi has little and does much besides.
"""

import asyncio

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError
from pydantic import SecretStr

MOST_WAITING = 8  # checks; one at a time is made

_HASHER = PasswordHasher(time_cost=2, memory_cost=19_456, parallelism=1)


class BusyError(Exception):
    """So many checks wait that one more would wait too long."""


def is_hash(password: str) -> bool:
    """Whether this is a hash rather than the password itself."""
    return password.startswith("$argon2")


def make_hash(password: str) -> str:
    """Return the hash of a password, to be kept; blocks for a good part of a second on a small machine."""
    return _HASHER.hash(password)


def matches(hashed: str, password: str) -> bool:
    """Whether this is the password of a hash; blocks for as long as making it took."""
    try:
        return _HASHER.verify(hashed, password)
    except (InvalidHashError, VerificationError):
        return False


class PasswordCheck:
    """Checks passwords in a thread, one after the other: each takes some 20 MB while it lasts.

    Args:
        hashed: the hash of the right one.
    """

    def __init__(self, hashed: SecretStr) -> None:
        self._hashed = hashed
        self._one_at_a_time = asyncio.Lock()
        self._waiting = 0

    async def is_right(self, password: SecretStr) -> bool:
        """Return whether this is the password.

        Raises:
            BusyError: too many others are waiting.
        """
        if self._waiting >= MOST_WAITING:
            raise BusyError
        self._waiting += 1
        try:
            async with self._one_at_a_time:
                return await asyncio.to_thread(
                    matches, self._hashed.get_secret_value(), password.get_secret_value()
                )
        finally:
            self._waiting -= 1
