"""A reverse proxy as in front of many pages, and a page of somebody else that shows ours in a frame."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import aiohttp
from aiohttp import web

from browser.house import HOST

HOP_BY_HOP = {
    "connection",
    "keep-alive",
    "transfer-encoding",
    "content-length",
    "content-encoding",
    "upgrade",
}


Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class Proxy:
    """Passes everything on to a server, as nginx does, and says for whom.

    Args:
        target: origin of the server behind.
    """

    def __init__(self, target: str) -> None:
        self.seen: list[str] = []
        self._target = target

    async def handle(self, request: web.Request) -> web.StreamResponse:
        """Pass a request on."""
        self.seen.append(request.path)
        headers = {
            **{name: value for name, value in request.headers.items() if name.lower() not in HOP_BY_HOP},
            "X-Forwarded-For": request.remote or "",
            "X-Forwarded-Proto": "http",
            "X-Forwarded-Host": request.host,
        }
        async with aiohttp.ClientSession(auto_decompress=False) as client:
            url = f"{self._target}{request.path_qs}"
            if request.headers.get("Upgrade", "").lower() == "websocket":
                kept = {
                    name: it for name, it in headers.items() if not name.lower().startswith("sec-websocket")
                }
                return await _join(request, client, url, kept)
            body = await request.read()
            async with client.request(
                request.method, url, headers=headers, data=body, allow_redirects=False
            ) as answer:
                response = web.Response(status=answer.status, body=await answer.read())
                for name, value in answer.headers.items():
                    if name.lower() not in HOP_BY_HOP - {"content-encoding"}:
                        response.headers.add(name, value)
                return response


async def _join(
    request: web.Request, client: aiohttp.ClientSession, url: str, headers: dict[str, str]
) -> web.WebSocketResponse:
    """Join two WebSockets until one of them ends."""
    near = web.WebSocketResponse()
    await near.prepare(request)
    async with client.ws_connect(url, headers=headers) as far:

        async def forward() -> None:
            async for message in far:
                if message.type is aiohttp.WSMsgType.TEXT:
                    await near.send_str(message.data)

        forwarding = asyncio.create_task(forward())
        async for _ in near:
            pass
        forwarding.cancel()
    return near


@asynccontextmanager
async def served(handler: Handler, port: int = 0) -> AsyncIterator[str]:
    """Serve everything with one handler; yields the origin."""
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", handler)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.5)
    await runner.setup()
    site = web.TCPSite(runner, HOST, port)
    await site.start()
    try:
        yield f"http://{HOST}:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()
