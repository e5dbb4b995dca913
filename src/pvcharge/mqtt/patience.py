"""How long to wait before the next try at the broker, and how loudly to say so.

The first failure of a row is logged, then silence, then the recovery. A connection that works for some
seconds between its failures is no better off: waits go on growing.
"""

import asyncio
import random
from logging import ERROR, WARNING

import structlog

from pvcharge.mqtt.connection import Timing
from pvcharge.mqtt.failures import LinkError

log = structlog.get_logger(__name__)

STEADY_S = 60.0  # a connection that has held for so long starts its next row of failures afresh
_GROWTH = 1.6


class Patience:
    """The failures of one connection in a row.

    Args:
        address: the broker's, for the log.
        timing: the least and the greatest wait.
    """

    def __init__(self, address: str, timing: Timing) -> None:
        self._address = address
        self._timing = timing
        self._failures = 0
        self._refused: bool | None = None  # the kind of the last failure, None while all is well
        self._since_s = _now_s()  # when it last came or went

    def succeeded(self) -> None:
        """Note that the broker let us in."""
        gap_s = round(_now_s() - self._since_s)
        log.info("broker connected", broker=self._address, failures=self._failures, after_s=gap_s)
        self._refused, self._since_s = None, _now_s()

    def failed(self, error: LinkError) -> float:
        """Note a failure and return the real seconds to wait before the next try."""
        if self._refused is None:
            if _now_s() - self._since_s >= STEADY_S:
                self._failures = 0
            self._since_s = _now_s()
        self._failures += 1
        delay_s = self._delay_s(error)
        if error.refused is not self._refused:
            facts = {"broker": self._address, "error": str(error), "retry_in_s": round(delay_s)}
            log.log(ERROR if error.refused else WARNING, "no connection to the broker", **facts)
        else:
            log.debug("still no connection to the broker", broker=self._address, error=str(error))
        self._refused = error.refused
        return delay_s

    def _delay_s(self, error: LinkError) -> float:
        """Return a wait with full jitter, so that after an outage not all houses come back at once."""
        cap_s = self._timing.retry_cap_s
        if error.refused:
            return cap_s * random.uniform(0.9, 1.1)  # noqa: S311 - jitter is no secret
        first_s = self._timing.first_retry_s
        ceiling_s = min(cap_s, 2 * first_s * _GROWTH ** min(self._failures - 1, 20))
        return random.uniform(first_s, ceiling_s)  # noqa: S311 - jitter is no secret


def _now_s() -> float:
    return asyncio.get_running_loop().time()
