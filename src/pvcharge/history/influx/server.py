"""One InfluxDB or VictoriaMetrics: takes lines, or says in words why not.

The only file that knows influxdb-client, which is loaded when it is needed: that takes a second of CPU. Times
here are real seconds, whatever clock the daemon runs on.
"""

import asyncio
import gzip
import os
import re
from collections.abc import Sequence
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from importlib import import_module
from typing import Any

import aiohttp

from pvcharge.concealed import conceal
from pvcharge.history.influx.settings import InfluxSettings
from pvcharge.texts import printable
from pvcharge.tls import client_context

# A server's word that it has taken a batch but for so many points. Some 2.x say so with status 500; with
# `dropped=0` 1.x says that it could not read some.
_PARTIAL = re.compile(r"partial write: .* dropped=([1-9]\d*)", re.DOTALL)
_BAD_POINTS = (HTTPStatus.BAD_REQUEST, HTTPStatus.REQUEST_ENTITY_TOO_LARGE, HTTPStatus.UNPROCESSABLE_ENTITY)
_BAD_TOKEN = (HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN)
_LATER = (HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.TOO_EARLY, HTTPStatus.TOO_MANY_REQUESTS)
_TAKEN = (HTTPStatus.CREATED, HTTPStatus.NO_CONTENT)
_LONGEST_TEXT = 200
LARGEST_ANSWER = 1_000_000  # bytes; those of the real ones have a few hundred at most
_CHUNK = 65_536


class WriteError(Exception):
    """The server did not take a batch; the message says why and what to do.

    Attributes:
        refused: whether trying again soon is of no use.
        broken: whether it may have lost what it had acknowledged before.
        retry_after_s: how long it wants to be left alone at least.
    """

    def __init__(
        self, message: str, *, refused: bool = False, broken: bool = False, retry_after_s: float = 0.0
    ) -> None:
        super().__init__(message)
        self.refused = refused
        self.broken = broken
        self.retry_after_s = retry_after_s


class RejectionError(Exception):
    """The server will never take this batch as it is.

    Attributes:
        dropped: how many points it has not taken, all others being in; None if it has taken none.
    """

    def __init__(self, message: str, dropped: int | None) -> None:
        super().__init__(message)
        self.dropped = dropped


class Server:
    """Where points go.

    Args:
        settings: which server, and how to log in.

    Attributes:
        connection: a number that changes when a connection has ended unannounced and a new one was made.
    """

    def __init__(self, settings: InfluxSettings) -> None:
        self.connection = 0
        self._settings = settings
        self._token = settings.token.get_secret_value() if settings.token else ""
        self._announced = False  # that the connection in use ends with the last answer
        self._client: Any = None
        self._service: Any = None
        self._api_error: type[Exception] = Exception

    async def open(self) -> None:
        """Get ready, without a word to the server yet; does nothing if we are.

        Raises:
            WriteError: the package or the certificates are missing.
        """
        if self._client is not None:
            return
        try:
            package = await asyncio.to_thread(import_module, "influxdb_client")
            api = await asyncio.to_thread(import_module, "influxdb_client.client.influxdb_client_async")
        except ImportError as error:
            hint = "pip install 'influxdb-client[async]'"
            raise WriteError(f"the package influxdb-client is missing: {hint}", refused=True) from error
        try:
            tls = await asyncio.to_thread(client_context, self._settings.ca_file)
        except OSError as error:
            raise WriteError(
                f"certificates cannot be used ({error.strerror}); check ca_file in [influxdb]", refused=True
            ) from error
        self._api_error = package.rest.ApiException
        self._client = api.InfluxDBClientAsync(
            self._settings.url,
            token=self._token or None,
            timeout=aiohttp.ClientTimeout(total=self._settings.timeout_s),
            ssl_context=tls,
            connection_pool_maxsize=1,
            allow_redirects=False,  # a POST would become a GET, and the token be sent elsewhere
            client_session_type=self._session,
        )
        # Not `write_api`, which would compress in the event loop and wants a point's precision to be its own.
        self._service = package.WriteService(self._client.api_client)

    async def close(self) -> None:
        """Hang up."""
        client, self._client = self._client, None
        if client is not None:
            await client.close()

    async def write(self, lines: Sequence[str]) -> None:
        """Have the server take lines, times in milliseconds; returns when it says that it has.

        Raises:
            RejectionError: some or all of the points are at fault.
            WriteError: they are not.
        """
        body = await asyncio.to_thread(self._body, lines)
        try:
            _, status, _ = await self._service.post_write_async(
                self._settings.org,
                self._settings.bucket,
                body,
                precision="ms",
                content_encoding="gzip" if self._settings.gzip else "identity",
                content_type="text/plain; charset=utf-8",
                async_req=False,
                _return_http_data_only=False,
            )
        # Not chained: an error of aiohttp or the client knows the request's headers, and so the token.
        except self._api_error as error:
            raise self._judged(error) from None
        except TimeoutError:
            raise WriteError(f"no answer within {self._settings.timeout_s:g} s", broken=True) from None
        except aiohttp.ClientConnectorCertificateError:
            reason = "its certificate is not to be trusted; check url and ca_file in [influxdb]"
            raise WriteError(reason, refused=True, broken=True) from None
        except aiohttp.ClientResponseError:
            raise WriteError("its answer is no HTTP; check url in [influxdb]", broken=True) from None
        except (aiohttp.ClientError, OSError) as error:
            raise WriteError(self._plain(_words(error)), broken=True) from None
        if status not in _TAKEN:
            raise _stranger(status)

    def _body(self, lines: Sequence[str]) -> bytes:
        body = "\n".join(lines).encode()
        return gzip.compress(body, 6, mtime=0) if self._settings.gzip else body

    def _judged(self, error: Any) -> Exception:
        """Put an answer other than success into words."""
        status, message = error.status, self._plain(error.message)
        if partial := _PARTIAL.search(message):
            return RejectionError(message, int(partial[1]))
        if status in _BAD_POINTS:
            return RejectionError(message, None)
        if status in _BAD_TOKEN:
            hint = "check token in [influxdb], and that it may write to the bucket"
            return WriteError(f"it refuses us (HTTP {status}); {hint}", refused=True)
        if status == HTTPStatus.NOT_FOUND:
            hint = "check bucket, org and url in [influxdb]"
            return WriteError(f"it knows no such bucket (HTTP {status}: {message}); {hint}", refused=True)
        if status in _LATER or status >= HTTPStatus.INTERNAL_SERVER_ERROR:
            broken = status >= HTTPStatus.INTERNAL_SERVER_ERROR
            wait_s = _retry_after_s((error.headers or {}).get("Retry-After", ""))
            return WriteError(f"HTTP {status}: {message}", broken=broken, retry_after_s=wait_s)
        return _stranger(status)

    def _plain(self, words: object) -> str:
        """Return a foreign text in one line, short and without our token."""
        text = words.decode(errors="replace") if isinstance(words, bytes) else str(words)
        if self._token:
            text = conceal(text, (self._token,))
        return printable(text, " ").strip()[:_LONGEST_TEXT]

    def _session(self, **settings: Any) -> aiohttp.ClientSession:
        trace = aiohttp.TraceConfig()
        trace.on_connection_create_end.append(self._note_connection)
        trace.on_request_end.append(self._note_answer)
        return aiohttp.ClientSession(**settings | {"trace_configs": [trace], "response_class": _Answer})

    async def _note_connection(self, *_: object) -> None:
        if not self._announced:
            self.connection += 1
        self._announced = False

    async def _note_answer(self, _session: object, _context: object, ended: Any) -> None:
        response: aiohttp.ClientResponse = ended.response
        keeps = response.headers.get("Connection", "").lower()
        old = response.version is not None and response.version < aiohttp.HttpVersion11
        self._announced = keeps == "close" or (old and keeps != "keep-alive")


class _Answer(aiohttp.ClientResponse):
    """An answer of which no more is read than can be one: whoever talks for ever does not fill our memory."""

    async def read(self) -> bytes:
        """Return the body.

        Raises:
            aiohttp.ClientPayloadError: it is broken or too long.
        """
        body = bytearray()
        try:
            async for chunk in self.content.iter_chunked(_CHUNK):
                body += chunk
                if len(body) > LARGEST_ANSWER:
                    raise aiohttp.ClientPayloadError(f"its answer has more than {LARGEST_ANSWER} bytes")  # noqa: TRY301 - caught to hang up, as any other
        except BaseException:
            self.close()
            raise
        return bytes(body)


def _stranger(status: int) -> WriteError:
    return WriteError(f"it answers HTTP {status}, as no InfluxDB does; check url in [influxdb]", refused=True)


def _words(error: Exception) -> str:
    if isinstance(error, aiohttp.ClientConnectorError):
        number = error.os_error.errno or 0
        return f"no connection ({os.strerror(number) if number > 0 else error.os_error.strerror})"
    return str(error) or type(error).__name__


def _retry_after_s(value: str) -> float:
    """Return the seconds that a header asks for, given as such or as a date; 0 if it is neither."""
    if value.isdecimal():
        return float(value)
    try:
        at = parsedate_to_datetime(value)
    except ValueError:
        return 0.0
    if at.tzinfo is None:
        at = at.replace(tzinfo=UTC)
    return max(0.0, (at - datetime.now(UTC)).total_seconds())
