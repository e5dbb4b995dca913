"""What to do about a failing device: how long to wait, and how loudly to say so.

Failures are classified by their class. Transient ones are retried with full jitter up to a minute;
refused credentials and retired services only after many minutes, since trying again soon mends
nothing and may lock an account. The first failure is logged, then silence, then the recovery.
A device that works for some seconds between its failures is no better off: waits go on growing.
"""

import random

import structlog

from pvcharge.drivers.base import AuthError, DriverError, PermanentError, TransientError
from pvcharge.model import Clock, DeviceHealth
from pvcharge.tasks.feed import Feed

log = structlog.get_logger(__name__)

TRANSIENT_CAP_S = 60.0
AUTH_DELAY_S = 900.0
PERMANENT_DELAY_S = 6 * 3600.0
STEADY_S = 120.0  # a device that has worked for so long starts its next row of failures afresh


class Retry:
    """The failures of one device in a row, its health on the feed, and the wait before the next try.

    Args:
        name: the device's configured name.
        clock: for times and since when it has been down.
        feed: where its health is published.
        seed: makes the jitter repeatable in tests and simulations.
    """

    def __init__(self, name: str, clock: Clock, feed: Feed, seed: int | None = None) -> None:
        self._name = name
        self._clock = clock
        self._feed = feed
        self._random = random.Random(seed)  # noqa: S311 - jitter is no secret
        self._failures = 0
        self._ok: bool | None = None
        self._since = clock.now()
        self._error_class: type[DriverError] | None = None

    @property
    def failing(self) -> bool:
        """Whether the last try failed."""
        return self._ok is False

    def succeeded(self, facts: dict[str, float | str] | None = None) -> None:
        """Note a success; logged when it ends a row of failures."""
        now = self._clock.now()
        if self._ok is not True:
            if self.failing:
                down_s = (now - self._since).total_seconds()
                log.info("device recovered", device=self._name, failures=self._failures, down_s=round(down_s))
            self._ok, self._since = True, now
        self._error_class = None
        self._feed.publish(DeviceHealth(self._name, now, ok=True, since=self._since, facts=facts or {}))

    def failed(self, error: DriverError, facts: dict[str, float | str] | None = None) -> float:
        """Note a failure and return the seconds to wait before the next try."""
        now = self._clock.now()
        if self._ok is not False:
            if (now - self._since).total_seconds() >= STEADY_S:
                self._failures = 0
            self._ok, self._since = False, now
        self._failures += 1
        delay_s = self._delay_s(error)
        # A device that first times out and then refuses the password has two things to say.
        if type(error) is not self._error_class:
            self._error_class = type(error)
            log.warning("device failed", device=self._name, error=str(error), retry_in_s=round(delay_s))
        else:
            log.debug("device still failing", device=self._name, error=str(error), failures=self._failures)
        self._feed.publish(
            DeviceHealth(self._name, now, ok=False, since=self._since, error=str(error), facts=facts or {})
        )
        return delay_s

    def _delay_s(self, error: DriverError) -> float:
        if isinstance(error, PermanentError):
            return PERMANENT_DELAY_S * self._random.uniform(0.9, 1.1)
        if isinstance(error, AuthError):
            return AUTH_DELAY_S * self._random.uniform(0.9, 1.1)
        ceiling_s = min(TRANSIENT_CAP_S, 2.0 * 1.6 ** min(self._failures, 20))
        delay_s = self._random.uniform(1.0, ceiling_s)
        if isinstance(error, TransientError) and error.retry_after_s is not None:
            delay_s += error.retry_after_s
        return delay_s
