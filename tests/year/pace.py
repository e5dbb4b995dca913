"""How finely time is simulated: finely while a car charges, coarsely in a night without one.

The tasks look at least every few seconds, whatever happens; a year has too many of them. What happens wakes
the tasks at once at any pace: a command, a status, a reading.
"""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import pytest
from websockets.asyncio.connection import Connection

from pvcharge.drivers.solaredge_modbus import inverter
from pvcharge.history import recorder
from pvcharge.model import Clock
from pvcharge.sim.wattpilot import server, session
from pvcharge.tasks import charger_task, control_loop, learned_store

SELDOM_S = 6 * 3600.0
HISTORY_S = 600.0
PING_S = 300.0
LEAST_S = 0.02


@dataclass(frozen=True, slots=True)
class Pace:
    """Seconds between two looks.

    Attributes:
        tick_s: the control loop decides at least so often.
        look_s: the charger's task looks at its lease at least so often.
        step_s: house, box and car are simulated in steps of this.
        delta_s: the box tells what has changed, from .. to.
    """

    tick_s: float
    look_s: float
    step_s: float
    delta_s: tuple[float, float]


CHARGING = Pace(20.0, 20.0, 20.0, (15.0, 25.0))
PLUGGED = Pace(60.0, 60.0, 60.0, (45.0, 60.0))
ALONE = Pace(170.0, 170.0, 120.0, (120.0, 170.0))  # what is older than 180 s counts as unheard


class Nudge:
    """Ends a pause before its time, so that the box tells at once what somebody does to it."""

    def __init__(self) -> None:
        self._waits: set[asyncio.Future[None]] = set()

    async def pause(self, _clock: Clock, seconds: float) -> None:
        """Sleep, until nudged."""
        loop = asyncio.get_running_loop()
        wait: asyncio.Future[None] = loop.create_future()
        timer = loop.call_later(max(LEAST_S, seconds), _end, wait)
        self._waits.add(wait)
        try:
            await wait
        finally:
            timer.cancel()
            self._waits.discard(wait)

    def now(self) -> None:
        """End all pauses."""
        for wait in self._waits:
            _end(wait)


def _end(wait: asyncio.Future[None]) -> None:
    if not wait.done():
        wait.set_result(None)


_keepalive = Connection.keepalive


async def _ping_seldom(connection: Connection) -> None:
    connection.ping_interval = PING_S
    await _keepalive(connection)


@contextmanager
def paced() -> Iterator[Nudge]:
    """Let the pace be set for as long as the context lasts; after it, all is as it was."""
    nudge = Nudge()
    with pytest.MonkeyPatch.context() as patch:
        for module, name in (
            (control_loop, "TICK_S"),
            (charger_task, "LOOK_S"),
            (session, "DELTA_PAUSE_S"),
        ):
            patch.setattr(module, name, getattr(module, name))
        patch.setattr(session, "pause", nudge.pause)
        patch.setattr(Connection, "keepalive", _ping_seldom)
        patch.setattr(server, "TICK_S", 3600.0)  # the house lets the box live
        patch.setattr(learned_store, "WRITE_EVERY_S", SELDOM_S)
        patch.setattr(recorder, "WRITE_EVERY_S", HISTORY_S)
        patch.setattr(inverter, "IDLE_S", 600.0)
        yield nudge


def set_pace(pace: Pace) -> None:
    """Look so often from now on; to be called within `paced`."""
    control_loop.TICK_S = pace.tick_s
    charger_task.LOOK_S = pace.look_s
    session.DELTA_PAUSE_S = pace.delta_s
