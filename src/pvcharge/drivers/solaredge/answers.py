"""Understands what a SolarEdge server answered: JSON, or which error in the words of `drivers.base`."""

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from typing import Any
from urllib.parse import unquote

from pvcharge.concealed import conceal
from pvcharge.drivers.base import AuthError, DriverError, PermanentError, TransientError
from pvcharge.texts import printable

LOGIN_HINT = "run: pvcharge login solaredge"
_UNKNOWN_RETRY_S = 15 * 60.0
_LONGEST_RETRY_S = 24 * 3600.0
_DETAIL_LENGTH = 160
_REMAINING = "x-ratelimit-remaining-minute"
_NO_ACCESS = (
    "no access to this site or this data; check site_id and the scopes of the login. Live power flow needs "
    'Business Pro or Enterprise: set data = "quarter" in all other tiers'
)
_GONE = (
    'SolarEdge retired this API; V1 ended on 2026-11-03. Use api = "v2", or read the inverter in the house '
    "by Modbus TCP"
)
_REFUSALS: dict[int, tuple[type[DriverError], str]] = {
    HTTPStatus.UNAUTHORIZED: (AuthError, f"the credentials are refused; check api_key, or {LOGIN_HINT}"),
    HTTPStatus.FORBIDDEN: (PermanentError, _NO_ACCESS),
    HTTPStatus.NOT_FOUND: (PermanentError, "unknown site or request; check site_id and base_url"),
    HTTPStatus.REQUEST_TIMEOUT: (TransientError, "the server gave up waiting"),
    HTTPStatus.GONE: (PermanentError, _GONE),
}


@dataclass(frozen=True, slots=True)
class Answer:
    """An HTTP answer of any status.

    Attributes:
        where: which request of which site, free of secrets.
        at: when it was received.
        secrets: what was sent that no message may show, should the server repeat it.
    """

    where: str
    at: datetime
    status: int
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""
    secrets: tuple[str, ...] = field(default=(), repr=False)

    @property
    def remaining_in_minute(self) -> int | None:
        """What the server grants for the rest of this clock minute, None if it does not say."""
        try:
            return int(self.headers.get(_REMAINING, ""))
        except ValueError:
            return None

    @property
    def month_is_spent(self) -> bool:
        """Whether this refusal is the one for all calls of the billing cycle.

        V2 tells it from the refusal for the minute only by what is missing from it.
        """
        refused = self.status == HTTPStatus.TOO_MANY_REQUESTS
        return refused and (self.remaining_in_minute or 0) > 0 and "retry-after" not in self.headers

    def json(self) -> Any:
        """Return the body.

        Raises:
            TransientError: it is something else, such as the page of a gateway.
        """
        try:
            return json.loads(self.body)
        except (ValueError, RecursionError):
            raise TransientError(f"{self.where}: answered {self.status} without JSON") from None


def understand(answer: Answer) -> Any:
    """Return the JSON of a good answer.

    Raises:
        DriverError: what the answer means instead.
    """
    if answer.status == HTTPStatus.OK:
        return answer.json()
    raise _error(answer)


def problem(answer: Answer) -> str:
    """Return what the server says about its refusal, in a few words without secrets, or nothing."""
    try:
        document = answer.json()
    except TransientError:
        return ""
    if not isinstance(document, dict):
        return ""
    for key in ("detail", "error_description", "title", "error"):
        if isinstance(text := document.get(key), str):
            return printable(" ".join(_scrub(text, answer.secrets).split())[:_DETAIL_LENGTH])
    return ""


def _scrub(text: str, secrets: tuple[str, ...]) -> str:
    """Blacken secrets, also those within a URL, and those that are written in another way."""
    return conceal(unquote(conceal(text, secrets)), secrets)


def refusal(answer: Answer, error: type[DriverError], advice: str) -> DriverError:
    """Return an error that says what was refused, what the server says about it, and what to do."""
    said = f" ({text})" if (text := problem(answer)) else ""
    return error(f"{answer.where}: answered {answer.status}{said}: {advice}")


def _error(answer: Answer) -> DriverError:
    if answer.status == HTTPStatus.TOO_MANY_REQUESTS:
        return TransientError(f"{answer.where}: too many requests", retry_after_s=_retry_after_s(answer))
    if answer.status in _REFUSALS:
        return refusal(answer, *_REFUSALS[answer.status])
    if HTTPStatus.BAD_REQUEST <= answer.status < HTTPStatus.INTERNAL_SERVER_ERROR:
        return refusal(answer, PermanentError, "the request is refused as it is")
    return refusal(answer, TransientError, "no service at the moment")


def _retry_after_s(answer: Answer) -> float:
    """Return the wait that the server asks for, as seconds or as an HTTP date."""
    text = answer.headers.get("retry-after", "").strip()
    if not text:
        to_next_minute_s = 60.0 - answer.at.second
        return _UNKNOWN_RETRY_S if answer.remaining_in_minute is None else to_next_minute_s
    try:
        wait_s = float(text)
    except ValueError:
        wait_s = _until_s(text, answer.at)
    return min(max(1.0, wait_s), _LONGEST_RETRY_S) if math.isfinite(wait_s) else _UNKNOWN_RETRY_S


def _until_s(http_date: str, now: datetime) -> float:
    try:
        date = parsedate_to_datetime(http_date)
    except (ValueError, OverflowError):  # the latter for a year of twenty digits
        return _UNKNOWN_RETRY_S
    return ((date if date.tzinfo else date.replace(tzinfo=UTC)) - now).total_seconds()
