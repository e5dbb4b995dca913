"""Bytes on a connection to the page: requests of HTTP with cookies and tokens, and frames of a WebSocket.

A line of `@wait` lets the page answer what came before it. `@TOKEN@`, `@SESSION@` and `@KEY@` stand for what
is good at that moment, so that inputs get past the door.
"""

import asyncio
import re
from random import Random
from typing import Any, cast

from aiohttp import web
from pydantic import SecretStr

from pvcharge.web.access.access import Access
from pvcharge.web.access.passwords import make_hash
from pvcharge.web.server import _logger
from pvcharge.web.settings import WebSettings
from targets.base import Target, at_close, folder
from targets.base import run as finish
from targets.mutate import mutate_by_words
from web.house import House

_PASSWORD = "plantedpassword77"  # noqa: S105 - of nobody
_STATUS = re.compile(rb"^HTTP/1\.[01] (\d{3}) ", re.MULTILINE)
_TURNS = 40  # of the event loop, after which what does not wait for a thread is done
_GOOD_5XX = {501, 503}  # a version of HTTP or a way of packing that is not known; too many look on


class _Wire(asyncio.Transport):
    """A connection that keeps what is sent on it."""

    def __init__(self) -> None:
        super().__init__({"peername": ("192.0.2.99", 40000), "sockname": ("192.0.2.1", 8080)})
        self.sent = bytearray()
        self._closing = False

    def write(self, data: Any) -> None:
        """Keep it."""
        self.sent += data

    def is_closing(self) -> bool:
        """Whether the other side has closed it."""
        return self._closing

    def close(self) -> None:
        """Close it."""
        self._closing = True

    def abort(self) -> None:
        """Close it."""
        self._closing = True

    def pause_reading(self) -> None:
        """Go on all the same."""

    def resume_reading(self) -> None:
        """Go on."""

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        """Have room, as always."""

    def get_write_buffer_size(self) -> int:
        """Return 0, since all is sent at once."""
        return 0


class _Page:
    """The page, with a password and a view for guests; made once for all inputs."""

    def __init__(self) -> None:
        self._runner: web.AppRunner | None = None
        self.words: dict[bytes, bytes] = {}

    async def server(self) -> web.Server:
        """Return what takes connections."""
        if self._runner is None:
            settings = WebSettings(password=SecretStr(make_hash(_PASSWORD)), guest_view=True)
            house = House(folder(), settings)
            self._runner = web.AppRunner(await house.site.app(), access_log=None, logger=_logger())
            await self._runner.setup()
            at_close(self._close)
            await self._let_in(house.site._access)  # noqa: SLF001 - to get past the door
        return cast("web.Server", self._runner.server)

    async def _close(self) -> None:
        runner, self._runner = self._runner, None
        if runner is not None:
            await runner.cleanup()

    async def _let_in(self, access: Access) -> None:
        _, token = await access._tokens.make("fuzz")  # noqa: SLF001
        session = await access._sessions.begin()  # noqa: SLF001
        self.words = {b"@TOKEN@": token.get_secret_value().encode(), b"@SESSION@": session.encode()}
        self.words[b"@KEY@"] = b"dGhlIHNhbXBsZSBub25jZQ=="


_PAGE = _Page()


def run(data: bytes) -> None:
    """Send it all, and look at all answers."""
    finish(_talk(data))


async def _talk(data: bytes) -> None:
    server = await _PAGE.server()
    for word, meaning in _PAGE.words.items():
        data = data.replace(word, meaning)
    wire, door = _Wire(), server()
    door.connection_made(wire)
    for part in data.split(b"@wait\n")[:8]:
        if not wire.is_closing():
            door.data_received(part)
        await _turns()
    door.connection_lost(None)
    await _turns()
    _check(bytes(wire.sent), data)


async def _turns() -> None:
    for _ in range(_TURNS):
        await asyncio.sleep(0)


def _check(sent: bytes, told: bytes) -> None:
    for status in map(int, _STATUS.findall(sent)):
        assert status < 500 or status in _GOOD_5XX, f"status {status}"
    assert b"a fault of pvcharge" not in sent
    assert b"Traceback" not in sent or b"Traceback" in told
    assert _PASSWORD.encode() not in sent or _PASSWORD.encode() in told
    assert b"$argon2" not in sent or b"$argon2" in told
    token = _PAGE.words[b"@TOKEN@"]
    # Who writes no HTTP is told the line that is none, and who asks for what is not there, its path.
    elsewhere = token in told.replace(b"Bearer " + token, b"")
    assert token not in sent or elsewhere or b" 400 Bad Request" in sent, "a token is told"


def _request(first: str, *headers: str, body: str = "") -> bytes:
    lines = [first, "Host: 192.0.2.1:8080", *headers]
    if body:
        lines += ["Content-Type: application/json", f"Content-Length: {len(body)}"]
    return ("\r\n".join(lines) + "\r\n\r\n" + body).encode()


_TOKEN, _COOKIE = "Authorization: Bearer @TOKEN@", "Cookie: pvcharge_session=@SESSION@"
_SAME = "Origin: http://192.0.2.1:8080"
_API = "/api/v1"
_UPGRADE = (
    "Connection: Upgrade",
    "Upgrade: websocket",
    "Sec-WebSocket-Version: 13",
    "Sec-WebSocket-Key: @KEY@",
)
_FRAMES = (
    *(
        b"\x81\x85\x01\x02\x03\x04igohn",
        b"\x89\x80\0\0\0\0",
        b"\x88\x82\0\0\0\0\x03\xe8",
        b"\x82\x81\0\0\0\0x",
    ),
    *(
        b"\x8a\x80\0\0\0\0",
        b"\x01\x81\0\0\0\0a\x80\x81\0\0\0\0b",
        b"\x81\xfe\x20\x00\0\0\0\0",
        b"\xf1\x80\0\0\0\0",
    ),
    *(
        b"\x81\xff\x7f\xff\xff\xff\xff\xff\xff\xff",
        b"\x81\x05hello",
        b"\x81\x81\0\0\0\0\xff",
        b"\x89\xfe\x00\x80\0\0\0\0",
    ),
)
_WORDS = (
    *(
        b"\r\n",
        b"\n",
        b"\r",
        b"\0",
        b"\xff",
        b": ",
        b"@wait\n",
        b"@TOKEN@",
        b"@SESSION@",
        b"GET ",
        b"POST ",
        b"PUT ",
    ),
    *(
        b"DELETE ",
        b"HEAD ",
        b"OPTIONS * HTTP/1.1\r\n",
        b"CONNECT ",
        b" HTTP/1.0\r\n",
        b" HTTP/2.0\r\n",
        b"HTTP/9.9",
    ),
    *(
        b"Transfer-Encoding: chunked\r\n",
        b"5\r\nhello\r\n0\r\n\r\n",
        b"Content-Length: 5\r\n",
        b"Content-Length: -1\r\n",
    ),
    *(
        b"Content-Encoding: gzip\r\n",
        b"Content-Encoding: deflate\r\n",
        b"Content-Encoding: br\r\n",
        b"Expect: 100-continue\r\n",
    ),
    *(
        b"Host: evil.example\r\n",
        b"Host: \r\n",
        b"Origin: null\r\n",
        b"Origin: http://evil.example\r\n",
        b"Range: bytes=0-1\r\n",
    ),
    *(
        b"Sec-Fetch-Site: cross-site\r\n",
        b"X-Forwarded-For: 1.2.3.4\r\n",
        b"X-Forwarded-Host: x\r\n",
        b"If-None-Match: *\r\n",
    ),
    *(
        b"Cookie: pvcharge_session=",
        b"Cookie: =; ;\r\n",
        b"Authorization: Basic eDp5\r\n",
        b"Authorization: Bearer \xff\r\n",
    ),
    *(
        b"Accept-Encoding: gzip;q=x\r\n",
        b"If-Modified-Since: Mon, 99 Jun 99999 00:00:00 GMT\r\n",
        b"Content-Type: text/plain\r\n",
    ),
    *(
        b"/api/v1/",
        b"/api/v1/settings",
        b"/api/v1/day?date=",
        b"/api/v1/tokens/",
        b"/../",
        b"//",
        b"%2e%2e%2f",
        b"%00",
    ),
    *(
        b"%",
        b"?",
        b"#",
        b"[" * 1200,
        b'{"a":' * 1200,
        b"1" * 5000,
        b'"\\ud800"',
        b"A: " + b"x" * 9000 + b"\r\n",
        *_FRAMES,
    ),
)
_splice = mutate_by_words(*_WORDS)


def _mutate(data: bytes, random: Random) -> bytes:
    """Put a word somewhere, most often at the end of a line."""
    breaks = [match.end() for match in re.finditer(rb"\r\n", data)]
    if not breaks or random.random() < 0.5:
        return _splice(data, random)
    at = random.choice(breaks)
    return data[:at] + random.choice(_WORDS) + data[at:]


_PATHS = (
    "state",
    "settings",
    "learned",
    "day?date=2026-06-15",
    "sessions?limit=5",
    "savings",
    "log",
    "access",
    "openapi.json",
)
TARGET = Target(
    name="web_line",
    run=run,
    seeds=(
        *(_request(f"GET {_API}/{path} HTTP/1.1", _TOKEN) for path in _PATHS),
        _request("GET / HTTP/1.1", "Accept-Encoding: gzip, br")
        + b"@wait\n"
        + _request("GET /app.js HTTP/1.1", "If-None-Match: x"),
        _request(f"GET {_API}/energy?by=day&start=2026-06-01&end=2026-07-01 HTTP/1.1", _COOKIE),
        _request(f"PUT {_API}/mode HTTP/1.1", _TOKEN, body='{"mode": "surplus"}'),
        _request(f"PUT {_API}/mode HTTP/1.1", _COOKIE, _SAME, body='{"mode": "surplus"}'),
        _request(f"PUT {_API}/boost HTTP/1.1", _COOKIE, _SAME, body='{"on": true, "minutes": 5}'),
        _request(f"PUT {_API}/limits HTTP/1.1", _TOKEN, body='{"max_current_a": 10}'),
        _request(
            f"PATCH {_API}/settings HTTP/1.1",
            _TOKEN,
            body='{"revision": 3, "changes": {"control.import_price": 1}}',
        ),
        _request(f"POST {_API}/login HTTP/1.1", _SAME, body='{"password": "wrong password"}'),
        _request(f"POST {_API}/tokens HTTP/1.1", _TOKEN, body='{"name": "shelf"}'),
        _request(f"DELETE {_API}/tokens/0123456789abcdef HTTP/1.1", _TOKEN),
        _request("GET /metrics HTTP/1.1") + _request("GET /healthz HTTP/1.0"),
        *(_request(f"GET {_API}/live HTTP/1.1", _TOKEN, *_UPGRADE) + b"@wait\n" + frame for frame in _FRAMES),
    ),
    mutate=_mutate,
)
