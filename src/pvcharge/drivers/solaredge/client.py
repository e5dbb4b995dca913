"""The requests that the driver makes, with the credentials they need. Returns JSON as it came."""

from collections.abc import Mapping
from datetime import UTC, datetime
from http import HTTPStatus
from typing import Any, Literal

import aiohttp

from pvcharge.drivers.base import AuthError, DriverContext, TransientError
from pvcharge.drivers.solaredge.answers import Answer, refusal, understand
from pvcharge.drivers.solaredge.ledger import Ledger
from pvcharge.drivers.solaredge.oauth import TokenKeeper
from pvcharge.drivers.solaredge.settings import SolarEdgeSettings
from pvcharge.drivers.solaredge.transport import Transport

TOKEN_PATH = "/v2/oauth2/token"  # noqa: S105 - a path


class SolarEdgeClient:
    """Both APIs of one site.

    Args:
        settings: which site, which API, which credentials.
        context: clock, time zone and the place for counter and tokens.
        session: used and left open; without one, an own session is made.
    """

    def __init__(
        self,
        settings: SolarEdgeSettings,
        context: DriverContext,
        session: aiohttp.ClientSession | None = None,
    ) -> None:
        self.ledger = Ledger(settings, context.state_dir, context.timezone)
        self._settings = settings
        self._transport = Transport(settings, context.clock, self.ledger, session)
        token_file = context.state_dir / f"solaredge-{settings.site_id}-tokens.json"
        self.login = TokenKeeper(settings, context.clock, token_file, self._post_token)

    async def power_flow(self, *, urgent: bool) -> Any:
        """Return the powers of the moment.

        Raises:
            DriverError: the request failed.
        """
        if self._settings.api == "v1":
            return await self._get_v1(f"/site/{self._settings.site_id}/currentPowerFlow", urgent=urgent)
        return await self._get_v2("power-flow", {}, urgent=urgent)

    async def quarters(
        self,
        what: Literal["meters/telemetry", "storage/telemetry", "power"],
        start: datetime,
        end: datetime,
        *,
        urgent: bool,
    ) -> Any:
        """Return series of quarter hours between two times, which may be 12 hours apart at most.

        Raises:
            DriverError: the request failed.
        """
        window = {"resolution": "QUARTER_HOUR", "from": _iso(start), "to": _iso(end)}
        return await self._get_v2(what, window, urgent=urgent)

    async def aclose(self) -> None:
        """Finish a renewal of the tokens that is under way, then close the connection."""
        await self.login.aclose()
        await self._transport.aclose()

    async def _get_v1(self, path: str, *, urgent: bool) -> Any:
        key = self._settings.key
        answer = await self._transport.request(
            "GET", path, secrets=(key,), params={"api_key": key}, urgent=urgent
        )
        if answer.status == HTTPStatus.FORBIDDEN:
            raise refusal(answer, AuthError, "the key is refused; check api_key and site_id")
        if answer.status == HTTPStatus.TOO_MANY_REQUESTS:
            raise await self._spent(answer)
        return understand(answer)

    async def _get_v2(self, what: str, params: dict[str, str], *, urgent: bool) -> Any:
        """Ask once, or twice if the access token has died before its time."""
        if self._settings.uses_oauth:
            token = await self.login.access_token()
            answer = await self._send_v2(what, params, token, urgent=urgent)
            if answer.status == HTTPStatus.UNAUTHORIZED:
                token = await self.login.access_token(rejected=token)
                answer = await self._send_v2(what, params, token, urgent=urgent)
        else:
            answer = await self._send_v2(what, params, self._settings.key, urgent=urgent)
        if answer.month_is_spent:
            raise await self._spent(answer)
        return understand(answer)

    async def _spent(self, answer: Answer) -> TransientError:
        wait_s = await self.ledger.exhaust(answer.at)
        return TransientError(f"{answer.where}: the requests of this site are used up", retry_after_s=wait_s)

    async def _send_v2(self, what: str, params: dict[str, str], credential: str, *, urgent: bool) -> Answer:
        by_token = {"Authorization": f"Bearer {credential}"}
        return await self._transport.request(
            "GET",
            f"/v2/sites/{self._settings.site_id}/{what}",
            secrets=(credential,),
            params=params,
            headers=by_token if self._settings.uses_oauth else {"X-API-Key": credential},
            urgent=urgent,
        )

    async def _post_token(self, body: Mapping[str, str]) -> Answer:
        """Send a grant. It may use the reserve: without a token the rest of the budget is worth nothing."""
        secrets = tuple(body[key] for key in ("client_secret", "refresh_token", "code") if key in body)
        return await self._transport.request("POST", TOKEN_PATH, secrets=secrets, json=body, urgent=True)


def _iso(time: datetime) -> str:
    return time.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
