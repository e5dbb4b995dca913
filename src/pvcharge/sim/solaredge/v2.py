"""REST V2: the gate with its credentials and limits, and the endpoints behind it."""

from dataclasses import dataclass, field
from typing import Any, Literal

from aiohttp import web
from aiohttp.typedefs import Handler

from pvcharge.sim.solaredge.hardware import (
    BATTERY_SERIAL,
    GRID_METER_SERIAL,
    INVERTER_SERIAL,
    PRODUCTION_METER_SERIAL,
)
from pvcharge.sim.solaredge.limits import MinuteWindow, MonthlyCredits, SolarEdgeLimits
from pvcharge.sim.solaredge.oauth import OAuth
from pvcharge.sim.solaredge.periods import Resolution
from pvcharge.sim.solaredge.powerflow import power_flow
from pvcharge.sim.solaredge.problems import Problem, bad_request, forbidden, not_found, unauthorized
from pvcharge.sim.solaredge.site import Site
from pvcharge.sim.solaredge.v2_documents import account_document, energy_flows, inventory, site_document
from pvcharge.sim.solaredge.v2_series import (
    ENERGY_UNITS,
    PERCENTAGE,
    POWER_UNITS,
    Metric,
    Window,
    metrics,
    power,
    power_and_energy,
    unit_of,
    values,
)

FLEET_ONLY = ("/v2/sites", "/v2/alerts")

PRODUCTION_POWER, PRODUCTION_ENERGY = power_and_energy("production", lambda bucket: bucket.production_wh)
GRID_METRICS = (
    *power_and_energy("import", lambda bucket: bucket.import_wh),
    *power_and_energy("export", lambda bucket: bucket.export_wh),
)
STORAGE_METRICS = (
    *power_and_energy("charge", lambda bucket: bucket.charge_wh),
    *power_and_energy("discharge", lambda bucket: bucket.discharge_wh),
    Metric("stateOfEnergy", PERCENTAGE, lambda bucket: bucket.soc_pct),
)
INVERTER_METRICS = (
    power("power", lambda bucket: bucket.inverter_wh),
    Metric("energy", "WH", lambda bucket: bucket.inverter_wh),
)


@dataclass(eq=False, repr=False)
class V2:
    """The living API.

    Attributes:
        site: the one it knows.
        oauth: whose access tokens it takes.
        api_key: the fleet's key.
        tier: `basic` has no live power flow.
        limits: how many calls are allowed.
    """

    site: Site
    oauth: OAuth
    api_key: str
    tier: Literal["basic", "pro"]
    limits: SolarEdgeLimits
    _minute: MinuteWindow = field(init=False)
    _credits: MonthlyCredits = field(init=False)

    def __post_init__(self) -> None:
        self._minute = MinuteWindow(self.limits.calls_per_minute)
        self._credits = MonthlyCredits(self.limits.calls_per_month)

    def routes(self) -> list[web.RouteDef]:
        """Return the endpoints."""
        site = r"/v2/sites/{site_id:\d+}"
        return [
            web.get("/v2/sites", self._sites),
            web.get("/v2/alerts", self._alerts),
            web.get(site, self._details),
            web.get(f"{site}/overview", self._overview),
            web.get(f"{site}/power", self._power),
            web.get(f"{site}/energy", self._energy),
            web.get(f"{site}/power-flow", self._power_flow),
            web.get(f"{site}/devices", self._devices),
            web.get(f"{site}/meters/telemetry", self._meters),
            web.get(f"{site}/inverters/telemetry", self._inverters),
            web.get(f"{site}/storage/telemetry", self._storage),
        ]

    async def admit(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """Answer a call, or say why not. Every answer tells how many calls this minute has left."""
        response: web.StreamResponse
        try:
            by_key = self._authenticate(request)
            self._pay()
            self._authorize(request, by_key=by_key)
            response = await handler(request)
        except Problem as problem:
            response = problem.as_v2()
        except web.HTTPNotFound:
            response = not_found().as_v2()
        left = 0 if self.site.faults.minute_exhausted else self._minute.remaining(self.site.now())
        response.headers["x-ratelimit-limit-minute"] = str(self._minute.limit)
        response.headers["x-ratelimit-remaining-minute"] = str(left)
        return response

    def _authenticate(self, request: web.Request) -> bool:
        """Return whether the call comes with the fleet's key; else it has an access token."""
        scheme, _, token = request.headers.get("Authorization", "").partition(" ")
        by_key = request.headers.get("X-API-Key") == self.api_key
        if not by_key and not (scheme == "Bearer" and self.oauth.accepts(token)):
            raise unauthorized("The access token or API key is missing, wrong or expired")
        return by_key

    def _authorize(self, request: web.Request, *, by_key: bool) -> None:
        if request.path in FLEET_ONLY and not by_key:
            raise forbidden("This endpoint needs an API key")
        if request.match_info.get("site_id", str(self.site.site_id)) != str(self.site.site_id):
            raise forbidden("No access to this site")

    def _pay(self) -> None:
        """Count a call by an authenticated application, whatever becomes of it.

        The month is over only if there is no `retry-after` and the minute has calls left.
        """
        now, faults = self.site.now(), self.site.faults
        if faults.minute_exhausted or not self._minute.remaining(now):
            wait = {"retry-after": str(self._minute.reset_s(now))}
            raise Problem(429, "Too Many Requests", "API rate limit exceeded", wait)
        if faults.month_exhausted or not self._credits.take(now):
            raise Problem(429, "Too Many Requests", "Monthly credits exceeded")
        self._minute.take(now)

    async def _sites(self, _request: web.Request) -> web.Response:
        return web.json_response({"sites": {"count": 1, "site": [site_document(self.site)]}})

    async def _alerts(self, _request: web.Request) -> web.Response:
        """Answer that all is well; what an alert looks like is not known."""
        return web.json_response({"alerts": {"count": 0, "alert": []}})

    async def _details(self, _request: web.Request) -> web.Response:
        return web.json_response(site_document(self.site) | account_document(self.site))

    async def _overview(self, request: web.Request) -> web.Response:
        window = Window.of(request.query, self.site, default=Resolution.TOTAL)
        return web.json_response({"period": window.period(self.site), **energy_flows(self.site, window)})

    async def _power(self, request: web.Request) -> web.Response:
        window = Window.of(request.query, self.site)
        if window.resolution is Resolution.TOTAL:
            raise bad_request("Power has no total")
        return self._series(window, PRODUCTION_POWER, unit_of(request.query, POWER_UNITS))

    async def _energy(self, request: web.Request) -> web.Response:
        window = Window.of(request.query, self.site)
        return self._series(window, PRODUCTION_ENERGY, unit_of(request.query, ENERGY_UNITS))

    async def _power_flow(self, _request: web.Request) -> web.Response:
        if self.tier == "basic":
            raise forbidden("This endpoint needs a Business Pro or Enterprise plan")
        return web.json_response(power_flow(self.site))

    async def _devices(self, request: web.Request) -> web.Response:
        types = request.query.getall("types", ["INVERTER"])
        return web.json_response([device for device in inventory(self.site) if device["type"] in types])

    async def _meters(self, request: web.Request) -> web.Response:
        window = Window.of(request.query, self.site)
        meters = {}
        if not self.site.faults.no_meter:
            meters[GRID_METER_SERIAL] = metrics(self.site, window, GRID_METRICS)
        if self.site.has_production_meter:
            production = (PRODUCTION_POWER, PRODUCTION_ENERGY)
            meters[PRODUCTION_METER_SERIAL] = metrics(self.site, window, production)
        return self._telemetry(window, "meters", meters)

    async def _inverters(self, request: web.Request) -> web.Response:
        window = Window.of(request.query, self.site)
        inverter = metrics(self.site, window, INVERTER_METRICS)
        return self._telemetry(window, "inverters", {INVERTER_SERIAL: inverter})

    async def _storage(self, request: web.Request) -> web.Response:
        window = Window.of(request.query, self.site)
        storage = {}
        if self.site.has_battery:
            storage[BATTERY_SERIAL] = metrics(self.site, window, STORAGE_METRICS)
        return self._telemetry(window, "storage", storage)

    def _series(self, window: Window, metric: Metric, unit: str) -> web.Response:
        return web.json_response(
            {
                "period": window.period(self.site),
                "unit": unit,
                "resolution": window.resolution,
                "values": values(self.site, window, metric, unit),
            }
        )

    def _telemetry(self, window: Window, kind: str, by_serial: dict[str, Any]) -> web.Response:
        return web.json_response(
            {
                "period": window.period(self.site),
                "unit": "KWH",  # means nothing: each series has a unit of its own
                "resolution": window.resolution,
                kind: by_serial,
            }
        )
