"""OAuth 2.0 as a homeowner's application meets it: site access with rotating refresh tokens."""

import json
import secrets
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from html import escape

from aiohttp import web
from yarl import URL

from pvcharge.model import Clock
from pvcharge.sim.solaredge.faults import SolarEdgeFaults

ACCESS_LIFE = timedelta(seconds=7200)
REFRESH_LIFE = timedelta(days=30)


@dataclass(eq=False, repr=False)
class OAuth:
    """The consent page, the token endpoint, and the tokens that are alive.

    Attributes:
        client_id: of the one registered application.
        client_secret: its secret.
        site_id: the site that every consent is for.
        clock: by which tokens expire.
        faults: the knobs.
    """

    client_id: str
    client_secret: str
    site_id: int
    clock: Clock
    faults: SolarEdgeFaults
    _codes: set[str] = field(default_factory=set)
    _access: dict[str, datetime] = field(default_factory=dict)  # token -> its end
    _refresh: dict[str, datetime] = field(default_factory=dict)

    def routes(self) -> list[web.RouteDef]:
        """Return the pages and endpoints."""
        return [
            web.get("/authorize", self._authorize),
            web.post("/v2/oauth2/token", self._token),
            web.post("/v2/oauth2/revoke-token", self._revoke),
        ]

    def accepts(self, access_token: str) -> bool:
        """Return whether an access token is known and has not expired."""
        end = self._access.get(access_token)
        return end is not None and self.clock.now() < end

    def expire_access_tokens(self) -> None:
        """Let all access tokens die; refresh tokens live on."""
        self._access.clear()

    async def _authorize(self, request: web.Request) -> web.Response:
        """Consent at once and send the browser back with a code, or show the code if there is no way back.

        Of what the application sends along only `external_id` comes back: whether the real page
        returns `state` is not known.
        """
        if request.query.get("client_id") != self.client_id:
            return _page("Unknown application", status=400)
        code = secrets.token_hex(16)
        self._codes.add(code)
        answer = {"code": code, "site_id": str(self.site_id)}
        if "external_id" in request.query:
            answer["external_id"] = request.query["external_id"]
        if "redirect_uri" not in request.query:
            return _page(f"Access granted. Code: {code}")
        return web.Response(
            status=302, headers={"Location": str(URL(request.query["redirect_uri"]).update_query(answer))}
        )

    async def _token(self, request: web.Request) -> web.Response:
        body = await _json_object(request)
        if body is None:
            return _refused("invalid_request", "The body must be a JSON object")
        client = (body.get("client_id"), body.get("client_secret"))
        if client != (self.client_id, self.client_secret):
            return _refused("invalid_client", "Unknown client or wrong secret")
        match body.get("grant_type"):
            case "authorization_code":
                return self._redeem_code(body.get("code"))
            case "refresh_token":
                return self._rotate(body.get("refresh_token"))
        return _refused("unsupported_grant_type", "Use authorization_code or refresh_token")

    async def _revoke(self, request: web.Request) -> web.Response:
        body = await _json_object(request)
        token = (body or {}).get("token")
        if not isinstance(token, str):
            return _refused("invalid_request", "The body must be a JSON object with a token")
        self._access.pop(token, None)
        self._refresh.pop(token, None)
        return web.Response(status=200)

    def _redeem_code(self, code: object) -> web.Response:
        if code not in self._codes:
            return _refused("invalid_grant", "The code is unknown or has been used")
        self._codes.discard(str(code))
        return self._issue()

    def _rotate(self, refresh_token: object) -> web.Response:
        """Exchange a refresh token for a new pair; the old one is dead even if the answer gets lost."""
        if self.faults.refuse_refresh:
            return _refused("invalid_grant", "The refresh token is invalid")
        end = self._refresh.pop(str(refresh_token), None)
        if end is None or self.clock.now() >= end:
            return _refused("invalid_grant", "The refresh token is unknown, used or expired")
        return self._issue()

    def _issue(self) -> web.Response:
        now = self.clock.now()
        self._access = {token: end for token, end in self._access.items() if now < end}
        access, refresh = secrets.token_urlsafe(32), secrets.token_urlsafe(32)
        self._access[access] = now + ACCESS_LIFE
        self._refresh[refresh] = now + REFRESH_LIFE
        return web.json_response(
            {
                "access_token": access,
                "token_type": "Bearer",
                "expires_in": int(ACCESS_LIFE.total_seconds()),
                "refresh_token": refresh,
            }
        )


async def _json_object(request: web.Request) -> dict[str, object] | None:
    try:
        body = json.loads(await request.read())
    except ValueError:
        return None
    return body if isinstance(body, dict) else None


def _refused(error: str, description: str) -> web.Response:
    return web.json_response({"error": error, "error_description": description}, status=400)


def _page(text: str, status: int = 200) -> web.Response:
    return web.Response(
        status=status,
        text=f"<!doctype html><title>Simulated consent</title><p>{escape(text)}</p>",
        content_type="text/html",
    )
