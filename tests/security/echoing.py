"""A server that refuses in every way, and repeats what it was sent in each of them."""

import base64
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from itertools import count
from urllib.parse import quote

from aiohttp import web

REDIRECT = 302


class Echoing:
    """Counts what it was asked.

    Attributes:
        url: where it listens.
        asked: the paths.
        followed: what came where it redirects to, which is another address of this machine.
    """

    def __init__(self) -> None:
        self.url = ""
        self.asked: list[str] = []
        self.followed: list[str] = []
        self._number = count()

    async def answer(self, request: web.Request) -> web.StreamResponse:
        """Refuse, in another way each time."""
        self.asked.append(request.path)
        if request.path.startswith("/elsewhere"):
            self.followed.append(f"{request.path_qs} {dict(request.headers)}")
            return web.Response(status=204)
        body = (await request.read()).decode(errors="replace")
        told = _told(request, body)
        ways = (
            lambda: web.json_response({"detail": told, "error": told, "message": told}, status=500),
            lambda: web.json_response({"error_description": told, "message": quote(told)}, status=401),
            lambda: web.Response(status=REDIRECT, headers={"Location": f"{self._elsewhere}?{quote(told)}"}),
            lambda: web.Response(text=f"<html>{told}</html>", status=503, content_type="text/html"),
            lambda: web.json_response({"title": told, "message": told}, status=400, reason="No"),
            lambda: web.json_response({"powerFlow": told, "access_token": told, "values": [told]}),
            lambda: web.Response(text=told, status=200),
            lambda: web.json_response({"detail": base64.b64encode(told.encode()).decode()}, status=502),
        )
        return ways[next(self._number) % len(ways)]()

    @property
    def _elsewhere(self) -> str:
        return self.url.replace("127.0.0.1", "127.0.0.2") + "/elsewhere"


def _told(request: web.Request, body: str) -> str:
    """Return all that was sent, what is secret first, since long texts are cut."""
    login = request.headers.get("Authorization", "").rpartition(" ")[2]
    key = request.headers.get("X-API-Key", "")
    try:
        sent = " ".join(str(value) for value in json.loads(body).values())
    except (ValueError, AttributeError):
        sent = ""
    return f"{login} {key} {sent} {request.path_qs} {dict(request.headers)} {body}"


@asynccontextmanager
async def echoing() -> AsyncIterator[Echoing]:
    """Run one for as long as the context lasts."""
    server, app = Echoing(), web.Application()
    app.router.add_route("*", "/{path:.*}", server.answer)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    try:
        # All of loopback, so that a redirect leads to another host.
        await web.TCPSite(runner, "0.0.0.0", 0).start()  # noqa: S104 - of a test that lasts for seconds
        server.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
        yield server
    finally:
        await runner.cleanup()
