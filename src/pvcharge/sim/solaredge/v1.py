"""REST V1, retired on 3 November 2026: kept for those who run a legacy set-up against the simulator."""

from dataclasses import dataclass, field
from typing import Literal

from aiohttp import web
from aiohttp.typedefs import Handler

from pvcharge.sim.solaredge.faults import gone
from pvcharge.sim.solaredge.limits import DailyQuota, SolarEdgeLimits
from pvcharge.sim.solaredge.powerflow import power_flow
from pvcharge.sim.solaredge.problems import Problem, forbidden, not_found, unauthorized
from pvcharge.sim.solaredge.site import Site
from pvcharge.sim.solaredge.v1_documents import QUARTERS, Span, meter_details, overview, site_document


@dataclass(eq=False, repr=False)
class V1:
    """The retired API.

    Attributes:
        site: the one it knows.
        api_key: the site's key.
        state: `gone` answers everything 410.
        limits: how many calls are allowed.
    """

    site: Site
    api_key: str
    state: Literal["alive", "gone"]
    limits: SolarEdgeLimits
    _quota: DailyQuota = field(init=False)

    def __post_init__(self) -> None:
        self._quota = DailyQuota(self.limits, self.site.zone)

    def routes(self) -> list[web.RouteDef]:
        """Return the endpoints."""
        site = r"/site/{site_id:\d+}"
        return [
            web.get("/sites/list", self._sites),
            web.get(f"{site}/details", self._details),
            web.get(f"{site}/overview", self._overview),
            web.get(f"{site}/currentPowerFlow", self._power_flow),
            web.get(f"{site}/powerDetails", self._power_details),
            web.get(f"{site}/energyDetails", self._energy_details),
        ]

    async def admit(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """Answer a call, or say why not. The key is looked at first, whatever the path."""
        if self.state == "gone":
            return gone()
        try:
            self._authenticate(request)
            if self.site.faults.day_exhausted or not self._quota.take(self.site.now()):
                return web.Response(status=429)  # no body and no header says when to come back
            return await handler(request)
        except Problem as problem:
            return problem.as_v1()
        except web.HTTPNotFound:
            return not_found().as_v1()
        except web.HTTPException as refusal:
            return web.Response(status=refusal.status, text=refusal.text, content_type=refusal.content_type)

    def _authenticate(self, request: web.Request) -> None:
        if request.query.get("api_key") != self.api_key:
            raise unauthorized("Invalid API key")
        if request.match_info.get("site_id", str(self.site.site_id)) != str(self.site.site_id):
            raise forbidden("The API key has no access to this site")

    async def _sites(self, _request: web.Request) -> web.Response:
        return web.json_response({"sites": {"count": 1, "site": [site_document(self.site)]}})

    async def _details(self, _request: web.Request) -> web.Response:
        return web.json_response({"details": site_document(self.site)})

    async def _overview(self, _request: web.Request) -> web.Response:
        return web.json_response({"overview": overview(self.site)})

    async def _power_flow(self, _request: web.Request) -> web.Response:
        return web.json_response(power_flow(self.site))

    async def _power_details(self, request: web.Request) -> web.Response:
        span = Span.of(request.query, self.site, QUARTERS)
        details = meter_details(self.site, span, request.query.get("meters"), as_power=True)
        return web.json_response({"powerDetails": details})

    async def _energy_details(self, request: web.Request) -> web.Response:
        span = Span.of(request.query, self.site, request.query.get("timeUnit", "DAY"))
        details = meter_details(self.site, span, request.query.get("meters"), as_power=False)
        return web.json_response({"energyDetails": details})
