"""OAuth 2.0 "site access": the way of a homeowner into V2.

Every refresh returns a new refresh token and kills the old one. So the new pair is on disk before it is
used, only one refresh runs at a time, and a refresh that is under way is never cancelled half-way.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from http import HTTPStatus
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlencode

import structlog

from pvcharge.concealed import hide
from pvcharge.drivers.base import AuthError, PermanentError, TransientError
from pvcharge.drivers.solaredge.answers import LOGIN_HINT, Answer, problem, refusal, understand
from pvcharge.drivers.solaredge.fields import as_mapping, as_number, as_text, as_time, unusable
from pvcharge.drivers.solaredge.settings import SolarEdgeSettings
from pvcharge.model import Clock
from pvcharge.storage import read_json, write_json
from pvcharge.texts import printable

log = structlog.get_logger(__name__)

SCOPES = "SITE_DATA DEVICE_DATA"
ACCESS_MONTHS = 24  # the longest that SolarEdge grants
_AHEAD = timedelta(seconds=60)
_DEFAULT_LIFE_S = 7200.0
_SHOWN = 60  # characters of what was pasted, in a message
_TOKEN_REFUSALS = (HTTPStatus.BAD_REQUEST, HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN)

PostToken = Callable[[Mapping[str, str]], Awaitable[Answer]]


@dataclass(frozen=True, slots=True)
class Tokens:
    """A pair of tokens; its text shows neither."""

    access: str = field(repr=False)
    refresh: str = field(repr=False)
    expires_at: datetime  # of the access token

    def __post_init__(self) -> None:
        """Have both masked in every log, whoever writes them there."""
        hide((self.access, self.refresh))

    @classmethod
    def from_answer(cls, document: Any, now: datetime) -> "Tokens":
        """Read the token endpoint's answer.

        Raises:
            TransientError: it holds no tokens.
        """
        answer = as_mapping(document, "the token answer")
        life_s = as_number(answer.get("expires_in"), "expires_in")
        return cls(
            access=_token(answer, "access_token"),
            refresh=_token(answer, "refresh_token"),
            expires_at=now + timedelta(seconds=_DEFAULT_LIFE_S if life_s is None else max(0.0, life_s)),
        )

    @classmethod
    def from_file(cls, document: Mapping[str, Any]) -> "Tokens":
        """Read what `to_file` wrote.

        Raises:
            TransientError: it is something else.
        """
        return cls(
            access=_token(document, "access_token"),
            refresh=_token(document, "refresh_token"),
            expires_at=as_time(document.get("expires_at"), "expires_at"),
        )

    def to_file(self) -> dict[str, str]:
        """Return the content of the token file."""
        return {
            "access_token": self.access,
            "refresh_token": self.refresh,
            "expires_at": self.expires_at.isoformat(),
        }


def _token(document: Mapping[str, Any], key: str) -> str:
    """Return a token that fits into a header; no other could be sent.

    Raises:
        TransientError: it is none.
    """
    token = as_text(document.get(key), key)
    if not (token.isascii() and token.isprintable()):
        raise unusable(f"{key} holds characters that no token can")
    return token


def authorize_url(settings: SolarEdgeSettings) -> str:
    """Return the page on which the owner of the site grants access.

    Raises:
        PermanentError: these settings do not log in by OAuth.
    """
    if not settings.uses_oauth or settings.client_id is None:
        raise PermanentError('no login is needed: it is for api = "v2" with client_id, without api_key')
    query = {
        "client_id": settings.client_id,
        "scope": SCOPES,
        "access_duration": str(ACCESS_MONTHS),
    }
    return f"{settings.authorize_url}?{urlencode(query)}"


def _short(pasted: str) -> str:
    return printable(pasted[:_SHOWN])


def extract_code(pasted: str, site_id: int) -> str:
    """Return the code from what was pasted: the code, or the whole address that the browser was sent to.

    Raises:
        AuthError: access was denied, was granted to another site, or there is no code in it.
    """
    pasted = pasted.strip()
    query = {key: values[0] for key, values in parse_qs(pasted.partition("?")[2].partition("#")[0]).items()}
    if "error" in query:
        raise AuthError(f"SolarEdge granted no access: {_short(query['error'])}")
    granted = query.get("site_id", str(site_id))
    if granted != str(site_id):
        raise AuthError(
            f"access was granted to site {_short(granted)}, but the configuration says site_id = {site_id}"
        )
    code = query.get("code", "" if "://" in pasted else pasted)
    if not code or any(character.isspace() for character in code):
        raise AuthError("there is no code in the pasted text; paste the whole address that the browser shows")
    return code


class TokenKeeper:
    """Holds the tokens of one site, in memory and in a file, and renews them in time.

    Args:
        settings: the application's client_id and client_secret.
        clock: by which tokens expire.
        path: of the token file.
        post: sends a JSON body to the token endpoint.
    """

    def __init__(self, settings: SolarEdgeSettings, clock: Clock, path: Path, post: PostToken) -> None:
        self._settings = settings
        self._clock = clock
        self._path = path
        self._post = post
        self._tokens: Tokens | None = None
        self._refused = ""  # refresh token that will never work again
        self._renewal: asyncio.Task[Tokens] | None = None

    async def access_token(self, *, rejected: str = "") -> str:
        """Return an access token, a new one if the last is about to expire or was rejected.

        Raises:
            AuthError: nobody has logged in yet, or the login has ended.
            DriverError: no new token could be fetched.
        """
        if (tokens := self._usable(rejected)) is not None:
            return tokens.access
        if self._renewal is None or self._renewal.done():
            self._renewal = asyncio.create_task(self._renew(rejected), name="solaredge-token")
        # Shielded: if its answer got lost on a cancelled read, the login would be lost with it.
        return (await asyncio.shield(self._renewal)).access

    async def redeem(self, code: str) -> None:
        """Exchange the code of a login for the first pair of tokens and keep it.

        Raises:
            AuthError: the code is refused.
            PermanentError: the token file cannot be written.
            DriverError: the exchange failed.
        """
        tokens = await self._request({"grant_type": "authorization_code", "code": code}, "log in once more")
        try:
            await self._save(tokens)
        except OSError as error:
            raise PermanentError(f"cannot write {self._path}: {error.strerror}") from error

    async def aclose(self) -> None:
        """Wait for a renewal that is under way."""
        if self._renewal is not None:
            await asyncio.wait([self._renewal])

    def _usable(self, rejected: str) -> Tokens | None:
        tokens = self._tokens
        if tokens is None or tokens.access == rejected or tokens.expires_at - _AHEAD <= self._clock.now():
            return None
        return tokens

    async def _renew(self, rejected: str) -> Tokens:
        """Take a newer pair from the file (a login wrote it), or else fetch one."""
        await self._take_from_file()
        if (tokens := self._usable(rejected)) is not None:
            return tokens
        if self._tokens is None:
            raise AuthError(f"no login for SolarEdge site {self._settings.site_id} yet; {LOGIN_HINT}")
        refresh = self._tokens.refresh
        if refresh == self._refused:
            raise AuthError(f"the login for SolarEdge site {self._settings.site_id} has ended; {LOGIN_HINT}")
        try:
            tokens = await self._request(
                {"grant_type": "refresh_token", "refresh_token": refresh}, LOGIN_HINT
            )
        except AuthError:
            self._refused = refresh
            raise
        try:
            await self._save(tokens)
        except OSError as error:
            # The old pair is dead already: going on in memory is better than losing the new one, too.
            log.warning(
                "cannot save the SolarEdge login; it is lost at the next restart",
                file=str(self._path),
                error=error.strerror,
            )
        self._tokens = tokens  # not sooner: a token that is not on disk must not be used
        return tokens

    async def _request(self, grant: Mapping[str, str], advice: str) -> Tokens:
        client = {"client_id": self._settings.client_id or "", "client_secret": self._settings.secret}
        answer = await self._post({**grant, **client})
        if answer.status in _TOKEN_REFUSALS and problem(answer):  # a gateway's page is no refusal
            raise refusal(answer, AuthError, advice)
        return Tokens.from_answer(understand(answer), answer.at)

    async def _save(self, tokens: Tokens) -> None:
        await asyncio.to_thread(write_json, self._path, tokens.to_file())

    async def _take_from_file(self) -> None:
        """Take the file's pair, unless that is the older one, as it is after a full disk."""
        try:
            document = await asyncio.to_thread(read_json, self._path)
        except OSError as error:
            raise PermanentError(f"cannot read {self._path}: {error.strerror}") from error
        if document is None:
            return
        try:
            stored = Tokens.from_file(document)
        except TransientError as error:
            raise AuthError(f"{self._path} holds no login; {LOGIN_HINT}") from error
        held = self._tokens
        if held is None or held.refresh == self._refused or stored.expires_at > held.expires_at:
            self._tokens = stored
