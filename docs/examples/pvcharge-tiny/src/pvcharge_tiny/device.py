"""What both devices have in common: a small JSON over HTTP, and errors as pvcharge knows them."""

import asyncio
import math
from collections.abc import Mapping
from typing import Any

import aiohttp

from pvcharge.drivers.base import AuthError, PermanentError, TransientError

ANSWER_S = 5.0  # real seconds
REFUSED = 401
UNKNOWN = 404
OK = 200


class Device:
    """Asks one question at a time.

    Args:
        name: of the device, for messages.
        host: name or address.
        port: of its HTTP server.
    """

    def __init__(self, name: str, host: str, port: int) -> None:
        self.where = f"{name} at {host}:{port}"
        self._url = f"http://{host}:{port}"
        self._session: aiohttp.ClientSession | None = None
        self._asking = asyncio.Lock()

    async def ask(self, method: str, path: str, body: Mapping[str, int] | None = None) -> dict[str, Any]:
        """Return the answer.

        Raises:
            TransientError: no answer, or none that makes sense.
            AuthError: the device wants a password.
            PermanentError: it is another device.
        """
        if self._session is None:
            self._session = aiohttp.ClientSession()
        try:
            async with (
                self._asking,
                asyncio.timeout(ANSWER_S),
                self._session.request(method, self._url + path, json=body) as response,
            ):
                self._check(response.status, path)
                answer = await response.json()
        except TimeoutError as error:
            raise TransientError(f"{self.where}: no answer within {ANSWER_S:g} s; is it on?") from error
        except (aiohttp.ClientError, ValueError) as error:
            raise TransientError(f"{self.where}: {path} failed: {type(error).__name__}") from error
        if not isinstance(answer, dict):
            raise TransientError(f"{self.where}: {path} is no JSON object")
        return answer

    def number(self, answer: Mapping[str, Any], key: str) -> float | None:
        """Return a number of an answer, None if the device does not say.

        Raises:
            TransientError: it is something else.
        """
        value = answer.get(key)
        if value is None:
            return None
        if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
            raise TransientError(f"{self.where}: {key} is no number")
        return float(value)

    async def aclose(self) -> None:
        """Close the connection; another question would open a new one."""
        session, self._session = self._session, None
        if session is not None:
            await session.close()

    def _check(self, status: int, path: str) -> None:
        if status == REFUSED:
            raise AuthError(f"{self.where}: wants a password, which this driver does not know")
        if status == UNKNOWN:
            raise PermanentError(f"{self.where}: has no {path}; is this another device?")
        if status != OK:
            raise TransientError(f"{self.where}: {path} was answered with status {status}")
