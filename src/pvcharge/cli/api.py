"""Asks a running daemon by its HTTP API, with the token that it keeps for this machine."""

import asyncio
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import aiohttp

from pvcharge.config import Config
from pvcharge.storage import read_json
from pvcharge.web.access import LOCAL_TOKEN_FILE
from pvcharge.web.api import PREFIX

PATIENCE_S = 10.0
TOKEN_VARIABLE = "PVCHARGE_TOKEN"  # noqa: S105 - the name of it
OTHER = "somebody else answers there"
WORKS = 400  # from this status on, something is wrong

# By kind of error, the special before the general; None where the error's own words say it.
_REASONS: tuple[tuple[type[Exception], str | None], ...] = (
    (aiohttp.ClientConnectorDNSError, "there is no machine of this name"),
    (aiohttp.ClientSSLError, "it does not speak TLS; try http://"),
    (aiohttp.ClientConnectionError, None),
    (aiohttp.InvalidURL, "that is no address such as http://pi:8080"),
    (aiohttp.NonHttpUrlClientError, "that is no address such as http://pi:8080"),
)


class ApiError(Exception):
    """The daemon says no; the message says why.

    Attributes:
        status: of HTTP.
        path: that was asked, below the API's own.
    """

    def __init__(self, status: int, path: str, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.path = path


class NoApiError(Exception):
    """Nobody answers there; the message says where, and why."""


@dataclass(frozen=True, slots=True)
class Api:
    """Where the API is, and the token for it; None where there is none."""

    url: str
    token: str | None

    @classmethod
    def of(cls, config: Config) -> Self | None:
        """Return that of the daemon with this configuration, None if it has none."""
        if config.web is None:
            return None
        return cls(config.web.local_url, _given_token() or _local_token(config.state_dir))

    @classmethod
    def at(cls, address: str) -> Self:
        """Return that behind a page's address as a user gives it, such as pi:8080 or one from a browser."""
        url = address if "://" in address else f"http://{address}"
        return cls(url.partition("#")[0].partition("?")[0].rstrip("/"), _given_token())

    def ask(self, method: str, path: str, body: dict[str, object] | None = None) -> dict[str, Any]:
        """Return the answer to a request.

        Args:
            method: of HTTP.
            path: below the API's own, such as "/state".
            body: goes there as JSON.

        Raises:
            ApiError: the daemon says no.
            NoApiError: nobody answers.
        """
        return asyncio.run(self._ask(method, path, body))

    async def _ask(self, method: str, path: str, body: dict[str, object] | None) -> dict[str, Any]:
        headers = {"Authorization": f"Bearer {self.token}"} if self.token else {}
        timeout = aiohttp.ClientTimeout(total=PATIENCE_S)
        try:
            async with (
                aiohttp.ClientSession(headers=headers, timeout=timeout) as session,
                session.request(method, f"{self.url}{PREFIX}{path}", json=body) as response,
            ):
                document = await response.json(content_type=None)
                status = response.status
        except TimeoutError:
            raise NoApiError(f"no answer from {self.url} within {PATIENCE_S:.0f} s") from None
        except (aiohttp.ClientError, ValueError) as error:
            raise NoApiError(f"no pvcharge at {self.url}: {_why(error)}") from None
        if not isinstance(document, dict):
            raise NoApiError(f"no pvcharge at {self.url}: {OTHER}")
        if status >= WORKS:
            raise ApiError(status, path, _problem(document, status))
        return document


def _why(error: Exception) -> str:
    """Return why nobody has answered, and what to do about it."""
    match error:
        case aiohttp.ClientConnectorCertificateError():
            return f"its certificate is not trusted: {error.certificate_error}"
        case aiohttp.ClientConnectorError(os_error=ConnectionRefusedError()):
            return "nobody listens there; does the daemon run?"
    known = (words for kind, words in _REASONS if isinstance(error, kind))
    return next(known, OTHER) or str(getattr(error, "os_error", error))


def _problem(document: dict[str, Any], status: int) -> str:
    """Return what is wrong in one line."""
    detail = str(document.get("detail") or f"HTTP {status}")
    errors = document.get("errors")
    if not isinstance(errors, list):
        return detail
    told = [f"{it.get('key')}: {it.get('message')}" for it in errors if isinstance(it, dict)]
    return "; ".join([detail, *told])


def _given_token() -> str | None:
    return os.environ.get(TOKEN_VARIABLE, "").strip() or None


def _local_token(state_dir: Path) -> str | None:
    try:
        document = read_json(state_dir / LOCAL_TOKEN_FILE)
    except OSError:
        return None  # of another user; without a password nobody needs one
    token = document.get("token") if document else None
    return token if isinstance(token, str) else None
