"""What can be wrong with the cloud: knobs that may be turned while it runs."""

from dataclasses import dataclass
from datetime import datetime

from aiohttp import web

NOT_JSON = b"\x16\x03\x01<!-- no backend \xff\xfe -->"
OUTAGE_PAGE = (
    "<html><head><title>{0} Error</title></head><body><h1>{0}: temporarily out of service</h1></body></html>"
)
GONE_BODY = "https://marketing.solaredge.com/legacy-api-sign-up-for-interest"


@dataclass
class SolarEdgeFaults:
    """The knobs; all off by default. Each acts from the next request on.

    Attributes:
        refuse_connections: close every connection without an answer.
        slow_s: wait this many real seconds before each answer.
        outage_status: answer everything with this status (500, 502, ...) and a page of HTML.
        gone: answer everything 410, as V1 has done since its end.
        garbage: answer with the right status and header, but a body that is no JSON.
        truncated: send only the first half of each body.
        frozen_at: the inverter has uploaded nothing since then: live values stay, later buckets are null.
        expire_access_tokens: one shot, falls back to False: all access tokens issued so far die.
        refuse_refresh: answer `invalid_grant` to every refresh token, and leave the token alive.
        minute_exhausted: answer V2 calls as if the minute's calls were used up.
        month_exhausted: answer V2 calls as if the month's credits were used up.
        day_exhausted: answer V1 calls as if the day's calls were used up.
        nulls: all measured values are null.
        missing_keys: leave out the keys `value`, `currentPower` and `connections`.
        mixed_units: V2: every second quantity of a device in kW and kWh; V1: the power flow in W.
        no_meter: the site has no import and export meter.
    """

    refuse_connections: bool = False
    slow_s: float = 0.0
    outage_status: int | None = None
    gone: bool = False
    garbage: bool = False
    truncated: bool = False
    frozen_at: datetime | None = None
    expire_access_tokens: bool = False
    refuse_refresh: bool = False
    minute_exhausted: bool = False
    month_exhausted: bool = False
    day_exhausted: bool = False
    nulls: bool = False
    missing_keys: bool = False
    mixed_units: bool = False
    no_meter: bool = False

    def refusal(self) -> web.Response | None:
        """Return the answer that comes from in front of the cloud, if it is down or gone."""
        if self.outage_status is not None:
            page = OUTAGE_PAGE.format(self.outage_status)
            return web.Response(status=self.outage_status, text=page, content_type="text/html")
        return gone() if self.gone else None

    def spoil(self, response: web.StreamResponse) -> web.StreamResponse:
        """Replace or cut the body of an answer."""
        if isinstance(response, web.Response) and isinstance(response.body, bytes):
            if self.garbage:
                response.body = NOT_JSON
            elif self.truncated:
                response.body = response.body[: len(response.body) // 2]
        return response


def gone() -> web.Response:
    """Return what the retired V1 answers; the body is the one seen at the maker's other retired API."""
    return web.Response(status=410, text=GONE_BODY)
