"""The `Inverter` of the SolarEdge cloud: what to ask for, what of it is new, and when to ask again."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

import aiohttp
import structlog

from pvcharge.drivers.base import Demand, DriverContext, DriverError, TransientError
from pvcharge.drivers.solaredge.client import SolarEdgeClient
from pvcharge.drivers.solaredge.powerflow import parse_power_flow
from pvcharge.drivers.solaredge.schedule import Cadence, LastRead, Live, Quarters, Schedule, is_wanted
from pvcharge.drivers.solaredge.settings import SolarEdgeSettings
from pvcharge.drivers.solaredge.sun import Sun
from pvcharge.drivers.solaredge.telemetry import parse_quarters, quarter_start
from pvcharge.model import PowerFlow

log = structlog.get_logger(__name__)

_FIRST_WINDOW = timedelta(hours=3)
_LONGEST_WINDOW = timedelta(hours=11)  # 12 are allowed, but a change to summer time adds one
_SHORTEST_V1_S = 120.0
_SHORTEST_LIVE_S = 30.0
_MOST_REPEATS = 2  # equal answers in daylight after which the cloud is taken to repeat an old one
_FIRST_RETRY_S = 60.0
_LONGEST_RETRY_S = 900.0


class SolarEdgeInverter:
    """Reads one site from the SolarEdge cloud.

    Args:
        settings: the table of the configuration.
        context: what the daemon offers.
        session: used and left open; without one, an own session is made at the first read.
    """

    def __init__(
        self,
        settings: SolarEdgeSettings,
        context: DriverContext,
        session: aiohttp.ClientSession | None = None,
    ) -> None:
        self.name = settings.name
        self._settings = settings
        self._clock = context.clock
        self._client = SolarEdgeClient(settings, context, session)
        self._sun = Sun(context.latitude_deg, context.longitude_deg)
        self._live = settings.api == "v1" or settings.data == "live"
        self._schedule = Schedule(
            cadence=_cadence(settings, live=self._live),
            budget=self._client.ledger.budget,
            calls_per_read=1 if self._live else 1 + settings.has_battery + settings.fetch_production,
            sun=self._sun,
        )
        self._last: LastRead | None = None
        self._wanted = False
        self._urgent = True
        self._failures = 0
        self._repeated = _Repeats()
        self._no_production = False

    async def read(self) -> tuple[PowerFlow, ...]:
        """Fetch the readings that are new since the last call, oldest first; empty if there are none yet.

        Raises:
            DriverError: the read failed.
        """
        try:
            flows = await (self._read_live() if self._live else self._read_quarters())
        except TransientError as error:
            self._be_patient(error)
            raise
        seen_until = flows[-1].end if flows else self._seen_until
        self._last = LastRead(self._clock.now(), seen_until)
        self._urgent = False
        self._failures = 0
        return flows

    def next_read_at(self, now: datetime, demand: Demand) -> datetime:
        """Return when the next read is worth its cost. Asked again whenever the demand changes."""
        wanted = is_wanted(demand)
        if wanted and not self._wanted:
            self._urgent = True
        self._wanted = wanted
        return self._schedule.next_read_at(now, demand, self._last, urgent=self._urgent)

    def health(self) -> Mapping[str, float | str]:
        """Return the API and what is left of its budget, once that is known."""
        facts: dict[str, float | str] = {"api": self._settings.api}
        ledger = self._client.ledger
        if ledger.loaded:
            facts["requests_left"] = ledger.budget.left(self._clock.now())
            facts["requests_limit"] = ledger.budget.limit
        return facts

    async def aclose(self) -> None:
        """Release connections; may be called at any time and more than once."""
        await self._client.aclose()

    @property
    def _seen_until(self) -> datetime | None:
        return self._last.seen_until if self._last else None

    async def _read_live(self) -> tuple[PowerFlow, ...]:
        document = await self._client.power_flow(urgent=self._urgent)
        now = self._clock.now()
        flow = parse_power_flow(document, at=now, source=self.name)
        # The answer names no time. In daylight nothing stays the same to 10 W: equal means old.
        if self._repeated.count(flow) > _MOST_REPEATS and self._sun.is_up(now):
            return ()
        return (flow,)

    async def _read_quarters(self) -> tuple[PowerFlow, ...]:
        now = self._clock.now()
        seen_until = self._seen_until
        start = quarter_start(max(seen_until or now - _FIRST_WINDOW, now - _LONGEST_WINDOW))
        flows = await self._fetch_quarters(start, now, urgent=self._urgent)
        return tuple(flow for flow in flows if seen_until is None or flow.start >= seen_until)

    async def read_past(self, start: datetime, end: datetime) -> tuple[PowerFlow, ...]:
        """Fetch the quarter hours of an interval of at most 11 hours; nothing from the retired V1.

        Raises:
            DriverError: a request failed, or the budget has nothing left but its reserve.
        """
        if self._settings.api == "v1":
            return ()
        flows = await self._fetch_quarters(quarter_start(start), end, urgent=False)
        return tuple(flow for flow in flows if flow.start >= start and flow.end <= end)

    async def _fetch_quarters(self, start: datetime, end: datetime, *, urgent: bool) -> list[PowerFlow]:
        meters = await self._client.quarters("meters/telemetry", start, end, urgent=urgent)
        storage = None
        if self._settings.has_battery:  # not optional: a battery that empties into the car must be seen
            storage = await self._client.quarters("storage/telemetry", start, end, urgent=urgent)
        production = None
        if self._settings.fetch_production:
            production = await self._production(start, end, urgent=urgent)
        return parse_quarters(meters, storage=storage, production=production, now=end, source=self.name)

    async def _production(self, start: datetime, end: datetime, *, urgent: bool) -> Any:
        """Return the series of the production, or None if it fails: the surplus is known without it."""
        try:
            production = await self._client.quarters("power", start, end, urgent=urgent)
        except DriverError as error:
            if not self._no_production:
                log.warning("reading on without the production", inverter=self.name, error=str(error))
            self._no_production = True
            return None
        self._no_production = False
        return production

    def _be_patient(self, error: TransientError) -> None:
        """Ask for a wait that doubles, since each try costs a request; the server is believed once at most.

        One that goes on to say "in a second" would else have the month's requests by the evening.
        """
        patience_s = min(_FIRST_RETRY_S * 2 ** min(self._failures, 10), _LONGEST_RETRY_S)
        named_s = error.retry_after_s
        if named_s is None or (self._failures and named_s < patience_s):
            error.retry_after_s = patience_s
        self._failures += 1


class _Repeats:
    """Counts how often in a row the same powers were received."""

    def __init__(self) -> None:
        self._powers: tuple[float | None, ...] = ()
        self._times = 0

    def count(self, flow: PowerFlow) -> int:
        """Return how many answers before this one were equal to it."""
        powers = (flow.pv_w, flow.load_w, flow.grid_w)
        self._times = self._times + 1 if powers == self._powers else 0
        self._powers = powers
        return self._times


def _cadence(settings: SolarEdgeSettings, *, live: bool) -> Cadence:
    if not live:
        return Quarters.of_site(settings.site_id)
    return Live(_SHORTEST_V1_S if settings.api == "v1" else _SHORTEST_LIVE_S)
