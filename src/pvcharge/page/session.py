"""The charge that is going on, which the history tells of only when it has ended."""

import asyncio
from pathlib import Path

import structlog

from pvcharge.history.belief import Belief
from pvcharge.history.sessions import Prices, SessionTracker
from pvcharge.model import Decision, PowerFlow, Session
from pvcharge.page.asking import UNREADABLE, ask

log = structlog.get_logger(__name__)


class RunningSession:
    """Counts what the recorder counts, in memory.

    Args:
        prices: of energy.
        path: of the history, where there may be one; a session that began before our start stands there.
    """

    def __init__(self, prices: Prices, path: Path) -> None:
        self._prices = prices
        self._path = path
        self._belief = Belief()
        self._tracker = SessionTracker(prices)

    async def load(self) -> None:
        """Go on with the session that an earlier daemon has seen; a history that cannot be read is none."""
        try:
            state = await asyncio.to_thread(ask, self._path, lambda reader: reader.state("session"))
            self._tracker = SessionTracker(self._prices, state)
        except UNREADABLE as error:
            log.debug("session begins anew", error=str(error))

    def take(self, event: object) -> None:
        """Take an event of the feed into account."""
        if isinstance(event, Decision):
            self._belief.take(event)
        if not isinstance(event, PowerFlow) or self._belief.counts(event):
            self._tracker.take(event)

    @property
    def current(self) -> Session | None:
        """The session of the car that is there; None while there is none."""
        return self._tracker.current
