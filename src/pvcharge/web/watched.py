"""What watchers ask: `/metrics` for Prometheus, and `/healthz` for whoever wants to know whether it works."""

from collections.abc import Callable

from aiohttp import web
from prometheus_client import CollectorRegistry
from prometheus_client.exposition import choose_encoder

_OPENMETRICS = "application/openmetrics-text"
_NEVER_KEEP = {"Cache-Control": "no-store"}


class Watched:
    """Answers watchers.

    Args:
        registry: what `/metrics` shows.
        trouble: returns why the daemon does not do its work, None if it does.
    """

    def __init__(self, registry: CollectorRegistry, trouble: Callable[[], str | None] = lambda: None) -> None:
        self._registry = registry
        self._trouble = trouble

    async def metrics(self, request: web.Request) -> web.Response:
        """Return all metrics, in the format that is asked for."""
        # The library stumbles over odd versions in what a client accepts, so it hears only of what counts.
        accepted = ",".join(request.headers.getall("Accept", []))
        render, content_type = choose_encoder(_OPENMETRICS if _OPENMETRICS in accepted else "")
        headers = {"Content-Type": content_type, **_NEVER_KEEP}
        return web.Response(body=render(self._registry), headers=headers)

    async def healthz(self, _request: web.Request) -> web.Response:
        """Return 200 while the daemon does its work, else 503 with the reason."""
        trouble = self._trouble()
        if trouble is None:
            return web.json_response({"status": "ok"}, headers=_NEVER_KEEP)
        return web.json_response({"status": "failing", "reason": trouble}, status=503, headers=_NEVER_KEEP)
