"""Up to where what a server has acknowledged outlives its sudden death.

An InfluxDB has synced what it acknowledges. VictoriaMetrics has not: it gathers for 1 s, and every 5 s
writes what is at least 5 s old, so that kill -9 costs the last 11 s and the time of the writing (1.79; 9.8 s
were the most in 84 kills). So something settles when the server answers a request that was sent a while
after, over the same connection: a server that dies takes its connections with it.

Two bounds remain. A proxy that keeps its connection to us hides a server which dies and comes back between
two of our requests. And where idle connections end again and again, they are no longer taken for the server's
death until one has lasted: until then things settle by time alone.
"""

from collections import deque
from dataclasses import dataclass

MOST_BREAKS = 3  # new connections in a row that are taken for a new life of the server
MOST_MARKS = 10  # at a time


@dataclass(frozen=True, slots=True)
class _Mark:
    """Up to where things were acknowledged, when, and over which connection."""

    seq: int
    at_s: float
    connection: int


class Settling:
    """Keeps marks until they settle, one after another.

    Args:
        settle_s: how long a server may keep in memory only what it has acknowledged.
    """

    def __init__(self, settle_s: float) -> None:
        self._settle_s = settle_s
        self._marks: deque[_Mark] = deque()
        self._connection = 0
        self._breaks = 0  # in a row

    def forget(self) -> None:
        """Begin anew: all that has not settled will be sent again."""
        self._marks.clear()

    def is_in_doubt(self, connection: int) -> bool:
        """Whether the server may have died since what it acknowledged last, over another connection.

        Args:
            connection: the number of that over which it has just acknowledged something.
        """
        changed, self._connection = connection != self._connection, connection
        if not self._marks or not changed or self._breaks >= MOST_BREAKS:
            return False
        self._breaks += 1
        return True

    def acknowledged(self, seq: int, begun_s: float, now_s: float) -> int | None:
        """Note what has just been acknowledged, and return up to where all has settled by that, if anywhere.

        Args:
            seq: up to where it was acknowledged.
            begun_s: when the server was asked: how much later than that it was alive is not known.
            now_s: when its answer came.
        """
        settled = None
        while self._marks and begun_s - self._marks[0].at_s >= self._settle_s:
            settled = self._marks.popleft()
        if not self._marks or now_s - self._marks[-1].at_s >= self._settle_s / MOST_MARKS:
            self._marks.append(_Mark(seq, now_s, self._connection))
        if settled is None:
            return None
        if settled.connection == self._connection:
            self._breaks = 0
        return settled.seq
