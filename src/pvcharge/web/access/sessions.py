"""Who has logged in: random ids that browsers keep in a cookie, of which only the hash is kept here."""

import asyncio
import re
import secrets
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from pathlib import Path
from typing import Any

from pydantic import SecretStr

from pvcharge.model import Clock
from pvcharge.web.access.kept import KeptFile
from pvcharge.web.access.passwords import is_hash, make_hash, matches

FILE = "web-sessions.json"
IDLE_S = timedelta(days=30).total_seconds()
MOST_SESSIONS = 64  # the one unused for longest makes room
RENEWED_AFTER_S = 3600.0  # so often a use is written down, and the browser told to keep the cookie
ID_BYTES = 32
_LAST_S = datetime.max.replace(tzinfo=UTC).timestamp()  # whatever stands in the file
_DIGEST = re.compile(r"[0-9a-f]{64}")


def digest(secret: str) -> str:
    """Return by what a random secret is known here."""
    return sha256(secret.encode("utf-8", "surrogateescape")).hexdigest()


class Sessions:
    """All sessions; they survive a restart, and end with the password of which they were made.

    Args:
        state_dir: where they are kept.
        clock: the daemon's time.
    """

    def __init__(self, state_dir: Path, clock: Clock) -> None:
        self._clock = clock
        self._file = KeptFile(state_dir / FILE, self._document)
        self._hashed: SecretStr | None = None
        self._seen_s: dict[str, float] = {}  # when they were last used, by their digest; unix seconds
        self._renewed_s: dict[str, float] = {}  # when their cookies were last given, as far as this is known

    async def restore(self, password: SecretStr | None) -> SecretStr | None:
        """Read the sessions of this password; those of another one end.

        Returns:
            The password's hash, None if there is no password.
        """
        document = await self._file.read()
        before = document.get("password")
        if password is not None:
            hashed = await asyncio.to_thread(_hash_of, password.get_secret_value(), before)
            self._hashed = SecretStr(hashed)
            if hashed == before:
                self._seen_s = _sessions_in(document)
                self._forget_idle()
                return self._hashed
        if password is not None or document:
            await self._file.try_write()
        return self._hashed

    async def begin(self) -> str:
        """Return the id of a new session."""
        session = secrets.token_urlsafe(ID_BYTES)
        self._seen_s[digest(session)] = self._renewed_s[digest(session)] = self._now_s()
        self._forget_idle()
        await self._file.try_write()
        return session

    async def end(self, session: str) -> None:
        """End a session, if it is one."""
        if self._seen_s.pop(digest(session), None) is not None:
            await self._file.try_write()

    def is_live(self, session: str) -> bool:
        """Whether this is the id of a session that has been used lately."""
        seen_s = self._seen_s.get(digest(session))
        return seen_s is not None and self._now_s() - seen_s < IDLE_S

    def use(self, session: str) -> bool:
        """Whether this is the id of a session that has been used lately; this is a use of it."""
        if not self.is_live(session):
            return False
        key, now_s = digest(session), self._now_s()
        # A clock that was ahead for a while must not have it live for longer.
        if not 0 <= now_s - self._seen_s[key] < RENEWED_AFTER_S:
            self._seen_s[key] = now_s
            self._file.note()
        return True

    def wants_renewal(self, session: str) -> bool:
        """Whether a browser should be told to keep the cookie of a live session for longer; asked once."""
        key, now_s = digest(session), self._now_s()
        if key in self._renewed_s and 0 <= now_s - self._renewed_s[key] < RENEWED_AFTER_S:
            return False
        self._renewed_s[key] = now_s
        return True

    async def flush(self, *, at_once: bool = False) -> None:
        """Write down what is not yet; after a disk has failed only now and then, or `at_once`."""
        await self._file.flush(at_once=at_once)

    def _forget_idle(self) -> None:
        """Forget sessions that are over, and those that are too many."""
        now_s = self._now_s()
        live = {key: seen_s for key, seen_s in self._seen_s.items() if now_s - seen_s < IDLE_S}
        newest = sorted(live, key=live.__getitem__)[-MOST_SESSIONS:]
        self._seen_s = {key: live[key] for key in newest}
        self._renewed_s = {key: self._renewed_s[key] for key in newest if key in self._renewed_s}

    def _now_s(self) -> float:
        return self._clock.now().timestamp()

    def _document(self) -> Mapping[str, Any]:
        hashed = self._hashed.get_secret_value() if self._hashed else None
        return {"v": 1, "password": hashed, "sessions": dict(self._seen_s)}


def _hash_of(password: str, before: object) -> str:
    """Return the hash of a password: the one of before, if that is still of the same."""
    if is_hash(password):
        return password
    if isinstance(before, str) and matches(before, password):
        return before
    return make_hash(password)


def _sessions_in(document: Mapping[str, Any]) -> dict[str, float]:
    """Return the sessions in a file, without what makes no sense."""
    sessions = document.get("sessions")
    if not isinstance(sessions, dict):
        return {}
    return {
        key: float(seen_s)
        for key, seen_s in sessions.items()
        if _DIGEST.fullmatch(key) and isinstance(seen_s, int | float) and 0 <= seen_s < _LAST_S
    }
