"""The server: wires both APIs to one aiohttp application on one port."""

import asyncio
from dataclasses import KW_ONLY, dataclass, field
from typing import Literal
from zoneinfo import ZoneInfo

from aiohttp import web
from aiohttp.typedefs import Handler

from pvcharge.model import Clock
from pvcharge.sim.solaredge.faults import SolarEdgeFaults
from pvcharge.sim.solaredge.limits import SolarEdgeLimits
from pvcharge.sim.solaredge.oauth import OAuth
from pvcharge.sim.solaredge.series import Meter
from pvcharge.sim.solaredge.site import Site
from pvcharge.sim.solaredge.v1 import V1
from pvcharge.sim.solaredge.v2 import V2

SHUTDOWN_TIMEOUT_S = 0.1  # slow answers need not be waited for


@dataclass(eq=False, repr=False)
class SolarEdgeServer:
    """The monitoring cloud of one simulated site, over real HTTP.

    V1 stands at `base_url`, V2 at `base_url` + "/v2", the page of consent at `base_url` + "/authorize".
    Everything runs in the clock's time, except `faults.slow_s`.

    Attributes:
        meter: measures the house.
        site_id: of the one site.
        clock: the cloud's time.
        api_key: V1 takes it as the site's key, V2 as the fleet's.
        client_id: of the one OAuth application.
        client_secret: its secret.
        timezone: of the site, an IANA name.
        host: to listen at.
        port: to listen at; 0 picks a free one, which stands here after `start`.
        tier: `pro` opens V2's live power flow.
        v1: whether V1 still lives, or answers 410.
        limits: how many calls are allowed.
        publish_delay_s: from the end of a quarter of an hour until it can be read.
        production_meter: whether the roof has a meter of its own.
        faults: knobs that may be turned at any time.
        calls: calls answered so far, good or bad; OAuth does not count.
    """

    meter: Meter
    _: KW_ONLY
    site_id: int
    clock: Clock
    api_key: str
    client_id: str
    client_secret: str
    timezone: str = "Europe/Vienna"
    host: str = "127.0.0.1"
    port: int = 0
    tier: Literal["basic", "pro"] = "basic"
    v1: Literal["alive", "gone"] = "gone"
    limits: SolarEdgeLimits = field(default_factory=SolarEdgeLimits)
    publish_delay_s: float = 330.0
    production_meter: bool = False
    faults: SolarEdgeFaults = field(default_factory=SolarEdgeFaults)
    calls: int = field(default=0, init=False)
    _runner: web.AppRunner | None = field(default=None, init=False)

    def __post_init__(self) -> None:
        site = Site(
            site_id=self.site_id,
            zone=ZoneInfo(self.timezone),
            meter=self.meter,
            clock=self.clock,
            faults=self.faults,
            publish_delay_s=self.publish_delay_s,
            has_production_meter=self.production_meter,
        )
        self._oauth = OAuth(self.client_id, self.client_secret, self.site_id, self.clock, self.faults)
        self._v1 = V1(site, self.api_key, self.v1, self.limits)
        self._v2 = V2(site, self._oauth, self.api_key, self.tier, self.limits)

    @property
    def base_url(self) -> str:
        """Where the server is to be found, without a slash at the end."""
        return f"http://{self.host}:{self.port}"

    async def start(self) -> None:
        """Listen.

        Raises:
            OSError: the port is taken.
        """
        app = web.Application(middlewares=[self._misbehave, self._admit])
        app.add_routes([*self._oauth.routes(), *self._v1.routes(), *self._v2.routes()])
        self._runner = web.AppRunner(
            app, access_log=None, handler_cancellation=True, shutdown_timeout=SHUTDOWN_TIMEOUT_S
        )
        await self._runner.setup()
        await web.TCPSite(self._runner, self.host, self.port).start()
        self.port = self._runner.addresses[0][1]

    async def aclose(self) -> None:
        """Stop listening and drop all connections; may be called more than once."""
        if self._runner is not None:
            await self._runner.cleanup()
            self._runner = None

    @web.middleware
    async def _misbehave(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """Do what the knobs say, in front of everything else."""
        faults = self.faults
        if faults.expire_access_tokens:
            faults.expire_access_tokens = False
            self._oauth.expire_access_tokens()
        if faults.refuse_connections and request.transport is not None:
            request.transport.abort()
            return web.Response()  # goes nowhere
        await asyncio.sleep(faults.slow_s)
        return faults.refusal() or faults.spoil(await handler(request))

    @web.middleware
    async def _admit(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """Send a call through the gate of its API; the pages of OAuth have none."""
        if request.path == "/authorize" or request.path.startswith("/v2/oauth2/"):
            return await handler(request)
        api = self._v2 if request.path.startswith("/v2/") else self._v1
        response = await api.admit(request, handler)
        self.calls += 1
        return response
