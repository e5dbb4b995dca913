"""Sends one HTTP request and receives the answer, whatever it is. No secret leaves it but by the wire."""

from collections.abc import Mapping
from datetime import datetime, timedelta

import aiohttp

from pvcharge.drivers.base import TransientError
from pvcharge.drivers.solaredge.answers import Answer
from pvcharge.drivers.solaredge.ledger import Ledger
from pvcharge.drivers.solaredge.settings import SolarEdgeSettings
from pvcharge.model import Clock

_TIMEOUT = aiohttp.ClientTimeout(total=30.0, sock_connect=10.0)  # real seconds, also in accelerated time
_LARGEST_BODY = 1 << 20
_CHUNK = 1 << 14


class Transport:
    """The connection to one server, made at the first request.

    Args:
        settings: base URL and site.
        clock: dates the answers and the limit of the minute.
        ledger: pays for every request.
        session: used and left open; without one, an own session is made.
    """

    def __init__(
        self,
        settings: SolarEdgeSettings,
        clock: Clock,
        ledger: Ledger,
        session: aiohttp.ClientSession | None = None,
    ) -> None:
        self._settings = settings
        self._clock = clock
        self._ledger = ledger
        self._session = session
        self._own_session: aiohttp.ClientSession | None = None
        self._held_until: datetime | None = None

    async def request(
        self,
        method: str,
        path: str,
        *,
        secrets: tuple[str, ...],
        params: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
        json: Mapping[str, str] | None = None,
        urgent: bool = False,
    ) -> Answer:
        """Send a request and return the answer.

        Args:
            method: "GET" or "POST".
            path: from the base URL on, with its first slash.
            secrets: what params, headers or json hold that nobody may read.
            params: of the query.
            headers: besides the usual ones.
            json: the body.
            urgent: whether the reserve of the budget may be used.

        Raises:
            TransientError: no budget is left, or no answer came.
        """
        where = f"SolarEdge {path} at {self._settings.base_url}"
        self._check_minute(where)
        await self._ledger.spend(self._clock.now(), urgent=urgent)
        try:
            async with self._open_session().request(
                method,
                self._settings.base_url + path,
                params=params,
                headers={"Accept": "application/json", **(headers or {})},
                json=json,
                timeout=_TIMEOUT,
                allow_redirects=False,  # another host must not see the key
            ) as response:
                body = await _bounded_body(response, where)
        # Neither is chained: aiohttp's messages may show the URL, and a V1 key stands in its query.
        except TimeoutError:
            raise TransientError(f"{where}: no answer within {_TIMEOUT.total:.0f} s") from None
        except aiohttp.ClientError as error:
            reason = error.strerror if isinstance(error, OSError) else type(error).__name__
            raise TransientError(f"{where}: {reason}") from None
        answer = Answer(where, self._clock.now(), response.status, response.headers, body, secrets)
        if answer.remaining_in_minute == 0:
            self._held_until = answer.at.replace(second=0, microsecond=0) + timedelta(minutes=1)
        return answer

    async def aclose(self) -> None:
        """Close an own session; a later request would open a new one."""
        session, self._own_session = self._own_session, None
        if session is not None:
            await session.close()

    def _open_session(self) -> aiohttp.ClientSession:
        if self._session is not None:
            return self._session
        if self._own_session is None:
            self._own_session = aiohttp.ClientSession()
        return self._own_session

    def _check_minute(self, where: str) -> None:
        """Hold requests back when the server granted no more for this minute."""
        now = self._clock.now()
        if self._held_until is not None and now < self._held_until:
            wait_s = (self._held_until - now).total_seconds()
            raise TransientError(f"{where}: no more requests in this minute", retry_after_s=wait_s)


async def _bounded_body(response: aiohttp.ClientResponse, where: str) -> bytes:
    body = bytearray()
    async for chunk in response.content.iter_chunked(_CHUNK):
        body += chunk
        if len(body) > _LARGEST_BODY:
            raise TransientError(f"{where}: the answer is larger than {_LARGEST_BODY} bytes")
    return bytes(body)
