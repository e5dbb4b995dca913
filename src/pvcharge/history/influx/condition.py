"""How the server is doing: for the log, for health, and for the wait until the next try.

The first failure of a row is logged, then silence, then the recovery. A server that works for some seconds
between its failures is no better off: waits go on growing.
"""

import asyncio
import random
from collections.abc import Callable
from dataclasses import dataclass
from logging import ERROR, WARNING

import structlog

from pvcharge.history.errors import StoreError
from pvcharge.history.influx.server import WriteError
from pvcharge.model import Clock, DeviceHealth

log = structlog.get_logger(__name__)

NAME = "influxdb"  # of the cursor, and of what health is told
STEADY_S = 60.0  # a server that has worked for so long starts its next row of failures afresh
_GROWTH = 1.6


@dataclass(frozen=True, slots=True)
class Timing:
    """How long to wait for what, in real seconds: a server does not get faster with the daemon's clock."""

    first_retry_s: float = 1.0
    retry_cap_s: float = 60.0
    hold_s: float = 300.0  # where trying again soon mends nothing
    longest_s: float = 3600.0  # that a server may keep us waiting
    tell_s: float = 10.0  # between two reports that all is well


@dataclass(slots=True)
class Figures:
    """How far the server has got."""

    lag_events: int = 0  # in the store, and not acknowledged
    lag_s: float = 0.0  # since the oldest of them
    lost: int = 0  # events that the store had to forget before they could be sent
    dropped: int = 0  # points that the server has rejected
    sent: int = 0  # points that it has taken since our start

    def facts(self) -> dict[str, float | str]:
        """Return them as health tells them."""
        return {
            "lag_events": self.lag_events,
            "lag_s": round(self.lag_s, 1),
            "dropped": self.lost + self.dropped,
            "sent": self.sent,
        }


class Condition:
    """The failures of one server in a row.

    Args:
        url: the server's, for the log.
        clock: the daemon's time.
        tell: takes health.
        timing: waits in real seconds.
    """

    def __init__(self, url: str, clock: Clock, tell: Callable[[DeviceHealth], None], timing: Timing) -> None:
        self._url = url
        self._clock = clock
        self._tell = tell
        self._timing = timing
        self._failures = 0
        self._refused: bool | None = None  # the kind of the last failure, None while all is well
        self._since = clock.now()
        self._changed_s = float("-inf")  # when it last came or went
        self._told_s = float("-inf")

    def succeeded(self, figures: Figures) -> None:
        """Note that all is well, and tell of it if that is news or some time has passed."""
        if self._refused is not None:
            gap_s = round(_now_s() - self._changed_s)
            log.info("points are sent again", server=self._url, failures=self._failures, after_s=gap_s)
            self._refused = None
            self._change()
        elif _now_s() - self._told_s < self._timing.tell_s:
            return
        self._report(None, figures)

    def failed(self, error: WriteError | StoreError, figures: Figures) -> float:
        """Note a failure and return the real seconds to wait before the next try."""
        refused = isinstance(error, WriteError) and error.refused
        if self._refused is None:
            if _now_s() - self._changed_s >= STEADY_S:
                self._failures = 0
            self._change()
        self._failures += 1
        delay_s = self._delay_s(error)
        if refused is not self._refused:
            facts = {"server": self._url, "error": str(error), "retry_in_s": round(delay_s)}
            log.log(ERROR if refused else WARNING, "points cannot be sent; they wait in the store", **facts)
        else:
            log.debug("points still cannot be sent", server=self._url, error=str(error))
        self._refused = refused
        self._report(str(error), figures)
        return delay_s

    def _delay_s(self, error: WriteError | StoreError) -> float:
        """Return a wait with jitter, so that after an outage not all houses come back at once."""
        timing = self._timing
        asked_s = 0.0
        if isinstance(error, WriteError):
            if error.refused:
                return timing.hold_s * random.uniform(0.9, 1.1)  # noqa: S311 - jitter is no secret
            asked_s = min(error.retry_after_s, timing.longest_s)
        ceiling_s = min(timing.retry_cap_s, 2 * timing.first_retry_s * _GROWTH ** min(self._failures - 1, 20))
        return asked_s + random.uniform(timing.first_retry_s, ceiling_s)  # noqa: S311 - jitter is no secret

    def _change(self) -> None:
        self._since, self._changed_s = self._clock.now(), _now_s()

    def _report(self, error: str | None, figures: Figures) -> None:
        self._told_s = _now_s()
        now = self._clock.now()
        facts = figures.facts()
        self._tell(DeviceHealth(NAME, now, ok=error is None, since=self._since, error=error, facts=facts))


def _now_s() -> float:
    return asyncio.get_running_loop().time()
